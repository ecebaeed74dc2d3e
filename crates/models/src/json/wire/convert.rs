use super::{
    AttemptV1, ContextData, ErrorData, EventV1, PerformanceMetrics, QualityMetrics, StrategyMetrics,
};
use crate::json::{SCHEMA_VERSION, summaries};
use crate::{Attempt, ErrorInfo, Event, PageContext};

impl<'a> EventV1<'a> {
    pub(crate) fn new(event: &'a Event) -> Self {
        let page = event.page.as_deref();
        Self {
            schema_version: SCHEMA_VERSION,
            event_id: &event.id,
            correlation_id: event.correlation_id.as_ref(),
            selector_name: event.selector.as_str(),
            selector_version: event.selector_version,
            timestamp: event.timestamp,
            operation_type: event.operation,
            outcome: event.outcome,
            attempts: &event.attempts,
            performance_metrics: PerformanceMetrics {
                resolution_time_ms: event.timing.resolution,
                strategy_execution_time_ms: event.timing.strategies,
                total_duration_ms: event.timing.total,
                memory_usage_mb: event.resources.memory_mb,
                cpu_usage_percent: event.resources.cpu_percent,
                network_requests_count: event.resources.network_requests,
                dom_operations_count: event.resources.dom_operations,
            },
            quality_metrics: QualityMetrics {
                confidence_score: event.quality.confidence,
                success: event.outcome.is_success(),
                elements_found: event.quality.elements_found,
                strategy_success_rate: event.strategy_success_rate(),
                drift_detected: event.quality.drift_detected,
                fallback_used: event.fallback_used(),
                validation_passed: event.quality.validation_passed,
            },
            strategy_metrics: StrategyMetrics::new(event),
            error_data: event.error.as_ref().map(ErrorData::new),
            context_data: page.map(ContextData::new),
            url_template: page.and_then(|page| page.url_template.as_deref()),
            engine: event.engine.as_deref(),
            run_id: event.run.as_ref().map(|run| run.as_str()),
            producer_id: event.producer.as_ref().map(|producer| producer.as_str()),
            sequence: event.sequence,
            attributes: &event.attributes,
        }
    }
}

impl<'a> AttemptV1<'a> {
    pub(super) fn new(attempt: &'a Attempt) -> Self {
        Self {
            strategy: attempt.kind.as_str(),
            selector: attempt.text.as_deref(),
            outcome: attempt.outcome,
            duration_ms: attempt.duration,
            elements: attempt.elements,
            confidence: attempt.confidence,
            shadow_probability: attempt.shadow.map(|probe| probe.probability),
        }
    }
}

impl<'a> StrategyMetrics<'a> {
    fn new(event: &'a Event) -> Self {
        let Some(primary) = event.primary_strategy() else { return Self::default() };
        let timing = summaries::timing_by_kind(event);
        Self {
            primary_strategy: Some(primary.as_str()),
            secondary_strategies: Some(
                event.secondary_strategies().into_iter().map(|kind| kind.as_str()).collect(),
            ),
            strategy_execution_order: Some(summaries::order(event)),
            strategy_success_by_type: Some(summaries::success_by_kind(event)),
            strategy_timing_by_type: (!timing.is_empty()).then_some(timing),
            strategy_switches_count: Some(event.strategy_switches()),
        }
    }
}

impl<'a> ErrorData<'a> {
    fn new(error: &'a ErrorInfo) -> Self {
        Self {
            error_type: &error.kind,
            error_message: error.message.as_deref(),
            stack_trace: error.stack.as_deref(),
            retry_attempts: error.retry_attempts,
            fallback_attempts: error.fallback_attempts,
            recovery_successful: error.recovery_successful,
        }
    }
}

impl<'a> ContextData<'a> {
    fn new(page: &'a PageContext) -> Self {
        Self {
            browser_session_id: page.session.as_ref().map(|session| session.as_str()),
            tab_context_id: page.tab.as_deref(),
            page_url: page.url.as_deref(),
            page_title: page.title.as_deref(),
            user_agent: page.user_agent.as_deref(),
            viewport_size: page.viewport,
            timestamp_context: page.entered_at,
        }
    }
}

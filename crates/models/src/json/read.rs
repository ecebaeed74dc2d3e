use super::fields::Fields;
use super::summaries::Summaries;
use super::tree::Tree;
use super::{ReadError, ReadErrorKind, SCHEMA_VERSION, original};
use crate::{
    Attempt, AttemptOutcome, Confidence, ErrorInfo, Event, Outcome, PageContext, Quality,
    Resources, ShadowProbe, StrategyKind, Timing, Viewport,
};
use std::sync::Arc;

const EVENT: &[&str] = &[
    "schema_version",
    "event_id",
    "correlation_id",
    "selector_name",
    "selector_version",
    "timestamp",
    "operation_type",
    "outcome",
    "attempts",
    "performance_metrics",
    "quality_metrics",
    "strategy_metrics",
    "error_data",
    "context_data",
    "url_template",
    "engine",
    "run_id",
    "producer_id",
    "sequence",
    "attributes",
];
const ATTEMPT: &[&str] = &[
    "strategy",
    "selector",
    "outcome",
    "duration_ms",
    "elements",
    "confidence",
    "shadow_probability",
];
const PERFORMANCE: &[&str] = &[
    "resolution_time_ms",
    "strategy_execution_time_ms",
    "total_duration_ms",
    "memory_usage_mb",
    "cpu_usage_percent",
    "network_requests_count",
    "dom_operations_count",
];
const QUALITY: &[&str] = &[
    "confidence_score",
    "success",
    "elements_found",
    "strategy_success_rate",
    "drift_detected",
    "fallback_used",
    "validation_passed",
];
const STRATEGY: &[&str] = &[
    "primary_strategy",
    "secondary_strategies",
    "strategy_execution_order",
    "strategy_success_by_type",
    "strategy_timing_by_type",
    "strategy_switches_count",
];
const ERROR: &[&str] = &[
    "error_type",
    "error_message",
    "stack_trace",
    "retry_attempts",
    "fallback_attempts",
    "recovery_successful",
];
const CONTEXT: &[&str] = &[
    "browser_session_id",
    "tab_context_id",
    "page_url",
    "page_title",
    "user_agent",
    "viewport_size",
    "timestamp_context",
];
const VIEWPORT: &[&str] = &["width", "height"];

/// Reads version 1 or the original form.
pub(super) fn event(tree: Tree<'_>) -> Result<Event, ReadError> {
    let mut top = Fields::new("", tree, EVENT)?;
    match top.u64("schema_version")? {
        Some(version) if version == u64::from(SCHEMA_VERSION) => current(top),
        Some(0) => Err(ReadError::new(
            ReadErrorKind::Value,
            "schema_version",
            0,
            SCHEMA_VERSION.to_string(),
            "correct the value",
        )),
        Some(newer) => Err(ReadError::new(
            ReadErrorKind::Version,
            "schema_version",
            newer,
            format!("at most {SCHEMA_VERSION}"),
            "the event was written by a newer version of this software: upgrade the reader",
        )),
        None => match ["outcome", "attempts"].into_iter().find(|key| top.contains(key)) {
            Some(key) => Err(ReadError::missing(
                "schema_version",
                format!("{SCHEMA_VERSION}, because `{key}` is there"),
            )),
            None => original::event(top),
        },
    }
}

fn current(mut top: Fields<'_>) -> Result<Event, ReadError> {
    let outcome = top.required("outcome", "how the operation ended, as in `not_found`")?;
    let mut attempts = Vec::new();
    for (at, tree) in top.list("attempts")?.unwrap_or_default().into_iter().enumerate() {
        attempts.push(attempt(Fields::new(format!("attempts[{at}]"), tree, ATTEMPT)?)?);
    }
    let mut parts = Parts::read(top, outcome)?;
    parts.event.attempts = attempts;
    parts.rest.into_iter().try_for_each(Fields::finish)?;
    parts.event.validate()?;
    parts.summaries.check(&parts.event)?;
    Ok(parts.event)
}

fn attempt(mut fields: Fields<'_>) -> Result<Attempt, ReadError> {
    let kind = fields
        .text("strategy")?
        .ok_or_else(|| ReadError::missing(fields.at("strategy"), "a strategy, as in `css`"))?;
    let attempt = Attempt {
        kind: StrategyKind::new(&kind),
        text: fields.shared("selector")?,
        outcome: fields
            .required::<AttemptOutcome>("outcome", "how the attempt ended, as in `empty`")?,
        duration: fields.millis("duration_ms")?,
        elements: fields.u32("elements")?,
        confidence: fields.confidence("confidence")?,
        shadow: fields
            .confidence("shadow_probability")?
            .map(|probability: Confidence| ShadowProbe { probability }),
    };
    fields.finish()?;
    Ok(attempt)
}

/// What both forms share.
pub(super) struct Parts<'de> {
    /// Without attempts.
    pub(super) event: Event,
    /// What the text says about the attempts.
    pub(super) summaries: Summaries<'de>,
    /// Objects with the keys that nobody knows.
    pub(super) rest: Vec<Fields<'de>>,
}

impl<'de> Parts<'de> {
    pub(super) fn read(mut top: Fields<'de>, outcome: Outcome) -> Result<Self, ReadError> {
        let mut event = Event::new(
            top.required("event_id", "the event's identifier")?,
            top.required("selector_name", "the selector's name")?,
            top.required("timestamp", "when the operation began, RFC 3339")?,
            top.required("operation_type", "one of resolution validation execution cleanup")?,
            outcome,
        );
        event.correlation_id = top.parsed("correlation_id")?;
        event.selector_version = top.u32("selector_version")?;
        event.engine = top.shared("engine")?;
        event.run = top.parsed("run_id")?;
        event.producer = top.parsed("producer_id")?;
        event.sequence = top.u64("sequence")?;
        event.attributes = top.attributes("attributes")?;

        let mut summaries = Summaries::default();
        let mut rest = Vec::new();
        if let Some(mut group) = top.group("performance_metrics", PERFORMANCE)? {
            event.timing = timing(&mut group)?;
            event.resources = resources(&mut group)?;
            rest.push(group);
        }
        if let Some(mut group) = top.group("quality_metrics", QUALITY)? {
            event.quality = quality(&mut group)?;
            summaries.success = group.boolean("success")?;
            summaries.success_rate = group.number("strategy_success_rate")?;
            summaries.fallback_used = group.boolean("fallback_used")?;
            rest.push(group);
        }
        if let Some(mut group) = top.group("strategy_metrics", STRATEGY)? {
            summaries.primary = group.text("primary_strategy")?;
            summaries.secondary = group.texts("secondary_strategies")?;
            summaries.order = group.texts("strategy_execution_order")?;
            summaries.success_by_kind = group.booleans("strategy_success_by_type")?;
            summaries.timing_by_kind = group.times("strategy_timing_by_type")?;
            summaries.switches = group.u32("strategy_switches_count")?;
            rest.push(group);
        }
        if let Some(mut group) = top.group("error_data", ERROR)?
            && !group.is_empty()
        {
            event.error = Some(error(&mut group)?);
            rest.push(group);
        }
        let url_template = top.shared("url_template")?;
        let context = top.group("context_data", CONTEXT)?;
        if context.is_some() || url_template.is_some() {
            let mut group = context.unwrap_or_else(|| Fields::empty("context_data"));
            let page = PageContext { url_template, ..page(&mut group)? };
            event.page = Some(Arc::new(page));
            rest.push(group);
        }
        rest.push(top);
        Ok(Self { event, summaries, rest })
    }
}

fn timing(group: &mut Fields<'_>) -> Result<Timing, ReadError> {
    Ok(Timing {
        resolution: group.millis("resolution_time_ms")?,
        strategies: group.millis("strategy_execution_time_ms")?,
        total: group.millis("total_duration_ms")?,
    })
}

fn resources(group: &mut Fields<'_>) -> Result<Resources, ReadError> {
    Ok(Resources {
        memory_mb: group.number("memory_usage_mb")?,
        cpu_percent: group.number("cpu_usage_percent")?,
        network_requests: group.u32("network_requests_count")?,
        dom_operations: group.u32("dom_operations_count")?,
    })
}

fn quality(group: &mut Fields<'_>) -> Result<Quality, ReadError> {
    Ok(Quality {
        confidence: group.confidence("confidence_score")?,
        elements_found: group.u32("elements_found")?,
        validation_passed: group.boolean("validation_passed")?,
        drift_detected: group.boolean("drift_detected")?,
    })
}

fn error(group: &mut Fields<'_>) -> Result<ErrorInfo, ReadError> {
    Ok(ErrorInfo {
        kind: group.shared("error_type")?.ok_or_else(|| {
            ReadError::missing("error_data.error_type", "a word for the failure, as in `timeout`")
        })?,
        message: group.shared("error_message")?,
        stack: group.shared("stack_trace")?,
        retry_attempts: group.u32("retry_attempts")?,
        fallback_attempts: group.u32("fallback_attempts")?,
        recovery_successful: group.boolean("recovery_successful")?,
    })
}

fn page(group: &mut Fields<'_>) -> Result<PageContext, ReadError> {
    Ok(PageContext {
        session: group.parsed("browser_session_id")?,
        tab: group.shared("tab_context_id")?,
        url: group.shared("page_url")?,
        url_template: None,
        title: group.shared("page_title")?,
        user_agent: group.shared("user_agent")?,
        viewport: group.group("viewport_size", VIEWPORT)?.map(viewport).transpose()?,
        entered_at: group.timestamp("timestamp_context")?,
    })
}

fn viewport(mut group: Fields<'_>) -> Result<Viewport, ReadError> {
    let mut side = |key| match group.u32(key)? {
        Some(pixels) => Ok(pixels),
        None => Err(ReadError::missing(group.at(key), "a number of CSS pixels")),
    };
    let viewport = Viewport { width: side("width")?, height: side("height")? };
    group.finish()?;
    Ok(viewport)
}

mod convert;
mod values;

use crate::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, EventId, OperationKind, Outcome, Timestamp,
    Viewport,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use values::{attempts, millis_map, millis_option, shown, shown_option};

/// The record of one use of a selector. Whatever was not measured is left out; `null` means the
/// same when reading.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(title = "Selector event", deny_unknown_fields))]
pub(crate) struct EventV1<'a> {
    /// Version of this form.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 1)))]
    schema_version: u32,
    /// Identifies the event: a UUID, or any other non-empty text.
    #[serde(serialize_with = "shown")]
    #[cfg_attr(feature = "schema", schemars(with = "String", length(min = 1)))]
    event_id: &'a EventId,
    /// Ties the event to others of the same piece of work.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>", length(min = 1)))]
    correlation_id: Option<&'a CorrelationId>,
    /// Stable name of the selector, for instance `shop.product.title`.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    selector_name: &'a str,
    /// Version of the selector's definition.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    selector_version: Option<u32>,
    /// When the operation began: RFC 3339, written in UTC. Without an offset it is read as UTC.
    #[serde(serialize_with = "shown")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    timestamp: Timestamp,
    /// What was done with the selector.
    operation_type: OperationKind,
    /// How the operation ended.
    outcome: Outcome,
    /// The tries, in the order they were made.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "attempts")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<Vec<AttemptV1<'static>>>"))]
    attempts: &'a [Attempt],
    /// Times and resources.
    #[cfg_attr(feature = "schema", schemars(with = "Option<PerformanceMetrics>"))]
    performance_metrics: PerformanceMetrics,
    /// How good the result is.
    #[cfg_attr(feature = "schema", schemars(with = "Option<QualityMetrics>"))]
    quality_metrics: QualityMetrics,
    /// Summary of the attempts; shadow probes and skipped strategies do not count.
    #[cfg_attr(feature = "schema", schemars(with = "Option<StrategyMetrics<'static>>"))]
    strategy_metrics: StrategyMetrics<'a>,
    /// What went wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_data: Option<ErrorData<'a>>,
    /// Where it took place.
    #[serde(skip_serializing_if = "Option::is_none")]
    context_data: Option<ContextData<'a>>,
    /// The page's URL with its variable parts replaced, for instance `/product/{id}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    url_template: Option<&'a str>,
    /// Name of the engine, with its version where known.
    #[serde(skip_serializing_if = "Option::is_none")]
    engine: Option<&'a str>,
    /// Execution of the observed program.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    run_id: Option<&'a str>,
    /// Recorder within the run.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    producer_id: Option<&'a str>,
    /// Position within the producer's stream, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 18_446_744_073_709_551_615u64)))]
    sequence: Option<u64>,
    /// Anything else. Numbers and booleans are read as text.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Scalar>>"))]
    attributes: &'a BTreeMap<Arc<str>, Arc<str>>,
}

/// One try of one strategy.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(rename = "Attempt", deny_unknown_fields))]
struct AttemptV1<'a> {
    /// How the element was looked for: `css`, `xpath`, `text`, `text_anchor`, `attribute`,
    /// `attribute_match`, `dom_relationship`, `role`, `test_id`, `label`, `adaptive`, or any other
    /// name.
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    strategy: &'a str,
    /// The selector's text for this strategy, for instance `span.price`.
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<&'a str>,
    /// How it ended.
    outcome: AttemptOutcome,
    /// Time the try took, in milliseconds, up to 24 h.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis_option")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<f64>", range(min = 0, max = 86_400_000))
    )]
    duration_ms: Option<Duration>,
    /// Elements that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    elements: Option<u32>,
    /// The engine's confidence in the match, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>", range(min = 0, max = 1)))]
    confidence: Option<Confidence>,
    /// Set when the try ran only to learn what the strategy would have done: the probability with
    /// which it was made, above 0 and up to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<f64>", range(max = 1), extend("exclusiveMinimum" = 0))
    )]
    shadow_probability: Option<Confidence>,
}

/// Times and resources. Memory and CPU are samples of the whole process near the operation.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
struct PerformanceMetrics {
    /// Finding the element, all attempts together, in milliseconds, up to 300 s.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>", range(min = 0, max = 300_000)))]
    resolution_time_ms: Option<Duration>,
    /// Running the strategies, without the engine's own work, in milliseconds, up to 24 h.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis_option")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<f64>", range(min = 0, max = 86_400_000))
    )]
    strategy_execution_time_ms: Option<Duration>,
    /// The whole operation, in milliseconds, up to 24 h.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis_option")]
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Option<f64>", range(min = 0, max = 86_400_000))
    )]
    total_duration_ms: Option<Duration>,
    /// Resident memory in MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1024)))]
    memory_usage_mb: Option<f64>,
    /// CPU use in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 100)))]
    cpu_usage_percent: Option<f64>,
    /// Requests sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    network_requests_count: Option<u32>,
    /// Operations on the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    dom_operations_count: Option<u32>,
}

/// How good the result is.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
struct QualityMetrics {
    /// Confidence in the result, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<f64>", range(min = 0, max = 1)))]
    confidence_score: Option<Confidence>,
    /// Whether the outcome is `success`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    success: bool,
    /// Elements that matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    elements_found: Option<u32>,
    /// Share of the attempts that were accepted, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(min = 0, max = 1)))]
    strategy_success_rate: Option<f64>,
    /// Whether the engine itself noticed drift.
    #[serde(skip_serializing_if = "Option::is_none")]
    drift_detected: Option<bool>,
    /// Whether a strategy other than the first was needed.
    #[serde(skip_serializing_if = "Option::is_none")]
    fallback_used: Option<bool>,
    /// Whether the content was checked, and with what result.
    #[serde(skip_serializing_if = "Option::is_none")]
    validation_passed: Option<bool>,
}

/// Summary of the attempts.
#[derive(Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
struct StrategyMetrics<'a> {
    /// The strategy that was tried first.
    #[serde(skip_serializing_if = "Option::is_none")]
    primary_strategy: Option<&'a str>,
    /// The strategies after the first, in the order tried, without repetition.
    #[serde(skip_serializing_if = "Option::is_none")]
    secondary_strategies: Option<Vec<&'a str>>,
    /// The strategy of every attempt, in the order tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_execution_order: Option<Vec<&'a str>>,
    /// Whether any attempt of the strategy was accepted.
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy_success_by_type: Option<BTreeMap<&'a str, bool>>,
    /// Time of the strategy's attempts together, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "millis_map")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<BTreeMap<String, Milliseconds>>"))]
    strategy_timing_by_type: Option<BTreeMap<&'a str, Duration>>,
    /// Changes of strategy or selector text from one attempt to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    strategy_switches_count: Option<u32>,
}

/// What went wrong.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
struct ErrorData<'a> {
    /// A word from an open taxonomy (`not_found`, `timeout`, …).
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    error_type: &'a str,
    /// What the engine said, with secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    error_message: Option<&'a str>,
    /// Stack of the failure, with secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    stack_trace: Option<&'a str>,
    /// How often the same strategy was tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    retry_attempts: Option<u32>,
    /// How many fallbacks were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(range(max = 4_294_967_295u32)))]
    fallback_attempts: Option<u32>,
    /// Whether the operation succeeded in the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    recovery_successful: Option<bool>,
}

/// Where it took place.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[cfg_attr(feature = "schema", schemars(deny_unknown_fields))]
struct ContextData<'a> {
    /// Browser or scraper session.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schemars(length(min = 1)))]
    browser_session_id: Option<&'a str>,
    /// Tab, frame or worker within the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    tab_context_id: Option<&'a str>,
    /// URL of the page, with secrets removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_url: Option<&'a str>,
    /// Title of the page.
    #[serde(skip_serializing_if = "Option::is_none")]
    page_title: Option<&'a str>,
    /// User agent sent to the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    /// Size of the view in CSS pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    viewport_size: Option<Viewport>,
    /// When the page was entered: RFC 3339, written in UTC.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "shown_option")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    timestamp_context: Option<Timestamp>,
}

/// A text, a number or a boolean.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
enum Scalar {
    Text(String),
    Number(f64),
    Boolean(bool),
}

/// A time in milliseconds.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Milliseconds(#[schemars(range(min = 0))] f64);

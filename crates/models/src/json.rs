//! The JSON form of an [`Event`], version 1.
//!
//! | in memory | in JSON |
//! |---|---|
//! | `id`, `correlation_id`, `selector`, `timestamp`, `operation` | `event_id`, `correlation_id`, `selector_name`, `timestamp` (RFC 3339, UTC), `operation_type` |
//! | `outcome`, `attempts` | `outcome`, `attempts[]` {`strategy`, `selector`, `outcome`, `duration_ms`, `elements`, `confidence`, `shadow_probability`} |
//! | `timing`, `resources` | `performance_metrics` {`resolution_time_ms`, `strategy_execution_time_ms`, `total_duration_ms`, `memory_usage_mb`, `cpu_usage_percent`, `network_requests_count`, `dom_operations_count`} |
//! | `quality` | `quality_metrics` {`confidence_score`, `elements_found`, `drift_detected`, `validation_passed`} |
//! | methods over `outcome` and `attempts` | `quality_metrics` {`success`, `strategy_success_rate`, `fallback_used`}, `strategy_metrics` {…} |
//! | `error` | `error_data` {`error_type`, `error_message`, `stack_trace`, `retry_attempts`, `fallback_attempts`, `recovery_successful`} |
//! | `page` | `context_data` {`browser_session_id`, `tab_context_id`, `page_url`, `page_title`, `user_agent`, `viewport_size`, `timestamp_context`}, `url_template` |
//! | `engine`, `run`, `producer`, `sequence`, `selector_version`, `attributes` | `engine`, `run_id`, `producer_id`, `sequence`, `selector_version`, `attributes` |
//!
//! # Writing
//! What is absent is left out: never `null`, never 0. `performance_metrics`, `quality_metrics` and
//! `strategy_metrics` are always there, if need be empty, because readers of the original form
//! index into them; every other group is there when it holds something. Times are milliseconds
//! with a fraction, exact to the nanosecond for up to 26 days.
//!
//! # Reading
//! `null` means absent. An unknown key, a key given twice and a value out of range are errors that
//! name the field. The summaries over the attempts may be absent; one that contradicts the attempts
//! is an error (times may differ by 1 µs per attempt and the success rate by 0.005, because other
//! writers round). Numbers and booleans in `attributes` become text. [`Event::validate`] holds for
//! whatever is read, and says which facts may differ although they look alike: confidences,
//! fewer elements, times.
//!
//! # The original form
//! An object with none of `schema_version`, `outcome` and `attempts` is read as the original Python
//! system wrote it. Unknown keys are kept as attributes named `original.<path>`. The attempts are
//! rebuilt:
//! - Tried were the strategies of `strategy_execution_order`; without it `primary_strategy`, then
//!   those of `secondary_strategies` that have a result or a time (all of them when none has).
//!   Secondary strategies that were not tried become `skipped`.
//! - In a successful event the first strategy with a `true` in `strategy_success_by_type` is the
//!   accepted one, without any `true` or `false` the last one. What came after it becomes a shadow
//!   probe of probability 1. In a failed event a strategy marked `true` is accepted: the operation
//!   failed later.
//! - A strategy that failed gets the reason that the event's own failure implies, in a successful
//!   event `error`, because the original did not keep the reason.
//! - `strategy_timing_by_type` is the duration of a strategy tried once; the total of one tried
//!   several times cannot be divided and is kept as an attribute, as is a `strategy_success_rate`
//!   that the attempts do not reproduce.
//! - `confidence_score` and `elements_found` also hold for the accepted attempt.
//! - Without `strategy_execution_order` the strategies may not be all: `fallback_attempts` is then
//!   kept as an attribute instead of being held against them.
//!
//! The outcome is `success` or else what `error_data.error_type` says, without regard to case,
//! punctuation and a final `error` or `exception`:
//!
//! | error type | outcome |
//! |---|---|
//! | `timeout`, `timed_out`, `wait_timeout`, `resolution_timeout` | `timeout` |
//! | `not_found`, `element_not_found`, `selector_not_found`, `no_such_element`, `empty_result`, `no_results`, `no_match` | `not_found` |
//! | `low_confidence`, `confidence_too_low`, `below_threshold` | `low_confidence` |
//! | `ambiguous`, `multiple_matches`, `multiple_elements`, `not_unique`, `strict_mode_violation` | `ambiguous` |
//! | `validation`, `validation_failed`, `validation_failure`, `content_mismatch` | `validation_failed` |
//! | `invalid_selector`, `selector_syntax`, `syntax`, `invalid_css`, `invalid_xpath` | `invalid_selector` |
//! | `navigation`, `navigation_failed`, `navigation_timeout`, `page_load`, `page_load_failed`, `network`, `connection`, `connection_refused`, `dns` | `navigation_failed` |
//! | `blocked`, `captcha`, `access_denied`, `forbidden`, `rate_limit`, `rate_limited`, `too_many_requests`, `bot_detected` | `blocked` |
//! | `target_closed`, `page_closed`, `tab_closed`, `browser_closed`, `browser_disconnected`, `session_closed`, `no_such_window`, `invalid_session_id`, `crashed` | `target_closed` |
//! | `cancelled`, `canceled`, `aborted` | `cancelled` |
//! | any other, or none | `not_found` when `elements_found` is 0, otherwise `engine_error` |

mod error;
mod fields;
mod original;
mod read;
mod summaries;
mod tree;
pub(crate) mod wire;

pub use error::{ReadError, ReadErrorKind};

use crate::Event;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tree::Tree;

/// The version of the JSON form that is written.
pub const SCHEMA_VERSION: u32 = 1;

/// The event as one line of JSON, without a newline.
pub fn to_string(event: &Event) -> String {
    let mut line = Vec::with_capacity(1024);
    write_to(event, &mut line);
    String::from_utf8(line).expect("serde_json writes UTF-8")
}

/// Appends the event as one line of JSON, without a newline. No intermediate value is built.
pub fn write_to(event: &Event, line: &mut Vec<u8>) {
    serde_json::to_writer(line, event)
        .expect("a Vec takes every write, and every key of the form is a text");
}

/// The event as a JSON value.
pub fn to_value(event: &Event) -> serde_json::Value {
    serde_json::to_value(event).expect("every key of the form is a text")
}

/// Reads one event: version 1, or the original form.
///
/// # Errors
/// Names the field, what was found and what was expected; for text that is not JSON, the line and
/// column within `text`.
pub fn from_str(text: &str) -> Result<Event, ReadError> {
    let tree: Tree<'_> = serde_json::from_str(text).map_err(|error| ReadError::syntax(&error))?;
    read::event(tree)
}

/// Reads one event from bytes.
///
/// # Errors
/// As [`from_str`]; for bytes that are not UTF-8, the offset of the first bad one.
pub fn from_slice(bytes: &[u8]) -> Result<Event, ReadError> {
    from_str(std::str::from_utf8(bytes).map_err(|error| ReadError::encoding(bytes, &error))?)
}

impl Serialize for Event {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        wire::EventV1::new(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read::event(Tree::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

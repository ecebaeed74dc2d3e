use super::{Distribution, Quantiles, Rate};
use crate::outcome::words;
use crate::{AttemptOutcome, EventId, Invalid, Outcome, SelectorName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// How a selector is doing, in one word.
    Health, "health" {
        /// Nothing needs anybody.
        Healthy = "healthy",
        /// It works, but something changed or fails too often.
        Attention = "attention",
        /// It does not work.
        Failing = "failing",
        /// Too few operations tested it to tell.
        NoData = "no_data",
    }
}

/// One selector on one site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SelectorRow {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// How it is doing.
    pub health: Health,
    /// Operations of any outcome.
    pub operations: u64,
    /// Operations by outcome, in the order of the taxonomy; outcomes that did not occur are absent.
    pub outcomes: Vec<OutcomeCount>,
    /// Share of success among the operations that tested the selector.
    pub success_rate: Option<Rate>,
    /// Share of fallbacks among the successful operations whose attempts are known.
    pub fallback_rate: Option<Rate>,
    /// Successful operations by fallback depth, from 0; the ninth holds all that went deeper.
    pub fallback_depths: Vec<u64>,
    /// Confidence of the operations that tested the selector and report one.
    pub confidence: Option<Confidences>,
    /// Durations of the successful operations that report one.
    pub durations: Option<Quantiles>,
    /// Share of returns among successive operations on one page: the selector flipped between
    /// success and fault there, and had flipped before. Absent without two operations on a page.
    #[serde(default)]
    pub flakiness: Option<Rate>,
    /// The strategy whose matches were used most.
    pub winning_strategy: Option<StrategyText>,
    /// What each strategy did, most tried first.
    pub strategies: Vec<StrategyRow>,
    /// Reported errors in groups, most first.
    pub errors: Vec<ErrorGroup>,
    /// Distinct URLs; an estimate above 256.
    pub urls: u64,
    /// The latest success.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_success: Option<Timestamp>,
    /// Event of the latest success.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_success_event: Option<EventId>,
    /// The latest faults of the selector, oldest first.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub recent_faults: Vec<EventId>,
    /// How it went over time.
    pub series: Series,
    /// How its durations are distributed, before and after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distribution: Option<Distribution>,
}

/// Operations that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OutcomeCount {
    /// How they ended.
    pub outcome: Outcome,
    /// How many.
    pub count: u64,
}

/// Confidences of a number of operations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Confidences {
    /// Operations; never 0.
    pub n: u64,
    /// The mean, 0 to 1.
    pub mean: f64,
    /// The lowest, 0 to 1.
    pub min: f64,
    /// Operations by tenths of confidence, from 0–0.1; 1.0 belongs to the last.
    pub tenths: Vec<u64>,
}

/// A strategy and its text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StrategyText {
    /// Its kind.
    pub kind: String,
    /// The selector's text for it.
    pub text: Option<String>,
}

/// What one strategy of a selector did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StrategyRow {
    /// Which; absent for the strategies that are not listed, together.
    pub strategy: Option<StrategyText>,
    /// Tries for an operation itself.
    pub tried: u64,
    /// Tries whose match was used.
    pub accepted: u64,
    /// Tries that matched nothing.
    pub empty: u64,
    /// Tries that ended in another way, by how.
    #[serde(default)]
    pub failed: Vec<TryCount>,
    /// Tries made only to learn what the strategy would have done.
    pub shadow: u64,
    /// Median time of a try.
    pub median_ms: Option<f64>,
    /// Tries with a time.
    pub timed: u64,
}

/// Tries of a strategy that ended in one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TryCount {
    /// How they ended.
    pub outcome: AttemptOutcome,
    /// How many.
    pub count: u64,
}

/// Errors that differ in their numbers only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorGroup {
    /// Kind of error; absent for the groups that are not listed, together.
    pub kind: Option<String>,
    /// What was said, digits replaced by `#`.
    pub message: Option<String>,
    /// How often.
    pub count: u64,
    /// The latest.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last: Option<Timestamp>,
    /// Event of the latest.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last_event: Option<EventId>,
}

/// Counts over equal steps of time; all series of a report have the same steps, 64 at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Series {
    /// Start of the first step; absent without steps.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub start: Option<Timestamp>,
    /// Width of a step in seconds.
    pub step_s: u64,
    /// Operations that tested the selector.
    pub verdicts: Vec<u64>,
    /// Operations in which the selector was at fault.
    pub faults: Vec<u64>,
    /// Median duration of successful operations, in milliseconds, to 2 %.
    pub p50_ms: Vec<Option<f64>>,
    /// Share of fallbacks among successful operations.
    pub fallback_share: Vec<Option<f64>>,
    /// Mean confidence of the operations that tested the selector and report one.
    pub confidence: Vec<Option<f64>>,
}

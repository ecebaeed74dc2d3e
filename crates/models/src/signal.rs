use crate::outcome::words;
use crate::{AttemptOutcome, Event, Invalid, Outcome, OutcomeClass};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What is watched about a selector.
    Signal, "signal" {
        /// Share of operations that succeeded, among those that tested the selector.
        SuccessRate = "success_rate",
        /// Share of operations in which the selector was at fault, among those that tested it.
        ErrorRate = "error_rate",
        /// Share of operations that matched nothing, among those that tested the selector.
        ZeroMatchRate = "zero_match_rate",
        /// Share of operations that timed out, among those that tested the selector.
        TimeoutRate = "timeout_rate",
        /// Share of operations in which what matched did not hold what was expected, among those
        /// that tested the selector.
        ValidationFailureRate = "validation_failure_rate",
        /// Share of operations spoilt by site, network, browser or engine, among all.
        EnvironmentFaultRate = "environment_fault_rate",
        /// Share of successful operations that needed a fallback.
        FallbackRate = "fallback_rate",
        /// Index of the accepted attempt, of successful operations.
        FallbackDepth = "fallback_depth",
        /// Changes of strategy within one operation.
        StrategySwitches = "strategy_switches",
        /// Confidence in the match, 0 to 1, of successful operations.
        Confidence = "confidence",
        /// Elements matched by successful operations.
        MatchCount = "match_count",
        /// Time of the whole operation, in milliseconds, of successful operations.
        DurationMs = "duration_ms",
        /// Operations per second.
        Frequency = "frequency",
        /// Whether the telemetry system itself is in trouble: 1 or 0. No event says anything about
        /// it, so no rule can watch it; the system's alerts about itself have it.
        Health = "health",
    }
}

impl Signal {
    /// What one event says about the signal; `None` when it says nothing, as an operation spoilt by
    /// the network says nothing about a selector's error rate.
    ///
    /// Shares give 1 (counts) or 0 (does not), [`Signal::Frequency`] gives 1 for every event, the
    /// others give their value in the signal's unit.
    pub fn of(self, event: &Event) -> Option<f64> {
        let share = |counts: bool| if counts { 1.0 } else { 0.0 };
        let verdict = event.outcome.is_verdict();
        match self {
            Self::SuccessRate => verdict.then(|| share(event.outcome.is_success())),
            Self::ErrorRate => verdict.then(|| share(!event.outcome.is_success())),
            Self::ZeroMatchRate => verdict.then(|| share(event.matched_nothing())),
            Self::TimeoutRate => verdict.then(|| share(event.outcome == Outcome::Timeout)),
            Self::ValidationFailureRate => {
                verdict.then(|| share(event.outcome == Outcome::ValidationFailed))
            }
            Self::EnvironmentFaultRate => {
                Some(share(event.outcome.class() == OutcomeClass::EnvironmentFault))
            }
            Self::FallbackRate => success(event)?.fallback_depth().map(|depth| share(depth > 0)),
            Self::FallbackDepth => success(event)?.fallback_depth().map(f64::from),
            Self::StrategySwitches => (verdict && event.real_attempts().next().is_some())
                .then(|| f64::from(event.strategy_switches())),
            Self::Confidence => {
                if verdict {
                    event.confidence().map(|it| it.get())
                } else {
                    None
                }
            }
            Self::MatchCount => success(event)?.elements_found().map(f64::from),
            Self::DurationMs => success(event)?.duration().map(|it| it.as_secs_f64() * 1e3),
            Self::Frequency => Some(1.0),
            Self::Health => None,
        }
    }

    /// Whether the signal is a share of operations, 0 to 1.
    pub const fn is_share(self) -> bool {
        matches!(
            self,
            Self::SuccessRate
                | Self::ErrorRate
                | Self::ZeroMatchRate
                | Self::TimeoutRate
                | Self::ValidationFailureRate
                | Self::EnvironmentFaultRate
                | Self::FallbackRate
        )
    }

    /// The aggregate that suits the signal best.
    pub const fn default_aggregate(self) -> Aggregate {
        match self {
            Self::DurationMs => Aggregate::P95,
            Self::FallbackDepth | Self::StrategySwitches | Self::Confidence => Aggregate::Mean,
            Self::MatchCount => Aggregate::P50,
            _ => Aggregate::Rate,
        }
    }
}

/// Durations, confidence and match counts speak of operations that found something: an operation
/// that gave up early is fast, and one that found nothing good enough is counted by
/// [`Signal::ErrorRate`].
fn success(event: &Event) -> Option<&Event> {
    event.outcome.is_success().then_some(event)
}

impl Event {
    /// Whether the selector was put to the test and matched nothing at all.
    pub fn matched_nothing(&self) -> bool {
        if self.outcome == Outcome::NotFound {
            return true;
        }
        self.outcome.class() == OutcomeClass::SelectorFault
            && self.real_attempts().next().is_some()
            && self.real_attempts().all(|attempt| attempt.outcome == AttemptOutcome::Empty)
    }
}

words! {
    /// How the samples of a window become one value.
    Aggregate, "aggregate" {
        /// Arithmetic mean.
        Mean = "mean",
        /// Least sample.
        Min = "min",
        /// Greatest sample.
        Max = "max",
        /// For shares, the share of operations that count; for the frequency, operations a second.
        Rate = "rate",
        /// Number of samples that are not zero: for shares, the operations that count.
        Count = "count",
        /// Median.
        P50 = "p50",
        /// 90th percentile.
        P90 = "p90",
        /// 95th percentile.
        P95 = "p95",
        /// 99th percentile.
        P99 = "p99",
    }
}

impl Aggregate {
    /// The quantile this aggregate stands for, 0 to 1; `None` when it is not a quantile.
    pub const fn quantile(self) -> Option<f64> {
        match self {
            Self::P50 => Some(0.5),
            Self::P90 => Some(0.9),
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
            Self::Mean | Self::Min | Self::Max | Self::Rate | Self::Count => None,
        }
    }
}

words! {
    /// How a value is held against a threshold.
    Comparison, "comparison" {
        /// Greater.
        Above = ">",
        /// Greater or equal.
        AtLeast = ">=",
        /// Less.
        Below = "<",
        /// Less or equal.
        AtMost = "<=",
        /// Equal.
        Equal = "==",
        /// Not equal.
        NotEqual = "!=",
    }
}

impl Comparison {
    /// Whether `value` stands in this relation to `threshold`; never for NaN.
    pub fn holds(self, value: f64, threshold: f64) -> bool {
        if value.is_nan() || threshold.is_nan() {
            return false;
        }
        match self {
            Self::Above => value > threshold,
            Self::AtLeast => value >= threshold,
            Self::Below => value < threshold,
            Self::AtMost => value <= threshold,
            Self::Equal => value == threshold,
            Self::NotEqual => value != threshold,
        }
    }
}

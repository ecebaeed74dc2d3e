//! Rules that come without being written.

use crate::{Against, Baseline, Rule, SeverityStep};
use std::time::Duration;
use telemetry_models::{Aggregate, Comparison, Severity, Signal};

/// Each selector against its own past, counted in operations so that it works at any call rate.
///
/// - `selector-broken`: it used to work, and the last 4 operations that tested it all failed.
/// - `selector-never-matched`: the first 10 operations all failed.
/// - `selector-fallback`: half of the last 10 successes needed a fallback, unlike before.
/// - `selector-flaky`: 40 % more of the last 20 operations failed than before.
/// - `selector-confidence`: median confidence of the last 10 fell by 0.15 or more.
/// - `selector-untested`: 4 of the last 5 operations could not test it, because pages could not be
///   loaded, the site blocked, or the browser or engine failed.
/// - `selector-slow`: the median of the last 15 is three times the former one, and 20 ms above it.
///
/// Medians, a factor of three and the floor of 20 ms keep the last one silent on a busy machine. A
/// median also needs half of its window to move, so a selector that falls back is called that
/// before its lower confidence and longer time are seen.
pub(crate) fn default_rules() -> Vec<Rule> {
    let baseline =
        |samples, min_samples, min_change| Some(Baseline { samples, min_samples, min_change });
    let broken = Rule {
        last: Some(4),
        clear_at: Some(0.3),
        against: Against::BaselineDelta,
        baseline: baseline(50, 5, 0.0),
        severity: Severity::High,
        ..Rule::new("selector-broken", Signal::ErrorRate, Comparison::AtLeast, 0.8)
    };
    let never = Rule {
        last: Some(10),
        clear_at: Some(0.5),
        unless_firing: vec!["selector-broken".into()],
        ..Rule::new("selector-never-matched", Signal::ErrorRate, Comparison::AtLeast, 1.0)
    };
    let fallback = Rule {
        last: Some(10),
        clear_at: Some(0.2),
        against: Against::BaselineDelta,
        baseline: baseline(100, 5, 0.0),
        ..Rule::new("selector-fallback", Signal::FallbackRate, Comparison::AtLeast, 0.5)
    };
    let flaky = Rule {
        last: Some(20),
        clear_at: Some(0.2),
        against: Against::BaselineDelta,
        baseline: baseline(100, 10, 0.0),
        unless_firing: vec!["selector-broken".into(), "selector-never-matched".into()],
        ..Rule::new("selector-flaky", Signal::ErrorRate, Comparison::AtLeast, 0.4)
    };
    let confidence = Rule {
        aggregate: Some(Aggregate::P50),
        last: Some(10),
        clear_at: Some(-0.1),
        against: Against::BaselineDelta,
        baseline: baseline(100, 8, 0.0),
        unless_firing: vec!["selector-fallback".into()],
        ..Rule::new("selector-confidence", Signal::Confidence, Comparison::AtMost, -0.15)
    };
    let slow = Rule {
        aggregate: Some(Aggregate::P50),
        last: Some(15),
        clear_at: Some(2.0),
        against: Against::BaselineRatio,
        baseline: baseline(100, 10, 20.0),
        unless_firing: vec!["selector-fallback".into()],
        ..Rule::new("selector-slow", Signal::DurationMs, Comparison::AtLeast, 3.0)
    };
    let untested = Rule {
        last: Some(5),
        clear_at: Some(0.2),
        ..Rule::new("selector-untested", Signal::EnvironmentFaultRate, Comparison::AtLeast, 0.8)
    };
    vec![broken, never, fallback, flaky, confidence, slow, untested]
}

/// The original system's thresholds.
pub(crate) fn original_rules() -> Vec<Rule> {
    let rule = |id, signal, aggregate, comparison, fire_at, critical: Option<f64>| Rule {
        aggregate: Some(aggregate),
        within: Some(Duration::from_secs(600)),
        min_samples: Some(3),
        graded: false,
        steps: critical
            .map(|at| SeverityStep { at, severity: Severity::Critical })
            .into_iter()
            .collect(),
        ..Rule::new(id, signal, comparison, fire_at)
    };
    let above = Comparison::Above;
    let below = Comparison::Below;
    vec![
        rule("resolution-time", Signal::DurationMs, Aggregate::Mean, above, 5e3, Some(1e4)),
        rule("confidence", Signal::Confidence, Aggregate::Mean, below, 0.5, Some(0.2)),
        rule("error-rate", Signal::ErrorRate, Aggregate::Rate, above, 0.1, None),
        rule("strategy-switches", Signal::StrategySwitches, Aggregate::Mean, above, 3.0, None),
    ]
}

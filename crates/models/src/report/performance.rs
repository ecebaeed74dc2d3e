use super::{Quantiles, Rate, StrategyText};
use crate::SelectorName;
use serde::{Deserialize, Serialize};

/// Where the time goes, and whether operations are as fast as they should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Performance {
    /// Time of all successful operations that report one, in milliseconds.
    pub time_ms: f64,
    /// Those operations.
    pub timed: u64,
    /// Selectors (per site) by the time they take in all, most first.
    pub bottlenecks: Vec<Bottleneck>,
    /// Rows left out of `bottlenecks`.
    pub bottlenecks_omitted: u64,
    /// How many operations are as fast as they should be.
    pub service_level: ServiceLevel,
}

/// What one selector on one site takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Bottleneck {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// Time of its successful operations in all, in milliseconds.
    pub time_ms: f64,
    /// Its part of the time of all selectors, 0 to 1.
    pub share: f64,
    /// Durations of its successful operations.
    pub durations: Quantiles,
    /// The strategy whose tries take most; absent when tries are not timed.
    pub strategy: Option<StrategyText>,
    /// Time of that strategy's tries in all, those for failed operations included, in milliseconds.
    pub strategy_time_ms: Option<f64>,
}

/// How many successful operations end within a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceLevel {
    /// The time, in milliseconds.
    pub within_ms: f64,
    /// The share that should, 0 to 1.
    pub target: f64,
    /// The share that did; bounds of a bin of the sketch make it exact to 0.4 % of the time.
    pub met: Option<Rate>,
    /// Selectors (per site) with enough operations to tell.
    pub judged: u64,
    /// Those whose share is surely below the target, worst first.
    pub missed: Vec<ServiceRow>,
    /// Rows left out of `missed`.
    pub missed_omitted: u64,
}

/// One selector on one site that is slower than it should be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ServiceRow {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// The share of its operations that were in time.
    pub met: Rate,
}

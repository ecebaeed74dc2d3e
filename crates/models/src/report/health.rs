use crate::SelectorName;
use serde::{Deserialize, Serialize};

/// How well selectors and sites do, as a score whose parts are shown, and what they may still lose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthSection {
    /// Success rate that is asked for, 0 to 1.
    pub objective: f64,
    /// All selectors together.
    pub fleet: Option<HealthScore>,
    /// One row for each site, lowest score first.
    pub sites: Vec<HealthScore>,
    /// Sites left out of `sites`.
    pub sites_omitted: u64,
    /// One row for each selector on each site, lowest score first.
    pub selectors: Vec<HealthScore>,
    /// Rows left out of `selectors`.
    pub selectors_omitted: u64,
}

/// A score with its parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HealthScore {
    /// The selector; absent for a site or the whole.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub selector: Option<SelectorName>,
    /// Host and port; absent for the whole, and for operations without a URL.
    pub site: Option<String>,
    /// Sum of value × weight of the parts, 0 to 1. Weights of parts that nothing is known about
    /// are shared out among the others.
    pub score: f64,
    /// What it consists of.
    pub parts: Vec<ScorePart>,
    /// What may still fail.
    pub budget: ErrorBudget,
}

/// One part of a score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ScorePart {
    /// `confidence` (the mean) or `success` (1 − error rate).
    pub name: String,
    /// Its value, 0 to 1.
    pub value: f64,
    /// Its weight; the weights of a score add up to 1.
    pub weight: f64,
    /// Samples behind it.
    pub n: u64,
}

/// The failures that an objective allows, and those that came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ErrorBudget {
    /// Operations that tested the selector.
    pub n: u64,
    /// Faults among them.
    pub faults: u64,
    /// Faults that the objective allows for as many operations.
    pub allowed: f64,
    /// Faults as a share of the allowed ones; above 1 the budget is used up.
    pub consumed: f64,
    /// How fast it was used up lately; windows that are shorter than a time step of the report, or
    /// hold too few operations, are absent.
    pub burn: Vec<BurnRate>,
}

/// Use of the error budget within the latest part of the period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BurnRate {
    /// Length of the window in seconds, up to the latest operation of the report.
    pub window_s: u64,
    /// Error rate divided by the rate that the objective allows: at 1 the budget lasts just as long
    /// as the objective's period.
    pub rate: f64,
    /// Operations that tested the selector.
    pub n: u64,
    /// Whether the rate exceeds the usual limit for such a window (14.4 for an hour, 6 for six
    /// hours, 1 for three days).
    pub exceeded: bool,
}

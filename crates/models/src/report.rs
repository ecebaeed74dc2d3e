//! The typed report: what every format says, and nothing that only one of them says.
//!
//! Every share, mean and quantile comes with the number of samples behind it (`n`), and is absent
//! when there are none. Shares are 0 to 1, durations milliseconds, timestamps UTC. Numbers are
//! rounded when the report is made (shares to 1e-6, milliseconds to 1e-3), so that all formats
//! start from the same ones.

mod comparison;
mod finding;
mod gate;
mod health;
mod performance;
mod quality;
mod recommendation;
mod selector;
mod trends;

pub use comparison::{ChangeState, Mix, PeriodComparison, RowComparison, SignalComparison};
pub use finding::{Finding, FindingKind, Measure};
pub use gate::{Gate, GateCase, GateCondition, GateState};
pub use health::{BurnRate, ErrorBudget, HealthScore, HealthSection, ScorePart};
pub use performance::{Bottleneck, Performance, ServiceLevel, ServiceRow};
pub use quality::{DataQuality, DroppedEvents, MissingField};
pub use recommendation::{
    Adoption, Effort, Estimate, Recommendation, RecommendationKind, Recommendations, Scarce,
};
pub use selector::{
    Confidences, ErrorGroup, Health, OutcomeCount, SelectorRow, Series, StrategyRow, StrategyText,
    TryCount,
};
pub use trends::{ChangePoint, Days, Distribution, TrendLine, TrendRow, Trends};

use crate::outcome::words;
use crate::{Alert, Invalid, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What a report is about.
    ReportKind, "kind" {
        /// Everything.
        Summary = "summary",
        /// Where the time goes: bottlenecks, service level, comparison.
        Performance = "performance",
        /// What is used how often, where and in which contexts.
        Usage = "usage",
        /// Scores with their parts, and error budgets.
        Health = "health",
        /// What rises or falls steadily, and what changed when.
        Trends = "trends",
        /// What to change, and what it would save.
        Recommendations = "recommendations",
        /// How far the data can be trusted, and which conclusions that weakens.
        DataQuality = "data_quality",
    }
}

#[expect(clippy::derivable_impls, reason = "the macro that makes the type takes no default")]
impl Default for ReportKind {
    fn default() -> Self {
        Self::Summary
    }
}

words! {
    /// The report in one word.
    VerdictLevel, "verdict.level" {
        /// Nothing needs anybody.
        Healthy = "healthy",
        /// Something is worth a look.
        Attention = "attention",
        /// Some selector does not work.
        Failing = "failing",
        /// Too little happened to tell.
        NoData = "no_data",
    }
}

/// What a report says, independent of any format.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Version of this form: [`Report::VERSION`].
    pub report_version: u32,
    /// What it is about.
    pub kind: ReportKind,
    /// When it was made.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub generated_at: Timestamp,
    /// What time it covers.
    pub period: Period,
    /// Which events it covers, in words; `all events` without a filter.
    pub filter: String,
    /// The answer.
    pub verdict: Verdict,
    /// All operations together.
    pub totals: Totals,
    /// What needs somebody, most urgent first; at most seven by default.
    pub attention: Vec<Finding>,
    /// Findings left out of `attention`.
    pub attention_omitted: u64,
    /// One row for each selector on each site: those that need attention first, then by traffic.
    pub selectors: Vec<SelectorRow>,
    /// Rows left out of `selectors`.
    pub selectors_omitted: u64,
    /// One row for each site, most operations first.
    pub sites: Vec<SiteRow>,
    /// Sites left out of `sites`.
    pub sites_omitted: u64,
    /// This period beside another one, when that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<PeriodComparison>,
    /// The conditions that were checked, when there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<Gate>,
    /// Where the time goes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub performance: Option<Performance>,
    /// Scores and error budgets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<HealthSection>,
    /// What changes over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trends: Option<Trends>,
    /// What to change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recommendations: Option<Recommendations>,
    /// Alerts that concern the events covered.
    pub alerts: ReportAlerts,
    /// How far the data can be trusted.
    pub data_quality: DataQuality,
    /// What was used where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// How the numbers were made.
    pub methods: Methods,
    /// Command that makes this report again.
    pub reproduce: Option<String>,
}

impl Report {
    /// The present version of the form.
    pub const VERSION: u32 = 1;
}

/// What time a report covers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Period {
    /// Asked for: timestamps at or after this.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub from: Option<Timestamp>,
    /// Asked for: timestamps before this.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub to: Option<Timestamp>,
    /// Earliest timestamp found.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub first: Option<Timestamp>,
    /// Latest timestamp found.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub last: Option<Timestamp>,
}

/// The answer to "is everything all right?".
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verdict {
    /// In one word.
    pub level: VerdictLevel,
    /// In one sentence.
    pub sentence: String,
}

/// A share of a number of samples.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rate {
    /// `count` / `n`, 0 to 1.
    pub share: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Samples that count.
    pub count: u64,
    /// Samples in all; never 0.
    pub n: u64,
}

/// Quantiles of durations, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quantiles {
    /// Operations behind them; never 0.
    pub n: u64,
    /// The middle one.
    pub p50_ms: f64,
    /// 95 % stay at or below this.
    pub p95_ms: f64,
    /// 99 % stay at or below this.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

/// All operations together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Totals {
    /// Operations of any outcome.
    pub operations: u64,
    /// Operations that succeeded.
    pub success: u64,
    /// Operations in which the selector was at fault.
    pub selector_fault: u64,
    /// Operations spoilt by site, network, browser or engine.
    pub environment_fault: u64,
    /// Operations nobody waited for.
    pub cancelled: u64,
    /// Operations that found nothing, as expected.
    pub expected_absence: u64,
    /// Share of success among the operations that tested a selector.
    pub success_rate: Option<Rate>,
    /// Durations of the successful operations that report one.
    pub durations: Option<Quantiles>,
    /// Distinct selectors.
    pub selectors: u64,
    /// Distinct sites.
    pub sites: u64,
    /// Distinct sessions; an estimate above 256.
    pub sessions: u64,
}

/// One site.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SiteRow {
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// Operations of any outcome.
    pub operations: u64,
    /// Selectors used there.
    pub selectors: u64,
    /// Selectors used there that need attention.
    pub selectors_in_trouble: u64,
    /// Share of success among the operations that tested a selector.
    pub success_rate: Option<Rate>,
    /// Share of operations spoilt by site, network, browser or engine, among all.
    pub environment_fault_rate: Option<Rate>,
    /// Durations of the successful operations that report one.
    pub durations: Option<Quantiles>,
    /// How it went over time.
    pub series: Series,
    /// How it went day by day; all sites of a report have the same days.
    #[serde(default)]
    pub days: Days,
}

/// Alerts that concern the events covered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReportAlerts {
    /// Firing or recovering, most severe first.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")
    )]
    pub open: Vec<Alert>,
    /// Resolved in the period, latest first.
    #[cfg_attr(
        feature = "schema",
        schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")
    )]
    pub resolved: Vec<Alert>,
}

/// What was used where.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Usage {
    /// Operations by engine, most first.
    pub engines: Vec<Count>,
    /// Operations by URL template, most first.
    pub url_templates: Vec<Count>,
    /// Operations by kind, most first.
    pub operations: Vec<Count>,
    /// Operations by user agent, most first.
    #[serde(default)]
    pub agents: Vec<Count>,
    /// Operations by size of the viewport, most first.
    #[serde(default)]
    pub viewports: Vec<Count>,
    /// Operations by hour of the UTC day: 24 counts, or none.
    #[serde(default)]
    pub hours: Vec<u64>,
    /// Operations by day.
    #[serde(default)]
    pub days: Days,
    /// Operations an hour over the whole period; absent below two distinct times.
    #[serde(default)]
    pub per_hour: Option<f64>,
    /// Whether use rises or falls, in operations a day.
    #[serde(default)]
    pub trend: Option<TrendLine>,
}

/// A name and how often it occurred.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Count {
    /// The name; absent for all names that are not listed, together.
    pub name: Option<String>,
    /// How often.
    pub count: u64,
}

/// How the numbers were made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Methods {
    /// Kind and level of the intervals.
    pub interval: String,
    /// Bound on the relative error of quantiles.
    pub quantile_relative_error: f64,
    /// What makes a finding, in words, with the thresholds used.
    pub rules: Vec<String>,
}

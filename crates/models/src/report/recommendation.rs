use super::{Rate, StrategyText};
use crate::outcome::words;
use crate::{EventId, Invalid, SelectorName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What kind of change is recommended.
    RecommendationKind, "recommendation kind" {
        /// Try the strategies in another order.
        ReorderStrategies = "reorder_strategies",
        /// Put the fallback first that finds the element now.
        PromoteFallback = "promote_fallback",
        /// Drop a strategy that finds nothing.
        PruneStrategy = "prune_strategy",
        /// Wait less long.
        SetTimeout = "set_timeout",
        /// Keep the result while the page stays.
        CacheResult = "cache_result",
        /// Split or rewrite a brittle selector.
        RewriteSelector = "rewrite_selector",
        /// Trust matches less.
        RaiseThreshold = "raise_threshold",
        /// Trust matches more.
        LowerThreshold = "lower_threshold",
    }
}

words! {
    /// What a change takes.
    Effort, "effort" {
        /// A line of configuration.
        Low = "low",
        /// A small change of code, or a look at a page.
        Medium = "medium",
        /// Work.
        High = "high",
    }
}

/// What a change would save.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recommendations {
    /// Largest saving first; those without an estimate follow.
    pub cards: Vec<Recommendation>,
    /// Cards left out of `cards`.
    pub cards_omitted: u64,
    /// Saving of all cards with an estimate, applied in turn, in milliseconds a day: less than the
    /// sum where two concern the same operations.
    pub joint_ms_per_day: Option<Estimate>,
    /// That saving as a share of the time that all selectors take, 0 to 1.
    pub joint_share: Option<f64>,
    /// Selectors for which too little is known, and what to do about it.
    pub scarce: Vec<Scarce>,
    /// Rows left out of `scarce`.
    pub scarce_omitted: u64,
    /// What came of changed definitions.
    pub adopted: Vec<Adoption>,
}

/// A value with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// One change, with what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recommendation {
    /// What kind of change.
    pub kind: RecommendationKind,
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// What to change, in one sentence.
    pub change: String,
    /// What was observed.
    pub why: String,
    /// Expected saving in milliseconds a day; absent where the gain is not time.
    pub saving_ms_per_day: Option<Estimate>,
    /// That saving as a share of what the selector takes there, 0 to 1.
    pub saving_share: Option<f64>,
    /// Share of the operations from which it is known what the change would have done.
    pub coverage: Option<Rate>,
    /// Operations behind the estimate.
    pub n: u64,
    /// Expected change of the success rate, −1 to 1; absent where it cannot be told.
    pub success_effect: Option<Estimate>,
    /// What it takes.
    pub effort: Effort,
    /// Events to look at.
    #[cfg_attr(feature = "schema", schemars(with = "Vec<String>"))]
    pub evidence: Vec<EventId>,
    /// The change as lines of a definition: `-` before what goes, `+` before what comes.
    pub diff: Vec<String>,
    /// How to undo it.
    pub undo: String,
    /// The order of strategies that is recommended, for kinds that concern the order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub order: Vec<StrategyText>,
}

/// A selector of which too little is known for a recommendation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scarce {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// What is not known.
    pub unknown: String,
    /// What to do to learn it.
    pub learn: String,
}

/// A definition that changed within the period, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Adoption {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// Version before.
    pub from_version: u32,
    /// Version since.
    pub to_version: u32,
    /// Its first operation.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub since: Timestamp,
    /// Share of the time of an operation that the events before predict to be saved by the new
    /// order of strategies; absent where they do not tell.
    pub predicted: Option<f64>,
    /// Share of the mean time of tries of an operation that was saved; below 0 it takes longer.
    pub realised: Option<Estimate>,
    /// Operations before and since.
    pub n: (u64, u64),
    /// Success rates before and since.
    pub success: (Option<Rate>, Option<Rate>),
}

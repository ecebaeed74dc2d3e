use super::Period;
use crate::outcome::words;
use crate::{Invalid, SelectorName, Signal, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

words! {
    /// What a comparison says of one selector on one site.
    ChangeState, "change" {
        /// Something got worse, by more than chance and noise.
        Worse = "worse",
        /// Something changed, and nothing got worse.
        Better = "better",
        /// Nothing that was compared changed.
        Unchanged = "unchanged",
        /// Too few operations, or too few independent ones, in one of the periods.
        TooFew = "too_few",
        /// Used in this period only.
        Appeared = "appeared",
        /// Used in the other period only.
        Gone = "gone",
    }
}

/// This period beside another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PeriodComparison {
    /// The other period, in words.
    pub against: String,
    /// The time it covers.
    pub period: Period,
    /// Its operations of any outcome.
    pub operations: u64,
    /// Selectors (per site) for which something could be compared.
    pub compared: u64,
    /// Those that got worse.
    pub worse: u64,
    /// Those that changed otherwise.
    pub better: u64,
    /// Those with too little data to tell.
    pub too_few: u64,
    /// One row for each selector on each site: what got worse first.
    pub rows: Vec<RowComparison>,
    /// Rows left out of `rows`.
    pub rows_omitted: u64,
    /// The change of the success rate over all operations, taken apart.
    pub success_mix: Option<Mix>,
}

/// One selector on one site in two periods.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RowComparison {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// What the comparison says.
    pub state: ChangeState,
    /// When the clearest change began.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub since: Option<Timestamp>,
    /// How many seconds earlier or later it may have been: for durations with a probability of
    /// 95 %, for shares the width of the time step.
    pub since_within_s: Option<u64>,
    /// What was compared.
    pub signals: Vec<SignalComparison>,
}

/// One signal in two periods.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SignalComparison {
    /// What was measured; fixes the unit.
    pub signal: Signal,
    /// Which quantile of it, 0 to 1; absent for shares.
    pub quantile: Option<f64>,
    /// The other period's value.
    pub before: f64,
    /// Samples behind it.
    pub before_n: u64,
    /// This period's value.
    pub after: f64,
    /// Samples behind it.
    pub after_n: u64,
    /// For shares the difference, for durations the relative change (0.1 is a tenth more).
    pub effect: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// The size an effect must exceed: the configured least one, or what the other period's halves
    /// differ by, if that is more.
    pub floor: f64,
    /// Least rate of false discoveries among all selectors at which this counts as one.
    pub q_value: f64,
    /// Whether it changed: interval without 0, effect above the floor, q-value at most 0.05.
    pub changed: bool,
    /// Whether a change in this direction is for the worse.
    pub worse: bool,
}

/// The change of a mean over all operations, taken apart. `within` and `mix` add up to `total`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Mix {
    /// After minus before.
    pub total: f64,
    /// From changes within selectors, their shares of the operations held.
    pub within: f64,
    /// From selectors being used more or less.
    pub mix: f64,
    /// Whether the total says something else than the selectors themselves (Simpson's paradox).
    pub misleading: bool,
}

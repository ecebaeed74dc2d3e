use super::{Measure, Series};
use crate::{SelectorName, Signal, Timestamp};
use serde::{Deserialize, Serialize};

/// What rises or falls steadily, and what changed at one moment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trends {
    /// Series that were long enough to judge.
    pub judged: u64,
    /// Series with a trend or a change, clearest first.
    pub rows: Vec<TrendRow>,
    /// Rows left out of `rows`.
    pub rows_omitted: u64,
}

/// One signal of one selector on one site over time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrendRow {
    /// The selector.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub selector: SelectorName,
    /// Host and port; absent for operations without a URL.
    pub site: Option<String>,
    /// What was measured; fixes the unit.
    pub signal: Signal,
    /// The line through the series, when it is long enough.
    pub line: Option<TrendLine>,
    /// Whether the line rises or falls by more than chance explains, all series considered.
    pub steady: bool,
    /// When the signal changed most clearly, if it did.
    pub change: Option<ChangePoint>,
}

/// A line through a series (Theil–Sen).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrendLine {
    /// Steps with a value.
    pub n: u64,
    /// Width of a step in seconds; a day where the weekly rhythm was taken out.
    pub step_s: u64,
    /// Steps of the rhythm that was taken out; 1 for none.
    pub season: u64,
    /// Change a day, in the unit of the signal.
    pub per_day: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Probability of as clear a trend by chance (Mann–Kendall, autocorrelation considered).
    pub probability: f64,
    /// Least rate of false discoveries among all series at which this counts as one.
    pub q_value: f64,
}

/// A moment at which a signal changed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangePoint {
    /// Start of the time step in which the first different operation lies.
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub since: Timestamp,
    /// Width of that step in seconds.
    pub within_s: u64,
    /// The signal before.
    pub before: Measure,
    /// The signal since.
    pub after: Measure,
}

/// Counts by UTC day, one entry for each day from the first to the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Days {
    /// Midnight of the first day; absent without days.
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub start: Option<Timestamp>,
    /// Operations of any outcome.
    pub operations: Vec<u64>,
    /// Operations that tested the selector.
    pub verdicts: Vec<u64>,
    /// Operations that succeeded.
    pub successes: Vec<u64>,
}

/// Successful operations by duration, in bins whose bounds have the ratio √2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Distribution {
    /// Lower bound of the first bin in milliseconds.
    pub from_ms: f64,
    /// Operations of the earlier part, bin by bin.
    pub before: Vec<u64>,
    /// Operations of the later part, bin by bin.
    pub after: Vec<u64>,
    /// What parts the two, in words.
    pub parted: String,
}

impl Series {
    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.verdicts.len()
    }
}

//! Statistics of one selector on one site over one stretch of time, as plain numbers.
//!
//! Every figure is an integer, so that merging is exact in any order. How events become a rollup
//! and how rollups merge is `telemetry-aggregation`'s.

mod period;

pub use period::RollupPeriod;

use crate::{AttemptOutcome, Confidence, EventId, Outcome, SelectorName, StrategyKind, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is known of one selector on one site in one period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Hour, day or month.
    pub period: RollupPeriod,
    /// When the period began.
    pub start: Timestamp,
    /// The selector.
    pub selector: SelectorName,
    /// Host and port of the page; `None` when it was not known.
    pub site: Option<Arc<str>>,
    /// The figures.
    pub figures: RollupFigures,
}

/// The figures of a [`Rollup`]. Lists are in ascending order and hold no zero counts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollupFigures {
    /// Operations by outcome.
    pub outcomes: Vec<(Outcome, u64)>,
    /// Successful operations by fallback depth; the last entry holds all that went deeper.
    pub fallback_depths: [u64; RollupFigures::DEPTHS],
    /// Confidence of the operations that tested the selector and report one.
    pub confidence: ConfidenceFigures,
    /// Elements matched by the successful operations that report it.
    pub elements: ElementsFigures,
    /// Durations of the successful operations that report one.
    pub durations: DurationBins,
    /// What each strategy did.
    pub strategies: Vec<StrategyFigures>,
    /// What strategies beyond the limit did together; `None` when all are in `strategies`.
    pub other_strategies: Option<Box<StrategyFigures>>,
    /// Distinct URLs.
    pub urls: DistinctHashes,
    /// Distinct URL templates.
    pub url_templates: DistinctHashes,
    /// Reported errors, grouped.
    pub errors: Vec<ErrorFigures>,
    /// Errors beyond the limit of groups; `None` when all are in `errors`.
    pub other_errors: Option<Box<ErrorFigures>>,
    /// Earliest timestamp.
    pub first: Option<Timestamp>,
    /// Latest timestamp.
    pub last: Option<Timestamp>,
    /// The latest successful operation.
    pub last_success: Option<(Timestamp, EventId)>,
}

impl RollupFigures {
    /// Entries of [`fallback_depths`](Self::fallback_depths).
    pub const DEPTHS: usize = 9;

    /// Operations of any outcome.
    pub fn operations(&self) -> u64 {
        self.outcomes.iter().map(|(_, count)| count).sum()
    }

    /// Operations that succeeded.
    pub fn successes(&self) -> u64 {
        let of = |(outcome, count): &(Outcome, u64)| if outcome.is_success() { *count } else { 0 };
        self.outcomes.iter().map(of).sum()
    }
}

/// What one strategy did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrategyFigures {
    /// The kind; `None` stands for strategies that are not told apart.
    pub kind: Option<StrategyKind>,
    /// The selector's text for it.
    pub text: Option<Arc<str>>,
    /// Tries for an operation itself, by how they ended; `skipped` is no try.
    pub outcomes: Vec<(AttemptOutcome, u64)>,
    /// Tries made only to learn what the strategy would have done.
    pub shadow: u64,
    /// Tries whose match was used, by fallback depth.
    pub fallback_depths: [u64; RollupFigures::DEPTHS],
    /// Confidence of the tries for an operation itself that report one.
    pub confidence: ConfidenceFigures,
    /// Elements matched by the tries whose match was used.
    pub elements: ElementsFigures,
    /// Times of the tries for an operation itself that report one.
    pub durations: DurationBins,
}

/// Confidences, in millionths.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfidenceFigures {
    /// How many.
    pub n: u64,
    /// Their sum.
    pub sum: u64,
    /// The sum of their squares.
    pub squares: u128,
    /// The lowest.
    pub min: Option<Confidence>,
    /// Counts by tenths; 1.0 belongs to the last.
    pub tenths: [u64; 10],
}

/// Numbers of matched elements.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ElementsFigures {
    /// Operations.
    pub n: u64,
    /// Elements, all operations together.
    pub sum: u64,
    /// The fewest.
    pub min: Option<u32>,
    /// The most.
    pub max: Option<u32>,
}

/// Durations in logarithmic bins; `telemetry-aggregation`'s `DurationSketch` says which.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurationBins {
    /// Number of the bin and count.
    pub bins: Vec<(u16, u64)>,
    /// Sum of all durations, in nanoseconds.
    pub sum_ns: u128,
    /// The shortest, in nanoseconds.
    pub min_ns: Option<u64>,
    /// The longest, in nanoseconds.
    pub max_ns: Option<u64>,
}

/// The smallest hashes of distinct texts; `telemetry-aggregation`'s `DistinctSketch` says how many.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctHashes {
    /// Hashes.
    pub smallest: Vec<u64>,
    /// Whether there were more.
    pub overflowed: bool,
}

/// One group of errors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorFigures {
    /// The kind, a word from an open taxonomy; empty for errors that are not told apart.
    pub kind: Arc<str>,
    /// The message, digits replaced by `#`.
    pub message: Option<Arc<str>>,
    /// How many.
    pub count: u64,
    /// The latest.
    pub last: Option<(Timestamp, EventId)>,
}

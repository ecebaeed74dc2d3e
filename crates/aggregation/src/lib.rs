#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bounded;
mod distinct;
mod histogram;
mod rollup;
mod sketch;
mod summary;
mod timeline;
mod wilson;
mod window;

pub use bounded::{BoundedMap, Merge};
pub use distinct::{DistinctSketch, Fingerprint};
pub use histogram::CoarseHistogram;
pub use rollup::{RollupBuilder, coarsened, merged};
pub use sketch::DurationSketch;
pub use summary::{
    ConfidenceSummary, ElementsSummary, ErrorKey, ErrorSummary, SelectorSummary, StrategyKey,
    StrategySummary,
};
pub use timeline::{Bucket, Moments, Timeline};
pub use wilson::{Interval, Z_95, wilson};
pub use window::{Sample, SignalWindow, WindowLimits, aggregate_of};

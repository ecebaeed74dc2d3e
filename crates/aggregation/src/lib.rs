#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod bins;
mod bounded;
mod calendar;
mod clusters;
mod compare;
mod course;
mod discovery;
mod distinct;
mod facts;
mod flips;
mod histogram;
mod mix;
mod normal;
mod order;
mod rollup;
mod sketch;
mod split;
mod summary;
mod timeline;
mod trend;
mod waiting;
mod wilson;
mod window;

pub use bounded::{BoundedMap, Merge};
pub use calendar::{Calendar, Day};
pub use clusters::{ClusterGroup, ClusteredSample};
pub use compare::{Compared, compare_quantile, compare_share};
pub use course::{DurationCourse, Onset, Shift};
pub use discovery::{adaptive_discovery_rates, discovery_rates};
pub use distinct::{DistinctSketch, Fingerprint, fingerprint};
pub use facts::{EventFacts, PageFacts};
pub use flips::FlipCounter;
pub use histogram::{CoarseHistogram, FineHistogram, LogHistogram};
pub use mix::{MixEffect, MixGroup, mix_effect};
pub use normal::{two_sided, two_sided_t};
pub use order::{OrderEstimate, OrderEvidence, Part};
pub use rollup::{RollupBuilder, bucket_of, coarsened, merged};
pub use sketch::DurationSketch;
pub use split::split_of_durations;
pub use summary::{
    ConfidenceSummary, ElementsSummary, ErrorKey, ErrorSummary, SelectorSummary, StrategyKey,
    StrategySummary,
};
pub use timeline::{Bucket, Moments, Timeline};
pub use trend::{MIN_TREND_VALUES, Trend, trend};
pub use waiting::{WaitPlan, survival, wait_plan};
pub use wilson::{Interval, Z_95, wilson};
pub use window::{Sample, SignalWindow, WindowLimits, aggregate_in, aggregate_of};

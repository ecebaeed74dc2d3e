use sketches_ddsketch::{Config, DDSketch};
use std::fmt;
use std::time::Duration;

/// Relative error of a quantile: 0.5 %.
const RELATIVE_ERROR: f64 = 0.005;
/// Enough bins for every duration from 1 ns to 2^64 ns at [`RELATIVE_ERROR`], so that bins never
/// collapse and merging stays exact and order-free.
const MAX_BINS: u32 = 4_608;
/// Below this (in nanoseconds) a value counts as zero.
const SMALLEST_NS: f64 = 0.5;

/// Quantiles of durations, mergeable without loss.
///
/// A DDSketch (Masson, Rim, Lee, “DDSketch: a fast and fully-mergeable quantile sketch with
/// relative-error guarantees”, VLDB 2019) with a relative error of at most 0.5 % for any quantile.
/// Whatever the order and grouping of additions and merges, the answers are the same. Takes 1 to
/// 36 KiB, by the range of the durations. Durations above 2^64 ns (584 years) count as that.
#[derive(Clone)]
pub struct DurationSketch(DDSketch);

impl DurationSketch {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self(DDSketch::new(Config::new(RELATIVE_ERROR, MAX_BINS, SMALLEST_NS)))
    }

    /// The bound on a quantile's relative error.
    pub const fn relative_error() -> f64 {
        RELATIVE_ERROR
    }

    /// Adds one duration.
    pub fn add(&mut self, duration: Duration) {
        self.0.add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX) as f64);
    }

    /// Adds everything another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        self.0.merge(&other.0).expect("both sketches were made with the same configuration");
    }

    /// How many durations were added.
    pub fn n(&self) -> u64 {
        self.0.count() as u64
    }

    /// The duration that a share `q` (0 to 1) of all stays at or below. `None` when nothing was
    /// added, or when `q` is not in range.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let nanos = self.0.quantile(q).ok()??;
        let nanos = nanos.clamp(self.0.min()?, self.0.max()?);
        Some(Duration::from_nanos(nanos.round() as u64))
    }

    /// The shortest duration, exact to 2^53 ns.
    pub fn min(&self) -> Option<Duration> {
        self.quantile(0.0)
    }

    /// The longest duration, exact to 2^53 ns.
    pub fn max(&self) -> Option<Duration> {
        self.quantile(1.0)
    }
}

impl Default for DurationSketch {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DurationSketch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurationSketch")
            .field("n", &self.n())
            .field("p50", &self.quantile(0.5))
            .field("p95", &self.quantile(0.95))
            .field("max", &self.max())
            .finish()
    }
}

/// Equal when they answer alike: same count, extremes and percentiles.
impl PartialEq for DurationSketch {
    fn eq(&self, other: &Self) -> bool {
        self.n() == other.n()
            && (0..=1000).all(|permille| {
                let q = f64::from(permille) / 1000.0;
                self.quantile(q) == other.quantile(q)
            })
    }
}

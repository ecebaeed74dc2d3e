use crate::bins::Bins;
use crate::summary::earliest;
use std::fmt;
use std::time::Duration;
use telemetry_models::rollup::DurationBins;

/// Bits of a duration below its leading one that choose its bin.
const SUB_BITS: u32 = 7;
/// Bins of each power of two, and the durations in nanoseconds that have a bin to themselves.
const SUB_BINS: u64 = 1 << SUB_BITS;
/// Relative error of a quantile: half a bin, a bin being a 128th of its lower bound or less.
const RELATIVE_ERROR: f64 = 0.5 / SUB_BINS as f64;

/// Quantiles of durations, mergeable without loss.
///
/// Counts durations in bins that halve each other's width from one power of two to the next
/// (log-linear bins, as in Tene's HdrHistogram), with a relative error of at most 0.4 % for any
/// quantile. The bin of a duration follows from its bits and counts are integers: whatever the
/// order and grouping of additions and merges, on whichever machine, the sketches are equal.
/// Takes 16 to 64 bytes for each bin in use: 128 bins double the range. Durations above 2^64 ns (584
/// years) count as that.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DurationSketch {
    bins: Bins,
    n: u64,
    sum_ns: u128,
    min_ns: Option<u64>,
    max_ns: Option<u64>,
}

impl DurationSketch {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bound on a quantile's relative error.
    pub const fn relative_error() -> f64 {
        RELATIVE_ERROR
    }

    /// Adds one duration.
    pub fn add(&mut self, duration: Duration) {
        let ns = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.bins.add(bin_of(ns), 1);
        self.n += 1;
        self.extend(u128::from(ns), Some(ns), Some(ns));
    }

    /// Adds everything another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.extend(other.sum_ns, other.min_ns, other.max_ns);
        self.bins.merge(&other.bins);
    }

    /// Adds what a rollup holds.
    pub(crate) fn merge_bins(&mut self, other: &DurationBins) {
        self.n += other.bins.iter().map(|(_, count)| count).sum::<u64>();
        self.extend(other.sum_ns, other.min_ns, other.max_ns);
        self.bins.merge_list(&other.bins);
    }

    /// As plain numbers.
    pub(crate) fn to_bins(&self) -> DurationBins {
        DurationBins {
            bins: self.bins.iter().collect(),
            sum_ns: self.sum_ns,
            min_ns: self.min_ns,
            max_ns: self.max_ns,
        }
    }

    /// How many durations were added.
    pub fn n(&self) -> u64 {
        self.n
    }

    /// All durations together.
    pub fn sum(&self) -> Duration {
        let seconds = u64::try_from(self.sum_ns / 1_000_000_000).unwrap_or(u64::MAX);
        Duration::new(seconds, (self.sum_ns % 1_000_000_000) as u32)
    }

    /// The mean duration, exact; `None` when nothing was added.
    pub fn mean(&self) -> Option<Duration> {
        let mean = self.sum_ns.checked_div(u128::from(self.n))?;
        Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
    }

    /// The duration that a share `q` (0 to 1) of all stays at or below. `None` when nothing was
    /// added, or when `q` is not in range.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        if !(0.0..=1.0).contains(&q) {
            return None;
        }
        let rank = (q * (self.n.checked_sub(1)?) as f64) as u64;
        let mut seen = 0;
        for (bin, count) in self.bins.iter() {
            seen += count;
            if seen > rank {
                let ns = middle_of(bin).clamp(self.min_ns?, self.max_ns?);
                return Some(Duration::from_nanos(ns));
            }
        }
        self.max()
    }

    /// How many durations are at most `limit`; those that share its bin count as such.
    pub fn at_most(&self, limit: Duration) -> u64 {
        let bin = bin_of(u64::try_from(limit.as_nanos()).unwrap_or(u64::MAX));
        self.bins.iter().take_while(|(own, _)| *own <= bin).map(|(_, count)| count).sum()
    }

    /// The middle of each bin that holds something, and how many it holds, shortest first.
    pub fn bins(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.bins.iter().map(|(bin, count)| (Duration::from_nanos(middle_of(bin)), count))
    }

    /// The shortest duration, exact.
    pub fn min(&self) -> Option<Duration> {
        self.min_ns.map(Duration::from_nanos)
    }

    /// The longest duration, exact.
    pub fn max(&self) -> Option<Duration> {
        self.max_ns.map(Duration::from_nanos)
    }

    fn extend(&mut self, sum_ns: u128, min_ns: Option<u64>, max_ns: Option<u64>) {
        self.sum_ns = self.sum_ns.saturating_add(sum_ns);
        self.min_ns = earliest(self.min_ns, min_ns);
        self.max_ns = self.max_ns.max(max_ns);
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

/// Below 2^7 ns the nanoseconds; above, the position of the leading one and the 7 bits behind it.
fn bin_of(ns: u64) -> u16 {
    if ns < SUB_BINS {
        return ns as u16;
    }
    let shift = ns.ilog2() - SUB_BITS;
    (u64::from(shift) * SUB_BINS + (ns >> shift)) as u16
}

fn middle_of(bin: u16) -> u64 {
    let bin = u64::from(bin);
    if bin < 2 * SUB_BINS {
        return bin;
    }
    let shift = (bin / SUB_BINS - 1).min(63 - u64::from(SUB_BITS));
    let lowest = (SUB_BINS + bin % SUB_BINS) << shift;
    lowest + (1 << shift >> 1)
}

/// Each bin's middle and count.
pub(crate) fn middles(bins: &DurationBins) -> impl Iterator<Item = (Duration, u64)> {
    bins.bins.iter().map(|(bin, count)| (Duration::from_nanos(middle_of(*bin)), *count))
}

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
/// Takes 16 bytes for each bin in use: 128 bins double the range. Durations above 2^64 ns (584
/// years) count as that.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DurationSketch {
    /// Bin number and count, by bin number.
    bins: Vec<(u16, u64)>,
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
        let bin = bin_of(ns);
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 += 1,
            Err(at) => self.bins.insert(at, (bin, 1)),
        }
        self.n += 1;
        self.extend(u128::from(ns), Some(ns), Some(ns));
    }

    /// Adds everything another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.extend(other.sum_ns, other.min_ns, other.max_ns);
        merge_bins(&mut self.bins, &other.bins);
    }

    /// Adds what a rollup holds.
    pub(crate) fn merge_bins(&mut self, other: &DurationBins) {
        self.n += other.bins.iter().map(|(_, count)| count).sum::<u64>();
        self.extend(other.sum_ns, other.min_ns, other.max_ns);
        merge_bins(&mut self.bins, &other.bins);
    }

    /// As plain numbers.
    pub(crate) fn to_bins(&self) -> DurationBins {
        DurationBins {
            bins: self.bins.clone(),
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
        for (bin, count) in &self.bins {
            seen += count;
            if seen > rank {
                let ns = middle_of(*bin).clamp(self.min_ns?, self.max_ns?);
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
        self.bins.iter().map(|(bin, count)| (Duration::from_nanos(middle_of(*bin)), *count))
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
        self.min_ns = self.min_ns.into_iter().chain(min_ns).min();
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

/// Merges two lists that ascend by bin. Without branches that depend on the bins: which list is next
/// is as good as random, and a processor that guesses it wrongly loses more than the work takes.
fn merge_bins(into: &mut Vec<(u16, u64)>, other: &[(u16, u64)]) {
    if into.is_empty() || other.is_empty() {
        into.extend_from_slice(other);
        return;
    }
    let own = std::mem::take(into);
    let mut merged = vec![(0, 0); own.len() + other.len()];
    let (mut at, mut and, mut length) = (0, 0, 0);
    while at < own.len() && and < other.len() {
        let ((bin, count), (other_bin, other_count)) = (own[at], other[and]);
        let (mine, its) = (bin <= other_bin, other_bin <= bin);
        let sum = count * u64::from(mine) + other_count * u64::from(its);
        merged[length] = (bin.min(other_bin), sum);
        at += usize::from(mine);
        and += usize::from(its);
        length += 1;
    }
    merged.truncate(length);
    merged.extend_from_slice(&own[at..]);
    merged.extend_from_slice(&other[and..]);
    *into = merged;
}

/// Each bin's middle and count.
pub(crate) fn middles(bins: &DurationBins) -> impl Iterator<Item = (Duration, u64)> {
    bins.bins.iter().map(|(bin, count)| (Duration::from_nanos(middle_of(*bin)), *count))
}

use std::time::Duration;

/// Durations in sparse logarithmic bins, each `PER_MILLE` thousandths wider than the one below:
/// rougher and far smaller than a [`DurationSketch`](crate::DurationSketch), for many small
/// samples.
///
/// The relative error of a quantile is at most half the width of a bin. Merging is exact and
/// order-free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogHistogram<const PER_MILLE: u16> {
    /// Bin number and count, by bin number.
    bins: Vec<(i16, u32)>,
}

/// To 2 %, for timelines.
pub type CoarseHistogram = LogHistogram<40>;

/// To 0.5 %, for comparisons.
pub type FineHistogram = LogHistogram<10>;

impl<const PER_MILLE: u16> LogHistogram<PER_MILLE> {
    /// Ratio between the bounds of a bin.
    const GAMMA: f64 = 1.0 + PER_MILLE as f64 / 1_000.0;

    /// Adds one duration.
    pub fn add(&mut self, duration: Duration) {
        self.add_count(Self::bin_of(duration), 1);
    }

    /// Adds one duration by the number of its bin.
    pub(crate) fn add_to_bin(&mut self, bin: i16) {
        self.add_count(bin, 1);
    }

    /// Adds one duration several times.
    pub(crate) fn add_times(&mut self, duration: Duration, count: u64) {
        self.add_count(Self::bin_of(duration), u32::try_from(count).unwrap_or(u32::MAX));
    }

    /// Adds everything another histogram holds.
    pub fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.bins {
            self.add_count(*bin, *count);
        }
    }

    /// How many durations were added.
    pub fn n(&self) -> u64 {
        self.bins.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// How many durations lie in a higher bin than `limit`.
    pub fn above(&self, limit: Duration) -> u64 {
        let limit = Self::bin_of(limit);
        self.bins.iter().filter(|(bin, _)| *bin > limit).map(|(_, count)| u64::from(*count)).sum()
    }

    /// The middle duration; `None` when nothing was added.
    pub fn median(&self) -> Option<Duration> {
        self.quantile(0.5)
    }

    /// The duration that a share `q` (0 to 1) of all stays at or below: the middle of its bin.
    /// `None` when nothing was added.
    pub fn quantile(&self, q: f64) -> Option<Duration> {
        let rank = (self.n().checked_sub(1)? as f64 * q.clamp(0.0, 1.0)) as u64;
        let mut seen = 0;
        for (bin, count) in &self.bins {
            seen += u64::from(*count);
            if seen > rank {
                return Some(Self::middle_of(*bin));
            }
        }
        None
    }

    /// Number and count of each bin that holds something, lowest first.
    pub fn bins(&self) -> &[(i16, u32)] {
        &self.bins
    }

    /// The number of the bin a duration belongs to. Bin 0 holds up to 1 ns, bin `b` the durations
    /// up to the ratio to the power of `b`, in ns.
    pub fn bin_of(duration: Duration) -> i16 {
        let nanos = (duration.as_nanos() as f64).max(1.0);
        (nanos.ln() / Self::GAMMA.ln()).ceil() as i16
    }

    /// The duration that stands for a bin.
    pub fn middle_of(bin: i16) -> Duration {
        let upper = Self::GAMMA.powi(i32::from(bin));
        Duration::from_nanos((upper * 2.0 / (1.0 + Self::GAMMA)).round() as u64)
    }

    /// Natural logarithm of the ratio between the bounds of a bin.
    pub fn log_width() -> f64 {
        Self::GAMMA.ln()
    }

    fn add_count(&mut self, bin: i16, count: u32) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }
}

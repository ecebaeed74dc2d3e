use std::time::Duration;

/// Ratio between the bounds of a bin.
const GAMMA: f64 = 1.04;

/// Durations in sparse logarithmic bins: rougher and far smaller than a
/// [`DurationSketch`](crate::DurationSketch), for the many small samples of a timeline.
///
/// The relative error of a quantile is at most 2 %. Merging is exact and order-free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoarseHistogram {
    /// Bin number and count, by bin number.
    bins: Vec<(i16, u32)>,
}

impl CoarseHistogram {
    /// Adds one duration.
    pub fn add(&mut self, duration: Duration) {
        self.add_count(bin_of(duration), 1);
    }

    /// Adds one duration several times.
    pub(crate) fn add_times(&mut self, duration: Duration, count: u64) {
        self.add_count(bin_of(duration), u32::try_from(count).unwrap_or(u32::MAX));
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
        let limit = bin_of(limit);
        self.bins.iter().filter(|(bin, _)| *bin > limit).map(|(_, count)| u64::from(*count)).sum()
    }

    /// The middle duration; `None` when nothing was added.
    pub fn median(&self) -> Option<Duration> {
        let n = self.n();
        let rank = n.checked_sub(1)? / 2;
        let mut seen = 0;
        for (bin, count) in &self.bins {
            seen += u64::from(*count);
            if seen > rank {
                return Some(middle_of(*bin));
            }
        }
        None
    }

    fn add_count(&mut self, bin: i16, count: u32) {
        match self.bins.binary_search_by_key(&bin, |(bin, _)| *bin) {
            Ok(at) => self.bins[at].1 = self.bins[at].1.saturating_add(count),
            Err(at) => self.bins.insert(at, (bin, count)),
        }
    }
}

/// Bin 0 holds up to 1 ns, bin `b` the durations from `GAMMA^(b-1)` ns (excluded) to `GAMMA^b` ns.
fn bin_of(duration: Duration) -> i16 {
    let nanos = (duration.as_nanos() as f64).max(1.0);
    (nanos.ln() / GAMMA.ln()).ceil() as i16
}

fn middle_of(bin: i16) -> Duration {
    let upper = GAMMA.powi(i32::from(bin));
    Duration::from_nanos((upper * 2.0 / (1.0 + GAMMA)).round() as u64)
}

use crate::{CoarseHistogram, EventFacts};
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{Event, Outcome, Timestamp};

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// How things went over time, in at most [`Timeline::MAX_BUCKETS`] buckets of equal width.
///
/// Buckets begin one second wide and double in width whenever the span outgrows them. Their bounds
/// are multiples of the width since 1970, so timelines merge exactly and in any order, and two of
/// different width can be brought to the same one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Timeline {
    /// Width is 2^doublings seconds.
    doublings: u32,
    buckets: BTreeMap<i64, Bucket>,
}

/// One stretch of a [`Timeline`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    /// Operations of any outcome.
    pub operations: u64,
    /// Operations that tested the selector.
    pub verdicts: u64,
    /// Operations that succeeded.
    pub successes: u64,
    /// Successful operations whose fallback depth is known.
    pub depths: u64,
    /// Successful operations that needed a fallback.
    pub fallbacks: u64,
    /// Confidence of the operations that tested the selector.
    pub confidence: Moments,
    /// Durations of successful operations.
    pub durations: CoarseHistogram,
}

/// Count, sum and sum of squares of confidences in millionths: exact, so order-free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moments {
    /// Values added.
    pub n: u64,
    sum: u64,
    squares: u128,
}

impl Moments {
    /// Adds a value in millionths.
    pub fn add(&mut self, millionths: u32) {
        self.n += 1;
        self.sum += u64::from(millionths);
        self.squares += u128::from(millionths) * u128::from(millionths);
    }

    /// Adds everything another holds.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.squares += other.squares;
    }

    /// From count, sum and sum of squares.
    pub(crate) fn from_parts(n: u64, sum: u64, squares: u128) -> Self {
        Self { n, sum, squares }
    }

    /// Count, sum and sum of squares.
    pub(crate) fn to_parts(self) -> (u64, u64, u128) {
        (self.n, self.sum, self.squares)
    }

    /// The mean, as a share of 1.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / self.n as f64 / 1e6)
    }

    /// The sample variance; `None` below two values.
    pub fn variance(&self) -> Option<f64> {
        if self.n < 2 {
            return None;
        }
        let n = self.n as f64;
        let centred = self.squares as f64 - (self.sum as f64).powi(2) / n;
        Some((centred / (n - 1.0) / 1e12).max(0.0))
    }
}

impl Bucket {
    /// Adds what another bucket holds.
    pub fn merge(&mut self, other: &Self) {
        self.operations += other.operations;
        self.verdicts += other.verdicts;
        self.successes += other.successes;
        self.depths += other.depths;
        self.fallbacks += other.fallbacks;
        self.confidence.merge(&other.confidence);
        self.durations.merge(&other.durations);
    }

    /// Operations in which the selector was at fault.
    pub fn faults(&self) -> u64 {
        self.verdicts - self.successes
    }

    fn add(&mut self, event: &Event, facts: &EventFacts) {
        self.operations += 1;
        if event.outcome.is_verdict() {
            self.verdicts += 1;
            if let Some(confidence) = facts.confidence {
                self.confidence.add(confidence.millionths());
            }
        }
        if event.outcome != Outcome::Success {
            return;
        }
        self.successes += 1;
        if let Some(depth) = facts.depth {
            self.depths += 1;
            self.fallbacks += u64::from(depth > 0);
        }
        if let Some(bin) = facts.coarse_bin {
            self.durations.add_to_bin(bin);
        }
    }
}

impl Timeline {
    /// The most buckets a timeline has.
    pub const MAX_BUCKETS: usize = 64;

    /// Adds an event at its timestamp.
    pub fn add(&mut self, event: &Event) {
        self.add_known(event, &EventFacts::of(event));
    }

    pub(crate) fn add_known(&mut self, event: &Event, facts: &EventFacts) {
        let second = event.timestamp.as_nanos().div_euclid(NANOS_PER_SECOND);
        // A bucket that is there needs no room.
        if let Some(bucket) = self.buckets.get_mut(&(second >> self.doublings)) {
            return bucket.add(event, facts);
        }
        self.make_room(second >> self.doublings);
        self.buckets.entry(second >> self.doublings).or_default().add(event, facts);
    }

    /// Adds what happened within a stretch of time, as if it had all been at its beginning.
    pub fn add_bucket(&mut self, start: Timestamp, bucket: &Bucket) {
        let second = start.as_nanos().div_euclid(NANOS_PER_SECOND);
        self.make_room(second >> self.doublings);
        self.buckets.entry(second >> self.doublings).or_default().merge(bucket);
    }

    /// Adds everything another timeline holds.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        let doublings = self.doublings.max(other.doublings);
        self.coarsen(doublings);
        other.coarsen(doublings);
        for bound in other.bounds().into_iter().flat_map(|(first, last)| [first, last]) {
            self.make_room(bound << other.doublings >> self.doublings);
        }
        other.coarsen(self.doublings);
        for (index, bucket) in &other.buckets {
            self.buckets.entry(*index).or_default().merge(bucket);
        }
    }

    /// Width of a bucket.
    pub fn width(&self) -> Duration {
        Duration::from_secs(1 << self.doublings)
    }

    /// Start of the first bucket; `None` when nothing was added.
    pub fn start(&self) -> Option<Timestamp> {
        self.bounds().map(|(first, _)| self.start_of(first))
    }

    /// The buckets in which something happened, with their start, earliest first.
    pub fn buckets(&self) -> impl Iterator<Item = (Timestamp, &Bucket)> {
        self.buckets.iter().map(|(index, bucket)| (self.start_of(*index), bucket))
    }

    /// This timeline's buckets over the time axis of another that covers it: one entry for each
    /// of that one's steps, empty ones included.
    pub fn on_axis_of(&self, axis: &Self) -> Vec<Bucket> {
        let mut own = self.clone();
        own.coarsen(axis.doublings.max(self.doublings));
        axis.bounds()
            .map(|(first, last)| {
                (first..=last)
                    .map(|index| own.buckets.get(&index).cloned().unwrap_or_default())
                    .collect()
            })
            .unwrap_or_default()
    }

    fn start_of(&self, index: i64) -> Timestamp {
        Timestamp::from_nanos((index << self.doublings).saturating_mul(NANOS_PER_SECOND))
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.buckets.first_key_value()?.0, *self.buckets.last_key_value()?.0))
    }

    /// Doubles the width until `index` (at the present width) fits beside what is there. The width
    /// depends on the earliest and latest timestamp alone, hence not on the order of additions.
    fn make_room(&mut self, index: i64) {
        let Some((first, last)) = self.bounds() else { return };
        let (mut first, mut last) = (first.min(index), last.max(index));
        let mut doublings = self.doublings;
        while last - first >= Self::MAX_BUCKETS as i64 {
            (first, last) = (first >> 1, last >> 1);
            doublings += 1;
        }
        self.coarsen(doublings);
    }

    fn coarsen(&mut self, doublings: u32) {
        let by = doublings.saturating_sub(self.doublings);
        if by == 0 {
            return;
        }
        for (index, bucket) in std::mem::take(&mut self.buckets) {
            self.buckets.entry(index >> by).or_default().merge(&bucket);
        }
        self.doublings = doublings;
    }
}

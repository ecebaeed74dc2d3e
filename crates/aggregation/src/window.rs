use std::collections::VecDeque;
use std::time::Duration;
use telemetry_models::{Aggregate, Timestamp};

/// One measured value of a signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// When it was measured.
    pub at: Timestamp,
    /// The value, in the signal's unit.
    pub value: f64,
}

/// How far back a window reaches: at most the newest `last` samples, and none older than `within`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowLimits {
    /// At most so many samples; at least 1.
    pub last: usize,
    /// No sample as old as this or older.
    pub within: Option<Duration>,
}

/// The newest samples of one signal, bounded by count and, if wanted, by age.
///
/// Samples are kept in the order they are pushed. A sample that leaves is handed back, so that the
/// caller can build a baseline which never contains what it is compared with. Memory: 16 bytes a
/// sample. Pushing takes constant time, so do shares and counts; other aggregates take time
/// proportional to the samples held.
#[derive(Clone, Debug)]
pub struct SignalWindow {
    limits: WindowLimits,
    samples: VecDeque<Sample>,
    /// Samples that are not zero: shares and counts are read from it.
    nonzero: usize,
}

impl SignalWindow {
    /// An empty window. A `last` of 0 is taken as 1.
    pub fn new(limits: WindowLimits) -> Self {
        let limits = WindowLimits { last: limits.last.max(1), ..limits };
        Self { limits, samples: VecDeque::new(), nonzero: 0 }
    }

    /// Takes a sample; returns the one it displaced, when the window was full.
    pub fn push(&mut self, sample: Sample) -> Option<Sample> {
        let displaced =
            if self.samples.len() >= self.limits.last { self.samples.pop_front() } else { None };
        self.nonzero += usize::from(sample.value != 0.0);
        self.nonzero -= displaced.map_or(0, |it| usize::from(it.value != 0.0));
        self.samples.push_back(sample);
        displaced
    }

    /// Lets go of samples that are too old at `now` and hands each to `left`, oldest first.
    pub fn expire(&mut self, now: Timestamp, mut left: impl FnMut(Sample)) {
        let Some(within) = self.limits.within else { return };
        while let Some(&oldest) = self.samples.front() {
            if now.since(oldest.at) < within {
                break;
            }
            self.samples.pop_front();
            self.nonzero -= usize::from(oldest.value != 0.0);
            left(oldest);
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.samples.clear();
        self.nonzero = 0;
    }

    /// Samples held.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether no sample is held.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// Whether the next sample will displace one.
    pub fn is_full(&self) -> bool {
        self.samples.len() >= self.limits.last
    }

    /// The samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = Sample> + '_ {
        self.samples.iter().copied()
    }

    /// How far back the window reaches.
    pub fn limits(&self) -> WindowLimits {
        self.limits
    }

    /// The samples as one value; `None` when there are none. [`Aggregate::Rate`] is the share of
    /// samples that are not zero, [`Aggregate::Count`] their number.
    pub fn aggregate(&self, aggregate: Aggregate) -> Option<f64> {
        if self.samples.is_empty() {
            return None;
        }
        match aggregate {
            Aggregate::Rate => return Some(self.nonzero as f64 / self.samples.len() as f64),
            Aggregate::Count => return Some(self.nonzero as f64),
            _ => {}
        }
        aggregate_of(self.samples.iter().map(|sample| sample.value), aggregate)
    }

    /// Samples a second in the time up to `now` that the window covers. The time is `within`, or,
    /// when the count limit cut the window short, the age of the oldest sample. `None` without
    /// `within`, which alone says how long a silence counts.
    pub fn per_second(&self, now: Timestamp) -> Option<f64> {
        let within = self.limits.within?;
        let covered = match self.samples.front() {
            Some(oldest) if self.is_full() => now.since(oldest.at).min(within),
            _ => within,
        };
        let seconds = covered.as_secs_f64();
        (seconds > 0.0).then(|| self.samples.len() as f64 / seconds)
    }
}

/// Values as one value; `None` when there are none. Quantiles are by nearest rank: the least value
/// that at least the wanted share of the values does not exceed, so always one that was measured.
pub fn aggregate_of(values: impl Iterator<Item = f64>, aggregate: Aggregate) -> Option<f64> {
    let mut values = values.peekable();
    values.peek()?;
    Some(match aggregate {
        Aggregate::Mean => {
            let (sum, n) = values.fold((0.0, 0u64), |(sum, n), value| (sum + value, n + 1));
            sum / n as f64
        }
        Aggregate::Min => values.fold(f64::INFINITY, f64::min),
        Aggregate::Max => values.fold(f64::NEG_INFINITY, f64::max),
        Aggregate::Rate => {
            let (hits, n) = values
                .fold((0u64, 0u64), |(hits, n), value| (hits + u64::from(value != 0.0), n + 1));
            hits as f64 / n as f64
        }
        Aggregate::Count => values.filter(|value| *value != 0.0).count() as f64,
        Aggregate::P50 | Aggregate::P90 | Aggregate::P95 | Aggregate::P99 => {
            return aggregate_in(&mut values.collect::<Vec<f64>>(), aggregate);
        }
    })
}

/// Values as one value, like [`aggregate_of`]; takes no memory, and leaves the values in another
/// order.
pub fn aggregate_in(values: &mut [f64], aggregate: Aggregate) -> Option<f64> {
    let Some(share) = aggregate.quantile() else {
        return aggregate_of(values.iter().copied(), aggregate);
    };
    let rank = (share * values.len() as f64).ceil() as usize;
    let at = rank.clamp(1, values.len().max(1)) - 1;
    (at < values.len()).then(|| *values.select_nth_unstable_by(at, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample(seconds: i64, value: f64) -> Sample {
        Sample { at: Timestamp::from_millis(seconds * 1000), value }
    }

    fn of(values: &[f64], aggregate: Aggregate) -> Option<f64> {
        aggregate_of(values.iter().copied(), aggregate)
    }

    #[test]
    fn aggregates() {
        let values = [4.0, 1.0, 0.0, 3.0];
        assert_eq!(of(&values, Aggregate::Mean), Some(2.0));
        assert_eq!(of(&values, Aggregate::Min), Some(0.0));
        assert_eq!(of(&values, Aggregate::Max), Some(4.0));
        assert_eq!(of(&values, Aggregate::Rate), Some(0.75));
        assert_eq!(of(&values, Aggregate::Count), Some(3.0));
        assert_eq!(of(&values, Aggregate::P50), Some(1.0));
        assert_eq!(of(&values, Aggregate::P99), Some(4.0));
        assert_eq!(of(&[], Aggregate::Mean), None);
    }

    #[test]
    fn displaced_and_expired_samples_are_handed_back() {
        let within = Some(Duration::from_secs(10));
        let mut window = SignalWindow::new(WindowLimits { last: 3, within });
        for at in 0..3 {
            assert_eq!(window.push(sample(at, at as f64)), None);
        }
        assert_eq!(window.push(sample(3, 3.0)), Some(sample(0, 0.0)));
        let mut left = Vec::new();
        window.expire(Timestamp::from_millis(12_000), |it| left.push(it));
        assert_eq!(left, [sample(1, 1.0), sample(2, 2.0)]);
        assert_eq!(window.len(), 1);
    }

    #[test]
    fn frequency_counts_silence_and_survives_the_count_limit() {
        let within = Some(Duration::from_secs(10));
        let mut window = SignalWindow::new(WindowLimits { last: 4, within });
        assert_eq!(window.per_second(Timestamp::from_millis(0)), Some(0.0));
        window.push(sample(0, 1.0));
        assert_eq!(window.per_second(Timestamp::from_millis(1000)), Some(0.1));
        for at in 1..5 {
            window.push(sample(at, 1.0));
        }
        assert_eq!(window.per_second(Timestamp::from_millis(5000)), Some(1.0));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_quantile_is_a_measured_value_with_the_right_rank(
            values in proptest::collection::vec(-1e6f64..1e6, 1..50),
        ) {
            for aggregate in [Aggregate::P50, Aggregate::P90, Aggregate::P95, Aggregate::P99] {
                let found = of(&values, aggregate).unwrap();
                let share = aggregate.quantile().unwrap();
                let below = values.iter().filter(|value| **value < found).count() as f64;
                let up_to = values.iter().filter(|value| **value <= found).count() as f64;
                let n = values.len() as f64;
                prop_assert!(below < share * n && up_to >= share * n - 1e-9);
            }
        }
    }
}

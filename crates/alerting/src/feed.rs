use std::collections::VecDeque;
use telemetry_models::Timestamp;

/// The newest samples of one signal of a selector, for all rules that watch it.
///
/// Samples are numbered from 0; a rule's window and what lies before it are ranges of numbers, so
/// that a sample is kept once however many rules look at it. Shares take a bit a sample, other
/// signals 8 bytes, and 8 more where a window is by time.
#[derive(Clone, Debug)]
pub(crate) struct Feed {
    total: u64,
    /// When the last sample came, on the line and for people; `Timestamp::MIN` for never.
    fed: (Timestamp, Timestamp),
    samples: Samples,
    times: Option<VecDeque<Timestamp>>,
}

#[derive(Clone, Debug)]
enum Samples {
    /// Sample `number` is bit `number % (64 × words)`.
    Bits(Box<[u64]>),
    Values(VecDeque<f64>),
}

impl Feed {
    pub(crate) fn new(share: bool, depth: usize, timed: bool) -> Self {
        let samples = match share {
            true => Samples::Bits(vec![0; depth.div_ceil(64).next_power_of_two()].into()),
            false => Samples::Values(VecDeque::new()),
        };
        let fed = (Timestamp::MIN, Timestamp::MIN);
        Self { total: 0, fed, samples, times: timed.then(VecDeque::new) }
    }

    /// Samples that ever came: the number the next one has.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The number of the oldest sample that is held, of at most `depth`.
    pub(crate) fn first(&self, depth: usize) -> u64 {
        match &self.samples {
            Samples::Bits(_) => self.total.saturating_sub(depth as u64),
            Samples::Values(values) => self.total - values.len() as u64,
        }
    }

    /// When the last sample came, on the line and for people.
    pub(crate) fn fed(&self) -> Option<(Timestamp, Timestamp)> {
        (self.fed.0 != Timestamp::MIN).then_some(self.fed)
    }

    pub(crate) fn feed(&mut self, line: Timestamp, shown: Timestamp) {
        self.fed = (line, shown);
    }

    /// Takes a sample; of more than `depth` the oldest goes.
    pub(crate) fn push(&mut self, value: f64, at: Timestamp, depth: usize) {
        match &mut self.samples {
            Samples::Bits(words) => {
                let (word, bit) = place(self.total, words.len());
                words[word] = words[word] & !bit | if value == 0.0 { 0 } else { bit };
            }
            Samples::Values(values) => {
                make_room(values, depth);
                values.push_back(value);
            }
        }
        if let Some(times) = &mut self.times {
            make_room(times, depth);
            times.push_back(at);
        }
        self.total += 1;
    }

    /// Lets go of samples below `number`, except the newest.
    pub(crate) fn forget(&mut self, number: u64) {
        let Some(times) = &mut self.times else { return };
        while times.len() > 1 && self.total - (times.len() as u64) < number {
            times.pop_front();
            if let Samples::Values(values) = &mut self.samples {
                values.pop_front();
            }
        }
    }

    /// A sample that is held.
    pub(crate) fn value(&self, number: u64) -> f64 {
        match &self.samples {
            Samples::Bits(words) => {
                let (word, bit) = place(number, words.len());
                f64::from(u8::from(words[word] & bit != 0))
            }
            Samples::Values(values) => {
                let behind = (self.total - number) as usize;
                values.get(values.len().wrapping_sub(behind)).copied().unwrap_or(f64::NAN)
            }
        }
    }

    /// When a sample that is held came; `None` without windows by time.
    pub(crate) fn time(&self, number: u64) -> Option<Timestamp> {
        let times = self.times.as_ref()?;
        times.get(times.len().wrapping_sub((self.total - number) as usize)).copied()
    }

    /// Samples that are held.
    pub(crate) fn values(&self, numbers: std::ops::Range<u64>) -> impl Iterator<Item = f64> + '_ {
        numbers.map(|number| self.value(number))
    }

    /// Forgets all samples.
    pub(crate) fn clear(&mut self) {
        self.total = 0;
        if let Samples::Values(values) = &mut self.samples {
            values.clear();
        }
        if let Some(times) = &mut self.times {
            times.clear();
        }
    }
}

fn place(number: u64, words: usize) -> (usize, u64) {
    ((number / 64) as usize & (words - 1), 1 << (number % 64))
}

/// A full ring loses its oldest; another grows, by doubling up to exactly `depth`.
fn make_room<T>(ring: &mut VecDeque<T>, depth: usize) {
    if ring.len() >= depth {
        ring.pop_front();
    } else if ring.len() == ring.capacity() {
        let wanted = (ring.len() * 2).max(4).min(depth);
        ring.reserve_exact(wanted - ring.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(share: bool, depth: usize, count: u64) -> Feed {
        let mut feed = Feed::new(share, depth, false);
        for number in 0..count {
            feed.push(f64::from(u8::from(number % 3 == 0)), Timestamp::MIN, depth);
        }
        feed
    }

    #[test]
    fn the_newest_samples_are_held_by_number() {
        for share in [true, false] {
            for (depth, count) in [(1, 1), (4, 3), (140, 139), (140, 1000), (64, 129)] {
                let feed = filled(share, depth, count);
                let first = count.saturating_sub(depth as u64);
                assert_eq!((feed.total(), feed.first(depth)), (count, first));
                for number in first..count {
                    let expected = f64::from(u8::from(number % 3 == 0));
                    assert_eq!(feed.value(number), expected, "{share} {depth} {number}");
                }
            }
        }
    }

    #[test]
    fn rings_are_no_larger_than_what_they_hold_at_most() {
        let mut feed = filled(false, 140, 1000);
        let Samples::Values(values) = &feed.samples else { panic!("values") };
        assert_eq!(values.capacity(), 140);
        feed.clear();
        assert_eq!((feed.total(), feed.first(140)), (0, 0));
    }
}

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
    /// Samples in `times`, and in the ring of values.
    held: u32,
    /// Where the next one goes in these rings, at most their length.
    next: u32,
    samples: Samples,
    /// A ring as long as that of the values.
    times: Option<Box<[Timestamp]>>,
}

#[derive(Clone, Debug)]
enum Samples {
    /// Sample `number` is bit `number % 64`.
    Word(u64),
    /// Sample `number` is bit `number % (64 × words)`.
    Bits(Box<[u64]>),
    /// A ring.
    Values(Box<[f64]>),
}

impl Feed {
    pub(crate) fn new(share: bool, depth: usize, timed: bool) -> Self {
        let samples = match share {
            true if depth <= 64 => Samples::Word(0),
            true => Samples::Bits(vec![0; depth.div_ceil(64).next_power_of_two()].into()),
            false => Samples::Values(Box::default()),
        };
        let fed = (Timestamp::MIN, Timestamp::MIN);
        Self { total: 0, fed, held: 0, next: 0, samples, times: timed.then(Box::default) }
    }

    /// Samples that ever came: the number the next one has.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The number of the oldest sample that is held, of at most `depth`.
    pub(crate) fn first(&self, depth: usize) -> u64 {
        match &self.samples {
            Samples::Word(_) | Samples::Bits(_) => self.total.saturating_sub(depth as u64),
            Samples::Values(_) => self.total - u64::from(self.held),
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
        let (number, held, mut next) = (self.total, self.held as usize, self.next as usize);
        match &mut self.samples {
            Samples::Word(word) => set(std::slice::from_mut(word), number, value),
            Samples::Bits(words) => set(words, number, value),
            Samples::Values(ring) => next = put(ring, held, self.next as usize, value, depth),
        }
        if let Some(ring) = &mut self.times {
            next = put(ring, held, self.next as usize, at, depth);
        }
        self.held = (held + 1).min(depth) as u32;
        self.next = next as u32;
        self.total += 1;
    }

    /// Lets go of samples below `number`, except the newest.
    pub(crate) fn forget(&mut self, number: u64) {
        if self.times.is_some() {
            let kept = self.total.saturating_sub(number).max(1);
            self.held = self.held.min(u32::try_from(kept).unwrap_or(u32::MAX));
        }
    }

    /// A sample that is held.
    pub(crate) fn value(&self, number: u64) -> f64 {
        match &self.samples {
            Samples::Word(word) => bit(std::slice::from_ref(word), number),
            Samples::Bits(words) => bit(words, number),
            Samples::Values(ring) if self.holds(number) => ring[self.place(ring.len(), number)],
            Samples::Values(_) => f64::NAN,
        }
    }

    /// When a sample that is held came; `None` without windows by time.
    pub(crate) fn time(&self, number: u64) -> Option<Timestamp> {
        let ring = self.times.as_ref().filter(|_| self.holds(number))?;
        Some(ring[self.place(ring.len(), number)])
    }

    fn holds(&self, number: u64) -> bool {
        (self.total - u64::from(self.held)..self.total).contains(&number)
    }

    /// Where a sample that is held lies in a ring.
    fn place(&self, length: usize, number: u64) -> usize {
        let (next, behind) = (self.next as usize, (self.total - number) as usize);
        if behind <= next { next - behind } else { next + length - behind }
    }

    /// Samples that are held.
    pub(crate) fn values(&self, numbers: std::ops::Range<u64>) -> impl Iterator<Item = f64> + '_ {
        let (mut whole, mut wrapped, mut single): (&[f64], &[f64], _) = (&[], &[], numbers.clone());
        if let Samples::Values(ring) = &self.samples
            && !numbers.is_empty()
            && self.holds(numbers.start)
            && numbers.end <= self.total
        {
            let (start, length) = (self.place(ring.len(), numbers.start), numbers.count());
            let first = length.min(ring.len() - start);
            (whole, wrapped) = (&ring[start..start + first], &ring[..length - first]);
            single = 0..0;
        }
        whole.iter().chain(wrapped).copied().chain(single.map(|number| self.value(number)))
    }

    /// Forgets all samples.
    pub(crate) fn clear(&mut self) {
        (self.total, self.held, self.next) = (0, 0, 0);
    }
}

fn word_and_bit(number: u64, words: usize) -> (usize, u64) {
    ((number / 64) as usize & (words - 1), 1 << (number % 64))
}

fn set(words: &mut [u64], number: u64, value: f64) {
    let (word, bit) = word_and_bit(number, words.len());
    words[word] = words[word] & !bit | if value == 0.0 { 0 } else { bit };
}

fn bit(words: &[u64], number: u64) -> f64 {
    let (word, bit) = word_and_bit(number, words.len());
    f64::from(u8::from(words[word] & bit != 0))
}

/// Puts a sample into a ring that holds `held`, the newest before `next`; gives where the one after
/// it goes. A full ring grows, by doubling up to exactly `depth`; from there on the oldest goes.
fn put<T: Copy>(
    ring: &mut Box<[T]>,
    held: usize,
    mut next: usize,
    value: T,
    depth: usize,
) -> usize {
    if held == ring.len() && held < depth {
        let mut larger = vec![value; (held * 2).max(4).min(depth)].into_boxed_slice();
        let (newest, oldest) = ring.split_at(next);
        larger[..oldest.len()].copy_from_slice(oldest);
        larger[oldest.len()..held].copy_from_slice(newest);
        (*ring, next) = (larger, held);
    }
    if next == ring.len() {
        next = 0;
    }
    ring[next] = value;
    next + 1
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
        assert_eq!(values.len(), 140);
        let range = |numbers: std::ops::Range<u64>| feed.values(numbers).collect::<Vec<_>>();
        let one_by_one = (861..1000).map(|number| feed.value(number)).collect::<Vec<_>>();
        assert_eq!(range(861..1000), one_by_one, "also where the ring begins anew");
        assert!(range(859..861)[0].is_nan());
        feed.clear();
        assert_eq!((feed.total(), feed.first(140)), (0, 0));
    }
}

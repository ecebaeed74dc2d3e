//! Which events a store already holds, by run, producer and sequence.

use std::collections::{BTreeMap, HashMap};
use telemetry_models::{Event, ProducerId, RunId};

/// The sequences of every producer of every run, as ranges: a stream without holes takes one.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    streams: HashMap<RunId, HashMap<ProducerId, Ranges>>,
    /// Sealed segments whose sequences were not read yet, by the hashes of the streams they hold.
    #[cfg(feature = "segment")]
    unread: HashMap<u64, Vec<crate::segment::SegmentId>>,
}

/// What has to be undone when a batch could not be written.
pub(crate) struct Admitted<'a> {
    pub(crate) fresh: Vec<&'a Event>,
    pub(crate) duplicates: u64,
}

impl Seen {
    /// Takes note of a batch and says which of its events are new.
    pub(crate) fn admit<'a>(&mut self, batch: &'a [Event]) -> Admitted<'a> {
        let mut fresh = Vec::with_capacity(batch.len());
        let same = |a: &Event, b: &Event| a.run == b.run && a.producer == b.producer;
        for part in batch.chunk_by(same) {
            let Some((run, producer)) = part[0].run.as_ref().zip(part[0].producer.as_ref()) else {
                fresh.extend(part);
                continue;
            };
            let ranges = self.ranges(run, producer);
            let new = |event: &&Event| event.sequence.is_none_or(|it| ranges.insert(it));
            fresh.extend(part.iter().filter(new));
        }
        let duplicates = (batch.len() - fresh.len()) as u64;
        Admitted { fresh, duplicates }
    }

    /// Forgets events that could not be written.
    pub(crate) fn revoke(&mut self, events: &[&Event]) {
        for event in events {
            if let Some((run, producer, sequence)) = key(event) {
                self.ranges(run, producer).remove(sequence);
            }
        }
    }

    /// Takes note of a range read back from disk.
    #[cfg(feature = "segment")]
    pub(crate) fn insert_range(&mut self, run: &RunId, producer: &ProducerId, range: (u64, u64)) {
        self.ranges(run, producer).insert_range(range.0, range.1);
    }

    /// Takes note that a segment holds sequences of streams: they are read when one of the streams
    /// appends again.
    #[cfg(feature = "segment")]
    pub(crate) fn insert_unread(&mut self, segment: crate::segment::SegmentId, streams: &[u64]) {
        for stream in streams {
            self.unread.entry(*stream).or_default().push(segment);
        }
    }

    /// The segments whose sequences have to be read before a batch is admitted.
    #[cfg(feature = "segment")]
    pub(crate) fn unread(
        &self,
        batch: &[Event],
    ) -> std::collections::BTreeSet<crate::segment::SegmentId> {
        let mut segments = std::collections::BTreeSet::new();
        if self.unread.is_empty() {
            return segments;
        }
        let same = |a: &Event, b: &Event| a.run == b.run && a.producer == b.producer;
        for part in batch.chunk_by(same) {
            if let Some((run, producer)) = part[0].run.as_ref().zip(part[0].producer.as_ref()) {
                let its = self.unread.get(&crate::segment::stream(run, producer));
                segments.extend(its.into_iter().flatten());
            }
        }
        segments
    }

    /// Takes note that all sequences of a segment were inserted.
    #[cfg(feature = "segment")]
    pub(crate) fn was_read(&mut self, segment: crate::segment::SegmentId) {
        self.unread.retain(|_, segments| {
            segments.retain(|it| *it != segment);
            !segments.is_empty()
        });
    }

    /// Takes note of one event read back from disk.
    #[cfg(feature = "json")]
    pub(crate) fn insert(&mut self, run: &RunId, producer: &ProducerId, sequence: u64) {
        self.ranges(run, producer).insert(sequence);
    }

    fn ranges(&mut self, run: &RunId, producer: &ProducerId) -> &mut Ranges {
        // Two look-ups instead of `entry`, which would clone the names of every event.
        if !self.streams.get(run).is_some_and(|producers| producers.contains_key(producer)) {
            self.streams
                .entry(run.clone())
                .or_default()
                .insert(producer.clone(), Ranges::default());
        }
        self.streams
            .get_mut(run)
            .and_then(|producers| producers.get_mut(producer))
            .expect("inserted above")
    }
}

fn key(event: &Event) -> Option<(&RunId, &ProducerId, u64)> {
    Some((event.run.as_ref()?, event.producer.as_ref()?, event.sequence?))
}

/// A set of numbers, as ranges from first to last, both included.
#[derive(Debug, Default)]
pub(crate) struct Ranges(BTreeMap<u64, u64>);

impl Ranges {
    /// Whether the number was new.
    pub(crate) fn insert(&mut self, number: u64) -> bool {
        let next = number.checked_add(1);
        if let Some((_, last)) = self.0.range_mut(..=number).next_back() {
            if *last >= number {
                return false;
            }
            if *last + 1 == number {
                *last = number;
                let end = next.and_then(|next| self.0.remove(&next));
                if let Some(end) = end
                    && let Some((_, last)) = self.0.range_mut(..=number).next_back()
                {
                    *last = end;
                }
                return true;
            }
        }
        let end = next.and_then(|next| self.0.remove(&next)).unwrap_or(number);
        self.0.insert(number, end);
        true
    }

    #[cfg(any(feature = "segment", feature = "rollup"))]
    pub(crate) fn insert_range(&mut self, first: u64, last: u64) {
        if first > last {
            return;
        }
        let (mut from, mut to) = (first, last);
        if let Some((&start, &end)) = self.0.range(..=first).next_back()
            && (end >= first || end + 1 == first)
        {
            from = start;
        }
        while let Some((&start, &end)) = self.0.range(from..=to.saturating_add(1)).next() {
            to = to.max(end);
            self.0.remove(&start);
        }
        self.0.insert(from, to);
    }

    fn remove(&mut self, number: u64) {
        let Some((&first, &last)) = self.0.range(..=number).next_back() else { return };
        if last < number {
            return;
        }
        self.0.remove(&first);
        if first < number {
            self.0.insert(first, number - 1);
        }
        if number < last {
            self.0.insert(number + 1, last);
        }
    }

    /// Removes a number; whether it was there.
    #[cfg(feature = "rollup")]
    pub(crate) fn take(&mut self, number: u64) -> bool {
        let there = self.0.range(..=number).next_back().is_some_and(|(_, last)| *last >= number);
        self.remove(number);
        there
    }

    #[cfg(feature = "rollup")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(any(feature = "segment", feature = "rollup"))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, u64)> {
        self.0.iter().map(|(first, last)| (*first, *last))
    }
}

#[cfg(all(test, feature = "segment"))]
mod tests {
    use super::Ranges;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agree_with_a_plain_set(steps in prop::collection::vec((0..3u8, 0..40u64, 0..6u64), 0..60)) {
            let mut ranges = Ranges::default();
            let mut plain = BTreeSet::new();
            for (what, at, length) in steps {
                match what {
                    0 => prop_assert_eq!(ranges.insert(at), plain.insert(at)),
                    1 => {
                        ranges.remove(at);
                        plain.remove(&at);
                    }
                    _ => {
                        ranges.insert_range(at, at + length);
                        plain.extend(at..=at + length);
                    }
                }
                let listed: Vec<u64> = ranges.iter().flat_map(|(a, b)| a..=b).collect();
                prop_assert_eq!(&listed, &plain.iter().copied().collect::<Vec<_>>());
                let pieces: Vec<_> = ranges.iter().collect();
                prop_assert!(pieces.windows(2).all(|pair| pair[0].1 + 1 < pair[1].0));
            }
        }
    }

    #[test]
    fn the_ends_of_the_range_of_numbers() {
        let mut ranges = Ranges::default();
        assert!(ranges.insert(u64::MAX));
        assert!(!ranges.insert(u64::MAX));
        assert!(ranges.insert(u64::MAX - 1));
        ranges.insert_range(0, u64::MAX);
        assert_eq!(ranges.iter().collect::<Vec<_>>(), [(0, u64::MAX)]);
        ranges.remove(u64::MAX);
        assert!(ranges.insert(u64::MAX));
    }
}

//! Which events a day's rollups hold already.

use super::codec::{Reader, Writer};
use crate::seen::Ranges;
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::{Event, ProducerId, RunId};

/// A set of events: sequences by run and producer; events that lack one of the three by hash of
/// their id and how often.
#[derive(Debug, Default)]
pub(super) struct Coverage {
    streams: BTreeMap<(RunId, ProducerId), Ranges>,
    anonymous: BTreeMap<u64, u64>,
}

impl Coverage {
    /// Adds an event; whether it was new. One without run, producer or sequence is always new.
    pub(super) fn insert(&mut self, event: &Event) -> bool {
        match (&event.run, &event.producer, event.sequence) {
            (Some(run), Some(producer), Some(sequence)) => {
                let key = (run.clone(), producer.clone());
                self.streams.entry(key).or_default().insert(sequence)
            }
            _ => {
                *self.anonymous.entry(hash(event)).or_default() += 1;
                true
            }
        }
    }

    /// Takes an event out once; whether it was there.
    pub(super) fn take(&mut self, event: &Event) -> bool {
        match (&event.run, &event.producer, event.sequence) {
            (Some(run), Some(producer), Some(sequence)) => {
                let key = (run.clone(), producer.clone());
                self.streams.get_mut(&key).is_some_and(|ranges| ranges.take(sequence))
            }
            _ => match self.anonymous.get_mut(&hash(event)) {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    true
                }
                _ => false,
            },
        }
    }

    /// Whether nothing is in it.
    pub(super) fn is_empty(&self) -> bool {
        self.streams.values().all(Ranges::is_empty) && self.anonymous.values().all(|it| *it == 0)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        let streams: Vec<_> = self.streams.iter().collect();
        writer.list(&streams, |w, ((run, producer), ranges)| {
            w.text(&run.shared());
            w.text(&producer.shared());
            let ranges: Vec<_> = ranges.iter().collect();
            w.list(&ranges, |w, (first, last)| {
                w.number(*first);
                w.number(last - first);
            });
        });
        let anonymous: Vec<_> = self.anonymous.iter().filter(|(_, count)| **count > 0).collect();
        writer.list(&anonymous, |w, (hash, count)| {
            w.fixed(**hash);
            w.number(**count);
        });
        writer.finish()
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, &'static str> {
        let mut reader = Reader::new(bytes)?;
        let streams = reader.list(|r| {
            let run = RunId::new(r.text()?).map_err(|_| "a run has no name")?;
            let producer = ProducerId::new(r.text()?).map_err(|_| "a producer has no name")?;
            let mut ranges = Ranges::default();
            for (first, length) in r.list(|r| Ok((r.number()?, r.number()?)))? {
                ranges.insert_range(first, first.saturating_add(length));
            }
            Ok(((run, producer), ranges))
        })?;
        let anonymous = reader.list(|r| Ok((r.fixed()?, r.number()?)))?;
        Ok(Self {
            streams: streams.into_iter().collect(),
            anonymous: anonymous.into_iter().collect(),
        })
    }

    /// Adds everything another holds.
    pub(super) fn extend(&mut self, other: &Self) {
        for (key, ranges) in &other.streams {
            let own = self.streams.entry(key.clone()).or_default();
            for (first, last) in ranges.iter() {
                own.insert_range(first, last);
            }
        }
        for (hash, count) in &other.anonymous {
            *self.anonymous.entry(*hash).or_default() += count;
        }
    }
}

fn hash(event: &Event) -> u64 {
    let text: Arc<str> = event.id.to_string().into();
    let hash = blake3::hash(text.as_bytes());
    u64::from_le_bytes(hash.as_bytes()[..8].try_into().expect("8 of 32 bytes"))
}

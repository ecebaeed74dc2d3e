use crate::cold::Cold;
use crate::record::{End, Record, WORDS};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Records of one thread, in the order in which they ended. The thread writes them without a lock
/// and publishes each by a plain store; whoever reads claims what was published and is told of it
/// once: the pipeline, or a thread that has to give a waiting chunk up.
#[derive(Debug)]
pub(crate) struct Chunk {
    slots: Box<[Slot]>,
    /// Slots that hold a record. Written by the thread alone.
    filled: AtomicUsize,
    /// Slots that were claimed.
    claimed: AtomicUsize,
    /// Cold parts of records that nobody claimed yet, by slot, in the order of the slots. They go
    /// where their records go. Locked by the thread only for a record that has one.
    cold: Mutex<VecDeque<(usize, Box<Cold>)>>,
}

/// An operation that ended: its record, and what did not fit into it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) record: Record,
    pub(crate) cold: Option<Box<Cold>>,
}

type Slot = [AtomicU64; WORDS];

impl Chunk {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: (0..capacity).map(|_| Slot::default()).collect(),
            filled: AtomicUsize::new(0),
            claimed: AtomicUsize::new(0),
            cold: Mutex::default(),
        }
    }

    /// Lays down the cold part of the record that is pushed next, before anybody can see that
    /// record. As [`push`](Self::push), for the chunk's thread alone.
    #[cold]
    #[inline(never)]
    pub(crate) fn push_cold(&self, filled: usize, cold: Box<Cold>) {
        self.cold.lock().push_back((filled, cold));
    }

    /// Writes a record that ended into a free slot and publishes it. Only the chunk's thread calls
    /// this, with the number of slots it has filled; whether that was the last one.
    #[inline(always)]
    pub(crate) fn push(&self, filled: usize, record: &Record, end: &End) -> bool {
        let slot = &self.slots[filled];
        record.ended(end, |at, word| slot[at].store(word, Ordering::Relaxed));
        self.filled.store(filled + 1, Ordering::Release);
        filled + 1 >= self.slots.len()
    }

    /// Records that nobody claimed yet.
    pub(crate) fn waiting(&self) -> usize {
        self.filled.load(Ordering::Acquire).saturating_sub(self.claimed.load(Ordering::Acquire))
    }

    /// Takes every record that nobody claimed yet, each with its cold part.
    pub(crate) fn claim(&self) -> Vec<Ended> {
        let filled = self.filled.load(Ordering::Acquire);
        // Another reader may have seen more than this one; the mark never goes back.
        let from = self.claimed.fetch_max(filled, Ordering::AcqRel);
        let slots = self.slots.get(from..filled).unwrap_or_default();
        let mut ended: Vec<Ended> = slots
            .iter()
            .map(|slot| Record::from_words(|at| slot[at].load(Ordering::Relaxed)))
            .map(|record| Ended { record, cold: None })
            .collect();
        if ended.iter().any(|it| it.record.has_cold()) {
            let mut waiting = self.cold.lock();
            // Another reader may be about to take what lies before and behind.
            let first = waiting.partition_point(|(slot, _)| *slot < from);
            let behind = waiting.partition_point(|(slot, _)| *slot < filled);
            for (slot, cold) in waiting.drain(first..behind) {
                ended[slot - from].cold = Some(cold);
            }
        }
        ended
    }

    /// Makes a chunk that nobody else knows empty again.
    pub(crate) fn clear(&mut self) {
        *self.filled.get_mut() = 0;
        *self.claimed.get_mut() = 0;
        self.cold.get_mut().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cold::Excerpt;
    use std::sync::Arc;
    use telemetry_models::OperationKind;

    #[test]
    fn each_record_is_claimed_once_whoever_looks() {
        const RECORDS: usize = 20_000;
        let chunk = Arc::new(Chunk::new(RECORDS));
        let reading = |chunk: Arc<Chunk>| {
            move || {
                let mut seen = Vec::new();
                while chunk.claimed.load(Ordering::Acquire) < RECORDS {
                    for Ended { record, cold } in chunk.claim() {
                        let detail = cold.map(|cold| cold.attributes[0].0.to_string());
                        let expected = record.has_cold().then(|| record.end().to_string());
                        assert_eq!(detail, expected, "a cold part goes where its record goes");
                        seen.push(record.end());
                    }
                }
                seen
            }
        };
        let readers = [(); 2].map(|()| std::thread::spawn(reading(Arc::clone(&chunk))));
        for at in 0..RECORDS {
            let record = Record::new(0, 0, 0, None, OperationKind::Resolution);
            let cold = at % 3 == 0;
            if cold {
                let attributes = vec![(at.to_string().into(), Excerpt::new("", 1))];
                chunk.push_cold(at, Box::new(Cold { attributes, ..Cold::default() }));
            }
            let last = chunk.push(at, &record, &End { at: at as u64, cold, sampling: 0 });
            assert_eq!(last, at + 1 == RECORDS);
        }
        let mut seen: Vec<u64> = readers.into_iter().flat_map(|it| it.join().unwrap()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..RECORDS as u64));
        assert_eq!(chunk.waiting(), 0);
    }
}

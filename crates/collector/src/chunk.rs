use crate::record::{End, Record, WORDS};
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
}

type Slot = [AtomicU64; WORDS];

impl Chunk {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            slots: (0..capacity).map(|_| Slot::default()).collect(),
            filled: AtomicUsize::new(0),
            claimed: AtomicUsize::new(0),
        }
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

    /// Takes every record that nobody claimed yet.
    pub(crate) fn claim(&self) -> Vec<Record> {
        let filled = self.filled.load(Ordering::Acquire);
        // Another reader may have seen more than this one; the mark never goes back.
        let from = self.claimed.fetch_max(filled, Ordering::AcqRel);
        let slots = self.slots.get(from..filled).unwrap_or_default();
        let record = |slot: &Slot| Record::from_words(|at| slot[at].load(Ordering::Relaxed));
        slots.iter().map(record).collect()
    }

    /// Makes a chunk that nobody else knows empty again.
    pub(crate) fn clear(&mut self) {
        *self.filled.get_mut() = 0;
        *self.claimed.get_mut() = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
                    seen.extend(chunk.claim().iter().map(Record::end));
                }
                seen
            }
        };
        let readers = [(); 2].map(|()| std::thread::spawn(reading(Arc::clone(&chunk))));
        for at in 0..RECORDS {
            let record = Record::new(0, 0, 0, None, OperationKind::Resolution);
            let last = chunk.push(at, &record, &End { at: at as u64, cold: 0, sampling: 0 });
            assert_eq!(last, at + 1 == RECORDS);
        }
        let mut seen: Vec<u64> = readers.into_iter().flat_map(|it| it.join().unwrap()).collect();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..RECORDS as u64));
        assert_eq!(chunk.waiting(), 0);
    }
}

use std::sync::Arc;
use telemetry_aggregation::BoundedMap;

/// Texts whose counts are gathered before they are looked up.
const SLOTS: usize = 64;

/// Counts texts. Events of one block share their texts, so what is counted is found by its address
/// most of the time, and looked up by its characters only when it is crowded out.
#[derive(Debug)]
pub(crate) struct Tally<const N: usize> {
    counts: BoundedMap<Arc<str>, u64, N>,
    recent: Vec<Option<(Arc<str>, u64)>>,
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self { counts: BoundedMap::default(), recent: vec![None; SLOTS] }
    }
}

impl<const N: usize> Tally<N> {
    pub(crate) fn add(&mut self, text: &Arc<str>, times: u64) {
        let address = text.as_ptr() as usize;
        let slot = &mut self.recent[(address >> 4) % SLOTS];
        match slot {
            Some((known, count)) if Arc::ptr_eq(known, text) => *count += times,
            _ => {
                if let Some((known, count)) = slot.replace((Arc::clone(text), times)) {
                    self.counts.update(&known, |own| *own += count);
                }
            }
        }
    }

    /// Brings everything that was gathered into the counts.
    pub(crate) fn settle(&mut self) {
        for slot in &mut self.recent {
            if let Some((known, count)) = slot.take() {
                self.counts.update(&known, |own| *own += count);
            }
        }
    }

    /// Adds what another counted; both are settled afterwards.
    pub(crate) fn merge(&mut self, other: &mut Self) {
        other.settle();
        self.settle();
        self.counts.merge(&other.counts);
    }

    /// The counts, once settled.
    pub(crate) fn counts(&self) -> &BoundedMap<Arc<str>, u64, N> {
        &self.counts
    }
}

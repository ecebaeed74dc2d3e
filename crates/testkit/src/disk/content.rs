//! The content of one file: what programs see, and what a loss of power leaves.

use super::Loss;
use fastrand::Rng;
use std::sync::Arc;

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    /// What a program reads: the page cache.
    pub(super) now: Vec<u8>,
    /// What is on stable storage for certain.
    durable: Vec<u8>,
    /// What happened since, in order.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
struct Change {
    what: What,
    /// A failed sync forgot it: programs still read it, no later sync writes it.
    forgotten: bool,
}

#[derive(Clone, Debug)]
enum What {
    Write { at: usize, bytes: Arc<[u8]> },
    Truncate(usize),
}

impl Content {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let what = What::Write { at: self.now.len(), bytes: bytes.into() };
        self.now.extend(bytes);
        self.pending.push(Change { what, forgotten: false });
    }

    pub(super) fn truncate(&mut self, length: usize) {
        self.now.resize(length, 0);
        self.pending.push(Change { what: What::Truncate(length), forgotten: false });
    }

    pub(super) fn sync(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        for change in pending.into_iter().filter(|change| !change.forgotten) {
            change.what.apply(&mut self.durable);
        }
    }

    /// A sync that fails: some of what was to be written is, the rest is forgotten for good.
    pub(super) fn fail_to_sync(&mut self, rng: &mut Rng) {
        for change in &mut self.pending {
            // A length is metadata: it stays to be written.
            if !change.forgotten && matches!(change.what, What::Write { .. }) {
                if rng.bool() {
                    change.what.apply(&mut self.durable);
                }
                change.forgotten = true;
            }
        }
    }

    pub(super) fn forgets(&self) -> bool {
        self.pending.iter().any(|change| change.forgotten)
    }

    /// Pages that a failed sync forgot leave the cache: programs read the disk again.
    pub(super) fn evict(&mut self) {
        if self.forgets() {
            self.now = self.durable.clone();
            for change in self.pending.iter().filter(|change| !change.forgotten) {
                change.what.apply(&mut self.now);
            }
            self.pending.retain(|change| !change.forgotten);
        }
    }

    pub(super) fn flip(&mut self, bit: usize) {
        self.now[bit / 8] ^= 1 << (bit % 8);
        self.durable = self.now.clone();
    }

    /// What is there after a loss of power.
    pub(super) fn after(&self, loss: Loss, rng: &mut Rng) -> Self {
        let left = match loss {
            Loss::Unsynced => self.durable.clone(),
            Loss::Nothing => self.now.clone(),
            Loss::Tail => self.tail_lost(rng),
            Loss::Scattered => self.scattered(rng),
        };
        Self { now: left.clone(), durable: left, pending: Vec::new() }
    }

    /// Changes took effect in order up to some moment, which may be in the middle of a write.
    fn tail_lost(&self, rng: &mut Rng) -> Vec<u8> {
        let mut left = self.durable.clone();
        let kept = rng.usize(..=self.pending.len());
        for (index, change) in self.pending.iter().take(kept).enumerate() {
            match &change.what {
                What::Write { at, bytes } if index + 1 == kept => {
                    let torn = rng.usize(..=bytes.len());
                    What::Write { at: *at, bytes: bytes[..torn].into() }.apply(&mut left);
                }
                what => what.apply(&mut left),
            }
        }
        left
    }

    /// The length of some moment; each sector as it was at some moment, not the same one.
    fn scattered(&self, rng: &mut Rng) -> Vec<u8> {
        let mut versions = vec![self.durable.clone()];
        for change in &self.pending {
            let mut next = versions.last().cloned().unwrap_or_default();
            change.what.apply(&mut next);
            versions.push(next);
        }
        let length = versions[rng.usize(..versions.len())].len();
        let sector = 1usize << rng.u32(3..=9);
        let mut left = Vec::with_capacity(length);
        while left.len() < length {
            let end = (left.len() + sector).min(length);
            let version = &versions[rng.usize(..versions.len())];
            // Space that was made and never written reads as zeros.
            left.extend((left.len()..end).map(|at| version.get(at).copied().unwrap_or(0)));
        }
        left
    }
}

impl What {
    fn apply(&self, to: &mut Vec<u8>) {
        match self {
            Self::Write { at, bytes } => {
                let end = at + bytes.len();
                if to.len() < end {
                    to.resize(end, 0);
                }
                to[*at..end].copy_from_slice(bytes);
            }
            Self::Truncate(length) => to.resize(*length, 0),
        }
    }
}

use std::collections::BTreeSet;
use std::sync::Arc;
use telemetry_models::StrategyKind;

/// Keys that hash the same in every process, so that sketches of different processes merge.
pub trait Fingerprint {
    /// Feeds the key's bytes to `take`. Different keys feed different bytes.
    fn feed(&self, take: &mut dyn FnMut(&[u8]));
}

impl Fingerprint for str {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        take(self.as_bytes());
        take(&[0xff]);
    }
}

impl Fingerprint for Arc<str> {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.as_ref().feed(take);
    }
}

impl Fingerprint for StrategyKind {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.as_str().feed(take);
    }
}

impl<T: Fingerprint> Fingerprint for Option<T> {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        match self {
            Some(key) => {
                take(&[1]);
                key.feed(take);
            }
            None => take(&[0]),
        }
    }
}

impl<A: Fingerprint, B: Fingerprint> Fingerprint for (A, B) {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.0.feed(take);
        self.1.feed(take);
    }
}

/// FNV-1a with 64 bits (Fowler, Noll, Vo), finished with the mixer of MurmurHash3 (Appleby), which
/// spreads short keys evenly.
pub(crate) fn fingerprint<K: Fingerprint + ?Sized>(key: &K) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    key.feed(&mut |bytes| {
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    });
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^ (hash >> 33)
}

/// Counts distinct texts in bounded memory, mergeable.
///
/// Keeps the 256 smallest hashes: exact up to 256 distinct texts, beyond that an estimate with a
/// standard error of about 6 % (k minimum values; Bar-Yossef and others, “Counting distinct
/// elements in a data stream”, RANDOM 2002). Order-free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DistinctSketch {
    smallest: BTreeSet<u64>,
    overflowed: bool,
}

/// Hashes kept.
const K: usize = 256;

impl DistinctSketch {
    /// Adds a text.
    pub fn add(&mut self, text: &str) {
        self.add_hash(fingerprint(text));
    }

    /// Adds everything another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        self.overflowed |= other.overflowed;
        for hash in &other.smallest {
            self.add_hash(*hash);
        }
    }

    /// Distinct texts added.
    pub fn count(&self) -> u64 {
        match self.smallest.last() {
            Some(largest) if self.overflowed => {
                let share = (*largest as f64 + 1.0) / (u64::MAX as f64 + 1.0);
                ((K - 1) as f64 / share).round() as u64
            }
            _ => self.smallest.len() as u64,
        }
    }

    /// Whether [`count`](Self::count) is exact.
    pub fn is_exact(&self) -> bool {
        !self.overflowed
    }

    fn add_hash(&mut self, hash: u64) {
        if self.smallest.len() >= K && self.smallest.last().is_some_and(|largest| hash > *largest) {
            self.overflowed = true;
            return;
        }
        self.smallest.insert(hash);
        if self.smallest.len() > K {
            self.smallest.pop_last();
            self.overflowed = true;
        }
    }
}

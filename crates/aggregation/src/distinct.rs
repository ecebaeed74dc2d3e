use std::sync::Arc;
use telemetry_models::StrategyKind;
use telemetry_models::rollup::DistinctHashes;

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
pub fn fingerprint<K: Fingerprint + ?Sized>(key: &K) -> u64 {
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
    /// Ascending.
    smallest: Vec<u64>,
    overflowed: bool,
}

/// Hashes kept.
const K: usize = 256;

impl DistinctSketch {
    /// Adds a text.
    pub fn add(&mut self, text: &str) {
        let hash = fingerprint(text);
        let Err(at) = self.smallest.binary_search(&hash) else { return };
        if at < K {
            self.smallest.insert(at, hash);
        }
        self.cut(at >= K);
    }

    /// Adds everything another sketch holds.
    pub fn merge(&mut self, other: &Self) {
        self.merge_sorted(&other.smallest, other.overflowed);
    }

    /// Adds what a rollup holds.
    pub(crate) fn merge_hashes(&mut self, other: &DistinctHashes) {
        self.merge_sorted(&other.smallest, other.overflowed);
    }

    /// As plain numbers.
    pub(crate) fn to_hashes(&self) -> DistinctHashes {
        DistinctHashes { smallest: self.smallest.clone(), overflowed: self.overflowed }
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

    fn merge_sorted(&mut self, other: &[u64], overflowed: bool) {
        if self.smallest.is_empty() {
            self.smallest.extend_from_slice(other);
        } else if !other.is_empty() {
            let own = std::mem::take(&mut self.smallest);
            let mut merged = vec![0; own.len() + other.len()];
            let (mut at, mut and, mut length) = (0, 0, 0);
            // Hashes are random: a branch on them would be guessed wrongly every other time.
            while at < own.len() && and < other.len() {
                let (hash, its) = (own[at], other[and]);
                merged[length] = hash.min(its);
                at += usize::from(hash <= its);
                and += usize::from(its <= hash);
                length += 1;
            }
            merged.truncate(length);
            merged.extend_from_slice(&own[at..]);
            merged.extend_from_slice(&other[and..]);
            self.smallest = merged;
        }
        self.cut(overflowed);
    }

    fn cut(&mut self, overflowed: bool) {
        self.overflowed |= overflowed || self.smallest.len() > K;
        self.smallest.truncate(K);
    }
}

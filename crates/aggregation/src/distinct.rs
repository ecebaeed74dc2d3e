use std::sync::Arc;
use telemetry_models::StrategyKind;
use telemetry_models::rollup::DistinctHashes;

/// Keys that hash the same in every process, so that sketches of different processes merge.
pub trait Fingerprint {
    /// Feeds the key's bytes to `take`. Different keys feed different bytes.
    fn feed(&self, take: &mut dyn FnMut(&[u8]));

    /// Whether both are one and the same in memory, and therefore equal; told without looking at
    /// their bytes. Equal keys of which that is not so are found by their bytes.
    fn is_same(&self, _other: &Self) -> bool {
        false
    }
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

    fn is_same(&self, other: &Self) -> bool {
        Self::ptr_eq(self, other)
    }
}

impl Fingerprint for StrategyKind {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.as_str().feed(take);
    }

    fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self.as_str(), other.as_str())
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

    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Some(own), Some(other)) => own.is_same(other),
            (own, other) => own.is_none() && other.is_none(),
        }
    }
}

impl<A: Fingerprint, B: Fingerprint> Fingerprint for (A, B) {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        self.0.feed(take);
        self.1.feed(take);
    }

    fn is_same(&self, other: &Self) -> bool {
        self.0.is_same(&other.0) && self.1.is_same(&other.1)
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
        self.add_hash(fingerprint(text));
    }

    /// Adds a text by its [`fingerprint`].
    pub(crate) fn add_hash(&mut self, hash: u64) {
        let full = self.smallest.len() >= K;
        if full && self.smallest.last().is_some_and(|largest| hash > *largest) {
            self.overflowed = true;
            return;
        }
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
        let mut other = other;
        if let Some(largest) = self.smallest.last().filter(|_| self.smallest.len() >= K) {
            // What is larger than all of `K` is counted, and not kept.
            let kept = other.partition_point(|hash| hash <= largest);
            self.overflowed |= kept < other.len();
            other = &other[..kept];
        }
        if other.len() > K {
            self.overflowed = true;
            other = &other[..K];
        }
        let merged = &mut self.smallest;
        let (mut at, mut and) = (merged.len(), other.len());
        merged.resize(at + and, 0);
        let mut into = merged.len();
        // From the back, in place. Hashes are random: a branch on them would be guessed wrongly every
        // other time.
        while at > 0 && and > 0 {
            let (hash, its) = (merged[at - 1], other[and - 1]);
            into -= 1;
            merged[into] = hash.max(its);
            at -= usize::from(hash >= its);
            and -= usize::from(its >= hash);
        }
        into -= and;
        merged[into..into + and].copy_from_slice(&other[..and]);
        // What both have leaves a gap.
        merged.drain(at..into);
        self.cut(overflowed);
    }

    fn cut(&mut self, overflowed: bool) {
        self.overflowed |= overflowed || self.smallest.len() > K;
        self.smallest.truncate(K);
    }
}

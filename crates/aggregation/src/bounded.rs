use crate::distinct::{Fingerprint, fingerprint};
use std::collections::BTreeMap;

/// What two parts of one summary become together.
pub trait Merge {
    /// Adds what `other` holds. Associative and commutative.
    fn merge(&mut self, other: &Self);
}

impl Merge for u64 {
    fn merge(&mut self, other: &Self) {
        *self = self.saturating_add(*other);
    }
}

/// At most `N` keys with exact values; keys beyond that are folded into one value.
///
/// Which keys are kept depends on a fixed hash of the key alone (a bottom-k sample), so a kept
/// key's value covers all of its additions and the result does not depend on the order of additions
/// and merges. With up to `N` distinct keys nothing is folded.
#[derive(Clone, Debug, PartialEq)]
pub struct BoundedMap<K, V, const N: usize> {
    kept: BTreeMap<(u64, K), V>,
    other: V,
    folded: bool,
}

impl<K, V: Default, const N: usize> Default for BoundedMap<K, V, N> {
    fn default() -> Self {
        Self { kept: BTreeMap::new(), other: V::default(), folded: false }
    }
}

impl<K: Ord + Clone + Fingerprint, V: Merge + Default, const N: usize> BoundedMap<K, V, N> {
    /// Changes the value of `key`, or of what keys beyond the limit are folded into.
    pub fn update(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        self.update_hashed((fingerprint(key), key.clone()), change);
    }

    /// Merges everything another map holds.
    pub fn merge(&mut self, other: &Self) {
        for (key, value) in &other.kept {
            self.update_hashed(key.clone(), |own| own.merge(value));
        }
        self.other.merge(&other.other);
        self.folded |= other.folded;
    }

    /// Adds to what the keys that are not kept add up to.
    pub(crate) fn merge_other(&mut self, other: &V) {
        self.other.merge(other);
        self.folded = true;
    }

    /// The kept keys and their values.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.kept.iter().map(|((_, key), value)| (key, value))
    }

    /// What the keys that were not kept add up to; `None` when every key was kept.
    pub fn other(&self) -> Option<&V> {
        self.folded.then_some(&self.other)
    }

    fn update_hashed(&mut self, key: (u64, K), change: impl FnOnce(&mut V)) {
        let full = self.kept.len() >= N;
        // Once a key was folded, keys above the largest kept one must be folded for ever: a part
        // of their additions may be in `other` already.
        let beyond = full && self.kept.last_key_value().is_some_and(|(last, _)| key > *last);
        if beyond {
            change(&mut self.other);
            self.folded = true;
            return;
        }
        change(self.kept.entry(key).or_default());
        if self.kept.len() > N
            && let Some((_, pushed_out)) = self.kept.pop_last()
        {
            self.other.merge(&pushed_out);
            self.folded = true;
        }
    }
}

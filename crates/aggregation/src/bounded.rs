use crate::distinct::{Fingerprint, fingerprint};

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
    /// By hash and key.
    kept: Vec<Entry<K, V>>,
    other: V,
    folded: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Entry<K, V> {
    hash: u64,
    key: K,
    value: V,
}

impl<K, V: Default, const N: usize> Default for BoundedMap<K, V, N> {
    fn default() -> Self {
        Self { kept: Vec::new(), other: V::default(), folded: false }
    }
}

impl<K: Ord + Clone + Fingerprint, V: Merge + Default, const N: usize> BoundedMap<K, V, N> {
    /// Entries up to which a key is first looked for by its address.
    const FEW: usize = 8;

    /// Changes the value of `key`, or of what keys beyond the limit are folded into.
    pub fn update(&mut self, key: &K, change: impl FnOnce(&mut V)) {
        if self.kept.len() <= Self::FEW
            && let Some(entry) = self.kept.iter_mut().find(|it| it.key.is_same(key))
        {
            return change(&mut entry.value);
        }
        self.update_hashed(fingerprint(key), key, change);
    }

    /// Merges everything another map holds.
    pub fn merge(&mut self, other: &Self) {
        for entry in &other.kept {
            self.update_hashed(entry.hash, &entry.key, |own| own.merge(&entry.value));
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
        self.kept.iter().map(|entry| (&entry.key, &entry.value))
    }

    /// What the keys that were not kept add up to; `None` when every key was kept.
    pub fn other(&self) -> Option<&V> {
        self.folded.then_some(&self.other)
    }

    fn update_hashed(&mut self, hash: u64, key: &K, change: impl FnOnce(&mut V)) {
        let at = self.kept.binary_search_by(|it| (it.hash, &it.key).cmp(&(hash, key)));
        let at = match at {
            Ok(at) => {
                let entry = &mut self.kept[at];
                if !entry.key.is_same(key) {
                    // The one that was met last is likely to be met next.
                    entry.key = key.clone();
                }
                return change(&mut entry.value);
            }
            Err(at) => at,
        };
        // Once a key was folded, keys above the largest kept one must be folded for ever: a part
        // of their additions may be in `other` already.
        if at >= N {
            change(&mut self.other);
            self.folded = true;
            return;
        }
        let mut value = V::default();
        change(&mut value);
        self.kept.insert(at, Entry { hash, key: key.clone(), value });
        if self.kept.len() > N
            && let Some(pushed_out) = self.kept.pop()
        {
            self.other.merge(&pushed_out.value);
            self.folded = true;
        }
    }
}

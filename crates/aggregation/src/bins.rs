use std::iter::once;

/// Bins that are listed are never put into a table while they are fewer.
const LEAST: usize = 32;

/// Counts by bin number. Listed while bins are few or far apart; otherwise a table from the first to
/// the last, in which a bin is found without a search. A table takes at most four times the room of
/// the list.
#[derive(Clone, Debug)]
pub(crate) enum Bins {
    /// Bin number and count, by bin number.
    Listed(Vec<(u16, u64)>),
    Table(Table),
}

/// Neither the first nor the last count is 0.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    first: u16,
    counts: Vec<u64>,
    /// Counts that are not 0.
    used: usize,
}

impl Default for Bins {
    fn default() -> Self {
        Self::Listed(Vec::new())
    }
}

impl PartialEq for Bins {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Bins {}

impl Bins {
    /// Adds to a bin; `count` is not 0.
    #[inline]
    pub(crate) fn add(&mut self, bin: u16, count: u64) {
        if let Self::Table(table) = self
            && let Some(own) = table.counts.get_mut(usize::from(bin.wrapping_sub(table.first)))
        {
            table.used += usize::from(*own == 0);
            *own += count;
            return;
        }
        self.add_elsewhere(bin, count);
    }

    /// Adds everything another holds.
    pub(crate) fn merge(&mut self, other: &Self) {
        match other {
            Self::Listed(list) => self.merge_list(list),
            Self::Table(_) if self.is_empty() => self.clone_from(other),
            Self::Table(_) => other.iter().for_each(|(bin, count)| self.add(bin, count)),
        }
    }

    /// Adds bins that ascend.
    pub(crate) fn merge_list(&mut self, other: &[(u16, u64)]) {
        match self {
            Self::Listed(list) if list.is_empty() => list.extend_from_slice(other),
            Self::Listed(list) if !other.is_empty() => *list = merged(list, other),
            Self::Listed(_) => return,
            Self::Table(_) => {
                other.iter().filter(|it| it.1 > 0).for_each(|(bin, count)| self.add(*bin, *count));
                return;
            }
        }
        self.choose();
    }

    /// Number and count of each bin that holds something, ascending.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u16, u64)> {
        let (list, first, counts): (&[(u16, u64)], u16, &[u64]) = match self {
            Self::Listed(list) => (list, 0, &[]),
            Self::Table(table) => (&[], table.first, &table.counts),
        };
        let table = (first..=u16::MAX).zip(counts.iter().copied());
        list.iter().copied().chain(table.filter(|(_, count)| *count > 0))
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Listed(list) if list.is_empty())
    }

    /// Adds to a bin that is in no table.
    fn add_elsewhere(&mut self, bin: u16, count: u64) {
        match self {
            Self::Listed(list) => match list.binary_search_by_key(&bin, |(bin, _)| *bin) {
                Ok(at) => list[at].1 += count,
                Err(at) => {
                    list.insert(at, (bin, count));
                    self.choose();
                }
            },
            Self::Table(table) => {
                let last = table.first + (table.counts.len() - 1) as u16;
                let (first, last) = (table.first.min(bin), last.max(bin));
                if usize::from(last - first) < 8 * table.used {
                    if bin < table.first {
                        let more = usize::from(table.first - bin);
                        table.counts.splice(0..0, once(count).chain(vec![0; more - 1]));
                        table.first = bin;
                    } else {
                        table.counts.resize(usize::from(last - first), 0);
                        table.counts.push(count);
                    }
                    table.used += 1;
                } else {
                    // Too sparse with this one.
                    let mut list: Vec<(u16, u64)> = self.iter().collect();
                    let at = list.partition_point(|(own, _)| *own < bin);
                    list.insert(at, (bin, count));
                    *self = Self::Listed(list);
                }
            }
        }
    }

    /// Makes a table of a list that has become dense enough.
    fn choose(&mut self) {
        let Self::Listed(list) = self else { return };
        let [(first, _), .., (last, _)] = list[..] else { return };
        let span = usize::from(last.wrapping_sub(first)) + 1;
        if list.len() < LEAST || span > 4 * list.len() {
            return;
        }
        let mut counts = vec![0; span];
        for (bin, count) in &*list {
            // What a damaged rollup has out of order stays a list.
            let Some(own) = counts.get_mut(usize::from(bin.wrapping_sub(first))) else { return };
            *own += count;
        }
        *self = Self::Table(Table { first, counts, used: list.len() });
    }
}

/// Merges two lists that ascend by bin. Without branches that depend on the bins: which list is next
/// is as good as random, and a processor that guesses it wrongly loses more than the work takes.
fn merged(own: &[(u16, u64)], other: &[(u16, u64)]) -> Vec<(u16, u64)> {
    let mut merged = vec![(0, 0); own.len() + other.len()];
    let (mut at, mut and, mut length) = (0, 0, 0);
    while at < own.len() && and < other.len() {
        let ((bin, count), (other_bin, other_count)) = (own[at], other[and]);
        let (mine, its) = (bin <= other_bin, other_bin <= bin);
        let sum = count * u64::from(mine) + other_count * u64::from(its);
        merged[length] = (bin.min(other_bin), sum);
        at += usize::from(mine);
        and += usize::from(its);
        length += 1;
    }
    merged.truncate(length);
    merged.extend_from_slice(&own[at..]);
    merged.extend_from_slice(&other[and..]);
    merged
}

#[cfg(test)]
mod tests {
    use super::Bins;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    fn bins() -> impl Strategy<Value = Vec<u16>> {
        prop_oneof![
            prop::collection::vec(any::<u16>(), 0..80),
            prop::collection::vec(3_000..3_200u16, 0..400),
            (prop::collection::vec(3_000..3_100u16, 90..200), any::<u16>()).prop_map(
                |(mut dense, far)| {
                    dense.insert(dense.len() / 2, far);
                    dense
                }
            ),
        ]
    }

    proptest! {
        /// However they are kept: as a map would have them, in every order and grouping.
        #[test]
        fn bins_count_as_a_map_does(a in bins(), b in bins()) {
            let mut counted = BTreeMap::<u16, u64>::new();
            let (mut whole, mut parts) = (Bins::default(), [Bins::default(), Bins::default()]);
            for (part, bin) in a.iter().map(|it| (0, it)).chain(b.iter().map(|it| (1, it))) {
                *counted.entry(*bin).or_default() += 1;
                whole.add(*bin, 1);
                parts[part].add(*bin, 1);
            }
            prop_assert!(whole.iter().eq(counted.clone()));
            let [first, second] = parts;
            let (mut merged, mut back, mut listed) = (first.clone(), second.clone(), first.clone());
            merged.merge(&second);
            back.merge(&first);
            listed.merge_list(&second.iter().collect::<Vec<_>>());
            prop_assert!(merged == whole && back == whole && listed == whole);
        }
    }
}

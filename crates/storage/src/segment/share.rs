//! Deals the selectors of an answer to several readers.

use super::index::{BlockEntry, Segment};
use foldhash::fast::FixedState;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use telemetry_interfaces::Query;

/// The selectors of one part of an answer.
#[derive(Clone, Debug)]
pub(super) struct Share {
    dealt: Arc<Dealt>,
    part: usize,
}

#[derive(Debug)]
struct Dealt {
    parts: usize,
    /// Those whose events were counted; the others are dealt by a hash of their names.
    weighed: HashMap<Arc<str>, usize>,
}

/// How many events each selector has, as far as it was looked at.
#[derive(Debug, Default)]
pub(super) struct Weights(HashMap<Arc<str>, u64>);

impl Weights {
    /// Adds what a segment's blocks hold that a query may want; gives how many events that are.
    pub(super) fn add(&mut self, segment: &Segment, query: &Query) -> u64 {
        let blocks = segment.blocks.iter().filter(|it| query.overlaps(it.first, it.last));
        let mut events = 0;
        for (selector, count) in blocks.flat_map(|block| &block.selectors) {
            let name = &segment.selectors.names[*selector as usize];
            if query.selector.as_ref().is_some_and(|pattern| !pattern.matches(name)) {
                continue;
            }
            events += u64::from(*count);
            match self.0.get_mut(name) {
                Some(weight) => *weight += u64::from(*count),
                None => drop(self.0.insert(Arc::clone(name), (*count).into())),
            }
        }
        events
    }

    /// A share for each of so many parts, with about as many events in each.
    pub(super) fn dealt(self, parts: usize) -> Vec<Share> {
        let mut order: Vec<(Arc<str>, u64)> = self.0.into_iter().collect();
        order.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let mut loads = vec![0u64; parts];
        let mut weighed = HashMap::new();
        // The most frequent first, each to whoever has least.
        for (selector, events) in order {
            let least = (0..parts).min_by_key(|part| loads[*part]).unwrap_or(0);
            loads[least] += events;
            weighed.insert(selector, least);
        }
        let dealt = Arc::new(Dealt { parts, weighed });
        (0..parts).map(|part| Share { dealt: Arc::clone(&dealt), part }).collect()
    }
}

impl Share {
    /// The part that a selector belongs to.
    pub(super) fn part_of(&self, selector: &str) -> usize {
        self.dealt.weighed.get(selector).copied().unwrap_or_else(|| {
            (FixedState::with_seed(7).hash_one(selector) >> 32) as usize % self.dealt.parts
        })
    }

    /// Whether a selector is in this share.
    pub(super) fn has(&self, selector: &str) -> bool {
        self.part_of(selector) == self.part
    }

    /// Whether it is for this share to tell of what concerns all.
    pub(super) fn is_first(&self) -> bool {
        self.part == 0
    }

    /// Whether it is for this share to tell that a block of a segment is damaged.
    pub(super) fn tells_of(&self, segment: &Segment, block: &BlockEntry) -> bool {
        let names = block.selectors.iter().map(|(at, _)| &segment.selectors.names[*at as usize]);
        names.map(|name| self.part_of(name)).min() == Some(self.part)
    }
}

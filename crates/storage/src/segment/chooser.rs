//! Chooses the blocks that may hold something a query wants.

use super::blocks::BlockSource;
use super::footers::Footers;
use super::index::{BlockEntry, Known, Segment, StripeEntry};
use super::names::{self, SegmentId};
use super::share::Share;
use crate::codec::outcome_bits;
use crate::codec::sorted::Key;
use crate::fault;
use std::collections::HashMap;
use std::sync::Arc;
use telemetry_interfaces::{Error, Query};

/// What a query's conditions say of segments and blocks.
pub(super) struct Chooser {
    query: Query,
    pub(super) outcomes: u32,
    pub(super) footers: Arc<Footers>,
    stripes: Stripes,
    /// Which selectors are wanted, where others read the rest.
    pub(super) share: Option<Share>,
}

impl Chooser {
    pub(super) fn new(query: &Query, footers: Arc<Footers>) -> Self {
        let outcomes =
            if query.outcomes.is_empty() { u32::MAX } else { outcome_bits(&query.outcomes) };
        Self { query: query.clone(), outcomes, footers, stripes: Stripes::new(query), share: None }
    }

    /// Whether a segment may hold something.
    pub(super) fn may_want(&self, known: &Known) -> bool {
        known.sealed.events > 0
            && self.query.overlaps(known.first, known.last)
            && known.outcomes & self.outcomes != 0
    }

    /// Calls `take` with the blocks of a segment that may hold something, and numbers from `ordinal`
    /// on that tell which of two events of the same time comes first.
    pub(super) fn choose(
        &mut self,
        segment: &Segment,
        mut ordinal: u64,
        source: &mut BlockSource,
        take: &mut dyn FnMut(u64, Arc<BlockEntry>),
    ) {
        let query = &self.query;
        let pattern = query.selector.as_ref().filter(|pattern| !pattern.is_any());
        let share = self.share.as_ref();
        let wants = |name: &str| {
            pattern.is_none_or(|it| it.matches(name)) && share.is_none_or(|it| it.has(name))
        };
        let selectors: Option<Vec<bool>> = (pattern.is_some() || share.is_some())
            .then(|| segment.selectors.names.iter().map(|name| wants(name)).collect());
        let sites: Option<Vec<bool>> = query
            .site
            .as_ref()
            .map(|site| segment.sites.names.iter().map(|name| name == site).collect());
        let has = |wanted: &Option<Vec<bool>>, present: &[(u32, u32)]| {
            wanted.as_ref().is_none_or(|wanted| present.iter().any(|(it, _)| wanted[*it as usize]))
        };
        let mut before = None;
        for block in &segment.blocks {
            // Rows of one stripe share their place: their ties tell their order.
            if block.stripe.is_none() || block.stripe != before {
                ordinal += 1;
            }
            before = block.stripe;
            let wanted = query.overlaps(block.first, block.last)
                && block.outcomes & self.outcomes != 0
                && has(&selectors, &block.selectors)
                && has(&sites, &block.sites);
            if wanted && self.stripes.may_hold(source, block) {
                take(ordinal, Arc::clone(block));
            }
        }
    }
}

/// What is lost of a segment, as items of an answer.
pub(super) fn gaps(id: SegmentId, segment: &Segment) -> impl Iterator<Item = Error> + '_ {
    segment.gaps.iter().filter(|gap| !gap.harmless).map(move |gap| {
        let lost = gap.events.map_or_else(String::new, |n| format!("; {n} events lost"));
        let what = format!("{}, {} bytes{lost}", gap.what, gap.length);
        fault::damaged(&names::relative(id), gap.offset, what).cure(CURE)
    })
}

/// Asks each stripe's filter once.
struct Stripes {
    keys: Vec<Key>,
    asked: HashMap<(SegmentId, u64), bool>,
}

impl Stripes {
    fn new(query: &Query) -> Self {
        let event = query.event.as_ref().map(Key::event);
        let correlation = query.correlation.as_ref().map(Key::correlation);
        Self { keys: event.into_iter().chain(correlation).collect(), asked: HashMap::new() }
    }

    fn may_hold(&mut self, source: &mut BlockSource, block: &BlockEntry) -> bool {
        let Some(StripeEntry { dictionary, filter: Some(filter) }) = block.stripe else {
            return true;
        };
        if self.keys.is_empty() {
            return true;
        }
        let keys = &self.keys;
        *self
            .asked
            .entry((block.segment, dictionary))
            .or_insert_with(|| keys.iter().all(|key| source.may_hold(block.segment, filter, *key)))
    }
}

pub(super) const CURE: &str = "run `telemetry store verify`; the rest of the store is readable, restore a backup for this part";

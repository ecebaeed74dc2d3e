//! Answers queries: chooses blocks by the index, merges them in time order.

use super::blocks::BlockSource;
use super::index::{BlockEntry, Index, Segment, StripeEntry};
use super::merge::Merge;
use super::names::SegmentId;
use super::scan::{self, Scan};
use super::{Shared, names};
use crate::codec::outcome_bits;
use crate::codec::sorted::Key;
use crate::disk::OpenMode;
use crate::fault;
use crate::marker::{LOCK, Marker};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{Error, Ledger, Query, Result};

/// Segments that a query holds open from its beginning, so that compaction cannot take them away. A
/// store that has more of them which are not yet joined was never compacted.
const HELD: usize = 256;
/// How often a reader looks again when the store changes under its eyes.
const LOOKS: usize = 20;

impl Shared {
    /// Takes note of what a writer in another process has added. Does nothing in the writer.
    /// Says whether there was no writer: what looked unfinished then will stay so.
    pub(super) fn refresh(&self) -> Result<bool> {
        if self.writer.is_some() {
            return Ok(false);
        }
        // Before anything is read: a writer that ends while we read leaves nothing unfinished,
        // but may have been at it when we looked.
        let abandoned = self.is_abandoned()?;
        let mut marker = Marker::read(&*self.disk, &self.path)?;
        for _ in 0..LOOKS {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            self.look(&mut index, &marker)?;
            // A segment leaves the directory only after the manifest has named what replaces it:
            // with the same manifest before and after, nothing is missing or there twice.
            let after = Marker::read(&*self.disk, &self.path)?;
            if after == marker {
                index.expect(&marker.sealed);
                return Ok(abandoned);
            }
            marker = after;
        }
        Err(Error::new(
            telemetry_interfaces::ErrorKind::Unavailable,
            telemetry_interfaces::Code::StorageUnavailable,
            "the store changes faster than it can be looked at",
        )
        .with("path", self.path.display())
        .cure("ask again"))
    }

    fn look(&self, index: &mut Index, marker: &Marker) -> Result<()> {
        let directory = names::directory(&self.path);
        let listed = match self.disk.list(&directory) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fault::io("list", &directory, error)),
        };
        let listed: Vec<SegmentId> =
            listed.iter().filter_map(|it| SegmentId::of_name(it)).collect();
        let live = live(&listed, marker);
        index
            .segments
            .retain(|id, _| live.contains(id) || marker.sealed.iter().any(|it| it.id() == *id));
        for id in live {
            self.refresh_segment(index, id)?;
        }
        Ok(())
    }

    fn refresh_segment(&self, index: &mut Index, number: SegmentId) -> Result<()> {
        let known = index.segments.get(&number).map(|it| (it.sealed, it.end));
        if let Some((true, _)) = known {
            return Ok(());
        }
        let path = names::path(&self.path, number);
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            // Removed since it was listed: replaced, or an empty one by recovery. A sealed one is
            // missed later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fault::io("open", &path, error)),
        };
        let size = file.size().map_err(|e| fault::io("measure", &path, e))?;
        let scan: Scan = match known {
            Some((_, end)) if end > 0 && end <= size => {
                scan::blocks(&*file, end, size).map_err(|e| fault::io("read", &path, e))?
            }
            _ => {
                // New, or cut shorter than it was: what was known of it does not hold.
                index.segments.insert(number, Segment::default());
                scan::load(&*file, &path, number, size)?
            }
        };
        index.absorb(number, &scan, &mut |_| {});
        Ok(())
    }

    pub(super) fn ledgers(&self) -> Vec<Ledger> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut newest = std::collections::BTreeMap::new();
        for ledger in index.segments.values().flat_map(|segment| &segment.ledgers) {
            newest.insert((ledger.run.clone(), ledger.producer.clone()), ledger.clone());
        }
        newest.into_values().collect()
    }

    pub(super) fn plan(&self, query: &Query) -> Result<Merge> {
        for _ in 0..LOOKS {
            let abandoned = self.refresh()?;
            match self.plan_now(query, abandoned, true) {
                // Replaced between the look and the opening.
                Err(Unplanned::Gone(_)) if self.writer.is_none() => {}
                Err(Unplanned::Gone(error) | Unplanned::Other(error)) => return Err(error),
                Ok(merge) => return Ok(merge),
            }
        }
        // A segment that stays missing although the manifest names it is damage, found on reading.
        let abandoned = self.refresh()?;
        match self.plan_now(query, abandoned, false) {
            Ok(merge) => Ok(merge),
            Err(Unplanned::Gone(error) | Unplanned::Other(error)) => Err(error),
        }
    }

    fn plan_now(&self, query: &Query, abandoned: bool, hold: bool) -> Result<Merge, Unplanned> {
        let mut source = BlockSource::new(Arc::clone(&self.disk), &self.path);
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let selectors: Option<Vec<bool>> =
            query.selector.as_ref().filter(|pattern| !pattern.is_any()).map(|pattern| {
                index.selectors.names.iter().map(|name| pattern.matches(name)).collect()
            });
        let sites: Option<Vec<bool>> = query
            .site
            .as_ref()
            .map(|site| index.sites.names.iter().map(|name| name == site).collect());
        let outcomes =
            if query.outcomes.is_empty() { u32::MAX } else { outcome_bits(&query.outcomes) };
        let has = |wanted: &Option<Vec<bool>>, present: &[(u32, u32)]| {
            wanted.as_ref().is_none_or(|wanted| present.iter().any(|(it, _)| wanted[*it as usize]))
        };
        let mut planned = Vec::new();
        let mut faults = VecDeque::new();
        let mut ordinal = 0u64;
        let mut stripes = Stripes::new(query);
        for (number, segment) in &index.segments {
            for gap in segment.gaps.iter().filter(|gap| !gap.harmless) {
                let lost = gap.events.map_or_else(String::new, |n| format!("; {n} events lost"));
                let what = format!("{}, {} bytes{lost}", gap.what, gap.length);
                let fault = fault::damaged(&names::relative(*number), gap.offset, what);
                faults.push_back(fault.cure(CURE));
            }
            if segment.tail > 0 && abandoned && self.is_abandoned().map_err(Unplanned::Other)? {
                let what = format!(
                    "the last {} bytes are not a whole block: the writer was interrupted here",
                    segment.tail
                );
                let fault = fault::damaged(&names::relative(*number), segment.end, what);
                faults.push_back(fault.cure(fault::SET_ASIDE));
            }
            let mut before = None;
            for block in &segment.blocks {
                // Rows of one stripe share their place: their ties tell their order.
                if block.stripe.is_none() || block.stripe != before {
                    ordinal += 1;
                }
                before = block.stripe;
                let wanted = query.overlaps(block.first, block.last)
                    && block.outcomes & outcomes != 0
                    && has(&selectors, &block.selectors)
                    && has(&sites, &block.sites);
                if wanted && stripes.may_hold(&mut source, block) {
                    planned.push((ordinal, Arc::clone(block)));
                }
            }
        }
        if hold {
            // The newest first: they are the ones that are joined.
            let mut segments: Vec<_> = planned.iter().map(|(_, block)| block.segment).collect();
            segments.dedup();
            for number in segments.into_iter().rev().take(HELD) {
                source.hold(number).map_err(|error| {
                    let path = names::path(&self.path, number);
                    let gone = error.kind() == io::ErrorKind::NotFound;
                    let error = fault::io("open", &path, error);
                    if gone { Unplanned::Gone(error) } else { Unplanned::Other(error) }
                })?;
            }
        }
        drop(index);
        Ok(Merge::new(source, query.clone(), outcomes, planned, faults))
    }

    /// Whether no writer is at work.
    pub(super) fn is_abandoned(&self) -> Result<bool> {
        if self.writer.is_some() {
            return Ok(false);
        }
        let path = self.path.join(LOCK);
        let locked = self.disk.is_locked(&path);
        Ok(!locked.map_err(|error| fault::io("look at the lock", &path, error))?)
    }
}

/// The segments that count: what the manifest names, and logs that no named segment replaces.
pub(super) fn live(listed: &[SegmentId], marker: &Marker) -> Vec<SegmentId> {
    let named: Vec<SegmentId> = marker.sealed.iter().map(|it| it.id()).collect();
    let mut live: Vec<SegmentId> = listed
        .iter()
        .copied()
        .filter(|id| named.contains(id) || !id.sorted && !named.iter().any(|it| it.covers(*id)))
        .collect();
    live.sort_unstable();
    live
}

enum Unplanned {
    /// A segment is not there.
    Gone(Error),
    Other(Error),
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

//! Answers queries: chooses blocks by the index, merges them in time order.

use super::blocks::{BlockSource, Opened, without_keys};
use super::index::{BlockEntry, Index, Segment, StripeEntry};
use super::names::SegmentId;
use super::scan::{self, Scan};
use super::{Shared, names};
use crate::codec::outcome_bits;
use crate::codec::sorted::{Key, Rows};
use crate::disk::OpenMode;
use crate::fault;
use crate::marker::{LOCK, Marker};
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, PoisonError};
use std::vec;
use telemetry_interfaces::{Error, Ledger, Order, Query, Result};
use telemetry_models::{Event, Timestamp};

/// Segments that a query holds open from its beginning, so that compaction cannot take them away.
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
                    if hold && source.held() < HELD {
                        source.hold(*number).map_err(|error| {
                            let path = names::path(&self.path, *number);
                            let gone = error.kind() == io::ErrorKind::NotFound;
                            let error = fault::io("open", &path, error);
                            if gone { Unplanned::Gone(error) } else { Unplanned::Other(error) }
                        })?;
                    }
                    planned.push((ordinal, Arc::clone(block)));
                }
            }
        }
        drop(index);
        let newest_first = query.order == Order::NewestFirst;
        planned.sort_by_key(|(ordinal, block)| {
            // Popped from the back: what comes first stands last.
            let key = if newest_first {
                key_of(block.last, *ordinal, true)
            } else {
                key_of(block.first, *ordinal, false)
            };
            (key.0, key.1)
        });
        Ok(Merge {
            source,
            outcomes,
            newest_first,
            left: query.limit.unwrap_or(usize::MAX),
            rest: Query { site: None, event: None, ..without_keys(query) },
            query: query.clone(),
            planned,
            heads: BinaryHeap::new(),
            open: Vec::new(),
            free: Vec::new(),
            faults,
        })
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

const CURE: &str = "run `telemetry store verify`; the rest of the store is readable, restore a backup for this part";

/// What comes first has the greatest key.
fn key_of(at: Timestamp, position: u64, newest_first: bool) -> (i64, u64) {
    if newest_first { (at.as_nanos(), position) } else { (!at.as_nanos(), !position) }
}

/// The answer to a query.
pub(super) struct Merge {
    source: BlockSource,
    query: Query,
    /// The conditions that are still to be looked at in a whole event made from rows.
    rest: Query,
    outcomes: u32,
    newest_first: bool,
    left: usize,
    /// Blocks still to be opened, the next one last.
    planned: Vec<(u64, Arc<BlockEntry>)>,
    /// The next event of each opened block: its key, and the block's place in `open`.
    heads: BinaryHeap<((i64, u64), usize)>,
    open: Vec<Cursor>,
    free: Vec<usize>,
    faults: VecDeque<Error>,
}

/// What is left of an opened block.
enum Cursor {
    Done,
    Events(Box<Event>, vec::IntoIter<(u64, Event)>),
    Rows {
        entry: Arc<BlockEntry>,
        ordinal: u64,
        rows: Box<Rows>,
        row: u32,
        rest: vec::IntoIter<(i64, u64, u32)>,
    },
}

impl Merge {
    /// Opens every block that may hold an event before the best head.
    fn open_due(&mut self) {
        while let Some((ordinal, block)) = self.planned.last() {
            let bound = if self.newest_first { block.last } else { block.first };
            let bound = key_of(bound, *ordinal, self.newest_first).0;
            if self.heads.peek().is_some_and(|head| head.0.0 > bound) {
                return;
            }
            let Some((ordinal, block)) = self.planned.pop() else { return };
            self.begin(block, ordinal);
            if !self.faults.is_empty() {
                return;
            }
        }
    }

    fn begin(&mut self, block: Arc<BlockEntry>, ordinal: u64) {
        let mut events = Vec::new();
        let opened = self.source.open(&block, &self.query, self.outcomes, &mut events);
        let opened = match opened {
            Ok(opened) => opened.unwrap_or_else(|| Opened::Events(std::mem::take(&mut events))),
            Err(what) => {
                self.fault(
                    &block,
                    format!(
                        "{what}; the block has {} events, {} were read",
                        block.events,
                        events.len()
                    ),
                );
                Opened::Events(events)
            }
        };
        let newest_first = self.newest_first;
        match opened {
            Opened::Events(mut events) => {
                for (row, _) in &mut events {
                    *row |= ordinal << 24;
                }
                events.sort_by(|a: &(u64, Event), b| {
                    let key = |it: &(u64, Event)| key_of(it.1.timestamp, it.0, newest_first);
                    key(b).cmp(&key(a))
                });
                self.push_events(events.into_iter(), None);
            }
            Opened::Rows(rows, mut wanted) => {
                if newest_first {
                    wanted.sort_unstable_by(|a, b| b.cmp(a));
                } else {
                    wanted.sort_unstable();
                }
                self.push_rows(block, ordinal, rows, wanted.into_iter(), None);
            }
        }
    }

    fn fault(&mut self, block: &BlockEntry, what: String) {
        let file = names::relative(block.segment);
        self.faults.push_back(fault::damaged(&file, block.offset, what).cure(CURE));
    }

    fn place(&mut self, cursor: Cursor, slot: Option<usize>) -> usize {
        match slot.or_else(|| self.free.pop()) {
            Some(slot) => {
                self.open[slot] = cursor;
                slot
            }
            None => {
                self.open.push(cursor);
                self.open.len() - 1
            }
        }
    }

    fn push_events(&mut self, mut events: vec::IntoIter<(u64, Event)>, slot: Option<usize>) {
        match events.next() {
            Some((position, event)) => {
                let key = key_of(event.timestamp, position, self.newest_first);
                let slot = self.place(Cursor::Events(Box::new(event), events), slot);
                self.heads.push((key, slot));
            }
            None => self.free.extend(slot),
        }
    }

    fn push_rows(
        &mut self,
        entry: Arc<BlockEntry>,
        ordinal: u64,
        rows: Box<Rows>,
        mut rest: vec::IntoIter<(i64, u64, u32)>,
        slot: Option<usize>,
    ) {
        match rest.next() {
            Some((at, tie, row)) => {
                let position = ordinal << 24 | tie;
                let key = key_of(Timestamp::from_nanos(at), position, self.newest_first);
                let slot = self.place(Cursor::Rows { entry, ordinal, rows, row, rest }, slot);
                self.heads.push((key, slot));
            }
            None => self.free.extend(slot),
        }
    }

    /// Takes the best head's event; `None` when it does not meet the query.
    fn take(&mut self, slot: usize) -> Option<Event> {
        match std::mem::replace(&mut self.open[slot], Cursor::Done) {
            Cursor::Done => None,
            Cursor::Events(event, rest) => {
                self.push_events(rest, Some(slot));
                Some(*event)
            }
            Cursor::Rows { entry, ordinal, rows, row, rest } => {
                let event = rows.event(row as usize);
                match event {
                    Ok(event) => {
                        self.push_rows(entry, ordinal, rows, rest, Some(slot));
                        self.rest.matches(&event).then_some(event)
                    }
                    Err(what) => {
                        let left = rest.len() + 1;
                        self.fault(&entry, format!("{what}; {left} events could not be read"));
                        self.free.push(slot);
                        None
                    }
                }
            }
        }
    }
}

impl Iterator for Merge {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if self.left == 0 {
                return None;
            }
            if self.faults.is_empty() {
                self.open_due();
            }
            if let Some(fault) = self.faults.pop_front() {
                return Some(Err(fault));
            }
            let (_, slot) = self.heads.pop()?;
            if let Some(event) = self.take(slot) {
                self.left -= 1;
                return Some(Ok(event));
            }
        }
    }
}

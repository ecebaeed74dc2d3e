//! Answers queries: chooses blocks by the index, merges them in time order.

use super::index::{BlockEntry, Index, Segment};
use super::scan::{self, Scan};
use super::{Shared, frame, names};
use crate::codec::{BlockReader, MetaV1, outcome_bits};
use crate::disk::{Disk, OpenMode};
use crate::fault;
use crate::marker::{LOCK, Marker};
use std::cmp::Ordering;
use std::collections::{BinaryHeap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError};
use std::vec;
use telemetry_interfaces::{Error, Ledger, Order, Query, Result};
use telemetry_models::{Event, Timestamp};

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
        let directory = names::directory(&self.path);
        let listed = match self.disk.list(&directory) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fault::io("list", &directory, error)),
        };
        let mut numbers: Vec<u64> = listed.iter().filter_map(|name| names::number(name)).collect();
        numbers.sort_unstable();
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        let known_before = index.segments.len();
        for number in numbers {
            self.refresh_segment(&mut index, number)?;
        }
        if known_before == 0 || index.segments.len() != known_before {
            // Read after the segments: what it calls sealed was sealed before it was written.
            let marker = Marker::read(&*self.disk, &self.path)?;
            for it in &marker.sealed {
                self.refresh_segment(&mut index, it.segment)?;
            }
            index.expect(&marker.sealed);
        }
        Ok(abandoned)
    }

    fn refresh_segment(&self, index: &mut Index, number: u64) -> Result<()> {
        let known = index.segments.get(&number).map(|it| (it.sealed, it.end));
        if let Some((true, _)) = known {
            return Ok(());
        }
        let path = names::path(&self.path, number);
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            // Removed since it was listed: an empty one by recovery. A sealed one is missed later.
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
                scan::load(&*file, &path, size)?
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
        let abandoned = self.refresh()?;
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
        for (number, segment) in &index.segments {
            for gap in segment.gaps.iter().filter(|gap| !gap.harmless) {
                let lost = gap.events.map_or_else(String::new, |n| format!("; {n} events lost"));
                let what = format!("{}, {} bytes{lost}", gap.what, gap.length);
                let fault = fault::damaged(&names::relative(*number), gap.offset, what);
                faults.push_back(fault.cure(CURE));
            }
            if segment.tail > 0 && abandoned && self.is_abandoned()? {
                let what = format!(
                    "the last {} bytes are not a whole block: the writer was interrupted here",
                    segment.tail
                );
                let fault = fault::damaged(&names::relative(*number), segment.end, what);
                faults.push_back(fault.cure(fault::SET_ASIDE));
            }
            for block in &segment.blocks {
                let wanted = query.overlaps(block.first, block.last)
                    && block.outcomes & outcomes != 0
                    && has(&selectors, &block.selectors)
                    && has(&sites, &block.sites);
                if wanted {
                    planned.push((ordinal, Arc::clone(block)));
                }
                ordinal += 1;
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
            disk: Arc::clone(&self.disk),
            store: self.path.clone(),
            outcomes,
            newest_first,
            left: query.limit.unwrap_or(usize::MAX),
            query: query.clone(),
            planned,
            heads: BinaryHeap::new(),
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

const CURE: &str = "run `telemetry store verify`; the rest of the store is readable, restore a backup for this part";

/// What comes first has the greatest key.
fn key_of(at: Timestamp, position: u64, newest_first: bool) -> (i64, u64) {
    if newest_first { (at.as_nanos(), position) } else { (!at.as_nanos(), !position) }
}

/// The answer to a query.
pub(super) struct Merge {
    disk: Arc<dyn Disk>,
    store: PathBuf,
    query: Query,
    outcomes: u32,
    newest_first: bool,
    left: usize,
    /// Blocks still to be opened, the next one last.
    planned: Vec<(u64, Arc<BlockEntry>)>,
    heads: BinaryHeap<Head>,
    faults: VecDeque<Error>,
}

/// The next event of an opened block.
struct Head {
    key: (i64, u64),
    event: Event,
    rest: vec::IntoIter<(u64, Event)>,
}

impl Merge {
    /// Opens every block that may hold an event before the best head.
    fn open_due(&mut self) {
        while let Some((ordinal, block)) = self.planned.last() {
            let bound = if self.newest_first { block.last } else { block.first };
            let bound = key_of(bound, *ordinal, self.newest_first).0;
            if self.heads.peek().is_some_and(|head| head.key.0 > bound) {
                return;
            }
            let Some((ordinal, block)) = self.planned.pop() else { return };
            let (events, failed) = self.read(&block, ordinal);
            if let Some(what) = failed {
                let file = names::relative(block.segment);
                self.faults.push_back(fault::damaged(&file, block.offset, what).cure(CURE));
            }
            self.push(events.into_iter());
            if !self.faults.is_empty() {
                return;
            }
        }
    }

    fn push(&mut self, mut events: vec::IntoIter<(u64, Event)>) {
        if let Some((position, event)) = events.next() {
            let key = key_of(event.timestamp, position, self.newest_first);
            self.heads.push(Head { key, event, rest: events });
        }
    }

    /// The events of a block that meet the query, in its order, and what went wrong.
    fn read(&self, block: &BlockEntry, ordinal: u64) -> (Vec<(u64, Event)>, Option<String>) {
        let mut events = Vec::new();
        let failed = self.decode(block, ordinal, &mut events).err().map(|what| {
            format!("{what}; the block has {} events, {} were read", block.events, events.len())
        });
        let direction = self.newest_first;
        events.sort_by(|a: &(u64, Event), b| {
            key_of(b.1.timestamp, b.0, direction).cmp(&key_of(a.1.timestamp, a.0, direction))
        });
        (events, failed)
    }

    fn decode(
        &self,
        entry: &BlockEntry,
        ordinal: u64,
        events: &mut Vec<(u64, Event)>,
    ) -> Result<(), String> {
        let path = names::path(&self.store, entry.segment);
        let opened = self.disk.open(&path, OpenMode::Read).and_then(|file| {
            let size = file.size()?;
            frame::read_block(&*file, entry.offset, size)
        });
        let block = match opened.map_err(|error| format!("the block cannot be read: {error}"))? {
            frame::Found::Block(block) if block.kind == frame::EVENTS => block,
            _ => return Err("the block does not match its checksum".into()),
        };
        let meta = MetaV1::from_bytes(&block.meta)?;
        let mut reader = BlockReader::new(&meta, &block.body)?;
        let selectors: Option<Vec<bool>> =
            self.query.selector.as_ref().map(|pattern| {
                meta.selectors.iter().map(|(name, _)| pattern.matches(name)).collect()
            });
        let mut row = 0u64;
        while let Some(next) = reader.next(|at, selector, outcome| {
            self.query.covers_time(at)
                && self.outcomes & 1u32.checked_shl(outcome.into()).unwrap_or(0) != 0
                && selectors
                    .as_ref()
                    .is_none_or(|wanted| wanted.get(selector as usize).is_none_or(|it| *it))
        }) {
            if let Some(event) = next?.filter(|event| self.query.matches(event)) {
                events.push((ordinal << 24 | row, event));
            }
            row += 1;
        }
        Ok(())
    }
}

impl Iterator for Merge {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == 0 {
            return None;
        }
        if self.faults.is_empty() {
            self.open_due();
        }
        if let Some(fault) = self.faults.pop_front() {
            return Some(Err(fault));
        }
        let Head { event, rest, .. } = self.heads.pop()?;
        self.push(rest);
        self.left -= 1;
        Some(Ok(event))
    }
}

impl PartialEq for Head {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Head {}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

//! Merges the blocks of an answer in the order of time.

use super::blocks::{Block, BlockSource, left_of};
use super::index::BlockEntry;
use super::names;
use super::query::CURE;
use crate::fault;
use std::collections::VecDeque;
use std::collections::binary_heap::{BinaryHeap, PeekMut};
use std::sync::Arc;
use std::vec;
use telemetry_interfaces::{Error, Order, Parts, Query, Result};
use telemetry_models::{Event, Timestamp};

/// The answer to a query.
pub(super) struct Merge {
    source: BlockSource,
    query: Query,
    /// The conditions that are still to be looked at in a whole event; `None` without any.
    rest: Option<Query>,
    outcomes: u32,
    newest_first: bool,
    /// One block after the other, as they are stored.
    any_order: bool,
    left: usize,
    /// Blocks still to be opened, the next one last.
    planned: Vec<(u64, Arc<BlockEntry>)>,
    /// The next event of each opened block: its key, and the block's place in `open`.
    heads: BinaryHeap<(Place, usize)>,
    open: Vec<Option<Cursor>>,
    free: Vec<usize>,
    faults: VecDeque<Error>,
}

/// Where an event stands in the answer; what comes first is the greatest.
type Place = (i64, u64);

fn place(at: Timestamp, position: u64, newest_first: bool) -> Place {
    if newest_first { (at.as_nanos(), position) } else { (!at.as_nanos(), !position) }
}

/// What is left of an opened block.
struct Cursor {
    entry: Arc<BlockEntry>,
    ordinal: u64,
    block: Block,
    /// The row of the head.
    row: u32,
    rest: vec::IntoIter<(i64, u64, u32)>,
}

impl Cursor {
    /// Goes on to the next row and gives its place.
    fn step(&mut self, newest_first: bool) -> Option<Place> {
        let (at, tie, row) = self.rest.next()?;
        self.row = row;
        Some(place(Timestamp::from_nanos(at), self.ordinal << 24 | tie, newest_first))
    }
}

impl Merge {
    /// `planned`: the blocks that may hold something, in the order of their segments, with numbers
    /// that tell which of two events of the same time comes first.
    pub(super) fn new(
        source: BlockSource,
        query: Query,
        outcomes: u32,
        mut planned: Vec<(u64, Arc<BlockEntry>)>,
        faults: VecDeque<Error>,
    ) -> Self {
        let newest_first = query.order == Order::NewestFirst;
        let any_order = query.order == Order::Any;
        // Popped from the back: what comes first stands last.
        if any_order {
            planned.reverse();
        } else {
            planned.sort_by_key(|(ordinal, block)| {
                let at = if newest_first { block.last } else { block.first };
                place(at, *ordinal, newest_first)
            });
        }
        Self {
            source,
            outcomes,
            newest_first,
            any_order,
            left: query.limit.unwrap_or(usize::MAX),
            rest: Some(left_of(&query)).filter(|it| *it != Query::all()),
            query,
            planned,
            heads: BinaryHeap::new(),
            open: Vec::new(),
            free: Vec::new(),
            faults,
        }
    }

    /// Opens every block that may hold an event before the best head.
    fn open_due(&mut self) {
        while let Some((ordinal, block)) = self.planned.last() {
            let bound = if self.newest_first { block.last } else { block.first };
            let bound = place(bound, *ordinal, self.newest_first).0;
            if self.heads.peek().is_some_and(|head| self.any_order || head.0.0 > bound) {
                return;
            }
            let Some((ordinal, block)) = self.planned.pop() else { return };
            self.begin(block, ordinal);
            if !self.faults.is_empty() {
                return;
            }
        }
    }

    fn begin(&mut self, entry: Arc<BlockEntry>, ordinal: u64) {
        let opened = self.source.open(&entry, &self.query, self.outcomes);
        let (block, mut wanted) = match opened {
            Ok(opened) => opened,
            Err(what) => {
                let what = format!("{what}; the block has {} events", entry.events);
                self.faults.push_back(damaged(&entry, what));
                return;
            }
        };
        if !self.any_order {
            // Rows of one selector are in order already, which a stable sort makes use of.
            wanted.sort();
        }
        if self.newest_first {
            wanted.reverse();
        }
        let mut cursor = Cursor { entry, ordinal, block, row: 0, rest: wanted.into_iter() };
        let Some(place) = cursor.step(self.newest_first) else { return };
        let slot = self.free.pop().unwrap_or(self.open.len());
        if slot == self.open.len() {
            self.open.push(None);
        }
        self.open[slot] = Some(cursor);
        self.heads.push((place, slot));
    }

    /// Takes the best head's event; `Ok(None)` when it does not meet the query.
    #[inline]
    fn take(&mut self) -> Option<Result<Option<Event>>> {
        let mut head = self.heads.peek_mut()?;
        let slot = head.1;
        let cursor = self.open[slot].as_mut()?;
        let event = cursor.block.event(cursor.row);
        if let Err(what) = event {
            let left = cursor.rest.len() + 1;
            let fault = damaged(&cursor.entry, format!("{what}; {left} events could not be read"));
            PeekMut::pop(head);
            self.open[slot] = None;
            self.free.push(slot);
            return Some(Err(fault));
        }
        match cursor.step(self.newest_first) {
            Some(place) => head.0 = place,
            None => {
                PeekMut::pop(head);
                self.open[slot] = None;
                self.free.push(slot);
            }
        }
        let mut event = event.ok()?;
        if self.rest.as_ref().is_some_and(|rest| !rest.matches(&event)) {
            return Some(Ok(None));
        }
        if self.query.parts != Parts::ALL {
            self.query.parts.keep(&mut event);
        }
        Some(Ok(Some(event)))
    }
}

fn damaged(entry: &BlockEntry, what: String) -> Error {
    fault::damaged(&names::relative(entry.segment), entry.offset, what).cure(CURE)
}

impl Iterator for Merge {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.left > 0 {
            if self.faults.is_empty() {
                self.open_due();
            }
            if let Some(fault) = self.faults.pop_front() {
                return Some(Err(fault));
            }
            match self.take()? {
                Ok(Some(event)) => {
                    self.left -= 1;
                    return Some(Ok(event));
                }
                Ok(None) => {}
                Err(fault) => return Some(Err(fault)),
            }
        }
        None
    }
}

//! Merges the blocks of an answer in the order of time.

use super::blocks::{Block, BlockSource, Trouble, left_of};
use super::chooser::{self, CURE, Chooser};
use super::index::{BlockEntry, Known};
use super::names::{self, SegmentId};
use super::share::{Share, Weights};
use crate::fault;
use std::cmp::Ordering;
use std::collections::VecDeque;
use std::collections::binary_heap::{BinaryHeap, PeekMut};
use std::sync::Arc;
use std::vec;
use telemetry_interfaces::{Error, Order, PartOf, Parts, Query, Result};
use telemetry_models::{Event, Timestamp};

/// Segments whose events are counted by selector before an answer is divided.
const WEIGHED: usize = 64;

/// The answer to a query.
pub(super) struct Merge {
    source: BlockSource,
    query: Query,
    /// The conditions that are still to be looked at in a whole event; `None` without any.
    rest: Option<Query>,
    newest_first: bool,
    /// One block after the other, as they are stored.
    any_order: bool,
    left: usize,
    /// Whether events are given as they are, and all of them.
    plain: bool,
    chooser: Chooser,
    /// Blocks and segments still to be opened.
    planned: BinaryHeap<Due>,
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

/// What is to be opened.
#[derive(Clone)]
pub(super) enum Planned {
    /// Its footer tells which of its blocks.
    Segment(Arc<Known>),
    Block(Arc<BlockEntry>),
    /// A block whose damage another part of the answer tells of.
    Untold(Arc<BlockEntry>),
}

impl Planned {
    pub(super) fn segment(&self) -> SegmentId {
        match self {
            Self::Segment(known) => known.sealed.id(),
            Self::Block(block) | Self::Untold(block) => block.segment,
        }
    }
}

/// When something is to be opened: the greatest place comes first.
struct Due {
    place: Place,
    ordinal: u64,
    what: Planned,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        self.place.cmp(&other.place)
    }
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
    /// `planned`: what may hold something, in the order of segments, with numbers that tell which of
    /// two events of the same time comes first. A segment has as many numbers as it may have blocks.
    pub(super) fn new(
        source: BlockSource,
        query: Query,
        chooser: Chooser,
        planned: Vec<(u64, Planned)>,
        faults: VecDeque<Error>,
    ) -> Self {
        let rest = Some(left_of(&query)).filter(|it| *it != Query::all());
        let mut merge = Self {
            source,
            newest_first: query.order == Order::NewestFirst,
            any_order: query.order == Order::Any,
            left: query.limit.unwrap_or(usize::MAX),
            plain: rest.is_none() && query.limit.is_none() && query.parts == Parts::ALL,
            rest,
            query,
            chooser,
            planned: BinaryHeap::new(),
            heads: BinaryHeap::new(),
            open: Vec::new(),
            free: Vec::new(),
            faults,
        };
        let planned: Vec<Due> =
            planned.into_iter().map(|(ordinal, what)| merge.due(ordinal, what)).collect();
        merge.planned = planned.into();
        merge
    }

    /// One answer for each share.
    pub(super) fn divided(mut self, shares: Vec<Share>) -> Vec<Self> {
        // What is known to be damaged, the first tells.
        let mut faults = std::mem::take(&mut self.faults);
        let part = |share: Share| {
            let mut chooser = Chooser::new(&self.query, Arc::clone(&self.chooser.footers));
            chooser.share = Some(share.clone());
            let first = share.is_first();
            let faults = if first { std::mem::take(&mut faults) } else { VecDeque::new() };
            let planned = self.planned.iter().map(|due| {
                let what = match &due.what {
                    Planned::Block(block) if !first => Planned::Untold(Arc::clone(block)),
                    what => what.clone(),
                };
                (due.ordinal, what)
            });
            let source = self.source.another(share);
            Self::new(source, self.query.clone(), chooser, planned.collect(), faults)
        };
        shares.into_iter().map(part).collect()
    }

    /// Which part of the answer has a selector's events.
    pub(super) fn part_of(&self) -> PartOf {
        match self.chooser.share.clone() {
            Some(share) => Arc::new(move |selector| share.part_of(selector)),
            None => Arc::new(|_| 0),
        }
    }

    /// How many events the blocks have that may have to be read, and of which selectors, as far as
    /// some segments tell.
    pub(super) fn weigh(&mut self) -> (u64, Weights) {
        let (mut events, mut weights) = (0, Weights::default());
        let mut weighed = 0;
        for due in &self.planned {
            match &due.what {
                Planned::Segment(known) => {
                    let footer = match weighed < WEIGHED {
                        true => self.source.footer(known, &self.chooser.footers).ok(),
                        false => None,
                    };
                    weighed += 1;
                    events += match footer {
                        Some(segment) => weights.add(&segment, &self.query),
                        None => known.sealed.events,
                    };
                }
                Planned::Block(block) | Planned::Untold(block) => events += u64::from(block.events),
            }
        }
        (events, weights)
    }

    fn due(&self, ordinal: u64, what: Planned) -> Due {
        let (first, last) = match &what {
            Planned::Segment(known) => (known.first, known.last),
            Planned::Block(block) | Planned::Untold(block) => (block.first, block.last),
        };
        let at = if self.newest_first { last } else { first };
        let place = match self.any_order {
            true => (0, !ordinal),
            false => place(at, ordinal, self.newest_first),
        };
        Due { place, ordinal, what }
    }

    /// Opens every block that may hold an event before the best head.
    fn open_due(&mut self) {
        while let Some(due) = self.planned.peek() {
            let bound = due.place.0;
            if self.heads.peek().is_some_and(|head| self.any_order || head.0.0 > bound) {
                return;
            }
            let Some(Due { ordinal, what, .. }) = self.planned.pop() else { return };
            match what {
                Planned::Segment(known) => self.enter(&known, ordinal),
                Planned::Block(block) => self.begin(block, ordinal, true),
                Planned::Untold(block) => self.begin(block, ordinal, false),
            }
            if !self.faults.is_empty() {
                return;
            }
        }
    }

    /// Chooses among the blocks of a segment.
    fn enter(&mut self, known: &Known, ordinal: u64) {
        let id = known.sealed.id();
        let segment = match self.source.footer(known, &self.chooser.footers) {
            Ok(segment) => segment,
            Err(_) if !self.tells() => return,
            Err(trouble) => {
                let events = known.sealed.events;
                self.faults.push_back(self.fault(
                    id,
                    0,
                    trouble,
                    &format!("it has {events} events"),
                ));
                return;
            }
        };
        if self.tells() {
            self.faults.extend(chooser::gaps(id, &segment));
        }
        let mut chosen = Vec::new();
        self.chooser.choose(&segment, ordinal, &mut self.source, &mut |ordinal, block| {
            chosen.push((ordinal, block));
        });
        for (ordinal, block) in chosen {
            let share = self.chooser.share.as_ref();
            let what = match share.is_none_or(|share| share.tells_of(&segment, &block)) {
                true => Planned::Block(block),
                false => Planned::Untold(block),
            };
            let due = self.due(ordinal, what);
            self.planned.push(due);
        }
    }

    /// Whether this is the part of the answer that tells of what concerns all.
    fn tells(&self) -> bool {
        self.chooser.share.as_ref().is_none_or(Share::is_first)
    }

    /// What an answer says in place of events that could not be read.
    fn fault(&self, id: SegmentId, offset: u64, trouble: Trouble, lost: &str) -> Error {
        match trouble {
            Trouble::Damage(what) => {
                fault::damaged(&names::relative(id), offset, format!("{what}; {lost}")).cure(CURE)
            }
            Trouble::Io(doing, path, error) => self.source.failed(id, doing, &path, error, lost),
        }
    }

    fn begin(&mut self, entry: Arc<BlockEntry>, ordinal: u64, told: bool) {
        let opened = self.source.open(&entry, &self.query, self.chooser.outcomes);
        let (block, mut wanted) = match opened {
            Ok(opened) => opened,
            Err(_) if !told => return,
            Err(trouble) => {
                let lost = format!("the block has {} events", entry.events);
                self.faults.push_back(self.fault(entry.segment, entry.offset, trouble, &lost));
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

    /// Takes the best head's event; `None` without any.
    #[inline]
    fn take(&mut self) -> Option<Result<Event>> {
        let mut head = self.heads.peek_mut()?;
        let slot = head.1;
        let cursor = self.open[slot].as_mut()?;
        match cursor.block.event(cursor.row) {
            Ok(event) => {
                match cursor.step(self.newest_first) {
                    Some(place) => head.0 = place,
                    None => {
                        PeekMut::pop(head);
                        self.close(slot);
                    }
                }
                Some(Ok(event))
            }
            Err(what) => {
                let left = cursor.rest.len() + 1;
                let what = format!("{what}; {left} events could not be read");
                let fault = damaged(&cursor.entry, what);
                PeekMut::pop(head);
                self.close(slot);
                Some(Err(fault))
            }
        }
    }

    fn close(&mut self, slot: usize) {
        self.open[slot] = None;
        self.free.push(slot);
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
            // An event is large, and moving it costs.
            if self.plain {
                return self.take();
            }
            let mut item = self.take()?;
            if let Ok(event) = &mut item {
                if self.rest.as_ref().is_some_and(|rest| !rest.matches(event)) {
                    continue;
                }
                if self.query.parts != Parts::ALL {
                    self.query.parts.keep(event);
                }
                self.left -= 1;
            }
            return Some(item);
        }
        None
    }
}

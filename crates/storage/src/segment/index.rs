//! What is in every segment, in memory: enough to plan a query and to count without reading.

use super::frame;
use super::names::SegmentId;
use super::scan::{self, Gap, Scan};
use crate::codec::sorted::{DictionaryMetaV2, RowsMetaV2};
use crate::codec::{
    EntryV1, MetaV1, StreamV1, SummaryV1, WarmMetaV3, WarmPlaceV3, ledger_from_bytes,
};
use crate::marker::Sealed;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use telemetry_interfaces::Ledger;
use telemetry_models::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) segments: BTreeMap<SegmentId, Entry>,
    /// Every selector of the store; kept by the writer alone, which bounds their number.
    pub(crate) selectors: Names,
}

/// What is in memory of a segment.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A sealed one with everything in place: its footer is read when a query needs it.
    Known(Arc<Known>),
    /// One that grows, or is damaged.
    Read(Box<Segment>),
}

/// Bounds of a sealed segment.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) sealed: Sealed,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) outcomes: u32,
    #[cfg(feature = "rollup")]
    pub(crate) days: Box<[(i32, u64)]>,
}

impl Entry {
    /// Length of the file, in bytes.
    pub(crate) fn bytes(&self) -> u64 {
        match self {
            Self::Known(known) => known.sealed.bytes,
            Self::Read(segment) => segment.end + segment.tail,
        }
    }
}

impl Known {
    /// From what is remembered of a segment that the manifest names.
    pub(crate) fn of(sealed: &Sealed, summary: &SummaryV1) -> Self {
        Self {
            sealed: sealed.clone(),
            first: Timestamp::from_nanos(summary.earliest),
            last: Timestamp::from_nanos(summary.latest),
            outcomes: summary.outcomes,
            #[cfg(feature = "rollup")]
            days: summary.days.clone().into_boxed_slice(),
        }
    }
}

/// One segment file.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) blocks: Vec<Arc<BlockEntry>>,
    pub(crate) ledgers: Vec<Ledger>,
    /// Blocks of any kind that were read.
    pub(crate) entries: u64,
    pub(crate) gaps: Vec<Gap>,
    /// How far the file is known; its length when `tail` is 0.
    pub(crate) end: u64,
    /// Bytes behind `end` that are no block.
    pub(crate) tail: u64,
    pub(crate) sealed: bool,
    /// What its blocks refer to by numbers.
    pub(crate) selectors: Names,
    pub(crate) sites: Names,
}

/// One block of events.
#[derive(Debug)]
pub(crate) struct BlockEntry {
    pub(crate) segment: SegmentId,
    pub(crate) offset: u64,
    pub(crate) stripe: Option<StripeEntry>,
    /// Where its events are, when they are in a Parquet file.
    pub(crate) warm: Option<Box<WarmPlaceV3>>,
    pub(crate) events: u32,
    pub(crate) first: Timestamp,
    pub(crate) last: Timestamp,
    pub(crate) outcomes: u32,
    /// Number in [`Segment::selectors`], count.
    pub(crate) selectors: Box<[(u32, u32)]>,
    /// Number in [`Segment::sites`], count.
    pub(crate) sites: Box<[(u32, u32)]>,
    pub(crate) days: Box<[(i32, u32)]>,
}

/// Where the blocks are that rows share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StripeEntry {
    pub(crate) dictionary: u64,
    /// Offset of the filter's first line and number of lines, when it is there.
    pub(crate) filter: Option<(u64, usize)>,
}

/// Names, numbered in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    pub(crate) names: Vec<Arc<str>>,
}

impl Names {
    /// Whether a name was met.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.numbers.contains_key(name)
    }

    pub(crate) fn number(&mut self, name: &str) -> u32 {
        if let Some(number) = self.numbers.get(name) {
            return *number;
        }
        let (name, number) = (Arc::<str>::from(name), self.names.len() as u32);
        self.names.push(Arc::clone(&name));
        self.numbers.insert(name, number);
        number
    }
}

impl Index {
    /// The segment that grows, or one that was read.
    pub(crate) fn read(&mut self, id: SegmentId) -> &mut Segment {
        let entry = self.segments.entry(id).or_insert_with(|| Entry::Read(Box::default()));
        if let Entry::Known(_) = entry {
            *entry = Entry::Read(Box::default());
        }
        match entry {
            Entry::Read(segment) => segment,
            Entry::Known(_) => unreachable!("replaced above"),
        }
    }

    /// Adds a block of events that was just written.
    pub(crate) fn push(&mut self, id: SegmentId, offset: u64, meta: &MetaV1) {
        for (name, _) in &meta.selectors {
            self.selectors.number(name);
        }
        self.read(id).push(id, offset, meta);
    }

    /// Has only the bounds of a segment in memory when everything of it is in place and as the
    /// manifest says; otherwise all that is known of it.
    pub(crate) fn settle(&mut self, id: SegmentId, mut segment: Segment, sealed: Option<&Sealed>) {
        let entry = match sealed {
            Some(sealed) if segment.is_sound(sealed) => {
                let summary = SummaryV1::of(id, [0; 32], &segment, Vec::new());
                Entry::Known(Arc::new(Known::of(sealed, &summary)))
            }
            sealed => {
                if let Some(sealed) = sealed {
                    segment.expect(sealed);
                }
                Entry::Read(Box::new(segment))
            }
        };
        self.segments.insert(id, entry);
    }

    /// Compares with what the manifest says of sealed segments: what is missing becomes a gap.
    pub(crate) fn expect(&mut self, sealed: &[Sealed]) {
        for it in sealed {
            match self.segments.get_mut(&it.id()) {
                Some(Entry::Known(_)) => {}
                Some(Entry::Read(segment)) => segment.expect(it),
                None => {
                    let gap = Gap {
                        offset: 0,
                        length: it.bytes,
                        events: Some(it.events),
                        harmless: it.blocks == 0,
                        what: "the segment is missing",
                    };
                    let missing = Segment { gaps: vec![gap], sealed: true, ..Segment::default() };
                    self.segments.insert(it.id(), Entry::Read(Box::new(missing)));
                }
            }
        }
    }
}

impl Segment {
    /// What a scan found. `described` hears of all sequences.
    pub(crate) fn of(id: SegmentId, scan: &Scan, described: &mut dyn FnMut(&[StreamV1])) -> Self {
        let mut segment = Self::default();
        segment.absorb(id, scan, described);
        segment
    }

    /// Adds what a scan found from where the last one ended.
    pub(crate) fn absorb(
        &mut self,
        id: SegmentId,
        scan: &Scan,
        described: &mut dyn FnMut(&[StreamV1]),
    ) {
        self.blocks_of(id, &scan.entries, described);
        self.gaps.extend_from_slice(&scan.gaps);
        self.end = scan.end;
        self.tail = scan.tail;
        self.sealed = scan.sealed;
    }

    /// Adds blocks.
    pub(crate) fn blocks_of(
        &mut self,
        id: SegmentId,
        entries: &[EntryV1],
        described: &mut dyn FnMut(&[StreamV1]),
    ) {
        let mut stripe = None;
        for entry in entries {
            self.absorb_entry(id, entry, &mut stripe, described);
        }
        self.entries += entries.len() as u64;
    }

    /// Whether it is all that the manifest says, and nothing else.
    pub(crate) fn is_sound(&self, sealed: &Sealed) -> bool {
        let events = self.blocks.iter().map(|block| u64::from(block.events)).sum::<u64>();
        let whole = self.sealed && self.gaps.is_empty() && self.tail == 0;
        whole && (self.end, self.entries, events) == (sealed.bytes, sealed.blocks, sealed.events)
    }

    /// Compares with what the manifest says: what is missing becomes a gap.
    pub(crate) fn expect(&mut self, it: &Sealed) {
        if self.sealed {
            return;
        }
        let found: u64 = self.blocks.iter().map(|block| u64::from(block.events)).sum();
        let in_gaps: u64 = self.gaps.iter().filter_map(|gap| gap.events).sum();
        let size = self.end + self.tail;
        let cut_short = size < it.bytes;
        self.gaps.push(Gap {
            offset: if cut_short { size } else { self.end },
            length: it.bytes.saturating_sub(self.end),
            events: Some(it.events.saturating_sub(found + in_gaps)),
            harmless: self.entries >= it.blocks,
            what: if cut_short {
                "the segment is shorter than when it was sealed"
            } else {
                "the segment's index is damaged"
            },
        });
        self.sealed = true;
        self.end = size;
        self.tail = 0;
    }

    fn absorb_entry(
        &mut self,
        number: SegmentId,
        entry: &EntryV1,
        stripe: &mut Option<StripeEntry>,
        described: &mut dyn FnMut(&[StreamV1]),
    ) {
        let understood = match entry.kind {
            frame::EVENTS => match MetaV1::from_bytes(&entry.meta) {
                Ok(meta) => {
                    described(&meta.streams);
                    self.push(number, entry.offset, &meta);
                    true
                }
                Err(_) => false,
            },
            frame::LEDGER => match ledger_from_bytes(&entry.meta) {
                Ok(ledger) => {
                    self.ledgers.push(ledger);
                    true
                }
                Err(_) => false,
            },
            frame::DICTIONARY => match DictionaryMetaV2::from_bytes(&entry.meta) {
                Ok(meta) => {
                    described(&meta.streams);
                    *stripe = Some(StripeEntry { dictionary: entry.offset, filter: None });
                    true
                }
                Err(_) => false,
            },
            frame::FILTER => {
                if let Some(stripe) = stripe {
                    stripe.filter = Some(frame::filter_lines(entry.offset, entry.length));
                }
                true
            }
            frame::ROWS | frame::WARM => match rows_described(entry) {
                Ok((meta, warm)) => {
                    let dictionary = entry.offset.checked_sub(meta.back.into());
                    let its = stripe.filter(|it| Some(it.dictionary) == dictionary);
                    if let Some(its) = its {
                        self.push_rows(number, entry.offset, its, &meta, warm);
                    } else {
                        let events = Some(meta.events.into());
                        let what = "rows whose dictionary is missing or damaged";
                        self.gap(entry, events, what);
                    }
                    true
                }
                Err(_) => false,
            },
            _ => false,
        };
        if !understood {
            let events = scan::events_in(entry.kind, &entry.meta);
            let what = "a block whose description this version does not understand";
            self.gap(entry, events, what);
        }
    }

    fn gap(&mut self, entry: &EntryV1, events: Option<u64>, what: &'static str) {
        let (offset, length) = (entry.offset, entry.length);
        let gap = Gap { offset, length, events, harmless: false, what };
        self.gaps.push(gap);
    }

    /// Adds a block of rows.
    fn push_rows(
        &mut self,
        segment: SegmentId,
        offset: u64,
        stripe: StripeEntry,
        meta: &RowsMetaV2,
        warm: Option<WarmPlaceV3>,
    ) {
        let selectors = &mut self.selectors;
        let sites = &mut self.sites;
        let entry = BlockEntry {
            segment,
            offset,
            stripe: Some(stripe),
            warm: warm.map(Box::new),
            events: meta.events,
            first: Timestamp::from_nanos(meta.first),
            last: Timestamp::from_nanos(meta.last),
            outcomes: meta.outcomes,
            selectors: meta.selectors.iter().map(|(it, n)| (selectors.number(it), *n)).collect(),
            sites: meta.sites.iter().map(|(it, n)| (sites.number(it), *n)).collect(),
            days: meta.days.clone().into_boxed_slice(),
        };
        self.blocks.push(Arc::new(entry));
    }

    /// Adds a block of events.
    pub(crate) fn push(&mut self, segment: SegmentId, offset: u64, meta: &MetaV1) {
        let selectors = &mut self.selectors;
        let sites = &mut self.sites;
        let entry = BlockEntry {
            segment,
            offset,
            stripe: None,
            warm: None,
            events: meta.events,
            first: Timestamp::from_nanos(meta.first),
            last: Timestamp::from_nanos(meta.last),
            outcomes: meta.outcomes,
            selectors: meta.selectors.iter().map(|(it, n)| (selectors.number(it), *n)).collect(),
            sites: meta.sites.iter().map(|(it, n)| (sites.number(it), *n)).collect(),
            days: meta.days.clone().into_boxed_slice(),
        };
        self.blocks.push(Arc::new(entry));
    }
}

/// The description of rows, and where they are when that is elsewhere.
fn rows_described(entry: &EntryV1) -> Result<(RowsMetaV2, Option<WarmPlaceV3>), String> {
    if entry.kind == frame::WARM {
        return WarmMetaV3::from_bytes(&entry.meta).map(|it| (it.rows, Some(it.place)));
    }
    RowsMetaV2::from_bytes(&entry.meta).map(|it| (it, None))
}

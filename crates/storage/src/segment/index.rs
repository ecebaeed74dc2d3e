//! What is in every segment, in memory: enough to plan a query and to count without reading.

use super::frame;
use super::names::SegmentId;
use super::scan::{self, Gap, Scan};
use crate::codec::sorted::{DictionaryMetaV2, RowsMetaV2};
use crate::codec::{EntryV1, MetaV1, StreamV1, WarmMetaV3, WarmPlaceV3, ledger_from_bytes};
use crate::marker::Sealed;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use telemetry_interfaces::Ledger;
use telemetry_models::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) segments: BTreeMap<SegmentId, Segment>,
    pub(crate) selectors: Names,
    pub(crate) sites: Names,
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
    /// Number in [`Index::selectors`], count.
    pub(crate) selectors: Box<[(u32, u32)]>,
    /// Number in [`Index::sites`], count.
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

    fn number(&mut self, name: &str) -> u32 {
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
    /// Adds what a scan found in a segment. `described` hears of all sequences.
    pub(crate) fn absorb(
        &mut self,
        number: SegmentId,
        scan: &Scan,
        described: &mut dyn FnMut(&[StreamV1]),
    ) {
        self.segments.entry(number).or_default();
        let mut stripe = None;
        for entry in &scan.entries {
            self.absorb_entry(number, entry, &mut stripe, described);
        }
        let segment = self.segments.entry(number).or_default();
        segment.entries += scan.entries.len() as u64;
        segment.gaps.extend_from_slice(&scan.gaps);
        segment.end = scan.end;
        segment.tail = scan.tail;
        segment.sealed = scan.sealed;
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
                    self.segments.entry(number).or_default().ledgers.push(ledger);
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
                        self.gap(number, entry, events, what);
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
            self.gap(number, entry, events, what);
        }
    }

    fn gap(
        &mut self,
        segment: SegmentId,
        entry: &EntryV1,
        events: Option<u64>,
        what: &'static str,
    ) {
        let (offset, length) = (entry.offset, entry.length);
        let gap = Gap { offset, length, events, harmless: false, what };
        self.segments.entry(segment).or_default().gaps.push(gap);
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
        self.segments.entry(segment).or_default().blocks.push(Arc::new(entry));
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
        self.segments.entry(segment).or_default().blocks.push(Arc::new(entry));
    }

    /// Compares with what the manifest says of sealed segments: what is missing becomes a gap.
    pub(crate) fn expect(&mut self, sealed: &[Sealed]) {
        for it in sealed {
            let Some(segment) = self.segments.get_mut(&it.id()) else {
                let gap = Gap {
                    offset: 0,
                    length: it.bytes,
                    events: Some(it.events),
                    harmless: it.blocks == 0,
                    what: "the segment is missing",
                };
                self.segments.insert(
                    it.id(),
                    Segment { gaps: vec![gap], sealed: true, ..Segment::default() },
                );
                continue;
            };
            if segment.sealed {
                continue;
            }
            let found: u64 = segment.blocks.iter().map(|block| u64::from(block.events)).sum();
            let in_gaps: u64 = segment.gaps.iter().filter_map(|gap| gap.events).sum();
            let blocks = segment.entries;
            let size = segment.end + segment.tail;
            let cut_short = size < it.bytes;
            segment.gaps.push(Gap {
                offset: if cut_short { size } else { segment.end },
                length: it.bytes.saturating_sub(segment.end),
                events: Some(it.events.saturating_sub(found + in_gaps)),
                harmless: blocks >= it.blocks,
                what: if cut_short {
                    "the segment is shorter than when it was sealed"
                } else {
                    "the segment's index is damaged"
                },
            });
            segment.sealed = true;
            segment.end = size;
            segment.tail = 0;
        }
    }
}

/// The description of rows, and where they are when that is elsewhere.
fn rows_described(entry: &EntryV1) -> Result<(RowsMetaV2, Option<WarmPlaceV3>), String> {
    if entry.kind == frame::WARM {
        return WarmMetaV3::from_bytes(&entry.meta).map(|it| (it.rows, Some(it.place)));
    }
    RowsMetaV2::from_bytes(&entry.meta).map(|it| (it, None))
}

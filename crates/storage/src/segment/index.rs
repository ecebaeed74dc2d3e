//! What is in every segment, in memory: enough to plan a query and to count without reading.

use super::frame;
use super::scan::{Gap, Scan};
use crate::codec::{EntryV1, MetaV1, ledger_from_bytes};
use crate::marker::Sealed;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use telemetry_interfaces::Ledger;
use telemetry_models::Timestamp;

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) segments: BTreeMap<u64, Segment>,
    pub(crate) selectors: Names,
    pub(crate) sites: Names,
}

/// One segment file.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    pub(crate) blocks: Vec<Arc<BlockEntry>>,
    pub(crate) ledgers: Vec<Ledger>,
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
    pub(crate) segment: u64,
    pub(crate) offset: u64,
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

/// Names, numbered in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Names {
    numbers: HashMap<Arc<str>, u32>,
    pub(crate) names: Vec<Arc<str>>,
}

impl Names {
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
    /// Adds what a scan found in a segment. `described` hears of every block of events.
    pub(crate) fn absorb(&mut self, number: u64, scan: &Scan, described: &mut dyn FnMut(&MetaV1)) {
        self.segments.entry(number).or_default();
        for entry in &scan.entries {
            self.absorb_entry(number, entry, described);
        }
        let segment = self.segments.entry(number).or_default();
        segment.gaps.extend_from_slice(&scan.gaps);
        segment.end = scan.end;
        segment.tail = scan.tail;
        segment.sealed = scan.sealed;
    }

    fn absorb_entry(&mut self, number: u64, entry: &EntryV1, described: &mut dyn FnMut(&MetaV1)) {
        let understood = match entry.kind {
            frame::EVENTS => match MetaV1::from_bytes(&entry.meta) {
                Ok(meta) => {
                    described(&meta);
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
            _ => false,
        };
        if !understood {
            self.segments.entry(number).or_default().gaps.push(Gap {
                offset: entry.offset,
                length: entry.length,
                events: None,
                harmless: false,
                what: "a block whose description this version does not understand",
            });
        }
    }

    /// Adds a block of events.
    pub(crate) fn push(&mut self, segment: u64, offset: u64, meta: &MetaV1) {
        let selectors = &mut self.selectors;
        let sites = &mut self.sites;
        let entry = BlockEntry {
            segment,
            offset,
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
            let Some(segment) = self.segments.get_mut(&it.segment) else {
                let gap = Gap {
                    offset: 0,
                    length: it.bytes,
                    events: Some(it.events),
                    harmless: it.blocks == 0,
                    what: "the segment is missing",
                };
                self.segments.insert(
                    it.segment,
                    Segment { gaps: vec![gap], sealed: true, ..Segment::default() },
                );
                continue;
            };
            if segment.sealed {
                continue;
            }
            let found: u64 = segment.blocks.iter().map(|block| u64::from(block.events)).sum();
            let in_gaps: u64 = segment.gaps.iter().filter_map(|gap| gap.events).sum();
            let blocks = (segment.blocks.len() + segment.ledgers.len()) as u64;
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

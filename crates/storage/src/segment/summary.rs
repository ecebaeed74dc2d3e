//! What is remembered of sealed segments, in a file beside them, so that a store opens and counts
//! without reading footers.
//!
//! A cache: each summary says by its segment's BLAKE3 hash what it is of, and is under a checksum. One
//! that is missing, damaged or of other content costs the reading of a footer, and nothing else. So the
//! file is appended to without a sync, and what fails about it fails nothing.

use super::frame::{self, Found};
use super::index::Segment;
use super::names::SegmentId;
use crate::codec::{SummaryV1, ledger_to_bytes};
use crate::disk::{self, Disk, OpenMode};
use crate::marker::{SUMMARIES, Sealed};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_models::{ProducerId, RunId};

/// Bytes of summaries of segments that are no more, from which on the file is written anew.
const DEAD: u64 = 1 << 20;

impl SummaryV1 {
    /// Of a segment with the hash of its trailer; `streams` as [`stream`] gives them.
    pub(super) fn of(
        id: SegmentId,
        blake3: [u8; 32],
        segment: &Segment,
        mut streams: Vec<u64>,
    ) -> Self {
        streams.sort_unstable();
        streams.dedup();
        let mut selectors = vec![0u64; segment.selectors.names.len()];
        let mut sites = vec![0u64; segment.sites.names.len()];
        let mut days = BTreeMap::<i32, u64>::new();
        let mut files = BTreeMap::new();
        let mut ledgers = BTreeMap::new();
        for block in &segment.blocks {
            for (selector, count) in &block.selectors {
                selectors[*selector as usize] += u64::from(*count);
            }
            for (site, count) in &block.sites {
                sites[*site as usize] += u64::from(*count);
            }
            for (day, count) in &block.days {
                *days.entry(*day).or_default() += u64::from(*count);
            }
            if let Some(place) = block.warm.as_deref() {
                files.insert(place.file.clone(), place.bytes);
            }
        }
        for ledger in &segment.ledgers {
            ledgers.insert((&ledger.run, &ledger.producer), ledger);
        }
        let named = |names: &[Arc<str>], counts: Vec<u64>| {
            names.iter().map(|name| name.to_string()).zip(counts).collect()
        };
        let first = segment.blocks.iter().map(|it| it.first.as_nanos()).min();
        let last = segment.blocks.iter().map(|it| it.last.as_nanos()).max();
        Self {
            first: id.first,
            last: id.last,
            sorted: id.sorted,
            warm: id.warm,
            blake3,
            events: segment.blocks.iter().map(|it| u64::from(it.events)).sum(),
            earliest: first.unwrap_or(0),
            latest: last.unwrap_or(0),
            outcomes: segment.blocks.iter().fold(0, |all, it| all | it.outcomes),
            selectors: named(&segment.selectors.names, selectors),
            sites: named(&segment.sites.names, sites),
            days: days.into_iter().collect(),
            streams,
            // One that was read can be written.
            ledgers: ledgers.into_values().filter_map(|it| ledger_to_bytes(it).ok()).collect(),
            files: files.into_iter().collect(),
        }
    }

    pub(super) const fn id(&self) -> SegmentId {
        SegmentId { first: self.first, last: self.last, sorted: self.sorted, warm: self.warm }
    }

    /// Whether it is of the segment that the manifest speaks of.
    pub(super) fn is_of(&self, sealed: &Sealed) -> bool {
        let hash = blake3::Hash::from_bytes(self.blake3);
        self.id() == sealed.id()
            && self.events == sealed.events
            && hash.to_hex().as_str() == sealed.blake3
    }
}

/// The hash of a manifest's entry.
pub(super) fn hash_of(sealed: &Sealed) -> [u8; 32] {
    blake3::Hash::from_hex(&sealed.blake3).map_or([0; 32], Into::into)
}

/// Tells a producer of a run from nearly all others: FNV-1a with 64 bits over both.
pub(crate) fn stream(run: &RunId, producer: &ProducerId) -> u64 {
    stream_of(run.as_str(), producer.as_str())
}

pub(super) fn stream_of(run: &str, producer: &str) -> u64 {
    let bytes = run.bytes().chain([0]).chain(producer.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// What reading the file came to.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Bytes of summaries that somebody wanted.
    live: u64,
    /// Bytes of the others, and of what is no summary.
    dead: u64,
    /// Whether it ends with a whole summary.
    whole: bool,
}

fn path(store: &Path) -> PathBuf {
    store.join(SUMMARIES)
}

/// Reads the file, one summary in memory at a time. `wanted` says whether it had use for one. A file
/// that is missing or cannot be read has none.
pub(super) fn read(
    disk: &dyn Disk,
    store: &Path,
    wanted: &mut dyn FnMut(SummaryV1) -> bool,
) -> Reading {
    let mut reading = Reading { whole: true, ..Reading::default() };
    let done = each(disk, store, &mut |summary, length| {
        let counted = if wanted(summary) { &mut reading.live } else { &mut reading.dead };
        *counted += length;
        Ok(())
    });
    match done {
        Ok(bad) => {
            reading.dead += bad;
            reading.whole = bad == 0;
        }
        Err(error) => reading.whole = error.kind() == io::ErrorKind::NotFound,
    }
    reading
}

/// Calls `take` with every summary and its length in the file; how many bytes are none.
fn each(
    disk: &dyn Disk,
    store: &Path,
    take: &mut dyn FnMut(SummaryV1, u64) -> io::Result<()>,
) -> io::Result<u64> {
    let file = disk.open(&path(store), OpenMode::Read)?;
    let size = file.size()?;
    let (mut at, mut bad) = (0, 0);
    while at < size {
        match frame::read_block(&*file, at, size)? {
            Found::Block(block) => {
                match SummaryV1::from_bytes(&block.body) {
                    Ok(summary) if block.kind == frame::SUMMARY => take(summary, block.length)?,
                    _ => bad += block.length,
                }
                at += block.length;
            }
            _ => {
                let next = frame::find_block(&*file, at + 1, size)?.unwrap_or(size);
                bad += next - at;
                at = next;
            }
        }
    }
    Ok(bad)
}

/// How a summary stands in the file; nothing for one that is too large for it.
pub(super) fn framed(summary: &SummaryV1) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(body) = summary.to_bytes() {
        frame::frame(frame::SUMMARY, &[], &body, &mut bytes);
    }
    bytes
}

/// Adds summaries to the file. `false` when it may now end with a part of one.
pub(super) fn append(disk: &dyn Disk, store: &Path, bytes: &[u8]) -> bool {
    let path = path(store);
    let opened = match disk.open(&path, OpenMode::Append) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => disk.open(&path, OpenMode::Create),
        opened => opened,
    };
    opened.and_then(|file| file.append(bytes)).is_ok()
}

/// Brings the file up to date when a store is opened for writing: adds what was missing, or writes
/// it anew when it is damaged or holds much that is of no use. Whether it can be appended to.
pub(super) fn bring_up_to_date(
    disk: &dyn Disk,
    store: &Path,
    reading: &Reading,
    live: &[Sealed],
    missing: &[u8],
) -> bool {
    if reading.whole && reading.dead <= reading.live + DEAD {
        return missing.is_empty() || append(disk, store, missing);
    }
    let live: HashMap<SegmentId, &Sealed> = live.iter().map(|it| (it.id(), it)).collect();
    let mut there = HashSet::new();
    let written = disk::replace_with(disk, &path(store), |anew| {
        let copied = each(disk, store, &mut |summary, _| {
            let id = summary.id();
            match live.get(&id) {
                Some(sealed) if summary.is_of(sealed) && there.insert(id) => {
                    anew.append(&framed(&summary))
                }
                _ => Ok(()),
            }
        });
        match copied {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => anew.append(missing),
        }
    });
    written.is_ok()
}

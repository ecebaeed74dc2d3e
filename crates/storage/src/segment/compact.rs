//! Makes sorted segments out of logs and small sorted ones.

use super::blocks::{BlockSource, Trouble};
use super::frame::{self, Trailer};
use super::index::{BlockEntry, Entry, Known, Segment};
use super::names::{self, SegmentId};
use super::{Shared, recover, scan, summary};
use crate::codec::sorted::{Stripe, StripeEncoder};
use crate::codec::{EntryV1, FooterV1, SummaryV1, ledger_to_bytes};
use crate::disk::{DiskFile, OpenMode};
use crate::fault;
use crate::marker::Sealed;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{Code, CompactReport, Error, ErrorKind, Ledger, Query, Result};
use telemetry_models::Event;

/// Events of a stripe: more of them share texts better and lie in memory at once.
pub(super) const STRIPE: usize = 32_768;
/// So many small segments beside each other are worth making one of, unasked.
const MANY: usize = 8;

/// How eager a compaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Eagerness {
    /// Full logs, and small segments when there are many.
    Background,
    /// Everything that is not sorted yet or could be one segment.
    Everything,
}

/// Segments beside each other that become one.
type Group = Vec<Sealed>;

impl Shared {
    /// Compacts what is worth it. `progress` is called with bytes done and bytes in all.
    pub(super) fn compact(
        &self,
        eagerness: Eagerness,
        stop: &AtomicBool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<CompactReport> {
        let _alone = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = CompactReport::default();
        let groups = self.groups(eagerness, &mut report)?;
        let all: u64 = groups.iter().flatten().map(|it| it.bytes).sum();
        let mut done = 0;
        progress(done, all);
        for group in groups {
            if stop.load(Ordering::SeqCst) {
                break;
            }
            match self.replace(&group, stop)? {
                Some(sealed) => {
                    report.replaced += group.len() as u64;
                    report.made += 1;
                    report.events += sealed.events;
                    report.bytes_before += group.iter().map(|it| it.bytes).sum::<u64>();
                    report.bytes_after += sealed.bytes;
                }
                None => break,
            }
            done += group.iter().map(|it| it.bytes).sum::<u64>();
            progress(done, all);
        }
        Ok(report)
    }

    fn groups(&self, eagerness: Eagerness, report: &mut CompactReport) -> Result<Vec<Group>> {
        let Some(writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
        writer.check_open()?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let full = writer.segment_bytes;
        let mut groups = Vec::new();
        let mut group = Group::new();
        let mut bytes = 0;
        for sealed in &writer.marker.sealed {
            let small = !sealed.warm && (sealed.last.is_none() || sealed.bytes < full / 2);
            let sound = match index.segments.get(&sealed.id()) {
                // The others stay as they are, whatever is in them.
                Some(Entry::Known(known)) => !small || self.footer(known)?.gaps.is_empty(),
                Some(Entry::Read(_)) | None => false,
            };
            report.damaged += u64::from(!sound);
            let wanted = sound && small;
            if !wanted || bytes + sealed.bytes > full && !group.is_empty() {
                groups.push(std::mem::take(&mut group));
                bytes = 0;
            }
            if wanted {
                bytes += sealed.bytes;
                group.push(sealed.clone());
            }
        }
        groups.push(group);
        groups.retain(|group| worth(group, full, eagerness));
        Ok(groups)
    }

    /// Writes one segment in place of several; `None` when it was stopped.
    fn replace(&self, group: &[Sealed], stop: &AtomicBool) -> Result<Option<Sealed>> {
        let (Some(first), Some(last)) = (group.first(), group.last()) else { return Ok(None) };
        let id =
            SegmentId { first: first.id().first, last: last.id().last, sorted: true, warm: false };
        let unfinished = names::unfinished(&self.path, id);
        let made = self.write_sorted(id, group, stop, &unfinished);
        if !matches!(made, Ok(true)) {
            // Nothing refers to it; opening the store for writing removes what is left.
            let _ = self.disk.remove(&unfinished);
        }
        if !made? {
            return Ok(None);
        }
        let expected = group.iter().map(|it| it.events).sum();
        let sealed = self.take_over(id, &unfinished, expected, &|it| id.covers(it))?;
        self.remove_replaced(group.iter().map(Sealed::id));
        Ok(Some(sealed))
    }

    /// Removes segments that no manifest and no index names any more. What cannot be removed now is
    /// removed with the next ones, or when the store is opened for writing.
    pub(super) fn remove_replaced(&self, ids: impl Iterator<Item = SegmentId>) {
        let mut replaced = self.replaced.lock().unwrap_or_else(PoisonError::into_inner);
        replaced.extend(ids);
        // A query of this process that could not hold all it planned to read.
        if Arc::strong_count(&self.reading) > 1 {
            return;
        }
        for id in replaced.drain(..) {
            let _ = self.disk.remove(&names::path(&self.path, id));
        }
        let _ = self.disk.sync_dir(&names::directory(&self.path));
    }

    /// Gives a whole and synced segment its name, and has manifest and index name it instead of
    /// those it replaces.
    pub(super) fn take_over(
        &self,
        id: SegmentId,
        unfinished: &Path,
        events: u64,
        replaces: &dyn Fn(SegmentId) -> bool,
    ) -> Result<Sealed> {
        let path = names::path(&self.path, id);
        let directory = names::directory(&self.path);
        self.disk
            .rename(unfinished, &path)
            .and_then(|()| self.disk.sync_dir(&directory))
            .map_err(|e| fault::io("give the sorted segment its name", &path, e))?;
        let reading = |error| fault::io("read the segment", &path, error);
        let file = self.disk.open(&path, OpenMode::Read).map_err(reading)?;
        let size = file.size().map_err(reading)?;
        let scan = scan::load(&*file, id, size).map_err(reading)?;
        let sealed = recover::sealed(&*file, &path, id, &scan)?;
        if !scan.sealed || !scan.gaps.is_empty() || sealed.events != events {
            let found = sealed.events;
            return Err(Error::new(
                ErrorKind::Internal,
                Code::Processing,
                format!("a sorted segment holds {found} events, expected {events}"),
            )
            .with("file", path.display())
            .cure("the segments it was made of are untouched; please report this"));
        }
        let Some(mut writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
        writer.check_open()?;
        let before = writer.marker.clone();
        writer.marker.sealed.retain(|it| !replaces(it.id()));
        writer.marker.sealed.push(sealed.clone());
        writer.marker.sealed.sort_by_key(|it| it.segment);
        if let Err(error) = writer.marker.write(&*self.disk, &self.path) {
            // Which manifest is on disk is not known; the segments of both are there.
            writer.marker = before;
            return Err(error);
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.segments.retain(|it, _| !replaces(*it));
        let mut streams = Vec::new();
        let segment = Segment::of(id, &scan, &mut |its| {
            streams.extend(its.iter().map(|it| summary::stream_of(&it.run, &it.producer)));
        });
        let summary = SummaryV1::of(id, summary::hash_of(&sealed), &segment, streams);
        index.settle(id, segment, Some(&sealed));
        drop(index);
        self.footers.retain(&|it| !replaces(it.id()));
        writer.remember(&summary);
        Ok(sealed)
    }

    /// What is in a sealed segment.
    pub(super) fn footer(&self, known: &Known) -> Result<Arc<Segment>> {
        let path = names::path(&self.path, known.sealed.id());
        let reading = |error| fault::io("read the segment", &path, error);
        let file = self.disk.open(&path, OpenMode::Read).map_err(reading)?;
        self.footers.read(known, &*file).map_err(reading)
    }

    /// Blocks and ledgers of a segment; `None` when it is not there any more.
    pub(super) fn contents(&self, id: SegmentId) -> Result<Option<Contents>> {
        let known = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            match index.segments.get(&id) {
                None => return Ok(None),
                Some(Entry::Read(segment)) => return Ok(Some(Contents::of(segment))),
                Some(Entry::Known(known)) => Arc::clone(known),
            }
        };
        Ok(Some(Contents::of(&*self.footer(&known)?)))
    }

    /// Begins a sorted segment in a file of its own.
    pub(super) fn output<'p>(&self, id: SegmentId, path: &'p Path) -> Result<Output<'p>> {
        let writing = |error| fault::io("write the sorted segment", path, error);
        match self.disk.remove(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(writing(error));
            }
            _ => {}
        }
        Output::new(id, self.disk.open(path, OpenMode::Create).map_err(writing)?, path)
    }

    fn write_sorted(
        &self,
        id: SegmentId,
        group: &[Sealed],
        stop: &AtomicBool,
        path: &Path,
    ) -> Result<bool> {
        let mut output = self.output(id, path)?;
        let mut source = BlockSource::new(Arc::clone(&self.disk), &self.path);
        let mut ledgers = BTreeMap::new();
        let mut events = Vec::new();
        for sealed in group {
            let Some(Contents { blocks, ledgers: its }) = self.contents(sealed.id())? else {
                return Ok(false);
            };
            for ledger in its {
                ledgers.insert((ledger.run.clone(), ledger.producer.clone()), ledger);
            }
            let same = |a: &Arc<BlockEntry>, b: &Arc<BlockEntry>| {
                a.stripe.is_some() && a.stripe == b.stripe
            };
            for blocks in blocks.chunk_by(same) {
                if stop.load(Ordering::SeqCst) {
                    return Ok(false);
                }
                append_order(&mut source, blocks, &mut events)?;
                while events.len() >= STRIPE {
                    let rest = events.split_off(STRIPE);
                    output.stripe(&events)?;
                    events = rest;
                }
            }
        }
        if !events.is_empty() {
            output.stripe(&events)?;
        }
        for ledger in ledgers.values() {
            output.ledger(ledger)?;
        }
        output.finish()?;
        Ok(true)
    }
}

/// What is in a segment.
pub(super) struct Contents {
    pub(super) blocks: Vec<Arc<BlockEntry>>,
    pub(super) ledgers: Vec<Ledger>,
}

impl Contents {
    fn of(segment: &Segment) -> Self {
        Self { blocks: segment.blocks.clone(), ledgers: segment.ledgers.clone() }
    }
}

fn worth(group: &[Sealed], full: u64, eagerness: Eagerness) -> bool {
    let unsorted = group.iter().any(|it| it.last.is_none());
    let full_log = group.iter().any(|it| it.last.is_none() && it.bytes >= full / 2);
    match eagerness {
        Eagerness::Background => full_log || group.len() >= MANY,
        Eagerness::Everything => unsorted || group.len() > 1,
    }
}

/// Adds the events of a log's block, or of the blocks of a stripe, in the order of appending as far
/// as it matters: events of one time keep theirs.
pub(super) fn append_order(
    source: &mut BlockSource,
    blocks: &[Arc<BlockEntry>],
    events: &mut Vec<Event>,
) -> Result<()> {
    let mut rows = Vec::new();
    let mut keys = Vec::new();
    for block in blocks {
        let damaged = |trouble| match trouble {
            Trouble::Damage(what) => {
                let file = names::relative(block.segment);
                fault::damaged(&file, block.offset, what)
                    .cure("run `telemetry store verify`; the segment stays as it is")
            }
            Trouble::Io(doing, path, error) => fault::io(doing, &path, error),
        };
        let (decoded, wanted) = source.open(block, &Query::all(), u32::MAX).map_err(damaged)?;
        let at = rows.len();
        // The rows of a log stand in the order of appending; those of a stripe are told by time.
        keys.extend(wanted.into_iter().map(|(time, tie, row)| match block.stripe {
            Some(_) => (time, tie, at, row),
            None => (i64::MIN, tie, at, row),
        }));
        rows.push((decoded, block));
    }
    keys.sort_unstable();
    for (_, _, at, row) in keys {
        let (rows, block) = &rows[at];
        let event = rows
            .event(row)
            .map_err(|what| fault::damaged(&names::relative(block.segment), block.offset, what))?;
        events.push(event);
    }
    Ok(())
}

/// A sorted segment that is being written.
pub(super) struct Output<'p> {
    id: SegmentId,
    file: Arc<dyn DiskFile>,
    path: &'p Path,
    hasher: blake3::Hasher,
    /// Bytes written before `pending`.
    written: u64,
    pending: Vec<u8>,
    entries: Vec<EntryV1>,
    encoder: StripeEncoder,
}

impl<'p> Output<'p> {
    fn new(id: SegmentId, file: Arc<dyn DiskFile>, path: &'p Path) -> Result<Self> {
        Ok(Self {
            id,
            file,
            path,
            hasher: blake3::Hasher::new(),
            written: 0,
            pending: frame::file_header(id),
            entries: Vec::new(),
            encoder: StripeEncoder::new().map_err(unstorable)?,
        })
    }

    pub(super) fn block(&mut self, kind: u8, meta: Vec<u8>, body: &[u8]) {
        let offset = self.written + self.pending.len() as u64;
        let length = frame::frame(kind, &meta, body, &mut self.pending);
        self.entries.push(EntryV1 { offset, length, kind, meta });
    }

    pub(super) fn ledger(&mut self, ledger: &Ledger) -> Result<()> {
        let meta = ledger_to_bytes(ledger).map_err(unstorable)?;
        self.block(frame::LEDGER, meta, &[]);
        Ok(())
    }

    pub(super) fn stripe(&mut self, events: &[Event]) -> Result<()> {
        let stripe = self.encoder.encode(events).map_err(unstorable)?;
        let Stripe { dictionary: (meta, body), filter, rows } = stripe;
        let start = self.written + self.pending.len() as u64;
        self.block(frame::DICTIONARY, meta, &body);
        self.block(frame::FILTER, Vec::new(), &filter);
        for (mut meta, body) in rows {
            let back = self.written + self.pending.len() as u64 - start;
            meta.back =
                u32::try_from(back).map_err(|_| unstorable("a stripe is too long".into()))?;
            self.block(frame::ROWS, meta.to_bytes().map_err(unstorable)?, &body);
        }
        self.write()
    }

    /// Where the next block begins.
    #[cfg(feature = "parquet")]
    pub(super) fn position(&self) -> u64 {
        self.written + self.pending.len() as u64
    }

    pub(super) fn write(&mut self) -> Result<()> {
        self.file
            .append(&self.pending)
            .map_err(|error| fault::io("write the sorted segment", self.path, error))?;
        self.hasher.update(&self.pending);
        self.written += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<()> {
        let footer = self.written + self.pending.len() as u64;
        let entries = FooterV1 { blocks: std::mem::take(&mut self.entries) };
        let bytes = entries.to_bytes().map_err(unstorable)?;
        frame::frame(frame::FOOTER, &[], &bytes, &mut self.pending);
        self.write()?;
        let trailer = Trailer { footer, blake3: *self.hasher.finalize().as_bytes() };
        self.pending.extend(trailer.to_bytes(self.id));
        self.write()?;
        self.file.sync().map_err(|error| fault::io("sync the sorted segment", self.path, error))
    }
}

pub(super) fn unstorable(fault: String) -> Error {
    Error::new(ErrorKind::Internal, Code::Processing, format!("cannot be sorted: {fault}"))
}

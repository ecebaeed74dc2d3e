//! Appends to the newest segment and seals it.

use super::cap;
use super::frame::{self, Trailer};
use super::index::{Entry, Index, Known, Segment};
use super::names::{self, SegmentId};
use super::{recover, summary};
use crate::codec::{BlockBuilder, Encoded, EntryV1, FooterV1, Scratch, SummaryV1, ledger_to_bytes};
use crate::disk::{Disk, DiskFile, DiskLock, OpenMode};
use crate::fault;
use crate::marker::{Marker, Sealed};
use crate::seen::Seen;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use telemetry_interfaces::{Ack, Code, Durability, Error, ErrorKind, Ledger, Result};
use telemetry_models::Event;

/// The one writer of a store.
#[derive(Debug)]
pub(crate) struct Writer {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) store: PathBuf,
    pub(crate) durability: Durability,
    pub(crate) segment_bytes: u64,
    pub(crate) max_selectors: u32,
    pub(crate) marker: Marker,
    pub(crate) next: u64,
    pub(crate) active: Option<Active>,
    pub(crate) seen: Seen,
    pub(crate) scratch: Scratch,
    /// Why nothing more is taken.
    pub(crate) closed: Option<String>,
    /// Held until the store is closed.
    pub(crate) lock: Option<Box<dyn DiskLock>>,
    /// Segments sealed since somebody asked.
    pub(crate) sealed: u64,
    /// Sealed and not yet published.
    pub(crate) settled: Vec<Known>,
    /// Whether the file of summaries ends with a whole one.
    pub(crate) summarises: bool,
}

/// The segment that grows.
#[derive(Debug)]
pub(crate) struct Active {
    pub(crate) id: SegmentId,
    pub(crate) file: Arc<dyn DiskFile>,
    pub(crate) length: u64,
    pub(crate) hasher: blake3::Hasher,
    pub(crate) entries: Vec<EntryV1>,
    pub(crate) events: u64,
}

impl Writer {
    pub(crate) fn check_open(&self) -> Result<()> {
        self.closed.as_ref().map_or(Ok(()), |reason| Err(fault::closed(&self.store, reason)))
    }

    pub(crate) fn append(&mut self, batch: &[Event], index: &RwLock<Index>) -> Result<Ack> {
        self.check_open()?;
        self.read_sequences(batch)?;
        let admitted = self.seen.admit(batch);
        let (fresh, duplicates) = (admitted.fresh, admitted.duplicates);
        let others = {
            let index = index.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            cap::beyond(&fresh, &index, self.max_selectors)
        };
        let mut stored = fresh.clone();
        for (slot, other) in stored.iter_mut().zip(&others) {
            *slot = other.as_ref().unwrap_or(*slot);
        }
        let written = blocks(&mut self.scratch, &stored).and_then(|blocks| {
            let frames = blocks.iter().map(|it| (frame::EVENTS, &it.meta_bytes[..], &it.body[..]));
            let (id, offsets) = self.write(frames, fresh.len() as u64)?;
            let mut index = index.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            for (block, offset) in blocks.iter().zip(offsets) {
                index.push(id, offset, &block.meta);
            }
            self.publish(&mut index);
            Ok(())
        });
        if let Err(error) = written {
            self.seen.revoke(&fresh);
            return Err(error);
        }
        Ok(Ack { stored: fresh.len() as u64, duplicates, durability: self.durability })
    }

    pub(crate) fn append_ledger(&mut self, ledger: &Ledger, index: &RwLock<Index>) -> Result<()> {
        self.check_open()?;
        let meta = ledger_to_bytes(ledger).map_err(unstorable)?;
        let (id, _) = self.write(std::iter::once((frame::LEDGER, &meta[..], &[][..])), 0)?;
        let mut index = index.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        index.read(id).ledgers.push(ledger.clone());
        self.publish(&mut index);
        Ok(())
    }

    /// Tells readers in this process how far the files go.
    pub(crate) fn publish(&mut self, index: &mut Index) {
        for known in self.settled.drain(..) {
            index.segments.insert(known.sealed.id(), Entry::Known(Arc::new(known)));
        }
        if let Some(active) = &self.active {
            index.read(active.id).end = active.length;
        }
    }

    /// Reads what earlier programs stored of the streams of a batch, unless it is in memory already.
    fn read_sequences(&mut self, batch: &[Event]) -> Result<()> {
        for id in self.seen.unread(batch) {
            // What it was joined into since holds its sequences.
            let its = self.marker.sealed.iter().map(Sealed::id);
            let its: Vec<SegmentId> = its.filter(|it| *it == id || it.covers(id)).collect();
            for id in its {
                recover::note_sequences(&*self.disk, &self.store, id, &mut self.seen)?;
            }
            self.seen.was_read(id);
        }
        Ok(())
    }

    /// Remembers what is in a segment that was just sealed.
    pub(crate) fn remember(&mut self, summary: &SummaryV1) {
        if self.summarises {
            let bytes = summary::framed(summary);
            self.summarises = summary::append(&*self.disk, &self.store, &bytes);
        }
    }

    /// Writes blocks in one go, whole or not at all; gives the segment and their offsets.
    fn write<'b>(
        &mut self,
        blocks: impl Iterator<Item = (u8, &'b [u8], &'b [u8])>,
        events: u64,
    ) -> Result<(SegmentId, Vec<u64>)> {
        let mut bytes = Vec::new();
        let mut entries: Vec<EntryV1> = blocks
            .map(|(kind, meta, body)| {
                let offset = bytes.len() as u64;
                let length = frame::frame(kind, meta, body, &mut bytes);
                EntryV1 { offset, length, kind, meta: meta.to_vec() }
            })
            .collect();
        if entries.is_empty() {
            return Ok((SegmentId::log(0), Vec::new()));
        }
        let room = self.segment_bytes;
        let overfull = |it: &Active| {
            !it.entries.is_empty() && it.length.saturating_add(bytes.len() as u64) > room
        };
        if self.active.as_ref().is_some_and(overfull) {
            self.seal()?;
        }
        self.ensure_active()?;
        let active = self.active.as_mut().expect("ensured above");
        let path = names::path(&self.store, active.id);
        if let Err(error) = active.file.append(&bytes) {
            let failure = fault::io("write to the segment", &path, error);
            if let Err(error) = active.file.truncate(active.length) {
                self.closed = Some(format!("a failed write could not be taken back ({error})"));
            }
            return Err(failure);
        }
        if self.durability == Durability::Batch {
            self.sync()?;
        }
        let active = self.active.as_mut().expect("ensured above");
        active.hasher.update(&bytes);
        let offsets: Vec<u64> = entries.iter().map(|entry| active.length + entry.offset).collect();
        for (entry, offset) in entries.iter_mut().zip(&offsets) {
            entry.offset = *offset;
        }
        active.entries.append(&mut entries);
        active.length += bytes.len() as u64;
        active.events += events;
        Ok((active.id, offsets))
    }

    fn ensure_active(&mut self) -> Result<()> {
        if self.active.is_some() {
            return Ok(());
        }
        let id = SegmentId::log(self.next);
        let path = names::path(&self.store, id);
        let create = || {
            let opened = self.disk.open(&path, OpenMode::Create);
            let file = opened.map_err(|error| {
                let there = error.kind() == std::io::ErrorKind::AlreadyExists;
                (error, there)
            })?;
            let header = frame::file_header(id);
            // The header is durable before a block is: without it a block that survives a loss of
            // power would lie in a damaged file.
            let begun = file
                .append(&header)
                .and_then(|()| file.sync())
                .and_then(|()| self.disk.sync_dir(&names::directory(&self.store)));
            match begun {
                Ok(()) => Ok((file, header)),
                // Nothing was acknowledged from it; without it the next try can have the name.
                Err(error) => Err((error, self.disk.remove(&path).is_err())),
            }
        };
        let (file, header) = create().map_err(|(error, stays)| {
            self.next += u64::from(stays);
            fault::io("begin a segment", &path, error)
        })?;
        let mut hasher = blake3::Hasher::new();
        hasher.update(&header);
        self.next += 1;
        self.active = Some(Active {
            id,
            file,
            length: header.len() as u64,
            hasher,
            entries: Vec::new(),
            events: 0,
        });
        Ok(())
    }

    /// Brings the active segment to stable storage. A failure closes the store for good: the
    /// kernel may have dropped the pages, so trying again could succeed without them.
    pub(crate) fn sync(&mut self) -> Result<()> {
        let Some(active) = &self.active else { return Ok(()) };
        match active.file.sync() {
            Ok(()) => Ok(()),
            Err(error) => {
                if self.durability == Durability::Batch {
                    // None of this was acknowledged, and the kernel shows it whether or not it is on
                    // the disk: the next writer must not take it for stored.
                    let _ = active.file.truncate(active.length);
                }
                let path = names::path(&self.store, active.id);
                Err(self.poison(&path, &error))
            }
        }
    }

    pub(crate) fn poison(&mut self, path: &Path, error: &std::io::Error) -> Error {
        let reason = format!("fsync of {} failed: {error}", path.display());
        let fault = fault::closed(&self.store, &reason)
            .cure("check the disk, then open the store again: it recovers what is readable");
        self.closed = Some(reason);
        fault
    }

    /// Ends the active segment: footer, trailer, fsync, manifest.
    pub(crate) fn seal(&mut self) -> Result<()> {
        let Some(active) = &self.active else { return Ok(()) };
        let path = names::path(&self.store, active.id);
        let End { bytes, blake3 } =
            End::of(active.id, &active.entries, active.length, active.hasher.clone())?;
        if let Err(error) = active.file.append(&bytes) {
            let failure = fault::io("seal the segment", &path, error);
            if let Err(error) = active.file.truncate(active.length) {
                self.closed = Some(format!("a failed write could not be taken back ({error})"));
            }
            return Err(failure);
        }
        self.sync()?;
        let mut remembered = None;
        if let Some(active) = self.active.take() {
            let sealed = Sealed {
                segment: active.id.first,
                last: None,
                warm: false,
                bytes: active.length + bytes.len() as u64,
                blocks: active.entries.len() as u64,
                events: active.events,
                blake3,
            };
            let (mut segment, mut streams) = (Segment::default(), Vec::new());
            segment.blocks_of(active.id, &active.entries, &mut |its| {
                streams.extend(its.iter().map(|it| summary::stream_of(&it.run, &it.producer)));
            });
            let hash = summary::hash_of(&sealed);
            let summary = SummaryV1::of(active.id, hash, &segment, streams);
            self.settled.push(Known::of(&sealed, &summary));
            self.marker.sealed.push(sealed);
            remembered = Some(summary);
        }
        self.sealed += 1;
        self.marker.write(&*self.disk, &self.store)?;
        if let Some(summary) = remembered {
            self.remember(&summary);
        }
        Ok(())
    }
}

/// What ends a sealed segment.
pub(crate) struct End {
    /// Footer and trailer.
    pub(crate) bytes: Vec<u8>,
    /// Of everything in front of the trailer, as the manifest has it.
    pub(crate) blake3: String,
}

impl End {
    /// `hasher` has taken the `length` bytes in front of the footer.
    pub(crate) fn of(
        id: SegmentId,
        entries: &[EntryV1],
        length: u64,
        mut hasher: blake3::Hasher,
    ) -> Result<Self> {
        let footer = FooterV1 { blocks: entries.to_vec() }.to_bytes().map_err(unstorable)?;
        let mut bytes = Vec::new();
        frame::frame(frame::FOOTER, &[], &footer, &mut bytes);
        hasher.update(&bytes);
        let hash = hasher.finalize();
        bytes.extend(Trailer { footer: length, blake3: *hash.as_bytes() }.to_bytes(id));
        Ok(Self { bytes, blake3: hash.to_hex().to_string() })
    }
}

/// Turns events into blocks.
fn blocks(scratch: &mut Scratch, events: &[&Event]) -> Result<Vec<Encoded>> {
    let mut blocks = Vec::new();
    let mut rest = events.iter().peekable();
    while rest.peek().is_some() {
        let mut builder = BlockBuilder::new(scratch);
        while let Some(event) = rest.next_if(|_| !builder.is_full()) {
            builder.push(event).map_err(|fault| unstorable(fault).with("event", &event.id))?;
        }
        blocks.extend(builder.finish().map_err(unstorable)?);
    }
    Ok(blocks)
}

fn unstorable(fault: String) -> Error {
    Error::new(ErrorKind::Invalid, Code::InvalidEvent, format!("cannot be stored: {fault}"))
}

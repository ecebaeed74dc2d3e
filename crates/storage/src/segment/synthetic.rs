//! Stores that look large: every header, footer, trailer and manifest entry is what a writer would
//! have left, and nearly all blocks are holes in sparse files. For measuring what opening costs.

use super::frame::{self, Trailer};
use super::index::Segment;
use super::names::{self, SegmentId};
use super::summary;
use crate::codec::{
    BlockBuilder, Encoded, EntryV1, FooterV1, MetaV1, Scratch, StreamV1, SummaryV1,
};
use crate::disk::{Disk, OpenMode, OsDisk};
use crate::marker::{self, Sealed};
use crate::{StorageConfig, fault};
use std::io;
use std::path::Path;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Event;

/// What was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Synthetic {
    /// Sealed segments.
    pub segments: u64,
    /// Their lengths, as the file system gives them.
    pub bytes: u64,
    /// Events that their footers speak of.
    pub events: u64,
    /// Blocks that their footers speak of.
    pub blocks: u64,
}

/// Makes a store of at least so many bytes out of full sealed logs. Every segment has a run of its
/// own and begins where the one before ended; its blocks are copies of `batch` in everything that
/// describes them. The first block of each segment is there, the others are holes: reading them is
/// damage, and the hashes are made up.
///
/// # Errors
/// TEL-001 when the directory is not empty or cannot be written; `Invalid` when the batch cannot be
/// stored or does not fit a segment.
pub fn sparse(config: &StorageConfig, bytes: u64, batch: &[Event]) -> Result<Synthetic> {
    let disk = OsDisk;
    let store = config.path.as_path();
    let (mut marker, _lock) = marker::prepare(&disk, store, "segment")?;
    let directory = names::directory(store);
    disk.create_dir(&directory).map_err(|e| fault::io("make the directory", &directory, e))?;
    let block = encoded(batch)?;
    let mut made = Synthetic::default();
    let mut begins = block.meta.first;
    while made.bytes < bytes {
        let id = SegmentId::log(made.segments + 1);
        let laid = Laid::out(&block, id, begins, config.segment_bytes)?;
        let path = names::path(store, id);
        let sealed =
            laid.write(&disk, &path).map_err(|e| fault::io("write the segment", &path, e))?;
        summary::append(&disk, store, &summary::framed(&laid.summary(&sealed)));
        begins = laid.ends;
        made.segments += 1;
        made.bytes += sealed.bytes;
        made.events += sealed.events;
        made.blocks += sealed.blocks;
        marker.sealed.push(sealed);
    }
    marker.write(&disk, store)?;
    Ok(made)
}

fn unusable(what: String) -> Error {
    Error::new(ErrorKind::Invalid, Code::InvalidEvent, what)
}

fn encoded(batch: &[Event]) -> Result<Encoded> {
    let mut scratch = Scratch::default();
    let mut builder = BlockBuilder::new(&mut scratch);
    for event in batch {
        builder.push(event).map_err(unusable)?;
    }
    let block = builder.finish().map_err(unusable)?;
    block.ok_or_else(|| unusable("a batch without events".into()))
}

/// A segment that is to be written.
struct Laid {
    id: SegmentId,
    /// The file's header and its first block.
    start: Vec<u8>,
    entries: Vec<EntryV1>,
    /// Where the footer begins.
    end: u64,
    footer: Vec<u8>,
    events: u64,
    /// Timestamp after its last.
    ends: i64,
}

impl Laid {
    fn out(block: &Encoded, id: SegmentId, begins: i64, room: u64) -> Result<Self> {
        let mut start = frame::file_header(id);
        let (mut entries, mut at) = (Vec::new(), start.len() as u64);
        let long = block.meta.last - block.meta.first + 1;
        let mut first = begins;
        loop {
            let meta = described(&block.meta, id, entries.len() as u64, first);
            let meta = meta.to_bytes().map_err(unusable)?;
            let mut bytes = Vec::new();
            let length = frame::frame(frame::EVENTS, &meta, &block.body, &mut bytes);
            if at + length > room {
                break;
            }
            if entries.is_empty() {
                start.extend(bytes);
            }
            entries.push(EntryV1 { offset: at, length, kind: frame::EVENTS, meta });
            at += length;
            first += long;
        }
        if entries.is_empty() {
            return Err(unusable("the batch does not fit a segment".into()));
        }
        let events = u64::from(block.meta.events) * entries.len() as u64;
        let body = FooterV1 { blocks: entries.clone() }.to_bytes().map_err(unusable)?;
        let mut footer = Vec::new();
        frame::frame(frame::FOOTER, &[], &body, &mut footer);
        let blake3 = *blake3::hash(&footer).as_bytes();
        footer.extend(Trailer { footer: at, blake3 }.to_bytes(id));
        Ok(Self { id, start, entries, end: at, footer, events, ends: first })
    }

    fn write(&self, disk: &dyn Disk, path: &Path) -> io::Result<Sealed> {
        let file = disk.open(path, OpenMode::Create)?;
        file.append(&self.start)?;
        // A file system gives a length without taking room for it.
        file.truncate(self.end)?;
        file.append(&self.footer)?;
        let bytes = self.end + self.footer.len() as u64;
        let blake3 = Trailer::read(&*file, bytes)?.map_or([0; 32], |it| it.blake3);
        Ok(Sealed {
            segment: self.id.first,
            last: None,
            warm: false,
            bytes,
            blocks: self.entries.len() as u64,
            events: self.events,
            blake3: blake3::Hash::from_bytes(blake3).to_hex().to_string(),
        })
    }

    fn summary(&self, sealed: &Sealed) -> SummaryV1 {
        let (mut segment, mut streams) = (Segment::default(), Vec::new());
        segment.blocks_of(self.id, &self.entries, &mut |its| {
            streams.extend(its.iter().map(|it| summary::stream_of(&it.run, &it.producer)));
        });
        SummaryV1::of(self.id, summary::hash_of(sealed), &segment, streams)
    }
}

/// What describes the block with a number of a segment.
fn described(like: &MetaV1, id: SegmentId, block: u64, first: i64) -> MetaV1 {
    let events = u64::from(like.events);
    let later = |it: &StreamV1| StreamV1 {
        run: format!("{}-{id}", it.run),
        producer: it.producer.clone(),
        ranges: it.ranges.iter().map(|(a, b)| (a + block * events, b + block * events)).collect(),
    };
    let day = |at: i64| at.div_euclid(86_400_000_000_000) as i32;
    MetaV1 {
        first,
        last: first + (like.last - like.first),
        days: vec![(day(first), like.events)],
        streams: like.streams.iter().map(later).collect(),
        ..like.clone()
    }
}

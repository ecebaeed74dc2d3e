//! Opening for writing: sets a torn end aside, seals what was left open.

use super::index::{Entry, Index, Known, Segment};
use super::names::{self, SegmentId};
use super::scan::{self, Gap, Scan};
use super::writer::{End, Writer};
use super::{frame, query, summary};
use crate::codec::{EntryV1, Scratch, StreamV1, SummaryV1};
use crate::disk::{self, Disk, DiskFile, DiskLock, OpenMode};
use crate::marker::{Marker, Sealed};
use crate::seen::Seen;
use crate::{StorageConfig, fault};
use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::sync::Arc;
use telemetry_interfaces::{Damage, Recovery, Result};
use telemetry_models::{ProducerId, RunId};

/// What opening a store for writing had to put right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// Ends of segments that were set aside. Normal after the writer was interrupted: what was
    /// torn was not acknowledged yet (or not synced, with a durability below `batch`).
    pub torn: Vec<TornTail>,
    /// Damage that stays in the store. It is not normal.
    pub damage: Vec<Damage>,
    /// Segments that were left open and are sealed now, relative to the store.
    pub sealed: Vec<String>,
}

impl RecoveryReport {
    /// Whether everything was in order.
    pub fn is_clean(&self) -> bool {
        self.torn.is_empty() && self.damage.is_empty()
    }
}

impl From<&RecoveryReport> for Recovery {
    fn from(report: &RecoveryReport) -> Self {
        let torn = report.torn.iter().map(|it| Damage {
            file: it.file.clone(),
            offset: it.offset,
            length: Some(it.bytes),
            events: None,
            what: format!("kept in {}", it.saved_as),
        });
        Self { torn: torn.collect(), damage: report.damage.clone() }
    }
}

/// The end of a segment that was not a whole block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TornTail {
    /// The segment, relative to the store.
    pub file: String,
    /// Where the torn end began.
    pub offset: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// Where its bytes are kept, relative to the store.
    pub saved_as: String,
}

/// Reads the store and prepares its writer.
pub(super) fn recover(
    disk: Arc<dyn Disk>,
    config: &StorageConfig,
    marker: Marker,
    lock: Box<dyn DiskLock>,
) -> Result<(Writer, Index, RecoveryReport)> {
    let store = config.path.as_path();
    let directory = names::directory(store);
    disk.create_dir(&directory).map_err(|e| fault::io("make the directory", &directory, e))?;
    let listed = disk.list(&directory).map_err(|e| fault::io("list", &directory, e))?;
    let numbers = tidy(&*disk, store, &listed, &marker)?;
    let newest = numbers.iter().copied().filter(|id| !id.sorted).max();
    let named = marker.sealed.iter().map(|it| it.id().last);
    let next = numbers.iter().map(|id| id.last).chain(named).max();
    let mut writer = Writer {
        disk: Arc::clone(&disk),
        store: store.to_owned(),
        durability: config.durability,
        segment_bytes: config.segment_bytes,
        max_selectors: config.max_selectors,
        marker,
        next: next.map_or(1, |number| number + 1),
        active: None,
        seen: Seen::default(),
        scratch: Scratch::default(),
        closed: None,
        lock: Some(lock),
        sealed: 0,
        settled: Vec::new(),
        summarises: false,
    };
    let mut report = RecoveryReport::default();
    let mut index = Index::default();
    let mut changed = false;
    let named: HashMap<SegmentId, usize> =
        writer.marker.sealed.iter().enumerate().map(|(at, it)| (it.id(), at)).collect();
    let mut known: HashMap<SegmentId, Arc<Known>> = HashMap::new();
    let reading = summary::read(&*disk, store, &mut |summary| {
        let id = summary.id();
        let Some(sealed) = named.get(&id).map(|at| &writer.marker.sealed[*at]) else {
            return false;
        };
        if !summary.is_of(sealed) || known.contains_key(&id) {
            return false;
        }
        known.insert(id, Arc::new(Known::of(sealed, &summary)));
        note(id, &summary, &mut writer.seen, &mut index);
        true
    });
    let mut missing = Vec::new();
    for number in numbers {
        let path = names::path(store, number);
        let file = disk.open(&path, OpenMode::Read).map_err(|e| fault::io("open", &path, e))?;
        let size = file.size().map_err(|e| fault::io("measure", &path, e))?;
        if let Some(known) = known.remove(&number)
            && known.sealed.bytes == size
        {
            // Its footer is looked at when a query needs it, and damage found then.
            index.segments.insert(number, Entry::Known(known));
            continue;
        }
        let mut scan = scan::load(&*file, number, size)
            .map_err(|e| fault::io("read the segment", &path, e))?;
        let known = named.contains_key(&number);
        let mut sealed_now = false;
        let unfinished = !scan.sealed && !known;
        let garbage = scan.entries.is_empty() && scan.gaps.iter().all(|gap| gap.offset == 0);
        if unfinished && Some(number) == newest && garbage && !scan.gaps.is_empty() {
            // Not even the beginning is that of a segment: nothing of it is kept in place.
            scan = Scan { tail: size, ..Scan::default() };
        }
        if unfinished && Some(number) == newest {
            if scan.tail > 0 {
                report.torn.push(set_aside(&*disk, store, number, &scan)?);
                scan.tail = 0;
            }
            if scan.entries.is_empty() && scan.gaps.is_empty() {
                // Durable before there is a newer one: left behind, it would look damaged then.
                disk.remove(&path)
                    .and_then(|()| disk.sync_dir(&directory))
                    .map_err(|e| fault::io("remove the empty segment", &path, e))?;
                continue;
            }
            writer.marker.sealed.push(seal(&*disk, &*file, &path, number, &mut scan)?);
            changed = true;
            sealed_now = true;
            report.sealed.push(names::relative(number));
        } else if scan.sealed && !known && !scan.newer {
            if Some(number) == newest {
                let copied = write_anew(&*disk, &*file, &path, scan.end);
                copied.map_err(|e| fault::io("bring the segment to stable storage", &path, e))?;
            }
            writer.marker.sealed.push(sealed(&*file, &path, number, &scan)?);
            changed = true;
        } else if unfinished && size <= frame::header_len(number) as u64 {
            // Begun in vain: its writer met an error and went on with the next number.
            disk.remove(&path).map_err(|e| fault::io("remove the empty segment", &path, e))?;
            continue;
        } else if !scan.sealed && !known && scan.tail > 0 {
            scan.gaps.push(Gap {
                offset: scan.end,
                length: scan.tail,
                events: None,
                harmless: false,
                what: "the segment has no end and is not the newest",
            });
            scan.tail = 0;
        }
        let mut streams = Vec::new();
        let segment = Segment::of(number, &scan, &mut |its| {
            streams.extend(its.iter().map(|it| summary::stream_of(&it.run, &it.producer)));
        });
        // Those that were added above stand at the end.
        let its = named.get(&number).map(|at| &writer.marker.sealed[*at]);
        let its = its.or_else(|| writer.marker.sealed.last().filter(|it| it.id() == number));
        let trailer = match its.map(summary::hash_of) {
            // The open file is the one that was there before.
            Some(hash) if sealed_now => Some(hash),
            Some(hash) => hash_of(&*file, &path, &scan)?.filter(|it| *it == hash),
            None => None,
        };
        let summary = SummaryV1::of(number, trailer.unwrap_or_default(), &segment, streams);
        note(number, &summary, &mut writer.seen, &mut index);
        if trailer.is_some() && its.is_some_and(|its| segment.is_sound(its)) {
            missing.extend(summary::framed(&summary));
        }
        index.settle(number, segment, its);
    }
    writer.marker.sealed.sort_by_key(|it| it.segment);
    if changed {
        writer.marker.write(&*disk, store)?;
    }
    index.expect(&writer.marker.sealed);
    for (number, entry) in &index.segments {
        if let Entry::Read(segment) = entry {
            report.damage.extend(segment.gaps.iter().map(|gap| gap.damage(*number)));
        }
    }
    let sealed = &writer.marker.sealed;
    writer.summarises = summary::bring_up_to_date(&*disk, store, &reading, sealed, &missing);
    Ok((writer, index, report))
}

/// Takes note of whose events a segment holds, and of which selectors.
fn note(id: SegmentId, summary: &SummaryV1, seen: &mut Seen, index: &mut Index) {
    seen.insert_unread(id, &summary.streams);
    for (name, _) in &summary.selectors {
        index.selectors.number(name);
    }
}

/// The hash that a sealed segment's trailer has.
fn hash_of(file: &dyn DiskFile, path: &Path, scan: &Scan) -> Result<Option<[u8; 32]>> {
    if !scan.sealed || scan.newer {
        return Ok(None);
    }
    let trailer = frame::Trailer::read(file, scan.end)
        .map_err(|error| fault::io("read the segment", path, error))?;
    Ok(trailer.map(|it| it.blake3))
}

/// Takes note of all sequences in a segment. One that is missing has none.
pub(super) fn note_sequences(
    disk: &dyn Disk,
    store: &Path,
    id: SegmentId,
    seen: &mut Seen,
) -> Result<()> {
    let path = names::path(store, id);
    let reading = |error| fault::io("read the segment", &path, error);
    let file = match disk.open(&path, OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        opened => opened.map_err(reading)?,
    };
    let size = file.size().map_err(reading)?;
    let scan = scan::load(&*file, id, size).map_err(reading)?;
    Segment::of(id, &scan, &mut |streams| note_streams(streams, seen));
    Ok(())
}

/// What a segment holds, block by block whatever its footer says.
pub(super) fn segment_of(disk: &dyn Disk, store: &Path, id: SegmentId) -> Result<Segment> {
    let path = names::path(store, id);
    let reading = |error| fault::io("read the segment", &path, error);
    let file = disk.open(&path, OpenMode::Read).map_err(reading)?;
    let size = file.size().map_err(reading)?;
    let scan = scan::blocks(&*file, frame::header_len(id) as u64, size).map_err(reading)?;
    Ok(Segment::of(id, &scan, &mut |_| {}))
}

fn note_streams(streams: &[StreamV1], seen: &mut Seen) {
    for stream in streams {
        // Blank names cannot have been written; damage would have failed the checksum.
        let (Ok(run), Ok(producer)) =
            (RunId::new(stream.run.as_str()), ProducerId::new(stream.producer.as_str()))
        else {
            continue;
        };
        for range in &stream.ranges {
            seen.insert_range(&run, &producer, *range);
        }
    }
}

/// Removes what an interrupted compaction left, and gives the segments that count.
///
/// A sorted segment that the manifest does not name was not taken over: the logs it is made of are
/// still there. A log that a named segment replaces was on its way out.
fn tidy(
    disk: &dyn Disk,
    store: &Path,
    listed: &[String],
    marker: &Marker,
) -> Result<Vec<SegmentId>> {
    let ids: Vec<SegmentId> = listed.iter().filter_map(|name| SegmentId::of_name(name)).collect();
    let live = query::live(&ids, marker);
    let whole = |id: SegmentId| {
        let parts = marker.sealed.iter().map(|it| it.id()).filter(|it| id.covers(*it));
        let mut parts: Vec<SegmentId> = parts.filter(|it| ids.contains(it)).collect();
        parts.sort_unstable();
        let joined = parts.windows(2).all(|pair| pair[0].last < pair[1].first);
        let ends = parts.first().zip(parts.last());
        joined && ends.is_some_and(|(a, b)| (a.first, b.last) == (id.first, id.last))
    };
    let replaced = |id: SegmentId| marker.sealed.iter().any(|it| it.id().covers(id));
    let mut removed = false;
    let left = ids.iter().filter(|id| !live.contains(id));
    let gone =
        left.filter(|id| if id.sorted { whole(**id) || replaced(**id) } else { replaced(**id) });
    let gone = gone.map(|id| names::path(store, *id));
    let unfinished = listed.iter().filter(|name| names::is_unfinished(name));
    let unfinished = unfinished.map(|name| names::directory(store).join(name));
    for path in gone.chain(unfinished) {
        disk.remove(&path).map_err(|e| fault::io("remove the replaced segment", &path, e))?;
        removed = true;
    }
    if removed {
        let directory = names::directory(store);
        disk.sync_dir(&directory).map_err(|e| fault::io("sync", &directory, e))?;
    }
    Ok(live)
}

/// Copies what follows the last whole block to a file of its own.
fn set_aside(disk: &dyn Disk, store: &Path, number: SegmentId, scan: &Scan) -> Result<TornTail> {
    let path = names::path(store, number);
    let directory = names::directory(store);
    let base = format!("{}.torn-{}", names::file(number), scan.end);
    let mut aside = base.clone();
    let work = |error| fault::io("set the torn end of the segment aside", &path, error);
    let segment = disk.open(&path, OpenMode::Read).map_err(work)?;
    let length =
        usize::try_from(scan.tail).map_err(|_| work(io::ErrorKind::FileTooLarge.into()))?;
    let bytes = disk::read_exact(&*segment, scan.end, length).map_err(work)?;
    for again in 2.. {
        match disk.open(&directory.join(&aside), OpenMode::Create) {
            Ok(file) => {
                if let Err(error) = file.append(&bytes).and_then(|()| file.sync()) {
                    // On a full disk, every further try would otherwise take more of it.
                    let _ = disk.remove(&directory.join(&aside));
                    return Err(work(error));
                }
                break;
            }
            // An earlier recovery was interrupted after this point: nothing is written over.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                aside = format!("{base}-{again}");
            }
            Err(error) => return Err(work(error)),
        }
    }
    disk.sync_dir(&directory).map_err(work)?;
    Ok(TornTail {
        file: names::relative(number),
        offset: scan.end,
        bytes: scan.tail,
        saved_as: format!("{}/{aside}", names::DIRECTORY),
    })
}

/// Seals a segment that was left open, without what follows its last whole block.
fn seal(
    disk: &dyn Disk,
    file: &dyn DiskFile,
    path: &Path,
    id: SegmentId,
    scan: &mut Scan,
) -> Result<Sealed> {
    let mut hasher = blake3::Hasher::new();
    let mut sealed = None;
    let mut unstorable = None;
    let written = disk::replace_with(disk, path, |anew| {
        disk::copy(file, scan.end, anew, &mut |piece| {
            hasher.update(piece);
        })?;
        match End::of(id, &scan.entries, scan.end, hasher) {
            Ok(end) => {
                anew.append(&end.bytes)?;
                sealed = Some((scan.end + end.bytes.len() as u64, end.blake3));
                Ok(())
            }
            Err(error) => {
                unstorable = Some(error);
                Err(io::ErrorKind::InvalidData.into())
            }
        }
    });
    if let Some(error) = unstorable {
        return Err(error);
    }
    written.map_err(|error| fault::io("seal the segment that was left open", path, error))?;
    let (bytes, blake3) = sealed.expect("set by what was written");
    scan.sealed = true;
    scan.end = bytes;
    Ok(Sealed {
        segment: id.first,
        last: None,
        warm: false,
        bytes,
        blocks: scan.entries.len() as u64,
        events: events(&scan.entries),
        blake3,
    })
}

/// Writes a file anew. What an interrupted writer left may be in the cache alone, where a failed
/// sync has marked it as written: another sync succeeds without it. New pages are written.
fn write_anew(disk: &dyn Disk, file: &dyn DiskFile, path: &Path, length: u64) -> io::Result<()> {
    disk::replace_with(disk, path, |anew| disk::copy(file, length, anew, &mut |_| {}))
}

/// What the manifest should say of a segment that was sealed just before the writer was
/// interrupted.
pub(super) fn sealed(
    file: &dyn DiskFile,
    path: &Path,
    id: SegmentId,
    scan: &Scan,
) -> Result<Sealed> {
    let trailer = frame::Trailer::read(file, scan.end)
        .map_err(|error| fault::io("read the segment", path, error))?;
    let blake3 = trailer.map_or([0; 32], |trailer| trailer.blake3);
    Ok(Sealed {
        segment: id.first,
        last: id.sorted.then_some(id.last),
        warm: id.warm,
        bytes: scan.end,
        blocks: scan.entries.len() as u64,
        events: events(&scan.entries),
        blake3: blake3::Hash::from_bytes(blake3).to_hex().to_string(),
    })
}

fn events(entries: &[EntryV1]) -> u64 {
    entries.iter().filter_map(|entry| scan::events_in(entry.kind, &entry.meta)).sum()
}

impl Gap {
    pub(super) fn damage(&self, segment: SegmentId) -> Damage {
        Damage {
            file: names::relative(segment),
            offset: self.offset,
            length: Some(self.length),
            events: self.events,
            what: self.what.into(),
        }
    }
}

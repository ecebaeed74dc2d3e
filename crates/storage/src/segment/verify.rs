//! Checks a store against its checksums and, on request, every event.

use super::footers::FOREIGN;
use super::frame::{self, FileHeader, Found, Trailer};
use super::index::Entry;
use super::names::SegmentId;
use super::scan::{self, Scan};
use super::{Shared, names, query};
use crate::codec::sorted::{Dictionary, DictionaryMetaV2, RowKeys, Rows, RowsMetaV2, Unpacker};
use crate::codec::{BlockReader, MetaV1, WarmMetaV3, ledger_from_bytes};
use crate::disk::{self, DiskFile, OpenMode};
use crate::fault;
use crate::marker::{self, Marker, Sealed};
#[cfg(feature = "parquet")]
use crate::parquet::{ParquetFile, Unread};
use crate::quarantine;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{Damage, Parts, Result, VerifyLevel, VerifyReport};

/// What the check of one segment found.
#[derive(Default)]
pub(super) struct Part {
    pub(super) report: VerifyReport,
    /// Offset and length of what follows the last whole block of a segment without an end.
    unfinished: Option<(u64, u64)>,
    /// Of a format that this program does not know.
    pub(super) newer: bool,
}

impl Shared {
    pub(super) fn verify(
        &self,
        level: VerifyLevel,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport> {
        let abandoned = self.refresh()?;
        let mut parts = BTreeMap::<SegmentId, Part>::new();
        let mut notes = BTreeMap::new();
        // Segments that are replaced while others are checked are not missing: what replaces them
        // is checked instead.
        let missing = loop {
            let (marker, live) = self.settled_listing(&mut notes)?;
            parts.retain(|id, _| live.contains(id));
            let named = marker.sealed.iter();
            let missing: Vec<Sealed> =
                named.filter(|it| !live.contains(&it.id())).cloned().collect();
            let mut gone = false;
            let size = |id: &SegmentId| match marker.sealed.iter().find(|it| it.id() == *id) {
                Some(sealed) => Ok(sealed.bytes),
                None => self.size_of(*id),
            };
            let all = live.iter().map(size).sum::<Result<u64>>()?;
            for id in live {
                if parts.contains_key(&id) {
                    continue;
                }
                let sealed = marker.sealed.iter().find(|it| it.id() == id);
                let done: u64 = parts.values().map(|it| it.report.bytes).sum();
                let part =
                    self.check(id, sealed, level, &mut |bytes| progress(done + bytes, all))?;
                match part {
                    Some(part) => {
                        parts.insert(id, part);
                    }
                    None => gone = true,
                }
            }
            if !gone {
                break missing;
            }
        };
        let mut report =
            VerifyReport { notes: notes.into_values().collect(), ..Default::default() };
        let abandoned = abandoned && self.is_abandoned()?;
        for (id, part) in parts {
            report.files += 1;
            report.blocks += part.report.blocks;
            report.events += part.report.events;
            report.bytes += part.report.bytes;
            report.damage.extend(part.report.damage);
            if let Some((offset, length)) = part.unfinished.filter(|_| abandoned) {
                report.damage.push(Damage {
                    file: names::relative(id),
                    offset,
                    length: Some(length),
                    events: None,
                    what: format!(
                        "an unfinished end: the writer was interrupted here; {}",
                        fault::SET_ASIDE
                    ),
                });
            }
        }
        report.damage.extend(missing.iter().map(|sealed| Damage {
            file: names::relative(sealed.id()),
            offset: 0,
            length: Some(sealed.bytes),
            events: Some(sealed.events),
            what: "the segment is missing".into(),
        }));
        report.damage.sort_by(|a, b| (&a.file, a.offset).cmp(&(&b.file, b.offset)));
        Ok(report)
    }

    /// Manifest and directory of one moment: a segment leaves the directory only after the manifest
    /// has named what replaces it.
    fn settled_listing(
        &self,
        notes: &mut BTreeMap<String, String>,
    ) -> Result<(Marker, Vec<SegmentId>)> {
        let mut marker = Marker::read(&*self.disk, &self.path)?;
        loop {
            let live = self.list(&marker, notes)?;
            let after = Marker::read(&*self.disk, &self.path)?;
            if after == marker {
                return Ok((marker, live));
            }
            marker = after;
        }
    }

    fn size_of(&self, id: SegmentId) -> Result<u64> {
        let path = names::path(&self.path, id);
        match self.disk.open(&path, OpenMode::Read).and_then(|file| file.size()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            size => size.map_err(|error| fault::io("measure", &path, error)),
        }
    }

    /// Checks a segment; `None` when it is gone.
    pub(super) fn check(
        &self,
        id: SegmentId,
        sealed: Option<&Sealed>,
        level: VerifyLevel,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Option<Part>> {
        let path = names::path(&self.path, id);
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault::io("open", &path, error)),
        };
        let mut part = Part::default();
        let report = &mut part.report;
        let newer = &mut part.newer;
        let mut check = Check {
            shared: self,
            number: id,
            file: &*file,
            level,
            report,
            newer,
            dictionary: None,
        };
        // A sealed one is whole, even if this process has not taken note of it yet. Asked before
        // the length is: what is written in between belongs to nobody yet.
        let own_end = if sealed.is_none() { self.own_end(id) } else { None };
        let checked = file.size().and_then(|size| check.segment(size, own_end, sealed, progress));
        part.unfinished = checked.map_err(|e| fault::io("read the segment", &path, e))?;
        Ok(Some(part))
    }

    /// How far this process has written a segment: what lies behind is a write in progress.
    fn own_end(&self, number: SegmentId) -> Option<u64> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        self.writer.as_ref()?;
        match index.segments.get(&number) {
            Some(Entry::Read(segment)) if !segment.sealed => Some(segment.end),
            _ => None,
        }
    }

    /// Segments that count, and notes of foreign files by name.
    fn list(
        &self,
        marker: &Marker,
        notes: &mut BTreeMap<String, String>,
    ) -> Result<Vec<SegmentId>> {
        notes.clear();
        let top = self.disk.list(&self.path).map_err(|e| fault::io("list", &self.path, e))?;
        for name in top.iter().filter(|name| !marker::is_ours(name)) {
            notes.insert(name.clone(), format!("{name}: not a file of the event store"));
        }
        if let Some(note) = quarantine::note(&*self.disk, &self.path)? {
            notes.insert(quarantine::DIRECTORY.into(), note);
        }
        let directory = names::directory(&self.path);
        let names = match self.disk.list(&directory) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fault::io("list", &directory, error)),
        };
        let mut numbers = Vec::new();
        for name in names {
            let relative = format!("{}/{name}", names::DIRECTORY);
            match SegmentId::of_name(&name) {
                Some(number) => numbers.push(number),
                None if names::is_unfinished(&name) => {}
                None if name.contains(".seg.torn-") => {
                    let path = directory.join(&name);
                    let opened = self.disk.open(&path, OpenMode::Read);
                    let bytes = opened.and_then(|file| file.size());
                    let bytes = bytes.map_err(|error| fault::io("measure", &path, error))?;
                    let note = format!(
                        "{relative}: {bytes} bytes, the torn end of a segment that recovery set \
                         aside; events that were not yet on stable storage may be in it"
                    );
                    notes.insert(relative, note);
                }
                None => {
                    let note = format!("{relative}: not a file of the event store");
                    notes.insert(relative, note);
                }
            }
        }
        Ok(query::live(&numbers, marker))
    }
}

/// The check of one segment.
struct Check<'a> {
    shared: &'a Shared,
    number: SegmentId,
    file: &'a dyn DiskFile,
    level: VerifyLevel,
    report: &'a mut VerifyReport,
    newer: &'a mut bool,
    /// The last dictionary, with its offset; only in a deep check.
    dictionary: Option<(u64, Arc<Dictionary>)>,
}

impl Check<'_> {
    /// Checks a segment; gives offset and length of an unfinished end.
    fn segment(
        &mut self,
        size: u64,
        own_end: Option<u64>,
        sealed: Option<&Sealed>,
        progress: &mut dyn FnMut(u64),
    ) -> io::Result<Option<(u64, u64)>> {
        let header_len = frame::header_len(self.number) as u64;
        let end = own_end.filter(|end| *end > 0).unwrap_or(size);
        if end < header_len || end == header_len && sealed.is_none() {
            // Without an entry in the manifest: begun and not finished.
            self.report.bytes += end;
            self.seal(&Scan::default(), end, 0, sealed)?;
            return Ok(None);
        }
        match frame::parse_file_header(&disk::read_exact(self.file, 0, header_len as usize)?) {
            FileHeader::Good(number) if number == self.number => {}
            FileHeader::Good(number) => {
                self.damage(0, header_len, Some(0), format!("the file says it is segment {number}"))
            }
            FileHeader::Newer => {
                *self.newer = true;
                self.damage(0, end, None, scan::NEWER);
                self.report.bytes += end;
                return Ok(None);
            }
            FileHeader::Bad => self.damage(0, header_len, Some(0), "the file header is damaged"),
        }
        let scan = scan::blocks(self.file, header_len, end)?;
        for gap in &scan.gaps {
            self.damage(gap.offset, gap.length, gap.events, gap.what);
        }
        let events_before = self.report.events;
        for entry in &scan.entries {
            self.block(entry.offset, end)?;
            progress(entry.offset + entry.length);
        }
        self.report.bytes += end;
        let events = self.report.events - events_before;
        self.seal(&scan, end, events, sealed)?;
        let unfinished = !scan.sealed && sealed.is_none() && scan.tail > 0;
        Ok(unfinished.then_some((scan.end, scan.tail)))
    }

    fn block(&mut self, offset: u64, end: u64) -> io::Result<()> {
        let Found::Block(block) = frame::read_block(self.file, offset, end)? else {
            self.damage(offset, 0, None, "a block does not match its checksum");
            return Ok(());
        };
        self.report.blocks += 1;
        let checked = match block.kind {
            frame::EVENTS => self.events(&block),
            frame::DICTIONARY => self.dictionary(offset, &block),
            frame::ROWS => self.rows(offset, &block),
            frame::WARM => self.warm(&block)?,
            frame::FILTER => Ok(()),
            frame::LEDGER => ledger_from_bytes(&block.meta).map(drop),
            kind => Err(format!("a block of unknown kind {kind}")),
        };
        if let Err(what) = checked {
            self.damage(offset, block.length, None, what);
        }
        Ok(())
    }

    fn events(&mut self, block: &frame::Block) -> Result<(), String> {
        let meta = MetaV1::from_bytes(&block.meta)?;
        self.report.events += u64::from(meta.events);
        if self.level == VerifyLevel::Quick {
            return Ok(());
        }
        let reader = BlockReader::new(&meta, &block.body, Parts::ALL)?;
        let mut selectors = vec![0u32; meta.selectors.len()];
        let (mut first, mut last, mut events) = (i64::MAX, i64::MIN, 0u32);
        for row in 0..reader.len() {
            if let Some(count) = selectors.get_mut(reader.selector(row) as usize) {
                *count += 1;
            }
            let event = reader.event(row)?;
            event.validate().map_err(|invalid| format!("event {}: {invalid}", event.id))?;
            first = first.min(event.timestamp.as_nanos());
            last = last.max(event.timestamp.as_nanos());
            events += 1;
        }
        let counted = meta.selectors.iter().map(|(_, count)| *count).eq(selectors);
        if events != meta.events || first != meta.first || last != meta.last || !counted {
            return Err("a block's description does not agree with its events".into());
        }
        Ok(())
    }

    fn dictionary(&mut self, offset: u64, block: &frame::Block) -> Result<(), String> {
        DictionaryMetaV2::from_bytes(&block.meta)?;
        // That of a warm segment has nothing but its description.
        if self.level == VerifyLevel::Deep && !block.body.is_empty() {
            let dictionary = Dictionary::from_bytes(&block.body, &mut Unpacker::new()?)?;
            self.dictionary = Some((offset, Arc::new(dictionary)));
        }
        Ok(())
    }

    /// The Parquet file is there and as long as it was; in a deep check every byte of it is what it
    /// was, and every event is valid. An error is one of the disk.
    fn warm(&mut self, block: &frame::Block) -> io::Result<Result<(), String>> {
        let meta = match WarmMetaV3::from_bytes(&block.meta) {
            Ok(meta) => meta,
            Err(what) => return Ok(Err(what)),
        };
        self.report.events += u64::from(meta.rows.events);
        let (disk, store) = (&self.shared.disk, &self.shared.path);
        let place = &meta.place;
        let file = match disk.open(&store.join(&place.file), OpenMode::Read) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Ok(Err(format!("{} is missing", place.file)));
            }
            opened => opened?,
        };
        let size = file.size()?;
        if size != place.bytes {
            let what = format!("{} has {size} bytes, expected {}", place.file, place.bytes);
            return Ok(Err(what));
        }
        if self.level == VerifyLevel::Quick {
            return Ok(Ok(()));
        }
        if frame::hash(&*file, size)?.finalize() != place.blake3 {
            return Ok(Err(format!("{} is not what it was", place.file)));
        }
        #[cfg(feature = "parquet")]
        return match described(file, place.row_group as usize, meta.rows.back) {
            Err(Unread::Io(error)) => Err(error),
            Err(Unread::Damage(what)) => Ok(Err(what)),
            Ok(described) if described != meta.rows => {
                Ok(Err("a block's description does not agree with its events".into()))
            }
            Ok(_) => Ok(Ok(())),
        };
        #[cfg(not(feature = "parquet"))]
        Ok(Ok(()))
    }

    fn rows(&mut self, offset: u64, block: &frame::Block) -> Result<(), String> {
        let meta = RowsMetaV2::from_bytes(&block.meta)?;
        self.report.events += u64::from(meta.events);
        if self.level == VerifyLevel::Quick {
            return Ok(());
        }
        let dictionary = self
            .dictionary
            .as_ref()
            .filter(|(at, _)| offset.checked_sub(meta.back.into()) == Some(*at))
            .ok_or("rows whose dictionary is missing or damaged")?;
        let mut unpacker = Unpacker::new()?;
        let keys = RowKeys::new(&meta, &block.body, &mut unpacker)?;
        let rows = Rows::new(keys, &meta, Arc::clone(&dictionary.1), &mut unpacker, Parts::ALL)?;
        let (mut first, mut last, mut outcomes) = (i64::MAX, i64::MIN, 0);
        for row in 0..meta.events as usize {
            let event = rows.event(row)?;
            event.validate().map_err(|invalid| format!("event {}: {invalid}", event.id))?;
            first = first.min(event.timestamp.as_nanos());
            last = last.max(event.timestamp.as_nanos());
            outcomes |= crate::codec::outcome_bits(&[event.outcome]);
        }
        if (first, last, outcomes) != (meta.first, meta.last, meta.outcomes) {
            return Err("a block's description does not agree with its events".into());
        }
        Ok(())
    }

    /// Checks trailer, footer, hash and manifest.
    fn seal(
        &mut self,
        scan: &Scan,
        end: u64,
        events: u64,
        sealed: Option<&Sealed>,
    ) -> io::Result<()> {
        let in_gaps: u64 = scan.gaps.iter().filter_map(|gap| gap.events).sum();
        if let Some(sealed) = sealed
            && end < sealed.bytes
        {
            let lost = sealed.events.saturating_sub(events + in_gaps);
            let what = format!("the segment ends at byte {end}, it had {} bytes", sealed.bytes);
            self.damage(end, sealed.bytes - end, Some(lost), what);
            return Ok(());
        }
        if !scan.sealed {
            if let Some(sealed) = sealed {
                let lost = sealed.events.saturating_sub(events + in_gaps);
                let what = "the end of the sealed segment is damaged";
                self.damage(scan.end, scan.tail, Some(lost), what);
            }
            return Ok(());
        }
        let trailer_at = end.saturating_sub(frame::TRAILER_LEN as u64);
        let Some(trailer) = Trailer::read(self.file, end)? else {
            self.damage(trailer_at, end - trailer_at, Some(0), "the trailer is damaged");
            return Ok(());
        };
        let by_footer = scan::from_footer(self.file, frame::header_len(self.number) as u64, end)?;
        if by_footer.is_none_or(|footer| footer.entries != scan.entries) {
            self.damage(
                trailer.footer,
                trailer_at.saturating_sub(trailer.footer),
                Some(0),
                "the index does not agree with the blocks",
            );
        }
        let hash = frame::hash(self.file, trailer_at)?.finalize();
        if hash != blake3::Hash::from_bytes(trailer.blake3) {
            self.damage(0, trailer_at, None, "the segment does not match its BLAKE3 hash");
        } else if sealed.is_some_and(|it| it.blake3 != hash.to_hex().as_str() || it.bytes != end) {
            self.damage(0, end, None, FOREIGN);
        }
        Ok(())
    }

    fn damage(&mut self, offset: u64, length: u64, events: Option<u64>, what: impl Into<String>) {
        self.report.damage.push(Damage {
            file: names::relative(self.number),
            offset,
            length: Some(length),
            events,
            what: what.into(),
        });
    }
}

/// What describes the events of a row group, each of which is valid.
#[cfg(feature = "parquet")]
fn described(file: Arc<dyn DiskFile>, row_group: usize, back: u32) -> Result<RowsMetaV2, Unread> {
    let events = ParquetFile::open(file)?.read(row_group, Parts::ALL, &|_, _, _| true)?;
    for (_, _, event) in &events {
        let valid = event.validate();
        valid.map_err(|it| Unread::Damage(format!("event {}: {it}", event.id)))?;
    }
    let described = crate::codec::sorted::describe(events.iter().map(|it| &it.2));
    described.map(|it| RowsMetaV2 { back, ..it }).map_err(Unread::Damage)
}

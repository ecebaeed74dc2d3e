//! The warm tier: sorted segments whose events were moved to Parquet files. What is left of such a
//! segment is its descriptions: counts, time ranges, sequences and the filter of identifiers.

use super::Shared;
use super::blocks::BlockSource;
use super::compact::{Contents, Output, append_order, unstorable};
use super::frame;
use super::index::{BlockEntry, Entry};
use super::names::{self, SegmentId};
use crate::codec::sorted::{self, RowsMetaV2};
use crate::codec::{WarmMetaV3, WarmPlaceV3};
use crate::disk::OpenMode;
use crate::fault;
use crate::marker::Sealed;
use crate::parquet::{self, ROW_GROUP};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{CompactReport, Result};
use telemetry_models::{Event, Timestamp};

/// Events that are sorted in memory at once.
const STRIPE: usize = 131_072;

impl Shared {
    /// Moves the events of sorted segments to Parquet, of those that end before a time.
    pub(super) fn convert(
        &self,
        before: Option<Timestamp>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<CompactReport> {
        let _alone = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut report = CompactReport::default();
        let chosen = self.convertible(before, &mut report)?;
        let all: u64 = chosen.iter().map(|it| it.bytes).sum();
        let mut done = 0;
        for sealed in chosen {
            progress(done, all);
            let made = self.convert_one(&sealed)?;
            report.replaced += 1;
            report.made += made.files;
            report.events += sealed.events;
            report.bytes_before += sealed.bytes;
            report.bytes_after += made.bytes;
            done += sealed.bytes;
        }
        progress(done, all);
        Ok(report)
    }

    fn convertible(
        &self,
        before: Option<Timestamp>,
        report: &mut CompactReport,
    ) -> Result<Vec<Sealed>> {
        let Some(writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
        writer.check_open()?;
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut chosen = Vec::new();
        for sealed in writer.marker.sealed.iter().filter(|it| it.last.is_some() && !it.warm) {
            let Some(Entry::Known(known)) = index.segments.get(&sealed.id()) else {
                report.damaged += 1;
                continue;
            };
            let is_old = before.is_none_or(|before| sealed.events == 0 || known.last < before);
            if !is_old {
                continue;
            }
            if !self.footer(known)?.gaps.is_empty() {
                report.damaged += 1;
            } else if sealed.events > 0 {
                chosen.push(sealed.clone());
            }
        }
        Ok(chosen)
    }

    fn convert_one(&self, sealed: &Sealed) -> Result<Made> {
        let from = sealed.id();
        let id = SegmentId { warm: true, ..from };
        let unfinished = names::unfinished(&self.path, id);
        let made = self.write_warm(id, from, &unfinished);
        if made.is_err() {
            // Nothing refers to it; the Parquet files are written over by the next try.
            let _ = self.disk.remove(&unfinished);
        }
        let made = made?;
        self.take_over(id, &unfinished, sealed.events, &|it| it == from || it == id)?;
        self.remove_replaced(std::iter::once(from));
        Ok(made)
    }

    fn write_warm(&self, id: SegmentId, from: SegmentId, path: &Path) -> Result<Made> {
        let mut output = self.output(id, path)?;
        let mut source = BlockSource::new(Arc::clone(&self.disk), &self.path);
        let contents = self.contents(from)?;
        let Contents { blocks, ledgers } = contents.ok_or_else(|| {
            unstorable(format!("{} is not there any more", names::relative(from)))
        })?;
        let mut made = Made::default();
        let mut events = Vec::new();
        let mut stripe = 0;
        let same = |a: &Arc<BlockEntry>, b: &Arc<BlockEntry>| a.stripe == b.stripe;
        for blocks in blocks.chunk_by(same) {
            append_order(&mut source, blocks, &mut events)?;
            while events.len() >= STRIPE {
                let rest = events.split_off(STRIPE);
                self.warm_stripe(&mut output, id, stripe, &events, &mut made)?;
                events = rest;
                stripe += 1;
            }
        }
        if !events.is_empty() {
            self.warm_stripe(&mut output, id, stripe, &events, &mut made)?;
        }
        for ledger in &ledgers {
            output.ledger(ledger)?;
        }
        output.finish()?;
        Ok(made)
    }

    /// Writes a Parquet file for each day, and the descriptions of their row groups.
    fn warm_stripe(
        &self,
        output: &mut Output<'_>,
        id: SegmentId,
        stripe: u32,
        events: &[Event],
        made: &mut Made,
    ) -> Result<()> {
        let (dictionary, filter) = sorted::identities(events).map_err(unstorable)?;
        let start = output.position();
        output.block(frame::DICTIONARY, dictionary, &[]);
        output.block(frame::FILTER, Vec::new(), &filter);
        let mut days: BTreeMap<String, Vec<(&Event, u32)>> = BTreeMap::new();
        for (at, tie) in sorted::order(events) {
            days.entry(events[at].timestamp.day()).or_default().push((&events[at], tie));
        }
        for (day, rows) in days {
            let bytes = parquet::encode(&rows).map_err(unstorable)?;
            let file = format!(
                "{}/date={day}/{:08}-{:08}-{stripe:04}.parquet",
                parquet::DIRECTORY,
                id.first,
                id.last
            );
            self.write_parquet(&file, &bytes)?;
            made.files += 1;
            made.bytes += bytes.len() as u64;
            let sums = parquet::sums(&bytes).map_err(unstorable)?;
            for (row_group, rows) in rows.chunks(ROW_GROUP).enumerate() {
                let mut described: RowsMetaV2 =
                    sorted::describe(rows.iter().map(|(event, _)| *event)).map_err(unstorable)?;
                described.back = u32::try_from(output.position() - start)
                    .map_err(|_| unstorable("a stripe is too long".into()))?;
                let place = WarmPlaceV3 {
                    file: file.clone(),
                    row_group: row_group as u32,
                    bytes: bytes.len() as u64,
                    blake3: *blake3::hash(&bytes).as_bytes(),
                };
                let meta = WarmMetaV3 { rows: described, place };
                let sums = sums.get(row_group).map_or(Ok(Vec::new()), |it| it.to_bytes());
                let meta = meta.to_bytes().map_err(unstorable)?;
                output.block(frame::WARM, meta, &sums.map_err(unstorable)?);
            }
        }
        output.write()
    }

    /// Writes a file that nothing refers to yet, durably.
    fn write_parquet(&self, file: &str, bytes: &[u8]) -> Result<()> {
        let path = self.path.join(file);
        let top = self.path.join(parquet::DIRECTORY);
        let folder = path.parent().unwrap_or(&top);
        let write = || -> io::Result<()> {
            self.disk.create_dir(&top)?;
            self.disk.create_dir(folder)?;
            match self.disk.remove(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            let made = self.disk.open(&path, OpenMode::Create)?;
            made.append(bytes)?;
            made.sync()?;
            self.disk.sync_dir(folder)?;
            self.disk.sync_dir(&top)?;
            self.disk.sync_dir(&self.path)
        };
        write().map_err(|error| fault::io("write the Parquet file", &path, error))
    }
}

/// Parquet files that were made.
#[derive(Default)]
struct Made {
    files: u64,
    bytes: u64,
}

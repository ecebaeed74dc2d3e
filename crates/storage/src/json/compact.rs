//! Compresses days that are over.

use super::compressed::{self, Compressed};
use super::days::{Form, form_of};
use super::{DIRECTORY, Shared};
use crate::disk::{self, DiskFile, OpenMode};
use crate::fault;
use std::io;
use std::path::Path;
use telemetry_interfaces::{CompactReport, Result};

/// What a compressed file is called while it is written.
const UNFINISHED: &str = ".jsonl.tmp";

/// Whether a file is a compressed day that was never finished.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(UNFINISHED).is_some_and(|day| form_of(&Form::Lines.file(day)).is_some())
}

impl Shared {
    /// Compresses every day but the latest. Whoever appends waits meanwhile, a day at a time.
    pub(super) fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<CompactReport> {
        let mut report = CompactReport::default();
        let directory = self.path.join(DIRECTORY);
        self.writer().ok_or_else(|| fault::read_only(&self.path))?.check_open()?;
        let listed = self.disk.list(&directory).map_err(|e| fault::io("list", &directory, e))?;
        let latest = listed.iter().filter_map(|name| form_of(name)).map(|(day, _)| day).max();
        let mut days: Vec<&str> = listed
            .iter()
            .filter_map(|name| form_of(name))
            .filter(|(day, form)| *form == Form::Lines && Some(*day) != latest)
            .map(|(day, _)| day)
            .collect();
        days.sort_unstable();
        for (at, day) in days.iter().enumerate() {
            progress(at as u64, days.len() as u64);
            self.compress(day, &mut report)?;
        }
        progress(days.len() as u64, days.len() as u64);
        Ok(report)
    }

    fn compress(&self, day: &str, report: &mut CompactReport) -> Result<()> {
        let directory = self.path.join(DIRECTORY);
        let path = directory.join(Form::Lines.file(day));
        let target = directory.join(Form::Compressed.file(day));
        let failed = |error| fault::io("compress", &path, error);
        let mut writer = self.writer().ok_or_else(|| fault::read_only(&self.path))?;
        writer.check_open()?;
        writer.sync()?;
        writer.forget(&path);
        let lines = self.disk.open(&path, OpenMode::Read).map_err(failed)?;
        let size = lines.size().map_err(failed)?;
        let before = match self.disk.open(&target, OpenMode::Read) {
            Ok(file) => {
                report.replaced += 1;
                report.bytes_before += file.size().map_err(failed)?;
                Some(Compressed::open(file).map_err(failed)?)
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(error)),
        };
        let known = match &before {
            Some(before) => before.covers(&*lines, size).map_err(failed)?,
            None => 0,
        };
        if 0 < known && known < size {
            // Appended after an interrupted removal: compressed when that is done.
            return self.cut(&path, &*lines, known..size).map_err(failed);
        }
        if size > 0 && disk::read_exact(&*lines, size - 1, 1).map_err(failed)? != b"\n" {
            // A torn line stays where recovery reports it.
            return Ok(());
        }
        if known < size {
            let mut parts: Vec<(&dyn DiskFile, u64)> = Vec::new();
            if let Some(before) = &before {
                parts.push((before, before.size().map_err(failed)?));
            }
            parts.push((&*lines, size));
            let mut written = None;
            disk::replace_with(&*self.disk, &target, |into| {
                written = Some(compressed::write(&parts, into)?);
                // What is lost stays visible: a damaged table costs nothing, a frame its lines.
                let lost = |it: &Compressed| it.damage().iter().any(|(_, length, _)| *length > 0);
                match before.as_ref().filter(|it| lost(it)) {
                    Some(_) => Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "lines that were compressed before are damaged; run `telemetry store \
                         quarantine` first",
                    )),
                    None => Ok(()),
                }
            })
            .map_err(failed)?;
            // Read back before anything is removed.
            let made = self.disk.open(&target, OpenMode::Read).map_err(failed)?;
            report.bytes_after += made.size().map_err(failed)?;
            let made = Compressed::open(made).map_err(failed)?;
            let size = made.size().map_err(failed)?;
            let hash = compressed::hash_of(&made, size).map_err(failed)?;
            let Some(written) = written else { return Ok(()) };
            if (written.size, written.hash) != (size, hash) {
                let what = io::Error::new(
                    io::ErrorKind::InvalidData,
                    "what was compressed is not what comes back; the lines are kept",
                );
                return Err(failed(what));
            }
            report.made += 1;
            report.events += written.lines;
            report.bytes_before += lines.size().map_err(failed)?;
        }
        report.replaced += 1;
        self.disk.remove(&path).map_err(failed)?;
        self.disk.sync_dir(&directory).map_err(failed)
    }

    /// Keeps only a part of a file of lines.
    fn cut(&self, path: &Path, lines: &dyn DiskFile, kept: std::ops::Range<u64>) -> io::Result<()> {
        disk::replace_with(&*self.disk, path, |into| {
            let mut at = kept.start;
            while at < kept.end {
                let piece = disk::read_exact(lines, at, (kept.end - at).min(1 << 20) as usize)?;
                into.append(&piece)?;
                at += piece.len() as u64;
            }
            Ok(())
        })
    }
}

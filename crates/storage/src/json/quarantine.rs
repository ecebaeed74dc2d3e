//! Takes lines that are no events out of the files of their days.

use super::compressed::Packer;
use super::days::{Day, Form};
use super::query::bad_line;
use super::{DIRECTORY, Shared};
use crate::disk;
use crate::fault;
use crate::quarantine::Folder;
use std::collections::HashSet;
use std::io;
use telemetry_interfaces::{Damage, QuarantineReport, Quarantined, Result};
use telemetry_models::json;

impl Shared {
    /// The file as it was goes to a folder of its own, a file without the bad lines takes its
    /// place. No event is appended meanwhile.
    pub(super) fn quarantine(
        &self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<QuarantineReport> {
        // Days of the original system are never written to: `verify` names what is damaged in them.
        let mut days = self.days()?;
        days.retain(|day| matches!(day.form, Form::Lines | Form::Compressed));
        let Some(mut writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
        writer.check_open()?;
        // Files that are open for appending are replaced.
        writer.sync()?;
        writer.forget_files();
        let total = days.iter().map(|day| day.size).sum();
        let mut done = 0;
        let mut folder = Folder::new(&*self.disk, &self.path);
        for day in &days {
            progress(done, total);
            let (damage, kept) = bad_lines(day)?;
            let lost = day.damage();
            if !damage.is_empty() || !lost.is_empty() {
                self.replace_without(day, &damage, lost, kept, &mut folder)?;
            }
            done += day.size;
        }
        progress(total, total);
        #[cfg(feature = "rollup")]
        crate::rollup::mend(&*self.disk, &self.path, &mut folder)?;
        folder.finish()
    }

    fn replace_without(
        &self,
        day: &Day,
        damage: &[Damage],
        lost: Vec<Damage>,
        kept: u64,
        folder: &mut Folder<'_>,
    ) -> Result<()> {
        let path = self.path.join(day.name());
        let moved_to = folder.keep(&path, &day.name())?;
        // Of a frame that cannot be decompressed nobody knows how many lines it had.
        let counted = lost.iter().all(|it| it.length == Some(0));
        folder.report(Quarantined {
            file: day.name(),
            moved_to: Some(moved_to),
            damage: damage.iter().cloned().chain(lost).collect(),
            kept,
            lost: counted.then_some(damage.len() as u64),
        })?;
        let writing = |error| fault::io("write the lines that are events", &path, error);
        if kept == 0 && day.form == Form::Compressed {
            let directory = self.path.join(DIRECTORY);
            let removed = self.disk.remove(&path).and_then(|()| self.disk.sync_dir(&directory));
            return removed.map_err(writing);
        }
        let replaced = disk::replace_with(&*self.disk, &path, |anew| match &day.packed {
            Some(packed) => {
                let mut packer = Packer::new(anew, packed.covered())?;
                good_lines(day, damage, &mut |text| packer.add(text))?;
                packer.finish().map(drop)
            }
            None => good_lines(day, damage, &mut |text| anew.append(text)),
        });
        replaced.map_err(writing)
    }
}

/// Calls `take` with the lines of a day that are events, many at a time.
fn good_lines(
    day: &Day,
    damage: &[Damage],
    take: &mut dyn FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let bad: HashSet<u64> = damage.iter().map(|it| it.offset).collect();
    let mut lines = day.lines();
    let mut text = Vec::new();
    while let Some(line) = lines.next()? {
        if !bad.contains(&line.offset) {
            text.extend(line.bytes);
            text.push(b'\n');
        }
        if text.len() > 1 << 20 {
            take(&text)?;
            text.clear();
        }
    }
    take(&text)
}

/// The lines of a day that are no events, and the number of those that are.
fn bad_lines(day: &Day) -> Result<(Vec<Damage>, u64)> {
    let mut damage = Vec::new();
    let mut kept = 0;
    let mut lines = day.lines();
    let reading = |error| fault::io("read events", day.name().as_ref(), error);
    while let Some(line) = lines.next().map_err(reading)? {
        match json::from_slice(&line.bytes) {
            Ok(_) => kept += 1,
            Err(error) => damage.push(Damage {
                file: day.name(),
                offset: line.offset,
                length: Some(line.bytes.len() as u64),
                events: Some(1),
                what: bad_line(day, line.number, line.offset, error).to_string(),
            }),
        }
    }
    Ok((damage, kept))
}

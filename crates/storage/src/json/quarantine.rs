//! Takes lines that are no events out of the files of their days.

use super::Shared;
use super::days::{Day, Form};
use super::query::bad_line;
use crate::disk;
use crate::fault;
use crate::quarantine::Folder;
use telemetry_interfaces::{Damage, QuarantineReport, Quarantined, Result};
use telemetry_models::json;

impl Shared {
    /// The file as it was goes to a folder of its own, a file without the bad lines takes its
    /// place. No event is appended meanwhile.
    pub(super) fn quarantine(
        &self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<QuarantineReport> {
        // Compressed days, and those of the original system, are never written to: `verify` names
        // what is damaged in them.
        let mut days = self.days()?;
        days.retain(|day| day.form == Form::Lines);
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
            if !damage.is_empty() {
                self.replace_without(day, &damage, kept, &mut folder)?;
            }
            done += day.size;
        }
        progress(total, total);
        folder.finish()
    }

    fn replace_without(
        &self,
        day: &Day,
        damage: &[Damage],
        kept: u64,
        folder: &mut Folder<'_>,
    ) -> Result<()> {
        let path = self.path.join(day.name());
        let moved_to = folder.keep(&path, &day.name())?;
        folder.report(Quarantined {
            file: day.name(),
            moved_to: Some(moved_to),
            damage: damage.to_vec(),
            kept,
            lost: Some(damage.len() as u64),
        })?;
        let replaced = disk::replace_with(&*self.disk, &path, |anew| {
            let mut lines = day.lines();
            let mut text = Vec::new();
            while let Some(line) = lines.next()? {
                if !damage.iter().any(|it| it.offset == line.offset) {
                    text.extend(line.bytes);
                    text.push(b'\n');
                }
                if text.len() > 1 << 20 {
                    anew.append(&text)?;
                    text.clear();
                }
            }
            anew.append(&text)
        });
        replaced.map_err(|error| fault::io("write the lines that are events", &path, error))
    }
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

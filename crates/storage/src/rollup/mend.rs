//! Takes damaged files of rollups out of use, and makes a lost or damaged manifest anew.

use super::build::{self, month_of, read_coverage, sort, start_of, year_of};
use super::file::{self, DIRECTORY, FileRef};
use super::manifest::{DayEntry, FILE, Manifest, SpanEntry, put};
use crate::disk::{self, Disk};
use crate::fault;
use crate::quarantine::Folder;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;
use telemetry_aggregation::coarsened;
use telemetry_interfaces::{Damage, Error, ErrorKind, Quarantined, Result};
use telemetry_models::rollup::{Rollup, RollupPeriod};

/// Has the manifest name only files that can be read, after the others were copied to the folder of
/// damaged files. Days whose hours are lost are rolled up from their events the next time; the
/// rollups of days and months are computed from those of hours and days where they are lost. A
/// manifest that is missing or damaged is made anew from the names and contents of the files. Does
/// nothing when everything can be read. Gives the number of days in a manifest made anew.
pub(crate) fn mend(disk: &dyn Disk, store: &Path, folder: &mut Folder<'_>) -> Result<Option<u64>> {
    let directory = store.join(DIRECTORY);
    let names = match disk.list(&directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fault::io("list", &directory, error)),
    };
    let _lock = build::locked(disk, &directory)?;
    let is_there = names.iter().any(|name| name == FILE);
    let read = match Manifest::read(disk, store) {
        Ok(manifest) => Some(manifest).filter(|_| is_there),
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            take_out(disk, store, FILE, error.message(), folder)?;
            None
        }
        Err(error) => return Err(error),
    };
    let anew = read.is_none();
    if anew && !names.iter().any(|name| name.ends_with(".rollup")) {
        return Ok(None);
    }
    let manifest = match read {
        Some(manifest) => manifest,
        None => of_files(disk, store, &names, folder)?,
    };
    if !anew {
        // What an interrupted run left would be in the way.
        build::tidy(disk, store, &manifest)?;
    }
    let mut mending = Mending { disk, store, folder, manifest, lost: BTreeSet::new(), anew };
    mending.days()?;
    mending.spans()?;
    let changed = anew || !mending.lost.is_empty();
    if changed {
        disk.sync_dir(&directory).map_err(|e| fault::io("sync the directory", &directory, e))?;
        mending.manifest.write(disk, store)?;
        build::tidy(disk, store, &mending.manifest)?;
    }
    Ok(anew.then_some(mending.manifest.days.len() as u64))
}

struct Mending<'a, 'f> {
    disk: &'a dyn Disk,
    store: &'a Path,
    folder: &'a mut Folder<'f>,
    manifest: Manifest,
    /// Files that cannot be read.
    lost: BTreeSet<String>,
    /// Nothing but names and contents is known of the files.
    anew: bool,
}

impl Mending<'_, '_> {
    /// Leaves out days with a file that cannot be read.
    fn days(&mut self) -> Result<()> {
        for entry in std::mem::take(&mut self.manifest.days) {
            let hours = self.rows(&entry.hours, RollupPeriod::Hour)?;
            let covered = match self.sound(&entry.covered)? {
                true => self.readable(&entry.covered, |disk, store, it| {
                    read_coverage(disk, store, it).map(drop)
                })?,
                false => None,
            };
            if hours.is_some() && covered.is_some() {
                self.manifest.days.push(entry);
            }
        }
        Ok(())
    }

    /// Computes months and years anew whose file cannot be read, and all of them when it is not
    /// known whether they are of the same run as the days.
    fn spans(&mut self) -> Result<()> {
        self.manifest.generation += 1;
        let mut years = BTreeSet::new();
        let mut months: BTreeSet<String> =
            self.manifest.months.iter().map(|it| it.span.clone()).collect();
        months.extend(self.manifest.days.iter().map(|it| month_of(&it.day).to_owned()));
        for month in months {
            let old = self.manifest.months.iter().find(|it| it.span == month).cloned();
            let rows = match &old {
                Some(old) => self.rows(&old.file, RollupPeriod::Day)?,
                None => None,
            };
            if rows.is_some() && !self.anew {
                continue;
            }
            years.insert(year_of(&month).to_owned());
            let mut rows = rows.unwrap_or_default();
            let of_month = |it: &&DayEntry| month_of(&it.day) == month;
            let days: Vec<DayEntry> = self.manifest.days.iter().filter(of_month).cloned().collect();
            for day in days {
                let hours = self.rows(&day.hours, RollupPeriod::Hour)?.unwrap_or_default();
                rows.retain(|it| Some(it.start) != start_of(&day.day));
                rows.extend(coarsened(&hours, RollupPeriod::Day));
            }
            self.manifest.months.retain(|it| it.span != month);
            if !rows.is_empty() {
                let file = self.write("days", &month, rows)?;
                put(&mut self.manifest.months, SpanEntry { span: month, file }, |it| &it.span);
            }
        }
        for entry in self.manifest.years.clone() {
            if self.rows(&entry.file, RollupPeriod::Month)?.is_none() {
                years.insert(entry.span);
            }
        }
        for year in years {
            let mut rows = Vec::new();
            for month in self.manifest.months.clone() {
                if year_of(&month.span) == year {
                    let days = self.rows(&month.file, RollupPeriod::Day)?.unwrap_or_default();
                    rows.extend(coarsened(&days, RollupPeriod::Month));
                }
            }
            self.manifest.years.retain(|it| it.span != year);
            if !rows.is_empty() {
                let file = self.write("months", &year, rows)?;
                put(&mut self.manifest.years, SpanEntry { span: year, file }, |it| &it.span);
            }
        }
        Ok(())
    }

    fn rows(&mut self, file: &FileRef, period: RollupPeriod) -> Result<Option<Vec<Rollup>>> {
        if !self.sound(file)? {
            return Ok(None);
        }
        self.readable(file, |disk, store, it| file::read_all(disk, store, it, period))
    }

    /// Whether a file is what the manifest says; one that is not is taken out.
    fn sound(&mut self, file: &FileRef) -> Result<bool> {
        if self.lost.contains(&file.file) {
            return Ok(false);
        }
        let path = self.store.join(DIRECTORY).join(&file.file);
        let what = match disk::read_all(self.disk, &path) {
            Ok(bytes) if blake3::hash(&bytes).to_hex().as_str() == file.blake3 => return Ok(true),
            Ok(_) => "the file is not what was written",
            Err(error) if error.kind() == io::ErrorKind::NotFound => "the file is missing",
            Err(error) => return Err(fault::io("read the rollups", &path, error)),
        };
        self.lose(file, what)?;
        Ok(false)
    }

    fn readable<T>(
        &mut self,
        file: &FileRef,
        read: impl Fn(&dyn Disk, &Path, &FileRef) -> Result<T, Error>,
    ) -> Result<Option<T>> {
        match read(self.disk, self.store, file) {
            Ok(read) => Ok(Some(read)),
            Err(error) if error.kind() == ErrorKind::Corrupt => {
                self.lose(file, error.message())?;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    fn lose(&mut self, file: &FileRef, what: &str) -> Result<()> {
        if self.lost.insert(file.file.clone()) {
            take_out(self.disk, self.store, &file.file, what, self.folder)?;
        }
        Ok(())
    }

    fn write(&self, what: &str, span: &str, mut rows: Vec<Rollup>) -> Result<FileRef> {
        sort(&mut rows);
        build::write(self.disk, self.store, self.manifest.generation, what, span, &rows)
    }
}

/// Copies a file to the folder of damaged files, and says so in its report.
fn take_out(
    disk: &dyn Disk,
    store: &Path,
    name: &str,
    what: &str,
    folder: &mut Folder<'_>,
) -> Result<()> {
    let path = store.join(DIRECTORY).join(name);
    let relative = format!("{DIRECTORY}/{name}");
    let there = match disk.open(&path, disk::OpenMode::Read) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        opened => opened.map(|_| true).map_err(|e| fault::io("open", &path, e))?,
    };
    let moved_to = if there { Some(folder.keep(&path, &relative)?) } else { None };
    let damage = Damage {
        file: relative.clone(),
        offset: 0,
        length: None,
        events: Some(0),
        what: what.to_owned(),
    };
    folder.report(Quarantined {
        file: relative,
        moved_to,
        damage: vec![damage],
        kept: 0,
        // Rollups are no events.
        lost: Some(0),
    })
}

/// What a manifest would say of the files that are there: of each day, month and year those of the
/// last run that can be read.
fn of_files(
    disk: &dyn Disk,
    store: &Path,
    names: &[String],
    folder: &mut Folder<'_>,
) -> Result<Manifest> {
    let mut manifest = Manifest::default();
    let mut found = BTreeMap::<(&str, &str), Vec<(u64, &str)>>::new();
    for name in names {
        if let Some((what, span, generation)) = parts(name) {
            found.entry((what, span)).or_default().push((generation, name));
            manifest.generation = manifest.generation.max(generation);
        }
    }
    // The newest first.
    found.values_mut().for_each(|files| files.sort_unstable_by(|a, b| b.cmp(a)));
    for ((what, span), files) in &found {
        for (generation, name) in files {
            let Some(file) = file_ref(disk, store, name)? else { continue };
            let span = (*span).to_owned();
            match *what {
                "hours" => {
                    let covered = format!("covered-{span}-{generation:08}.rollup");
                    let Some(covered) = file_ref(disk, store, &covered)? else { continue };
                    let Some(hours) = if_readable(disk, store, &file, RollupPeriod::Hour, folder)?
                    else {
                        continue;
                    };
                    let events = hours.iter().map(|it| it.figures.operations()).sum();
                    // Not known: the day is rolled up again when there are events of it.
                    let entry = DayEntry { day: span, raw_events: 0, events, hours: file, covered };
                    put(&mut manifest.days, entry, |it| &it.day);
                }
                "days" => {
                    if if_readable(disk, store, &file, RollupPeriod::Day, folder)?.is_none() {
                        continue;
                    }
                    put(&mut manifest.months, SpanEntry { span, file }, |it| &it.span);
                }
                "months" => {
                    if if_readable(disk, store, &file, RollupPeriod::Month, folder)?.is_none() {
                        continue;
                    }
                    put(&mut manifest.years, SpanEntry { span, file }, |it| &it.span);
                }
                _ => continue,
            }
            break;
        }
    }
    Ok(manifest)
}

fn if_readable(
    disk: &dyn Disk,
    store: &Path,
    file: &FileRef,
    period: RollupPeriod,
    folder: &mut Folder<'_>,
) -> Result<Option<Vec<Rollup>>> {
    match file::read_all(disk, store, file, period) {
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            take_out(disk, store, &file.file, error.message(), folder)?;
            Ok(None)
        }
        read => read.map(Some),
    }
}

/// What a file holds, of which span, written by which run.
fn parts(name: &str) -> Option<(&str, &str, u64)> {
    let (what, rest) = name.strip_suffix(".rollup")?.split_once('-')?;
    let (span, generation) = rest.rsplit_once('-')?;
    Some((what, span, generation.parse().ok()?))
}

fn file_ref(disk: &dyn Disk, store: &Path, name: &str) -> Result<Option<FileRef>> {
    let path = store.join(DIRECTORY).join(name);
    match disk::read_all(disk, &path) {
        Ok(bytes) => Ok(Some(FileRef {
            file: name.to_owned(),
            bytes: bytes.len() as u64,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
        })),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(fault::io("read the rollups", &path, error)),
    }
}

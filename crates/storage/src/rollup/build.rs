//! Brings rollups up to date with the events.

use super::Events;
use super::coverage::Coverage;
use super::file::{self, DIRECTORY, FileRef};
use super::manifest::{self, DayEntry, Manifest, SpanEntry, put};
use crate::disk::{Disk, DiskLock, Locking, OpenMode};
use crate::fault;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use telemetry_aggregation::{RollupBuilder, coarsened};
use telemetry_interfaces::{Code, DayStats, Error, ErrorKind, Query, Result, RollUpReport};
use telemetry_models::Timestamp;
use telemetry_models::rollup::{Rollup, RollupPeriod};

const LOCK: &str = "LOCK";

/// Rolls up every day whose events are not what they were when it was rolled up last.
pub(crate) fn roll_up(
    disk: &dyn Disk,
    store: &Path,
    events: &dyn Events,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RollUpReport> {
    let directory = directory(disk, store)?;
    let _lock = locked(disk, &directory)?;
    roll_up_days(disk, store, events, &|_| true, progress)
}

/// As [`roll_up`], for the days before the newest one: of that one, more events are to come. Does
/// nothing, and makes no folder, when they are up to date; ends early once `stop` says so.
#[cfg(feature = "segment")]
pub(crate) fn roll_up_ended(
    disk: &dyn Disk,
    store: &Path,
    events: &dyn Events,
    stop: &dyn Fn() -> bool,
) -> Result<()> {
    let days = events.days()?;
    let Some(newest) = days.iter().map(|it| &it.day).max() else { return Ok(()) };
    let ended = |day: &str| day < newest.as_str() && !stop();
    let stale = stale_days(&Manifest::read(disk, store)?, &days);
    if !stale.iter().any(|it| ended(&it.day)) {
        return Ok(());
    }
    match lock(disk, &directory(disk, store)?)? {
        Ok(_lock) => roll_up_days(disk, store, events, &ended, &mut |_, _| {}).map(|_| ()),
        // Another program is at it, and does the same.
        Err(_) => Ok(()),
    }
}

fn roll_up_days(
    disk: &dyn Disk,
    store: &Path,
    events: &dyn Events,
    wanted: &dyn Fn(&str) -> bool,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RollUpReport> {
    let directory = store.join(DIRECTORY);
    let before = Manifest::read(disk, store)?;
    let mut stale = stale_days(&before, &events.days()?);
    stale.retain(|it| wanted(&it.day));
    let mut report = RollUpReport {
        unchanged: (before.days.len()
            - stale.iter().filter(|it| before.day(&it.day).is_some()).count())
            as u64,
        ..RollUpReport::default()
    };
    let mut run = Run {
        disk,
        store,
        manifest: Manifest { generation: before.generation + 1, ..before.clone() },
        days: BTreeMap::new(),
    };
    run.tidy(&before)?;
    for (at, day) in stale.iter().enumerate() {
        if !wanted(&day.day) {
            break;
        }
        progress(at as u64, stale.len() as u64);
        run.day(day, events, &mut report)?;
        report.days.push(day.day.clone());
    }
    if !stale.is_empty() {
        run.spans()?;
        disk.sync_dir(&directory).map_err(|e| fault::io("sync the directory", &directory, e))?;
        run.manifest.write(disk, store)?;
        run.tidy(&run.manifest)?;
    }
    progress(stale.len() as u64, stale.len() as u64);
    report.bytes = run.manifest.files().map(|it| it.bytes).sum();
    Ok(report)
}

/// Days of which the store holds events, and other ones than when they were rolled up.
pub(super) fn stale_days(manifest: &Manifest, days: &[DayStats]) -> Vec<DayStats> {
    let stale = |it: &&DayStats| {
        it.events > 0 && manifest.day(&it.day).is_none_or(|day| day.raw_events != it.events)
    };
    days.iter().filter(stale).cloned().collect()
}

fn directory(disk: &dyn Disk, store: &Path) -> Result<PathBuf> {
    let directory = store.join(DIRECTORY);
    disk.create_dir(&directory).map_err(|e| fault::io("make the directory", &directory, e))?;
    Ok(directory)
}

/// The lock, or an error that says who has it.
pub(super) fn locked(disk: &dyn Disk, directory: &Path) -> Result<Box<dyn DiskLock>> {
    lock(disk, directory)?.map_err(|holder| {
        let holder = if holder.is_empty() { "another process" } else { &holder };
        let message = format!("{holder} is rolling up this store");
        Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, message)
            .with("path", directory.display())
            .cure("wait until it has finished")
    })
}

/// The lock, or who has it.
fn lock(disk: &dyn Disk, directory: &Path) -> Result<Result<Box<dyn DiskLock>, String>> {
    let path = directory.join(LOCK);
    let holder = format!("process {}", std::process::id());
    match disk.lock(&path, &holder).map_err(|e| fault::io("lock the rollups", &path, e))? {
        Locking::Ours(lock) => Ok(Ok(lock)),
        Locking::Theirs(holder) => Ok(Err(holder)),
    }
}

/// Start of a day that is written `YYYY-MM-DD`.
pub(super) fn start_of(day: &str) -> Option<Timestamp> {
    format!("{day}T00:00:00Z").parse().ok().or_else(|| {
        // The first day of all begins before the first instant.
        (day == Timestamp::MIN.day()).then_some(Timestamp::MIN)
    })
}

struct Run<'a> {
    disk: &'a dyn Disk,
    store: &'a Path,
    manifest: Manifest,
    /// Rollups of the days that were computed, by day.
    days: BTreeMap<String, Vec<Rollup>>,
}

impl Run<'_> {
    /// Computes a day's hours: from its events alone when they hold everything the rollups hold,
    /// otherwise from the rollups and the events they lack.
    fn day(
        &mut self,
        stats: &DayStats,
        events: &dyn Events,
        report: &mut RollUpReport,
    ) -> Result<()> {
        let day = &stats.day;
        let Some(start) = start_of(day) else {
            return Err(Error::new(ErrorKind::Internal, Code::Processing, "a day without a start")
                .with("day", day));
        };
        let old = self.manifest.day(day).cloned();
        let covered = match &old {
            Some(old) => Some(read_coverage(self.disk, self.store, &old.covered)?),
            None => None,
        };
        let end = RollupPeriod::Day.end_of(start);
        let to = (end != Timestamp::MAX).then_some(end);
        let query = Query { from: Some(start), to, ..Query::all() };
        let mut all = RollupBuilder::new(RollupPeriod::Hour);
        let mut late = RollupBuilder::new(RollupPeriod::Hour);
        let mut missing = covered;
        let mut found = Coverage::default();
        let (mut read, mut counted, mut new) = (0, 0, 0);
        for event in events.events(&query)? {
            let event = match event {
                Ok(event) => event,
                Err(error) => {
                    report.damage.push(error.to_string());
                    continue;
                }
            };
            read += 1;
            if !found.insert(&event) {
                report.known += 1;
                continue;
            }
            counted += 1;
            all.add(&event);
            let Some(missing) = &mut missing else { continue };
            if missing.take(&event) {
                report.known += 1;
            } else {
                new += 1;
                late.add(&event);
            }
        }
        report.events += read;
        let (hours, total) = match (&old, missing) {
            (Some(old), Some(missing)) if !missing.is_empty() => {
                let mut merged = RollupBuilder::new(RollupPeriod::Hour);
                let kept = file::read_all(self.disk, self.store, &old.hours, RollupPeriod::Hour)?;
                for rollup in kept.iter().chain(&late.finish()) {
                    merged.add_rollup(rollup);
                }
                found.extend(&missing);
                (merged.finish(), old.events + new)
            }
            _ => (all.finish(), counted),
        };
        let entry = DayEntry {
            day: day.clone(),
            // Events that could not be read stay in the store's count: the day stays stale, because
            // they may be read next time (a disk that failed once), or be given up as damaged.
            raw_events: read,
            events: total,
            hours: self.write("hours", day, &hours)?,
            covered: self.write_coverage(day, &found)?,
        };
        self.days.insert(day.clone(), coarsened(&hours, RollupPeriod::Day));
        put(&mut self.manifest.days, entry, |it| &it.day);
        Ok(())
    }

    /// The months and years that the computed days lie in.
    fn spans(&mut self) -> Result<()> {
        let days = std::mem::take(&mut self.days);
        let months: BTreeSet<&str> = days.keys().map(|day| month_of(day)).collect();
        let mut years = BTreeMap::<String, Vec<Rollup>>::new();
        for month in months {
            let (from, to) = (days.range(month.to_owned()..), format!("{month}~"));
            let computed: Vec<_> = from.take_while(|(day, _)| **day < to).collect();
            let starts: BTreeSet<_> =
                computed.iter().filter_map(|(day, _)| start_of(day)).collect();
            let old = self.manifest.months.iter().find(|it| it.span == month);
            let mut rows = self.old(old, RollupPeriod::Day)?;
            rows.retain(|it| !starts.contains(&it.start));
            rows.extend(computed.into_iter().flat_map(|(_, rollups)| rollups).cloned());
            sort(&mut rows);
            let file = self.write("days", month, &rows)?;
            put(&mut self.manifest.months, SpanEntry { span: month.into(), file }, |it| &it.span);
            years
                .entry(year_of(month).into())
                .or_default()
                .extend(coarsened(&rows, RollupPeriod::Month));
        }
        for (year, new) in years {
            let starts: BTreeSet<_> = new.iter().map(|it| it.start).collect();
            let old = self.manifest.years.iter().find(|it| it.span == year);
            let mut rows = self.old(old, RollupPeriod::Month)?;
            rows.retain(|it| !starts.contains(&it.start));
            rows.extend(new);
            sort(&mut rows);
            let file = self.write("months", &year, &rows)?;
            put(&mut self.manifest.years, SpanEntry { span: year, file }, |it| &it.span);
        }
        Ok(())
    }

    fn old(&self, entry: Option<&SpanEntry>, period: RollupPeriod) -> Result<Vec<Rollup>> {
        entry.map_or(Ok(Vec::new()), |it| file::read_all(self.disk, self.store, &it.file, period))
    }

    fn write(&self, what: &str, span: &str, rollups: &[Rollup]) -> Result<FileRef> {
        write(self.disk, self.store, self.manifest.generation, what, span, rollups)
    }

    fn write_coverage(&self, day: &str, coverage: &Coverage) -> Result<FileRef> {
        let name = format!("covered-{day}-{:08}.rollup", self.manifest.generation);
        let mut bytes = Vec::new();
        let made = file::put_block(&coverage.to_bytes(), &mut bytes).map(|()| bytes);
        put_file(self.disk, self.store, name, made)
    }

    fn tidy(&self, manifest: &Manifest) -> Result<()> {
        tidy(self.disk, self.store, manifest)
    }
}

/// Writes a file of rollups that a manifest of this generation will name.
pub(super) fn write(
    disk: &dyn Disk,
    store: &Path,
    generation: u64,
    what: &str,
    span: &str,
    rollups: &[Rollup],
) -> Result<FileRef> {
    let name = format!("{what}-{span}-{generation:08}.rollup");
    put_file(disk, store, name, file::bytes_of(rollups))
}

/// Writes a file that the manifest will name.
fn put_file(
    disk: &dyn Disk,
    store: &Path,
    name: String,
    bytes: io::Result<Vec<u8>>,
) -> Result<FileRef> {
    let path = store.join(DIRECTORY).join(&name);
    let written = bytes.and_then(|bytes| {
        let file = disk.open(&path, OpenMode::Create)?;
        file.append(&bytes)?;
        file.sync()?;
        Ok(bytes)
    });
    let bytes = written.map_err(|error| fault::io("write rollups", &path, error))?;
    let blake3 = blake3::hash(&bytes).to_hex().to_string();
    Ok(FileRef { file: name, bytes: bytes.len() as u64, blake3 })
}

/// Removes what a manifest does not name: the leavings of an interrupted run, or of the generation
/// before.
pub(super) fn tidy(disk: &dyn Disk, store: &Path, manifest: &Manifest) -> Result<()> {
    let directory = store.join(DIRECTORY);
    let named: BTreeSet<&str> = manifest.files().map(|it| it.file.as_str()).collect();
    let listing = |error| fault::io("list", &directory, error);
    for name in disk.list(&directory).map_err(listing)? {
        let ours = name.ends_with(".rollup") || name == "manifest.tmp";
        if ours && !named.contains(name.as_str()) {
            let path = directory.join(&name);
            disk.remove(&path).map_err(|e| fault::io("remove", &path, e))?;
        }
    }
    Ok(())
}

pub(super) fn read_coverage(disk: &dyn Disk, store: &Path, it: &FileRef) -> Result<Coverage> {
    let path = store.join(DIRECTORY).join(&it.file);
    let reading = |error| fault::io("read the rollups", &path, error);
    let file = disk.open(&path, OpenMode::Read).map_err(reading)?;
    let size = file.size().map_err(reading)?;
    let read = file::block_at(&*file, 0, size).map_err(reading)?;
    let coverage = read.and_then(|(raw, _)| Coverage::from_bytes(&raw));
    coverage.map_err(|what| {
        fault::damaged(&format!("{DIRECTORY}/{}", it.file), 0, what).cure(file::CURE)
    })
}

pub(super) fn sort(rows: &mut [Rollup]) {
    rows.sort_by(|a, b| (&a.selector, &a.site, a.start).cmp(&(&b.selector, &b.site, b.start)));
}

pub(super) fn month_of(day: &str) -> &str {
    day.rsplit_once('-').map_or(day, |(month, _)| month)
}

pub(super) fn year_of(month: &str) -> &str {
    month.rsplit_once('-').map_or(month, |(year, _)| year)
}

/// Whether a name is a file that rollups keep beside their own.
pub(super) fn is_ours(name: &str) -> bool {
    name == LOCK || name == manifest::FILE
}

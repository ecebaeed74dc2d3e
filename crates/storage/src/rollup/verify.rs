//! Checks rollups against their checksums, each other and the events.

use super::build::{is_ours, read_coverage, start_of};
use super::file::{self, DIRECTORY};
use super::manifest::Manifest;
use crate::disk::{self, Disk};
use crate::fault;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use telemetry_aggregation::{RollupBuilder, coarsened};
use telemetry_interfaces::{
    Damage, Error, ErrorKind, EventStore, Query, Result, VerifyLevel, VerifyReport,
};
use telemetry_models::Timestamp;
use telemetry_models::rollup::{Rollup, RollupPeriod};

/// Adds what is wrong with the rollups to a report. The deep check decodes every rollup, compares
/// days with their hours and months with their days, and computes the hours of each day anew
/// whose events are all there.
pub(crate) fn verify(
    disk: &dyn Disk,
    store: &Path,
    events: &dyn EventStore,
    level: VerifyLevel,
    report: &mut VerifyReport,
) -> Result<()> {
    let directory = store.join(DIRECTORY);
    let names = match disk.list(&directory) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(fault::io("list", &directory, error)),
    };
    let manifest = match Manifest::read(disk, store) {
        Ok(manifest) => manifest,
        Err(error) if error.kind() == ErrorKind::Corrupt => {
            return damaged(report, super::manifest::FILE, error);
        }
        Err(error) => return Err(error),
    };
    for name in names {
        if !is_ours(&name) && !manifest.files().any(|it| it.file == name) {
            report.notes.push(format!("{DIRECTORY}/{name}: not a file of the rollups"));
        }
    }
    for it in manifest.files() {
        let what = match disk::read_all(disk, &directory.join(&it.file)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => "the file is missing",
            Err(error) => {
                return Err(fault::io("read the rollups", &directory.join(&it.file), error));
            }
            Ok(bytes) => {
                report.files += 1;
                report.bytes += bytes.len() as u64;
                let same = blake3::hash(&bytes).to_hex().as_str() == it.blake3;
                if same { continue } else { "the file is not what was written" }
            }
        };
        report.damage.push(place(&it.file, format!("{what}; {}", file::CURE)));
    }
    if level == VerifyLevel::Deep {
        deep(disk, store, &manifest, events, report)?;
    }
    Ok(())
}

fn deep(
    disk: &dyn Disk,
    store: &Path,
    manifest: &Manifest,
    events: &dyn EventStore,
    report: &mut VerifyReport,
) -> Result<()> {
    let mut days = BTreeMap::<Timestamp, Vec<Rollup>>::new();
    let mut months = BTreeMap::<Timestamp, Vec<Rollup>>::new();
    for it in &manifest.years {
        match file::read_all(disk, store, &it.file, RollupPeriod::Month) {
            Ok(rows) => {
                rows.into_iter().for_each(|row| months.entry(row.start).or_default().push(row))
            }
            Err(error) => damaged(report, &it.file.file, error)?,
        }
    }
    for it in &manifest.months {
        let rows = match file::read_all(disk, store, &it.file, RollupPeriod::Day) {
            Ok(rows) => rows,
            Err(error) => {
                damaged(report, &it.file.file, error)?;
                continue;
            }
        };
        for month in by_start(coarsened(&rows, RollupPeriod::Month)) {
            if months.get(&month.0) != Some(&month.1) {
                let what = format!("the days do not add up to the month of {}", month.0.day());
                report.damage.push(place(&it.file.file, what));
            }
        }
        rows.into_iter().for_each(|row| days.entry(row.start).or_default().push(row));
    }
    for it in &manifest.days {
        let hours = match file::read_all(disk, store, &it.hours, RollupPeriod::Hour) {
            Ok(rows) => rows,
            Err(error) => {
                damaged(report, &it.hours.file, error)?;
                continue;
            }
        };
        let mut wrong = |what: String| report.damage.push(place(&it.hours.file, what));
        for (start, day) in by_start(coarsened(&hours, RollupPeriod::Day)) {
            if days.get(&start) != Some(&day) {
                wrong(format!("the hours do not add up to the day {}", it.day));
            }
        }
        let counted: u64 = hours.iter().map(|it| it.figures.operations()).sum();
        if counted != it.events {
            wrong(format!("the hours of {} hold {counted} events, expected {}", it.day, it.events));
        }
        match recomputed(disk, store, it, events) {
            Ok(Some(rows)) if rows != hours => {
                wrong(format!("the events of {} give other rollups", it.day));
            }
            Ok(Some(_)) => {}
            Ok(None) => report.notes.push(format!(
                "{DIRECTORY}/{}: not compared with events, some are gone or damaged",
                it.hours.file
            )),
            Err(error) => damaged(report, &it.covered.file, error)?,
        }
    }
    Ok(())
}

/// A day's hours from exactly those events that its rollups hold; `None` when one is not there.
fn recomputed(
    disk: &dyn Disk,
    store: &Path,
    day: &super::manifest::DayEntry,
    events: &dyn EventStore,
) -> Result<Option<Vec<Rollup>>> {
    let mut missing = read_coverage(disk, store, &day.covered)?;
    let Some(start) = start_of(&day.day) else { return Ok(None) };
    let end = RollupPeriod::Day.end_of(start);
    let to = (end != Timestamp::MAX).then_some(end);
    let mut builder = RollupBuilder::new(RollupPeriod::Hour);
    for event in events.query(&Query { from: Some(start), to, ..Query::all() })? {
        let event = match event {
            Ok(event) => event,
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(None),
            Err(error) => return Err(error),
        };
        if missing.take(&event) {
            builder.add(&event);
        }
    }
    Ok(missing.is_empty().then(|| builder.finish()))
}

fn by_start(rows: Vec<Rollup>) -> BTreeMap<Timestamp, Vec<Rollup>> {
    let mut starts = BTreeMap::<_, Vec<_>>::new();
    for row in rows {
        starts.entry(row.start).or_default().push(row);
    }
    starts
}

/// Adds what is wrong with a file. What cannot be read at this moment is no damage.
fn damaged(report: &mut VerifyReport, file: &str, error: Error) -> Result<()> {
    if !matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::NotFound) {
        return Err(error);
    }
    if !report.damage.iter().any(|it| it.file.ends_with(file)) {
        report.damage.push(place(file, error.message().to_owned()));
    }
    Ok(())
}

fn place(file: &str, what: String) -> Damage {
    Damage { file: format!("{DIRECTORY}/{file}"), offset: 0, length: None, events: Some(0), what }
}

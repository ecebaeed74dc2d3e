//! Rollups beside the events of a store, whichever backend it has.
//!
//! Immutable files and a manifest that is replaced atomically, so that a reader, and a crash,
//! sees all rollups of one run or none. `docs/specs/rollup-format.md` describes them.

mod build;
mod codec;
mod coverage;
mod file;
mod manifest;
mod mend;
mod verify;

pub(crate) use build::roll_up;
#[cfg(feature = "segment")]
pub(crate) use build::roll_up_ended;
pub(crate) use mend::mend;
pub(crate) use verify::verify;

use crate::disk::Disk;
use file::RollupFile;
use manifest::Manifest;
use std::path::Path;
use telemetry_interfaces::{
    DayStats, ErrorKind, EventIter, EventStore, Query, Result, RollupAnswer, RollupQuery,
};
use telemetry_models::rollup::RollupPeriod;

/// Where rollups take events from.
pub(crate) trait Events {
    /// What is there, by day.
    fn days(&self) -> Result<Vec<DayStats>>;

    /// Events that meet a query.
    fn events(&self, query: &Query) -> Result<EventIter<'_>>;
}

impl<T: EventStore> Events for T {
    fn days(&self) -> Result<Vec<DayStats>> {
        Ok(self.stats()?.days)
    }

    fn events(&self, query: &Query) -> Result<EventIter<'_>> {
        self.query(query)
    }
}

/// How often the manifest is read again because a file it named was replaced meanwhile.
const TRIES: u32 = 5;

/// Answers a query. `days` is what the store holds at this moment.
pub(crate) fn answer(
    disk: &dyn Disk,
    store: &Path,
    days: &[DayStats],
    query: &RollupQuery,
) -> Result<RollupAnswer<'static>> {
    let mut tries = 0;
    let (manifest, files) = loop {
        let manifest = Manifest::read(disk, store)?;
        let opened: Result<Vec<_>> = names(&manifest, query)
            .map(|name| RollupFile::open(disk, store, name, query.period))
            .collect();
        match opened {
            Ok(files) => break (manifest, files),
            Err(error) if error.kind() == ErrorKind::NotFound && tries < TRIES => tries += 1,
            Err(error) => return Err(error),
        }
    };
    let stale = build::stale_days(&manifest, days);
    let of_period = |day: &DayStats| {
        let start = build::start_of(&day.day)?;
        let end = RollupPeriod::Day.end_of(start);
        // A day is of interest when a period that it is part of, or that is part of it, is.
        let first = query.period.start_of(start);
        let within =
            query.from.is_none_or(|from| from < end) && query.to.is_none_or(|to| first < to);
        within.then_some(start)
    };
    let stale_days = stale.iter().filter_map(of_period).collect();
    let query = query.clone();
    let rollups = files.into_iter().flat_map(move |file| file.rows(&query));
    Ok(RollupAnswer { rollups: Box::new(rollups), stale_days })
}

/// The files that may hold an answer.
fn names<'m>(
    manifest: &'m Manifest,
    query: &'m RollupQuery,
) -> Box<dyn Iterator<Item = &'m str> + 'm> {
    // Spans are texts that sort as their times do; of a text only as many characters count as the
    // span has.
    let within = |span: &str| {
        let cut = |day: &str| day[..day.len().min(span.len())].to_owned();
        query.from.is_none_or(|from| cut(&from.day()).as_str() <= span)
            && query.to.is_none_or(|to| span <= cut(&to.day()).as_str())
    };
    match query.period {
        RollupPeriod::Hour => {
            let days = manifest.days.iter().filter(move |it| within(&it.day));
            Box::new(days.map(|it| it.hours.file.as_str()))
        }
        RollupPeriod::Day | RollupPeriod::Month => {
            let spans = match query.period {
                RollupPeriod::Day => &manifest.months,
                _ => &manifest.years,
            };
            Box::new(
                spans.iter().filter(move |it| within(&it.span)).map(|it| it.file.file.as_str()),
            )
        }
    }
}

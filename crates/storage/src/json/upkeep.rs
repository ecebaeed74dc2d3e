//! What needs every line: known sequences, ledgers, counts, checks.

use super::days::form_of;
use super::lines::Lines;
use super::query::bad_line;
use super::{DIRECTORY, LEDGERS, Shared, compact, settle};
use crate::disk::OpenMode;
use crate::seen::Seen;
use crate::{fault, marker, quarantine};
use serde::Deserialize;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;
use telemetry_interfaces::{
    Damage, DayStats, Ledger, Recovery, Result, StoreStats, TierStats, VerifyLevel, VerifyReport,
};
use telemetry_models::{ProducerId, RunId, json};

/// The part of a line that tells duplicates.
#[derive(Deserialize)]
struct Key<'a> {
    #[serde(borrow)]
    run_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    producer_id: Option<Cow<'a, str>>,
    sequence: Option<u64>,
}

impl Shared {
    /// Which events the store holds already, and which lines are none: the last of a file without
    /// its newline is torn, any other damaged.
    pub(super) fn sequences(&self) -> Result<(Seen, Recovery)> {
        let mut seen = Seen::default();
        let mut recovery = Recovery::default();
        let mut last: Option<(RunId, ProducerId)> = None;
        for day in self.days()? {
            let mut lines = day.lines();
            let reading = |error| fault::io("read events", day.name().as_ref(), error);
            while let Some(line) = lines.next().map_err(reading)? {
                let key = match serde_json::from_slice::<Key<'_>>(&line.bytes) {
                    Ok(key) => key,
                    Err(_) => {
                        let (list, what) = match line.ended {
                            true => (&mut recovery.damage, "a line is not an event"),
                            false => (&mut recovery.torn, "kept as a line of its own"),
                        };
                        list.push(Damage {
                            file: day.name(),
                            offset: line.offset,
                            length: Some(line.bytes.len() as u64),
                            events: Some(1),
                            what: what.into(),
                        });
                        continue;
                    }
                };
                let Key { run_id: Some(run), producer_id: Some(producer), sequence: Some(at) } =
                    key
                else {
                    continue;
                };
                if last.as_ref().is_none_or(|it| it.0.as_str() != run || it.1.as_str() != producer)
                {
                    let (Ok(run), Ok(producer)) =
                        (RunId::new(run.as_ref()), ProducerId::new(producer.as_ref()))
                    else {
                        continue;
                    };
                    last = Some((run, producer));
                }
                if let Some((run, producer)) = &last {
                    seen.insert(run, producer, at);
                }
            }
            recovery.damage.extend(day.damage());
        }
        Ok((seen, recovery))
    }

    /// The newest ledger of each producer. Lines that are none are left to `verify`: the last one
    /// may have been torn.
    pub(super) fn ledgers(&self) -> Result<Vec<Ledger>> {
        let mut newest = BTreeMap::new();
        let mut take = |ledger: Ledger| {
            newest.insert((ledger.run.clone(), ledger.producer.clone()), ledger);
        };
        self.each_ledger(&mut |_, _, ledger| {
            if let Ok(ledger) = ledger {
                take(ledger);
            }
        })?;
        Ok(newest.into_values().collect())
    }

    fn each_ledger(
        &self,
        take: &mut dyn FnMut(u64, u64, serde_json::Result<Ledger>),
    ) -> Result<u64> {
        let path = self.path.join(LEDGERS);
        let reading = |error| fault::io("read the ledgers", &path, error);
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
            Err(error) => return Err(reading(error)),
        };
        let size = file.size().map_err(reading)?;
        let mut lines = Lines::new(file, 0, size);
        while let Some(line) = lines.next().map_err(reading)? {
            take(line.number, line.offset, serde_json::from_slice(&line.bytes));
        }
        Ok(size)
    }

    pub(super) fn stats(&self) -> Result<StoreStats> {
        let mut stats = StoreStats { backend: "json".into(), ..StoreStats::default() };
        let mut selectors = BTreeMap::<String, u64>::new();
        let mut sites = BTreeMap::<String, u64>::new();
        let mut days = BTreeMap::<String, u64>::new();
        let abandoned = self.is_abandoned()?;
        let days_found = self.days()?;
        let abandoned = abandoned && self.is_abandoned()?;
        for day in days_found {
            stats.files += 1;
            stats.bytes += day.bytes;
            let before = stats.events;
            let mut lines = day.lines();
            let reading = |error| fault::io("read events", day.name().as_ref(), error);
            while let Some(line) = lines.next().map_err(reading)? {
                let event = match json::from_slice(&line.bytes) {
                    Ok(event) => event,
                    Err(error) => {
                        if line.ended || abandoned {
                            stats.damage.push(Damage {
                                file: day.name(),
                                offset: line.offset,
                                length: Some(line.bytes.len() as u64),
                                events: Some(1),
                                what: format!("line {} is not an event: {error}", line.number),
                            });
                        }
                        continue;
                    }
                };
                stats.events += 1;
                stats.first = stats.first.into_iter().chain([event.timestamp]).min();
                stats.last = stats.last.into_iter().chain([event.timestamp]).max();
                *selectors.entry(event.selector.to_string()).or_default() += 1;
                *sites.entry(event.site().unwrap_or_default().to_owned()).or_default() += 1;
                *days.entry(event.timestamp.day()).or_default() += 1;
            }
            stats.damage.extend(day.damage());
            let name = day.form.tier();
            let known = stats.tiers.iter_mut().find(|it| it.tier == name);
            let found = stats.events - before;
            match known {
                Some(tier) => {
                    tier.events += found;
                    tier.bytes += day.bytes;
                    tier.files += 1;
                }
                None => stats.tiers.push(TierStats {
                    tier: name.into(),
                    events: found,
                    bytes: day.bytes,
                    files: 1,
                }),
            }
        }
        stats.tiers.sort_by(|a, b| a.tier.cmp(&b.tier).reverse());
        stats.selectors = most_first(selectors);
        stats.sites = most_first(sites);
        stats.days = days.into_iter().map(|(day, events)| DayStats { day, events }).collect();
        Ok(stats)
    }

    /// Text has no checksums, so both levels read every line as an event.
    pub(super) fn verify(
        &self,
        _level: VerifyLevel,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        self.note_foreign(&mut report)?;
        let abandoned = self.is_abandoned()?;
        let days = self.days()?;
        let abandoned = abandoned && self.is_abandoned()?;
        let total = days.iter().map(|day| day.size).sum();
        for day in &days {
            let mut lines = day.lines();
            let reading = |error| fault::io("read events", day.name().as_ref(), error);
            while let Some(line) = lines.next().map_err(reading)? {
                if !line.ended && !abandoned {
                    continue;
                }
                report.blocks += 1;
                let length = line.bytes.len() as u64;
                let what = match json::from_slice(&line.bytes) {
                    Ok(event) => {
                        report.events += 1;
                        let its = event.timestamp.day();
                        (its != day.day).then(|| format!("line {}: an event of {its}", line.number))
                    }
                    Err(error) => Some(bad_line(day, line.number, line.offset, error).to_string()),
                };
                if let Some(what) = what {
                    report.damage.push(Damage {
                        file: day.name(),
                        offset: line.offset,
                        length: Some(length),
                        events: Some(1),
                        what,
                    });
                }
                if report.blocks % 1024 == 0 {
                    progress(report.bytes + line.offset, total);
                }
            }
            report.damage.extend(day.damage());
            report.files += 1;
            report.bytes += day.size;
            progress(report.bytes, total);
        }
        let mut notes = Vec::new();
        self.each_ledger(&mut |number, offset, ledger| {
            if let Err(error) = ledger {
                notes.push(format!(
                    "{LEDGERS}: line {number} at byte {offset} is no ledger: {error}"
                ));
            }
        })?;
        report.notes.extend(notes);
        Ok(report)
    }

    fn note_foreign(&self, report: &mut VerifyReport) -> Result<()> {
        let ours = [
            marker::FILE,
            marker::LOCK,
            marker::SPOOL,
            marker::ROLLUPS,
            DIRECTORY,
            LEDGERS,
            settle::FILE,
            quarantine::DIRECTORY,
            // Being written by a writer.
            marker::TEMPORARY,
            "UNSETTLED.tmp",
            "ledgers.tmp",
        ];
        let listing = |error| fault::io("list", &self.path, error);
        for name in self.disk.list(&self.path).map_err(listing)? {
            if !ours.contains(&name.as_str()) && !name.starts_with("state.db") {
                report.notes.push(format!("{name}: not a file of the event store"));
            }
        }
        report.notes.extend(quarantine::note(&*self.disk, &self.path)?);
        let inside = match self.disk.list(&self.path.join(DIRECTORY)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed.map_err(listing)?,
        };
        let foreign = |name: &&String| {
            form_of(name).is_none() && !settle::is_unfinished(name) && !compact::is_unfinished(name)
        };
        for name in inside.iter().filter(foreign) {
            report.notes.push(format!("{DIRECTORY}/{name}: not a file of the event store"));
        }
        Ok(())
    }
}

fn most_first(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

//! Counts, from what is remembered of segments.

use super::chooser::CURE;
use super::index::{Entry, Known};
use super::names::SegmentId;
use super::{Shared, names, summary};
use crate::codec::{SummaryV1, ledger_from_bytes};
use crate::disk::OpenMode;
use crate::fault;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{Damage, DayStats, Ledger, Result, StoreStats, TierStats};
use telemetry_models::Timestamp;

const DAY_NS: i64 = 86_400_000_000_000;

/// The last ledger of every producer of every run, by run and producer.
type Ledgers =
    BTreeMap<(Option<telemetry_models::RunId>, Option<telemetry_models::ProducerId>), Ledger>;

impl Shared {
    /// `abandoned`: nobody writes, so that what is unfinished will stay so.
    pub(super) fn stats(&self, abandoned: bool) -> Result<StoreStats> {
        let mut stats = StoreStats { backend: "segment".into(), ..StoreStats::default() };
        let mut selectors = BTreeMap::<String, u64>::new();
        let mut sites = BTreeMap::<String, u64>::new();
        let mut days = BTreeMap::<i32, u64>::new();
        let mut tiers = BTreeMap::<&str, TierStats>::new();
        self.summaries(&mut |summary, bytes| {
            let name = match (summary.sorted, summary.warm) {
                (_, true) => "parquet",
                (true, false) => "sorted",
                (false, false) => "log",
            };
            let tier = tiers.entry(name).or_insert_with(|| TierStats {
                tier: name.into(),
                events: 0,
                bytes: 0,
                files: 0,
            });
            tier.bytes += bytes + summary.files.iter().map(|(_, bytes)| bytes).sum::<u64>();
            tier.files += u64::from(bytes > 0) + summary.files.len() as u64;
            tier.events += summary.events;
            stats.events += summary.events;
            if summary.events > 0 {
                let first = Timestamp::from_nanos(summary.earliest);
                let last = Timestamp::from_nanos(summary.latest);
                stats.first = stats.first.into_iter().chain([first]).min();
                stats.last = stats.last.into_iter().chain([last]).max();
            }
            add(&mut selectors, &summary.selectors);
            add(&mut sites, &summary.sites);
            for (day, count) in &summary.days {
                *days.entry(*day).or_default() += count;
            }
        })?;
        stats.damage = self.damage_known(abandoned);
        stats.bytes = tiers.values().map(|it| it.bytes).sum();
        stats.files = tiers.values().map(|it| it.files).sum();
        let order = ["log", "sorted", "parquet"];
        stats.tiers = order.into_iter().filter_map(|name| tiers.remove(name)).collect();
        stats.tiers.retain(|it| it.files > 0);
        stats.capped = selectors.get(super::cap::OTHER).copied().unwrap_or(0);
        stats.selectors = most_first(selectors);
        stats.sites = most_first(sites);
        stats.days = named(days);
        Ok(stats)
    }

    /// Events by day, from memory.
    #[cfg(feature = "rollup")]
    pub(super) fn days_stored(&self) -> Vec<DayStats> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut days = BTreeMap::<i32, u64>::new();
        for entry in index.segments.values() {
            match entry {
                Entry::Known(known) => {
                    known.days.iter().for_each(|(day, n)| *days.entry(*day).or_default() += n);
                }
                Entry::Read(segment) => {
                    for (day, n) in segment.blocks.iter().flat_map(|block| &block.days) {
                        *days.entry(*day).or_default() += u64::from(*n);
                    }
                }
            }
        }
        named(days)
    }

    pub(super) fn ledgers(&self) -> Result<Vec<Ledger>> {
        let mut found = Vec::new();
        self.summaries(&mut |summary, _| {
            let ledgers = summary.ledgers.iter().filter_map(|it| ledger_from_bytes(it).ok());
            found.extend(ledgers.map(|ledger| (summary.id(), ledger)));
        })?;
        // The order of segments; within one, each producer of a run has one.
        found.sort_by_key(|(id, _)| *id);
        let mut newest = Ledgers::new();
        for (_, ledger) in found {
            newest.insert((ledger.run.clone(), ledger.producer.clone()), ledger);
        }
        Ok(newest.into_values().collect())
    }

    /// What is known to be lost, or unfinished for good.
    fn damage_known(&self, abandoned: bool) -> Vec<Damage> {
        let mut damage = BTreeMap::<SegmentId, Vec<Damage>>::new();
        for (id, gaps) in self.footers.damaged() {
            let gaps = gaps.iter().filter(|gap| !gap.harmless).map(|gap| gap.damage(id));
            damage.entry(id).or_default().extend(gaps);
        }
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        for (id, entry) in &index.segments {
            let Entry::Read(segment) = entry else { continue };
            let gaps = segment.gaps.iter().filter(|gap| !gap.harmless).map(|gap| gap.damage(*id));
            let its = damage.entry(*id).or_default();
            its.extend(gaps);
            if segment.tail > 0 && abandoned {
                its.push(Damage {
                    file: names::relative(*id),
                    offset: segment.end,
                    length: Some(segment.tail),
                    events: None,
                    what: "not a whole block: the writer was interrupted here".into(),
                });
            }
        }
        damage.into_values().flatten().collect()
    }

    /// Calls `take` with what is in every segment and the length of its file, in no order: from what
    /// is remembered of it, otherwise from its footer.
    fn summaries(&self, take: &mut dyn FnMut(&SummaryV1, u64)) -> Result<()> {
        let mut wanted: HashMap<SegmentId, Arc<Known>> = HashMap::new();
        {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            for (id, entry) in &index.segments {
                match entry {
                    Entry::Known(known) => {
                        wanted.insert(*id, Arc::clone(known));
                    }
                    Entry::Read(segment) => {
                        take(&SummaryV1::of(*id, [0; 32], segment, Vec::new()), entry.bytes());
                    }
                }
            }
        }
        if !wanted.is_empty() {
            summary::read(&*self.disk, &self.path, &mut |summary| {
                let id = summary.id();
                let its = wanted.get(&id).is_some_and(|known| summary.is_of(&known.sealed));
                if its && let Some(known) = wanted.remove(&id) {
                    take(&summary, known.sealed.bytes);
                }
                its
            });
        }
        for (id, known) in wanted {
            let path = names::path(&self.path, id);
            let file = match self.disk.open(&path, OpenMode::Read) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Err(fault::io("open", &path, error).cure(CURE));
                }
                opened => opened.map_err(|error| fault::io("open", &path, error))?,
            };
            let segment = self.footers.read(&known, &*file);
            let segment = segment.map_err(|e| fault::io("read the segment", &path, e))?;
            take(&SummaryV1::of(id, [0; 32], &segment, Vec::new()), known.sealed.bytes);
        }
        Ok(())
    }
}

fn add(to: &mut BTreeMap<String, u64>, counts: &[(String, u64)]) {
    for (name, count) in counts {
        match to.get_mut(name) {
            Some(sum) => *sum += count,
            None => {
                to.insert(name.clone(), *count);
            }
        }
    }
}

fn named(days: BTreeMap<i32, u64>) -> Vec<DayStats> {
    let day = |(day, events)| {
        // Noon, because the first representable day begins before the first instant.
        let noon = i64::from(day).saturating_mul(DAY_NS).saturating_add(DAY_NS / 2);
        DayStats { day: Timestamp::from_nanos(noon).day(), events }
    };
    days.into_iter().map(day).collect()
}

fn most_first(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counted: Vec<(String, u64)> = counts.into_iter().filter(|it| it.1 > 0).collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counted
}

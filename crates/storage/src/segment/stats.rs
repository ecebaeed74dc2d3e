//! Counts, from the index alone.

use super::{Shared, names};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use telemetry_interfaces::{Damage, DayStats, StoreStats, TierStats};
use telemetry_models::Timestamp;

const DAY_NS: i64 = 86_400_000_000_000;

impl Shared {
    /// `abandoned`: nobody writes, so that what is unfinished will stay so.
    pub(super) fn stats(&self, abandoned: bool) -> StoreStats {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut stats = StoreStats { backend: "segment".into(), ..StoreStats::default() };
        let mut selectors = vec![0u64; index.selectors.names.len()];
        let mut sites = vec![0u64; index.sites.names.len()];
        let mut days = BTreeMap::<i32, u64>::new();
        let mut tiers = BTreeMap::<&str, TierStats>::new();
        for (number, segment) in &index.segments {
            let gaps = segment.gaps.iter().filter(|gap| !gap.harmless);
            stats.damage.extend(gaps.map(|gap| gap.damage(*number)));
            if segment.tail > 0 && abandoned {
                stats.damage.push(Damage {
                    file: names::relative(*number),
                    offset: segment.end,
                    length: Some(segment.tail),
                    events: None,
                    what: "not a whole block: the writer was interrupted here".into(),
                });
            }
            let bytes = segment.end + segment.tail;
            let parquet: BTreeMap<&str, u64> = segment
                .blocks
                .iter()
                .filter_map(|block| block.warm.as_deref())
                .map(|place| (place.file.as_str(), place.bytes))
                .collect();
            let name = match (number.sorted, number.warm) {
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
            tier.bytes += bytes + parquet.values().sum::<u64>();
            tier.files += u64::from(bytes > 0) + parquet.len() as u64;
            tier.events += segment.blocks.iter().map(|it| u64::from(it.events)).sum::<u64>();
            for block in &segment.blocks {
                stats.events += u64::from(block.events);
                stats.first = stats.first.into_iter().chain([block.first]).min();
                stats.last = stats.last.into_iter().chain([block.last]).max();
                for (selector, count) in &block.selectors {
                    selectors[*selector as usize] += u64::from(*count);
                }
                for (site, count) in &block.sites {
                    sites[*site as usize] += u64::from(*count);
                }
                for (day, count) in &block.days {
                    *days.entry(*day).or_default() += u64::from(*count);
                }
            }
        }
        stats.bytes = tiers.values().map(|it| it.bytes).sum();
        stats.files = tiers.values().map(|it| it.files).sum();
        let order = ["log", "sorted", "parquet"];
        stats.tiers = order.into_iter().filter_map(|name| tiers.remove(name)).collect();
        stats.tiers.retain(|it| it.files > 0);
        stats.selectors = most_first(&index.selectors.names, &selectors);
        let other = stats.selectors.iter().find(|(name, _)| name == super::cap::OTHER);
        stats.capped = other.map_or(0, |(_, events)| *events);
        stats.sites = most_first(&index.sites.names, &sites);
        stats.days = days
            .into_iter()
            .map(|(day, events)| {
                // Noon, because the first representable day begins before the first instant.
                let noon = i64::from(day).saturating_mul(DAY_NS).saturating_add(DAY_NS / 2);
                DayStats { day: Timestamp::from_nanos(noon).day(), events }
            })
            .collect();
        stats
    }
}

fn most_first(names: &[std::sync::Arc<str>], counts: &[u64]) -> Vec<(String, u64)> {
    let mut counted: Vec<(String, u64)> = names
        .iter()
        .zip(counts)
        .filter(|(_, count)| **count > 0)
        .map(|(name, count)| (name.to_string(), *count))
        .collect();
    counted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counted
}

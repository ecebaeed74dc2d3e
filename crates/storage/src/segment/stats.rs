//! Counts, from the index alone.

use super::{Shared, names};
use std::collections::BTreeMap;
use std::sync::PoisonError;
use telemetry_interfaces::{Damage, DayStats, StoreStats};
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
            stats.bytes += segment.end + segment.tail;
            stats.files += u64::from(segment.end + segment.tail > 0);
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
        stats.selectors = most_first(&index.selectors.names, &selectors);
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

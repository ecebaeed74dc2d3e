//! Where the time goes.

use super::MAX_ROWS;
use crate::builder::{cut, rows};
use crate::collect::Collected;
use crate::config::ReportingConfig;
use crate::rows::{ms, quantiles, rate, site_name, strategy_text};
use crate::text::rounded;
use std::time::Duration;
use telemetry_aggregation::{SelectorSummary, Z_95, wilson};
use telemetry_models::report::{Bottleneck, Performance, ServiceLevel, ServiceRow};

pub(crate) fn performance(
    config: &ReportingConfig,
    collected: &Collected,
    all: &SelectorSummary,
) -> Performance {
    let total = all.durations.sum().as_secs_f64();
    let mut bottlenecks: Vec<Bottleneck> = rows(collected)
        .filter_map(|(selector, site, row)| {
            let durations = quantiles(&row.summary.durations)?;
            let time = row.summary.durations.sum();
            let slowest =
                row.summary.strategies.iter().filter(|(_, it)| it.durations.n() > 0).max_by(
                    |(a_key, a), (b_key, b)| {
                        a.durations.sum().cmp(&b.durations.sum()).then_with(|| b_key.cmp(a_key))
                    },
                );
            Some(Bottleneck {
                selector: selector.clone(),
                site: site_name(site),
                time_ms: ms(time),
                share: if total > 0.0 { rounded(time.as_secs_f64() / total, 6) } else { 0.0 },
                durations,
                strategy: slowest.map(|(key, _)| strategy_text(key)),
                strategy_time_ms: slowest.map(|(_, it)| ms(it.durations.sum())),
            })
        })
        .collect();
    bottlenecks.sort_by(|a, b| {
        b.time_ms
            .total_cmp(&a.time_ms)
            .then_with(|| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)))
    });
    let (bottlenecks, bottlenecks_omitted) = cut(bottlenecks, MAX_ROWS);
    Performance {
        time_ms: ms(all.durations.sum()),
        timed: all.durations.n(),
        bottlenecks,
        bottlenecks_omitted,
        service_level: service_level(config, collected, all),
    }
}

fn service_level(
    config: &ReportingConfig,
    collected: &Collected,
    all: &SelectorSummary,
) -> ServiceLevel {
    let limit = Duration::from_secs_f64(config.service_level_ms / 1e3);
    let met = |it: &SelectorSummary| (it.durations.at_most(limit), it.durations.n());
    let mut judged = 0;
    let mut missed = Vec::new();
    for (selector, site, row) in rows(collected) {
        let (count, n) = met(&row.summary);
        if n < config.min_samples {
            continue;
        }
        judged += 1;
        let surely = wilson(count, n, Z_95).is_some_and(|it| it.high < config.service_level_share);
        if let (true, Some(met)) = (surely, rate(count, n)) {
            missed.push(ServiceRow { selector: selector.clone(), site: site_name(site), met });
        }
    }
    missed.sort_by(|a, b| {
        a.met
            .share
            .total_cmp(&b.met.share)
            .then_with(|| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)))
    });
    let (missed, missed_omitted) = cut(missed, MAX_ROWS);
    let (count, n) = met(all);
    ServiceLevel {
        within_ms: config.service_level_ms,
        target: config.service_level_share,
        met: rate(count, n),
        judged,
        missed,
        missed_omitted,
    }
}

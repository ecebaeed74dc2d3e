//! Scores with their parts, and error budgets.

use super::MAX_ROWS;
use crate::builder::{cut, rows};
use crate::collect::Collected;
use crate::config::ReportingConfig;
use crate::rows::site_name;
use crate::text::rounded;
use std::collections::BTreeMap;
use telemetry_aggregation::SelectorSummary;
use telemetry_models::report::{BurnRate, ErrorBudget, HealthScore, HealthSection, ScorePart};
use telemetry_models::{SelectorName, Timestamp};

/// Weights of the original system's health score: mean confidence, and 1 − error rate.
const WEIGHTS: (f64, f64) = (0.6, 0.4);

/// Windows in seconds and the burn rates that exceed what they should (Google's “The Site
/// Reliability Workbook”, 2018, chapter 5, for a budget of 30 days).
const BURNS: [(u64, f64); 3] = [(3_600, 14.4), (21_600, 6.0), (259_200, 1.0)];

/// Fewest operations in a window of which the burn rate is told.
const MIN_BURN: u64 = 20;

pub(crate) fn health(
    config: &ReportingConfig,
    collected: &Collected,
    sites: &BTreeMap<&str, SelectorSummary>,
    all: &SelectorSummary,
) -> HealthSection {
    let score = |selector: Option<&SelectorName>, site: Option<String>, it: &SelectorSummary| {
        score(config, it, all.last).map(|(score, parts, budget)| HealthScore {
            selector: selector.cloned(),
            site,
            score,
            parts,
            budget,
        })
    };
    let enough = |it: &SelectorSummary| it.verdicts() >= config.min_samples;
    let mut selectors: Vec<HealthScore> = rows(collected)
        .filter(|(_, _, row)| enough(&row.summary))
        .filter_map(|(selector, site, row)| score(Some(selector), site_name(site), &row.summary))
        .collect();
    let mut by_site: Vec<HealthScore> = sites
        .iter()
        .filter(|(_, it)| enough(it))
        .filter_map(|(site, it)| score(None, site_name(site), it))
        .collect();
    for list in [&mut selectors, &mut by_site] {
        list.sort_by(|a, b| {
            (a.score.total_cmp(&b.score))
                .then_with(|| b.budget.faults.cmp(&a.budget.faults))
                .then_with(|| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)))
        });
    }
    let (sites, sites_omitted) = cut(by_site, MAX_ROWS);
    let (selectors, selectors_omitted) = cut(selectors, MAX_ROWS);
    HealthSection {
        objective: config.objective,
        fleet: score(None, None, all),
        sites,
        sites_omitted,
        selectors,
        selectors_omitted,
    }
}

fn score(
    config: &ReportingConfig,
    summary: &SelectorSummary,
    end: Option<Timestamp>,
) -> Option<(f64, Vec<ScorePart>, ErrorBudget)> {
    let (n, successes) = (summary.verdicts(), summary.successes());
    if n == 0 {
        return None;
    }
    let success = successes as f64 / n as f64;
    let part = |name: &str, value: f64, weight: f64, n: u64| ScorePart {
        name: name.into(),
        value: rounded(value, 6),
        weight,
        n,
    };
    let confidence = summary.confidence.moments;
    let parts = match confidence.mean() {
        Some(mean) => vec![
            part("confidence", mean, WEIGHTS.0, confidence.n),
            part("success", success, WEIGHTS.1, n),
        ],
        None => vec![part("success", success, 1.0, n)],
    };
    let score = parts.iter().map(|it| it.value * it.weight).sum();
    Some((rounded(score, 6), parts, budget(config, summary, n, n - successes, end)))
}

fn budget(
    config: &ReportingConfig,
    summary: &SelectorSummary,
    n: u64,
    faults: u64,
    end: Option<Timestamp>,
) -> ErrorBudget {
    let allowed_rate = 1.0 - config.objective;
    let allowed = allowed_rate * n as f64;
    let step = summary.timeline.width();
    let burn = BURNS.iter().filter_map(|(window_s, limit)| {
        let window = std::time::Duration::from_secs(*window_s);
        let from = end?.saturating_sub(window);
        if window < step {
            return None;
        }
        let (mut n, mut faults) = (0, 0);
        for (at, bucket) in summary.timeline.buckets() {
            if at.saturating_add(step) > from {
                n += bucket.verdicts;
                faults += bucket.faults();
            }
        }
        // Shorter than the window: the whole period says the same.
        let covers = summary.first.is_some_and(|first| first <= from);
        (n >= MIN_BURN && covers).then(|| {
            let rate = faults as f64 / n as f64 / allowed_rate;
            BurnRate { window_s: *window_s, rate: rounded(rate, 3), n, exceeded: rate >= *limit }
        })
    });
    ErrorBudget {
        n,
        faults,
        allowed: rounded(allowed, 3),
        consumed: rounded(faults as f64 / allowed, 6),
        burn: burn.collect(),
    }
}

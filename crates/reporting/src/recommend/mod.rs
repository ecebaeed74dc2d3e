//! What to change, and what it would save.
//!
//! Orders are chosen on the earlier part of the period and held against the later one, so that a
//! saving is not expected merely because it was the best of many.

mod adoption;
mod brittle;
mod cache;
mod evidence;
mod order;
mod threshold;
mod timeout;

pub(crate) use evidence::{Evidence, visited};

use crate::builder::{cut, rows};
use crate::collect::{Collected, Row};
use crate::config::ReportingConfig;
use crate::text::rounded;
use telemetry_aggregation::Z_95;
use telemetry_models::SelectorName;
use telemetry_models::report::{Estimate, Recommendation, Recommendations, Scarce};

/// Rows listed of what is not known, and of changed definitions.
const MAX_ROWS: usize = 20;
const SECONDS_A_DAY: f64 = 86_400.0;

/// One selector on one site, as the rules of recommendations see it.
pub(crate) struct Subject<'a> {
    config: &'a ReportingConfig,
    selector: &'a SelectorName,
    site: &'a str,
    row: &'a Row,
    evidence: &'a Evidence,
    /// Length of the report's period in days; at least one, so that a busy hour is not taken for
    /// a day.
    days: f64,
}

pub(crate) fn recommendations(config: &ReportingConfig, collected: &Collected) -> Recommendations {
    let span = collected
        .calendar_span()
        .map_or(0.0, |(first, last)| last.since(first).as_secs_f64() / SECONDS_A_DAY);
    let days = span.max(1.0);
    let mut cards: Vec<Recommendation> = Vec::new();
    let mut scarce: Vec<(u64, Scarce)> = Vec::new();
    let mut adopted = Vec::new();
    let (mut joint, mut variance, mut present) = (0.0, 0.0, 0.0);
    for (selector, site, row) in rows(collected) {
        let Some(evidence) = row.evidence.as_deref() else { continue };
        let subject = Subject { config, selector, site, row, evidence, days };
        present += evidence.time_ms() / days;
        let order = order::card(&subject);
        let cache = cache::card(&subject);
        let timeout = timeout::card(&subject);
        // Applied in turn: what comes out of the cache tries no strategies.
        let kept = 1.0 - cache.as_ref().and_then(|it| it.coverage).map_or(0.0, |it| it.share);
        for (card, factor) in [(&order, kept), (&cache, 1.0), (&timeout, kept)] {
            if let Some(saving) = card.as_ref().and_then(|it| it.saving_ms_per_day) {
                joint += saving.value * factor;
                variance += ((saving.high - saving.low) / 2.0 / Z_95 * factor).powi(2);
            }
        }
        if order.is_none() {
            scarce.extend(order::scarce(&subject).map(|it| (row.summary.operations(), it)));
        }
        cards.extend([order, cache, timeout].into_iter().flatten());
        cards.extend(brittle::card(&subject));
        cards.extend(threshold::cards(&subject));
        adopted.extend(adoption::adopted(&subject));
    }
    cards.sort_by(|a, b| {
        let saving = |it: &Recommendation| it.saving_ms_per_day.map_or(-1.0, |it| it.value);
        saving(b)
            .total_cmp(&saving(a))
            .then_with(|| (&a.selector, &a.site, a.kind).cmp(&(&b.selector, &b.site, b.kind)))
    });
    scarce.sort_by(|(a_n, a), (b_n, b)| {
        b_n.cmp(a_n).then_with(|| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)))
    });
    let saves = cards.iter().any(|it| it.saving_ms_per_day.is_some());
    let half = Z_95 * variance.sqrt();
    let (cards, cards_omitted) = cut(cards, config.max_recommendations);
    let (scarce, scarce_omitted) = cut(scarce, MAX_ROWS);
    let (adopted, _) = cut(adopted, MAX_ROWS);
    Recommendations {
        cards,
        cards_omitted,
        joint_ms_per_day: saves.then(|| estimate(joint, joint - half, joint + half)),
        joint_share: (saves && present > 0.0).then(|| rounded(joint / present, 6)),
        scarce: scarce.into_iter().map(|(_, it)| it).collect(),
        scarce_omitted,
        adopted,
    }
}

/// Rounded to a thousandth of a millisecond.
fn estimate(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value: rounded(value, 3), low: rounded(low, 3), high: rounded(high, 3) }
}

/// Rounded to a millionth.
fn share(value: f64, low: f64, high: f64) -> Estimate {
    Estimate { value: rounded(value, 6), low: rounded(low, 6), high: rounded(high, 6) }
}

/// How orders and timeouts are chosen, in words.
pub(crate) fn rules(config: &ReportingConfig) -> Vec<String> {
    vec![
        format!(
            "Recommended orders are chosen on the first two thirds of the period and estimated on \
             the last: the 99 % interval of the saving (jackknife over clusters) lies above 0, it \
             is at least 2 % of the time, at least 90 % of the operations tell what the order \
             would have done, and the success lost is at most {} at the upper end of its 90 % \
             interval. The estimate is drawn towards 0 as far as it is uncertain.",
            crate::text::percent(config.harm_margin)
        ),
        "Savings a day of a period shorter than a day are those of the period.".into(),
    ]
}

//! Results that are looked for again on a page that has not changed.

use super::{Subject, estimate};
use crate::rows::{rate, site_name};
use crate::text::{count, percent, rounded};
use telemetry_aggregation::{Z_95, wilson};
use telemetry_models::report::{Effort, Recommendation, RecommendationKind};

/// Fewest repeats, and their least share among the successes.
const MIN_REPEATS: u64 = 50;
const MIN_SHARE: f64 = 0.3;
/// Repeats may find another number of elements in at most this share.
const MAX_DIFFER: f64 = 0.001;

pub(super) fn card(subject: &Subject<'_>) -> Option<Recommendation> {
    let repeats = &subject.evidence.repeats;
    let successes = subject.row.summary.successes();
    let differ = wilson(repeats.differ, repeats.n, Z_95)?;
    if repeats.n < MIN_REPEATS
        || (repeats.n as f64) < MIN_SHARE * successes as f64
        || repeats.differ as f64 > MAX_DIFFER * repeats.n as f64
        || differ.high > 0.05
        || repeats.time_ns == 0
    {
        return None;
    }
    let interval = wilson(repeats.n, successes, Z_95)?;
    let mean = repeats.time_ns as f64 / 1e6 / repeats.n as f64;
    let a_day = |n: f64| n * mean / subject.days;
    let saving = a_day(repeats.n as f64);
    let time = subject.evidence.time_ms() / subject.days;
    Some(Recommendation {
        kind: RecommendationKind::CacheResult,
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        change: "Keep the result while the page stays.".into(),
        why: format!(
            "{} of {} successes looked for the same on the same page within a minute; {} found \
             another number of elements.",
            count(repeats.n),
            count(successes),
            percent(repeats.differ as f64 / repeats.n as f64),
        ),
        saving_ms_per_day: Some(estimate(
            saving,
            a_day(interval.low * successes as f64),
            a_day(interval.high * successes as f64),
        )),
        saving_share: (time > 0.0).then(|| rounded((saving / time).min(1.0), 6)),
        coverage: rate(repeats.n, successes),
        n: successes,
        success_effect: None,
        effort: Effort::Medium,
        evidence: repeats.events.clone(),
        diff: vec![
            "- resolve the selector again".into(),
            "+ resolve the selector once per page and keep the element".into(),
        ],
        undo: "Resolve the selector each time again.".into(),
        order: Vec::new(),
    })
}

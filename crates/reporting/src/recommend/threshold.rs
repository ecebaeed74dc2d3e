//! Whether confidence is trusted too much or too little, by results that were checked.

use super::{Subject, share};
use crate::rows::{rate, site_name};
use crate::text::{count, percent};
use telemetry_aggregation::{Z_95, wilson};
use telemetry_models::report::{Effort, Recommendation, RecommendationKind};

/// Fewest checked results on one side of a threshold.
const MIN_CHECKED: u64 = 50;
/// Matches that are right less often than this should not be trusted, at the upper end of the 95 %
/// interval.
const TOO_BAD: f64 = 0.9;
/// Matches that are right at least this often may be trusted, at the lower end.
const GOOD: f64 = 0.95;

pub(super) fn cards(subject: &Subject<'_>) -> Vec<Recommendation> {
    raise(subject).into_iter().chain(lower(subject)).collect()
}

/// The highest tenth up to which trusted matches are too often wrong.
fn raise(subject: &Subject<'_>) -> Option<Recommendation> {
    let checked = &subject.evidence.checked;
    let below = |tenth: usize| sum(&checked[..=tenth]);
    let tenth = (0..9).rev().find(|tenth| {
        let (right, n) = checked[*tenth];
        let all = below(*tenth);
        n > 0
            && all.1 >= MIN_CHECKED
            && wilson(all.0, all.1, Z_95).is_some_and(|it| it.high < TOO_BAD)
            && right as f64 <= TOO_BAD * n as f64
    })?;
    let (right, n) = below(tenth);
    let rest = sum(&checked[tenth + 1..]);
    let threshold = (tenth + 1) as f64 / 10.0;
    let gone = n as f64 / (n + rest.1).max(1) as f64;
    Some(card(
        subject,
        RecommendationKind::RaiseThreshold,
        format!("Do not trust matches with a confidence below {threshold:.1}."),
        (right, n),
        n + rest.1,
        (-gone, threshold),
    ))
}

/// The lowest tenth from which results that were not trusted are right.
fn lower(subject: &Subject<'_>) -> Option<Recommendation> {
    let doubted = &subject.evidence.doubted;
    let tenth = (0..10).find(|tenth| {
        let (right, n) = sum(&doubted[*tenth..]);
        n >= MIN_CHECKED && wilson(right, n, Z_95).is_some_and(|it| it.low >= GOOD)
    })?;
    let (right, n) = sum(&doubted[tenth..]);
    let threshold = tenth as f64 / 10.0;
    let verdicts = subject.row.summary.verdicts();
    Some(card(
        subject,
        RecommendationKind::LowerThreshold,
        format!("Trust matches with a confidence of {threshold:.1} and more."),
        (right, n),
        verdicts,
        (n as f64 / verdicts.max(1) as f64, threshold),
    ))
}

fn card(
    subject: &Subject<'_>,
    kind: RecommendationKind,
    change: String,
    (right, n): (u64, u64),
    of: u64,
    (effect, threshold): (f64, f64),
) -> Recommendation {
    let interval = wilson(n, of.max(n), Z_95);
    let (low, high) = interval.map_or((0.0, 1.0), |it| (it.low, it.high));
    let effect = if effect < 0.0 { share(effect, -high, -low) } else { share(effect, low, high) };
    Recommendation {
        kind,
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        change,
        why: format!(
            "Of {} checked results with such a confidence {} were right.",
            count(n),
            percent(right as f64 / n.max(1) as f64)
        ),
        saving_ms_per_day: None,
        saving_share: None,
        coverage: rate(n, of.max(n)),
        n,
        success_effect: Some(effect),
        effort: Effort::Low,
        evidence: subject.row.course.recent_faults.iter().take(3).cloned().collect(),
        diff: vec!["- threshold as it is".into(), format!("+ threshold = {threshold:.1}")],
        undo: "Set the threshold back to what it was.".into(),
        order: Vec::new(),
    }
}

fn sum(counts: &[(u64, u64)]) -> (u64, u64) {
    counts.iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
}

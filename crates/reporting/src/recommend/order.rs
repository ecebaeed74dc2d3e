//! The order of strategies.

use super::{Subject, estimate, share};
use crate::rows::{rate, site_name, strategy_text};
use crate::text::{count, percent, rounded};
use telemetry_aggregation::{OrderEstimate, Part, StrategyKey, Z_95};
use telemetry_models::report::{Effort, Recommendation, RecommendationKind, Scarce};

/// Fewest operations of the part that orders are held against.
const MIN_OPERATIONS: u64 = 100;
/// Smallest saving, as a share of the time of the tries.
const MIN_SAVING: f64 = 0.02;
/// Least share of operations that tell what the order would have done.
const MIN_COVERAGE: f64 = 0.9;
/// One-sided 90 % for the loss of success: its prior is small, most strategies find the same element.
const Z_LOST: f64 = 1.281_551_565_545;
/// A first strategy that matches less often than this is dead.
const DEAD: f64 = 0.05;
/// Fewest operations in which a strategy never matched before it is dropped.
const MIN_IDLE: u64 = 1_500;

pub(super) fn card(subject: &Subject<'_>) -> Option<Recommendation> {
    let evidence = &subject.evidence.order;
    if evidence.operations(Part::Select) < MIN_OPERATIONS || evidence.strategies().len() < 2 {
        return None;
    }
    let present = evidence.present_order();
    let mut order = evidence.best_order(Part::Fit);
    // What never matches costs time only in operations that fail, if it stands last.
    let idle: Vec<usize> = evidence
        .without_match()
        .into_iter()
        .filter(|(at, n)| *n >= MIN_IDLE && order.len() > 1 && present.contains(at))
        .map(|(at, _)| at)
        .collect();
    if idle.len() < order.len() {
        order.retain(|at| !idle.contains(at));
    }
    if order == present {
        return None;
    }
    let found = evidence.estimate(&order, Part::Select).filter(|it| is_sure(subject, it))?;
    let strategies = evidence.strategies();
    let kind = kind(subject, &present, &order);
    let saving = found.shrunk_ns() / 1e6;
    let (low, high) = found.interval_ns();
    let verdicts = subject.row.summary.verdicts() as f64 / subject.days;
    // Drawn towards 0 as a whole.
    let factor = found.shrunk_ns() / found.saving_ns;
    Some(Recommendation {
        kind,
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        change: change(kind, strategies, &present, &order),
        why: format!(
            "Replayed on the latest {} operations: {} of the time of the tries.",
            count(found.n),
            percent((found.saving_ns / found.present_ns).clamp(0.0, 1.0)),
        ),
        saving_ms_per_day: Some(estimate(
            saving * verdicts,
            low / 1e6 * verdicts * factor,
            high / 1e6 * verdicts * factor,
        )),
        saving_share: Some(rounded(found.shrunk_ns() / found.present_ns, 6)),
        coverage: rate(found.covered, found.n),
        n: found.n,
        success_effect: Some(share(-found.lost, -found.lost_high(Z_95), 0.0)),
        effort: Effort::Low,
        evidence: subject.row.course.recent_fallbacks.iter().cloned().collect(),
        diff: diff(strategies, &present, &order),
        undo: "Put the strategies back in the order of the lines that begin with -; the selector \
               keeps its name and its history."
            .into(),
        order: order.iter().map(|at| strategy_text(&strategies[*at])).collect(),
    })
}

/// What is not known, where another order might save something.
pub(super) fn scarce(subject: &Subject<'_>) -> Option<Scarce> {
    let evidence = &subject.evidence.order;
    let summary = &subject.row.summary;
    let fallbacks = summary.fallbacks() as f64 / summary.depths_known().max(1) as f64;
    if evidence.strategies().len() < 2 || fallbacks < MIN_SAVING {
        return None;
    }
    let n = evidence.operations(Part::Select);
    let (unknown, learn) = if n < MIN_OPERATIONS {
        (
            format!("Only {} operations lie in the later part of the period.", count(n)),
            "Choose a longer period with --since, or wait.".to_owned(),
        )
    } else {
        let order = evidence.best_order(Part::Fit);
        let found = evidence.estimate(&order, Part::Select)?;
        let coverage = found.covered as f64 / found.n as f64;
        if order == evidence.present_order() || coverage >= MIN_COVERAGE {
            return None;
        }
        (
            format!(
                "What the other strategies would have done is known of {} of the operations.",
                percent(coverage)
            ),
            "Enable 2 % shadow probes (ShadowProbes::at(0.02) of telemetry-integration): after a \
             success they try the other strategies too."
                .to_owned(),
        )
    };
    Some(Scarce {
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        unknown,
        learn,
    })
}

fn is_sure(subject: &Subject<'_>, it: &OrderEstimate) -> bool {
    it.surely_ns() > 0.0
        && it.saving_ns >= MIN_SAVING * it.present_ns
        && it.covered as f64 >= MIN_COVERAGE * it.n as f64
        && it.lost_high(Z_LOST) <= subject.config.harm_margin
}

fn kind(subject: &Subject<'_>, present: &[usize], order: &[usize]) -> RecommendationKind {
    let strategies = subject.evidence.order.strategies();
    let first =
        subject.row.summary.strategies.iter().find(|(key, _)| **key == strategies[present[0]]);
    let dead = first.is_some_and(|(_, it)| (it.accepted as f64) < DEAD * it.tried as f64);
    if order.len() < present.len() {
        RecommendationKind::PruneStrategy
    } else if dead && order[0] != present[0] {
        RecommendationKind::PromoteFallback
    } else {
        RecommendationKind::ReorderStrategies
    }
}

fn words(strategies: &[StrategyKey], at: usize) -> String {
    let (kind, text) = &strategies[at];
    text.as_ref().map_or_else(|| kind.to_string(), |text| format!("{kind} {text}"))
}

fn change(
    kind: RecommendationKind,
    strategies: &[StrategyKey],
    present: &[usize],
    order: &[usize],
) -> String {
    match kind {
        RecommendationKind::PruneStrategy => {
            let gone: Vec<String> = present
                .iter()
                .filter(|at| !order.contains(at))
                .map(|at| words(strategies, *at))
                .collect();
            format!("Drop {}: it never matched.", gone.join(" and "))
        }
        RecommendationKind::PromoteFallback => {
            format!("Put {} first: it finds the element now.", words(strategies, order[0]))
        }
        _ => {
            let list: Vec<String> = order.iter().map(|at| words(strategies, *at)).collect();
            format!("Try the strategies in this order: {}.", list.join(", then "))
        }
    }
}

fn diff(strategies: &[StrategyKey], present: &[usize], order: &[usize]) -> Vec<String> {
    let lines = |sign: char, list: &[usize]| -> Vec<String> {
        let line = |(place, at): (usize, &usize)| {
            format!("{sign} {}. {}", place + 1, words(strategies, *at))
        };
        list.iter().enumerate().map(line).collect()
    };
    [lines('-', present), lines('+', order)].concat()
}

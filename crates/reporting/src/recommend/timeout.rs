//! How long to wait.

use super::{Subject, estimate, share};
use crate::rows::{ms, rate, site_name};
use crate::text::{count, millis, percent, rounded};
use telemetry_aggregation::{Z_95, wait_plan, wilson};
use telemetry_models::report::{Effort, Recommendation, RecommendationKind};

pub(super) fn card(subject: &Subject<'_>) -> Option<Recommendation> {
    let evidence = subject.evidence;
    let durations = &subject.row.summary.durations;
    let plan = wait_plan(
        durations,
        &evidence.timeouts,
        &evidence.cancelled,
        subject.config.harm_margin / 2.0,
    )?;
    let each = ms(plan.present) - ms(plan.limit);
    let a_day = |timeouts: f64| timeouts * each / subject.days;
    let n = plan.n as f64;
    let interval = wilson(plan.timeouts, plan.n, Z_95)?;
    let (present, limit) = (millis(ms(plan.present)), millis(ms(plan.limit)));
    let saving = a_day(plan.timeouts as f64);
    let time = evidence.time_ms() / subject.days;
    Some(Recommendation {
        kind: RecommendationKind::SetTimeout,
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        change: format!("Wait {limit} instead of {present}."),
        why: format!(
            "{} operations waited {present} for nothing; {} succeed within {}.",
            count(plan.timeouts),
            percent(1.0 - plan.lost),
            limit,
        ),
        saving_ms_per_day: Some(estimate(
            saving,
            a_day(interval.low * n),
            a_day(interval.high * n),
        )),
        saving_share: (time > 0.0).then(|| rounded((saving / time).min(1.0), 6)),
        coverage: rate(plan.n, plan.n),
        n: plan.n,
        success_effect: Some(share(-plan.lost, -plan.lost_high, 0.0)),
        effort: Effort::Low,
        evidence: evidence.timeout_events.clone(),
        diff: vec![format!("- timeout = {present}"), format!("+ timeout = {limit}")],
        undo: format!("Set the timeout back to {present}."),
        order: Vec::new(),
    })
}

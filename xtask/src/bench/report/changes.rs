//! Fleets whose two periods are alike, and fleets in which every selector's p95 rose by a tenth at a
//! known moment, through the report that a user would make.

use crate::bench::figures::{Bar, Figures, Table};
use anyhow::{Context, Result};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::interfaces::{EventStore, MemoryStore, Query};
use telemetry_runtime::models::report::{ChangeState, PeriodComparison};
use telemetry_runtime::models::{
    Event, EventId, OperationKind, Outcome, PageContext, RunId, SelectorName, Signal, Timestamp,
};
use telemetry_runtime::reporting::{Baseline, ReportBuilder, ReportRequest, ReportingConfig};

const FLEETS: u64 = 100;
const SELECTORS: u32 = 40;
/// Operations of a selector in each of the two weeks.
const OPERATIONS: u32 = 2_500;
const HOUR_MS: i64 = 3_600_000;
const WEEK_MS: i64 = 168 * HOUR_MS;
const START_MS: i64 = 1_767_225_600_000;
const SLOWER: f64 = 1.1;
/// A step of a timeline of two weeks.
const STEP_MS: u64 = 32_768_000;
/// The bucket of a report's trends, and of the rollups it is made of.
const DAY_MS: u64 = 24 * HOUR_MS as u64;

pub(super) fn measure(figures: &mut Figures) -> Result<()> {
    let (mut rows, mut false_rows, mut false_fleets) = (0u64, 0u64, 0u64);
    for seed in 0..FLEETS {
        let found = compared(71_000 + seed, None)?;
        let changed = found.worse + found.better;
        rows += u64::from(SELECTORS);
        false_rows += changed;
        false_fleets += u64::from(changed > 0);
    }
    let (mut slower, mut detected, mut dated) = (0u64, 0u64, 0u64);
    let (mut in_a_step, mut in_a_day) = (0u64, 0u64);
    let mut widths = Vec::new();
    for seed in 0..FLEETS / 4 {
        let mut rng = Rng::with_seed(73_000 + seed);
        let at_ms = START_MS + WEEK_MS + rng.i64(0..WEEK_MS / 2);
        let found = compared(72_000 + seed, Some(at_ms))?;
        slower += u64::from(SELECTORS);
        for row in &found.rows {
            let p95 = row
                .signals
                .iter()
                .find(|it| it.signal == Signal::DurationMs && it.quantile.is_some_and(|q| q > 0.9));
            if row.state != ChangeState::Worse || !p95.is_some_and(|it| it.changed) {
                continue;
            }
            detected += 1;
            if let (Some(since), Some(within)) = (row.since, row.since_within_s) {
                let off_ms = (since.as_millis() - at_ms).unsigned_abs();
                dated += u64::from(off_ms <= within * 1_000);
                in_a_step += u64::from(off_ms <= STEP_MS);
                in_a_day += u64::from(off_ms <= DAY_MS);
                widths.push(within as f64 / 3_600.0);
            }
        }
    }
    let percent = |count: u64, n: u64| 100.0 * count as f64 / n.max(1) as f64;
    let mut table = Table::new(
        "two weeks of 2,500 operations a selector",
        &["fleets", "selectors", "called changed", "fleets with any"],
    );
    table.rows.push(vec![
        format!("{FLEETS} alike"),
        rows.to_string(),
        false_rows.to_string(),
        false_fleets.to_string(),
    ]);
    table.rows.push(vec![
        format!("{} slower by a tenth", FLEETS / 4),
        slower.to_string(),
        detected.to_string(),
        String::new(),
    ]);
    figures.tables.push(table);
    widths.sort_by(f64::total_cmp);
    figures.notes.push(format!(
        "a change is dated to within {:.1} h (median; 90 %: {:.1} h)",
        widths.get(widths.len() / 2).copied().unwrap_or_default(),
        widths.get(widths.len() * 9 / 10).copied().unwrap_or_default(),
    ));
    figures.bars.push(Bar::at_most(
        "A/A fleets with any selector called changed",
        percent(false_fleets, FLEETS),
        5.0,
        "%",
    ));
    figures.bars.push(Bar::at_most(
        "A/A selectors called changed",
        percent(false_rows, rows),
        5.0,
        "%",
    ));
    figures.bars.push(Bar::at_least(
        "10 % regression of p95 found",
        percent(detected, slower),
        95.0,
        "%",
    ));
    figures.bars.push(Bar::at_least(
        "of those, dated within 9.1 h, a step of the timeline",
        percent(in_a_step, detected),
        95.0,
        "%",
    ));
    figures.bars.push(Bar::at_least(
        "of those, dated within a day, the bucket of trends and rollups",
        percent(in_a_day, detected),
        95.0,
        "%",
    ));
    figures.bars.push(Bar::at_least(
        "of those, dated within the time told",
        percent(dated, detected),
        95.0,
        "%",
    ));
    Ok(())
}

/// Two weeks of a fleet, compared as `report --compare` does. With a moment, everything is slower
/// by a tenth from then on; the later period then begins there.
fn compared(seed: u64, slower_from_ms: Option<i64>) -> Result<PeriodComparison> {
    let store = MemoryStore::new();
    let mut rng = Rng::with_seed(seed);
    let mut events = Vec::new();
    for selector in 0..SELECTORS {
        events.extend(selector_events(&mut rng, selector, slower_from_ms)?);
    }
    events.sort_by_key(|event| event.timestamp);
    store.append(&events)?;
    let at = Timestamp::from_millis;
    let middle = slower_from_ms.unwrap_or(START_MS + WEEK_MS);
    let request = ReportRequest {
        query: Query {
            from: Some(at(middle)),
            to: Some(at(START_MS + 2 * WEEK_MS)),
            ..Query::all()
        },
        now: at(START_MS + 2 * WEEK_MS),
        compare: Some(Baseline {
            query: Query { from: Some(at(START_MS)), to: Some(at(middle)), ..Query::all() },
            words: "before".into(),
        }),
        ..ReportRequest::default()
    };
    let report =
        ReportBuilder::new(ReportingConfig::default())?.build(&store, &request, &mut |_| {})?;
    report.comparison.context("nothing was compared")
}

/// Each page has a factor of its own, and so has each hour: operations are not independent.
fn selector_events(
    rng: &mut Rng,
    selector: u32,
    slower_from_ms: Option<i64>,
) -> Result<Vec<Event>> {
    let name = SelectorName::new(format!("site{}.field{selector}", selector % 5))?;
    let base = 4.0 * 2f64.powf(rng.f64() * 5.0);
    let spread = 0.15 + 0.25 * rng.f64();
    let pages: Vec<(Arc<PageContext>, f64)> = (0..250)
        .map(|page| {
            let url = format!("https://site{}.example/{page}", selector % 5);
            (Arc::new(PageContext::at(&url)), (0.1 * normal(rng)).exp())
        })
        .collect();
    let run = RunId::new("bench")?;
    let mut events = Vec::with_capacity(2 * OPERATIONS as usize);
    for _ in 0..2 * OPERATIONS / 10 {
        let (page, own) = &pages[rng.usize(0..pages.len())];
        let begin = START_MS + rng.i64(0..2 * WEEK_MS);
        let visit = (0.05 * normal(rng)).exp();
        for at in 0..10 {
            let time = begin + at * 400;
            let slower = if slower_from_ms.is_some_and(|from| time >= from) { SLOWER } else { 1.0 };
            let ms = base * own * visit * slower * (spread * normal(rng)).exp();
            let failed = rng.f64() < 0.01;
            let mut event = Event::new(
                EventId::from_u128(rng.u128(..)),
                name.clone(),
                Timestamp::from_millis(time),
                OperationKind::Resolution,
                if failed { Outcome::NotFound } else { Outcome::Success },
            );
            event.page = Some(Arc::clone(page));
            event.run = Some(run.clone());
            event.timing.total = Some(Duration::from_secs_f64(ms / 1e3));
            events.push(event);
        }
    }
    Ok(events)
}

/// Box and Muller's.
pub(super) fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * rng.f64().max(f64::MIN_POSITIVE).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

//! A report without reading every event: whole days from rollups, the rest from events.

use crate::builder::ReportRequest;
use crate::collect::{Collected, Row};
use std::collections::BTreeSet;
use telemetry_aggregation::SelectorSummary;
use telemetry_interfaces::{EventStore, Query, Result, RollupQuery};
use telemetry_models::Timestamp;
use telemetry_models::report::ReportKind;
use telemetry_models::rollup::{Rollup, RollupPeriod};

/// Where a report comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Source {
    /// Rollups where they suffice and are kept, otherwise events.
    #[default]
    Auto,
    /// Events alone.
    Events,
    /// Rollups for whole days that have them, events for the rest. What only events tell is then
    /// told of those alone: comparisons, recommendations, flakiness, examples, contexts.
    Rollups,
}

/// Whether rollups are to be used.
pub(crate) fn wanted(store: &dyn EventStore, request: &ReportRequest<'_>) -> bool {
    let query = &request.query;
    let plain = query.outcomes.is_empty()
        && query.strategy.is_none()
        && query.correlation.is_none()
        && query.event.is_none()
        && query.run.is_none();
    let suffices = plain && request.compare.is_none() && store.rollups().is_some();
    match request.source {
        Source::Events => false,
        Source::Rollups => suffices,
        // What these say is all in rollups.
        Source::Auto => {
            suffices && matches!(request.kind, ReportKind::Performance | ReportKind::Trends)
        }
    }
}

/// Reads whole days from rollups; the parts of the query that are left to read from events.
///
/// # Errors
/// When rollups cannot be read at all.
pub(crate) fn read(
    store: &dyn EventStore,
    request: &ReportRequest<'_>,
    collected: &mut Collected,
    max_rows: usize,
) -> Result<Vec<Query>> {
    let all = request.query.clone();
    let Some(rollups) = store.rollups() else { return Ok(vec![all]) };
    let stats = store.stats()?;
    let (Some(first), Some(last)) = (stats.first, stats.last) else { return Ok(vec![all]) };
    // A day counts when the period holds all of it.
    let day = RollupPeriod::Day;
    let from = all.from.unwrap_or(day.start_of(first));
    let from = if day.is_start(from) { from } else { day.end_of(from) };
    let to = all.to.unwrap_or(day.end_of(last)).min(day.end_of(last));
    let to = day.start_of(to);
    if from >= to {
        return Ok(vec![all]);
    }
    // Hours, where the period is short, so that its course can be seen.
    let days = to.since(from).as_secs() / 86_400;
    let period = if days <= HOURLY_DAYS { RollupPeriod::Hour } else { day };
    let answer = rollups.query_rollups(&RollupQuery {
        period,
        selector: all.selector.clone(),
        site: all.site.clone(),
        from: Some(from),
        to: Some(to),
    })?;
    let stale: BTreeSet<Timestamp> = answer.stale_days.iter().copied().collect();
    for item in answer.rollups {
        match item {
            Ok(rollup) if stale.contains(&day.start_of(rollup.start)) => {}
            Ok(rollup) => collected.add_rollup(&rollup, max_rows),
            Err(error) => collected.damaged(&error),
        }
    }
    let mut rest: Vec<Query> = stale
        .iter()
        .filter(|start| **start >= from && **start < to)
        .map(|start| Query { from: Some(*start), to: Some(day.end_of(*start)), ..all.clone() })
        .collect();
    if all.from.is_none_or(|begin| begin < from) {
        rest.push(Query { to: Some(from), ..all.clone() });
    }
    if all.to.is_none_or(|end| end > to) {
        rest.push(Query { from: Some(to), ..all });
    }
    rest.sort_by_key(|query| query.from);
    Ok(rest)
}

/// Days up to which hours are read instead of days.
const HOURLY_DAYS: u64 = 3;

impl Collected {
    fn add_rollup(&mut self, rollup: &Rollup, max_rows: usize) {
        let figures = &rollup.figures;
        self.quality.events += figures.operations();
        self.quality.rolled_up += figures.operations();
        let bucket = telemetry_aggregation::bucket_of(figures);
        self.calendar.add_bucket(rollup.start, &bucket);
        if rollup.period == RollupPeriod::Hour {
            let hour = rollup.start.as_nanos().div_euclid(3_600_000_000_000).rem_euclid(24);
            self.hours[hour as usize] += figures.operations();
        }
        let site = rollup.site.as_deref().unwrap_or_default();
        match self.row_of(&rollup.selector, site, max_rows) {
            Some(row) => row.add_rollup(rollup, &bucket),
            None => {
                self.quality.untracked += figures.operations();
                self.untracked.merge_rollup(rollup);
            }
        }
    }
}

impl Row {
    fn add_rollup(&mut self, rollup: &Rollup, bucket: &telemetry_aggregation::Bucket) {
        let summary: &mut SelectorSummary = &mut self.summary;
        summary.merge_rollup(rollup);
        self.calendar.add_bucket(rollup.start, bucket);
        self.course.after_rollup(bucket);
    }
}

//! Holds rollups against the events that the store has.

use std::collections::BTreeSet;
use telemetry_aggregation::{RollupBuilder, coarsened};
use telemetry_interfaces::{RollupQuery, RollupStore};
use telemetry_models::rollup::{Rollup, RollupPeriod};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::Store;

/// What a crash left of the rollups is right for every day that is not said to be stale; brought up
/// to date, all of them are.
pub(super) fn check(store: &dyn Store, events: &[Event]) -> Result<(), String> {
    let Some(rollups) = store.rollups() else { return Ok(()) };
    compare(rollups, events).map_err(|what| format!("after recovery {what}"))?;
    rollups.roll_up(&mut |_, _| {}).map_err(|error| format!("it does not roll up: {error}"))?;
    let stale = compare(rollups, events).map_err(|what| format!("once up to date {what}"))?;
    if stale.is_empty() { Ok(()) } else { Err(format!("days stay stale: {stale:?}")) }
}

/// Gives the stale days.
fn compare(rollups: &dyn RollupStore, events: &[Event]) -> Result<BTreeSet<Timestamp>, String> {
    let mut all_stale = BTreeSet::new();
    for period in RollupPeriod::ALL {
        let answer = rollups
            .query_rollups(&RollupQuery::all(*period))
            .map_err(|error| format!("the rollups cannot be read: {error}"))?;
        let stale: BTreeSet<Timestamp> = answer.stale_days.into_iter().collect();
        let rows: Result<Vec<Rollup>, _> = answer.rollups.collect();
        let rows = rows.map_err(|error| format!("a rollup cannot be read: {error}"))?;
        // A period counts when no day in it is stale, and it is in none.
        let counts = |row: &Rollup| {
            let end = period.end_of(row.start);
            let day = RollupPeriod::Day.start_of(row.start);
            !stale.iter().any(|it| *it == day || row.start <= *it && *it < end)
        };
        let mut builder = RollupBuilder::new(*period);
        events.iter().for_each(|event| builder.add(event));
        let mut expected = builder.finish();
        let mut found = coarsened(&rows, *period);
        expected.retain(counts);
        found.retain(counts);
        if rows.len() != coarsened(&rows, *period).len() {
            return Err(format!("a rollup of a {period} is there twice"));
        }
        if found != expected {
            let (found, expected) = (found.len(), expected.len());
            return Err(format!(
                "the rollups by {period} are wrong ({found} rows, expected {expected}; stale: \
                 {stale:?})"
            ));
        }
        all_stale.extend(stale);
    }
    Ok(all_stale)
}

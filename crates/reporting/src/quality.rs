//! How far the data behind a report can be trusted.

use crate::builder::ReportRequest;
use crate::collect::Collected;
use std::collections::BTreeMap;
use telemetry_interfaces::{Ledger, Result};
use telemetry_models::report::{DataQuality, DroppedEvents, MissingField};

pub(crate) fn data_quality(
    request: &ReportRequest<'_>,
    collected: &Collected,
    ledgers: Result<Vec<Ledger>>,
) -> DataQuality {
    let quality = &collected.quality;
    let (ledgers, unreadable) = match ledgers {
        Ok(ledgers) => (ledgers, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    // A ledger tells of everything up to its time, so an earlier one tells nothing of the period.
    let ledgers: Vec<_> = ledgers
        .into_iter()
        .filter(|ledger| request.query.from.is_none_or(|from| ledger.at >= from))
        .filter(|ledger| request.query.run.is_none() || ledger.run == request.query.run)
        .collect();
    let mut dropped = BTreeMap::<String, u64>::new();
    for (reason, count) in ledgers.iter().flat_map(|ledger| &ledger.dropped) {
        let reason = serde_json::to_value(reason).ok();
        let reason = reason.as_ref().and_then(|it| it.as_str()).unwrap_or("unknown");
        *dropped.entry(reason.to_owned()).or_default() += count;
    }
    let mut dropped: Vec<DroppedEvents> = dropped
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(reason, count)| DroppedEvents { reason, count })
        .collect();
    dropped.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.reason.cmp(&b.reason)));
    DataQuality {
        events_read: quality.events,
        damaged_places: quality.damaged,
        damage: quality.damage.clone(),
        contradictory: quality.contradictory,
        future_timestamps: quality.future,
        untracked_events: quality.untracked,
        ledgers: ledgers.len() as u64,
        recorded: ledgers.iter().map(|ledger| ledger.recorded).sum(),
        unsettled: ledgers.iter().map(|ledger| ledger.spooled + ledger.in_flight).sum(),
        dropped,
        ledgers_unreadable: unreadable,
        alerts_unreadable: None,
        missing: quality
            .fields
            .iter()
            .filter(|(_, (missing, _))| *missing > 0)
            .map(|(field, (missing, n))| MissingField {
                field: (*field).to_owned(),
                missing: *missing,
                n: *n,
            })
            .collect(),
    }
}

//! How far the data behind a report can be trusted.

use crate::builder::ReportRequest;
use crate::collect::Collected;
use crate::text::{count, counted, percent};
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
    let mut report = DataQuality {
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
            .fields()
            .into_iter()
            .filter(|(_, missing, _)| *missing > 0)
            .map(|(field, missing, n)| MissingField { field: field.to_owned(), missing, n })
            .collect(),
        duplicates: collected.streams.duplicates,
        sequenced: collected.streams.sequenced,
        disordered_streams: collected.streams.disordered(),
        streams: collected.streams.len(),
        censored: quality.censored,
        rolled_up: quality.rolled_up,
        weakens: Vec::new(),
    };
    report.weakens = weakened(&report);
    report
}

/// Which conclusions the state of the data weakens.
fn weakened(quality: &DataQuality) -> Vec<String> {
    let n = quality.events_read;
    let of_all = |count: u64| percent(if n > 0 { count as f64 / n as f64 } else { 0.0 });
    let dropped = |reason: &str| {
        quality.dropped.iter().filter(|it| it.reason == reason).map(|it| it.count).sum::<u64>()
    };
    let sampled = dropped("sampled");
    let lost = quality.dropped_total() - sampled;
    let missing = |field: &str| quality.missing.iter().find(|it| it.field == field);
    let most = |field: &str| missing(field).is_some_and(|it| it.missing * 10 > it.n);
    let mut words = Vec::new();
    let mut say = |true_of_it: bool, text: String| {
        if true_of_it {
            words.push(text);
        }
    };
    say(
        quality.rolled_up > 0,
        format!(
            "{} were counted by rollups: examples, contexts and dates within a day come from the \
             others alone.",
            counted(quality.rolled_up, "event")
        ),
    );
    say(
        lost > 0,
        format!("{} given up by recorders: counts are too low.", counted(lost, "operation")),
    );
    say(
        sampled > 0,
        format!(
            "{} left out by sampling, successes first: success rates are too low.",
            counted(sampled, "operation")
        ),
    );
    say(
        quality.damaged_places > 0,
        "Damaged places hold an unknown number of events: counts are too low.".into(),
    );
    say(
        quality.duplicates > 0,
        format!(
            "{} read twice ({} of all): counts are too high, intervals too narrow.",
            counted(quality.duplicates, "event"),
            of_all(quality.duplicates)
        ),
    );
    say(
        quality.disordered_streams > 0,
        format!(
            "Sequence and clock of {} of {} contradict each other: dates of changes may be off.",
            count(quality.disordered_streams),
            counted(quality.streams, "recorder")
        ),
    );
    say(
        quality.future_timestamps > 0,
        format!(
            "{} from a clock that is ahead: on no time line and in no trend.",
            counted(quality.future_timestamps, "event")
        ),
    );
    say(
        quality.censored > 0,
        format!(
            "{} ended at a timeout: how long they would have taken is not known, and quantiles \
             speak of successes only.",
            counted(quality.censored, "operation")
        ),
    );
    say(
        most("context_data.page_url"),
        "Many events lack a URL: sites, flakiness and comparisons rest on the others.".into(),
    );
    say(
        most("run_id"),
        "Many events lack a run: comparisons take their operations for one run, and duplicates \
         cannot be told."
            .into(),
    );
    say(
        most("attempts"),
        "Many events lack attempts: fallbacks and strategies rest on the others.".into(),
    );
    say(
        most("performance_metrics.total_duration_ms"),
        "Many events lack a duration: times rest on the others.".into(),
    );
    words
}

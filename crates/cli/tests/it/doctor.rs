use crate::setup::{Place, events, ledger};
use serde_json::Value;
use telemetry_runtime::interfaces::DropReason;
use telemetry_runtime::storage::Backend;

#[test]
fn everything_in_order() {
    let place = Place::with_store();
    place.run_reading(&["doctor"]).code(0).shows(&[
        "ok    configuration",
        "ok    store",
        "ok    integrity",
        "ok    newest event",
        "16 recorded = 16 stored + 0 spooled + 0 in flight + 0 dropped",
        "Everything is in order.",
    ]);
    let ran = place.run_reading(&["doctor", "--json"]).code(0);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["status"], "ok");
    assert_eq!(told["checks"][0]["name"], "configuration");
}

#[test]
fn losses_are_warnings_with_a_reason() {
    let place = Place::with_store();
    let store = place.open(Backend::Segment);
    let mut losing = ledger(20);
    losing.stored = 16;
    losing.in_flight = 1;
    losing.dropped.insert(DropReason::QueueFull, 3);
    store.append_ledger(&losing).unwrap();
    store.close().unwrap();
    place.run_reading(&["doctor"]).code(0).shows(&[
        "20 recorded = 16 stored + 0 spooled + 1 in flight + 3 dropped",
        "warn  losses",
        "3 dropped (queue_full), 1 in flight",
        "-> queue_full: raise collector.queue_events",
    ]);
    let store = place.open(Backend::Segment);
    losing.recorded = 21;
    store.append_ledger(&losing).unwrap();
    store.close().unwrap();
    place.run_reading(&["doctor"]).code(1).shows(&["fail  ledgers", "does not add up"]);
}

#[test]
fn a_writer_at_work_is_named() {
    let place = Place::with_store();
    let store = place.open(Backend::Segment);
    let holder = format!("process {} writes to the store now", std::process::id());
    place.run(&["doctor"]).code(0).shows(&["ok    writer", &holder]);
    store.append(&events()).unwrap();
    place.run(&["query"]).code(0);
    store.close().unwrap();
}

#[test]
fn text_is_not_said_to_have_checksums() {
    let place = Place::new();
    place.fill(Backend::Json, &events());
    let ran = place.run_reading(&["doctor"]).code(0).shows(&["every line of 1 file is an event"]);
    assert!(ran.out.contains("text has no checksums"), "{}", ran.out);
}

#[test]
fn a_missing_store_fails() {
    let place = Place::new();
    place.run_reading(&["doctor"]).code(1).shows(&["fail  store", "TEL-001", "-> "]);
}

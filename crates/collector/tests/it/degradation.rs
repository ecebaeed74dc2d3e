use crate::support::{Flaky, LIMIT, definition};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    Code, DropReason, EventSink, EventStore, HealthStatus, OperationObserver, SelectorObserver,
};
use telemetry_models::{OperationKind, Outcome, Timestamp};
use telemetry_testkit::ManualClock;

fn start(backlog_events: usize) -> (Arc<Flaky>, Collector, telemetry_interfaces::SelectorHandle) {
    let store = Arc::new(Flaky::default());
    let config = CollectorConfig { backlog_events, batch_events: 10, ..CollectorConfig::default() };
    let collector = Collector::builder(config).start(store.clone()).unwrap();
    let selector = collector.selector(&definition("a", &[]));
    (store, collector, selector)
}

#[test]
fn events_wait_for_the_store_and_arrive_in_order_once() {
    let (store, collector, selector) = start(1_000);
    store.down.store(true, Ordering::SeqCst);
    for _ in 0..95 {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::Success);
    }
    assert!(!collector.flush(LIMIT).complete);
    let ledger = collector.ledger();
    assert_eq!((ledger.spooled, ledger.stored, ledger.balances()), (95, 0, true));
    let health = collector.health();
    assert_eq!(
        (health.status, health.code),
        (HealthStatus::Degraded, Some(Code::StorageUnavailable))
    );

    store.down.store(false, Ordering::SeqCst);
    for _ in 0..5 {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::Success);
    }
    assert!(collector.flush(LIMIT).complete);
    let sequences: Vec<_> = store.order.lock().unwrap().iter().map(|(_, at)| *at).collect();
    assert_eq!(sequences, (0..100).collect::<Vec<_>>());
    assert_eq!(collector.health().status, HealthStatus::Healthy);
}

#[test]
fn a_full_backlog_is_counted() {
    let (store, collector, selector) = start(30);
    store.down.store(true, Ordering::SeqCst);
    for _ in 0..100 {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::Success);
    }
    collector.flush(LIMIT);
    let ledger = collector.ledger();
    assert_eq!((ledger.spooled, ledger.dropped[&DropReason::StoreFailed]), (30, 70));
    assert!(ledger.balances());
    let health = collector.health();
    assert_eq!((health.status, health.code), (HealthStatus::Degraded, Some(Code::BufferOverflow)));
    assert!(health.message.contains("70 store_failed"), "{}", health.message);

    let ledger = collector.shutdown(Duration::from_secs(1)).ledger;
    assert_eq!((ledger.spooled, ledger.in_flight), (0, 0), "memory does not outlive the process");
    assert_eq!(ledger.dropped[&DropReason::StoreFailed], 100);
}

#[test]
fn health_forgets_a_loss_after_a_minute() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let store = Arc::new(Flaky::default());
    let config = CollectorConfig { backlog_events: 0, ..CollectorConfig::default() };
    let collector = Collector::builder(config).clock(clock.clone()).start(store.clone()).unwrap();
    let selector = collector.selector(&definition("a", &[]));
    store.down.store(true, Ordering::SeqCst);
    collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::Success);
    collector.flush(LIMIT);
    assert_eq!(collector.health().code, Some(Code::BufferOverflow));
    store.down.store(false, Ordering::SeqCst);
    clock.advance(Duration::from_secs(61));
    let health = collector.health();
    assert_eq!((health.status, health.code), (HealthStatus::Healthy, None));
    assert!(health.message.contains("1 of them dropped"), "{}", health.message);
}

#[test]
fn the_ledger_reaches_the_store_every_minute_when_it_changed() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(0)));
    let store = Arc::new(Flaky::default());
    let collector = Collector::builder(CollectorConfig::default())
        .clock(clock.clone())
        .start(store.clone())
        .unwrap();
    let selector = collector.selector(&definition("a", &[]));
    collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::Success);
    clock.advance(Duration::from_secs(61));
    // The pipeline turns by itself; nothing is flushed.
    while store.ledgers().unwrap().iter().all(|ledger| ledger.recorded < 1) {
        std::thread::yield_now();
        clock.advance(Duration::from_secs(61));
    }
    let written = store.appended_ledgers.load(Ordering::SeqCst);
    assert!(store.ledgers().unwrap()[0].balances());
    collector.flush(LIMIT);
    let settled = store.appended_ledgers.load(Ordering::SeqCst);
    assert!(settled <= written + 2, "an unchanged ledger is not written again");
}

#[test]
fn one_event_the_store_refuses_takes_no_other_with_it() {
    let (store, collector, selector) = start(30);
    for at in 0..20 {
        let outcome = if at == 7 { Outcome::EngineError } else { Outcome::Success };
        collector.span("", selector, None, OperationKind::Resolution).finish(outcome);
    }
    assert!(collector.flush(LIMIT).complete);
    assert_eq!(store.stats().unwrap().events, 19);
    assert_eq!(collector.ledger().dropped[&DropReason::Invalid], 1);
}

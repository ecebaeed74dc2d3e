//! Stores that take their time, never answer, or panic.

use crate::support::{LIMIT, definition};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    Ack, Capabilities, Code, EventIter, EventSink, EventStore, HealthStatus, Ledger, MemoryStore,
    OperationObserver, Query, Result, SelectorObserver, StoreStats,
};
use telemetry_models::{Event, OperationKind, Outcome};

/// A store that answers no append while the gate is shut, and panics when told to.
#[derive(Default)]
struct Difficult {
    inner: MemoryStore,
    shut: Mutex<bool>,
    opened: Condvar,
    panics: AtomicBool,
    begun: AtomicU64,
    /// Sequences in the order of appending.
    order: Mutex<Vec<u64>>,
}

impl Difficult {
    fn shut(&self) {
        *self.shut.lock().unwrap() = true;
    }

    fn open(&self) {
        *self.shut.lock().unwrap() = false;
        self.opened.notify_all();
    }

    /// Returns when an append has begun.
    fn await_append(&self) {
        while self.begun.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
    }
}

impl EventStore for Difficult {
    fn backend(&self) -> &'static str {
        "difficult"
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<Ack> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "told to fail");
        let mut shut = self.shut.lock().unwrap();
        while *shut {
            shut = self.opened.wait(shut).unwrap();
        }
        drop(shut);
        let ack = self.inner.append(batch)?;
        self.order.lock().unwrap().extend(batch.iter().filter_map(|event| event.sequence));
        Ok(ack)
    }
    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.inner.append_ledger(ledger)
    }
    fn ledgers(&self) -> Result<Vec<Ledger>> {
        self.inner.ledgers()
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        self.inner.query(query)
    }
    fn stats(&self) -> Result<StoreStats> {
        self.inner.stats()
    }
    fn close(&self) -> Result<()> {
        self.inner.close()
    }
}

fn start(spool: &Path, run: &str, store: &Arc<Difficult>) -> Collector {
    let config = CollectorConfig {
        batch_events: 100,
        chunk_events: 16,
        queue_events: 256,
        write_interval_ms: 1,
        backlog_events: 0,
        spool_dir: Some(spool.to_owned()),
        ..CollectorConfig::default()
    };
    Collector::builder(config).run(run.parse().unwrap()).start(store.clone()).unwrap()
}

/// As many operations as the queue has room for, and the pipeline's word that it took them.
fn record(collector: &Collector, times: usize) {
    let selector = collector.selector(&definition("a", &[]));
    let before = settled(collector);
    for _ in 0..times {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::NotFound);
    }
    while settled(collector) < before + times as u64 {
        std::thread::yield_now();
    }
}

/// Events that are stored, spooled or dropped.
fn settled(collector: &Collector) -> u64 {
    let ledger = collector.ledger();
    ledger.recorded - ledger.in_flight
}

#[test]
fn while_the_store_works_on_a_batch_events_are_spooled_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Difficult::default());
    store.shut();
    let collector = start(folder.path(), "slow", &store);
    // Many times what the queue holds, all while one append has not returned.
    for _ in 0..20 {
        record(&collector, 200);
    }
    let ledger = collector.ledger();
    assert_eq!((ledger.spooled, ledger.stored, ledger.dropped_total()), (4_000, 0, 0));
    let health = collector.health();
    assert_eq!(
        (health.status, health.code),
        (HealthStatus::Degraded, Some(Code::StorageUnavailable))
    );
    assert!(health.message.contains("4000 events wait for the store in"), "{health:?}");

    store.open();
    record(&collector, 50);
    assert!(collector.flush(LIMIT).complete);
    let ledger = collector.ledger();
    assert_eq!((ledger.stored, ledger.spooled, ledger.dropped_total()), (4_050, 0, 0));
    assert_eq!(*store.order.lock().unwrap(), (0..4_050).collect::<Vec<_>>(), "once, in order");
    assert_eq!(collector.health().status, HealthStatus::Healthy);
}

#[test]
fn health_names_a_store_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Difficult::default());
    store.shut();
    let collector = start(folder.path(), "hung", &store);
    record(&collector, 100);
    let health = loop {
        let health = collector.health();
        if health.message.contains("has worked on one call for") {
            break health;
        }
        std::thread::yield_now();
    };
    assert_eq!(
        (health.status, health.code),
        (HealthStatus::Degraded, Some(Code::StorageUnavailable))
    );
    store.open();
    assert!(collector.flush(LIMIT).complete);
    assert_eq!(collector.health().status, HealthStatus::Healthy);
}

#[test]
fn the_end_waits_for_a_hung_store_no_longer_than_allowed_and_the_next_run_stores() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Difficult::default());
    store.shut();
    let collector = start(folder.path(), "hung", &store);
    record(&collector, 200);
    store.await_append();
    let report = collector.shutdown(Duration::from_millis(400));
    assert!(!report.complete);
    let ledger = report.ledger;
    assert_eq!((ledger.spooled, ledger.in_flight, ledger.dropped_total()), (200, 0, 0));
    // The thread that hangs in the store comes back at last: what it had is in the spool, too.
    store.open();
    let next = start(folder.path(), "next", &store);
    record(&next, 10);
    assert!(next.shutdown(LIMIT).complete);
    assert_eq!(store.stats().unwrap().events, 210, "each once");
    let ledger = store.ledgers().unwrap().into_iter().find(|it| it.recorded == 200).unwrap();
    assert_eq!((ledger.stored, ledger.spooled, ledger.balances()), (200, 0, true));
}

#[test]
fn a_store_that_panics_counts_as_unavailable_and_recording_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Difficult::default());
    let collector = start(folder.path(), "panics", &store);
    record(&collector, 50);
    store.panics.store(true, Ordering::SeqCst);
    record(&collector, 150);
    assert!(!collector.flush(LIMIT).complete);
    let ledger = collector.ledger();
    assert_eq!((ledger.stored, ledger.spooled, ledger.dropped_total()), (50, 150, 0));
    let health = collector.health();
    assert_eq!(
        (health.status, health.code),
        (HealthStatus::Degraded, Some(Code::StorageUnavailable))
    );
    assert!(health.message.contains("the store panicked in append: told to fail"), "{health:?}");
    assert!(!collector.has_broken_down());

    store.panics.store(false, Ordering::SeqCst);
    record(&collector, 50);
    assert!(collector.shutdown(LIMIT).complete);
    assert_eq!(*store.order.lock().unwrap(), (0..250).collect::<Vec<_>>(), "once, in order");
}

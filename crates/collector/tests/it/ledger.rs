use crate::support::{Bench, LIMIT};
use std::collections::BTreeSet;
use telemetry_collector::{BackPressure, CollectorConfig};
use telemetry_interfaces::{DropReason, EventSink, EventStore, OperationObserver};
use telemetry_models::{OperationKind, Outcome};

fn record(bench: &Bench, times: usize) {
    for _ in 0..times {
        let span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
        span.finish(Outcome::Success);
    }
}

#[test]
fn every_operation_of_many_threads_is_stored() {
    let config = CollectorConfig {
        back_pressure: BackPressure::BlockMs(60_000),
        queue_events: 1_024,
        chunk_events: 64,
        ..CollectorConfig::default()
    };
    let bench = Bench::new(config);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| record(&bench, 5_001));
        }
        for _ in 0..200 {
            let ledger = bench.collector.ledger();
            assert!(ledger.balances(), "{ledger:?}");
        }
    });
    let events = bench.events();
    let sequences: BTreeSet<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!((events.len(), sequences.len()), (40_008, 40_008));
    let ledger = bench.collector.ledger();
    assert_eq!((ledger.recorded, ledger.stored, ledger.in_flight), (40_008, 40_008, 0));
}

/// A pipeline that stands still while `hold` is locked, so that the queue fills.
fn overfilled(policy: BackPressure) -> (Bench, telemetry_interfaces::Ledger) {
    use std::sync::{Arc, Mutex};
    struct Held(Arc<Mutex<()>>);
    impl telemetry_interfaces::EventConsumer for Held {
        fn name(&self) -> &str {
            "held"
        }
        fn consume(&mut self, _batch: &[telemetry_models::Event]) {
            drop(self.0.lock());
        }
        fn tick(&mut self, _now: telemetry_models::Timestamp) {}
        fn health(&self) -> telemetry_interfaces::Health {
            telemetry_interfaces::Health::healthy("")
        }
        fn finish(&mut self, _: telemetry_models::Timestamp, _: std::time::Duration) {}
    }
    let config = CollectorConfig {
        back_pressure: policy,
        queue_events: 256,
        chunk_events: 16,
        ..CollectorConfig::default()
    };
    let hold = Arc::new(Mutex::new(()));
    let store = Arc::new(telemetry_interfaces::MemoryStore::new());
    let collector = telemetry_collector::Collector::builder(config)
        .consumer(Box::new(Held(hold.clone())))
        .start(store.clone())
        .unwrap();
    let price = telemetry_interfaces::SelectorObserver::selector(
        &collector,
        &crate::support::definition("a", &[]),
    );
    let bench = Bench { store, collector, price };
    let guard = hold.lock().unwrap();
    record(&bench, 10_000);
    drop(guard);
    assert!(bench.collector.flush(LIMIT).complete);
    let ledger = bench.collector.ledger();
    assert!(ledger.balances() && ledger.in_flight == 0, "{ledger:?}");
    assert_eq!(ledger.recorded, 10_000);
    assert_eq!(ledger.stored, bench.store.stats().unwrap().events);
    (bench, ledger)
}

#[test]
fn a_full_queue_drops_the_newest_and_counts_them() {
    let (_, ledger) = overfilled(BackPressure::DropNewest);
    assert_eq!(ledger.dropped.keys().collect::<Vec<_>>(), [&DropReason::QueueFull]);
}

#[test]
fn a_full_queue_drops_the_oldest_and_counts_them() {
    let (_, ledger) = overfilled(BackPressure::DropOldest);
    assert_eq!(ledger.dropped.keys().collect::<Vec<_>>(), [&DropReason::Displaced]);
}

#[test]
fn a_blocked_thread_waits_no_longer_than_allowed() {
    let (_, ledger) = overfilled(BackPressure::BlockMs(1));
    assert_eq!(ledger.dropped.keys().collect::<Vec<_>>(), [&DropReason::QueueFull]);
}

#[test]
fn shutdown_drains_and_what_comes_later_is_counted_as_closed() {
    let bench = Bench::new(CollectorConfig::default());
    record(&bench, 1_000);
    let report = bench.collector.shutdown(LIMIT);
    assert!(report.complete, "{report:?}");
    assert_eq!((report.ledger.stored, report.ledger.in_flight), (1_000, 0));
    record(&bench, 3);
    // A thread that has never recorded is counted like any other.
    std::thread::scope(|scope| scope.spawn(|| record(&bench, 4)).join().unwrap());
    let ledger = bench.collector.ledger();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!((ledger.recorded, ledger.in_flight), (1_007, 0));
    assert_eq!(ledger.dropped[&DropReason::Closed], 7);
    assert_eq!(bench.collector.shutdown(LIMIT).ledger.stored, 1_000);
}

#[test]
fn the_last_handle_drains_too() {
    let bench = Bench::new(CollectorConfig::default());
    record(&bench, 777);
    let Bench { store, collector, .. } = bench;
    drop(collector);
    assert_eq!(store.stats().unwrap().events, 777);
    assert_eq!(store.ledgers().unwrap()[0].recorded, 777, "the ledger is part of the stream");
}

#[test]
fn threads_that_ended_stay_in_the_ledger() {
    let bench = Bench::new(CollectorConfig::default());
    for round in 1..=200 {
        std::thread::scope(|scope| scope.spawn(|| record(&bench, 3)).join().unwrap());
        assert_eq!(bench.collector.ledger().recorded, round * 3);
        if round % 50 == 0 {
            assert!(bench.collector.flush(LIMIT).complete);
        }
    }
    let ledger = bench.collector.ledger();
    assert_eq!((ledger.recorded, ledger.stored, ledger.balances()), (600, 600, true));
}

/// Many threads, a store that fails and returns, flushes in between, and a shutdown while all
/// still record: the ledger balances whenever anybody looks.
fn stress(policy: BackPressure, seed: u64) {
    use crate::support::Flaky;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};
    use telemetry_interfaces::SelectorObserver;

    let folder = tempfile::tempdir().unwrap();
    let config = CollectorConfig {
        back_pressure: policy,
        queue_events: 256,
        chunk_events: 32,
        batch_events: 64,
        sweep_ms: 1,
        write_interval_ms: 1,
        backlog_events: 100,
        spool_dir: Some(folder.path().join("spool")),
        spool_bytes: 1 << 18,
        ..CollectorConfig::default()
    };
    let store = Arc::new(Flaky::default());
    *store.chaos.lock().unwrap() = Some(fastrand::Rng::with_seed(seed));
    let collector =
        telemetry_collector::Collector::builder(config).seed(seed).start(store.clone()).unwrap();
    let price = collector.selector(&crate::support::definition("a", &[]));
    let recorded = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (collector, recorded) = (collector.clone(), &recorded);
            scope.spawn(move || {
                let mut rng = fastrand::Rng::with_seed(seed * 100 + thread);
                for _ in 0..4_000 {
                    let outcome = match rng.u8(..20) {
                        0 => Outcome::EngineError,
                        1..4 => Outcome::NotFound,
                        _ => Outcome::Success,
                    };
                    let mut span = collector.span("", price, None, OperationKind::Resolution);
                    if outcome == Outcome::NotFound {
                        span.error("not_found", "nothing");
                    }
                    span.finish(outcome);
                    recorded.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let mut rng = fastrand::Rng::with_seed(seed);
        for _ in 0..60 {
            store.down.store(rng.bool(), Ordering::SeqCst);
            if rng.bool() {
                collector.flush(std::time::Duration::from_millis(5));
            }
            let before = recorded.load(Ordering::SeqCst);
            let ledger = collector.ledger();
            assert!(ledger.balances() && ledger.recorded >= before, "{policy:?}: {ledger:?}");
        }
        collector.shutdown(LIMIT);
        assert!(collector.ledger().balances());
    });
    let ledger = collector.ledger();
    assert_eq!(ledger.recorded, 24_000, "{policy:?}");
    assert!(ledger.balances() && ledger.in_flight == 0, "{policy:?}: {ledger:?}");
    // An answer that got lost leaves an event both stored and waiting, which replay finds out.
    assert!(store.stats().unwrap().events >= ledger.stored, "{policy:?}: {ledger:?}");
    store.down.store(false, Ordering::SeqCst);
    *store.chaos.lock().unwrap() = None;
    drop(collector);
    let next = telemetry_collector::Collector::builder(CollectorConfig {
        spool_dir: Some(folder.path().join("spool")),
        ..CollectorConfig::default()
    })
    .run("next".parse().unwrap())
    .start(store.clone())
    .unwrap();
    assert!(next.flush(LIMIT).complete);
    let settled = store.ledgers().unwrap().into_iter().find(|it| it.run == ledger.run).unwrap();
    assert_eq!((store.stats().unwrap().events, settled.spooled), (settled.stored, 0), "{policy:?}");
    let refused = settled.dropped_total() - ledger.dropped_total();
    assert_eq!(settled.stored + refused, ledger.stored + ledger.spooled);
    assert!(settled.balances(), "{settled:?}");
}

#[test]
fn the_ledger_is_exact_under_every_policy() {
    for (seed, policy) in [
        BackPressure::DropNewest,
        BackPressure::DropOldest,
        BackPressure::BlockMs(2),
        BackPressure::Adaptive,
    ]
    .into_iter()
    .enumerate()
    {
        stress(policy, seed as u64 + 1);
    }
}

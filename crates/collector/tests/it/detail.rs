//! What does not fit into a record goes where the record goes.

use crate::support::{LIMIT, definition};
use std::sync::Arc;
use telemetry_collector::{BackPressure, Collector, CollectorConfig};
use telemetry_interfaces::{
    AttemptRecord, DropReason, EventSink, EventStore, MemoryStore, OperationObserver, Query,
    SelectorObserver,
};
use telemetry_models::{AttemptOutcome, Event, OperationKind, Outcome, StrategyKind};

const THREADS: u64 = 4;
const OPERATIONS: u64 = 5_000;

/// Operations that need a cold part without exception, from several threads at once: failures with
/// an error, and successes whose fifth attempt was the accepted one.
fn record(collector: &Collector) {
    let strategies: Vec<_> = (0..5).map(|_| (StrategyKind::Css, "a")).collect();
    let selector = collector.selector(&definition("a", &strategies));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for at in 0..OPERATIONS {
                    let mut span = collector.span("", selector, None, OperationKind::Resolution);
                    for strategy in 0..4 {
                        span.attempt(AttemptRecord::new(strategy, AttemptOutcome::Empty));
                    }
                    if at % 2 == 0 {
                        span.error("timeout", "the message");
                        span.finish(Outcome::Timeout);
                    } else {
                        span.attempt(AttemptRecord::new(4, AttemptOutcome::Accepted));
                        span.finish(Outcome::Success);
                    }
                }
            });
        }
    });
}

fn is_whole(event: &Event) -> bool {
    match event.outcome {
        Outcome::Success => event.accepted().is_some() && event.attempts.len() == 5,
        _ => event.error.as_ref().is_some_and(|it| it.message.as_deref() == Some("the message")),
    }
}

#[test]
fn an_event_is_stored_with_its_details_or_counted_as_dropped() {
    let policies = [
        BackPressure::DropNewest,
        BackPressure::DropOldest,
        BackPressure::BlockMs(60_000),
        BackPressure::Adaptive,
    ];
    for back_pressure in policies {
        // One chunk is on its way and each thread fills another: more in flight than the queue's
        // capacity.
        let config = CollectorConfig {
            back_pressure,
            queue_events: 256,
            chunk_events: 256,
            ..CollectorConfig::default()
        };
        let store = Arc::new(MemoryStore::new());
        let collector = Collector::builder(config).start(store.clone()).unwrap();
        record(&collector);
        assert!(collector.flush(LIMIT).complete, "{back_pressure:?}");
        let ledger = collector.ledger();
        assert_eq!((ledger.recorded, ledger.balances()), (THREADS * OPERATIONS, true));
        let mut stored = 0;
        for event in store.query(&Query::all()).unwrap() {
            let event = event.unwrap();
            assert!(is_whole(&event), "{back_pressure:?}: {event:?}");
            stored += 1;
        }
        assert_eq!(stored, ledger.stored, "{back_pressure:?}");
        assert_eq!(ledger.dropped.get(&DropReason::Invalid), None, "{back_pressure:?}");
        if let BackPressure::BlockMs(_) = back_pressure {
            assert_eq!((ledger.stored, ledger.dropped_total()), (ledger.recorded, 0));
        }
    }
}

use crate::support::{Bench, LIMIT};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    DropReason, EventSink, EventStore, MemoryStore, Query, SelectorObserver,
};
use telemetry_models::{Event, OperationKind, Outcome, PageContext, Timestamp};
use telemetry_testkit::ManualClock;

fn sum(events: &[Event], outcome: Outcome, key: &str) -> u64 {
    events
        .iter()
        .filter(|event| event.outcome == outcome)
        .filter_map(|event| event.attributes.get(key))
        .map(|text| text.parse::<u64>().unwrap())
        .sum()
}

#[test]
fn short_operations_of_all_threads_become_one_event_an_outcome() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_000)));
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default())
        .clock(clock.clone())
        .start(store.clone())
        .unwrap();
    let title = collector.selector(&crate::support::definition("shop.title", &[]));
    let page = collector.page(&PageContext::at("https://shop.test/"));
    let tally = collector.tally("engine", title, Some(page), OperationKind::Resolution);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut tally = tally.clone();
            scope.spawn(move || {
                for at in 0..1_000 {
                    match at % 10 {
                        0 => tally.count(Outcome::NotFound),
                        1 => tally.add(Outcome::Success, Duration::from_nanos(100)),
                        _ => {
                            let begun = tally.start();
                            tally.finish(begun, Outcome::Success);
                        }
                    }
                }
            });
        }
    });
    clock.advance(Duration::from_millis(20));
    assert!(collector.flush(LIMIT).complete);
    let events: Vec<_> = store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap();
    let [success, failure] = &events[..] else { panic!("{events:?}") };
    assert_eq!((success.outcome, failure.outcome), (Outcome::Success, Outcome::NotFound));
    assert_eq!(&*success.attributes["tally.count"], "3600");
    assert_eq!(&*failure.attributes["tally.count"], "400");
    assert_eq!(&*success.attributes["tally.window_ms"], "20");
    assert!(!failure.attributes.contains_key("tally.timed"));
    // 400 measured by the caller, 50 of each thread's 800 by the tally: the clock stood still.
    assert_eq!(&*success.attributes["tally.timed"], "600");
    assert_eq!(&*success.attributes["tally.timed_ns"], "40000");
    assert_eq!(&*success.attributes["tally.histogram"], "4:200 96:400");
    assert_eq!(success.timestamp, Timestamp::from_millis(1_000));
    assert_eq!(success.selector.as_str(), "shop.title");
    assert_eq!((success.engine.as_deref(), success.site()), (Some("engine"), Some("shop.test")));
    assert_eq!(success.duration(), None);
    let ledger = collector.ledger();
    assert_eq!((ledger.recorded, ledger.stored), (2, 2));
    assert!(ledger.balances());

    assert!(collector.flush(LIMIT).complete);
    assert_eq!(collector.ledger().recorded, 2, "nothing happened since");
}

#[test]
fn every_operation_is_in_one_window() {
    let config = CollectorConfig { tally_ms: 10, sweep_ms: 1, ..CollectorConfig::default() };
    let bench = Bench::new(config);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let mut tally = bench.collector.tally("", bench.price, None, OperationKind::Resolution);
            scope.spawn(move || {
                for at in 0..200_000 {
                    let begun = tally.start();
                    tally.finish(
                        begun,
                        if at % 5 == 0 { Outcome::Timeout } else { Outcome::Success },
                    );
                }
            });
        }
        for _ in 0..20 {
            bench.collector.flush(LIMIT);
        }
    });
    let events = bench.events();
    assert_eq!(sum(&events, Outcome::Success, "tally.count"), 640_000);
    assert_eq!(sum(&events, Outcome::Timeout, "tally.count"), 160_000);
    let timed = sum(&events, Outcome::Success, "tally.timed");
    assert_eq!(timed + sum(&events, Outcome::Timeout, "tally.timed"), 50_000);
    assert!(bench.collector.ledger().balances());
}

#[test]
fn what_is_tallied_after_the_end_is_counted_as_closed() {
    let bench = Bench::new(CollectorConfig::default());
    let mut tally = bench.collector.tally("", bench.price, None, OperationKind::Resolution);
    tally.count(Outcome::Success);
    assert!(bench.collector.shutdown(LIMIT).complete);
    tally.count(Outcome::Success);
    tally.count(Outcome::Success);
    drop(tally);
    let ledger = bench.collector.ledger();
    assert_eq!((ledger.recorded, ledger.stored), (2, 1));
    assert_eq!(ledger.dropped[&DropReason::Closed], 1);
    assert!(ledger.balances());
}

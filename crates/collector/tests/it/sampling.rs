use crate::support::{Bench, LIMIT, definition};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_collector::{BackPressure, Collector, CollectorConfig};
use telemetry_interfaces::{
    AttemptRecord, DropReason, EventConsumer, EventSink, Health, MemoryStore, OperationObserver,
    SelectorObserver,
};
use telemetry_models::{AttemptOutcome, Event, OperationKind, Outcome, Timestamp};

const PROBABILITY: &str = "sampling.probability";

/// Records a plain success, a failure, a success by fallback and one with an error, in turn.
fn record(bench: &Bench, turns: usize) {
    for _ in 0..turns {
        let span = || bench.collector.span("", bench.price, None, OperationKind::Resolution);
        let mut plain = span();
        plain.attempt(AttemptRecord::new(0, AttemptOutcome::Accepted));
        plain.finish(Outcome::Success);
        span().finish(Outcome::ExpectedAbsent);
        let mut fallback = span();
        fallback.attempt(AttemptRecord::new(0, AttemptOutcome::Empty));
        fallback.attempt(AttemptRecord::new(1, AttemptOutcome::Accepted));
        fallback.finish(Outcome::Success);
        let mut recovered = span();
        recovered.error("timeout", "the first click was lost");
        recovered.finish(Outcome::Success);
    }
}

fn is_plain(event: &Event) -> bool {
    event.outcome == Outcome::Success && event.error.is_none() && event.attempts.len() == 1
}

#[test]
fn a_share_of_plain_successes_is_recorded_and_everything_else() {
    let bench =
        Bench::new(CollectorConfig { sample_successes: 0.25, ..CollectorConfig::default() });
    record(&bench, 4_000);
    let events = bench.events();
    let (plain, other): (Vec<_>, Vec<_>) = events.iter().partition(|event| is_plain(event));
    assert_eq!(other.len(), 12_000);
    assert!(other.iter().all(|event| !event.attributes.contains_key(PROBABILITY)));
    // 1,000 expected; five standard deviations are 137.
    assert!((863..=1_137).contains(&plain.len()), "{}", plain.len());
    assert!(plain.iter().all(|event| &*event.attributes[PROBABILITY] == "0.25"));

    let ledger = bench.collector.ledger();
    assert!(ledger.balances(), "{ledger:?}");
    assert_eq!(ledger.recorded, 16_000);
    assert_eq!(ledger.dropped[&DropReason::Sampled], 4_000 - plain.len() as u64);
    let sequences: BTreeSet<_> = events.iter().filter_map(|event| event.sequence).collect();
    assert!(sequences.into_iter().eq(0..events.len() as u64), "no holes");
    assert_eq!(bench.collector.health().code, None, "sampling is no trouble");
}

/// A consumer that stands still while somebody holds the lock.
struct Held(Arc<Mutex<()>>);

impl EventConsumer for Held {
    fn name(&self) -> &str {
        "held"
    }
    fn consume(&mut self, _batch: &[Event]) {
        drop(self.0.lock());
    }
    fn tick(&mut self, _now: Timestamp) {}
    fn health(&self) -> Health {
        Health::healthy("")
    }
    fn finish(&mut self, _: Timestamp, _: Duration) {}
}

#[test]
fn under_pressure_successes_thin_out_and_nothing_else_is_lost() {
    let config = CollectorConfig {
        back_pressure: BackPressure::Adaptive,
        queue_events: 2_048,
        chunk_events: 16,
        ..CollectorConfig::default()
    };
    let hold = Arc::new(Mutex::new(()));
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(config)
        .seed(11)
        .consumer(Box::new(Held(hold.clone())))
        .start(store.clone())
        .unwrap();
    let price = collector.selector(&definition("a", &[]));
    let bench = Bench { store, collector, price };
    let guard = hold.lock().unwrap();
    for _ in 0..20_000 {
        let mut span = bench.collector.span("", price, None, OperationKind::Resolution);
        span.attempt(AttemptRecord::new(0, AttemptOutcome::Accepted));
        span.finish(Outcome::Success);
    }
    record(&bench, 500);
    drop(guard);
    assert!(bench.collector.flush(LIMIT).complete);

    let events = bench.events();
    assert_eq!(events.iter().filter(|event| !is_plain(event)).count(), 1_500);
    let ledger = bench.collector.ledger();
    assert!(ledger.balances() && ledger.in_flight == 0, "{ledger:?}");
    assert!(ledger.dropped[&DropReason::Sampled] > 10_000, "{ledger:?}");
    // What stands for more than itself says so, and together they stand for all.
    let estimate: f64 = events
        .iter()
        .filter(|event| is_plain(event))
        .map(|event| {
            event.attributes.get(PROBABILITY).map_or(1.0, |p| 1.0 / p.parse::<f64>().unwrap())
        })
        .sum();
    let lost = *ledger.dropped.get(&DropReason::QueueFull).unwrap_or(&0) as f64;
    assert!((estimate - 20_500.0).abs() < 6_000.0, "{estimate}, {lost} lost");
    let last = events.iter().rfind(|event| is_plain(event)).unwrap();
    assert!(last.attributes.contains_key(PROBABILITY));
}

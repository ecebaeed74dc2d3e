use crate::log;
use crate::support::LIMIT;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    Code, EventConsumer, EventSink, EventStore, Health, HealthStatus, MemoryStore,
};
use telemetry_models::{Event, OperationKind, Outcome, Timestamp};

/// Counts events; panics in the call it is told to.
struct Touchy {
    name: &'static str,
    panics_in: &'static str,
    seen: Arc<AtomicU64>,
}

impl Touchy {
    fn new(name: &'static str, panics_in: &'static str) -> (Box<Self>, Arc<AtomicU64>) {
        let seen = Arc::new(AtomicU64::new(0));
        (Box::new(Self { name, panics_in, seen: Arc::clone(&seen) }), seen)
    }

    fn called(&self, call: &str) {
        assert!(call != self.panics_in, "told to fail");
    }
}

impl EventConsumer for Touchy {
    fn name(&self) -> &str {
        self.name
    }
    fn consume(&mut self, batch: &[Event]) {
        self.seen.fetch_add(batch.len() as u64, Ordering::SeqCst);
        self.called("consume");
    }
    fn tick(&mut self, _: Timestamp) {
        self.called("tick");
    }
    fn health(&self) -> Health {
        self.called("health");
        Health::healthy("counts")
    }
    fn finish(&mut self, _: Timestamp, _: Duration) {
        self.called("finish");
    }
}

impl Drop for Touchy {
    fn drop(&mut self) {
        self.called("drop");
        if self.panics_in == "consume" {
            panic!("and once more in its end");
        }
    }
}

fn event(at: i64) -> Event {
    Event::new(
        format!("event-{at}").parse().unwrap(),
        "shop.price".parse().unwrap(),
        Timestamp::from_millis(1_700_000_000_000 + at),
        OperationKind::Resolution,
        Outcome::Success,
    )
}

#[test]
fn a_consumer_that_panics_is_taken_out_and_recording_goes_on() {
    log::listen();
    for call in ["consume", "tick", "health"] {
        let run = format!("panics-in-{call}");
        let (touchy, touched) = Touchy::new("touchy", call);
        let (steady, seen) = Touchy::new("steady", "never");
        let store = Arc::new(MemoryStore::new());
        let collector = Collector::builder(CollectorConfig::default())
            .run(run.parse().unwrap())
            .consumer(touchy)
            .consumer(steady)
            .start(store.clone())
            .unwrap();
        for at in 0..10 {
            collector.record(event(at));
            assert!(collector.flush(LIMIT).complete, "{call}");
        }
        let health = collector.health();
        assert_eq!(health.status, HealthStatus::Failed, "{call}");
        assert_eq!(health.code, Some(Code::Processing), "{call}");
        let told = format!("touchy: it panicked in {call} (told to fail)");
        assert!(health.message.starts_with(&told), "{}", health.message);
        let each = collector.consumers();
        let each: Vec<_> = each.iter().map(|(name, it)| (name.as_str(), it.status)).collect();
        assert_eq!(
            each,
            [("touchy", HealthStatus::Failed), ("steady", HealthStatus::Healthy)],
            "{call}"
        );
        assert!(!collector.has_broken_down());

        assert!(collector.shutdown(LIMIT).complete, "{call}");
        assert_eq!(seen.load(Ordering::SeqCst), 10, "{call}");
        assert!(touched.load(Ordering::SeqCst) <= 1, "{call}: not called again");
        assert_eq!(store.stats().unwrap().events, 10, "{call}");
        let lines = log::about(&run);
        let failed: Vec<_> = lines.iter().filter(|it| it.text().contains("TEL-005")).collect();
        assert_eq!(failed.len(), 1, "{call}: {failed:?}");
        assert!(failed[0].text().contains("touchy"), "{failed:?}");
    }
}

#[test]
fn a_consumer_that_panics_at_the_end_does_not_spoil_it() {
    let (touchy, _) = Touchy::new("touchy", "finish");
    let (steady, seen) = Touchy::new("steady", "never");
    let collector = Collector::builder(CollectorConfig::default())
        .consumer(touchy)
        .consumer(steady)
        .start(Arc::new(MemoryStore::new()))
        .unwrap();
    collector.record(event(1));
    assert!(collector.shutdown(LIMIT).complete);
    assert_eq!(seen.load(Ordering::SeqCst), 1);
    assert_eq!(collector.consumers()[0].1.status, HealthStatus::Failed);
}

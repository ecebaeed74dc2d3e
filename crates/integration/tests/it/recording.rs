use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::{AttemptOutcome, Event, Outcome};

/// A collector whose events can be looked at.
pub(crate) struct Recording {
    pub(crate) collector: Collector,
    store: Arc<MemoryStore>,
}

impl Recording {
    pub(crate) fn start() -> Self {
        let store = Arc::new(MemoryStore::new());
        let collector =
            Collector::builder(CollectorConfig::default()).start(store.clone()).unwrap();
        Self { collector, store }
    }

    /// All events so far, in the order they ended.
    pub(crate) fn events(&self) -> Vec<Event> {
        let flushed = self.collector.flush(Duration::from_secs(30));
        assert!(flushed.complete && flushed.ledger.balances(), "{flushed:?}");
        let mut events: Vec<Event> =
            self.store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap();
        events.sort_by_key(|event| event.sequence);
        events
    }
}

/// Name, outcome, elements and the attempts' outcomes of an event.
pub(crate) type Summary = (String, Outcome, Option<u32>, Vec<AttemptOutcome>);

pub(crate) fn summary(event: &Event) -> Summary {
    (
        event.selector.to_string(),
        event.outcome,
        event.elements_found(),
        event.attempts.iter().map(|attempt| attempt.outcome).collect(),
    )
}

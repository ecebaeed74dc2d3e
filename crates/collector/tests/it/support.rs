use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    Ack, Capabilities, Code, Error, ErrorKind, EventIter, EventSink, EventStore, Ledger,
    MemoryStore, Query, Result, SelectorHandle, SelectorObserver, StoreStats,
};
use telemetry_models::{
    Event, Outcome, SelectorDefinition, SelectorName, StrategyDefinition, StrategyKind,
};

pub(crate) const LIMIT: Duration = Duration::from_secs(30);

pub(crate) fn definition(name: &str, strategies: &[(StrategyKind, &str)]) -> SelectorDefinition {
    SelectorDefinition {
        name: SelectorName::new(name).unwrap(),
        version: 1,
        strategies: strategies
            .iter()
            .map(|(kind, text)| StrategyDefinition { kind: kind.clone(), text: (*text).into() })
            .collect(),
    }
}

/// A collector over a memory store, with one selector of two strategies.
pub(crate) struct Bench {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) collector: Collector,
    pub(crate) price: SelectorHandle,
}

impl Bench {
    pub(crate) fn new(config: CollectorConfig) -> Self {
        let store = Arc::new(MemoryStore::new());
        let collector = Collector::builder(config).start(store.clone()).unwrap();
        let price = collector.selector(&definition(
            "shop.price",
            &[
                (StrategyKind::Css, "span.price"),
                (StrategyKind::XPath, "//span[@itemprop='price']"),
            ],
        ));
        Self { store, collector, price }
    }

    /// Everything recorded so far, in the order stored.
    pub(crate) fn events(&self) -> Vec<Event> {
        let report = self.collector.flush(LIMIT);
        assert!(report.complete, "{report:?}");
        self.store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap()
    }
}

/// A memory store that can be made unavailable, and that refuses engine errors.
#[derive(Default)]
pub(crate) struct Flaky {
    pub(crate) inner: MemoryStore,
    pub(crate) down: AtomicBool,
    /// When set, every third append or so fails.
    pub(crate) chaos: Mutex<Option<fastrand::Rng>>,
    /// Whether some of those fail after they were done.
    pub(crate) loses_answers: AtomicBool,
    /// Run and sequence of what was stored, in the order of appending.
    pub(crate) order: Mutex<Vec<(String, u64)>>,
    pub(crate) appended_ledgers: AtomicU64,
}

impl Flaky {
    fn fails(&self) -> Result<bool> {
        let refusal = |kind| Err(Error::new(kind, Code::StorageUnavailable, "down"));
        if self.down.load(Ordering::SeqCst) {
            return refusal(ErrorKind::Unavailable);
        }
        match self.chaos.lock().unwrap().as_mut().map_or(9, |rng| rng.u8(..9)) {
            0 => refusal(ErrorKind::Closed),
            1 => refusal(ErrorKind::Internal),
            2 => Ok(self.loses_answers.load(Ordering::SeqCst)),
            _ => Ok(false),
        }
    }
}

impl EventStore for Flaky {
    fn backend(&self) -> &'static str {
        "flaky"
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<Ack> {
        let loses_answer = self.fails()?;
        if batch.iter().any(|event| event.outcome == Outcome::EngineError) {
            return Err(Error::new(ErrorKind::Invalid, Code::InvalidEvent, "refused"));
        }
        let ack = self.inner.append(batch)?;
        let mut order = self.order.lock().unwrap();
        for event in batch {
            let key = (event.run.as_ref().unwrap().to_string(), event.sequence.unwrap());
            if ack.duplicates == 0 || !order.contains(&key) {
                order.push(key);
            }
        }
        if loses_answer {
            return Err(Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, "lost"));
        }
        Ok(ack)
    }
    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.fails()?;
        self.appended_ledgers.fetch_add(1, Ordering::SeqCst);
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

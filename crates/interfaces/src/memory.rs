use crate::{
    Ack, Capabilities, Damage, DayStats, Durability, Error, ErrorKind, EventIter, EventStore,
    Health, Ledger, Maintenance, Order, Query, Result, StateChange, StateStore, StoreStats,
    VerifyLevel, VerifyReport, resume,
};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use telemetry_models::{Event, ProducerId, RunId};

/// Keeps events in memory: for tests, and for programs that want alerts without a disk.
#[derive(Debug, Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    events: Vec<Event>,
    seen: HashSet<(RunId, ProducerId, u64)>,
    ledgers: HashMap<(Option<RunId>, Option<ProducerId>), Ledger>,
    closed: bool,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> Result<MutexGuard<'_, Inner>> {
        let inner = self.lock();
        if inner.closed {
            return Err(Error::new(
                ErrorKind::Closed,
                crate::Code::StorageUnavailable,
                "the memory store is closed",
            ));
        }
        Ok(inner)
    }
}

impl EventStore for MemoryStore {
    fn backend(&self) -> &'static str {
        "memory"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persistent: false,
            durability: Durability::None,
            idempotent: true,
            shared_readers: false,
            ledgers: true,
        }
    }

    fn append(&self, batch: &[Event]) -> Result<Ack> {
        let mut inner = self.open()?;
        let mut stored = 0;
        for event in batch {
            let fresh = match (&event.run, &event.producer, event.sequence) {
                (Some(run), Some(producer), Some(sequence)) => {
                    inner.seen.insert((run.clone(), producer.clone(), sequence))
                }
                _ => true,
            };
            if fresh {
                inner.events.push(event.clone());
                stored += 1;
            }
        }
        Ok(Ack { stored, duplicates: batch.len() as u64 - stored, durability: Durability::None })
    }

    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        let key = (ledger.run.clone(), ledger.producer.clone());
        self.open()?.ledgers.insert(key, ledger.clone());
        Ok(())
    }

    fn ledgers(&self) -> Result<Vec<Ledger>> {
        let mut ledgers: Vec<_> = self.lock().ledgers.values().cloned().collect();
        ledgers.sort_by(|a, b| (&a.run, &a.producer).cmp(&(&b.run, &b.producer)));
        Ok(ledgers)
    }

    fn flush(&self) -> Result<()> {
        Ok(())
    }

    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        let limit = query.limit;
        let (query, after) = query.resumed();
        let parts = query.parts;
        let mut found: Vec<Event> =
            self.lock().events.iter().filter(|event| query.matches(event)).cloned().collect();
        found.sort_by_key(|event| event.timestamp);
        if query.order == Order::NewestFirst {
            found.reverse();
        }
        found.iter_mut().for_each(|event| parts.keep(event));
        Ok(Box::new(resume(found.into_iter().map(Ok), after, limit)))
    }

    fn stats(&self) -> Result<StoreStats> {
        let inner = self.lock();
        let mut selectors = BTreeMap::<String, u64>::new();
        let mut sites = BTreeMap::<String, u64>::new();
        let mut days = BTreeMap::<String, u64>::new();
        for event in &inner.events {
            *selectors.entry(event.selector.to_string()).or_default() += 1;
            *sites.entry(event.site().unwrap_or_default().to_owned()).or_default() += 1;
            *days.entry(event.timestamp.day()).or_default() += 1;
        }
        Ok(StoreStats {
            backend: self.backend().into(),
            events: inner.events.len() as u64,
            bytes: 0,
            files: 0,
            first: inner.events.iter().map(|event| event.timestamp).min(),
            last: inner.events.iter().map(|event| event.timestamp).max(),
            selectors: most_first(selectors),
            sites: most_first(sites),
            days: days.into_iter().map(|(day, events)| DayStats { day, events }).collect(),
            capped: 0,
            tiers: Vec::new(),
            damage: Vec::new(),
        })
    }

    fn health(&self) -> Health {
        match self.lock().closed {
            true => Health::failed(crate::Code::StorageUnavailable, "the memory store is closed"),
            false => Health::healthy("the memory store is open"),
        }
    }

    fn close(&self) -> Result<()> {
        self.lock().closed = true;
        Ok(())
    }
}

/// Nothing is stored that could be damaged; the deep check validates every event.
impl Maintenance for MemoryStore {
    fn verify(
        &self,
        level: VerifyLevel,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport> {
        let inner = self.lock();
        let mut report =
            VerifyReport { events: inner.events.len() as u64, ..VerifyReport::default() };
        if level == VerifyLevel::Deep {
            for (at, event) in inner.events.iter().enumerate() {
                if let Err(invalid) = event.validate() {
                    report.damage.push(Damage {
                        file: "memory".into(),
                        offset: at as u64,
                        length: None,
                        events: Some(0),
                        what: format!("event {}: {invalid}", event.id),
                    });
                }
            }
        }
        progress(0, 0);
        Ok(report)
    }
}

fn most_first(counts: BTreeMap<String, u64>) -> Vec<(String, u64)> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// Keeps state in memory. Not durable: everything is gone with the value.
#[derive(Debug, Default)]
pub struct MemoryState {
    values: Mutex<BTreeMap<(String, String), String>>,
}

impl MemoryState {
    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(String, String), String>> {
        self.values.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl StateStore for MemoryState {
    fn load(&self, collection: &str, key: &str) -> Result<Option<String>> {
        Ok(self.lock().get(&(collection.to_owned(), key.to_owned())).cloned())
    }

    fn list(&self, collection: &str) -> Result<Vec<(String, String)>> {
        let values = self.lock();
        Ok(values
            .iter()
            .filter(|((of, _), _)| of == collection)
            .map(|((_, key), value)| (key.clone(), value.clone()))
            .collect())
    }

    fn commit(&self, changes: &[StateChange]) -> Result<()> {
        let mut values = self.lock();
        for change in changes {
            match change {
                StateChange::Put { collection, key, value } => {
                    values.insert((collection.clone(), key.clone()), value.clone());
                }
                StateChange::Remove { collection, key } => {
                    values.remove(&(collection.clone(), key.clone()));
                }
            }
        }
        Ok(())
    }
}

use crate::{Damage, Health, Ledger, Query, Recovery, Result, RollupStore};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use telemetry_models::{Event, Timestamp};

/// What an acknowledgement is worth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// On stable storage (fsync) before the acknowledgement.
    Batch,
    /// Written; on stable storage within the configured interval.
    #[default]
    Interval,
    /// Written when the backend sees fit.
    None,
}

/// What a backend can do; the conformance suite chooses its tests by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Survives the process.
    pub persistent: bool,
    /// The strongest acknowledgement it can give.
    pub durability: Durability,
    /// Ignores an event whose run, producer and sequence it already holds.
    pub idempotent: bool,
    /// Readers in other processes see what was acknowledged.
    pub shared_readers: bool,
    /// Keeps ledgers.
    pub ledgers: bool,
}

/// A stream of answers. Damage shows as an error item; what follows it is still delivered.
pub type EventIter<'a> = Box<dyn Iterator<Item = Result<Event>> + Send + 'a>;

/// An answer in parts, all of one moment: each selector's events are in one of them, in the query's
/// order. Each damage is told in one part.
pub struct Divided<'a> {
    /// The parts; at least one.
    pub parts: Vec<EventIter<'a>>,
    /// Which of them has the events of a selector of this name, if there are any.
    pub part_of: PartOf,
}

/// The number of a part, by a selector's name.
pub type PartOf = Arc<dyn Fn(&str) -> usize + Send + Sync>;

/// Keeps events.
///
/// `append` keeps the order within one caller. Appending an event again is harmless where
/// [`Capabilities::idempotent`] says so. The caller retries when the error's kind is
/// `Unavailable`, and only then.
pub trait EventStore: Send + Sync {
    /// The backend's name, as in the configuration.
    fn backend(&self) -> &'static str;

    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Takes a batch, whole or not at all.
    ///
    /// # Errors
    /// `Unavailable` when it may work later, `Closed` after [`close`](Self::close) or after a
    /// failed fsync, `Invalid` when an event cannot be stored.
    fn append(&self, batch: &[Event]) -> Result<Ack>;

    /// Keeps a ledger beside the events.
    ///
    /// # Errors
    /// As [`append`](Self::append); `Unsupported` without the capability.
    fn append_ledger(&self, ledger: &Ledger) -> Result<()>;

    /// The newest ledger of each producer of each run.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn ledgers(&self) -> Result<Vec<Ledger>>;

    /// Brings everything acknowledged so far to stable storage.
    ///
    /// # Errors
    /// When that failed; the store takes nothing more then.
    fn flush(&self) -> Result<()>;

    /// Events that meet the query, in its order.
    ///
    /// # Errors
    /// When the store cannot be read at all.
    fn query(&self, query: &Query) -> Result<EventIter<'_>>;

    /// The answer to a query in at most so many parts, for as many threads.
    ///
    /// A store that would have to read everything for each part gives one; so does any where it is
    /// not worth the threads, or when the query has a limit or a continuation.
    ///
    /// # Errors
    /// As [`query`](Self::query).
    fn query_parts(&self, query: &Query, parts: usize) -> Result<Divided<'_>> {
        let _ = parts;
        Ok(Divided { parts: vec![self.query(query)?], part_of: Arc::new(|_| 0) })
    }

    /// How much it holds.
    ///
    /// # Errors
    /// When the store cannot be read.
    fn stats(&self) -> Result<StoreStats>;

    /// How it is doing: failed with TEL-001 once it takes nothing more. Cheap and never blocking.
    fn health(&self) -> Health {
        Health::healthy(format!("the {} store is open", self.backend()))
    }

    /// What opening it for writing had to put right; nothing for a store opened for reading.
    fn recovered(&self) -> Recovery {
        Recovery::default()
    }

    /// The rollups kept beside the events; `None` for a backend that keeps none.
    fn rollups(&self) -> Option<&dyn RollupStore> {
        None
    }

    /// Flushes, seals and takes nothing more. Harmless when called twice.
    ///
    /// # Errors
    /// When something could not be brought to stable storage.
    fn close(&self) -> Result<()>;
}

/// What a store says to a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Events taken.
    pub stored: u64,
    /// Events it already held.
    pub duplicates: u64,
    /// What the acknowledgement is worth.
    pub durability: Durability,
}

/// How much a store holds.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct StoreStats {
    /// The backend.
    pub backend: String,
    /// Events.
    pub events: u64,
    /// Bytes of event data on disk.
    pub bytes: u64,
    /// Files of event data.
    pub files: u64,
    /// Earliest timestamp.
    pub first: Option<Timestamp>,
    /// Latest timestamp.
    pub last: Option<Timestamp>,
    /// Events by selector, most first.
    pub selectors: Vec<(String, u64)>,
    /// Events by site, most first; events without a site are counted under an empty name.
    pub sites: Vec<(String, u64)>,
    /// Events whose selector was one too many to be told apart; in `selectors` they are under
    /// `__other__`.
    pub capped: u64,
    /// By UTC day, earliest first.
    pub days: Vec<DayStats>,
    /// By tier, in the order events go through them; none where all lie alike.
    pub tiers: Vec<TierStats>,
    /// Damage that was met while counting: what it held is in no count. Not a check of everything;
    /// see [`Maintenance::verify`](crate::Maintenance::verify).
    pub damage: Vec<Damage>,
}

/// One tier of a store: the files that are coded alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TierStats {
    /// Its name: `log`, `sorted`, `parquet`; of JSON Lines `original`, `compressed`, `lines`.
    pub tier: String,
    /// Events.
    pub events: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Files.
    pub files: u64,
}

/// One UTC day of a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DayStats {
    /// `YYYY-MM-DD`.
    pub day: String,
    /// Events.
    pub events: u64,
}

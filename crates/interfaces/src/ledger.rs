use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{ProducerId, RunId, Timestamp};

/// Why an event was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// The queue was full and the policy says to drop the newest.
    QueueFull,
    /// Pushed out of a full queue by a newer event.
    Displaced,
    /// Left out by sampling.
    Sampled,
    /// Refused by validation.
    Invalid,
    /// The store failed and the spool was full or failed too.
    StoreFailed,
    /// Recorded after shutdown began.
    Closed,
}

/// Where every event of one producer went. At any moment
/// `recorded = stored + spooled + in_flight + Σ dropped`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    /// The run.
    pub run: Option<RunId>,
    /// The producer within the run.
    pub producer: Option<ProducerId>,
    /// When these counts were taken.
    pub at: Timestamp,
    /// Operations that ended.
    pub recorded: u64,
    /// Events the store acknowledged.
    pub stored: u64,
    /// Events in the local spool, waiting for the store to return.
    pub spooled: u64,
    /// Events on their way.
    pub in_flight: u64,
    /// Events given up, by reason.
    pub dropped: BTreeMap<DropReason, u64>,
}

impl Ledger {
    /// Events given up, all reasons together.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// Whether every recorded event is accounted for.
    pub fn balances(&self) -> bool {
        self.recorded == self.stored + self.spooled + self.in_flight + self.dropped_total()
    }
}

/// What a flush achieved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlushReport {
    /// Whether everything recorded before the call is stored or counted as dropped; `false` while
    /// events wait in the spool, which outlive the process.
    pub complete: bool,
    /// How long it took.
    pub elapsed: Duration,
    /// The counts afterwards.
    pub ledger: Ledger,
}

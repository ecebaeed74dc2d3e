use serde::{Deserialize, Serialize};

/// How far the data behind a report can be trusted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DataQuality {
    /// Events read.
    pub events_read: u64,
    /// Damaged places the store met while reading.
    pub damaged_places: u64,
    /// What the store said about the first of them.
    pub damage: Vec<String>,
    /// Events that contradict themselves or exceed a limit; they count nevertheless.
    pub contradictory: u64,
    /// Events whose timestamp lies more than five minutes ahead of the time of the report; they
    /// count, but appear in no series and no comparison.
    pub future_timestamps: u64,
    /// Events of selectors beyond the number that is tracked; they count in the totals only.
    pub untracked_events: u64,
    /// Ledgers read, one for each producer of each run.
    pub ledgers: u64,
    /// Operations these ledgers count, whatever the filter.
    pub recorded: u64,
    /// Events still on their way or in a local spool when the ledgers were written.
    pub unsettled: u64,
    /// Events given up, by reason, most first.
    pub dropped: Vec<DroppedEvents>,
    /// Why ledgers could not be read, when they could not.
    pub ledgers_unreadable: Option<String>,
    /// Why alerts could not be read, when they could not; set by whoever read them, and the report
    /// then shows none.
    #[serde(default)]
    pub alerts_unreadable: Option<String>,
    /// Fields that some events lack.
    pub missing: Vec<MissingField>,
    /// Events with run, producer and sequence that had been read before; they count nevertheless.
    #[serde(default)]
    pub duplicates: u64,
    /// Events of which that can be told.
    #[serde(default)]
    pub sequenced: u64,
    /// Recorders (run and producer) whose sequence contradicts their timestamps by more than five
    /// minutes: events came late, or a clock was set.
    #[serde(default)]
    pub disordered_streams: u64,
    /// Recorders that were followed.
    #[serde(default)]
    pub streams: u64,
    /// Operations that ended because nobody waited any longer: their true time is not known.
    #[serde(default)]
    pub censored: u64,
    /// Events among `events_read` that were counted by rollups, and not read themselves.
    #[serde(default)]
    pub rolled_up: u64,
    /// Which conclusions all this weakens, in words.
    #[serde(default)]
    pub weakens: Vec<String>,
}

impl DataQuality {
    /// Events given up, all reasons together.
    pub fn dropped_total(&self) -> u64 {
        self.dropped.iter().map(|dropped| dropped.count).sum()
    }
}

/// Events given up for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DroppedEvents {
    /// The reason, for instance `queue_full`.
    pub reason: String,
    /// How many.
    pub count: u64,
}

/// A field that some events lack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MissingField {
    /// Its path in the JSON form of an event.
    pub field: String,
    /// Events that lack it.
    pub missing: u64,
    /// Events that could have it; never 0.
    pub n: u64,
}

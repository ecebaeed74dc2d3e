//! What version 1 writes. Frozen: never change a field, its type or its place.

use bincode::{Decode, Encode};

/// Describes a block of events, so that readers can pass it over without its body.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct MetaV1 {
    pub(crate) events: u32,
    /// Length of the body before compression.
    pub(crate) raw_len: u32,
    /// Earliest and latest timestamp, ns since the epoch.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Bit n is set when an event has outcome code n.
    pub(crate) outcomes: u32,
    /// Whether timestamps never decrease from one event to the next.
    pub(crate) in_order: bool,
    /// Every selector with its number of events; the body refers to positions in this list.
    pub(crate) selectors: Vec<(String, u32)>,
    /// Every site with its number of events; empty for events without one.
    pub(crate) sites: Vec<(String, u32)>,
    /// UTC days since the epoch, with the number of events.
    pub(crate) days: Vec<(i32, u32)>,
    pub(crate) streams: Vec<StreamV1>,
}

/// The sequences of one producer of one run in a block.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct StreamV1 {
    pub(crate) run: String,
    pub(crate) producer: String,
    /// First and last, both included, ascending.
    pub(crate) ranges: Vec<(u64, u64)>,
}

/// The events of a block, by column. Text is referred to by its position in the string table;
/// where text may be absent, 0 says so and n means position n - 1.
#[derive(Debug, Default, Encode, Decode)]
pub(crate) struct BodyV1 {
    /// All texts, one after the other, and their lengths in bytes.
    pub(crate) text: String,
    pub(crate) text_lens: Vec<u32>,
    pub(crate) pages: Vec<PageV1>,
    pub(crate) correlations: Vec<IdV1>,

    pub(crate) id: Vec<IdV1>,
    /// 0: none; n: correlation n - 1.
    pub(crate) correlation: Vec<u32>,
    pub(crate) selector: Vec<u32>,
    pub(crate) selector_version: OptV1<u32>,
    /// Difference to the event before, wrapping; the first to 0.
    pub(crate) timestamp: Vec<i64>,
    pub(crate) operation: Vec<u8>,
    pub(crate) outcome: Vec<u8>,
    pub(crate) resolution_ns: OptV1<u64>,
    pub(crate) strategies_ns: OptV1<u64>,
    pub(crate) total_ns: OptV1<u64>,
    pub(crate) memory_mb: OptV1<f64>,
    pub(crate) cpu_percent: OptV1<f64>,
    pub(crate) network_requests: OptV1<u32>,
    pub(crate) dom_operations: OptV1<u32>,
    /// Millionths.
    pub(crate) confidence: OptV1<u32>,
    pub(crate) elements_found: OptV1<u32>,
    /// 0: absent, 1: no, 2: yes.
    pub(crate) validation_passed: Vec<u8>,
    pub(crate) drift_detected: Vec<u8>,
    /// Kind of the error; set exactly when there is one, and the next five run along with it.
    pub(crate) error_kind: OptV1<u32>,
    pub(crate) error_message: Vec<u32>,
    pub(crate) error_stack: Vec<u32>,
    pub(crate) error_retries: OptV1<u32>,
    pub(crate) error_fallbacks: OptV1<u32>,
    pub(crate) error_recovered: Vec<u8>,
    /// 0: none; n: page n - 1.
    pub(crate) page: Vec<u32>,
    pub(crate) engine: Vec<u32>,
    pub(crate) run: Vec<u32>,
    pub(crate) producer: Vec<u32>,
    /// Difference to the successor of the sequence before, wrapping; the first to 0.
    pub(crate) sequence: OptV1<i64>,
    /// Number of attributes; keys and values follow each other in `attribute_text`.
    pub(crate) attributes: Vec<u32>,
    pub(crate) attribute_text: Vec<u32>,
    /// Number of attempts; what follows has a row for each.
    pub(crate) attempts: Vec<u32>,
    pub(crate) attempt_kind: Vec<u32>,
    pub(crate) attempt_text: Vec<u32>,
    pub(crate) attempt_outcome: Vec<u8>,
    pub(crate) attempt_ns: OptV1<u64>,
    pub(crate) attempt_elements: OptV1<u32>,
    pub(crate) attempt_confidence: OptV1<u32>,
    pub(crate) attempt_shadow: OptV1<u32>,
}

/// A column whose values may be absent: a bit for each row (lowest first), then those present.
#[derive(Debug, Default, Encode, Decode)]
pub(crate) struct OptV1<T> {
    pub(crate) present: Vec<u8>,
    pub(crate) values: Vec<T>,
}

/// An identifier.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) enum IdV1 {
    /// What `EventIds` derives from run, producer and sequence.
    Derived,
    /// A UUID, big endian.
    Uuid([u8; 16]),
    /// Position in the string table.
    Text(u32),
}

/// Where operations took place.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct PageV1 {
    pub(crate) session: u32,
    pub(crate) tab: u32,
    pub(crate) url: u32,
    pub(crate) url_template: u32,
    pub(crate) title: u32,
    pub(crate) user_agent: u32,
    pub(crate) viewport: Option<(u32, u32)>,
    pub(crate) entered_at: Option<i64>,
}

/// Where every event of a producer went.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct LedgerV1 {
    pub(crate) run: Option<String>,
    pub(crate) producer: Option<String>,
    pub(crate) at: i64,
    pub(crate) recorded: u64,
    pub(crate) stored: u64,
    pub(crate) spooled: u64,
    pub(crate) in_flight: u64,
    /// Code of the reason, count.
    pub(crate) dropped: Vec<(u8, u64)>,
}

/// Where the blocks of a sealed segment are.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct FooterV1 {
    pub(crate) blocks: Vec<EntryV1>,
}

/// One block, with its description.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub(crate) struct EntryV1 {
    pub(crate) offset: u64,
    /// Of the whole block, head included.
    pub(crate) length: u64,
    pub(crate) kind: u8,
    /// The block's description, byte for byte.
    pub(crate) meta: Vec<u8>,
}

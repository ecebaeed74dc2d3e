//! Descriptions of version 2. Frozen: never change a field, its type or its place.

use super::super::v1::StreamV1;
use bincode::{Decode, Encode};

/// Describes the dictionary that the rows after it share.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct DictionaryMetaV2 {
    /// Events of all rows that refer to it.
    pub(crate) events: u32,
    /// Their sequences.
    pub(crate) streams: Vec<StreamV1>,
}

/// Describes rows, so that readers can pass them over without their body.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct RowsMetaV2 {
    /// Bytes from the beginning of the dictionary's block to the beginning of this one.
    pub(crate) back: u32,
    pub(crate) events: u32,
    pub(crate) attempts: u32,
    /// Earliest and latest timestamp, ns since the epoch.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Bit n is set when an event has outcome code n.
    pub(crate) outcomes: u32,
    /// Every selector with its number of events; the rows are in this order.
    pub(crate) selectors: Vec<(String, u32)>,
    /// Every site with its number of events; empty for events without one.
    pub(crate) sites: Vec<(String, u32)>,
    /// UTC days since the epoch, with the number of events.
    pub(crate) days: Vec<(i32, u32)>,
}

//! What is remembered of a sealed segment beside it. Frozen: never change a field, its type or its place.

use super::{Fault, MAX_RAW_BYTES, compress, decode, decompress, encode};
use bincode::{Decode, Encode};

/// Counts and bounds of a sealed segment: enough to open a store, to pass the segment over and to count
/// without reading its footer.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct SummaryV1 {
    /// Which segment: numbers of its first and last log, whether sorted, whether in Parquet files.
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) sorted: bool,
    pub(crate) warm: bool,
    /// Of the segment, as its trailer has it: a summary of other content is not believed.
    pub(crate) blake3: [u8; 32],
    pub(crate) events: u64,
    /// Earliest and latest timestamp, ns since the epoch; 0 without events.
    pub(crate) earliest: i64,
    pub(crate) latest: i64,
    /// Bit n is set when an event has outcome code n.
    pub(crate) outcomes: u32,
    /// Every selector with its number of events.
    pub(crate) selectors: Vec<(String, u64)>,
    /// Every site with its number of events; empty for events without one.
    pub(crate) sites: Vec<(String, u64)>,
    /// UTC days since the epoch, with the number of events.
    pub(crate) days: Vec<(i32, u64)>,
    /// 64-bit FNV-1a over run, a zero byte and producer, of every producer of every run; ascending.
    pub(crate) streams: Vec<u64>,
    /// The last ledger of every producer of every run, as the segment has it.
    pub(crate) ledgers: Vec<Vec<u8>>,
    /// Parquet files that hold its events, with their lengths.
    pub(crate) files: Vec<(String, u64)>,
}

impl SummaryV1 {
    /// The length before compression stands in front: 4 bytes, little endian.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut raw = Vec::new();
        encode(self, &mut raw)?;
        if raw.len() > MAX_RAW_BYTES {
            return Err("summary is too large".into());
        }
        let mut bytes = (raw.len() as u32).to_le_bytes().to_vec();
        bytes.extend(compress(&raw)?);
        Ok(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (length, body) = bytes.split_first_chunk().ok_or("summary is too short")?;
        decode(&decompress(body, u32::from_le_bytes(*length), "summary")?, "summary")
    }
}

//! Version 3: descriptions of events that are in Parquet files. Frozen: never change a field, its type
//! or its place.

#[cfg(feature = "parquet")]
use super::encode;
use super::sorted::RowsMetaV2;
use super::{Fault, decode};
use bincode::{Decode, Encode};

/// Describes a row group of a Parquet file, as [`RowsMetaV2`] does a block of rows.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct WarmMetaV3 {
    pub(crate) rows: RowsMetaV2,
    pub(crate) place: WarmPlaceV3,
}

/// Where the events are.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub(crate) struct WarmPlaceV3 {
    /// The file, relative to the store, with `/` between folders.
    pub(crate) file: String,
    pub(crate) row_group: u32,
    /// Of the whole file.
    pub(crate) bytes: u64,
    pub(crate) blake3: [u8; 32],
}

/// The body of the block that describes a row group: what a reader of the group holds the bytes
/// against that it reads. An empty one, as first written, says nothing: the whole file is held against
/// its hash then.
#[cfg(feature = "parquet")]
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct WarmSumsV3 {
    /// Offset and length of the row group's columns, and their BLAKE3.
    pub(crate) group: (u64, u64, [u8; 32]),
    /// The same of what follows the last row group: indexes and metadata.
    pub(crate) tail: (u64, u64, [u8; 32]),
}

#[cfg(feature = "parquet")]
impl WarmSumsV3 {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        decode(bytes, "checksums of a row group")
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        encode(self, &mut bytes)?;
        Ok(bytes)
    }
}

impl WarmMetaV3 {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        decode(bytes, "block description")
    }

    #[cfg(feature = "parquet")]
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        encode(self, &mut bytes)?;
        Ok(bytes)
    }
}

//! The only place that knows how events become bytes: bincode is used nowhere else.
//!
//! What is written is defined by the frozen structs of [`v1`], not by the model: the model may
//! change, stored bytes do not. bincode is not self-describing, so a change of any `V1` struct
//! needs a new version beside it; the golden file test notices.

mod body;
mod decode;
mod encode;
mod intern;
pub(crate) mod sorted;
mod summary;
mod v1;
mod warm;
mod words;

pub(crate) use decode::BlockReader;
pub(crate) use encode::{BlockBuilder, Encoded, Scratch};
pub(crate) use summary::SummaryV1;
pub(crate) use v1::{EntryV1, FooterV1, MetaV1, StreamV1};
#[cfg(feature = "parquet")]
pub(crate) use warm::WarmSumsV3;
pub(crate) use warm::{WarmMetaV3, WarmPlaceV3};
pub(crate) use words::outcome_bits;

use crate::compression;
use bincode::config::{Configuration, Limit, LittleEndian, Varint};
use telemetry_interfaces::Ledger;
use v1::{BodyV1, LedgerV1};

/// The most bytes a block's body or a footer may have before compression: 256 MiB. Bounds what
/// damaged or hostile lengths can make the reader allocate.
pub(crate) const MAX_RAW_BYTES: usize = 256 << 20;

type Config = Configuration<LittleEndian, Varint, Limit<MAX_RAW_BYTES>>;
const CONFIG: Config =
    bincode::config::standard().with_variable_int_encoding().with_limit::<MAX_RAW_BYTES>();

/// zstd's fastest regular level.
const LEVEL: i32 = 1;

/// Why bytes could not be turned into values, in words for a message.
pub(crate) type Fault = String;

fn encode<T: bincode::Encode>(value: &T, into: &mut Vec<u8>) -> Result<(), Fault> {
    bincode::encode_into_std_write(value, into, CONFIG)
        .map(drop)
        .map_err(|error| format!("cannot be encoded: {error}"))
}

fn decode<T: bincode::Decode<()>>(bytes: &[u8], what: &str) -> Result<T, Fault> {
    match bincode::decode_from_slice(bytes, CONFIG) {
        Ok((value, used)) if used == bytes.len() => Ok(value),
        Ok((_, used)) => Err(format!("{what} has {} bytes too many", bytes.len() - used)),
        Err(error) => Err(format!("{what} cannot be decoded: {error}")),
    }
}

fn compress(raw: &[u8]) -> Result<Vec<u8>, Fault> {
    compression::compress(raw, LEVEL).map_err(|error| format!("cannot be compressed: {error}"))
}

fn decompress(bytes: &[u8], raw_len: u32, what: &str) -> Result<Vec<u8>, Fault> {
    let raw_len = raw_len as usize;
    if raw_len > MAX_RAW_BYTES {
        return Err(format!("{what} claims {raw_len} bytes, at most {MAX_RAW_BYTES} are possible"));
    }
    let raw = compression::decompress(bytes, raw_len)
        .map_err(|error| format!("{what} cannot be decompressed: {error}"))?;
    if raw.len() != raw_len {
        return Err(format!("{what} has {} bytes, expected {raw_len}", raw.len()));
    }
    Ok(raw)
}

impl MetaV1 {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        decode(bytes, "block description")
    }

    #[cfg(feature = "synthetic")]
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        encode(self, &mut bytes)?;
        Ok(bytes)
    }
}

impl BodyV1 {
    fn from_bytes(bytes: &[u8], raw_len: u32) -> Result<Self, Fault> {
        body::body(&decompress(bytes, raw_len, "block body")?)
    }
}

impl FooterV1 {
    /// The length before compression stands in front: 4 bytes, little endian.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Fault> {
        let mut raw = Vec::new();
        encode(self, &mut raw)?;
        let raw_len = u32::try_from(raw.len()).map_err(|_| "footer is too large".to_owned())?;
        let mut bytes = raw_len.to_le_bytes().to_vec();
        bytes.extend(compress(&raw)?);
        Ok(bytes)
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let (length, body) = bytes.split_first_chunk().ok_or("footer is too short")?;
        decode(&decompress(body, u32::from_le_bytes(*length), "footer")?, "footer")
    }
}

pub(crate) fn ledger_to_bytes(ledger: &Ledger) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    encode(&LedgerV1::from(ledger), &mut bytes)?;
    Ok(bytes)
}

pub(crate) fn ledger_from_bytes(bytes: &[u8]) -> Result<Ledger, Fault> {
    decode::<LedgerV1>(bytes, "ledger")?.try_into()
}

#[cfg(test)]
mod tests {
    use super::{BlockBuilder, BlockReader, MetaV1, Scratch, compress, decompress};
    use proptest::prelude::*;
    use telemetry_interfaces::Parts;
    use telemetry_testkit::{EventGenerator, GeneratorConfig, arbitrary_event};

    /// Decodes as far as it goes.
    fn read(meta: &MetaV1, body: &[u8]) -> usize {
        let Ok(reader) = BlockReader::new(meta, body, Parts::ALL) else { return 0 };
        (0..reader.len()).filter(|row| reader.event(*row).is_ok()).count()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

        /// Bytes that pass the checksum but were not written by us: an error, never a panic.
        #[test]
        fn hostile_bytes_are_refused(
            events in prop::collection::vec(arbitrary_event(), 1..8),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            events_claimed in 0..20u32,
        ) {
            let mut scratch = Scratch::default();
            let mut builder = BlockBuilder::new(&mut scratch);
            for event in &events {
                builder.push(event).unwrap();
            }
            let block = builder.finish().unwrap().unwrap();
            prop_assert_eq!(read(&block.meta, &block.body), events.len());
            let mut raw = decompress(&block.body, block.meta.raw_len, "body").unwrap();
            for (at, byte) in changes {
                let at = at.index(raw.len());
                raw[at] = byte;
            }
            let body = compress(&raw).unwrap();
            read(&block.meta, &body);
            read(&MetaV1 { events: events_claimed, ..block.meta.clone() }, &block.body);
            read(&MetaV1 { selectors: Vec::new(), ..block.meta.clone() }, &block.body);
            read(&MetaV1 { raw_len: u32::MAX, ..block.meta }, &body);
            let mut meta = block.meta_bytes;
            let at = meta.len() / 2;
            meta[at] ^= 0x55;
            let _ = MetaV1::from_bytes(&meta);
        }
    }

    #[test]
    fn a_typical_event_takes_less_than_60_bytes() {
        let config = GeneratorConfig { events: 4096, hours: 1, ..GeneratorConfig::default() };
        let events: Vec<_> = EventGenerator::new(1, config).collect();
        let mut scratch = Scratch::default();
        let mut builder = BlockBuilder::new(&mut scratch);
        for event in &events {
            builder.push(event).unwrap();
        }
        let block = builder.finish().unwrap().unwrap();
        let bytes = block.meta_bytes.len() + block.body.len();
        assert!(bytes < 60 * events.len(), "{} bytes an event", bytes / events.len());
    }
}

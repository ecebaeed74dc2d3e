//! Immutable files of compressed, checksummed blocks of rollups.

use super::codec::{Reader, Writer};
use crate::compression;
use crate::disk::{Disk, DiskFile, OpenMode, read_exact};
use crate::fault;
pub(super) use crate::marker::ROLLUPS as DIRECTORY;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::vec;
use telemetry_interfaces::{Error, Result, RollupQuery};
use telemetry_models::rollup::{Rollup, RollupPeriod};

const HEADER: &[u8; 12] = b"\x89TELROL\n\x01\0\0\0";
const TRAILER: &[u8; 8] = b"\xF5TELEND\n";
const TRAILER_LEN: u64 = 24;
/// A block is closed when it has so many bytes before compression.
const BLOCK_BYTES: usize = 32 << 10;
/// Bounds what damaged lengths can make the reader allocate.
const MAX_BLOCK_BYTES: u32 = 64 << 20;
const LEVEL: i32 = 3;

/// A file as the manifest knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRef {
    pub(super) file: String,
    pub(super) bytes: u64,
    pub(super) blake3: String,
}

/// Makes the bytes of a file from rollups in the order of selector, site and start.
pub(super) fn bytes_of(rollups: &[Rollup]) -> io::Result<Vec<u8>> {
    let mut bytes = HEADER.to_vec();
    let mut index = Writer::default();
    let mut block = Writer::default();
    let mut first = 0;
    for (at, rollup) in rollups.iter().enumerate() {
        block.row(rollup);
        if block.len() >= BLOCK_BYTES || at + 1 == rollups.len() {
            index.rows += 1;
            index.number(bytes.len() as u64);
            index.text(&rollups[first].selector.shared());
            index.text(&rollup.selector.shared());
            put_block(&block.finish(), &mut bytes)?;
            first = at + 1;
        }
    }
    let offset = bytes.len() as u64;
    put_block(&index.finish(), &mut bytes)?;
    let tail = bytes.len();
    bytes.extend_from_slice(TRAILER);
    bytes.extend_from_slice(&offset.to_le_bytes());
    bytes.extend_from_slice(&[0; 4]);
    let sum = crc32c::crc32c(&bytes[tail..]);
    bytes.extend_from_slice(&sum.to_le_bytes());
    Ok(bytes)
}

/// A block: length before compression, length after it, CRC-32C of both and of what follows; then
/// the compressed bytes.
pub(super) fn put_block(raw: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
    let body = compression::compress(raw, LEVEL)?;
    let length = |bytes: &[u8]| {
        u32::try_from(bytes.len())
            .ok()
            .filter(|it| *it <= MAX_BLOCK_BYTES)
            .ok_or_else(|| io::Error::other("the rollup of one selector takes more than 64 MiB"))
    };
    let mut header = [0; 8];
    header[..4].copy_from_slice(&length(raw)?.to_le_bytes());
    header[4..].copy_from_slice(&length(&body)?.to_le_bytes());
    let sum = crc32c::crc32c_append(crc32c::crc32c(&header), &body);
    into.extend_from_slice(&header);
    into.extend_from_slice(&sum.to_le_bytes());
    into.extend_from_slice(&body);
    Ok(())
}

/// Reads and checks a block that ends at or before `end`; gives it uncompressed, and its length.
pub(super) fn block_at(
    file: &dyn DiskFile,
    offset: u64,
    end: u64,
) -> io::Result<Result<(Vec<u8>, u64), &'static str>> {
    let room = end.saturating_sub(offset);
    if room < 12 {
        return Ok(Err("a block ends early"));
    }
    let header = read_exact(file, offset, 12)?;
    let number = |at: usize| {
        u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]])
    };
    let (raw_len, length, sum) = (number(0), number(4), number(8));
    if u64::from(length) > room - 12 || raw_len > MAX_BLOCK_BYTES {
        return Ok(Err("a block has impossible lengths"));
    }
    let body = read_exact(file, offset + 12, length as usize)?;
    if crc32c::crc32c_append(crc32c::crc32c(&header[..8]), &body) != sum {
        return Ok(Err("a block does not match its checksum"));
    }
    match compression::decompress(&body, raw_len as usize) {
        Ok(raw) if raw.len() == raw_len as usize => Ok(Ok((raw, 12 + u64::from(length)))),
        _ => Ok(Err("a block cannot be decompressed")),
    }
}

/// An open file, and where its blocks are.
#[derive(Debug)]
pub(super) struct RollupFile {
    name: String,
    file: Arc<dyn DiskFile>,
    period: RollupPeriod,
    blocks: Vec<BlockPlace>,
    end: u64,
}

#[derive(Debug)]
struct BlockPlace {
    offset: u64,
    first: Arc<str>,
    last: Arc<str>,
}

impl RollupFile {
    pub(super) fn open(
        disk: &dyn Disk,
        store: &Path,
        name: &str,
        period: RollupPeriod,
    ) -> Result<Self> {
        let path = store.join(DIRECTORY).join(name);
        let name = format!("{DIRECTORY}/{name}");
        let reading = |error| fault::io("read the rollups", &path, error);
        let damaged = |offset, what: &str| fault::damaged(&name, offset, what).cure(CURE);
        let file = disk.open(&path, OpenMode::Read).map_err(reading)?;
        let size = file.size().map_err(reading)?;
        let Some(end) = size.checked_sub(TRAILER_LEN) else {
            return Err(damaged(0, "the file ends early"));
        };
        let trailer = read_exact(&*file, end, TRAILER_LEN as usize).map_err(reading)?;
        let (told, sum) = trailer.split_at(20);
        if &told[..8] != TRAILER || crc32c::crc32c(told).to_le_bytes() != *sum {
            return Err(damaged(end, "the file has no intact end"));
        }
        let offset = u64::from_le_bytes(told[8..16].try_into().expect("8 of 24 bytes"));
        let header = read_exact(&*file, 0, HEADER.len().min(size as usize)).map_err(reading)?;
        if header != HEADER {
            return Err(damaged(0, "the file does not begin as rollups do"));
        }
        let index = block_at(&*file, offset, end).map_err(reading)?;
        let (raw, _) = index.map_err(|what| damaged(offset, what))?;
        let blocks = places(&raw).map_err(|what| damaged(offset, what))?;
        Ok(Self { name, file, period, blocks, end })
    }

    /// Reads the blocks that may hold what a query asks for.
    pub(super) fn rows(self, query: &RollupQuery) -> Rows {
        let may_hold = |it: &&BlockPlace| may_hold(query, &it.first, &it.last);
        let wanted: Vec<u64> = self.blocks.iter().filter(may_hold).map(|it| it.offset).collect();
        Rows {
            query: query.clone(),
            file: self,
            wanted: wanted.into_iter(),
            block: Vec::new().into_iter(),
        }
    }

    fn block(&self, offset: u64) -> Result<Vec<Rollup>> {
        let damaged = |what: &str| fault::damaged(&self.name, offset, what).cure(CURE);
        let read = block_at(&*self.file, offset, self.end)
            .map_err(|error| fault::io("read the rollups", self.name.as_ref(), error))?;
        let (raw, _) = read.map_err(damaged)?;
        let mut reader = Reader::new(&raw).map_err(damaged)?;
        // A row takes a byte at least.
        let mut rows =
            Vec::with_capacity((reader.rows as usize).min(raw.len() / size_of::<Rollup>()));
        for _ in 0..reader.rows {
            rows.push(reader.row(self.period).map_err(damaged)?);
        }
        if reader.is_empty() { Ok(rows) } else { Err(damaged("a block holds more than its rows")) }
    }
}

/// The rollups of a file that meet a query. Of a damaged block the error is given in place of all that
/// it holds.
pub(super) struct Rows {
    file: RollupFile,
    query: RollupQuery,
    wanted: vec::IntoIter<u64>,
    block: vec::IntoIter<Rollup>,
}

impl Iterator for Rows {
    type Item = Result<Rollup>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(row) = self.block.next() {
                if self.query.matches(&row) {
                    return Some(Ok(row));
                }
                continue;
            }
            match self.file.block(self.wanted.next()?) {
                Ok(rows) => self.block = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

pub(super) const CURE: &str = "run `telemetry store quarantine`, which takes the file out of use, then \
     `telemetry store rollup`: rollups whose events are still there are made anew";

/// Everything a file holds.
pub(super) fn read_all(
    disk: &dyn Disk,
    store: &Path,
    file: &FileRef,
    period: RollupPeriod,
) -> Result<Vec<Rollup>, Error> {
    let opened = RollupFile::open(disk, store, &file.file, period)?;
    opened.rows(&RollupQuery::all(period)).collect()
}

fn places(raw: &[u8]) -> Result<Vec<BlockPlace>, &'static str> {
    let mut reader = Reader::new(raw)?;
    (0..reader.rows)
        .map(|_| {
            Ok(BlockPlace { offset: reader.number()?, first: reader.text()?, last: reader.text()? })
        })
        .collect()
}

/// Whether a selector the query asks for can lie between two names.
fn may_hold(query: &RollupQuery, first: &str, last: &str) -> bool {
    let Some(pattern) = &query.selector else { return true };
    let pattern = pattern.as_str();
    let prefix = &pattern[..pattern.find(['*', '?']).unwrap_or(pattern.len())];
    let cut = |name: &str| name.as_bytes()[..name.len().min(prefix.len())].to_vec();
    cut(first).as_slice() <= prefix.as_bytes() && prefix.as_bytes() <= cut(last).as_slice()
}

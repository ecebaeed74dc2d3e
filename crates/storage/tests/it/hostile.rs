//! Bytes that somebody made on purpose: every checksum holds, the content is nonsense. Answers may
//! be anything or an error; no reader may panic, hang or take memory without bound.

use crate::events;
use fastrand::Rng;
use std::fs;
use std::ops::Range;
use std::path::Path;
use telemetry_interfaces::{EventStore, Maintenance, Query, RollupQuery, VerifyLevel};
use telemetry_models::rollup::RollupPeriod;
use telemetry_storage::{SegmentStore, StorageConfig};

const HEAD: usize = 28;
const FOOTER: u8 = 3;

fn config(path: &Path) -> StorageConfig {
    StorageConfig { compact_in_background: false, ..StorageConfig::at(path) }
}

fn u32_at(bytes: &[u8], at: usize) -> usize {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

/// A framed block of a segment: kind, description, body.
struct Block {
    kind: u8,
    meta: Vec<u8>,
    body: Vec<u8>,
}

/// Takes a segment apart: file header, blocks, trailer.
fn apart(segment: &[u8]) -> (Vec<u8>, Vec<Block>, Vec<u8>) {
    let first = segment.windows(8).position(|it| it == b"\xf5TELBLK\n").unwrap();
    let (mut at, mut blocks) = (first, Vec::new());
    while segment[at..].starts_with(b"\xf5TELBLK\n") {
        let (meta, body) = (u32_at(segment, at + 12), u32_at(segment, at + 16));
        let meta_at = at + HEAD;
        blocks.push(Block {
            kind: segment[at + 8],
            meta: segment[meta_at..meta_at + meta].to_vec(),
            body: segment[meta_at + meta..meta_at + meta + body].to_vec(),
        });
        at = meta_at + meta + body;
    }
    (segment[..first].to_vec(), blocks, segment[at..].to_vec())
}

/// Puts it together again, with right checksums, lengths and trailer.
fn together(header: &[u8], blocks: &[Block], trailer: &[u8]) -> Vec<u8> {
    let mut bytes = header.to_vec();
    let mut footer = 0;
    for block in blocks {
        if block.kind == FOOTER {
            footer = bytes.len() as u64;
        }
        let start = bytes.len();
        bytes.extend(b"\xf5TELBLK\n");
        bytes.extend([block.kind, 0, 0, 0]);
        bytes.extend((block.meta.len() as u32).to_le_bytes());
        bytes.extend((block.body.len() as u32).to_le_bytes());
        bytes.extend(crc32c::crc32c(&block.body).to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&bytes[start..]), &block.meta);
        bytes.extend(crc.to_le_bytes());
        bytes.extend(&block.meta);
        bytes.extend(&block.body);
    }
    let mut trailer = trailer.to_vec();
    trailer[8..16].copy_from_slice(&footer.to_le_bytes());
    trailer[16..48].copy_from_slice(blake3::hash(&bytes).as_bytes());
    let crc = crc32c::crc32c(&trailer[..52]);
    trailer[52..].copy_from_slice(&crc.to_le_bytes());
    bytes.extend(trailer);
    bytes
}

/// Changes some bytes; now and then their number.
fn spoil(bytes: &mut Vec<u8>, rng: &mut Rng) {
    const TELLING: [u8; 8] = [0, 1, 250, 251, 252, 253, 254, 255];
    for _ in 0..rng.usize(1..4) {
        if bytes.is_empty() {
            return;
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, rng.u8(..)),
            2 => bytes[at] = TELLING[rng.usize(..TELLING.len())],
            3 => {
                let end = (at + rng.usize(1..9)).min(bytes.len());
                bytes[at..end].fill(0xff);
            }
            _ => bytes[at] ^= 1 << rng.u8(..8),
        }
    }
}

/// Spoils what zstd made of something; the bytes behind `plain` are one frame of it.
fn spoil_packed(bytes: &mut Vec<u8>, plain: usize, rng: &mut Rng) {
    match zstd::bulk::decompress(&bytes[plain..], 1 << 24) {
        Ok(mut raw) => {
            spoil(&mut raw, rng);
            bytes.truncate(plain);
            bytes.extend(zstd::bulk::compress(&raw, 1).unwrap());
        }
        Err(_) => spoil(bytes, rng),
    }
}

/// Everything a reader can do with a store.
fn use_it(path: &Path) {
    let Ok(reader) = SegmentStore::open_read_only(path) else { return };
    if let Ok(answer) = reader.query(&Query::all()) {
        // Nobody asks a broken store for more than this.
        let _ = answer.take(10_000).filter(Result::is_ok).count();
    }
    let _ = reader.ledgers();
    let _ = reader.stats();
    let _ = reader.verify(VerifyLevel::Deep, &mut |_, _| {});
}

fn segments(compacted: bool, rounds: Range<u64>) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    let writer = SegmentStore::open(&config(&store)).unwrap();
    for batch in events(120).chunks(60) {
        writer.append(batch).unwrap();
    }
    drop(writer);
    let mut name = "segments/00000001.seg";
    if compacted {
        SegmentStore::open(&config(&store)).unwrap().compact(&mut |_, _| {}).unwrap();
        name = "segments/00000001-00000001.seg";
    }
    let path = store.join(name);
    let (header, blocks, trailer) = apart(&fs::read(&path).unwrap());
    assert!(together(&header, &blocks, &trailer) == fs::read(&path).unwrap(), "nothing is lost");
    for round in rounds {
        let mut rng = Rng::with_seed(round);
        let (header, mut blocks, trailer) = apart(&fs::read(&path).unwrap());
        let at = rng.usize(..blocks.len());
        let block = &mut blocks[at];
        match (block.kind, rng.bool()) {
            (FOOTER, _) => spoil_packed(&mut block.body, 4, &mut rng),
            (1, true) => spoil_packed(&mut block.body, 0, &mut rng),
            (_, true) if !block.body.is_empty() => spoil(&mut block.body, &mut rng),
            _ => spoil(&mut block.meta, &mut rng),
        }
        // Half of the time the index is what it was, otherwise blocks are read one by one.
        let mut bytes = together(&header, &blocks, &trailer);
        if rng.bool() {
            bytes.truncate(bytes.len() - 1);
        }
        let spoilt = directory.path().join("spoilt");
        fs::create_dir_all(spoilt.join("segments")).unwrap();
        fs::copy(store.join("telemetry-store.json"), spoilt.join("telemetry-store.json")).unwrap();
        fs::write(spoilt.join(name), bytes).unwrap();
        use_it(&spoilt);
    }
}

#[test]
fn logs() {
    segments(false, 0..1500);
}

#[test]
fn sorted_segments() {
    segments(true, 0..1500);
}

#[test]
fn rollups() {
    let directory = tempfile::tempdir().unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    store.append(&events(60)).unwrap();
    store.rollups().unwrap().roll_up(&mut |_, _| {}).unwrap();
    let folder = directory.path().join("rollups");
    let names: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "rollup"))
        .collect();
    for round in 0..600 {
        let mut rng = Rng::with_seed(round);
        let path = &names[rng.usize(..names.len())];
        let sound = fs::read(path).unwrap();
        // The first block of the file: after the header, or at the beginning.
        let begins = if sound.starts_with(b"\x89TELROL\n") { 12 } else { 0 };
        let length = u32_at(&sound, begins + 4);
        let mut body = sound[begins + 12..begins + 12 + length].to_vec();
        spoil_packed(&mut body, 0, &mut rng);
        let raw = zstd::bulk::decompress(&body, 1 << 24).map_or(9, |raw| raw.len());
        let mut spoilt = sound[..begins].to_vec();
        spoilt.extend((raw as u32).to_le_bytes());
        spoilt.extend((body.len() as u32).to_le_bytes());
        let crc = crc32c::crc32c_append(crc32c::crc32c(&spoilt[begins..]), &body);
        spoilt.extend(crc.to_le_bytes());
        spoilt.extend(&body);
        let mut rest = sound[begins + 12 + length..].to_vec();
        let moved = spoilt.len() as i64 - (begins + 12 + length) as i64;
        if let Some(at) = rest.len().checked_sub(24).filter(|_| begins > 0) {
            let index = u64::from_le_bytes(rest[at + 8..at + 16].try_into().unwrap());
            let index = index.wrapping_add_signed(moved);
            rest[at + 8..at + 16].copy_from_slice(&index.to_le_bytes());
            let crc = crc32c::crc32c(&rest[at..at + 20]);
            rest[at + 20..].copy_from_slice(&crc.to_le_bytes());
        }
        spoilt.extend(rest);
        fs::write(path, &spoilt).unwrap();
        for period in RollupPeriod::ALL {
            if let Ok(answer) = store.rollups().unwrap().query_rollups(&RollupQuery::all(*period)) {
                let _ = answer.rollups.take(10_000).filter(Result::is_ok).count();
            }
        }
        let _ = store.verify(VerifyLevel::Deep, &mut |_, _| {});
        fs::write(path, &sound).unwrap();
    }
}

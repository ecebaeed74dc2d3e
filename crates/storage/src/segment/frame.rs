//! How a segment file is laid out: file header, framed blocks, trailer. Little endian throughout.
//! `docs/specs/segment-format.md` describes every byte.

use super::names::SegmentId;
use crate::disk::{DiskFile, read_exact};
use std::io;

/// Of logs.
const LOG: u32 = 1;
/// Of sorted segments.
const SORTED: u32 = 2;
/// Of segments whose events are in Parquet files.
const IN_PARQUET: u32 = 3;
/// The newest version this program reads.
const VERSION: u32 = IN_PARQUET;
const FILE_MAGIC: [u8; 8] = *b"\x89TELSEG\n";
const BLOCK_MAGIC: [u8; 8] = *b"\xf5TELBLK\n";
const TRAILER_MAGIC: [u8; 8] = *b"\xf5TELEND\n";
const FILE_HEADER_LEN: usize = 24;
const SORTED_HEADER_LEN: usize = 36;
const HEAD_LEN: usize = 28;
pub(crate) const TRAILER_LEN: usize = 56;

/// Events: description and compressed body.
pub(crate) const EVENTS: u8 = 1;
/// A ledger: all of it is the description.
pub(crate) const LEDGER: u8 = 2;
/// The index of a sealed segment: all of it is the body.
pub(crate) const FOOTER: u8 = 3;
/// What the rows after it share.
pub(crate) const DICTIONARY: u8 = 4;
/// The identifiers of the rows after it: all of it is the body.
pub(crate) const FILTER: u8 = 5;
/// Events sorted by selector.
pub(crate) const ROWS: u8 = 6;
/// Events sorted by selector in a row group of a Parquet file: the body says which.
pub(crate) const WARM: u8 = 7;
/// What is remembered of a sealed segment: all of it is the body. In the file of summaries alone.
pub(crate) const SUMMARY: u8 = 8;

const fn version(id: SegmentId) -> u32 {
    match (id.sorted, id.warm) {
        (_, true) => IN_PARQUET,
        (true, false) => SORTED,
        (false, false) => LOG,
    }
}

/// Bytes in front of the first block.
pub(crate) const fn header_len(id: SegmentId) -> usize {
    if id.sorted { SORTED_HEADER_LEN } else { FILE_HEADER_LEN }
}

pub(crate) fn file_header(id: SegmentId) -> Vec<u8> {
    let mut header = FILE_MAGIC.to_vec();
    header.extend(version(id).to_le_bytes());
    header.extend(id.first.to_le_bytes());
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    if id.sorted {
        header.extend(id.last.to_le_bytes());
        header.extend(crc32c::crc32c(&header[FILE_HEADER_LEN..]).to_le_bytes());
    }
    header
}

/// Where the lines of a filter begin, and how many there are, in the block at an offset.
pub(crate) fn filter_lines(offset: u64, length: u64) -> (u64, usize) {
    let body = length.saturating_sub(HEAD_LEN as u64);
    (offset + HEAD_LEN as u64, body as usize / crate::codec::sorted::LINE)
}

/// What the first bytes of a file say.
pub(crate) enum FileHeader {
    /// A segment of a known version.
    Good(SegmentId),
    /// A segment of a later version.
    Newer,
    /// Anything else.
    Bad,
}

pub(crate) fn parse_file_header(bytes: &[u8]) -> FileHeader {
    if bytes.len() < FILE_HEADER_LEN
        || bytes[..8] != FILE_MAGIC
        || crc32c::crc32c(&bytes[..20]) != u32_at(bytes, 20)
    {
        return FileHeader::Bad;
    }
    let first = u64_at(bytes, 12);
    match u32_at(bytes, 8) {
        LOG => FileHeader::Good(SegmentId::log(first)),
        version @ (SORTED | IN_PARQUET)
            if bytes.len() >= SORTED_HEADER_LEN
                && crc32c::crc32c(&bytes[24..32]) == u32_at(bytes, 32) =>
        {
            let (last, warm) = (u64_at(bytes, 24), version == IN_PARQUET);
            FileHeader::Good(SegmentId { first, last, sorted: true, warm })
        }
        version if version > VERSION => FileHeader::Newer,
        _ => FileHeader::Bad,
    }
}

/// Appends a framed block and returns its length.
pub(crate) fn frame(kind: u8, meta: &[u8], body: &[u8], into: &mut Vec<u8>) -> u64 {
    let start = into.len();
    into.extend(BLOCK_MAGIC);
    into.extend([kind, 0, 0, 0]);
    into.extend((meta.len() as u32).to_le_bytes());
    into.extend((body.len() as u32).to_le_bytes());
    into.extend(crc32c::crc32c(body).to_le_bytes());
    let crc = crc32c::crc32c_append(crc32c::crc32c(&into[start..]), meta);
    into.extend(crc.to_le_bytes());
    into.extend(meta);
    into.extend(body);
    (into.len() - start) as u64
}

/// A block whose checksums hold.
pub(crate) struct Block {
    pub(crate) kind: u8,
    pub(crate) length: u64,
    pub(crate) meta: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

/// What is found where a block should begin.
pub(crate) enum Found {
    Block(Block),
    /// Head and description are right, the body is not.
    BadBody {
        meta: Vec<u8>,
        kind: u8,
        length: u64,
    },
    /// Not a block, or one that does not end within the file.
    Nothing,
}

/// Reads the block at an offset of a file of which `end` bytes count.
pub(crate) fn read_block(file: &dyn DiskFile, offset: u64, end: u64) -> io::Result<Found> {
    if end.saturating_sub(offset) < HEAD_LEN as u64 {
        return Ok(Found::Nothing);
    }
    let head = read_exact(file, offset, HEAD_LEN)?;
    if head[..8] != BLOCK_MAGIC {
        return Ok(Found::Nothing);
    }
    let (kind, meta_len, body_len) = (head[8], u32_at(&head, 12), u32_at(&head, 16));
    let length = HEAD_LEN as u64 + u64::from(meta_len) + u64::from(body_len);
    if length > end - offset {
        return Ok(Found::Nothing);
    }
    let meta = read_exact(file, offset + HEAD_LEN as u64, meta_len as usize)?;
    let head_crc = crc32c::crc32c_append(crc32c::crc32c(&head[..24]), &meta);
    if head_crc != u32_at(&head, 24) || head[9..12] != [0; 3] {
        return Ok(Found::Nothing);
    }
    let body_at = offset + HEAD_LEN as u64 + u64::from(meta_len);
    let body = read_exact(file, body_at, body_len as usize)?;
    if crc32c::crc32c(&body) != u32_at(&head, 20) {
        return Ok(Found::BadBody { meta, kind, length });
    }
    Ok(Found::Block(Block { kind, length, meta, body }))
}

/// The offset of the next valid block at or after `from`.
pub(crate) fn find_block(file: &dyn DiskFile, from: u64, end: u64) -> io::Result<Option<u64>> {
    const WINDOW: u64 = 256 << 10;
    let mut at = from;
    while at + HEAD_LEN as u64 <= end {
        let length = WINDOW.min(end - at);
        let window = read_exact(file, at, length as usize)?;
        for (place, _) in
            window.windows(BLOCK_MAGIC.len()).enumerate().filter(|(_, it)| **it == BLOCK_MAGIC)
        {
            let candidate = at + place as u64;
            if let Found::Block(_) = read_block(file, candidate, end)? {
                return Ok(Some(candidate));
            }
        }
        // Windows overlap, so that a magic on the border is seen.
        at += (length - BLOCK_MAGIC.len() as u64 + 1).max(1);
    }
    Ok(None)
}

/// The end of a sealed segment.
pub(crate) struct Trailer {
    pub(crate) footer: u64,
    /// Of every byte in front of the trailer.
    pub(crate) blake3: [u8; 32],
}

impl Trailer {
    pub(crate) fn to_bytes(&self, id: SegmentId) -> [u8; TRAILER_LEN] {
        let mut bytes = [0; TRAILER_LEN];
        bytes[..8].copy_from_slice(&TRAILER_MAGIC);
        bytes[8..16].copy_from_slice(&self.footer.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.blake3);
        bytes[48..52].copy_from_slice(&version(id).to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..52]);
        bytes[52..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the trailer that ends at `end`.
    pub(crate) fn read(file: &dyn DiskFile, end: u64) -> io::Result<Option<Self>> {
        if end < (FILE_HEADER_LEN + TRAILER_LEN) as u64 {
            return Ok(None);
        }
        let bytes = read_exact(file, end - TRAILER_LEN as u64, TRAILER_LEN)?;
        if bytes[..8] != TRAILER_MAGIC || crc32c::crc32c(&bytes[..52]) != u32_at(&bytes, 52) {
            return Ok(None);
        }
        let mut blake3 = [0; 32];
        blake3.copy_from_slice(&bytes[16..48]);
        Ok(Some(Self { footer: u64_at(&bytes, 8), blake3 }))
    }
}

/// BLAKE3 of the first `end` bytes of a file.
pub(crate) fn hash(file: &dyn DiskFile, end: u64) -> io::Result<blake3::Hasher> {
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while at < end {
        let length = (end - at).min(1 << 20);
        hasher.update(&read_exact(file, at, length as usize)?);
        at += length;
    }
    Ok(hasher)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(word)
}

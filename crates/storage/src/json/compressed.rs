//! Lines of a closed day, compressed: zstd frames that `zstd -d` and `zstdcat` read, with the table
//! of zstd's seekable format at the end, so that a line is found without reading what is before it.
//! Source: `contrib/seekable_format/zstd_seekable_compression_format.md` of zstd.

use crate::disk::{self, DiskFile};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::CParameter;

/// Bytes of a frame before compression: what a reader of one line decompresses at least.
const FRAME: u64 = 1 << 20;
const LEVEL: i32 = 3;
/// Frames kept decompressed: lines that follow each other in time lie near each other.
const KEPT: usize = 4;
/// Frames with this magic are passed over by every decoder. Ours is the first, and holds the length
/// and the BLAKE3 of the lines that the last compression added.
const COVERS_MAGIC: u32 = 0x184D_2A50;
const COVERS_LEN: usize = 40;
const TABLE_MAGIC: u32 = 0x184D_2A5E;
const FOOTER_MAGIC: u32 = 0x8F92_EAB1;
const FOOTER_LEN: usize = 9;
const SKIPPABLE_HEAD: usize = 8;
/// What somebody else compressed is read whole, up to this.
const MOST_FOREIGN: u64 = 1 << 30;

/// A compressed file, read as if it were not.
#[derive(Debug)]
pub(super) struct Compressed {
    file: Arc<dyn DiskFile>,
    frames: Vec<Frame>,
    size: u64,
    kept: Mutex<Vec<(usize, Arc<Vec<u8>>)>>,
    covers: Option<(u64, [u8; 32])>,
}

#[derive(Debug)]
struct Frame {
    offset: u64,
    length: u32,
    /// Where its first byte stands in the whole.
    start: u64,
    size: u32,
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

impl Compressed {
    pub(super) fn open(file: Arc<dyn DiskFile>) -> io::Result<Self> {
        let end = file.size()?;
        let footer_at = end.checked_sub(FOOTER_LEN as u64);
        let footer = footer_at.map(|at| disk::read_exact(&*file, at, FOOTER_LEN)).transpose()?;
        let Some(footer) = footer.filter(|it| word(it, 5) == FOOTER_MAGIC) else {
            return Self::foreign(file, end);
        };
        let (count, each) =
            (u64::from(word(&footer, 0)), if footer[4] & 0x80 == 0 { 8 } else { 12 });
        let length = count * each;
        let table_at = (end - FOOTER_LEN as u64)
            .checked_sub(length)
            .filter(|it| *it >= SKIPPABLE_HEAD as u64)
            .ok_or_else(|| damaged("the table of frames is longer than the file"))?;
        let table = disk::read_exact(&*file, table_at, length as usize)?;
        let (mut offset, mut start) = (0u64, 0u64);
        let mut frames = Vec::new();
        for entry in table.chunks_exact(each as usize) {
            let (length, size) = (word(entry, 0), word(entry, 4));
            // The first holds what is covered, and no lines.
            if size > 0 {
                if u64::from(size) > FRAME * 64 {
                    return Err(damaged("the table of frames names an impossible length"));
                }
                frames.push(Frame { offset, length, start, size });
            }
            offset += u64::from(length);
            start += u64::from(size);
        }
        if offset + SKIPPABLE_HEAD as u64 != table_at {
            return Err(damaged("the table of frames does not describe the file"));
        }
        let covers = Self::read_covers(&*file, end)?;
        Ok(Self { file, frames, size: start, kept: Mutex::default(), covers })
    }

    /// Compressed by somebody else, without a table.
    fn foreign(file: Arc<dyn DiskFile>, end: u64) -> io::Result<Self> {
        if end > MOST_FOREIGN {
            return Err(damaged("too large to be read without a table of frames"));
        }
        let bytes = disk::read_exact(&*file, 0, end as usize)?;
        let mut decoder = zstd::stream::read::Decoder::new(&bytes[..])
            .map_err(|error| damaged(&format!("no zstd file: {error}")))?;
        let mut lines = Vec::new();
        let mut limited = io::Read::take(&mut decoder, MOST_FOREIGN);
        io::Read::read_to_end(&mut limited, &mut lines)
            .map_err(|error| damaged(&format!("cannot be decompressed: {error}")))?;
        let size = lines.len() as u64;
        if size == MOST_FOREIGN {
            return Err(damaged("too large to be read without a table of frames"));
        }
        let frame = Frame { offset: 0, length: 0, start: 0, size: size as u32 };
        let frames = if size == 0 { Vec::new() } else { vec![frame] };
        let kept = Mutex::new(vec![(0, Arc::new(lines))]);
        Ok(Self { file, frames, size, kept, covers: None })
    }

    fn read_covers(file: &dyn DiskFile, end: u64) -> io::Result<Option<(u64, [u8; 32])>> {
        if end < (SKIPPABLE_HEAD + COVERS_LEN) as u64 {
            return Ok(None);
        }
        let head = disk::read_exact(file, 0, SKIPPABLE_HEAD + COVERS_LEN)?;
        if word(&head, 0) != COVERS_MAGIC || word(&head, 4) != COVERS_LEN as u32 {
            return Ok(None);
        }
        let (mut length, mut hash) = ([0; 8], [0; 32]);
        length.copy_from_slice(&head[SKIPPABLE_HEAD..SKIPPABLE_HEAD + 8]);
        hash.copy_from_slice(&head[SKIPPABLE_HEAD + 8..]);
        Ok(Some((u64::from_le_bytes(length), hash)))
    }

    /// How much at the beginning of the uncompressed file of the day is in here already: all of what
    /// the last compression took, when its removal was interrupted, otherwise nothing.
    pub(super) fn covers(&self, lines: &dyn DiskFile, size: u64) -> io::Result<u64> {
        let Some((length, hash)) = self.covers.filter(|(length, _)| *length <= size) else {
            return Ok(0);
        };
        Ok(if hash_of(lines, length)?.as_bytes() == &hash { length } else { 0 })
    }

    fn frame(&self, at: usize) -> io::Result<Arc<Vec<u8>>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = kept.iter().position(|(it, _)| *it == at) {
            let found = kept.remove(place);
            let lines = Arc::clone(&found.1);
            kept.push(found);
            return Ok(lines);
        }
        let frame = &self.frames[at];
        let packed = disk::read_exact(&*self.file, frame.offset, frame.length as usize)?;
        let lines = Decompressor::new()?
            .decompress(&packed, frame.size as usize)
            .ok()
            .filter(|lines| lines.len() == frame.size as usize)
            .ok_or_else(|| damaged("a frame cannot be decompressed"))?;
        let lines = Arc::new(lines);
        if kept.len() >= KEPT {
            kept.remove(0);
        }
        kept.push((at, Arc::clone(&lines)));
        Ok(lines)
    }
}

/// BLAKE3 of the first bytes of a file.
pub(super) fn hash_of(file: &dyn DiskFile, length: u64) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    while at < length {
        let piece = disk::read_exact(file, at, (length - at).min(FRAME) as usize)?;
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    Ok(hasher.finalize())
}

/// What was compressed.
pub(super) struct Written {
    pub(super) size: u64,
    pub(super) hash: blake3::Hash,
    pub(super) lines: u64,
}

/// Writes a compressed file of several parts, the last of which is what `covers` will know.
pub(super) fn write(parts: &[(&dyn DiskFile, u64)], into: &dyn DiskFile) -> io::Result<Written> {
    let mut packer = Compressor::new(LEVEL)?;
    packer.set_parameter(CParameter::ChecksumFlag(true))?;
    let covered = match parts.last() {
        Some((file, length)) => (*length, *hash_of(*file, *length)?.as_bytes()),
        None => (0, *blake3::hash(b"").as_bytes()),
    };
    let mut head = COVERS_MAGIC.to_le_bytes().to_vec();
    head.extend((COVERS_LEN as u32).to_le_bytes());
    head.extend(covered.0.to_le_bytes());
    head.extend(covered.1);
    into.append(&head)?;
    let mut table = vec![(head.len() as u32, 0u32)];
    let mut hasher = blake3::Hasher::new();
    let (mut size, mut count) = (0, 0);
    for (file, length) in parts {
        let mut at = 0;
        while at < *length {
            let lines = disk::read_exact(*file, at, (length - at).min(FRAME) as usize)?;
            hasher.update(&lines);
            count += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
            let packed = packer.compress(&lines)?;
            into.append(&packed)?;
            table.push((packed.len() as u32, lines.len() as u32));
            at += lines.len() as u64;
        }
        size += length;
    }
    let mut tail = TABLE_MAGIC.to_le_bytes().to_vec();
    tail.extend(((table.len() * 8 + FOOTER_LEN) as u32).to_le_bytes());
    for (length, size) in &table {
        tail.extend(length.to_le_bytes());
        tail.extend(size.to_le_bytes());
    }
    tail.extend((table.len() as u32).to_le_bytes());
    tail.push(0);
    tail.extend(FOOTER_MAGIC.to_le_bytes());
    into.append(&tail)?;
    Ok(Written { size, hash: hasher.finalize(), lines: count })
}

impl DiskFile for Compressed {
    fn size(&self) -> io::Result<u64> {
        Ok(self.size)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if offset >= self.size || buffer.is_empty() {
            return Ok(0);
        }
        let at = self.frames.partition_point(|it| it.start + u64::from(it.size) <= offset);
        let lines = self.frame(at)?;
        let from = (offset - self.frames[at].start) as usize;
        let length = buffer.len().min(lines.len() - from);
        buffer[..length].copy_from_slice(&lines[from..from + length]);
        Ok(length)
    }

    fn append(&self, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

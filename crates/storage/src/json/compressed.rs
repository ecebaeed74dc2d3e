//! Lines of a closed day, compressed: zstd frames that `zstd -d` and `zstdcat` read, with the table
//! of zstd's seekable format at the end, so that a line is found without reading what is before it.
//! Source: `contrib/seekable_format/zstd_seekable_compression_format.md` of zstd.

use crate::disk::{self, DiskFile};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use zstd::bulk::{Compressor, Decompressor};
use zstd::zstd_safe::{self, CParameter};

/// Bytes of a frame before compression, about: what a reader of one line decompresses at least, and
/// what one that is damaged costs.
const FRAME: u64 = 1 << 20;
/// The most that a frame has, when a line is long.
const LONGEST: u64 = FRAME * 64;
/// The most bytes that tell how long a frame is before compression.
const HEAD_LEN: u64 = 18;
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
    damage: Mutex<BTreeSet<(u64, u64, &'static str)>>,
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
        let covers = Self::read_covers(&*file, end)?;
        let table = match Self::by_table(&*file, end) {
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
            table => table?,
        };
        let (frames, damage) = match table {
            Some(frames) => (frames, BTreeSet::new()),
            // Ours begin with what is covered; what somebody else compressed has no table.
            None if covers.is_none() => return Self::foreign(file, end),
            None => {
                let (frames, known, table) = Self::by_frames(&*file, end)?;
                let size = frames.last().map_or(0, |it| it.start + u64::from(it.size));
                let what = match (table, end - known) {
                    (true, _) => (size, 0, "the table of frames is damaged, and not needed"),
                    (false, 0) => (size, 0, "the end is missing, and lines may be lost with it"),
                    (false, rest) => (size, rest, "bytes that are no frame"),
                };
                (frames, BTreeSet::from([what]))
            }
        };
        let size = frames.last().map_or(0, |it| it.start + u64::from(it.size));
        Ok(Self { file, frames, size, kept: Mutex::default(), covers, damage: damage.into() })
    }

    /// The frames with lines according to the table at the end; `None` without one.
    fn by_table(file: &dyn DiskFile, end: u64) -> io::Result<Option<Vec<Frame>>> {
        let footer_at = end.checked_sub(FOOTER_LEN as u64);
        let footer = footer_at.map(|at| disk::read_exact(file, at, FOOTER_LEN)).transpose()?;
        let Some(footer) = footer.filter(|it| word(it, 5) == FOOTER_MAGIC) else {
            return Ok(None);
        };
        let (count, each) =
            (u64::from(word(&footer, 0)), if footer[4] & 0x80 == 0 { 8 } else { 12 });
        let length = count * each;
        let table_at = (end - FOOTER_LEN as u64)
            .checked_sub(length)
            .filter(|it| *it >= SKIPPABLE_HEAD as u64)
            .ok_or_else(|| damaged("the table of frames is longer than the file"))?;
        let table = disk::read_exact(file, table_at, length as usize)?;
        let (mut offset, mut start) = (0u64, 0u64);
        let mut frames = Vec::new();
        for entry in table.chunks_exact(each as usize) {
            let (length, size) = (word(entry, 0), word(entry, 4));
            // The first holds what is covered, and no lines.
            if size > 0 {
                if u64::from(size) > LONGEST {
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
        for frame in &frames {
            let length = u64::from(frame.length).min(HEAD_LEN) as usize;
            let head = disk::read_exact(file, frame.offset, length)?;
            // A damaged head does not tell; what follows it is found by the table all the same.
            if let Ok(Some(size)) = zstd_safe::get_frame_content_size(&head)
                && size != u64::from(frame.size)
                && Self::whole(file, frame, size)?
            {
                return Err(damaged("the table of frames does not describe the frames"));
            }
        }
        Ok(Some(frames))
    }

    /// Whether a frame is what its own head says.
    fn whole(file: &dyn DiskFile, frame: &Frame, size: u64) -> io::Result<bool> {
        let packed = disk::read_exact(file, frame.offset, frame.length as usize)?;
        let lines = Decompressor::new()?.decompress(&packed, size.min(LONGEST) as usize);
        Ok(lines.is_ok_and(|it| it.len() as u64 == size))
    }

    /// The frames with lines, found one after the other; where that ends, and whether that is at the
    /// table.
    fn by_frames(file: &dyn DiskFile, end: u64) -> io::Result<(Vec<Frame>, u64, bool)> {
        let (mut offset, mut start) = ((SKIPPABLE_HEAD + COVERS_LEN) as u64, 0);
        let mut frames = Vec::new();
        while offset + SKIPPABLE_HEAD as u64 <= end {
            let mut found = None;
            // As long as frames usually are, and longer than any.
            for most in [2 * FRAME, 2 * LONGEST] {
                let packed = disk::read_exact(file, offset, (end - offset).min(most) as usize)?;
                if word(&packed, 0) == TABLE_MAGIC {
                    return Ok((frames, offset, true));
                }
                let length = zstd_safe::find_frame_compressed_size(&packed).ok();
                let size = zstd_safe::get_frame_content_size(&packed).ok().flatten();
                found = length.zip(size).filter(|(_, size)| (1..=LONGEST).contains(size));
                if found.is_some() {
                    break;
                }
            }
            let Some((length, size)) = found else { break };
            frames.push(Frame { offset, length: length as u32, start, size: size as u32 });
            offset += length as u64;
            start += size;
        }
        Ok((frames, offset, false))
    }

    /// What was found damaged so far: where its lines would begin, how many bytes of them there
    /// were, and what it is.
    pub(super) fn damage(&self) -> Vec<(u64, u64, &'static str)> {
        self.damage.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().collect()
    }

    /// Compressed by somebody else, without a table.
    fn foreign(file: Arc<dyn DiskFile>, end: u64) -> io::Result<Self> {
        if end == 0 {
            // Even of no lines something is left.
            return Err(damaged("the file is empty"));
        }
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
        Ok(Self { file, frames, size, kept, covers: None, damage: Mutex::default() })
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

    /// Length and hash of the lines that the last compression added.
    pub(super) fn covered(&self) -> (u64, [u8; 32]) {
        self.covers.unwrap_or((0, *blake3::hash(b"").as_bytes()))
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
            .filter(|lines| lines.len() == frame.size as usize);
        let lines = Arc::new(lines.unwrap_or_else(|| {
            let mut damage = self.damage.lock().unwrap_or_else(PoisonError::into_inner);
            let size = u64::from(frame.size);
            damage.insert((frame.start, size, "a frame cannot be decompressed"));
            // Empty lines, which are passed over: what follows stands where it stood.
            vec![b'\n'; frame.size as usize]
        }));
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

/// A compressed file that is being written.
pub(super) struct Packer<'f> {
    into: &'f dyn DiskFile,
    packer: Compressor<'static>,
    table: Vec<(u32, u32)>,
    hasher: blake3::Hasher,
    pending: Vec<u8>,
    size: u64,
    lines: u64,
}

impl<'f> Packer<'f> {
    /// `covered`: length and hash of the lines whose file is removed afterwards.
    pub(super) fn new(into: &'f dyn DiskFile, covered: (u64, [u8; 32])) -> io::Result<Self> {
        let mut packer = Compressor::new(LEVEL)?;
        packer.set_parameter(CParameter::ChecksumFlag(true))?;
        let mut head = COVERS_MAGIC.to_le_bytes().to_vec();
        head.extend((COVERS_LEN as u32).to_le_bytes());
        head.extend(covered.0.to_le_bytes());
        head.extend(covered.1);
        into.append(&head)?;
        Ok(Self {
            into,
            packer,
            table: vec![(head.len() as u32, 0u32)],
            hasher: blake3::Hasher::new(),
            pending: Vec::new(),
            size: 0,
            lines: 0,
        })
    }

    pub(super) fn add(&mut self, lines: &[u8]) -> io::Result<()> {
        self.hasher.update(lines);
        self.size += lines.len() as u64;
        self.lines += lines.iter().filter(|byte| **byte == b'\n').count() as u64;
        self.pending.extend(lines);
        while self.pending.len() as u64 >= FRAME {
            // Whole lines: a damaged frame then costs no line of its neighbours.
            let near = self.pending[..FRAME as usize].iter().rposition(|byte| *byte == b'\n');
            let far = || self.pending.iter().position(|byte| *byte == b'\n');
            let end = match near.or_else(far) {
                Some(at) => at + 1,
                None if (self.pending.len() as u64) < LONGEST / 2 => return Ok(()),
                None => self.pending.len(),
            };
            self.frame(end)?;
        }
        Ok(())
    }

    fn frame(&mut self, end: usize) -> io::Result<()> {
        for lines in self.pending[..end].chunks(LONGEST as usize) {
            let packed = self.packer.compress(lines)?;
            self.into.append(&packed)?;
            self.table.push((packed.len() as u32, lines.len() as u32));
        }
        self.pending.drain(..end);
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<Written> {
        self.frame(self.pending.len())?;
        let mut tail = TABLE_MAGIC.to_le_bytes().to_vec();
        tail.extend(((self.table.len() * 8 + FOOTER_LEN) as u32).to_le_bytes());
        for (length, size) in &self.table {
            tail.extend(length.to_le_bytes());
            tail.extend(size.to_le_bytes());
        }
        tail.extend((self.table.len() as u32).to_le_bytes());
        tail.push(0);
        tail.extend(FOOTER_MAGIC.to_le_bytes());
        self.into.append(&tail)?;
        Ok(Written { size: self.size, hash: self.hasher.finalize(), lines: self.lines })
    }
}

/// Writes a compressed file of several parts, the last of which is what `covers` will know.
pub(super) fn write(parts: &[(&dyn DiskFile, u64)], into: &dyn DiskFile) -> io::Result<Written> {
    let covered = match parts.last() {
        Some((file, length)) => (*length, *hash_of(*file, *length)?.as_bytes()),
        None => (0, *blake3::hash(b"").as_bytes()),
    };
    let mut packer = Packer::new(into, covered)?;
    for (file, length) in parts {
        let mut at = 0;
        while at < *length {
            let lines = disk::read_exact(*file, at, (length - at).min(FRAME) as usize)?;
            packer.add(&lines)?;
            at += lines.len() as u64;
        }
    }
    packer.finish()
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

//! Finds out what a segment file holds.

use super::frame::{self, FileHeader, Found, Trailer};
use super::names::SegmentId;
use crate::codec::sorted::RowsMetaV2;
use crate::codec::{EntryV1, FooterV1, MetaV1, WarmMetaV3};
use crate::disk::{DiskFile, read_exact};
use std::io;

/// What was found in a segment file, or in a part of it.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    pub(crate) entries: Vec<EntryV1>,
    pub(crate) gaps: Vec<Gap>,
    /// Everything in front of this offset is a block, a gap or the file header.
    pub(crate) end: u64,
    /// What follows `end`, in bytes: the beginning of a block or damage.
    pub(crate) tail: u64,
    pub(crate) sealed: bool,
    /// Of a format that this program does not know: left alone, and reported.
    pub(crate) newer: bool,
}

pub(crate) const NEWER: &str =
    "a newer version of this program wrote the segment; use that one to read it";

pub(crate) const BEHIND: &str = "bytes after the end of the segment";

/// Bytes between blocks that should be blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) offset: u64,
    pub(crate) length: u64,
    /// Events lost with it, when known.
    pub(crate) events: Option<u64>,
    /// Whether nothing that was stored is lost with it.
    pub(crate) harmless: bool,
    pub(crate) what: &'static str,
}

/// Reads a segment from its beginning: by its footer when it has one, block by block otherwise.
pub(crate) fn load(file: &dyn DiskFile, id: SegmentId, size: u64) -> io::Result<Scan> {
    let header_len = frame::header_len(id) as u64;
    let header = read_exact(file, 0, header_len.min(size) as usize)?;
    let header = match frame::parse_file_header(&header) {
        FileHeader::Newer => {
            let gap = Gap { offset: 0, length: size, events: None, harmless: false, what: NEWER };
            return Ok(Scan {
                gaps: vec![gap],
                end: size,
                sealed: true,
                newer: true,
                ..Scan::default()
            });
        }
        FileHeader::Good(_) => None,
        // Begun and not finished: nothing was ever stored in it, and recovery removes it.
        FileHeader::Bad if size <= header_len => return Ok(Scan::default()),
        FileHeader::Bad => Some(Gap {
            offset: 0,
            length: header_len,
            events: Some(0),
            harmless: true,
            what: "the file header is damaged",
        }),
    };
    let mut scan = match from_footer(file, header_len, size)? {
        Some(scan) => scan,
        None => blocks(file, header_len, size)?,
    };
    scan.gaps.splice(0..0, header);
    Ok(scan)
}

/// The content of a sealed segment according to its footer; `None` when there is none that can be
/// trusted.
pub(crate) fn from_footer(
    file: &dyn DiskFile,
    header_len: u64,
    size: u64,
) -> io::Result<Option<Scan>> {
    let Some(trailer) = Trailer::read(file, size)? else { return Ok(None) };
    let footer_end = size - frame::TRAILER_LEN as u64;
    let Found::Block(block) = frame::read_block(file, trailer.footer, footer_end)? else {
        return Ok(None);
    };
    if block.kind != frame::FOOTER || trailer.footer + block.length != footer_end {
        return Ok(None);
    }
    let Ok(footer) = FooterV1::from_bytes(&block.body) else { return Ok(None) };
    let mut scan = Scan { entries: footer.blocks, end: size, sealed: true, ..Scan::default() };
    let mut expected = header_len;
    for entry in &scan.entries {
        if entry.offset > expected {
            scan.gaps.push(unreadable(expected, entry.offset));
        }
        expected = entry.offset.saturating_add(entry.length);
    }
    if trailer.footer > expected {
        scan.gaps.push(unreadable(expected, trailer.footer));
    }
    Ok(Some(scan))
}

/// Reads block by block, from a place where one begins.
pub(crate) fn blocks(file: &dyn DiskFile, from: u64, size: u64) -> io::Result<Scan> {
    let mut scan = Scan { end: from, ..Scan::default() };
    while scan.end < size {
        let at = scan.end;
        match frame::read_block(file, at, size)? {
            Found::Block(block) if block.kind == frame::FOOTER => {
                let end = at + block.length + frame::TRAILER_LEN as u64;
                if end <= size && Trailer::read(file, end)?.is_some() {
                    scan.sealed = true;
                    scan.end = end;
                    if size > end {
                        scan.gaps.push(Gap {
                            offset: end,
                            length: size - end,
                            events: Some(0),
                            harmless: true,
                            what: BEHIND,
                        });
                        scan.end = size;
                    }
                }
                break;
            }
            Found::Block(block) => {
                scan.end += block.length;
                scan.entries.push(EntryV1 {
                    offset: at,
                    length: block.length,
                    kind: block.kind,
                    meta: block.meta,
                });
            }
            // The index of a segment whose sealing was interrupted, or damaged since: nothing
            // follows it.
            Found::BadBody { kind: frame::FOOTER, .. } => break,
            Found::BadBody { meta, kind, length } if at + length < size => {
                let events = events_in(kind, &meta);
                scan.gaps.push(Gap {
                    offset: at,
                    length,
                    events,
                    // Without the filter more is read, and nothing is lost.
                    harmless: kind == frame::FILTER,
                    what: "a block does not match its checksum",
                });
                scan.end += length;
            }
            Found::BadBody { .. } | Found::Nothing => {
                let Some(next) = frame::find_block(file, at + 1, size)? else { break };
                // A writer may have finished this block and the next since the first look.
                if let Found::Block(_) = frame::read_block(file, at, size)? {
                    continue;
                }
                scan.gaps.push(unreadable(at, next));
                scan.end = next;
            }
        }
    }
    scan.tail = size - scan.end;
    Ok(scan)
}

/// Events that are lost with a block, when its description tells.
pub(crate) fn events_in(kind: u8, meta: &[u8]) -> Option<u64> {
    match kind {
        frame::EVENTS => MetaV1::from_bytes(meta).ok().map(|meta| meta.events.into()),
        frame::ROWS => RowsMetaV2::from_bytes(meta).ok().map(|meta| meta.events.into()),
        frame::WARM => WarmMetaV3::from_bytes(meta).ok().map(|meta| meta.rows.events.into()),
        // The rows that need the dictionary are counted themselves.
        frame::DICTIONARY | frame::FILTER => Some(0),
        _ => None,
    }
}

fn unreadable(from: u64, to: u64) -> Gap {
    Gap {
        offset: from,
        length: to - from,
        events: None,
        harmless: false,
        what: "bytes that are not a block",
    }
}

//! Reads the footers of sealed segments when they are needed, and keeps some.

use super::index::{Known, Segment};
use super::names::SegmentId;
use super::scan::{self, Gap};
use super::{frame, summary};
use crate::disk::DiskFile;
use crate::marker::Sealed;
use std::collections::VecDeque;
use std::io;
use std::mem::size_of;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes of memory, about, that footers take which are kept.
const ROOM: usize = 16 << 20;

pub(super) const FOREIGN: &str = "this is not the segment that the manifest speaks of";

/// What the footers of sealed segments say.
#[derive(Debug, Default)]
pub(super) struct Footers {
    /// The one used last stands last. Damaged ones stay.
    kept: Mutex<VecDeque<Kept>>,
}

#[derive(Debug)]
struct Kept {
    sealed: Sealed,
    segment: Arc<Segment>,
    bytes: usize,
}

impl Footers {
    /// What is in a segment, and how it differs from what the manifest says.
    pub(super) fn read(&self, known: &Known, file: &dyn DiskFile) -> io::Result<Arc<Segment>> {
        let sealed = &known.sealed;
        if let Some(found) = self.kept(sealed) {
            return Ok(found);
        }
        let segment = Arc::new(Self::read_anew(sealed, file)?);
        self.keep(sealed, &segment);
        Ok(segment)
    }

    /// Segments in which reading has found damage.
    pub(super) fn damaged(&self) -> Vec<(SegmentId, Vec<Gap>)> {
        let kept = self.lock();
        let damaged = kept.iter().filter(|it| it.is_damaged());
        damaged.map(|it| (it.sealed.id(), it.segment.gaps.clone())).collect()
    }

    /// Forgets what is no more.
    pub(super) fn retain(&self, is_there: &dyn Fn(&Sealed) -> bool) {
        self.lock().retain(|it| is_there(&it.sealed));
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn kept(&self, sealed: &Sealed) -> Option<Arc<Segment>> {
        let mut kept = self.lock();
        let at = kept.iter().position(|it| it.sealed == *sealed)?;
        let it = kept.remove(at)?;
        let found = Arc::clone(&it.segment);
        kept.push_back(it);
        Some(found)
    }

    fn read_anew(sealed: &Sealed, file: &dyn DiskFile) -> io::Result<Segment> {
        let id = sealed.id();
        let size = file.size()?;
        let scan = scan::load(file, id, size)?;
        let mut segment = Segment::of(id, &scan, &mut |_| {});
        segment.expect(sealed);
        if scan.sealed && !scan.newer {
            let behind = scan.gaps.iter().find(|gap| gap.what == scan::BEHIND);
            let trailer = frame::Trailer::read(file, behind.map_or(scan.end, |gap| gap.offset))?;
            if trailer.is_some_and(|it| it.blake3 != summary::hash_of(sealed)) {
                segment.gaps.push(Gap {
                    offset: 0,
                    length: size,
                    events: None,
                    harmless: false,
                    what: FOREIGN,
                });
            }
        }
        Ok(segment)
    }

    fn keep(&self, sealed: &Sealed, segment: &Arc<Segment>) {
        let mut kept = self.lock();
        if kept.iter().any(|it| it.sealed == *sealed) {
            return;
        }
        let bytes = bytes(segment);
        kept.push_back(Kept { sealed: sealed.clone(), segment: Arc::clone(segment), bytes });
        let mut all: usize = kept.iter().map(|it| it.bytes).sum();
        let mut at = 0;
        // The newest stays, whatever it takes: somebody is about to use it.
        while all > ROOM && at + 1 < kept.len() {
            if kept[at].is_damaged() {
                at += 1;
            } else if let Some(gone) = kept.remove(at) {
                all -= gone.bytes;
            }
        }
    }
}

impl Kept {
    fn is_damaged(&self) -> bool {
        self.segment.gaps.iter().any(|gap| !gap.harmless)
    }
}

/// About how much memory a segment's blocks take.
fn bytes(segment: &Segment) -> usize {
    const BLOCK: usize = size_of::<super::index::BlockEntry>() + 64;
    const PAIR: usize = size_of::<(u32, u32)>();
    const NAME: usize = 160;
    let pairs = |block: &super::index::BlockEntry| {
        (block.selectors.len() + block.sites.len() + block.days.len()) * PAIR
    };
    let names = segment.selectors.names.len() + segment.sites.names.len();
    names * NAME + segment.blocks.iter().map(|it| BLOCK + pairs(it)).sum::<usize>()
}

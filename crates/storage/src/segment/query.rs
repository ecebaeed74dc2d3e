//! Answers queries: chooses blocks by the index, merges them in time order.

use super::blocks::BlockSource;
use super::chooser::{self, Chooser};
use super::index::{Entry, Index, Known};
use super::merge::{Merge, Planned};
use super::names::SegmentId;
use super::scan::{self, Scan};
use super::{Shared, names, summary};
use crate::disk::OpenMode;
use crate::fault;
use crate::marker::{LOCK, Marker, Sealed};
use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{Error, ErrorKind, Query, Result};

/// Segments that a query holds open from its beginning, so that compaction in another process cannot
/// take them away. In the same process, compaction leaves what a query with more of them may read.
const HELD: usize = 256;
/// Events below which it is not worth dividing an answer.
const WORTH_THREADS: u64 = 100_000;
/// How often a reader looks again when the store changes under its eyes.
const LOOKS: usize = 20;

impl Shared {
    /// Takes note of what a writer in another process has added. Does nothing in the writer.
    /// Says whether there was no writer: what looked unfinished then will stay so.
    pub(super) fn refresh(&self) -> Result<bool> {
        if self.writer.is_some() {
            return Ok(false);
        }
        // Before anything is read: a writer that ends while we read leaves nothing unfinished,
        // but may have been at it when we looked.
        let abandoned = self.is_abandoned()?;
        let mut marker = Marker::read(&*self.disk, &self.path)?;
        for _ in 0..LOOKS {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            self.look(&mut index, &marker)?;
            // A segment leaves the directory only after the manifest has named what replaces it:
            // with the same manifest before and after, nothing is missing or there twice.
            let after = Marker::read(&*self.disk, &self.path)?;
            if after == marker {
                index.expect(&marker.sealed);
                return Ok(abandoned);
            }
            marker = after;
        }
        Err(Error::new(
            telemetry_interfaces::ErrorKind::Unavailable,
            telemetry_interfaces::Code::StorageUnavailable,
            "the store changes faster than it can be looked at",
        )
        .with("path", self.path.display())
        .cure("ask again"))
    }

    /// Answers from all segments, also when some are replaced meanwhile. `answer` is told whether
    /// nobody writes.
    pub(super) fn settled<T>(&self, answer: impl Fn(&Self, bool) -> Result<T>) -> Result<T> {
        for _ in 0..LOOKS {
            let abandoned = self.refresh()?;
            match answer(self, abandoned) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                answered => return answered,
            }
        }
        let abandoned = self.refresh()?;
        answer(self, abandoned)
    }

    fn look(&self, index: &mut Index, marker: &Marker) -> Result<()> {
        let directory = names::directory(&self.path);
        let listed = match self.disk.list(&directory) {
            Ok(listed) => listed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(fault::io("list", &directory, error)),
        };
        let listed: Vec<SegmentId> =
            listed.iter().filter_map(|it| SegmentId::of_name(it)).collect();
        let live = live(&listed, marker);
        let named: HashMap<SegmentId, &Sealed> =
            marker.sealed.iter().map(|it| (it.id(), it)).collect();
        let there: HashSet<SegmentId> = live.iter().copied().collect();
        index.segments.retain(|id, entry| match (named.get(id), entry) {
            // Another one took its place under the same name.
            (Some(sealed), Entry::Known(known)) => known.sealed == **sealed,
            (Some(_), Entry::Read(_)) => true,
            (None, _) => there.contains(id),
        });
        self.footers.retain(&|it| named.get(&it.id()).is_some_and(|sealed| **sealed == *it));
        let mut remembered = self.remembered(index, &live, &named);
        for id in live {
            let sealed = named.get(&id).copied();
            self.refresh_segment(index, id, sealed, remembered.remove(&id))?;
        }
        Ok(())
    }

    /// What is remembered of segments that this process has not met yet.
    fn remembered(
        &self,
        index: &Index,
        live: &[SegmentId],
        named: &HashMap<SegmentId, &Sealed>,
    ) -> HashMap<SegmentId, Known> {
        let mut known = HashMap::new();
        let is_new = |id: &SegmentId| !index.segments.contains_key(id) && named.contains_key(id);
        // One new footer is read as fast as the file.
        if live.iter().filter(|id| is_new(id)).nth(1).is_some() {
            summary::read(&*self.disk, &self.path, &mut |summary| {
                let id = summary.id();
                let sealed = named.get(&id).filter(|it| is_new(&id) && summary.is_of(it));
                if let Some(sealed) = sealed {
                    known.insert(id, Known::of(sealed, &summary));
                }
                sealed.is_some()
            });
        }
        known
    }

    fn refresh_segment(
        &self,
        index: &mut Index,
        id: SegmentId,
        sealed: Option<&Sealed>,
        remembered: Option<Known>,
    ) -> Result<()> {
        let known = match index.segments.get(&id) {
            None => None,
            Some(Entry::Known(_)) => return Ok(()),
            Some(Entry::Read(segment)) if segment.sealed => return Ok(()),
            Some(Entry::Read(segment)) => Some(segment.end),
        };
        let path = names::path(&self.path, id);
        let file = match self.disk.open(&path, OpenMode::Read) {
            Ok(file) => file,
            // Removed since it was listed: replaced, or an empty one by recovery. A sealed one is
            // missed later.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(fault::io("open", &path, error)),
        };
        let size = file.size().map_err(|e| fault::io("measure", &path, e))?;
        if let Some(known) = remembered.filter(|it| it.sealed.bytes == size) {
            index.segments.insert(id, Entry::Known(Arc::new(known)));
            return Ok(());
        }
        let scan: Scan = match known {
            Some(end) if end > 0 && end <= size => {
                scan::blocks(&*file, end, size).map_err(|e| fault::io("read", &path, e))?
            }
            _ => {
                // New, or cut shorter than it was: what was known of it does not hold.
                index.segments.remove(&id);
                scan::load(&*file, id, size).map_err(|e| fault::io("read", &path, e))?
            }
        };
        let segment = index.read(id);
        segment.absorb(id, &scan, &mut |_| {});
        if let Some(sealed) = sealed.filter(|it| segment.is_sound(it)) {
            let segment = std::mem::take(segment);
            index.settle(id, segment, Some(sealed));
        }
        Ok(())
    }

    pub(super) fn plan(&self, query: &Query) -> Result<Merge> {
        for _ in 0..LOOKS {
            let abandoned = self.refresh()?;
            match self.plan_now(query, abandoned, true) {
                // Replaced between the look and the opening.
                Err(Unplanned::Gone(_)) if self.writer.is_none() => {}
                Err(Unplanned::Gone(error) | Unplanned::Other(error)) => return Err(error),
                Ok(merge) => return Ok(merge),
            }
        }
        // A segment that stays missing although the manifest names it is damage, found on reading.
        let abandoned = self.refresh()?;
        match self.plan_now(query, abandoned, false) {
            Ok(merge) => Ok(merge),
            Err(Unplanned::Gone(error) | Unplanned::Other(error)) => Err(error),
        }
    }

    /// The answer in at most so many parts; there is one at least.
    pub(super) fn plan_parts(&self, query: &Query, parts: usize) -> Result<Vec<Merge>> {
        let mut merge = self.plan(query)?;
        if parts > 1 {
            let (events, weights) = merge.weigh();
            if events >= WORTH_THREADS {
                return Ok(merge.divided(weights.dealt(parts)));
            }
        }
        Ok(vec![merge])
    }

    fn plan_now(&self, query: &Query, abandoned: bool, hold: bool) -> Result<Merge, Unplanned> {
        let mut source = BlockSource::new(Arc::clone(&self.disk), &self.path);
        let mut chooser = Chooser::new(query, Arc::clone(&self.footers));
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut planned = Vec::new();
        let mut faults = VecDeque::new();
        let mut ordinal = 0u64;
        for (number, entry) in &index.segments {
            let segment = match entry {
                Entry::Known(known) => {
                    if chooser.may_want(known) {
                        planned.push((ordinal, Planned::Segment(Arc::clone(known))));
                    }
                    // As many at most as it has blocks.
                    ordinal += known.sealed.blocks;
                    continue;
                }
                Entry::Read(segment) => segment,
            };
            faults.extend(chooser::gaps(*number, segment));
            if segment.tail > 0 && abandoned && self.is_abandoned().map_err(Unplanned::Other)? {
                let what = format!(
                    "the last {} bytes are not a whole block: the writer was interrupted here",
                    segment.tail
                );
                let fault = fault::damaged(&names::relative(*number), segment.end, what);
                faults.push_back(fault.cure(fault::SET_ASIDE));
            }
            chooser.choose(segment, ordinal, &mut source, &mut |ordinal, block| {
                planned.push((ordinal, Planned::Block(block)));
            });
            ordinal += segment.blocks.len() as u64;
        }
        if hold {
            // The newest first: they are the ones that are joined.
            let mut segments: Vec<_> = planned.iter().map(|(_, it)| it.segment()).collect();
            segments.dedup();
            if segments.len() > HELD {
                // Before the index is let go: what is replaced afterwards stays.
                source.keep_replaced(Arc::clone(&self.reading));
            }
            for number in segments.into_iter().rev().take(HELD) {
                source.hold(number).map_err(|error| {
                    let path = names::path(&self.path, number);
                    let gone = error.kind() == io::ErrorKind::NotFound;
                    let error = fault::io("open", &path, error);
                    if gone { Unplanned::Gone(error) } else { Unplanned::Other(error) }
                })?;
            }
        }
        drop(index);
        Ok(Merge::new(source, query.clone(), chooser, planned, faults))
    }

    /// Whether no writer is at work.
    pub(super) fn is_abandoned(&self) -> Result<bool> {
        if self.writer.is_some() {
            return Ok(false);
        }
        let path = self.path.join(LOCK);
        let locked = self.disk.is_locked(&path);
        Ok(!locked.map_err(|error| fault::io("look at the lock", &path, error))?)
    }
}

/// The segments that count: what the manifest names, and logs that no named segment replaces.
pub(super) fn live(listed: &[SegmentId], marker: &Marker) -> Vec<SegmentId> {
    let named: HashSet<SegmentId> = marker.sealed.iter().map(Sealed::id).collect();
    let mut live: Vec<SegmentId> = listed
        .iter()
        .copied()
        .filter(|id| named.contains(id) || !id.sorted && !named.iter().any(|it| it.covers(*id)))
        .collect();
    live.sort_unstable();
    live
}

enum Unplanned {
    /// A segment is not there.
    Gone(Error),
    Other(Error),
}

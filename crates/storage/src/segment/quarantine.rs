//! Takes damaged segments out of use: what can be read is written to a sorted segment.

use super::blocks::BlockSource;
use super::compact::{STRIPE, append_order};
use super::index::BlockEntry;
use super::names::{self, SegmentId};
use super::{Shared, recover};
use crate::fault;
use crate::marker::Sealed;
use crate::quarantine::Folder;
use std::sync::{Arc, PoisonError};
use telemetry_interfaces::{
    Damage, ErrorKind, Ledger, QuarantineReport, Quarantined, Result, VerifyLevel, VerifyReport,
};
use telemetry_models::Event;

impl Shared {
    pub(super) fn quarantine(
        &self,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<QuarantineReport> {
        let _alone = self.compacting.lock().unwrap_or_else(PoisonError::into_inner);
        let (sealed, active) = {
            let Some(writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
            writer.check_open()?;
            (writer.marker.sealed.clone(), writer.active.as_ref().map(|it| it.id))
        };
        let ids: Vec<(SegmentId, u64)> = {
            let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
            let all = index.segments.iter().filter(|(id, _)| Some(**id) != active);
            all.map(|(id, entry)| (*id, entry.bytes())).collect()
        };
        let total = ids.iter().map(|(_, bytes)| bytes).sum();
        let mut folder = Folder::new(&*self.disk, &self.path);
        let mut done = 0;
        for (id, bytes) in ids {
            let its = sealed.iter().find(|it| it.id() == id);
            let found = self.check(id, its, VerifyLevel::Deep, &mut |at| {
                progress(done + at, total);
            })?;
            done += bytes;
            match found {
                Some(part) if part.report.is_clean() || part.newer => {}
                Some(part) => self.replace_damaged(id, its, part.report, &mut folder)?,
                None => self.give_up(id, its, &mut folder)?,
            }
        }
        #[cfg(feature = "rollup")]
        crate::rollup::mend(&*self.disk, &self.path, &mut folder)?;
        folder.finish()
    }

    /// Has manifest and index forget a segment that is missing.
    fn give_up(
        &self,
        id: SegmentId,
        sealed: Option<&Sealed>,
        folder: &mut Folder<'_>,
    ) -> Result<()> {
        let lost = sealed.map(|it| it.events);
        let damage = Damage {
            file: names::relative(id),
            offset: 0,
            length: sealed.map(|it| it.bytes),
            events: lost,
            what: "the segment is missing".into(),
        };
        folder.report(Quarantined {
            file: names::relative(id),
            moved_to: None,
            damage: vec![damage],
            kept: 0,
            lost,
        })?;
        let Some(mut writer) = self.writer() else { return Err(fault::read_only(&self.path)) };
        let before = writer.marker.clone();
        writer.marker.sealed.retain(|it| it.id() != id);
        if let Err(error) = writer.marker.write(&*self.disk, &self.path) {
            writer.marker = before;
            return Err(error);
        }
        let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
        index.segments.remove(&id);
        Ok(())
    }

    fn replace_damaged(
        &self,
        id: SegmentId,
        sealed: Option<&Sealed>,
        found: VerifyReport,
        folder: &mut Folder<'_>,
    ) -> Result<()> {
        let whole = SegmentId { sorted: true, warm: false, ..id };
        let unfinished = names::unfinished(&self.path, whole);
        let made = self.salvage(id, whole, &unfinished);
        if made.is_err() {
            // Nothing refers to it; opening the store for writing removes what is left.
            let _ = self.disk.remove(&unfinished);
        }
        let kept = made?;
        let moved_to = folder.keep(&names::path(&self.path, id), &names::relative(id))?;
        let known: Option<u64> = found.damage.iter().map(|it| it.events).sum();
        folder.report(Quarantined {
            file: names::relative(id),
            moved_to: Some(moved_to),
            damage: found.damage,
            kept,
            lost: sealed.map(|it| it.events.saturating_sub(kept)).or(known),
        })?;
        self.take_over(whole, &unfinished, kept, &|it| it == id || it == whole)?;
        if id != whole {
            self.remove_replaced(std::iter::once(id));
        }
        Ok(())
    }

    /// Writes every event and ledger that can be read to a segment of its own; how many events.
    fn salvage(&self, id: SegmentId, into: SegmentId, path: &std::path::Path) -> Result<u64> {
        let mut output = self.output(into, path)?;
        // Read anew: the file may have been damaged after it was indexed.
        let (blocks, ledgers) = self.readable(id)?;
        let mut source = BlockSource::new(Arc::clone(&self.disk), &self.path);
        let mut events = Vec::new();
        let mut kept = 0;
        let same =
            |a: &Arc<BlockEntry>, b: &Arc<BlockEntry>| a.stripe.is_some() && a.stripe == b.stripe;
        for blocks in blocks.chunk_by(same) {
            let mut whole = Vec::new();
            // What cannot be read at this moment is not given up for damaged.
            let is_damaged = |it: Result<()>| match it {
                Err(error) if error.kind() == ErrorKind::Corrupt => Ok(true),
                other => other.map(|()| false),
            };
            if is_damaged(append_order(&mut source, blocks, &mut whole))? {
                whole.clear();
                for block in blocks.chunks(1) {
                    let mut one = Vec::new();
                    // Its damage is in the report of the check.
                    if !is_damaged(append_order(&mut source, block, &mut one))? {
                        whole.append(&mut one);
                    }
                }
            }
            whole.retain(|event| event.validate().is_ok());
            kept += whole.len() as u64;
            events.append(&mut whole);
            while events.len() >= STRIPE {
                let rest: Vec<Event> = events.split_off(STRIPE);
                output.stripe(&events)?;
                events = rest;
            }
        }
        if !events.is_empty() {
            output.stripe(&events)?;
        }
        for ledger in &ledgers {
            output.ledger(ledger)?;
        }
        output.finish()?;
        Ok(kept)
    }

    fn readable(&self, id: SegmentId) -> Result<(Vec<Arc<BlockEntry>>, Vec<Ledger>)> {
        let segment = recover::segment_of(&*self.disk, &self.path, id)?;
        Ok((segment.blocks, segment.ledgers))
    }
}

//! Reads blocks of either kind, with what the rows of a stripe share kept at hand.

use super::frame::{self, Found};
use super::index::BlockEntry;
use super::names::{self, SegmentId};
use crate::codec::sorted::{Dictionary, Key, LINE, RowKeys, Rows, RowsMetaV2, Unpacker};
use crate::codec::{BlockReader, MetaV1};
use crate::disk::{self, Disk, DiskFile, OpenMode};
use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_interfaces::Query;
use telemetry_models::Event;

/// Dictionaries kept: more stripes than this seldom overlap in time.
const DICTIONARIES: usize = 16;

/// Reads blocks of several segments.
pub(super) struct BlockSource {
    disk: Arc<dyn Disk>,
    store: PathBuf,
    files: HashMap<SegmentId, Arc<dyn DiskFile>>,
    dictionaries: VecDeque<((SegmentId, u64), Arc<Dictionary>)>,
    unpacker: Option<Unpacker>,
}

/// What a block gave: events already made, or rows to make them from.
pub(super) enum Opened {
    Events(Vec<(u64, Event)>),
    /// Timestamp, place among equal ones, row.
    Rows(Box<Rows>, Vec<(i64, u64, u32)>),
}

impl BlockSource {
    pub(super) fn new(disk: Arc<dyn Disk>, store: &Path) -> Self {
        Self {
            disk,
            store: store.to_owned(),
            files: HashMap::new(),
            dictionaries: VecDeque::new(),
            unpacker: None,
        }
    }

    /// Opens a segment now, so that it can be read also when it is removed meanwhile.
    pub(super) fn hold(&mut self, id: SegmentId) -> std::io::Result<()> {
        if !self.files.contains_key(&id) {
            let file = self.disk.open(&names::path(&self.store, id), OpenMode::Read)?;
            self.files.insert(id, file);
        }
        Ok(())
    }

    /// Segments opened so far.
    pub(super) fn held(&self) -> usize {
        self.files.len()
    }

    fn file(&mut self, id: SegmentId) -> Result<Arc<dyn DiskFile>, String> {
        self.hold(id).map_err(|error| format!("the segment cannot be opened: {error}"))?;
        Ok(Arc::clone(&self.files[&id]))
    }

    fn block(&mut self, id: SegmentId, offset: u64, kind: u8) -> Result<frame::Block, String> {
        let file = self.file(id)?;
        let found = file.size().and_then(|size| frame::read_block(&*file, offset, size));
        match found.map_err(|error| format!("the block cannot be read: {error}"))? {
            Found::Block(block) if block.kind == kind => Ok(block),
            _ => Err("the block does not match its checksum".into()),
        }
    }

    /// Whether a stripe may hold an identifier; yes when its filter is missing or damaged.
    pub(super) fn may_hold(&mut self, id: SegmentId, filter: (u64, usize), key: Key) -> bool {
        let (offset, lines) = filter;
        let Ok(file) = self.file(id) else { return true };
        let at = offset + (key.line(lines) * LINE) as u64;
        disk::read_exact(&*file, at, LINE)
            .ok()
            .and_then(|line| key.may_be_in(&line))
            .unwrap_or(true)
    }

    fn dictionary(&mut self, id: SegmentId, offset: u64) -> Result<Arc<Dictionary>, String> {
        if let Some((_, found)) = self.dictionaries.iter().find(|(key, _)| *key == (id, offset)) {
            return Ok(Arc::clone(found));
        }
        let block = self
            .block(id, offset, frame::DICTIONARY)
            .map_err(|what| format!("the dictionary at byte {offset}: {what}"))?;
        let dictionary = Dictionary::from_bytes(&block.body, self.unpacker()?)
            .map_err(|what| format!("the dictionary at byte {offset}: {what}"))?;
        let dictionary = Arc::new(dictionary);
        if self.dictionaries.len() >= DICTIONARIES {
            self.dictionaries.pop_front();
        }
        self.dictionaries.push_back(((id, offset), Arc::clone(&dictionary)));
        Ok(dictionary)
    }

    fn unpacker(&mut self) -> Result<&mut Unpacker, String> {
        if self.unpacker.is_none() {
            self.unpacker = Some(Unpacker::new()?);
        }
        self.unpacker.as_mut().ok_or_else(|| "zstd cannot be prepared".into())
    }

    /// What of a block meets a query, as far as time, selector, outcome, site and event tell; in no
    /// order. Events that were read before a fault are in `read`.
    pub(super) fn open(
        &mut self,
        entry: &BlockEntry,
        query: &Query,
        outcomes: u32,
        read: &mut Vec<(u64, Event)>,
    ) -> Result<Option<Opened>, String> {
        match entry.stripe {
            None => self.events(entry, query, outcomes, read).map(|()| None),
            Some(stripe) => self.rows(entry, stripe.dictionary, query, outcomes).map(Some),
        }
    }

    fn events(
        &mut self,
        entry: &BlockEntry,
        query: &Query,
        outcomes: u32,
        events: &mut Vec<(u64, Event)>,
    ) -> Result<(), String> {
        let block = self.block(entry.segment, entry.offset, frame::EVENTS)?;
        let meta = MetaV1::from_bytes(&block.meta)?;
        let mut reader = BlockReader::new(&meta, &block.body)?;
        let selectors: Option<Vec<bool>> = query
            .selector
            .as_ref()
            .map(|pattern| meta.selectors.iter().map(|(name, _)| pattern.matches(name)).collect());
        let rest = without_keys(query);
        let mut row = 0u64;
        while let Some(next) = reader.next(|at, selector, outcome| {
            query.covers_time(at)
                && outcomes & 1u32.checked_shl(outcome.into()).unwrap_or(0) != 0
                && selectors
                    .as_ref()
                    .is_none_or(|wanted| wanted.get(selector as usize).is_none_or(|it| *it))
        }) {
            if let Some(event) = next?.filter(|event| rest.matches(event)) {
                events.push((row, event));
            }
            row += 1;
        }
        Ok(())
    }

    fn rows(
        &mut self,
        entry: &BlockEntry,
        dictionary: u64,
        query: &Query,
        outcomes: u32,
    ) -> Result<Opened, String> {
        let block = self.block(entry.segment, entry.offset, frame::ROWS)?;
        let meta = RowsMetaV2::from_bytes(&block.meta)?;
        let keys = RowKeys::new(&meta, &block.body, self.unpacker()?)?;
        let mut wanted = Vec::new();
        let mut start = 0;
        for (name, count) in &meta.selectors {
            let end = start + count;
            if query.selector.as_ref().is_none_or(|pattern| pattern.matches(name)) {
                for row in start..end {
                    let at = keys.timestamp(row as usize);
                    let outcome = keys.outcome(row as usize);
                    if query.covers_time(at)
                        && outcomes & 1u32.checked_shl(outcome.into()).unwrap_or(0) != 0
                    {
                        wanted.push((at.as_nanos(), keys.tie(row as usize), row));
                    }
                }
            }
            start = end;
        }
        let dictionary = self.dictionary(entry.segment, dictionary)?;
        let rows = Rows::new(keys, &meta, dictionary, self.unpacker()?)?;
        if let Some(site) = &query.site {
            let mut fault = None;
            wanted.retain(|(_, _, row)| match rows.site(*row as usize) {
                Ok(found) => found == Some(site),
                Err(what) => {
                    fault = Some(what);
                    false
                }
            });
            fault.map_or(Ok(()), Err)?;
        }
        if let Some(id) = &query.event {
            let mut fault = None;
            wanted.retain(|(_, _, row)| match rows.id(*row as usize) {
                Ok(found) => found == *id,
                Err(what) => {
                    fault = Some(what);
                    false
                }
            });
            fault.map_or(Ok(()), Err)?;
        }
        Ok(Opened::Rows(Box::new(rows), wanted))
    }
}

/// What is left of a query's conditions when time, selector and outcome are known to hold.
pub(super) fn without_keys(query: &Query) -> Query {
    Query { selector: None, from: None, to: None, outcomes: Vec::new(), ..query.clone() }
}

//! Reads blocks of either kind, with what the rows of a stripe share kept at hand.

use super::chooser::CURE;
use super::footers::Footers;
use super::frame::{self, Found};
use super::index::{BlockEntry, Known, Segment};
use super::names::{self, SegmentId};
use super::share::Share;
#[cfg(feature = "parquet")]
use crate::codec::WarmSumsV3;
use crate::codec::sorted::{Dictionary, Key, LINE, RowKeys, Rows, RowsMetaV2, Unpacker};
use crate::codec::{BlockReader, MetaV1, WarmPlaceV3};
use crate::disk::{self, Disk, DiskFile, OpenMode};
use crate::fault;
use crate::marker::Marker;
#[cfg(feature = "parquet")]
use crate::parquet::{self, ParquetFile, Unread};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_interfaces::{Code, Error, ErrorKind, Query};
use telemetry_models::{Event, EventId};

/// Dictionaries kept: more stripes than this seldom overlap in time.
const DICTIONARIES: usize = 16;

/// Segments kept open beside those that are held: a process may have a thousand files open.
const OPEN: usize = 64;

/// Reads blocks of several segments.
pub(super) struct BlockSource {
    disk: Arc<dyn Disk>,
    store: PathBuf,
    files: HashMap<SegmentId, Arc<dyn DiskFile>>,
    /// Those that were opened on the way, the first one first.
    passing: VecDeque<SegmentId>,
    dictionaries: VecDeque<((SegmentId, u64), Arc<Dictionary>)>,
    unpacker: Option<Unpacker>,
    /// Which selectors are wanted, where others read the rest.
    share: Option<Share>,
    /// While it is held, this process removes no segment.
    _reading: Option<Arc<()>>,
    #[cfg(feature = "parquet")]
    parquet: VecDeque<(String, ParquetFile)>,
}

/// Why something could not be read.
#[derive(Debug)]
pub(super) enum Trouble {
    /// It is not what was written.
    Damage(String),
    /// It may be, and cannot be had: what was being done, to which file.
    Io(&'static str, PathBuf, io::Error),
}

impl From<String> for Trouble {
    fn from(what: String) -> Self {
        Self::Damage(what)
    }
}

impl From<&str> for Trouble {
    fn from(what: &str) -> Self {
        Self::Damage(what.into())
    }
}

/// Damage, when a file ends too early; otherwise what the disk says.
fn trouble(doing: &'static str, path: PathBuf, error: io::Error) -> Trouble {
    if error.kind() == io::ErrorKind::UnexpectedEof {
        return Trouble::Damage("the file ends within the block".into());
    }
    Trouble::Io(doing, path, error)
}

/// A decoded block of either kind.
pub(super) enum Block {
    Log(Box<BlockReader>),
    Sorted(Box<Rows>),
    #[cfg(feature = "parquet")]
    Warm(Vec<Event>),
}

/// The rows of a block that a query may want: timestamp, place among equal ones, row.
pub(super) type Wanted = Vec<(i64, u64, u32)>;

impl Block {
    #[inline]
    pub(super) fn event(&self, row: u32) -> Result<Event, String> {
        match self {
            Self::Log(block) => block.event(row as usize),
            Self::Sorted(rows) => rows.event(row as usize),
            #[cfg(feature = "parquet")]
            Self::Warm(events) => Ok(events[row as usize].clone()),
        }
    }

    fn site(&self, row: u32) -> Result<Option<&str>, String> {
        match self {
            Self::Log(block) => block.site(row as usize),
            Self::Sorted(rows) => rows.site(row as usize),
            #[cfg(feature = "parquet")]
            Self::Warm(events) => Ok(events[row as usize].site()),
        }
    }

    fn id(&self, row: u32) -> Result<EventId, String> {
        match self {
            Self::Log(block) => block.id(row as usize),
            Self::Sorted(rows) => rows.id(row as usize),
            #[cfg(feature = "parquet")]
            Self::Warm(events) => Ok(events[row as usize].id.clone()),
        }
    }
}

impl BlockSource {
    pub(super) fn new(disk: Arc<dyn Disk>, store: &Path) -> Self {
        Self {
            disk,
            store: store.to_owned(),
            files: HashMap::new(),
            passing: VecDeque::new(),
            dictionaries: VecDeque::new(),
            unpacker: None,
            share: None,
            _reading: None,
            #[cfg(feature = "parquet")]
            parquet: VecDeque::new(),
        }
    }

    /// The same source once more, for a share of the selectors, with the segments that are open.
    pub(super) fn another(&self, share: Share) -> Self {
        Self {
            files: self.files.clone(),
            passing: self.passing.clone(),
            share: Some(share),
            _reading: self._reading.clone(),
            ..Self::new(Arc::clone(&self.disk), &self.store)
        }
    }

    fn has(&self, selector: &str) -> bool {
        self.share.as_ref().is_none_or(|share| share.has(selector))
    }

    /// Opens a segment now, so that it can be read also when it is removed meanwhile.
    pub(super) fn hold(&mut self, id: SegmentId) -> std::io::Result<()> {
        if !self.files.contains_key(&id) {
            let file = self.disk.open(&names::path(&self.store, id), OpenMode::Read)?;
            self.files.insert(id, file);
        }
        Ok(())
    }

    /// Keeps segments in the directory that are replaced meanwhile.
    pub(super) fn keep_replaced(&mut self, reading: Arc<()>) {
        self._reading = Some(reading);
    }

    fn file(&mut self, id: SegmentId) -> Result<Arc<dyn DiskFile>, Trouble> {
        if !self.files.contains_key(&id) {
            let held = self.hold(id);
            held.map_err(|error| trouble("open", names::path(&self.store, id), error))?;
            self.passing.push_back(id);
            if self.passing.len() > OPEN
                && let Some(first) = self.passing.pop_front()
            {
                self.files.remove(&first);
            }
        }
        Ok(Arc::clone(&self.files[&id]))
    }

    /// What is in a sealed segment.
    pub(super) fn footer(
        &mut self,
        known: &Known,
        footers: &Footers,
    ) -> Result<Arc<Segment>, Trouble> {
        let id = known.sealed.id();
        let path = names::path(&self.store, id);
        let file = self.file(id)?;
        footers.read(known, &*file).map_err(|error| trouble("read the segment", path, error))
    }

    fn block(&mut self, id: SegmentId, offset: u64, kind: u8) -> Result<frame::Block, Trouble> {
        let file = self.file(id)?;
        let found = file.size().and_then(|size| frame::read_block(&*file, offset, size));
        let path = || names::path(&self.store, id);
        match found.map_err(|error| trouble("read the segment", path(), error))? {
            Found::Block(block) if block.kind == kind => Ok(block),
            _ => Err("the block does not match its checksum".into()),
        }
    }

    /// Says of a file that could not be read what somebody can do about it.
    pub(super) fn failed(
        &self,
        id: SegmentId,
        doing: &str,
        path: &Path,
        error: io::Error,
        lost: &str,
    ) -> Error {
        if error.kind() != io::ErrorKind::NotFound {
            return fault::io(doing, path, error).with("lost", lost);
        }
        let named = Marker::read(&*self.disk, &self.store)
            .is_ok_and(|marker| marker.sealed.iter().any(|it| it.id() == id));
        if named {
            let what = format!("{} is missing; {lost}", path.display());
            return fault::damaged(&names::relative(id), 0, what).cure(CURE);
        }
        Error::new(
            ErrorKind::Unavailable,
            Code::StorageUnavailable,
            format!("the segment was replaced while the query was answered; {lost}"),
        )
        .with("file", names::relative(id))
        .source(error)
        .cure("ask again")
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

    fn dictionary(&mut self, id: SegmentId, offset: u64) -> Result<Arc<Dictionary>, Trouble> {
        if let Some((_, found)) = self.dictionaries.iter().find(|(key, _)| *key == (id, offset)) {
            return Ok(Arc::clone(found));
        }
        let block = self.block(id, offset, frame::DICTIONARY).map_err(|trouble| match trouble {
            Trouble::Damage(what) => format!("the dictionary at byte {offset}: {what}").into(),
            io => io,
        })?;
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
    /// order.
    pub(super) fn open(
        &mut self,
        entry: &BlockEntry,
        query: &Query,
        outcomes: u32,
    ) -> Result<(Block, Wanted), Trouble> {
        let (block, mut wanted) = match (entry.stripe, &entry.warm) {
            (None, _) => self.log(entry, query, outcomes)?,
            (Some(stripe), None) => self.sorted(entry, stripe.dictionary, query, outcomes)?,
            (Some(_), Some(place)) => self.warm(entry, place, query, outcomes)?,
        };
        if let Some(site) = &query.site {
            keep(&mut wanted, |row| Ok(block.site(row)? == Some(site)))?;
        }
        if let Some(id) = &query.event {
            keep(&mut wanted, |row| Ok(block.id(row)? == *id))?;
        }
        Ok((block, wanted))
    }

    fn log(
        &mut self,
        entry: &BlockEntry,
        query: &Query,
        outcomes: u32,
    ) -> Result<(Block, Wanted), Trouble> {
        let block = self.block(entry.segment, entry.offset, frame::EVENTS)?;
        let meta = MetaV1::from_bytes(&block.meta)?;
        let block = BlockReader::new(&meta, &block.body, query.parts_needed())?;
        let pattern = query.selector.as_ref();
        let wants = |name: &str| pattern.is_none_or(|it| it.matches(name)) && self.has(name);
        let selectors: Option<Vec<bool>> = (pattern.is_some() || self.share.is_some())
            .then(|| meta.selectors.iter().map(|(name, _)| wants(name)).collect());
        let mut wanted = Vec::new();
        for row in 0..block.len() {
            let at = block.timestamp(row);
            let selector = block.selector(row) as usize;
            if query.covers_time(at)
                && is_among(outcomes, block.outcome(row))
                && selectors.as_ref().is_none_or(|it| it.get(selector).is_none_or(|it| *it))
            {
                wanted.push((at.as_nanos(), row as u64, row as u32));
            }
        }
        Ok((Block::Log(Box::new(block)), wanted))
    }

    fn sorted(
        &mut self,
        entry: &BlockEntry,
        dictionary: u64,
        query: &Query,
        outcomes: u32,
    ) -> Result<(Block, Wanted), Trouble> {
        let block = self.block(entry.segment, entry.offset, frame::ROWS)?;
        let meta = RowsMetaV2::from_bytes(&block.meta)?;
        let keys = RowKeys::new(&meta, &block.body, self.unpacker()?)?;
        let mut wanted = Vec::new();
        let mut start = 0;
        for (name, count) in &meta.selectors {
            let end = start + count;
            if query.selector.as_ref().is_none_or(|pattern| pattern.matches(name)) && self.has(name)
            {
                for row in start..end {
                    let at = keys.timestamp(row as usize);
                    if query.covers_time(at) && is_among(outcomes, keys.outcome(row as usize)) {
                        wanted.push((at.as_nanos(), keys.tie(row as usize), row));
                    }
                }
            }
            start = end;
        }
        let dictionary = self.dictionary(entry.segment, dictionary)?;
        let parts = query.parts_needed();
        let rows = Rows::new(keys, &meta, dictionary, self.unpacker()?, parts)?;
        Ok((Block::Sorted(Box::new(rows)), wanted))
    }
}

#[cfg(feature = "parquet")]
impl BlockSource {
    fn warm(
        &mut self,
        entry: &BlockEntry,
        place: &WarmPlaceV3,
        query: &Query,
        outcomes: u32,
    ) -> Result<(Block, Wanted), Trouble> {
        let described = self.block(entry.segment, entry.offset, frame::WARM)?;
        let pattern = query.selector.as_ref();
        let share = self.share.clone();
        let wanted = |at, selector: &str, outcome| {
            query.covers_time(at)
                && outcomes & crate::codec::outcome_bits(&[outcome]) != 0
                && pattern.is_none_or(|it| it.matches(selector))
                && share.as_ref().is_none_or(|it| it.has(selector))
        };
        let file = self.parquet(place, &described.body)?;
        let rows = file.read(place.row_group as usize, query.parts_needed(), &wanted);
        let rows = rows.map_err(|unread| self.unread(place, unread))?;
        let mut events = Vec::with_capacity(rows.len());
        let mut places = Vec::with_capacity(rows.len());
        for (row, (at, tie, event)) in rows.into_iter().enumerate() {
            places.push((at, tie, row as u32));
            events.push(event);
        }
        Ok((Block::Warm(events), places))
    }

    fn unread(&self, place: &WarmPlaceV3, unread: Unread) -> Trouble {
        match unread {
            Unread::Damage(what) => format!("{}: {what}", place.file).into(),
            Unread::Io(error) => {
                trouble("read the Parquet file", self.store.join(&place.file), error)
            }
        }
    }

    /// A Parquet file, of which everything that reading a row group touches is what was written.
    fn parquet(&mut self, place: &WarmPlaceV3, sums: &[u8]) -> Result<ParquetFile, Trouble> {
        let path = self.store.join(&place.file);
        let failed = |error| trouble("read the Parquet file", path.clone(), error);
        let known = self.parquet.iter().find(|(name, _)| *name == place.file);
        let (opened, known) = match known {
            Some((_, file)) => (file.disk_file(), Some(file.clone())),
            None => (self.disk.open(&path, OpenMode::Read).map_err(failed)?, None),
        };
        let file = &place.file;
        if known.is_none() {
            let (size, expected) = (opened.size().map_err(failed)?, place.bytes);
            if size != expected {
                return Err(format!("{file} has {size} bytes, expected {expected}").into());
            }
        }
        let sound = if sums.is_empty() {
            // As it was first written: the hash of the whole file alone.
            known.is_some()
                || parquet::matches(&*opened, (0, place.bytes, place.blake3)).map_err(failed)?
        } else {
            let sums = WarmSumsV3::from_bytes(sums)?;
            (known.is_some() || parquet::matches(&*opened, sums.tail).map_err(failed)?)
                && parquet::matches(&*opened, sums.group).map_err(failed)?
        };
        if !sound {
            return Err(format!("{file} is not what was written").into());
        }
        if let Some(file) = known {
            return Ok(file);
        }
        let file = ParquetFile::open(opened).map_err(|unread| self.unread(place, unread))?;
        if self.parquet.len() >= DICTIONARIES {
            self.parquet.pop_front();
        }
        self.parquet.push_back((place.file.clone(), file.clone()));
        Ok(file)
    }
}

#[cfg(not(feature = "parquet"))]
impl BlockSource {
    fn warm(
        &mut self,
        _entry: &BlockEntry,
        place: &WarmPlaceV3,
        _query: &Query,
        _outcomes: u32,
    ) -> Result<(Block, Wanted), Trouble> {
        let file = &place.file;
        Err(format!("its events are in {file}: build with the feature `parquet` to read them")
            .into())
    }
}

fn is_among(outcomes: u32, code: u8) -> bool {
    outcomes & 1u32.checked_shl(code.into()).unwrap_or(0) != 0
}

/// Keeps the rows that meet a condition, unless one cannot be told.
fn keep(
    wanted: &mut Wanted,
    condition: impl Fn(u32) -> Result<bool, String>,
) -> Result<(), String> {
    let mut fault = None;
    wanted.retain(|(_, _, row)| match condition(*row) {
        Ok(holds) => holds,
        Err(what) => {
            fault = Some(what);
            false
        }
    });
    fault.map_or(Ok(()), Err)
}

/// What is left of a query's conditions when [`BlockSource::open`] has looked at the others.
pub(super) fn left_of(query: &Query) -> Query {
    let (strategy, correlation) = (query.strategy.clone(), query.correlation.clone());
    Query { strategy, correlation, run: query.run.clone(), ..Query::all() }
}

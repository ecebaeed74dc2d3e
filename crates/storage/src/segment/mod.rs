//! The segment log: append-only files of framed, compressed, checksummed blocks.

mod blocks;
mod cap;
mod chooser;
mod compact;
mod footers;
mod frame;
mod index;
mod merge;
mod names;
mod quarantine;
mod query;
mod rebuild;
mod recover;
#[cfg(feature = "rollup")]
mod rollups;
mod scan;
mod share;
mod stats;
mod summary;
#[cfg(feature = "synthetic")]
pub mod synthetic;
mod verify;
#[cfg(feature = "parquet")]
mod warm;
mod writer;

pub(crate) use names::SegmentId;
pub(crate) use rebuild::sealed_of_files;
pub use recover::{RecoveryReport, TornTail};
pub(crate) use summary::stream;

use crate::disk::{Disk, OsDisk};
use crate::marker::{self, Marker};
use crate::syncer::Syncer;
use crate::{StorageConfig, fault};
use compact::Eagerness;
use footers::Footers;
use index::Index;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};
use std::time::Duration;
use telemetry_interfaces::{
    Ack, Capabilities, Code, CompactReport, Divided, Durability, EventIter, EventStore, Health,
    Ledger, Maintenance, QuarantineReport, Query, Recovery, Result, StoreStats, VerifyLevel,
    VerifyReport, resume,
};
use telemetry_models::Event;
use writer::Writer;

/// The embedded event store.
///
/// One writer at a time, kept apart by an advisory lock; any number of readers in any process,
/// without a lock. Appended events of one call become one or more blocks; a query passes over
/// blocks by their time range, selectors, sites and outcomes.
///
/// Memory: a query holds the blocks that overlap in time at its present place, decoded (one, when
/// events come in about the order of their timestamps). Of a sealed segment some hundred bytes are
/// in memory, and for the writer eight more for each producer of a run in it; footers are read when a
/// query needs them, and up to 16 MiB of them kept.
#[derive(Debug)]
pub struct SegmentStore {
    shared: Arc<Shared>,
    syncer: Option<Syncer>,
    /// Compacts and rolls up in the background.
    compactor: Option<Syncer>,
    recovery: RecoveryReport,
}

/// What the store shares with its sync thread.
#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    index: RwLock<Index>,
    /// What the footers of sealed segments say, as far as somebody asked.
    footers: Arc<Footers>,
    /// Protects the newest segment and what is known of stored sequences; `None` for readers.
    writer: Option<Mutex<Writer>>,
    /// Held by the one compaction that runs.
    compacting: Mutex<()>,
    /// A clone is held by each query that reads more segments than it holds open.
    reading: Arc<()>,
    /// Replaced segments that such a query may still read.
    replaced: Mutex<Vec<SegmentId>>,
    /// Ends a compaction early.
    closing: AtomicBool,
    /// Why the last compaction or rolling up in the background failed.
    upkeep_fault: Mutex<Option<String>>,
}

impl SegmentStore {
    /// Opens a store for writing; makes it when the directory is absent or empty, and recovers it
    /// when the last writer was interrupted (see [`recovery`](Self::recovery)).
    ///
    /// # Errors
    /// TEL-004 for a configuration out of range; TEL-001 when the directory is not a segment
    /// store, is of a newer version, has another writer (`Unavailable`), or cannot be written.
    pub fn open(config: &StorageConfig) -> Result<Self> {
        Self::open_on(Arc::new(OsDisk), config)
    }

    /// As [`open`](Self::open), on another disk.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub fn open_on(disk: Arc<dyn Disk>, config: &StorageConfig) -> Result<Self> {
        config.validate()?;
        let path = config.path.clone();
        let (marker, lock) = marker::prepare(&*disk, &path, "segment")?;
        let (writer, index, recovery) = recover::recover(Arc::clone(&disk), config, marker, lock)?;
        let shared = Arc::new(Shared {
            disk,
            path,
            index: RwLock::new(index),
            footers: Arc::default(),
            writer: Some(Mutex::new(writer)),
            compacting: Mutex::new(()),
            reading: Arc::default(),
            replaced: Mutex::default(),
            closing: AtomicBool::new(false),
            upkeep_fault: Mutex::new(None),
        });
        let syncer = if config.durability == Durability::Interval {
            let its = Arc::downgrade(&shared);
            let job = move || its.upgrade().is_some_and(|shared| shared.sync_in_background());
            let started = Syncer::start(config.sync_interval(), job);
            Some(started.map_err(|e| fault::io("start the sync thread", &shared.path, e))?)
        } else {
            None
        };
        let compactor = if config.compact_in_background {
            let its = Arc::downgrade(&shared);
            let job = move || its.upgrade().is_some_and(|shared| shared.keep_up());
            let started = Syncer::start(Duration::ZERO, job);
            let started = started.map_err(|e| fault::io("start a thread", &shared.path, e))?;
            // What earlier programs left.
            started.want();
            Some(started)
        } else {
            None
        };
        Ok(Self { shared, syncer, compactor, recovery })
    }

    /// Opens an existing store for reading. Takes no lock and writes nothing; works while another
    /// process writes, and each query sees everything acknowledged before it.
    ///
    /// # Errors
    /// TEL-001 when there is no segment store at the path, or a newer version's; TEL-007 when its
    /// manifest is damaged.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Self::open_read_only_on(Arc::new(OsDisk), path)
    }

    /// As [`open_read_only`](Self::open_read_only), on another disk.
    ///
    /// # Errors
    /// As [`open_read_only`](Self::open_read_only).
    pub fn open_read_only_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self> {
        Marker::read(&*disk, path)?.expect_backend(path, "segment")?;
        let shared = Shared {
            disk,
            path: path.to_owned(),
            index: RwLock::new(Index::default()),
            footers: Arc::default(),
            writer: None,
            compacting: Mutex::new(()),
            reading: Arc::default(),
            replaced: Mutex::default(),
            closing: AtomicBool::new(false),
            upkeep_fault: Mutex::new(None),
        };
        shared.refresh()?;
        let recovery = RecoveryReport::default();
        Ok(Self { shared: Arc::new(shared), syncer: None, compactor: None, recovery })
    }

    /// What opening for writing had to put right.
    pub fn recovery(&self) -> &RecoveryReport {
        &self.recovery
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        self.shared.writer().ok_or_else(|| fault::read_only(&self.shared.path))
    }
}

impl Shared {
    /// Compacts what is worth it, and rolls up; whether the thread should go on.
    fn keep_up(&self) -> bool {
        let done = self.compact(Eagerness::Background, &self.closing, &mut |_, _| {});
        let failed = done.err().map(|error| format!("segments cannot be sorted: {error}"));
        #[cfg(feature = "rollup")]
        let failed = failed.or_else(|| {
            let done = self.roll_up_in_background();
            done.err().map(|error| format!("rollups cannot be made: {error}"))
        });
        *self.upkeep_fault.lock().unwrap_or_else(PoisonError::into_inner) = failed;
        !self.closing.load(Ordering::SeqCst)
    }

    fn writer(&self) -> Option<MutexGuard<'_, Writer>> {
        Some(self.writer.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Syncs without keeping the writer waiting; whether the thread should go on.
    fn sync_in_background(&self) -> bool {
        let Some(writer) = self.writer() else { return false };
        if writer.closed.is_some() {
            return false;
        }
        let Some((number, file)) = writer.active.as_ref().map(|it| (it.id, Arc::clone(&it.file)))
        else {
            return true;
        };
        drop(writer);
        if let Err(error) = file.sync() {
            let path = names::path(&self.path, number);
            if let Some(mut writer) = self.writer() {
                // The reason is kept and given to every later call.
                let _ = writer.poison(&path, &error);
            }
            return false;
        }
        true
    }
}

impl EventStore for SegmentStore {
    fn backend(&self) -> &'static str {
        "segment"
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            persistent: true,
            durability: Durability::Batch,
            idempotent: true,
            shared_readers: true,
            ledgers: true,
        }
    }

    fn append(&self, batch: &[Event]) -> Result<Ack> {
        let (ack, sealed) = {
            let mut writer = self.writer()?;
            let ack = writer.append(batch, &self.shared.index)?;
            (ack, std::mem::take(&mut writer.sealed) > 0)
        };
        if let Some(compactor) = self.compactor.as_ref().filter(|_| sealed) {
            compactor.want();
        }
        if let Some(syncer) = &self.syncer {
            syncer.want();
        }
        Ok(ack)
    }

    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.writer()?.append_ledger(ledger, &self.shared.index)?;
        if let Some(syncer) = &self.syncer {
            syncer.want();
        }
        Ok(())
    }

    fn ledgers(&self) -> Result<Vec<Ledger>> {
        self.shared.settled(|shared, _| shared.ledgers())
    }

    fn flush(&self) -> Result<()> {
        let Some(mut writer) = self.shared.writer() else { return Ok(()) };
        writer.check_open()?;
        writer.sync()
    }

    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        let (planned, after) = query.resumed();
        Ok(match after {
            None => Box::new(self.shared.plan(query)?),
            after => Box::new(resume(self.shared.plan(&planned)?, after, query.limit)),
        })
    }

    fn query_parts(&self, query: &Query, parts: usize) -> Result<Divided<'_>> {
        if query.limit.is_some() || query.after.is_some() {
            let (parts, part_of) = (vec![self.query(query)?], Arc::new(|_: &str| 0));
            return Ok(Divided { parts, part_of });
        }
        let merges = self.shared.plan_parts(query, parts)?;
        let part_of = merges[0].part_of();
        let parts = merges.into_iter().map(|it| Box::new(it) as EventIter<'_>).collect();
        Ok(Divided { parts, part_of })
    }

    fn stats(&self) -> Result<StoreStats> {
        self.shared.settled(|shared, abandoned| {
            let abandoned = abandoned && shared.is_abandoned()?;
            shared.stats(abandoned)
        })
    }

    fn health(&self) -> Health {
        let Some(writer) = &self.shared.writer else {
            return Health::healthy("the segment store is open for reading");
        };
        let writer = match writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                return Health::healthy("the segment store is writing");
            }
        };
        let fault = self.shared.upkeep_fault.lock().unwrap_or_else(PoisonError::into_inner);
        match &*fault {
            Some(what) if writer.closed.is_none() => {
                Health::degraded(Code::StorageUnavailable, format!("queries get slower: {what}"))
            }
            _ => fault::health("segment", writer.closed.as_deref()),
        }
    }

    fn recovered(&self) -> Recovery {
        (&self.recovery).into()
    }

    #[cfg(feature = "rollup")]
    fn rollups(&self) -> Option<&dyn telemetry_interfaces::RollupStore> {
        Some(self)
    }

    fn close(&self) -> Result<()> {
        self.shared.closing.store(true, Ordering::SeqCst);
        if let Some(compactor) = &self.compactor {
            compactor.stop();
        }
        if let Some(syncer) = &self.syncer {
            syncer.stop();
        }
        let Some(mut writer) = self.shared.writer() else { return Ok(()) };
        if writer.closed.is_some() {
            // Said once: what was acknowledged last may not be on stable storage.
            return match writer.lock.take() {
                Some(_) => writer.check_open(),
                None => Ok(()),
            };
        }
        writer.seal()?;
        writer.closed = Some("it was closed".into());
        writer.lock = None;
        let mut index = self.shared.index.write().unwrap_or_else(PoisonError::into_inner);
        writer.publish(&mut index);
        Ok(())
    }
}

impl Maintenance for SegmentStore {
    fn verify(
        &self,
        level: VerifyLevel,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport> {
        #[allow(unused_mut, reason = "rollups add to it when they are compiled in")]
        let mut report = self.shared.verify(level, progress)?;
        #[cfg(feature = "rollup")]
        crate::rollup::verify(&*self.shared.disk, &self.shared.path, self, level, &mut report)?;
        Ok(report)
    }

    #[cfg(feature = "parquet")]
    fn convert(
        &self,
        before: Option<telemetry_models::Timestamp>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<CompactReport> {
        self.shared.convert(before, progress)
    }

    fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<CompactReport> {
        self.shared.compact(Eagerness::Everything, &self.shared.closing, progress)
    }

    fn quarantine(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<QuarantineReport> {
        self.shared.quarantine(progress)
    }
}

impl Drop for SegmentStore {
    fn drop(&mut self) {
        // What is acknowledged is written already; a segment that stays unsealed is recovered at
        // the next opening, so that a failure here loses nothing.
        let _ = self.close();
    }
}

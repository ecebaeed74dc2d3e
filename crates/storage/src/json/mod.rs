//! JSON Lines: one line an event, one file a UTC day.

mod compact;
mod compressed;
mod days;
mod lines;
mod original;
mod quarantine;
mod query;
#[cfg(feature = "rollup")]
mod rollups;
mod settle;
mod upkeep;
mod writer;

use crate::disk::{Disk, OsDisk};
use crate::marker::{self, Marker};
use crate::syncer::Syncer;
use crate::{StorageConfig, fault};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use telemetry_interfaces::{
    Ack, Capabilities, CompactReport, Durability, EventIter, EventStore, Health, Ledger,
    Maintenance, QuarantineReport, Query, Recovery, Result, StoreStats, VerifyLevel, VerifyReport,
    resume,
};
use telemetry_models::Event;
use writer::Writer;

use crate::marker::EVENTS as DIRECTORY;
const LEDGERS: &str = "ledgers.jsonl";

/// Events as text, for people who want to read them with `jq`.
///
/// Opening for writing reads every line once, so that duplicates are known. A query holds 32
/// bytes for every line of one day; statistics read everything.
///
/// Days that are over can be compressed (`compact`); `zstdcat events/*.zst` shows them as they were.
/// A directory with the day files of the original Python system is read as it is.
///
/// Text has no checksum: a changed digit goes unnoticed as long as the line is an event that does
/// not contradict itself. That of compressed days is under the checksums of zstd's frames: a damaged
/// frame costs the lines in it, about 1 MiB, and is reported.
#[derive(Debug)]
pub struct JsonStore {
    shared: Arc<Shared>,
    syncer: Option<Syncer>,
    recovery: Recovery,
}

/// Whether a directory is no store, and holds day files of the original Python system: they can be
/// read where they are.
pub(crate) fn is_original(disk: &dyn Disk, path: &Path) -> bool {
    disk.open(&path.join(marker::FILE), crate::disk::OpenMode::Read).is_err()
        && original::is_there(disk, path)
}

/// What the store shares with its sync thread.
#[derive(Debug)]
struct Shared {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Protects the files being appended to; `None` for readers.
    writer: Option<Mutex<Writer>>,
}

impl JsonStore {
    /// Opens a store for writing; makes it when the directory is absent or empty.
    ///
    /// # Errors
    /// TEL-004 for a configuration out of range; TEL-001 when the directory is not a JSON store,
    /// is of a newer version, has another writer (`Unavailable`), or cannot be written.
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
        let (_, lock) = marker::prepare(&*disk, &path, "json")?;
        let directory = path.join(DIRECTORY);
        disk.create_dir(&directory).map_err(|e| fault::io("make the directory", &directory, e))?;
        let mut shared = Shared { disk, path, writer: None };
        settle::settle(&*shared.disk, &shared.path)?;
        let (seen, recovery) = shared.sequences()?;
        let disk = Arc::clone(&shared.disk);
        let writer = Writer::new(disk, &shared.path, config.durability, seen, lock);
        shared.writer = Some(Mutex::new(writer));
        let shared = Arc::new(shared);
        let syncer = if config.durability == Durability::Interval {
            let its = Arc::downgrade(&shared);
            let job = move || its.upgrade().is_some_and(|shared| shared.sync_in_background());
            let started = Syncer::start(config.sync_interval(), job);
            Some(started.map_err(|e| fault::io("start the sync thread", &shared.path, e))?)
        } else {
            None
        };
        Ok(Self { shared, syncer, recovery })
    }

    /// Opens an existing store for reading. Takes no lock and writes nothing; works while another
    /// process writes.
    ///
    /// # Errors
    /// TEL-001 when there is no JSON store at the path, or a newer version's; TEL-007 when its
    /// manifest is damaged.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        Self::open_read_only_on(Arc::new(OsDisk), path)
    }

    /// As [`open_read_only`](Self::open_read_only), on another disk.
    ///
    /// # Errors
    /// As [`open_read_only`](Self::open_read_only).
    pub fn open_read_only_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Self> {
        if !is_original(&*disk, path) {
            Marker::read(&*disk, path)?.expect_backend(path, "json")?;
        }
        let shared = Shared { disk, path: path.to_owned(), writer: None };
        Ok(Self { shared: Arc::new(shared), syncer: None, recovery: Recovery::default() })
    }

    fn writer(&self) -> Result<MutexGuard<'_, Writer>> {
        self.shared.writer().ok_or_else(|| fault::read_only(&self.shared.path))
    }

    fn want_sync(&self) {
        if let Some(syncer) = &self.syncer {
            syncer.want();
        }
    }
}

impl Shared {
    fn writer(&self) -> Option<MutexGuard<'_, Writer>> {
        Some(self.writer.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Syncs without keeping the writer waiting; whether the thread should go on.
    fn sync_in_background(&self) -> bool {
        let Some(mut writer) = self.writer() else { return false };
        if writer.closed.is_some() {
            return false;
        }
        let unsynced: BTreeMap<_, _> = std::mem::take(&mut writer.unsynced);
        drop(writer);
        for (path, file) in unsynced {
            if let Err(error) = file.sync() {
                if let Some(mut writer) = self.writer() {
                    // The reason is kept and given to every later call.
                    let _ = writer.poison(&path, &error);
                }
                return false;
            }
        }
        true
    }

    /// Whether an unfinished last line will stay so.
    fn is_abandoned(&self) -> Result<bool> {
        if self.writer.is_some() {
            return Ok(true);
        }
        let path = self.path.join(marker::LOCK);
        let locked = self.disk.is_locked(&path);
        Ok(!locked.map_err(|error| fault::io("look at the lock", &path, error))?)
    }
}

impl EventStore for JsonStore {
    fn backend(&self) -> &'static str {
        "json"
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
        let ack = self.writer()?.append(batch)?;
        self.want_sync();
        Ok(ack)
    }

    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.writer()?.append_ledger(ledger)?;
        self.want_sync();
        Ok(())
    }

    fn ledgers(&self) -> Result<Vec<Ledger>> {
        self.shared.ledgers()
    }

    fn flush(&self) -> Result<()> {
        let Some(mut writer) = self.shared.writer() else { return Ok(()) };
        writer.check_open()?;
        writer.sync()
    }

    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        let (planned, after) = query.resumed();
        Ok(Box::new(resume(self.shared.answer(&planned)?, after, query.limit)))
    }

    fn stats(&self) -> Result<StoreStats> {
        self.shared.stats()
    }

    fn health(&self) -> Health {
        let Some(writer) = &self.shared.writer else {
            return Health::healthy("the json store is open for reading");
        };
        let writer = match writer.try_lock() {
            Ok(writer) => writer,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return Health::healthy("the json store is writing"),
        };
        fault::health("json", writer.closed.as_deref())
    }

    fn recovered(&self) -> Recovery {
        self.recovery.clone()
    }

    #[cfg(feature = "rollup")]
    fn rollups(&self) -> Option<&dyn telemetry_interfaces::RollupStore> {
        Some(self)
    }

    fn close(&self) -> Result<()> {
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
        writer.sync()?;
        writer.settled();
        writer.closed = Some("it was closed".into());
        writer.lock = None;
        Ok(())
    }
}

impl Maintenance for JsonStore {
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

    fn quarantine(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<QuarantineReport> {
        self.shared.quarantine(progress)
    }

    fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<CompactReport> {
        self.shared.compact(progress)
    }
}

impl Drop for JsonStore {
    fn drop(&mut self) {
        // What is acknowledged is written already; the kernel brings it to the disk.
        let _ = self.close();
    }
}

//! Appends lines to the files of their days.

use super::settle::Unsettled;
use super::{DIRECTORY, LEDGERS};
use crate::disk::{self, Disk, DiskFile, DiskLock, OpenMode};
use crate::fault;
use crate::seen::Seen;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_interfaces::{Ack, Code, Durability, Error, ErrorKind, Ledger, Result};
use telemetry_models::{Event, json};

/// The most files kept open.
const MAX_OPEN: usize = 16;

/// The one writer of a store.
#[derive(Debug)]
pub(super) struct Writer {
    disk: Arc<dyn Disk>,
    store: PathBuf,
    durability: Durability,
    open: BTreeMap<PathBuf, Arc<dyn DiskFile>>,
    pub(super) unsynced: BTreeMap<PathBuf, Arc<dyn DiskFile>>,
    /// Files the next writer must not trust, should this one be interrupted.
    unsettled: Unsettled,
    seen: Seen,
    /// Why nothing more is taken.
    pub(super) closed: Option<String>,
    /// Held until the store is closed.
    pub(super) lock: Option<Box<dyn DiskLock>>,
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        store: &Path,
        durability: Durability,
        seen: Seen,
        lock: Box<dyn DiskLock>,
    ) -> Self {
        Self {
            disk,
            store: store.to_owned(),
            durability,
            open: BTreeMap::new(),
            unsynced: BTreeMap::new(),
            unsettled: Unsettled::default(),
            seen,
            closed: None,
            lock: Some(lock),
        }
    }

    pub(super) fn check_open(&self) -> Result<()> {
        self.closed.as_ref().map_or(Ok(()), |reason| Err(fault::closed(&self.store, reason)))
    }

    pub(super) fn append(&mut self, batch: &[Event]) -> Result<Ack> {
        self.check_open()?;
        let admitted = self.seen.admit(batch);
        let mut texts = BTreeMap::<PathBuf, Vec<u8>>::new();
        for event in &admitted.fresh {
            let name = format!("{}.jsonl", event.timestamp.day());
            let text = texts.entry(self.store.join(DIRECTORY).join(name)).or_default();
            json::write_to(event, text);
            text.push(b'\n');
        }
        if let Err(error) = self.write(texts) {
            self.seen.revoke(&admitted.fresh);
            return Err(error);
        }
        Ok(Ack {
            stored: admitted.fresh.len() as u64,
            duplicates: admitted.duplicates,
            durability: self.durability,
        })
    }

    pub(super) fn append_ledger(&mut self, ledger: &Ledger) -> Result<()> {
        self.check_open()?;
        let mut text = serde_json::to_vec(ledger).map_err(|error| {
            Error::new(ErrorKind::Internal, Code::Processing, "a ledger cannot be written as JSON")
                .source(error)
        })?;
        text.push(b'\n');
        self.write(BTreeMap::from([(self.store.join(LEDGERS), text)]))
    }

    /// Appends to several files, whole or not at all.
    fn write(&mut self, texts: BTreeMap<PathBuf, Vec<u8>>) -> Result<()> {
        let mut touched: Vec<(PathBuf, Arc<dyn DiskFile>, u64)> = Vec::new();
        for (path, mut text) in texts {
            let written = self.file(&path).and_then(|file| {
                let length = file.size()?;
                let last = match length {
                    0 => Vec::new(),
                    length => disk::read_exact(&*file, length - 1, 1)?,
                };
                if !last.is_empty() && last != *b"\n" {
                    // The line before was torn; it stays as it is.
                    text.insert(0, b'\n');
                }
                touched.push((path.clone(), Arc::clone(&file), length));
                file.append(&text)
            });
            if let Err(error) = written {
                let failure = fault::io("write events", &path, error);
                for (_, file, length) in &touched {
                    if let Err(error) = file.truncate(*length) {
                        let reason = format!("a failed write could not be taken back ({error})");
                        self.closed = Some(reason);
                    }
                }
                return Err(failure);
            }
        }
        let files = touched.iter().map(|(path, file, _)| (path.clone(), Arc::clone(file)));
        self.unsynced.extend(files);
        if self.durability != Durability::Batch {
            return Ok(());
        }
        self.sync().inspect_err(|_| {
            // None of this was acknowledged, and the kernel shows it whether or not it is on the
            // disk: the next writer must not take it for stored.
            for (_, file, length) in &touched {
                let _ = file.truncate(*length);
            }
        })
    }

    fn file(&mut self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.open.get(path) {
            return Ok(Arc::clone(file));
        }
        self.unsettled.note(&*self.disk, &self.store, path)?;
        if self.open.len() >= MAX_OPEN {
            self.open.clear();
        }
        let file = match self.disk.open(path, OpenMode::Append) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.disk.open(path, OpenMode::Create)?
            }
            opened => opened?,
        };
        // Also for a file that is there: whoever made it may have failed, or been killed, before
        // its name was durable.
        self.disk.sync_dir(path.parent().unwrap_or(&self.store))?;
        self.open.insert(path.to_owned(), Arc::clone(&file));
        Ok(file)
    }

    /// Lets go of a file that is about to be removed.
    pub(super) fn forget(&mut self, path: &Path) {
        self.open.remove(path);
    }

    pub(super) fn sync(&mut self) -> Result<()> {
        for (path, file) in std::mem::take(&mut self.unsynced) {
            if let Err(error) = file.sync() {
                return Err(self.poison(&path, &error));
            }
        }
        Ok(())
    }

    /// Closes every file: each is opened again when it is needed.
    pub(super) fn forget_files(&mut self) {
        self.open.clear();
        self.unsynced.clear();
    }

    /// Says that everything is on stable storage, at the end.
    pub(super) fn settled(&mut self) {
        // Left behind, the list costs the next writer a copy and nothing else.
        let _ = self.unsettled.clear(&*self.disk, &self.store);
    }

    /// Closes the store for good: after a failed fsync a second that succeeds proves nothing.
    pub(super) fn poison(&mut self, path: &Path, error: &io::Error) -> Error {
        let reason = format!("fsync of {} failed: {error}", path.display());
        let fault = fault::closed(&self.store, &reason)
            .cure("check the disk, then open the store again: it reads what is readable");
        self.closed = Some(reason);
        fault
    }
}

//! A disk that counts and fails.

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use telemetry_storage::disk::{Disk, DiskFile, Locking, OpenMode, OsDisk};

#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) syncs: Mutex<u64>,
    pub(crate) synced: Condvar,
    pub(crate) fail_sync: AtomicBool,
    /// Bytes that still fit.
    pub(crate) room: AtomicU64,
    /// For tests that open a store thousands of times: nothing is brought to stable storage.
    pub(crate) skip_sync: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct TestDisk(Arc<Faults>);

#[derive(Debug)]
struct TestFile(Arc<Faults>, Arc<dyn DiskFile>);

impl TestDisk {
    pub(crate) fn faulty() -> (Arc<dyn Disk>, Arc<Faults>) {
        let faults = Arc::new(Faults { room: u64::MAX.into(), ..Faults::default() });
        (Arc::new(Self(Arc::clone(&faults))), faults)
    }
}

impl TestDisk {
    pub(crate) fn without_sync() -> Arc<dyn Disk> {
        let (disk, faults) = Self::faulty();
        faults.skip_sync.store(true, Ordering::SeqCst);
        disk
    }
}

impl Faults {
    #[cfg(feature = "json")]
    pub(crate) fn syncs(&self) -> u64 {
        *self.syncs.lock().unwrap()
    }
}

impl Disk for TestDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(TestFile(Arc::clone(&self.0), OsDisk.open(path, mode)?)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if self.0.skip_sync.load(Ordering::SeqCst) { Ok(()) } else { OsDisk.sync_dir(path) }
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking> {
        OsDisk.lock(path, holder)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        OsDisk.is_locked(path)
    }
}

impl DiskFile for TestFile {
    fn size(&self) -> io::Result<u64> {
        self.1.size()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_at(buffer, offset)
    }
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let room = self.0.room.load(Ordering::SeqCst);
        if (bytes.len() as u64) > room {
            self.1.append(&bytes[..room as usize])?;
            self.0.room.store(0, Ordering::SeqCst);
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.0.room.store(room - bytes.len() as u64, Ordering::SeqCst);
        self.1.append(bytes)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.1.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        if self.0.fail_sync.load(Ordering::SeqCst) {
            return Err(io::Error::other("injected"));
        }
        *self.0.syncs.lock().unwrap() += 1;
        self.0.synced.notify_all();
        if self.0.skip_sync.load(Ordering::SeqCst) { Ok(()) } else { self.1.sync() }
    }
}

/// A disk on which something happens in the middle of what a store does.
#[derive(Default)]
pub(crate) struct Interrupting {
    /// Taken at the opening of a file with this name.
    pub(crate) at: Mutex<Option<(String, Happening)>>,
}

pub(crate) type Happening = Box<dyn FnOnce() + Send>;

impl std::fmt::Debug for Interrupting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Interrupting")
    }
}

impl Disk for Interrupting {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let its_turn = |at: &mut (String, _)| path.ends_with(&at.0);
        let due = self.at.lock().unwrap().take_if(its_turn);
        if let Some((_, happens)) = due {
            happens();
        }
        OsDisk.open(path, mode)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_dir(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking> {
        OsDisk.lock(path, holder)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        OsDisk.is_locked(path)
    }
}

//! A disk in memory that loses, tears and refuses.
//!
//! It keeps apart what programs see (the page cache) and what is on stable storage. What was
//! written and not synced is lost, kept, cut or scattered by sectors when the power fails; names
//! that were given or taken are lost when their directory was not synced; a sync that fails
//! forgets what it was to write, and a later one that succeeds does not bring it back. Between two
//! calls a program may be killed: then its locks are free, and what it wrote is in the cache.

mod content;
mod fault;
mod tree;

pub use fault::{Fault, FaultKind};

use fastrand::Rng;
use fault::Call;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use telemetry_storage::disk::{Disk, DiskFile, DiskLock, Locking, OpenMode};
use tree::Tree;

/// What a loss of power takes of what was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// All of it.
    Unsynced,
    /// None of it, as when the program alone is killed.
    Nothing,
    /// What came after some moment, of each file another one; it may be in the middle of a write.
    Tail,
    /// Any part: each change of a name for itself, each sector for itself, so that later writes
    /// can be there without earlier ones.
    Scattered,
}

impl Loss {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Unsynced, Self::Nothing, Self::Tail, Self::Scattered];
}

/// The disk, as one running program sees it. Clones are the same program.
#[derive(Clone, Debug)]
pub struct SimDisk {
    shared: Arc<Mutex<Machine>>,
    /// The program; another one is another machine's or a later one on the same.
    program: u64,
}

/// The disk as it was between two calls.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The call that came next, counted from 0, of those that change the disk.
    pub call: u64,
    /// What [`SimDisk::note`] said last.
    pub note: usize,
    tree: Tree,
}

#[derive(Debug)]
struct Machine {
    tree: Tree,
    program: u64,
    locks: BTreeMap<PathBuf, String>,
    /// Calls so far that change the disk, and that only look.
    changes: u64,
    looks: u64,
    fault: Option<Fault>,
    rng: Rng,
    note: usize,
    moments: Option<Vec<Moment>>,
    /// The most bytes all files together may have.
    capacity: u64,
}

impl SimDisk {
    /// An empty disk with one directory, `root`, in which everything happens. Short reads, torn
    /// writes and what a failing sync forgets are drawn from the seed.
    pub fn new(root: &Path, seed: u64) -> Self {
        Self::of(Tree::with(root), seed)
    }

    /// A disk as another one was, after a loss of power.
    pub fn after(moment: &Moment, loss: Loss, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let tree = moment.tree.after(loss, &mut rng);
        Self::of(tree, rng.u64(..))
    }

    fn of(tree: Tree, seed: u64) -> Self {
        let machine = Machine {
            tree,
            program: 0,
            locks: BTreeMap::new(),
            changes: 0,
            looks: 0,
            fault: None,
            rng: Rng::with_seed(seed),
            note: 0,
            moments: None,
            capacity: u64::MAX,
        };
        Self { shared: Arc::new(Mutex::new(machine)), program: 0 }
    }

    fn machine(&self) -> MutexGuard<'_, Machine> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the disk as it is before each call that changes it, from now on.
    pub fn watch(&self) {
        self.machine().moments = Some(Vec::new());
    }

    /// What was kept since [`watch`](Self::watch), ending with the present.
    pub fn moments(&self) -> Vec<Moment> {
        let mut machine = self.machine();
        let now = machine.moment();
        let mut moments = machine.moments.take().unwrap_or_default();
        moments.push(now);
        moments
    }

    /// The disk as it is.
    pub fn moment(&self) -> Moment {
        self.machine().moment()
    }

    /// A number that later moments carry, for whoever wants to know how far a program was.
    pub fn note(&self, note: usize) {
        self.machine().note = note;
    }

    /// From now on calls are counted anew, and this goes wrong.
    pub fn fail(&self, fault: Option<Fault>) {
        let mut machine = self.machine();
        machine.changes = 0;
        machine.looks = 0;
        machine.fault = fault;
    }

    /// Calls since the beginning or [`fail`](Self::fail): that change the disk, and that only look.
    pub fn calls(&self) -> (u64, u64) {
        let machine = self.machine();
        (machine.changes, machine.looks)
    }

    /// The most bytes all files together may have; a write beyond puts down what fits.
    pub fn limit(&self, bytes: u64) {
        self.machine().capacity = bytes;
    }

    /// Kills the program: every later call of it fails without effect. The next one finds what was
    /// written, synced or not; what a failed sync forgot may be gone from the cache.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut machine = self.machine();
        machine.kill();
        Self { shared: Arc::clone(&self.shared), program: machine.program }
    }

    /// The disk for the next program, if this one was killed by a [`FaultKind::Kill`].
    pub fn next_program(&self) -> Option<Self> {
        let program = self.machine().program;
        (program != self.program).then(|| Self { shared: Arc::clone(&self.shared), program })
    }

    /// The files, with their lengths in bytes.
    pub fn files(&self) -> Vec<(PathBuf, usize)> {
        self.machine().tree.lengths().map(|(path, length)| (path.to_owned(), length)).collect()
    }

    /// The content of a file, as a program would read it.
    pub fn read(&self, path: &Path) -> Option<Vec<u8>> {
        let machine = self.machine();
        let inode = machine.tree.file(path)?;
        Some(machine.tree.content(inode).now.clone())
    }

    /// Cuts a file, as something outside the program would.
    ///
    /// # Panics
    /// When there is no such file.
    pub fn cut(&self, path: &Path, length: usize) {
        let mut machine = self.machine();
        let inode = machine.tree.file(path).expect("the file to damage is there");
        let content = machine.tree.content_mut(inode);
        content.truncate(length);
        content.sync();
    }

    /// Turns one bit of a file over, counted from its beginning, as a failing disk would.
    ///
    /// # Panics
    /// When there is no such file or bit.
    pub fn flip(&self, path: &Path, bit: usize) {
        let mut machine = self.machine();
        let inode = machine.tree.file(path).expect("the file to damage is there");
        machine.tree.content_mut(inode).flip(bit);
    }
}

impl Machine {
    fn moment(&self) -> Moment {
        Moment { call: self.changes, note: self.note, tree: self.tree.clone() }
    }

    fn kill(&mut self) {
        self.program += 1;
        self.locks.clear();
        if self.rng.bool() {
            self.tree.evict();
        }
    }

    /// Counts a call, and says whether it fails.
    fn count(&mut self, call: Call, program: u64) -> io::Result<()> {
        if program != self.program {
            return Err(io::Error::other("the program was killed"));
        }
        if call != Call::Look && self.moments.is_some() {
            let moment = self.moment();
            self.moments.get_or_insert_default().push(moment);
        }
        let counter = if call == Call::Look { &mut self.looks } else { &mut self.changes };
        let number = *counter;
        *counter += 1;
        let Some(error) = self.fault.and_then(|fault| fault.meets(call, number)) else {
            return Ok(());
        };
        if self.fault.is_some_and(|fault| fault.kind == FaultKind::Kill) {
            self.kill();
        }
        Err(error)
    }
}

impl Disk for SimDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        if machine.tree.file(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let missing: Vec<_> =
            path.ancestors().take_while(|it| !machine.tree.is_directory(it)).collect();
        for path in missing.iter().rev() {
            machine.count(Call::Fill, self.program)?;
            machine.tree.make_directory(path)?;
        }
        // Also of a directory that is there: whoever made it may have been killed before this.
        // Also above directories that are there: whoever made them may have been killed before.
        for above in path.ancestors().skip(1).take_while(|it| it.parent().is_some()) {
            machine.count(Call::Change, self.program)?;
            machine.tree.sync_directory(above)?;
        }
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut machine = self.machine();
        machine.count(Call::Look, self.program)?;
        machine.tree.list(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut machine = self.machine();
        let call = if mode == OpenMode::Create { Call::Fill } else { Call::Look };
        machine.count(call, self.program)?;
        let inode = match mode {
            OpenMode::Read | OpenMode::Append => {
                machine.tree.file(path).ok_or(io::ErrorKind::NotFound)?
            }
            OpenMode::Create => machine.tree.create(path)?,
        };
        Ok(Arc::new(SimFile { disk: self.clone(), inode, writable: mode != OpenMode::Read }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.count(Call::Change, self.program)?;
        machine.tree.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        machine.count(Call::Change, self.program)?;
        machine.tree.remove(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut machine = self.machine();
        // Unlike pages of files, changed names stay changed in the cache: a later sync has them.
        machine.count(Call::Change, self.program)?;
        machine.tree.sync_directory(path)
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking> {
        let mut machine = self.machine();
        machine.count(Call::Fill, self.program)?;
        if let Some(holder) = machine.locks.get(path) {
            return Ok(Locking::Theirs(holder.clone()));
        }
        if machine.tree.file(path).is_none() {
            machine.tree.create(path)?;
        }
        machine.locks.insert(path.to_owned(), holder.to_owned());
        Ok(Locking::Ours(Box::new(SimLock { disk: self.clone(), path: path.to_owned() })))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let mut machine = self.machine();
        machine.count(Call::Look, self.program)?;
        Ok(machine.locks.contains_key(path))
    }
}

#[derive(Debug)]
struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut machine = self.disk.machine();
        if machine.program == self.disk.program {
            machine.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct SimFile {
    disk: SimDisk,
    inode: usize,
    writable: bool,
}

impl SimFile {
    fn writable(&self) -> io::Result<()> {
        if self.writable { Ok(()) } else { Err(io::ErrorKind::PermissionDenied.into()) }
    }
}

impl DiskFile for SimFile {
    fn size(&self) -> io::Result<u64> {
        let mut machine = self.disk.machine();
        machine.count(Call::Look, self.disk.program)?;
        Ok(machine.tree.content(self.inode).now.len() as u64)
    }

    /// Gives less than was asked for now and then, as `read(2)` may.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut machine = self.disk.machine();
        machine.count(Call::Look, self.disk.program)?;
        match machine.rng.u32(..64) {
            0 => return Err(io::ErrorKind::Interrupted.into()),
            1..4 if buffer.len() > 1 => {
                let length = machine.rng.usize(1..buffer.len());
                return Ok(copy(
                    &machine.tree.content(self.inode).now,
                    offset,
                    &mut buffer[..length],
                ));
            }
            _ => {}
        }
        Ok(copy(&machine.tree.content(self.inode).now, offset, buffer))
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.writable()?;
        let mut machine = self.disk.machine();
        let alive = machine.program == self.disk.program;
        let failed = machine.count(Call::Fill, self.disk.program).err();
        if !alive {
            return failed.map_or(Ok(()), Err);
        }
        let room = machine.capacity.saturating_sub(machine.tree.bytes());
        let (fits, failed) = match failed {
            Some(error) => (machine.rng.usize(..=bytes.len()), Some(error)),
            None if (bytes.len() as u64) <= room => (bytes.len(), None),
            None => (room as usize, Some(io::ErrorKind::StorageFull.into())),
        };
        machine.tree.content_mut(self.inode).append(&bytes[..fits]);
        failed.map_or(Ok(()), Err)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.writable()?;
        let mut machine = self.disk.machine();
        machine.count(Call::Change, self.disk.program)?;
        machine.tree.content_mut(self.inode).truncate(length as usize);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut machine = self.disk.machine();
        let counted = machine.count(Call::Change, self.disk.program);
        if machine.program != self.disk.program {
            return counted;
        }
        let Machine { tree, rng, .. } = &mut *machine;
        match counted {
            Ok(()) => tree.content_mut(self.inode).sync(),
            Err(_) => tree.content_mut(self.inode).fail_to_sync(rng),
        }
        counted
    }
}

/// Copies what lies at an offset; 0 behind the end.
fn copy(content: &[u8], offset: u64, into: &mut [u8]) -> usize {
    let rest = content.get(offset as usize..).unwrap_or_default();
    let length = rest.len().min(into.len());
    into[..length].copy_from_slice(&rest[..length]);
    length
}

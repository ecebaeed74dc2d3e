//! The one place where event stores touch files.
//!
//! Every file operation of an event store goes through [`Disk`], so that another implementation
//! can drop, tear or refuse writes at any step. State in SQLite does not: SQLite has its own.

mod os;

pub use os::OsDisk;
use std::fmt::Debug;
use std::io;
use std::path::Path;
use std::sync::Arc;

/// A file system, as far as an event store needs one.
///
/// Nothing is durable before [`DiskFile::sync`] for content, [`sync_dir`](Self::sync_dir) for
/// names. Calls on different files may run at the same time.
pub trait Disk: Send + Sync + Debug {
    /// Makes a directory and those above it; fine when it is there. Its entry is durable on return,
    /// and so are those of directories made on the way.
    ///
    /// # Errors
    /// As the file system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names of the entries of a directory, sorted.
    ///
    /// # Errors
    /// `NotFound` without the directory; otherwise as the file system says.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Opens a file.
    ///
    /// # Errors
    /// `NotFound` or `AlreadyExists` according to the mode; otherwise as the file system says.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what had that name, in one step.
    ///
    /// # Errors
    /// As the file system says; nothing has changed then.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// As the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes names given and taken in a directory durable.
    ///
    /// # Errors
    /// As the file system says; which names are durable is then unknown.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes an exclusive advisory lock, made if necessary, without waiting. `holder` is written
    /// into the file, for whoever is refused.
    ///
    /// # Errors
    /// As the file system says. A lock that somebody else holds is no error.
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking>;

    /// Whether somebody holds the lock at this moment. A lock that was never made is not held.
    ///
    /// # Errors
    /// As the file system says.
    fn is_locked(&self, path: &Path) -> io::Result<bool>;
}

/// What an open file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenMode {
    /// Reading; must be there.
    Read,
    /// Reading and appending; must be there.
    Append,
    /// Reading and appending; must not be there yet.
    Create,
}

/// An open file.
pub trait DiskFile: Send + Sync + Debug {
    /// Length in bytes.
    ///
    /// # Errors
    /// As the file system says.
    fn size(&self) -> io::Result<u64>;

    /// Reads up to `buffer.len()` bytes at an offset; 0 at the end of the file.
    ///
    /// # Errors
    /// As the file system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Writes all bytes at the end.
    ///
    /// # Errors
    /// As the file system says; any part of the bytes may have been written.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file down to a length.
    ///
    /// # Errors
    /// As the file system says.
    fn truncate(&self, length: u64) -> io::Result<()>;

    /// Brings content and length to stable storage.
    ///
    /// # Errors
    /// As the file system says. What is durable is unknown then, and a second call that succeeds
    /// proves nothing: the kernel may have forgotten the failed pages.
    fn sync(&self) -> io::Result<()>;
}

/// The answer to an attempt to lock.
#[derive(Debug)]
pub enum Locking {
    /// Held until the value is dropped.
    Ours(Box<dyn DiskLock>),
    /// Somebody else holds it; what they wrote about themselves.
    Theirs(String),
}

/// A held lock; dropping releases it.
pub trait DiskLock: Send + Sync + Debug {}

/// Reads exactly `length` bytes at an offset.
pub(crate) fn read_exact(file: &dyn DiskFile, offset: u64, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    let mut done = 0;
    while done < length {
        match file.read_at(&mut bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => done += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(bytes)
}

/// Reads a small file whole.
pub(crate) fn read_all(disk: &dyn Disk, path: &Path) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let length = usize::try_from(file.size()?).map_err(|_| io::ErrorKind::FileTooLarge)?;
    read_exact(&*file, 0, length)
}

/// Copies the first `length` bytes of a file to the end of another; `each` hears of every piece.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn copy(
    from: &dyn DiskFile,
    length: u64,
    to: &dyn DiskFile,
    each: &mut dyn FnMut(&[u8]),
) -> io::Result<()> {
    let mut at = 0;
    while at < length {
        let piece = read_exact(from, at, (length - at).min(1 << 20) as usize)?;
        each(&piece);
        to.append(&piece)?;
        at += piece.len() as u64;
    }
    Ok(())
}

/// Writes a file beside the target and moves it there, so that a reader sees the old content or
/// the new, also after a crash.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn replace(disk: &dyn Disk, path: &Path, content: &[u8]) -> io::Result<()> {
    replace_with(disk, path, |file| file.append(content))
}

/// As [`replace`], with whatever `write` puts into the new file.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn replace_with(
    disk: &dyn Disk,
    path: &Path,
    write: impl FnOnce(&dyn DiskFile) -> io::Result<()>,
) -> io::Result<()> {
    let beside = path.with_extension("tmp");
    match disk.remove(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = disk.open(&beside, OpenMode::Create)?;
    if let Err(error) = write(&*file).and_then(|()| file.sync()) {
        // On a full disk, what is half written takes room from the next try.
        let _ = disk.remove(&beside);
        return Err(error);
    }
    drop(file);
    disk.rename(&beside, path)?;
    path.parent().map_or(Ok(()), |directory| disk.sync_dir(directory))
}

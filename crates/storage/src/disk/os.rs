use super::{Disk, DiskFile, DiskLock, Locking, OpenMode};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsDisk;

/// How often a taken lock is tried again, because a reader asking whether it is held holds it for
/// an instant itself.
const LOCK_TRIES: u32 = 5;

impl Disk for OsDisk {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        if path.is_dir() {
            // Whoever made it, or one above it, may have been killed before its entry was durable.
            return path.ancestors().skip(1).try_for_each(|above| sync_if_possible(self, above));
        }
        if let Some(above) = above {
            self.create_dir(above)?;
        }
        match fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        self.sync_dir(above.unwrap_or(Path::new(".")))
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = fs::read_dir(path)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut options = OpenOptions::new();
        options.read(true);
        match mode {
            OpenMode::Read => {}
            OpenMode::Append => {
                options.append(true);
            }
            OpenMode::Create => {
                options.append(true).create_new(true);
            }
        }
        Ok(Arc::new(OsFile(options.open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        // Windows neither offers nor needs it: names are made durable with the file.
        if cfg!(windows) { Ok(()) } else { File::open(path)?.sync_all() }
    }

    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        for attempt in 1.. {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(error),
                Err(TryLockError::WouldBlock) if attempt < LOCK_TRIES => {
                    std::thread::sleep(Duration::from_millis(2));
                }
                Err(TryLockError::WouldBlock) => {
                    let mut holder = String::new();
                    // Where locks are mandatory, the holder cannot be read.
                    let _ = file.read_to_string(&mut holder);
                    return Ok(Locking::Theirs(holder.trim().to_owned()));
                }
            }
        }
        file.set_len(0)?;
        file.write_all(holder.as_bytes())?;
        Ok(Locking::Ours(Box::new(OsLock { _file: file })))
    }

    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Syncs a directory that this program may not have made anything in: one that cannot be read or
/// synced is no obstacle.
fn sync_if_possible(disk: &OsDisk, path: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    match disk.sync_dir(path) {
        Err(error)
            if matches!(
                error.kind(),
                InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported
            ) =>
        {
            Ok(())
        }
        synced => synced,
    }
}

#[derive(Debug)]
struct OsLock {
    _file: File,
}

impl DiskLock for OsLock {}

#[derive(Debug)]
struct OsFile(File);

impl DiskFile for OsFile {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }

    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

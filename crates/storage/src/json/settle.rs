//! Files that an interrupted writer may have left in the cache alone.
//!
//! When a sync fails, the kernel forgets what it was to write and still shows it to whoever reads;
//! a later sync succeeds without it. A writer therefore notes which files it appends to before it
//! does, and the next one writes those anew, unless the note was withdrawn after a last sync that
//! succeeded.

use super::days::day_of;
use super::{DIRECTORY, LEDGERS, compact};
use crate::disk::{self, Disk, OpenMode};
use crate::fault;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use telemetry_interfaces::Result;

/// The note: names of files relative to the store, one a line.
pub(super) const FILE: &str = "UNSETTLED";

/// What the note of this writer says.
#[derive(Debug, Default)]
pub(super) struct Unsettled(BTreeSet<String>);

impl Unsettled {
    /// Notes a file, durably, before anything is appended to it.
    pub(super) fn note(&mut self, disk: &dyn Disk, store: &Path, path: &Path) -> io::Result<()> {
        let name = path.strip_prefix(store).unwrap_or(path).to_string_lossy().replace('\\', "/");
        if self.0.contains(&name) {
            return Ok(());
        }
        let names = self.0.iter().chain([&name]);
        let text: String = names.map(|name| format!("{name}\n")).collect();
        disk::replace(disk, &store.join(FILE), text.as_bytes())?;
        self.0.insert(name);
        Ok(())
    }

    /// Withdraws the note.
    pub(super) fn clear(&mut self, disk: &dyn Disk, store: &Path) -> io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        self.0.clear();
        disk.remove(&store.join(FILE))
    }
}

/// Brings to stable storage what an interrupted writer left: from now on it counts as stored. Call
/// with the lock held, before anything is read.
pub(super) fn settle(disk: &dyn Disk, store: &Path) -> Result<()> {
    let directory = store.join(DIRECTORY);
    let note = store.join(FILE);
    let listed = disk.list(&directory).map_err(|e| fault::io("list", &directory, e))?;
    for name in listed.iter().filter(|it| is_unfinished(it) || compact::is_unfinished(it)) {
        let path = directory.join(name);
        disk.remove(&path).map_err(|e| fault::io("remove an unfinished copy", &path, e))?;
    }
    let names = match disk::read_all(disk, &note) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(fault::io("read", &note, error)),
    };
    let ours = |name: &&str| {
        let day = name.strip_prefix(DIRECTORY).and_then(|it| it.strip_prefix('/'));
        *name == LEDGERS || day.is_some_and(|it| day_of(it).is_some())
    };
    for name in names.lines().filter(ours) {
        let path = store.join(name);
        let copied = match disk.open(&path, OpenMode::Read) {
            Ok(file) => file.size().and_then(|size| {
                disk::replace_with(disk, &path, |anew| disk::copy(&*file, size, anew, &mut |_| {}))
            }),
            // Noted and never made.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        };
        copied.map_err(|e| fault::io("bring events to stable storage", &path, e))?;
    }
    if !names.is_empty() {
        let removed = disk.remove(&note).and_then(|()| disk.sync_dir(store));
        removed.map_err(|e| fault::io("remove", &note, e))?;
    }
    Ok(())
}

/// Whether a file is a copy of a day that was not finished.
pub(super) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp").is_some_and(|day| day_of(&format!("{day}.jsonl")).is_some())
}

//! Makes the manifest of a store anew from its files.

use crate::disk::{Disk, Locking, OsDisk};
use crate::fault;
use crate::marker::{self, Marker};
use crate::quarantine::Folder;
use serde::Serialize;
use std::io;
use std::path::Path;
use telemetry_interfaces::{Code, Damage, Error, ErrorKind, Result};

/// What making a manifest anew found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RebuildReport {
    /// The backend, told by the files.
    pub backend: String,
    /// Sealed files that the manifest names now.
    pub files: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Damage that stays in the store; see `Maintenance::quarantine`.
    pub damage: Vec<Damage>,
    /// Files whose content another one holds too. Opening the store for writing removes them.
    pub replaced: Vec<String>,
    /// Where the manifest that was there is kept, relative to the store.
    pub kept: Option<String>,
    /// Days that a manifest of the rollups names which was lost or damaged, and was made anew too.
    pub rollup_days: Option<u64>,
}

/// Makes `telemetry-store.json` anew from the files of a store, for when it is lost or damaged.
/// Reads every byte of every segment. A manifest that is there is kept beside the new one.
/// What a manifest alone can tell is not known afterwards: that a segment is missing.
///
/// # Errors
/// TEL-001 when the directory holds no files of a store, or another process writes to it, or a
/// newer version wrote the manifest (`Unsupported`); otherwise when a file cannot be read or written.
pub fn rebuild(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<RebuildReport> {
    rebuild_on(&OsDisk, path, progress)
}

fn rebuild_on(
    disk: &dyn Disk,
    store: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<RebuildReport> {
    let names = match disk.list(store) {
        Ok(names) => names,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(fault::no_store(store));
        }
        Err(error) => return Err(fault::io("list the directory", store, error)),
    };
    let there = |name: &str| names.iter().any(|it| it == name);
    let backend = match (there(marker::SEGMENTS), there(marker::EVENTS)) {
        (true, false) => "segment",
        (false, true) => "json",
        (true, true) => {
            let message = "the directory holds files of two backends: segments and events";
            return Err(Error::new(ErrorKind::Invalid, Code::StorageUnavailable, message)
                .with("path", store.display())
                .cure("move the folder that does not belong here somewhere else"));
        }
        (false, false) => {
            return Err(match names.iter().find(|it| !marker::is_beside(it)) {
                Some(name) => fault::not_a_store(store, name),
                None => fault::no_store(store),
            });
        }
    };
    match Marker::read(disk, store) {
        Err(error) if error.kind() == ErrorKind::Unsupported => return Err(error),
        _ => {}
    }
    let path = store.join(marker::LOCK);
    let holder = format!("process {}", std::process::id());
    let _lock =
        match disk.lock(&path, &holder).map_err(|e| fault::io("lock the store", &path, e))? {
            Locking::Ours(lock) => lock,
            Locking::Theirs(holder) => return Err(fault::locked(store, &holder)),
        };
    let mut report = RebuildReport { backend: backend.into(), ..RebuildReport::default() };
    let mut made = Marker::new(backend);
    if backend == "segment" {
        segments(disk, store, &mut made, &mut report, progress)?;
    }
    let mut folder = Folder::new(disk, store);
    #[cfg(feature = "rollup")]
    {
        report.rollup_days = crate::rollup::mend(disk, store, &mut folder)?;
    }
    if there(marker::FILE) {
        report.kept = Some(folder.keep(&store.join(marker::FILE), marker::FILE)?);
    }
    made.write(disk, store)?;
    Ok(report)
}

#[cfg(feature = "segment")]
fn segments(
    disk: &dyn Disk,
    store: &Path,
    made: &mut Marker,
    report: &mut RebuildReport,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    let found = crate::segment::sealed_of_files(disk, store, progress)?;
    report.files = found.sealed.len() as u64;
    report.events = found.sealed.iter().map(|it| it.events).sum();
    report.bytes = found.sealed.iter().map(|it| it.bytes).sum();
    report.damage = found.damage;
    report.replaced = found.replaced;
    made.sealed = found.sealed;
    made.sealed.sort_by_key(|it| it.segment);
    Ok(())
}

#[cfg(not(feature = "segment"))]
fn segments(
    _disk: &dyn Disk,
    _store: &Path,
    _made: &mut Marker,
    _report: &mut RebuildReport,
    _progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    Err(fault::not_compiled("segment"))
}

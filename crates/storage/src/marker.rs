//! `telemetry-store.json`: says that a directory is a store, of which backend and version, and
//! which segments were sealed.

use crate::disk::{self, Disk};
use crate::fault;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

pub(crate) const FILE: &str = "telemetry-store.json";
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const LOCK: &str = "LOCK";
/// The marker that is being written.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const TEMPORARY: &str = "telemetry-store.tmp";
const FORMAT: &str = "telemetry-store";
/// The newest version this program reads.
const VERSION: u64 = 3;

/// Where a recording program keeps events while the store takes none.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const SPOOL: &str = "spool";

/// Where the events of the segment store lie.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const SEGMENTS: &str = "segments";
/// Where the events of the JSON store lie.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const EVENTS: &str = "events";

/// What is remembered of sealed segments.
#[cfg(feature = "segment")]
pub(crate) const SUMMARIES: &str = "telemetry-store.summaries";

/// Where the Parquet files of the warm tier lie.
#[cfg(feature = "segment")]
pub(crate) const PARQUET: &str = "parquet";

/// Rollups lie beside the events, and outlive them.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) const ROLLUPS: &str = "rollups";

/// Whether a name in a store's directory belongs to the segment store, or to what may lie beside it.
#[cfg(feature = "segment")]
pub(crate) fn is_ours(name: &str) -> bool {
    let quarantine = crate::quarantine::DIRECTORY;
    let files = [FILE, TEMPORARY, LOCK, SUMMARIES];
    let folders = [SPOOL, ROLLUPS, quarantine, SEGMENTS, PARQUET];
    files.contains(&name) || folders.contains(&name) || name.starts_with("state.db")
}

/// Files that may lie in a directory before it becomes a store.
#[cfg(any(feature = "segment", feature = "json"))]
const HARMLESS: &[&str] = &[
    LOCK,
    SPOOL,
    ROLLUPS,
    TEMPORARY,
    "state.db",
    "state.db-wal",
    "state.db-shm",
    "state.db-journal",
];

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Marker {
    pub(crate) format: String,
    pub(crate) version: u64,
    pub(crate) backend: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) sealed: Vec<Sealed>,
}

/// A segment that will never change again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Sealed {
    /// Number of the log, or of the first of several logs.
    pub(crate) segment: u64,
    /// Set for a sorted segment: number of the last log it is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<u64>,
    /// Its events are in Parquet files.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) warm: bool,
    pub(crate) bytes: u64,
    /// Blocks of any kind, without the index.
    pub(crate) blocks: u64,
    pub(crate) events: u64,
    pub(crate) blake3: String,
}

#[cfg(feature = "segment")]
impl Sealed {
    pub(crate) fn id(&self) -> crate::segment::SegmentId {
        crate::segment::SegmentId {
            first: self.segment,
            last: self.last.unwrap_or(self.segment),
            sorted: self.last.is_some(),
            warm: self.warm,
        }
    }
}

/// What every version has.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

impl Marker {
    #[cfg(any(feature = "segment", feature = "json"))]
    pub(crate) fn new(backend: &str) -> Self {
        Self { format: FORMAT.into(), version: 1, backend: backend.into(), sealed: Vec::new() }
    }

    fn path(store: &Path) -> PathBuf {
        store.join(FILE)
    }

    /// Reads the marker of an existing store.
    pub(crate) fn read(disk: &dyn Disk, store: &Path) -> Result<Self> {
        let path = Self::path(store);
        let bytes = match disk::read_all(disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(match disk.list(store) {
                    Ok(names) => unmarked(store, &names),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => fault::no_store(store),
                    Err(error) => fault::io("list the directory", store, error),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(fault::no_store(store));
            }
            Err(error) => return Err(fault::io("read the store's manifest", &path, error)),
        };
        let unreadable = |error: serde_json::Error| {
            Error::new(ErrorKind::Corrupt, Code::Corruption, "the store's manifest is not readable")
                .with("file", path.display())
                .with("line", error.line())
                .with("column", error.column())
                .cure(fault::REBUILD)
                .source(error)
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if version.format != FORMAT {
            return Err(fault::not_a_store(store, FILE));
        }
        if version.version > VERSION {
            return Err(fault::newer(&path, version.version, VERSION));
        }
        serde_json::from_slice(&bytes).map_err(unreadable)
    }

    /// Reads the marker, or makes one in a directory that is absent or empty. Call with the lock
    /// held.
    #[cfg(any(feature = "segment", feature = "json"))]
    pub(crate) fn read_or_create(disk: &dyn Disk, store: &Path, backend: &str) -> Result<Self> {
        let names = disk.list(store).map_err(|e| fault::io("list the directory", store, e))?;
        let marker = if names.iter().any(|name| name == FILE) {
            Self::read(disk, store)?
        } else if names.iter().any(|name| !is_beside(name)) {
            return Err(unmarked(store, &names));
        } else {
            let marker = Self::new(backend);
            marker.write(disk, store)?;
            marker
        };
        marker.expect_backend(store, backend)?;
        Ok(marker)
    }

    /// Refuses a store of another backend.
    #[cfg(any(feature = "segment", feature = "json"))]
    pub(crate) fn expect_backend(&self, store: &Path, backend: &str) -> Result<()> {
        if self.backend == backend {
            Ok(())
        } else {
            Err(fault::other_backend(store, &self.backend, backend))
        }
    }

    /// Replaces the marker in one durable step.
    #[cfg(any(feature = "segment", feature = "json"))]
    pub(crate) fn write(&self, disk: &dyn Disk, store: &Path) -> Result<()> {
        let path = Self::path(store);
        // The lowest version that can say it, so that older programs read what they can.
        let sorted = self.sealed.iter().any(|it| it.last.is_some());
        let warm = self.sealed.iter().any(|it| it.warm);
        let version = match (warm, sorted) {
            (true, _) => 3,
            (false, true) => 2,
            (false, false) => 1,
        };
        let written = Self { version, ..self.clone() };
        let mut text =
            serde_json::to_vec_pretty(&written).expect("plain data with text keys is always JSON");
        text.push(b'\n');
        disk::replace(disk, &path, &text)
            .map_err(|error| fault::io("write the store's manifest", &path, error))
    }
}

/// Whether a name may lie in a directory before it becomes a store.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn is_beside(name: &str) -> bool {
    HARMLESS.contains(&name)
}

#[cfg(not(any(feature = "segment", feature = "json")))]
fn is_beside(_name: &str) -> bool {
    false
}

/// What is wrong with a directory that has no marker.
fn unmarked(store: &Path, names: &[String]) -> Error {
    #[cfg(any(feature = "segment", feature = "json"))]
    if names.iter().any(|name| name == SEGMENTS || name == EVENTS) {
        return fault::no_manifest(store);
    }
    match names.iter().find(|name| !is_beside(name)).or(names.first()) {
        Some(name) => fault::not_a_store(store, name),
        None => fault::no_store(store),
    }
}

/// Prepares a directory for the one writer: makes it, refuses what is not a store, takes the lock.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn prepare(
    disk: &dyn Disk,
    store: &Path,
    backend: &str,
) -> Result<(Marker, Box<dyn disk::DiskLock>)> {
    match disk.list(store) {
        // Looked at before the lock file is made, so that nothing is left in a foreign directory.
        Ok(names) if !names.iter().any(|name| name == FILE) => {
            if names.iter().any(|name| !is_beside(name)) {
                return Err(unmarked(store, &names));
            }
        }
        Ok(_) => Marker::read(disk, store)?.expect_backend(store, backend)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            disk.create_dir(store)
                .map_err(|e| fault::io("make the store's directory", store, e))?;
        }
        Err(error) => return Err(fault::io("list the directory", store, error)),
    }
    let path = store.join(LOCK);
    let holder = format!("process {}", std::process::id());
    match disk.lock(&path, &holder).map_err(|e| fault::io("lock the store", &path, e))? {
        disk::Locking::Ours(lock) => {
            let marker = Marker::read_or_create(disk, store, backend)?;
            Ok((marker, lock))
        }
        disk::Locking::Theirs(holder) => Err(fault::locked(store, &holder)),
    }
}

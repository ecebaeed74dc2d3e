//! The errors of stores: one wording per situation.

use std::io;
use std::path::Path;
#[cfg(any(feature = "segment", feature = "json"))]
use telemetry_interfaces::Health;
use telemetry_interfaces::{Code, Error, ErrorKind};

/// A file operation failed.
pub(crate) fn io(doing: &str, path: &Path, error: io::Error) -> Error {
    let (kind, cure) = match error.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, None),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Denied, Some("allow this user to read and write the store's directory"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::Unavailable, Some("free disk space, then try again"))
        }
        _ => (ErrorKind::Unavailable, None),
    };
    let mut fault = Error::new(kind, Code::StorageUnavailable, format!("cannot {doing}"))
        .with("path", path.display())
        .source(error);
    if let Some(cure) = cure {
        fault = fault.cure(cure);
    }
    fault
}

/// There is no store.
pub(crate) fn no_store(path: &Path) -> Error {
    Error::new(ErrorKind::NotFound, Code::StorageUnavailable, "there is no store at this path")
        .with("path", path.display())
        .cure("create one with `telemetry init`, or name another with --store DIR")
}

/// A directory that holds other things than a store.
pub(crate) fn not_a_store(path: &Path, found: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::StorageUnavailable,
        format!("the directory holds other files ({found}) and no telemetry-store.json"),
    )
    .with("path", path.display())
    .cure("name an empty directory or a store with --store DIR; nothing was written")
}

/// Files of a store, and no manifest beside them.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn no_manifest(path: &Path) -> Error {
    Error::new(
        ErrorKind::Corrupt,
        Code::Corruption,
        "the store's manifest telemetry-store.json is missing",
    )
    .with("path", path.display())
    .cure(REBUILD)
}

/// What makes a manifest anew.
pub(crate) const REBUILD: &str = "run `telemetry store rebuild`, which makes it anew from the files \
     beside it, or restore it from a copy; the events are untouched";

/// A store or file of a version this program does not know.
pub(crate) fn newer(path: &Path, found: u64, known: u64) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        Code::StorageUnavailable,
        format!("format version {found} was written by a newer version, this one reads {known}"),
    )
    .with("path", path.display())
    .cure("use the newer version; nothing was written")
}

/// The store has another backend than asked for.
pub(crate) fn other_backend(path: &Path, found: &str, asked: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::StorageUnavailable,
        format!("the store's backend is {found}, asked for was {asked}"),
    )
    .with("path", path.display())
    .cure(format!("set storage.backend = \"{found}\", or name another directory with --store DIR"))
}

/// A backend that was not compiled in.
#[cfg_attr(all(feature = "segment", feature = "json"), expect(dead_code))]
pub(crate) fn not_compiled(backend: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        Code::Configuration,
        format!("this program was built without the {backend} backend"),
    )
    .cure(format!("enable the feature `{backend}` of telemetry-storage, or choose another backend"))
}

/// Stored bytes are not what was written.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn damaged(file: &str, offset: u64, what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Corrupt, Code::Corruption, what).with("file", file).with("offset", offset)
}

/// The store was opened for reading.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn read_only(path: &Path) -> Error {
    Error::new(ErrorKind::Denied, Code::StorageUnavailable, "the store was opened for reading only")
        .with("path", path.display())
}

/// The store takes nothing more.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn closed(path: &Path, reason: &str) -> Error {
    Error::new(
        ErrorKind::Closed,
        Code::StorageUnavailable,
        format!("the store takes nothing more: {reason}"),
    )
    .with("path", path.display())
}

/// What a writer's end says of the store's health.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn health(backend: &str, closed: Option<&str>) -> Health {
    match closed {
        Some(reason) => Health::failed(
            Code::StorageUnavailable,
            format!("the {backend} store takes nothing more: {reason}"),
        ),
        None => Health::healthy(format!("the {backend} store is open")),
    }
}

/// What sets a torn end aside.
#[cfg(feature = "segment")]
pub(crate) const SET_ASIDE: &str = "start the program that records to this store: when it opens \
     the store it moves these bytes to a file of their own beside the segment and goes on";

/// Another process writes.
#[cfg(any(feature = "segment", feature = "json"))]
pub(crate) fn locked(path: &Path, holder: &str) -> Error {
    let holder = if holder.is_empty() { "another process" } else { holder };
    Error::new(
        ErrorKind::Unavailable,
        Code::StorageUnavailable,
        format!("{holder} already writes to the store; there is one writer at a time"),
    )
    .with("path", path.display())
    .cure("stop it, or write to another store; reading needs no lock")
}

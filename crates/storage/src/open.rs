use crate::disk::OsDisk;
use crate::marker::Marker;
use crate::{Backend, StorageConfig, fault};
use std::path::Path;
use telemetry_interfaces::{EventStore, Maintenance, MemoryStore, Result};

/// An event store with its upkeep.
pub trait Store: EventStore + Maintenance {}

impl<T: EventStore + Maintenance + ?Sized> Store for T {}

/// Opens a store for writing, and makes it when the directory is absent or empty.
///
/// # Errors
/// TEL-004 when the configuration is out of range or names a backend that was not compiled in;
/// TEL-001 when the directory is not a store, holds another backend or a newer version, is locked
/// by another writer, or cannot be written.
pub fn open(config: &StorageConfig) -> Result<Box<dyn Store>> {
    config.validate()?;
    match config.backend {
        Backend::Segment => open_segment(config),
        Backend::Json => open_json(config),
        Backend::Memory => Ok(Box::new(MemoryStore::new())),
    }
}

/// Opens an existing store for reading, whichever backend it has, or a directory with the day files of
/// the original Python system. Needs no lock, writes nothing,
/// and works while another process writes.
///
/// # Errors
/// TEL-001 when there is no store at the path or it is of a newer version; TEL-004 when its
/// backend was not compiled in; TEL-007 when its manifest is damaged.
pub fn open_existing_read_only(path: &Path) -> Result<Box<dyn Store>> {
    #[cfg(feature = "json")]
    if crate::json::is_original(&OsDisk, path) {
        return read_json(path);
    }
    let marker = Marker::read(&OsDisk, path)?;
    match marker.backend.as_str() {
        "segment" => read_segment(path),
        "json" => read_json(path),
        other => Err(fault::other_backend(path, other, "segment or json")),
    }
}

#[cfg(feature = "segment")]
fn open_segment(config: &StorageConfig) -> Result<Box<dyn Store>> {
    Ok(Box::new(crate::SegmentStore::open(config)?))
}

#[cfg(not(feature = "segment"))]
fn open_segment(_config: &StorageConfig) -> Result<Box<dyn Store>> {
    Err(fault::not_compiled("segment"))
}

#[cfg(feature = "segment")]
fn read_segment(path: &Path) -> Result<Box<dyn Store>> {
    Ok(Box::new(crate::SegmentStore::open_read_only(path)?))
}

#[cfg(not(feature = "segment"))]
fn read_segment(_path: &Path) -> Result<Box<dyn Store>> {
    Err(fault::not_compiled("segment"))
}

#[cfg(feature = "json")]
fn open_json(config: &StorageConfig) -> Result<Box<dyn Store>> {
    Ok(Box::new(crate::JsonStore::open(config)?))
}

#[cfg(not(feature = "json"))]
fn open_json(_config: &StorageConfig) -> Result<Box<dyn Store>> {
    Err(fault::not_compiled("json"))
}

#[cfg(feature = "json")]
fn read_json(path: &Path) -> Result<Box<dyn Store>> {
    Ok(Box::new(crate::JsonStore::open_read_only(path)?))
}

#[cfg(not(feature = "json"))]
fn read_json(_path: &Path) -> Result<Box<dyn Store>> {
    Err(fault::not_compiled("json"))
}

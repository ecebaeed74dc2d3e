#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(feature = "segment")]
mod codec;
#[cfg(any(feature = "segment", feature = "rollup"))]
mod compression;
mod config;
pub mod disk;
mod fault;
#[cfg(feature = "json")]
mod json;
mod marker;
mod open;
#[cfg(feature = "parquet")]
mod parquet;
#[cfg(any(feature = "segment", feature = "json"))]
mod quarantine;
#[cfg(any(feature = "segment", feature = "json"))]
mod rebuild;
#[cfg(all(feature = "rollup", any(feature = "segment", feature = "json")))]
mod rollup;
#[cfg(any(feature = "segment", feature = "json"))]
mod seen;
#[cfg(feature = "segment")]
mod segment;
#[cfg(feature = "state")]
mod state;
#[cfg(any(feature = "segment", feature = "json"))]
mod syncer;

pub use config::{Backend, StorageConfig};
#[cfg(feature = "json")]
pub use json::JsonStore;
pub use open::{Store, open, open_existing_read_only};
#[cfg(any(feature = "segment", feature = "json"))]
pub use rebuild::{RebuildReport, rebuild};
#[cfg(feature = "synthetic")]
pub use segment::synthetic;
#[cfg(feature = "segment")]
pub use segment::{RecoveryReport, SegmentStore, TornTail};
#[cfg(feature = "state")]
pub use state::SqliteState;

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;
use telemetry_interfaces::{Code, Durability, Error, ErrorKind, Result};

/// Where events are kept, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StorageConfig {
    /// The store's directory. Default `./telemetry-data`.
    pub path: PathBuf,
    /// The backend of the events. Default `segment`.
    pub backend: Backend,
    /// What an acknowledgement is worth. Default `interval`.
    pub durability: Durability,
    /// With durability `interval`: the longest time in milliseconds that acknowledged events may
    /// wait for stable storage. 1 to 3,600,000; default 1,000.
    pub sync_interval_ms: u64,
    /// With backend `segment`: a segment is sealed when it would grow beyond this many bytes.
    /// 4 KiB to 4 GiB; default 64 MiB.
    pub segment_bytes: u64,
    /// With backend `segment`: sort full segments by selector, join small ones, and roll up days
    /// that have ended, on a thread of its own while the store is open for writing. Default true.
    pub compact_in_background: bool,
    /// With backend `segment`: so many selectors are told apart. An event of one more is stored under
    /// `__other__`, with its name in the attribute `telemetry.selector`, and counted: names made from
    /// data must not grow what every reader holds in memory. 1 to 16,777,216; default 100,000.
    pub max_selectors: u32,
}

/// The kinds of event store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    /// Append-only segment log (feature `segment`).
    #[default]
    Segment,
    /// One JSON Lines file a day (feature `json`).
    Json,
    /// In memory: gone with the process.
    Memory,
}

impl Backend {
    /// Its word in the configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Segment => "segment",
            Self::Json => "json",
            Self::Memory => "memory",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

const INTERVAL_MS: std::ops::RangeInclusive<u64> = 1..=3_600_000;
const MAX_SELECTORS: std::ops::RangeInclusive<u32> = 1..=1 << 24;
const SEGMENT_BYTES: std::ops::RangeInclusive<u64> = 4096..=4 << 30;

impl Default for StorageConfig {
    fn default() -> Self {
        Self {
            path: "./telemetry-data".into(),
            backend: Backend::default(),
            durability: Durability::default(),
            sync_interval_ms: 1000,
            segment_bytes: 64 << 20,
            compact_in_background: true,
            max_selectors: 100_000,
        }
    }
}

impl StorageConfig {
    /// The default configuration at a path.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }

    /// The interval as a duration.
    pub const fn sync_interval(&self) -> Duration {
        Duration::from_millis(self.sync_interval_ms)
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// TEL-004, naming the field, its value and what is allowed.
    pub fn validate(&self) -> Result<()> {
        let refuse = |field: &'static str, found: String, expected: &str| {
            Err(Error::new(
                ErrorKind::Invalid,
                Code::Configuration,
                format!("{field} is {found}, expected {expected}"),
            )
            .with("field", format!("storage.{field}")))
        };
        if self.path.as_os_str().is_empty() && self.backend != Backend::Memory {
            return refuse("path", "empty".into(), "the directory of the store");
        }
        if !INTERVAL_MS.contains(&self.sync_interval_ms) {
            return refuse("sync_interval_ms", self.sync_interval_ms.to_string(), "1 to 3600000");
        }
        if !MAX_SELECTORS.contains(&self.max_selectors) {
            return refuse("max_selectors", self.max_selectors.to_string(), "1 to 16777216");
        }
        if !SEGMENT_BYTES.contains(&self.segment_bytes) {
            return refuse(
                "segment_bytes",
                self.segment_bytes.to_string(),
                "4096 to 4294967296 (4 KiB to 4 GiB)",
            );
        }
        Ok(())
    }
}

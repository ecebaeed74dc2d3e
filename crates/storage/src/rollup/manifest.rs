//! `rollups/manifest.json`: which files hold the rollups; replaced atomically.

use super::file::{DIRECTORY, FileRef};
use crate::disk::{self, Disk};
use crate::fault;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

pub(super) const FILE: &str = "manifest.json";
const FORMAT: &str = "telemetry-rollups";
/// The newest version this program reads, and the one it writes.
const VERSION: u64 = 2;
/// Without a checksum.
const UNCHECKED: u64 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    pub(super) format: String,
    pub(super) version: u64,
    /// Part of the names of the files that the last run wrote.
    pub(super) generation: u64,
    /// By day.
    pub(super) days: Vec<DayEntry>,
    /// Rollups of days, a file for each month (`YYYY-MM`).
    pub(super) months: Vec<SpanEntry>,
    /// Rollups of months, a file for each year (`YYYY`).
    pub(super) years: Vec<SpanEntry>,
    /// Of the manifest without this field, as JSON without white space; from version 2 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) blake3: Option<String>,
}

/// The rollups of a day's hours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DayEntry {
    /// `YYYY-MM-DD`.
    pub(super) day: String,
    /// Events the store held of this day when its rollups were last brought up to date.
    pub(super) raw_events: u64,
    /// Events the rollups hold.
    pub(super) events: u64,
    pub(super) hours: FileRef,
    /// Which events they are.
    pub(super) covered: FileRef,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SpanEntry {
    pub(super) span: String,
    #[serde(flatten)]
    pub(super) file: FileRef,
}

#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

impl Default for Manifest {
    fn default() -> Self {
        Self {
            format: FORMAT.into(),
            version: VERSION,
            generation: 0,
            days: Vec::new(),
            months: Vec::new(),
            years: Vec::new(),
            blake3: None,
        }
    }
}

impl Manifest {
    /// The manifest; an empty one where no rollups were ever made.
    pub(super) fn read(disk: &dyn Disk, store: &Path) -> Result<Self> {
        let path = store.join(DIRECTORY).join(FILE);
        let bytes = match disk::read_all(disk, &path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(fault::io("read the rollups' manifest", &path, error)),
        };
        let unreadable = |error: serde_json::Error| {
            let what = "the rollups' manifest is not readable";
            Error::new(ErrorKind::Corrupt, Code::Corruption, what)
                .with("file", path.display())
                .with("line", error.line())
                .with("column", error.column())
                .cure(super::file::CURE)
                .source(error)
        };
        let version: Version = serde_json::from_slice(&bytes).map_err(unreadable)?;
        if version.format != FORMAT || version.version > VERSION {
            return Err(fault::newer(&path, version.version, VERSION));
        }
        let mut manifest: Self = serde_json::from_slice(&bytes).map_err(unreadable)?;
        let told = manifest.blake3.take();
        if manifest.version != UNCHECKED && told != Some(manifest.checksum()) {
            let what = "the rollups' manifest does not match its checksum";
            return Err(Error::new(ErrorKind::Corrupt, Code::Corruption, what)
                .with("file", path.display())
                .cure(super::file::CURE));
        }
        Ok(manifest)
    }

    fn checksum(&self) -> String {
        let text = serde_json::to_vec(self).expect("plain data is always JSON");
        blake3::hash(&text).to_hex().to_string()
    }

    pub(super) fn write(&self, disk: &dyn Disk, store: &Path) -> Result<()> {
        let path = store.join(DIRECTORY).join(FILE);
        let mut written = Self { version: VERSION, blake3: None, ..self.clone() };
        written.blake3 = Some(written.checksum());
        let mut text = serde_json::to_vec_pretty(&written).expect("plain data is always JSON");
        text.push(b'\n');
        disk::replace(disk, &path, &text)
            .map_err(|error| fault::io("write the rollups' manifest", &path, error))
    }

    pub(super) fn day(&self, day: &str) -> Option<&DayEntry> {
        self.days.iter().find(|it| it.day == day)
    }

    pub(super) fn files(&self) -> impl Iterator<Item = &FileRef> {
        let days = self.days.iter().flat_map(|it| [&it.hours, &it.covered]);
        days.chain(self.months.iter().chain(&self.years).map(|it| &it.file))
    }
}

/// Puts an entry where its key belongs, in place of one with the same.
pub(super) fn put<T>(list: &mut Vec<T>, entry: T, key: impl Fn(&T) -> &str) {
    match list.binary_search_by(|it| key(it).cmp(key(&entry))) {
        Ok(at) => list[at] = entry,
        Err(at) => list.insert(at, entry),
    }
}

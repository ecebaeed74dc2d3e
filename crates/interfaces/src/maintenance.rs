use crate::{Code, Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::fmt;
use telemetry_models::Timestamp;

/// How thoroughly a store is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifyLevel {
    /// Structure and checksums.
    Quick,
    /// Every event decoded and validated as well.
    Deep,
}

/// Upkeep of a store.
pub trait Maintenance: Send + Sync {
    /// Checks the store without changing it. `progress` is called with bytes done and bytes in
    /// all, often enough for a progress bar.
    ///
    /// # Errors
    /// Only when the check itself cannot run; damage is part of the report.
    fn verify(
        &self,
        level: VerifyLevel,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<VerifyReport>;

    /// Moves the events of compacted files to Parquet, for other engines to read: of those files whose
    /// latest event is older than `before`, or of all. A query sees both as one. `progress` as for
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// `Unsupported` where there is no such tier or it was not compiled in, `Denied` when the store was
    /// opened for reading; otherwise when a file cannot be read or written: nothing is lost then.
    fn convert(
        &self,
        before: Option<Timestamp>,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<CompactReport> {
        let _ = (before, progress);
        Err(Error::new(
            ErrorKind::Unsupported,
            Code::Configuration,
            "this backend has no Parquet, or the feature `parquet` was not compiled in",
        )
        .cure("build with `--features parquet`, and use the backend `segment`"))
    }

    /// Sorts what is not sorted yet, and joins small files. The store answers the same before,
    /// meanwhile and after; damaged files are left as they are. `progress` as for
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// `Unsupported` where there is nothing to compact, `Denied` when the store was opened for
    /// reading; otherwise when a file cannot be read or written: nothing is lost then.
    fn compact(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<CompactReport> {
        let _ = progress;
        Err(Error::new(
            ErrorKind::Unsupported,
            Code::StorageUnavailable,
            "this backend has nothing to compact",
        ))
    }

    /// Takes damaged files out of use: what can be read of them stays in the store, in new files;
    /// the files as they were go to a folder of their own, with a report of what is lost.
    /// Afterwards queries and checks find no damage, and events that were lost can be stored again.
    /// Whoever has the store open for reading opens it again. `progress` as for
    /// [`verify`](Self::verify).
    ///
    /// # Errors
    /// `Unsupported` where files have no checksums or no files are, `Denied` when the store was
    /// opened for reading; otherwise when a file cannot be read or written: what was damaged is
    /// where it was, or in the folder, then.
    fn quarantine(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<QuarantineReport> {
        let _ = progress;
        Err(Error::new(
            ErrorKind::Unsupported,
            Code::StorageUnavailable,
            "this backend has no files to take out of use",
        ))
    }
}

/// What was taken out of use.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuarantineReport {
    /// The folder that holds the files as they were, and this report as `report.json`, relative to
    /// the store; `None` when nothing was damaged.
    pub folder: Option<String>,
    /// One for each damaged file.
    pub files: Vec<Quarantined>,
}

/// A file that was taken out of use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The file, relative to the store.
    pub file: String,
    /// Where it lies now, relative to the store; `None` when it is missing.
    pub moved_to: Option<String>,
    /// What is wrong with it.
    pub damage: Vec<Damage>,
    /// Events that could be read, and are in the store as before.
    pub kept: u64,
    /// Events that could not, when known.
    pub lost: Option<u64>,
}

/// What a compaction did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct CompactReport {
    /// Files that were replaced.
    pub replaced: u64,
    /// Files made of them.
    pub made: u64,
    /// Events in them.
    pub events: u64,
    /// Bytes of the files that were replaced.
    pub bytes_before: u64,
    /// Bytes of the files made of them.
    pub bytes_after: u64,
    /// Files left as they are because they are damaged.
    pub damaged: u64,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Files read.
    pub files: u64,
    /// Blocks (or lines) read.
    pub blocks: u64,
    /// Events counted.
    pub events: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong, in file order.
    pub damage: Vec<Damage>,
    /// What is unusual and no damage: a foreign file, or a torn end that recovery set aside, which
    /// may hold events that were acknowledged and not yet on stable storage.
    pub notes: Vec<String>,
}

impl VerifyReport {
    /// Whether nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damage.is_empty()
    }
}

/// One damaged place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// The file, relative to the store.
    pub file: String,
    /// Byte offset (for JSON Lines: of the line's first byte).
    pub offset: u64,
    /// Length in bytes, when known.
    pub length: Option<u64>,
    /// Events lost, when known.
    pub events: Option<u64>,
    /// What is wrong.
    pub what: String,
}

/// What opening a store for writing had to put right, or found damaged.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Ends of files that an interrupted writer left unfinished. They are kept; `what` says where.
    /// With durability `batch` nothing acknowledged is in them; with a lower one they may hold
    /// events that were acknowledged and not yet on stable storage.
    pub torn: Vec<Damage>,
    /// Damage that stays in the store.
    pub damage: Vec<Damage>,
}

impl Recovery {
    /// Whether everything was in order.
    pub fn is_clean(&self) -> bool {
        self.torn.is_empty() && self.damage.is_empty()
    }

    /// Bytes of all torn ends.
    pub fn torn_bytes(&self) -> u64 {
        self.torn.iter().filter_map(|it| it.length).sum()
    }
}

/// In one sentence; empty when everything was in order.
impl fmt::Display for Recovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(first) = self.torn.first() {
            let bytes = self.torn_bytes();
            let Damage { file, offset, what, .. } = first;
            write!(
                f,
                "an interrupted writer left {bytes} unfinished bytes ({file} at byte {offset}: \
                 {what}); events that were not yet on stable storage may be in them"
            )?;
        }
        if let Some(first) = self.damage.first() {
            let joint = if self.torn.is_empty() { "" } else { "; " };
            let places = self.damage.len();
            let Damage { file, offset, what, .. } = first;
            write!(f, "{joint}{places} damaged (the first: {file} at byte {offset}: {what})")?;
        }
        Ok(())
    }
}

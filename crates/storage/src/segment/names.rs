//! Names of segment files.

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use crate::marker::SEGMENTS as DIRECTORY;

/// What tells the name of a warm segment.
const WARM: &str = "-warm";

/// Which segment: a log by its number, a sorted one by the numbers of the logs it is made of; a warm one
/// is sorted, and tells where in Parquet files its events are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct SegmentId {
    pub(crate) first: u64,
    pub(crate) last: u64,
    pub(crate) sorted: bool,
    pub(crate) warm: bool,
}

impl SegmentId {
    pub(crate) const fn log(number: u64) -> Self {
        Self { first: number, last: number, sorted: false, warm: false }
    }

    /// Whether everything in the other segment is in this one.
    pub(crate) fn covers(self, other: Self) -> bool {
        self != other
            && self.sorted
            && (self.warm || !other.warm)
            && self.first <= other.first
            && other.last <= self.last
    }

    /// The segment of a file's name, or `None` for any other file.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        let stem = name.strip_suffix(".seg")?;
        let (stem, warm) = match stem.strip_suffix(WARM) {
            Some(stem) => (stem, true),
            None => (stem, false),
        };
        let id = match stem.split_once('-') {
            None => Self::log(stem.parse().ok()?),
            Some((first, last)) => {
                Self { first: first.parse().ok()?, last: last.parse().ok()?, sorted: true, warm }
            }
        };
        (id.first <= id.last && file(id) == name).then_some(id)
    }
}

impl fmt::Display for SegmentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.sorted {
            write!(f, "{:08}-{:08}{}", self.first, self.last, if self.warm { WARM } else { "" })
        } else {
            write!(f, "{:08}", self.first)
        }
    }
}

pub(crate) fn directory(store: &Path) -> PathBuf {
    store.join(DIRECTORY)
}

/// Relative to the store, as in messages.
pub(crate) fn relative(id: SegmentId) -> String {
    format!("{DIRECTORY}/{}", file(id))
}

pub(crate) fn file(id: SegmentId) -> String {
    format!("{id}.seg")
}

pub(crate) fn path(store: &Path, id: SegmentId) -> PathBuf {
    directory(store).join(file(id))
}

/// Where a segment is written that takes the place of others, before it is whole.
pub(crate) fn unfinished(store: &Path, id: SegmentId) -> PathBuf {
    directory(store).join(format!("{id}.tmp"))
}

/// Whether a file is a segment whose writing was interrupted before it took the place of others.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.strip_suffix(".tmp")
        .is_some_and(|stem| SegmentId::of_name(&format!("{stem}.seg")).is_some())
}

//! Names of segment files.

use std::path::{Path, PathBuf};

pub(crate) const DIRECTORY: &str = "segments";

pub(crate) fn directory(store: &Path) -> PathBuf {
    store.join(DIRECTORY)
}

/// Relative to the store, as in messages.
pub(crate) fn relative(number: u64) -> String {
    format!("{DIRECTORY}/{}", file(number))
}

pub(crate) fn file(number: u64) -> String {
    format!("{number:08}.seg")
}

pub(crate) fn path(store: &Path, number: u64) -> PathBuf {
    directory(store).join(file(number))
}

/// The number of a segment file, or `None` for any other file.
pub(crate) fn number(name: &str) -> Option<u64> {
    let number = name.strip_suffix(".seg")?.parse().ok()?;
    (file(number) == name).then_some(number)
}

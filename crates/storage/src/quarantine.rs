//! The folder of files that were taken out of use, with a report beside them.

use crate::disk::{self, Disk, OpenMode};
use crate::fault;
use std::io;
use std::path::{Path, PathBuf};
use telemetry_interfaces::{QuarantineReport, Quarantined, Result};

/// Holds one folder for each time something was taken out of use, numbered from 1.
pub(crate) const DIRECTORY: &str = "quarantine";
const REPORT: &str = "report.json";

/// One of these folders; made when the first file comes.
pub(crate) struct Folder<'a> {
    disk: &'a dyn Disk,
    store: &'a Path,
    /// Its name, once it is made.
    name: Option<String>,
    files: Vec<Quarantined>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(disk: &'a dyn Disk, store: &'a Path) -> Self {
        Self { disk, store, name: None, files: Vec::new() }
    }

    fn path(&mut self) -> Result<(PathBuf, String)> {
        let above = self.store.join(DIRECTORY);
        let name = match &self.name {
            Some(name) => name.clone(),
            None => {
                let last = numbers(self.disk, &above)?.into_iter().max().unwrap_or(0);
                let name = format!("{DIRECTORY}/{:04}", last + 1);
                let path = self.store.join(&name);
                self.disk
                    .create_dir(&path)
                    .map_err(|e| fault::io("make the folder for damaged files", &path, e))?;
                self.name.insert(name).clone()
            }
        };
        Ok((self.store.join(&name), name))
    }

    /// Copies a file, durably; gives the copy's name relative to the store.
    pub(crate) fn keep(&mut self, file: &Path, relative: &str) -> Result<String> {
        let (folder, name) = self.path()?;
        let base = relative.rsplit('/').next().unwrap_or(relative);
        let path = folder.join(base);
        let keeping = |error| fault::io("keep the damaged file", &path, error);
        let from = self.disk.open(file, OpenMode::Read).map_err(keeping)?;
        let size = from.size().map_err(keeping)?;
        let to = self.disk.open(&path, OpenMode::Create).map_err(keeping)?;
        disk::copy(&*from, size, &*to, &mut |_| {})
            .and_then(|()| to.sync())
            .and_then(|()| self.disk.sync_dir(&folder))
            .map_err(keeping)?;
        Ok(format!("{name}/{base}"))
    }

    /// Writes the report, durably: what is taken out of use next is in it before it is.
    pub(crate) fn report(&mut self, file: Quarantined) -> Result<()> {
        let (folder, _) = self.path()?;
        self.files.push(file);
        let mut text = serde_json::to_vec_pretty(&self.so_far()).expect("plain data is JSON");
        text.push(b'\n');
        let path = folder.join(REPORT);
        disk::replace(self.disk, &path, &text)
            .map_err(|error| fault::io("write the report of damaged files", &path, error))
    }

    fn so_far(&self) -> QuarantineReport {
        QuarantineReport { folder: self.name.clone(), files: self.files.clone() }
    }

    pub(crate) fn finish(self) -> Result<QuarantineReport> {
        Ok(self.so_far())
    }
}

/// What a check says of these folders.
pub(crate) fn note(disk: &dyn Disk, store: &Path) -> Result<Option<String>> {
    let folders = numbers(disk, &store.join(DIRECTORY))?.len();
    Ok((folders > 0).then(|| {
        format!(
            "{DIRECTORY}: damaged files were taken out of use {folders} times; report.json in each \
             folder says what was lost"
        )
    }))
}

fn numbers(disk: &dyn Disk, directory: &Path) -> Result<Vec<u64>> {
    match disk.list(directory) {
        Ok(names) => Ok(names.iter().filter_map(|name| name.parse().ok()).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(fault::io("list", directory, error)),
    }
}

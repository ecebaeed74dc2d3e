use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};

/// Runs kept side by side in one directory.
const MOST_RUNS: u32 = 9_999;

/// A new folder for one run of the demo: `DIR/run-1` with `store/` and `report.html`.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    /// Makes `run-N` in a directory, with the first N that is free. Touches nothing that is there.
    ///
    /// # Errors
    /// TEL-001 when the directory cannot be made or written.
    pub(crate) fn create(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory).map_err(|error| refused(directory, error))?;
        for number in 1..=MOST_RUNS {
            let name = format!("run-{number}");
            let path = directory.join(&name);
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path, name }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refused(&path, error)),
            }
        }
        Err(Error::new(
            ErrorKind::Unavailable,
            Code::StorageUnavailable,
            format!("there are {MOST_RUNS} runs of the demo already"),
        )
        .with("directory", directory.display())
        .cure("delete the runs you no longer need, or name another directory with --dir DIR"))
    }

    /// The run's own name, `run-1`.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the store goes.
    pub(crate) fn store(&self) -> PathBuf {
        self.path.join("store")
    }

    /// Where the HTML report goes.
    pub(crate) fn report(&self) -> PathBuf {
        self.path.join("report.html")
    }
}

fn refused(path: &Path, error: io::Error) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        Code::StorageUnavailable,
        "the demo's directory cannot be made",
    )
    .with("directory", path.display())
    .source(error)
    .cure("name a directory this user may write with --dir DIR, or run the demo in another place")
}

#[cfg(test)]
mod tests {
    use super::Folder;
    use std::fs;

    #[test]
    fn every_run_gets_a_new_folder() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("a/b");
        assert_eq!(Folder::create(&inside).unwrap().name(), "run-1");
        fs::write(inside.join("run-2"), "mine").unwrap();
        let third = Folder::create(&inside).unwrap();
        assert_eq!(third.name(), "run-3");
        assert_eq!(third.store(), inside.join("run-3/store"));
        assert_eq!(fs::read_to_string(inside.join("run-2")).unwrap(), "mine");
    }

    #[test]
    fn a_directory_that_cannot_be_made_is_explained() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = Folder::create(&file.join("demo")).unwrap_err().to_string();
        assert!(error.starts_with("TEL-001 the demo's directory cannot be made"), "{error}");
        assert!(error.contains("--dir"), "{error}");
    }
}

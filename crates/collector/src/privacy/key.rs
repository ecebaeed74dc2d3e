use std::path::{Path, PathBuf};
use telemetry_interfaces::{Code, Error, ErrorKind, Key, KeyProvider, Result};

/// One key, in an environment variable.
#[derive(Clone, Debug)]
pub struct EnvironmentKey {
    variable: String,
}

impl EnvironmentKey {
    /// Reads `variable` when asked for the key.
    pub fn new(variable: &str) -> Self {
        Self { variable: variable.to_owned() }
    }
}

impl KeyProvider for EnvironmentKey {
    fn key(&self, name: &str) -> Result<Key> {
        let text = std::env::var(&self.variable).map_err(|error| {
            missing(name).with("variable", &self.variable).source(error).cure(
                "set it to a secret of 16 characters or more, the same in every process whose \
                 pseudonyms shall agree",
            )
        })?;
        Key::new(text.trim_end().as_bytes()).map_err(|error| error.with("variable", &self.variable))
    }
}

/// One key, in a file. Line breaks at its end do not belong to it.
#[derive(Clone, Debug)]
pub struct FileKey {
    path: PathBuf,
}

impl FileKey {
    /// Reads `path` when asked for the key.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }
}

impl KeyProvider for FileKey {
    fn key(&self, name: &str) -> Result<Key> {
        let bytes = std::fs::read(&self.path).map_err(|error| {
            missing(name)
                .with("file", self.path.display())
                .source(error)
                .cure("make one with `head -c 32 /dev/urandom | base64`, readable by its user only")
        })?;
        Key::new(bytes.trim_ascii_end()).map_err(|error| error.with("file", self.path.display()))
    }
}

fn missing(name: &str) -> Error {
    let message = format!("the key `{name}` cannot be read");
    Error::new(ErrorKind::NotFound, Code::Configuration, message)
}

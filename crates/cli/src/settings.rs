use crate::arguments::Global;
use std::path::{Path, PathBuf};
use telemetry_runtime::TelemetryConfig;
use telemetry_runtime::interfaces::{Clock, Code, Error, ErrorKind, Result, SystemClock};
use telemetry_runtime::models::Timestamp;
use telemetry_runtime::storage::{Store, open_existing_read_only};

/// Where the configuration is looked for when no other is named.
pub(crate) const DEFAULT_PATH: &str = "telemetry.toml";

/// The configuration in force, and where it came from.
#[derive(Debug)]
pub(crate) struct Settings {
    /// All parts' settings, flags and environment applied.
    pub(crate) config: TelemetryConfig,
    /// The file, if there is one.
    pub(crate) file: Option<PathBuf>,
    /// The time all relative times of this invocation refer to.
    pub(crate) now: Timestamp,
}

impl Settings {
    /// Applies flags over environment over file over defaults.
    ///
    /// # Errors
    /// TEL-004 when a named file cannot be read, or anything in the configuration is wrong.
    pub(crate) fn load(global: &Global) -> Result<Self> {
        let file = file(global);
        let mut config = TelemetryConfig::load(file.as_deref(), variables()?)?;
        if let Some(store) = &global.store {
            config.storage.path.clone_from(store);
            config.storage.validate()?;
        }
        Ok(Self { config, file, now: now() })
    }

    /// The store's directory.
    pub(crate) fn store_path(&self) -> &Path {
        &self.config.storage.path
    }

    /// Opens the store for reading; makes nothing, writes nothing.
    ///
    /// # Errors
    /// TEL-001 when there is no store, or it cannot be read.
    pub(crate) fn open_store(&self) -> Result<Box<dyn Store>> {
        open_store(self.store_path())
    }
}

/// Opens the store at a path for reading; makes nothing, writes nothing.
///
/// # Errors
/// TEL-001 when there is no store, or it cannot be read.
pub(crate) fn open_store(path: &Path) -> Result<Box<dyn Store>> {
    open_existing_read_only(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => error.cure(
            "name the store with --store DIR; a program that records with this library makes it \
             when it first runs",
        ),
        _ => error,
    })
}

/// The configuration file in force: the one named, or `telemetry.toml` if it is there.
pub(crate) fn file(global: &Global) -> Option<PathBuf> {
    global
        .config
        .clone()
        .or_else(|| Path::new(DEFAULT_PATH).exists().then(|| PathBuf::from(DEFAULT_PATH)))
}

/// The environment, as far as it concerns this system.
///
/// # Errors
/// TEL-004 for a variable of ours that is not UTF-8.
pub(crate) fn variables() -> Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (name, value) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with("TELEMETRY_")) else {
            continue;
        };
        let value = value.into_string().map_err(|value| {
            Error::new(
                ErrorKind::Invalid,
                Code::Configuration,
                format!("the environment variable {name} holds {value:?}, expected UTF-8"),
            )
            .cure("correct or unset the variable")
        })?;
        variables.push((name.to_owned(), value));
    }
    Ok(variables)
}

/// The present time.
pub(crate) fn now() -> Timestamp {
    SystemClock::new().utc()
}

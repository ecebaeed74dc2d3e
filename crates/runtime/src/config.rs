use crate::environment;
use crate::place::{self, Place};
use serde::{Deserialize, Serialize};
use std::path::Path;
use telemetry_collector::CollectorConfig;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_storage::StorageConfig;

/// The file `telemetry init` writes: every setting with its default, explained.
pub const DEFAULT_FILE: &str = include_str!("default.toml");

/// Settings of all parts: the tables of `telemetry.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Recording.
    pub collector: CollectorConfig,
    /// Where events are kept.
    pub storage: StorageConfig,
    /// What is watched and who is told.
    #[cfg(feature = "alerting")]
    pub alerting: telemetry_alerting::AlertingConfig,
    /// How reports are made.
    #[cfg(feature = "reporting")]
    pub reporting: telemetry_reporting::ReportingConfig,
}

impl TelemetryConfig {
    /// Reads a configuration's text; `origin` names it in errors.
    ///
    /// # Errors
    /// TEL-004 with line and column; for what [`validate`](Self::validate) refuses also with field,
    /// value and range. Lines that may hold a secret are not quoted.
    pub fn parse(text: &str, origin: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|error| invalid(origin, text, &error))?;
        config.validate().map_err(|error| {
            let place = Place::of_error(text, &error);
            curable(at(error.with("file", origin), place))
        })?;
        Ok(config)
    }

    /// Reads a file, if one is given, and applies the environment over it: variables
    /// `TELEMETRY_<TABLE>_<SETTING>`, for instance `TELEMETRY_STORAGE_PATH` or, in a table within
    /// a table, `TELEMETRY_COLLECTOR_PRIVACY_REDACT`. Lists are written with commas or as in TOML,
    /// tables as in TOML.
    ///
    /// # Errors
    /// As [`parse`](Self::parse); also when the file cannot be read, and when a variable names no
    /// setting of a known table or holds a wrong value.
    pub fn load(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self> {
        let text = match file {
            Some(path) => read(path)?,
            None => String::new(),
        };
        let origin = file.map_or_else(|| "defaults".to_owned(), |path| path.display().to_string());
        let from_file = Self::parse(&text, &origin)?;
        let over = environment::settings(&defaults()?, variables)?;
        if over.is_empty() {
            return Ok(from_file);
        }
        let mut merged: toml::Table =
            toml::from_str(&text).map_err(|error| invalid(&origin, &text, &error))?;
        let mut names = Vec::new();
        for setting in over {
            names.push(setting.variable.clone());
            environment::set(&mut merged, setting);
        }
        let config: Self = merged.try_into().map_err(|error: toml::de::Error| {
            Error::new(
                ErrorKind::Invalid,
                Code::Configuration,
                format!(
                    "an environment variable holds a wrong value: {}",
                    without_values(error.message())
                ),
            )
            .with("variables", names.join(" "))
            .cure("correct or unset the variable")
        })?;
        config.validate().map_err(|error| curable(error.with("variables", names.join(" "))))?;
        Ok(config)
    }

    /// Checks every part's ranges.
    ///
    /// # Errors
    /// TEL-004 with field, value and allowed range, of the first setting that is out of range.
    pub fn validate(&self) -> Result<()> {
        self.collector.validate()?;
        self.storage.validate()?;
        #[cfg(feature = "alerting")]
        self.alerting.validate()?;
        #[cfg(feature = "reporting")]
        self.reporting.validate()?;
        Ok(())
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        let missing = error.kind() == std::io::ErrorKind::NotFound;
        let (kind, cure) = if missing {
            (ErrorKind::NotFound, "write one with `telemetry init`, or name another with --config")
        } else {
            (ErrorKind::Invalid, "expected a UTF-8 text file this user may read")
        };
        Error::new(kind, Code::Configuration, "the configuration cannot be read")
            .with("file", path.display())
            .source(error)
            .cure(cure)
    })
}

/// The default configuration as a table: which settings there are, and their types.
fn defaults() -> Result<toml::Table> {
    toml::Table::try_from(TelemetryConfig::default()).map_err(|error| {
        let message = "the default configuration has no TOML form";
        Error::new(ErrorKind::Internal, Code::Configuration, message).source(error)
    })
}

fn invalid(origin: &str, text: &str, error: &toml::de::Error) -> Error {
    let place = error.span().map(|span| Place::of_byte(text, span.start));
    let secret = place.is_none_or(|it| place::may_hold_secret(text, it.line));
    let message = error.message().trim().replace('\n', " ");
    let message = if secret { without_values(&message) } else { message };
    let report = Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the configuration is not valid: {message}"),
    )
    .with("file", origin);
    let found = place.and_then(|it| text.lines().nth(it.line - 1)).filter(|_| !secret);
    let mut report = at(report, place);
    if let Some(found) = found {
        report = report.with("found", format!("{:?}", found.trim()));
    }
    curable(report)
}

fn at(error: Error, place: Option<Place>) -> Error {
    match place {
        Some(place) => error.with("line", place.line).with("column", place.column),
        None => error,
    }
}

/// With something to do next, where the part that refused it names nothing.
fn curable(error: Error) -> Error {
    match error.what_to_do() {
        Some(_) => error,
        None => error.cure(
            "`telemetry config show --defaults` prints every setting with its range, whatever this \
             configuration says",
        ),
    }
}

/// A message without the values it quotes: from the first quotation mark to the last.
fn without_values(message: &str) -> String {
    match (message.find('"'), message.rfind('"')) {
        (Some(first), Some(last)) if first < last => {
            format!("{}(hidden){}", &message[..first], &message[last + 1..])
        }
        _ => message.to_owned(),
    }
}

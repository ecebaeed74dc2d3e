use super::{EnvironmentKey, FileKey};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use telemetry_interfaces::{Code, Error, ErrorKind, KeyProvider, Result};

/// What is removed or replaced before anything is written: the `[collector.privacy]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PrivacyConfig {
    /// Whether secrets are removed. On by default.
    pub redact: bool,
    /// Query parameters whose values are kept, by exact name. All other values are replaced by
    /// `REDACTED`; parameters of signed URLs are never kept.
    pub keep_query: Vec<String>,
    /// What is replaced by keyed pseudonyms. Nothing by default.
    pub pseudonyms: Vec<Pseudonymous>,
    /// Where the key of the pseudonyms comes from. Read only when there are any.
    pub key: KeySource,
}

/// Something that can be replaced by keyed pseudonyms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pseudonymous {
    /// Names of selectors.
    Selectors,
    /// Ids of sessions.
    Sessions,
}

/// Where a key comes from. The key itself is never part of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeySource {
    /// The environment variable of this name.
    Env(String),
    /// The content of this file, without line breaks at its end.
    File(PathBuf),
}

impl Default for KeySource {
    fn default() -> Self {
        Self::Env("TELEMETRY_PSEUDONYM_KEY".into())
    }
}

impl KeySource {
    /// What reads it.
    pub fn provider(&self) -> Box<dyn KeyProvider> {
        match self {
            Self::Env(variable) => Box::new(EnvironmentKey::new(variable)),
            Self::File(path) => Box::new(FileKey::new(path)),
        }
    }
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self {
            redact: true,
            keep_query: Vec::new(),
            pseudonyms: Vec::new(),
            key: KeySource::default(),
        }
    }
}

impl PrivacyConfig {
    /// Checks that the key's source is named.
    ///
    /// # Errors
    /// TEL-004 when the variable's name or the path is empty.
    pub fn validate(&self) -> Result<()> {
        let named = match &self.key {
            KeySource::Env(variable) => !variable.is_empty() && !variable.contains(['=', '\0']),
            KeySource::File(path) => !path.as_os_str().is_empty(),
        };
        if named {
            return Ok(());
        }
        let message = "collector.privacy.key names nothing";
        Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
            .cure("expected { env = \"NAME_OF_A_VARIABLE\" } or { file = \"path\" }"))
    }
}

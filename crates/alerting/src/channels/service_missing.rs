use super::config::ServiceConfig;
use crate::LogNotifier;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// This build has no services.
pub(crate) fn connect(kind: &str, config: &ServiceConfig) -> Result<LogNotifier> {
    Err(Error::new(
        ErrorKind::Unsupported,
        Code::Configuration,
        format!("a {kind} channel is configured, but this build cannot send to any"),
    )
    .with("channel", &config.name)
    .cure("enable the feature \"webhook\""))
}

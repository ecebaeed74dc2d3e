use super::Never;
use super::config::EmailConfig;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// This build sends no mail.
pub(crate) fn connect(config: &EmailConfig) -> Result<Never> {
    Err(Error::new(
        ErrorKind::Unsupported,
        Code::Configuration,
        "an email channel is configured, but this build cannot send any",
    )
    .with("channel", &config.name)
    .cure("enable the feature \"smtp\""))
}

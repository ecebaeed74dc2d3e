use crate::WebhookConfig;
use crate::channels::Never;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// This build has no webhooks.
pub(crate) fn connect(config: &WebhookConfig) -> Result<Never> {
    Err(Error::new(
        ErrorKind::Unsupported,
        Code::Configuration,
        "a webhook is configured, but this build cannot send any",
    )
    .with("webhook", &config.name)
    .cure("enable the feature \"webhook\""))
}

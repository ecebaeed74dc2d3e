use crate::{AlertingConfig, Channel, LogNotifier, webhook};
use std::time::Duration;
use telemetry_interfaces::Result;

/// The channels of a configuration.
///
/// # Errors
/// TEL-004 when a webhook's URL or headers cannot be used; `Unsupported` when webhooks are
/// configured and the feature `webhook` is not compiled in.
pub fn channels(config: &AlertingConfig) -> Result<Vec<Channel>> {
    let mut channels = Vec::new();
    if config.log {
        channels.push(Channel::new(LogNotifier));
    }
    for webhook in &config.webhooks {
        let channel = Channel::new(webhook::connect(webhook)?)
            .min_severity(webhook.min_severity)
            .limit(webhook.timeout + Duration::from_secs(1));
        channels.push(channel);
    }
    Ok(channels)
}

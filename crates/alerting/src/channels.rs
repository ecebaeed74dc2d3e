//! The channels of a configuration, and one module for each kind.

mod command;
pub(crate) mod config;
mod console;
mod dry_run;
#[cfg(feature = "smtp")]
mod email;
#[cfg(not(feature = "smtp"))]
#[path = "channels/email_missing.rs"]
mod email;
#[cfg(not(all(feature = "smtp", feature = "webhook")))]
mod never;
#[cfg(feature = "webhook")]
mod payload;
#[cfg(feature = "webhook")]
mod service;
#[cfg(not(feature = "webhook"))]
#[path = "channels/service_missing.rs"]
mod service;
mod text;

pub(crate) use email::connect as connect_email;

pub use command::CommandNotifier;
#[cfg(not(all(feature = "smtp", feature = "webhook")))]
pub(crate) use never::Never;

pub use config::{ChannelsConfig, CommandConfig, EmailConfig, EmailTls, ServiceConfig};
pub use console::ConsoleNotifier;
#[cfg(feature = "smtp")]
pub use email::EmailNotifier;
#[cfg(feature = "webhook")]
pub use service::{ServiceKind, ServiceNotifier};

use crate::{AlertingConfig, Channel, LogNotifier, Style, webhook};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Result;

/// Most alerts of a group in one webhook's body.
const WEBHOOK_SHOWN: usize = 100;

/// The channels of a configuration.
///
/// # Errors
/// TEL-004 when a webhook's URL or headers cannot be used; `Unsupported` when webhooks or services
/// are configured and the feature `webhook` is not compiled in.
pub fn channels(config: &AlertingConfig) -> Result<Vec<Channel>> {
    let grace = Duration::from_secs(1);
    let mut channels = Vec::new();
    if config.log {
        channels.push(Channel::new(LogNotifier));
    }
    if config.channels.console {
        channels.push(Channel::new(ConsoleNotifier));
    }
    for webhook in &config.webhooks {
        let channel = Channel::new(webhook::connect(webhook)?)
            .min_severity(webhook.min_severity)
            .limit(webhook.timeout + grace)
            .style(Style::Machine)
            .shown(WEBHOOK_SHOWN);
        channels.push(channel);
    }
    for (kind, list, ..) in config.channels.services() {
        let style = match kind {
            "alertmanager" => Style::Each,
            "pagerduty" => Style::Machine,
            _ => Style::People,
        };
        for it in list {
            let channel = Channel::new(service::connect(kind, it)?)
                .min_severity(it.min_severity)
                .limit(it.timeout + grace)
                .style(style);
            channels.push(channel);
        }
    }
    for it in &config.channels.email {
        let channel = Channel::new(email::connect(it)?)
            .min_severity(it.min_severity)
            .limit(it.timeout + grace);
        channels.push(channel);
    }
    for it in &config.channels.command {
        let channel =
            Channel::new(CommandNotifier::new(it)).min_severity(it.min_severity).limit(it.timeout);
        channels.push(channel);
    }
    if config.delivery.dry_run {
        for channel in &mut channels {
            channel.notifier = Arc::new(dry_run::DryRun(Arc::clone(&channel.notifier)));
        }
    }
    Ok(channels)
}

use super::text::title;
use std::sync::Arc;
use telemetry_interfaces::{BoxFuture, Notification, Notifier, Receipt, Result};

/// Says in the log what a channel would be told.
pub(crate) struct DryRun(pub(crate) Arc<dyn Notifier>);

impl Notifier for DryRun {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        tracing::info!(
            target: "telemetry::alert",
            channel = self.0.name(),
            key = notification.key,
            "would send: {}",
            title(notification)
        );
        Box::pin(std::future::ready(Ok(Receipt { answer: "dry run, not sent".into() })))
    }
}

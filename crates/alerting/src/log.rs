use telemetry_interfaces::{BoxFuture, Notification, NotificationKind, Notifier, Receipt, Result};
use telemetry_models::{Alert, Severity};

/// Writes alerts to the program's log: one `tracing` event each, target `telemetry::alert`, at
/// level error for critical, warn for other firing alerts, info for the rest.
#[derive(Clone, Copy, Debug, Default)]
pub struct LogNotifier;

macro_rules! log {
    ($level:ident, $notification:expr, $alert:expr) => {
        tracing::$level!(
            target: "telemetry::alert",
            key = $notification.key,
            id = $alert.id.as_str(),
            rule = &*$alert.rule,
            selector = $alert.selector.as_str(),
            site = $alert.site.as_deref(),
            severity = $alert.severity.as_str(),
            state = $alert.state.as_str(),
            since = %$alert.since,
            value = $alert.value,
            threshold = $alert.threshold,
            samples = $alert.samples,
            cause = $alert.likely_cause,
            suggestion = $alert.suggestion,
            "{}",
            sentence($notification.kind, $alert)
        )
    };
}

impl Notifier for LogNotifier {
    fn name(&self) -> &str {
        "log"
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        for alert in &notification.alerts {
            match (notification.kind, alert.severity) {
                (NotificationKind::Firing, Severity::Critical) => log!(error, notification, alert),
                (NotificationKind::Firing, _) => log!(warn, notification, alert),
                _ => log!(info, notification, alert),
            }
        }
        if let Some(group) = &notification.group
            && (group.count > notification.alerts.len() as u64 || group.count > 1)
        {
            let shown = notification.alerts.len();
            tracing::warn!(
                target: "telemetry::alert",
                key = notification.key,
                group = group.id,
                count = group.count,
                shown,
                "{}",
                group.title
            );
        }
        let answer = format!("logged {}", notification.alerts.len());
        Box::pin(std::future::ready(Ok(Receipt { answer })))
    }
}

fn sentence(kind: NotificationKind, alert: &Alert) -> String {
    match kind {
        NotificationKind::Digest if alert.state.is_open() => alert.summary.clone(),
        NotificationKind::Firing => alert.summary.clone(),
        NotificationKind::Digest | NotificationKind::Resolved => {
            format!("resolved: {}", alert.summary)
        }
        NotificationKind::Test => format!("test: {}", alert.summary),
    }
}

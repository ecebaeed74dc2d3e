use super::config::ServiceConfig;
use super::payload;
use crate::WebhookConfig;
use crate::webhook::HttpPost;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{
    BoxFuture, Clock, Notification, Notifier, Receipt, Result, SystemClock,
};

/// Alertmanager forgets an alert that is not sent again within this.
const ALERTMANAGER_KEEPS: Duration = Duration::from_secs(86_400);

/// Tells a service over HTTP, in the form its documentation asks for.
#[derive(Clone, Debug)]
pub struct ServiceNotifier {
    kind: ServiceKind,
    config: ServiceConfig,
    post: HttpPost,
    clock: Arc<dyn Clock>,
}

/// Which service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ServiceKind {
    Slack,
    Teams,
    Discord,
    Telegram,
    PagerDuty,
    Alertmanager,
}

impl ServiceNotifier {
    /// Prepares a client.
    ///
    /// # Errors
    /// As [`WebhookNotifier::new`](crate::WebhookNotifier::new).
    pub fn new(kind: ServiceKind, config: &ServiceConfig) -> Result<Self> {
        let base = config.url.trim_end_matches('/');
        let url = match kind {
            ServiceKind::Telegram => {
                format!("{base}/bot{}/sendMessage", config.key.as_deref().unwrap_or_default())
            }
            ServiceKind::Alertmanager if !base.ends_with("/alerts") => {
                format!("{base}/api/v2/alerts")
            }
            _ => config.url.clone(),
        };
        let webhook =
            WebhookConfig { timeout: config.timeout, ..WebhookConfig::new(&config.name, &url) };
        let post = HttpPost::new(&webhook)?;
        Ok(Self { kind, config: config.clone(), post, clock: Arc::new(SystemClock::new()) })
    }

    /// What would be posted.
    pub fn payload(&self, notification: &Notification) -> Value {
        let key = self.config.key.as_deref().unwrap_or_default();
        match self.kind {
            ServiceKind::Slack => payload::slack(notification),
            ServiceKind::Teams => payload::teams(notification),
            ServiceKind::Discord => payload::discord(notification),
            ServiceKind::Telegram => {
                payload::telegram(notification, self.config.to.as_deref().unwrap_or_default())
            }
            ServiceKind::PagerDuty => payload::pagerduty(notification, key),
            ServiceKind::Alertmanager => {
                let ends_at = self.clock.utc().saturating_add(ALERTMANAGER_KEEPS);
                payload::alertmanager(notification, ends_at)
            }
        }
    }
}

impl Notifier for ServiceNotifier {
    fn name(&self) -> &str {
        &self.config.name
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        let json = self.payload(notification).to_string().into_bytes();
        Box::pin(async move { self.post.send(json, &notification.key).await })
    }
}

/// The service of a configuration.
pub(crate) fn connect(kind: &str, config: &ServiceConfig) -> Result<ServiceNotifier> {
    let kind = match kind {
        "slack" => ServiceKind::Slack,
        "teams" => ServiceKind::Teams,
        "discord" => ServiceKind::Discord,
        "telegram" => ServiceKind::Telegram,
        "pagerduty" => ServiceKind::PagerDuty,
        _ => ServiceKind::Alertmanager,
    };
    ServiceNotifier::new(kind, config)
}

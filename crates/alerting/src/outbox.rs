use serde::{Deserialize, Serialize};
use telemetry_interfaces::Notification;

/// Collection of alerts, by id.
pub(crate) const ALERTS: &str = "alerts";
/// Collection of when alerts were closed, in that order.
pub(crate) const CLOSED: &str = "closed_alerts";
/// Collection of notifications that are decided but not yet accepted by their channel.
pub(crate) const OUTBOX: &str = "outbox";
/// Collection of what channels were told of each group, by channel and group.
pub(crate) const GROUPS: &str = "alert_groups";
/// Collection of notifications that were given up.
pub(crate) const DEAD_LETTERS: &str = "dead_letters";
/// Collection of what each channel said last, by channel name.
pub(crate) const CHANNELS: &str = "channels";
/// Collection of what the engine has learned, by selector and site.
pub(crate) const LEARNED: &str = "alerting_memory";
/// Collection of what people asked for and was not done yet, in the order it is to be done.
pub(crate) const REQUESTS: &str = "alert_requests";

/// Collection of what an engine has learned.
pub(crate) fn learned_by(engine: &str) -> String {
    if engine == "rules" { LEARNED.to_owned() } else { format!("{LEARNED}_{engine}") }
}

/// One notification for one channel: written before it is sent, removed when it was accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    /// The channel's name.
    pub channel: String,
    /// What is to be announced; its key is the same for every try, also after a restart.
    pub notification: Notification,
    /// Why it was given up; only on dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Tries before it was given up; only on dead letters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
}

impl Intent {
    /// The key of its row.
    pub(crate) fn row(&self) -> String {
        format!("{}/{}", self.channel, self.notification.key)
    }
}

/// What a channel said last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChannelRecord {
    /// The idempotency key of the last notification it accepted.
    pub key: String,
    /// When, by the injected clock.
    pub at: telemetry_models::Timestamp,
    /// What it answered.
    pub answer: String,
}

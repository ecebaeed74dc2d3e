use crate::{BoxFuture, Result};
use serde::{Deserialize, Serialize};
use telemetry_models::{Alert, AlertTransition, Event, Timestamp};

/// Decides from events and time which alerts change their state. Deterministic: the same events
/// and times give the same transitions.
pub trait AlertEngine: Send {
    /// Looks at events, in order, and appends what changed.
    fn observe(&mut self, events: &[Event], changes: &mut Vec<AlertTransition>);

    /// Looks at the time alone.
    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>);

    /// Alerts that are pending, firing or recovering.
    fn open(&self) -> Vec<Alert>;
}

/// Why a notification is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NotificationKind {
    /// Something began to fire.
    Firing,
    /// It went away.
    Resolved,
    /// Somebody wants to see whether the channel works.
    Test,
}

/// What a channel is given to announce.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Idempotency key: the same for every try to send this notification, different for any other.
    pub key: String,
    /// Why it is sent.
    pub kind: NotificationKind,
    /// When it was decided.
    pub at: Timestamp,
    /// What it is about.
    pub alerts: Vec<Alert>,
}

/// A channel: log, webhook, e-mail, chat.
///
/// Delivery is at least once; a receiver that honours the key sees each once. The caller retries
/// (kind `Unavailable`), the channel does not. Dropping the future cancels the try.
pub trait Notifier: Send + Sync {
    /// The channel's name in the configuration.
    fn name(&self) -> &str;

    /// Sends.
    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>>;
}

/// What the receiver said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// For instance `HTTP 202`.
    pub answer: String,
}

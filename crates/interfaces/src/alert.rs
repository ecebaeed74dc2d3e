use crate::{BoxFuture, Result};
use serde::{Deserialize, Serialize};
use telemetry_models::{Alert, AlertRequest, AlertTransition, Event, Invalid, Timestamp};

/// Decides from events and time which alerts change their state. Deterministic: the same events
/// and times give the same transitions.
///
/// Several engines may run side by side (rules with thresholds, detectors without); each has alerts
/// of its own. At the start [`recall`](Self::recall) comes before [`restore`](Self::restore), and
/// both before the first event.
pub trait AlertEngine: Send {
    /// A short name, the same in every run: what the engine remembers is kept under it.
    fn name(&self) -> &str;

    /// Looks at events, in order, and appends what changed.
    fn observe(&mut self, events: &[Event], changes: &mut Vec<AlertTransition>);

    /// Looks at the time alone.
    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>);

    /// Alerts that are pending, firing or recovering.
    fn open(&self) -> Vec<Alert>;

    /// Takes over alerts of an earlier run; they are not announced again. Hands back those that are
    /// not this engine's.
    fn restore(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        alerts
    }

    /// Takes how the telemetry system itself is doing; called before each [`tick`](Self::tick).
    fn vitals(&mut self, vitals: &Vitals) {
        let _ = vitals;
    }

    /// Does what somebody asked for, and appends what changed. `None` when the engine has no such
    /// alert, an error when the request does not fit it.
    fn handle(
        &mut self,
        request: &AlertRequest,
        changes: &mut Vec<AlertTransition>,
    ) -> Option<std::result::Result<(), Invalid>> {
        let _ = (request, changes);
        None
    }

    /// What was learned since it was taken last and is worth keeping by now, at most `limit`
    /// documents; everything that was learned with `all`.
    fn learned(&mut self, all: bool, limit: usize) -> Vec<Learned> {
        let _ = (all, limit);
        Vec::new()
    }

    /// Takes over what an earlier run has learned. A document that cannot be read is reported and
    /// does not keep the others from being taken over.
    fn recall(&mut self, learned: Vec<Learned>) -> Vec<crate::Error> {
        let _ = learned;
        Vec::new()
    }

    /// Selectors × sites that are watched.
    fn watched(&self) -> usize {
        0
    }

    /// Events that were not looked at because a limit was reached.
    fn unwatched(&self) -> u64 {
        0
    }
}

/// How the telemetry system itself is doing. Counts are since its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Events given up, other than by sampling that was asked for.
    pub lost: u64,
    /// Events in the local spool, waiting for the store to return.
    pub spooled: u64,
    /// Events that were seen.
    pub seen: u64,
    /// How old the newest event was when it was seen, of those seen since the last time.
    pub lag: Option<std::time::Duration>,
    /// Events that alerting did not look at because a limit was reached.
    pub unwatched: u64,
    /// Notifications given up.
    pub given_up: u64,
    /// Batches of changes of alerts that are not saved and told yet.
    pub behind: u64,
}

/// Something an engine has learned, to be kept for a later run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learned {
    /// What it is about, for instance selector and site.
    pub key: String,
    /// A JSON text.
    pub value: String,
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
    /// More happened than the channel may be told one by one.
    Digest,
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
    /// What it is about; of a large group the worst ones only.
    pub alerts: Vec<Alert>,
    /// The group they belong to; absent when the alert was announced by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<NoticeGroup>,
}

/// Alerts that are announced together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeGroup {
    /// The same for every notification about the group, at most 200 bytes.
    pub id: String,
    /// What they have in common, in one line.
    pub title: String,
    /// Alerts this notification is about; more than it carries when the group is large.
    pub count: u64,
    /// Alerts of the group that are open and were announced, with those of this notification.
    pub open: u64,
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

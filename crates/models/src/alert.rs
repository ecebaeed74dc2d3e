use crate::id::name;
use crate::outcome::words;
use crate::{Comparison, EventId, Invalid, SelectorName, Signal, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

name! {
    /// Identifies one alert from pending to closed; a later recurrence gets another.
    AlertId, "alert id"
}

words! {
    /// How much an alert matters.
    Severity, "severity" {
        /// Worth knowing.
        Low = "low",
        /// Worth a look this week.
        Medium = "medium",
        /// Worth a look today.
        High = "high",
        /// Worth a look now.
        Critical = "critical",
    }
}

words! {
    /// Where an alert stands.
    AlertState, "alert state" {
        /// The condition does not hold.
        Inactive = "inactive",
        /// The condition holds, not yet for long enough.
        Pending = "pending",
        /// The condition holds and was announced.
        Firing = "firing",
        /// The condition no longer holds, not yet for long enough.
        Recovering = "recovering",
        /// The condition went away and that was announced.
        Resolved = "resolved",
        /// Nothing more will happen to it.
        Closed = "closed",
    }
}

impl AlertState {
    /// Whether the alert needs somebody: firing, or recovering and able to fire again.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Firing | Self::Recovering)
    }
}

/// What is wrong with one selector, since when, and what shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// This occurrence.
    pub id: AlertId,
    /// The same for every occurrence of one rule on one selector and site.
    pub fingerprint: Arc<str>,
    /// Id of the rule.
    pub rule: Arc<str>,
    /// The selector.
    pub selector: SelectorName,
    /// Host (and port) it was used on, when known.
    pub site: Option<Arc<str>>,
    /// What was watched.
    pub signal: Signal,
    /// How much it matters.
    pub severity: Severity,
    /// Where it stands.
    pub state: AlertState,
    /// Timestamp of the first event of the run of evidence that made the condition hold.
    pub since: Timestamp,
    /// When it began to fire; `None` while pending.
    pub fired_at: Option<Timestamp>,
    /// When it resolved.
    pub resolved_at: Option<Timestamp>,
    /// When anything last changed.
    pub updated_at: Timestamp,
    /// Value of the signal at the last evaluation, in the signal's unit.
    pub value: f64,
    /// The relation that made it fire.
    pub comparison: Comparison,
    /// What the value was held against, in the signal's unit.
    pub threshold: f64,
    /// Events in the window at the last evaluation.
    pub samples: u64,
    /// The last operation that was all right.
    pub last_good: Option<LastGood>,
    /// What shows it.
    pub evidence: Evidence,
    /// One sentence: what happened.
    pub summary: String,
    /// What probably caused it, when the evidence tells.
    pub likely_cause: Option<String>,
    /// What to try next.
    pub suggestion: Option<String>,
    /// Labels of the rule, for routing.
    pub labels: BTreeMap<String, String>,
}

/// The last operation before the trouble.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LastGood {
    /// When it was.
    pub at: Timestamp,
    /// Which event it was.
    pub event: EventId,
    /// Value of the signal before the trouble, over the window that ended there.
    pub value: Option<f64>,
    /// Operations that were all right before the trouble, as far back as the engine remembers.
    pub count: u64,
}

/// What shows that an alert is right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Events to look at, oldest first; at most ten.
    pub events: Vec<EventId>,
    /// URL of a page where it happened.
    pub url: Option<Arc<str>>,
    /// Strategy and text that used to win.
    pub before: Option<String>,
    /// What happens now, for instance `css span.price: empty`.
    pub now: Option<String>,
}

/// An alert that changed its state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTransition {
    /// Where it stood.
    pub from: AlertState,
    /// When it changed.
    pub at: Timestamp,
    /// The alert as it stands now.
    pub alert: Alert,
}

use crate::id::name;
use crate::outcome::words;
use crate::{Comparison, EventId, Handling, Invalid, SelectorName, Signal, Timestamp};
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

impl Severity {
    /// The next higher one; `None` above critical.
    pub const fn next(self) -> Option<Self> {
        match self {
            Self::Low => Some(Self::Medium),
            Self::Medium => Some(Self::High),
            Self::High => Some(Self::Critical),
            Self::Critical => None,
        }
    }
}

words! {
    /// Who decided that something is wrong.
    AlertSource, "alert source" {
        /// A rule with thresholds.
        Rule = "rule",
        /// A detector without thresholds.
        Detector = "detector",
        /// The telemetry system, about itself. Never inhibited, never muted.
        System = "system",
    }
}

words! {
    /// What keeps an alert open.
    AlertReason, "alert reason" {
        /// What was measured.
        Measured = "measured",
        /// That nothing is measured any more.
        NoData = "no_data",
        /// Somebody's word: it was over, and was made to fire again.
        Reopened = "reopened",
    }
}

words! {
    /// Why an alert changed.
    ChangeCause, "cause of change" {
        /// It went from one state to another.
        State = "state",
        /// Its severity rose, by measurement, by hand, or because nobody acknowledged it.
        Severity = "severity",
        /// Data stopped or came back while it was open.
        Data = "data",
        /// Somebody acknowledged, assigned, commented or suppressed it.
        Handling = "handling",
        /// It says that it still stands, as it does every so often.
        Heartbeat = "heartbeat",
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
    /// When it came there; `for` and `keep_firing_for` count from here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_since: Option<Timestamp>,
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
    /// Who decided it.
    #[serde(default = "rule_source")]
    pub source: AlertSource,
    /// What keeps it open.
    #[serde(default = "measured")]
    pub reason: AlertReason,
    /// When the last data came, while it is open and data stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_data_since: Option<Timestamp>,
    /// URL template of the page where it happened last, as in `/product/{id}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page_template: Option<Arc<str>>,
    /// What the selector's own past says the value should be, in the signal's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<f64>,
    /// Why it has its severity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factors: Vec<SeverityFactor>,
    /// Further texts of the rule, filled in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Where the way to deal with it is written down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
    /// How often somebody made it fire again after it was over.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub reopened: u32,
    /// What people did with it.
    #[serde(default, skip_serializing_if = "is_untouched")]
    pub handling: Handling,
}

const fn rule_source() -> AlertSource {
    AlertSource::Rule
}

const fn measured() -> AlertReason {
    AlertReason::Measured
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands over a reference")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

fn is_untouched(handling: &Handling) -> bool {
    *handling == Handling::default()
}

/// One reason for an alert's severity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeverityFactor {
    /// What was looked at: `rule`, `step`, `impact`, `effect`, `evidence`, `breadth`.
    pub name: Arc<str>,
    /// What was found, in words.
    pub found: String,
    /// What it adds; the sum of all decides. 0 for what decides alone, as a rule's own severity.
    pub points: i8,
}

impl Alert {
    /// A pending alert of medium severity about which nothing else is known.
    pub fn new(
        id: AlertId,
        rule: &str,
        selector: SelectorName,
        signal: Signal,
        since: Timestamp,
    ) -> Self {
        Self {
            id,
            fingerprint: "".into(),
            rule: rule.into(),
            selector,
            site: None,
            signal,
            state_since: None,
            severity: Severity::Medium,
            state: AlertState::Pending,
            since,
            fired_at: None,
            resolved_at: None,
            updated_at: since,
            value: 0.0,
            comparison: Comparison::AtLeast,
            threshold: 0.0,
            samples: 0,
            last_good: None,
            evidence: Evidence::default(),
            summary: String::new(),
            likely_cause: None,
            suggestion: None,
            labels: BTreeMap::new(),
            source: AlertSource::Rule,
            reason: AlertReason::Measured,
            no_data_since: None,
            page_template: None,
            baseline: None,
            factors: Vec::new(),
            annotations: BTreeMap::new(),
            runbook: None,
            reopened: 0,
            handling: Handling::default(),
        }
    }

    /// The command that shows everything about it.
    pub fn command(&self) -> String {
        format!("telemetry alerts show {}", self.id)
    }
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

/// An alert that changed: its state, or something else that others may want to know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertTransition {
    /// Where it stood; its present state when that did not change.
    pub from: AlertState,
    /// When it changed.
    pub at: Timestamp,
    /// Why it changed.
    #[serde(default = "state_change")]
    pub cause: ChangeCause,
    /// The alert as it stands now.
    pub alert: Alert,
}

const fn state_change() -> ChangeCause {
    ChangeCause::State
}

impl AlertTransition {
    /// From one state to the alert's present one.
    pub fn new(from: AlertState, at: Timestamp, alert: Alert) -> Self {
        Self { from, at, cause: ChangeCause::State, alert }
    }

    /// A change within a state.
    pub fn within(cause: ChangeCause, at: Timestamp, alert: Alert) -> Self {
        Self { from: alert.state, at, cause, alert }
    }
}

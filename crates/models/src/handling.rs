//! What people do with alerts, and what is kept of it.

use crate::outcome::words;
use crate::{Alert, AlertId, AlertReason, AlertState, ChangeCause, Invalid, Severity, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// Entries kept of one alert's history; the oldest go first.
const MAX_HISTORY: usize = 100;
/// The longest an alert may be suppressed.
const MAX_SUPPRESSION: Duration = Duration::from_secs(30 * 86_400);

words! {
    /// How an alert came to its end.
    ResolutionMethod, "resolution method" {
        /// What was measured is all right again.
        Automatic = "automatic",
        /// Somebody said so.
        Manual = "manual",
        /// Nothing was measured any more, and the rule takes that for the end.
        NoData = "no_data",
        /// The rule is not in force any more.
        RuleRemoved = "rule_removed",
        /// The observed program was started anew.
        SystemRestart = "system_restart",
        /// A setting was changed.
        ConfigChange = "config_change",
        /// A repaired selector or program was deployed.
        DeploymentFix = "deployment_fix",
        /// It is worked around, not repaired.
        TemporaryWorkaround = "temporary_workaround",
        /// There was nothing wrong.
        FalsePositive = "false_positive",
    }
}

/// What somebody does with an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub enum AlertAction {
    /// Says that somebody takes care of it. Ends when the alert resolves or its severity rises.
    Acknowledge,
    /// Takes an acknowledgement back.
    Unacknowledge,
    /// Says who is to take care of it.
    Assign {
        /// A name.
        to: String,
    },
    /// Adds a remark; the request's `why` is the text.
    Comment,
    /// Ends it.
    Resolve {
        /// By what means.
        method: ResolutionMethod,
    },
    /// Makes a resolved or closed alert fire again.
    Reopen,
    /// Keeps it quiet for a time.
    Suppress {
        /// When it may be announced again; at most 30 days away.
        until: Timestamp,
    },
    /// Lets it be announced again.
    Unsuppress,
    /// Raises its severity.
    Escalate {
        /// To this; one step when `None`.
        to: Option<Severity>,
    },
}

impl AlertAction {
    /// What was done, for a list.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Acknowledge => "acknowledge",
            Self::Unacknowledge => "unacknowledge",
            Self::Assign { .. } => "assign",
            Self::Comment => "comment",
            Self::Resolve { .. } => "resolve",
            Self::Reopen => "reopen",
            Self::Suppress { .. } => "suppress",
            Self::Unsuppress => "unsuppress",
            Self::Escalate { .. } => "escalate",
        }
    }
}

/// Somebody asks for something to be done with an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertRequest {
    /// The alert.
    pub alert: AlertId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who asks.
    pub by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What is to be done.
    pub action: AlertAction,
}

/// Something that was done: who, when and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handled {
    /// When.
    pub at: Timestamp,
    /// By whom; `None` when the system did it by itself.
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What.
    pub what: HandledWhat,
}

/// What was done with an alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HandledWhat {
    /// Somebody did it.
    Action(AlertAction),
    /// The acknowledgement ended because the severity rose, or the alert resolved.
    AcknowledgementEnded,
    /// Nobody acknowledged it in time, so its severity rose.
    EscalatedUnacknowledged(Severity),
}

/// Who did something once, when, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// Until when an alert is kept quiet, and at whose wish.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suppression {
    /// It may be announced again from here.
    pub until: Timestamp,
    /// Who wished it, when, why.
    pub mark: Mark,
}

/// How an alert ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolution {
    /// By what means.
    pub method: ResolutionMethod,
    /// When.
    pub at: Timestamp,
    /// By whom; `None` when nobody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What people did with an alert.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Handling {
    /// Somebody takes care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Mark>,
    /// Who is to take care of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee: Option<String>,
    /// Until when it is kept quiet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<Suppression>,
    /// How it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<Resolution>,
    /// Everything that was done, oldest first; the newest 100.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<Handled>,
}

impl Handling {
    /// Whether the alert is kept quiet at this moment.
    pub fn is_suppressed(&self, now: Timestamp) -> bool {
        self.suppressed.as_ref().is_some_and(|it| now < it.until)
    }

    fn note(&mut self, handled: Handled) {
        if self.history.len() >= MAX_HISTORY {
            self.history.remove(0);
        }
        self.history.push(handled);
    }
}

impl Alert {
    /// Does what was asked for and keeps who, when and why. Returns why anything changed; the
    /// caller knows from [`state`](Alert::state) before and after whether the state did.
    ///
    /// # Errors
    /// When the action does not fit the alert's state, or a value is out of range. Nothing is
    /// changed then.
    pub fn apply(&mut self, request: &AlertRequest) -> Result<ChangeCause, Invalid> {
        let AlertRequest { at, by, why, action, .. } = request;
        if by.trim().is_empty() {
            return Err(Invalid::new("by", "nobody", "the name of who asks"));
        }
        let mark = || Mark { by: by.clone(), at: *at, why: why.clone() };
        let cause = match action {
            AlertAction::Acknowledge => {
                self.must_be(self.state.is_open(), "firing or recovering")?;
                self.handling.acknowledged = Some(mark());
                ChangeCause::Handling
            }
            AlertAction::Unacknowledge => {
                let there = self.handling.acknowledged.is_some();
                self.must_be(there, "acknowledged")?;
                self.handling.acknowledged = None;
                ChangeCause::Handling
            }
            AlertAction::Assign { to } => {
                if to.trim().is_empty() {
                    return Err(Invalid::new("to", "nobody", "the name of who takes care of it"));
                }
                self.handling.assignee = Some(to.clone());
                ChangeCause::Handling
            }
            AlertAction::Comment => {
                if why.as_deref().is_none_or(|text| text.trim().is_empty()) {
                    return Err(Invalid::new("why", "no text", "the remark"));
                }
                ChangeCause::Handling
            }
            AlertAction::Resolve { method } => {
                let open = self.state.is_open() || self.state == AlertState::Pending;
                self.must_be(open, "pending, firing or recovering")?;
                self.state = AlertState::Resolved;
                (self.resolved_at, self.state_since) = (Some(*at), Some(*at));
                self.end_acknowledgement(*at);
                let (by, why) = (Some(by.clone()), why.clone());
                self.handling.resolution = Some(Resolution { method: *method, at: *at, by, why });
                ChangeCause::State
            }
            AlertAction::Reopen => {
                let over = matches!(self.state, AlertState::Resolved | AlertState::Closed);
                self.must_be(over, "resolved or closed")?;
                self.state = AlertState::Firing;
                self.fired_at = self.fired_at.or(Some(*at));
                (self.resolved_at, self.state_since) = (None, Some(*at));
                self.handling.resolution = None;
                self.reason = AlertReason::Reopened;
                self.reopened = self.reopened.saturating_add(1);
                ChangeCause::State
            }
            AlertAction::Suppress { until } => {
                if until <= at || until.since(*at) > MAX_SUPPRESSION {
                    return Err(Invalid::new(
                        "until",
                        until.to_string(),
                        "a time within the next 30 days",
                    ));
                }
                self.handling.suppressed = Some(Suppression { until: *until, mark: mark() });
                ChangeCause::Handling
            }
            AlertAction::Unsuppress => {
                let there = self.handling.suppressed.is_some();
                self.must_be(there, "suppressed")?;
                self.handling.suppressed = None;
                ChangeCause::Handling
            }
            AlertAction::Escalate { to } => {
                self.must_be(self.state.is_open(), "firing or recovering")?;
                let next = to.or_else(|| self.severity.next()).unwrap_or(self.severity);
                if next <= self.severity {
                    let expected = format!("a severity above {}", self.severity);
                    return Err(Invalid::new("to", next.to_string(), &expected));
                }
                self.raise(next, *at);
                ChangeCause::Severity
            }
        };
        self.updated_at = *at;
        self.handling.note(Handled {
            at: *at,
            by: Some(by.clone()),
            why: why.clone(),
            what: HandledWhat::Action(action.clone()),
        });
        Ok(cause)
    }

    /// Raises the severity, which ends an acknowledgement: what was taken care of was less.
    pub fn raise(&mut self, severity: Severity, at: Timestamp) {
        if severity > self.severity {
            self.severity = severity;
            self.end_acknowledgement(at);
        }
    }

    /// Raises the severity because nobody acknowledged the alert in time.
    pub fn escalate_unacknowledged(&mut self, severity: Severity, at: Timestamp) {
        self.raise(severity, at);
        let what = HandledWhat::EscalatedUnacknowledged(severity);
        self.handling.note(Handled { at, by: None, why: None, what });
    }

    /// Ends it without anybody's doing.
    pub fn resolve(&mut self, method: ResolutionMethod, at: Timestamp) {
        self.resolved_at = Some(at);
        self.end_acknowledgement(at);
        self.handling.resolution = Some(Resolution { method, at, by: None, why: None });
    }

    fn end_acknowledgement(&mut self, at: Timestamp) {
        if self.handling.acknowledged.take().is_some() {
            let what = HandledWhat::AcknowledgementEnded;
            self.handling.note(Handled { at, by: None, why: None, what });
        }
    }

    fn must_be(&self, right: bool, expected: &str) -> Result<(), Invalid> {
        if right {
            return Ok(());
        }
        Err(Invalid::new("state", format!("an alert that is {}", self.state), expected))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SelectorName, Signal};

    fn alert() -> Alert {
        Alert {
            state: AlertState::Firing,
            ..Alert::new(
                AlertId::new("a-1").unwrap(),
                "errors",
                SelectorName::new("shop.price").unwrap(),
                Signal::ErrorRate,
                Timestamp::from_millis(0),
            )
        }
    }

    fn ask(alert: &mut Alert, action: AlertAction) -> Result<ChangeCause, Invalid> {
        alert.apply(&AlertRequest {
            alert: alert.id.clone(),
            at: Timestamp::from_millis(1000),
            by: "ada".into(),
            why: Some("because".into()),
            action,
        })
    }

    #[test]
    fn an_acknowledgement_ends_when_the_severity_rises_or_the_alert_resolves() {
        let mut alert = alert();
        assert_eq!(ask(&mut alert, AlertAction::Acknowledge), Ok(ChangeCause::Handling));
        assert_eq!(alert.handling.acknowledged.as_ref().unwrap().by, "ada");
        let cause = ask(&mut alert, AlertAction::Escalate { to: None });
        assert_eq!((cause, alert.severity), (Ok(ChangeCause::Severity), Severity::High));
        assert_eq!(alert.handling.acknowledged, None);
        ask(&mut alert, AlertAction::Acknowledge).unwrap();
        let method = ResolutionMethod::DeploymentFix;
        assert_eq!(ask(&mut alert, AlertAction::Resolve { method }), Ok(ChangeCause::State));
        assert_eq!((alert.state, &alert.handling.acknowledged), (AlertState::Resolved, &None));
        assert_eq!(alert.handling.resolution.as_ref().unwrap().method, method);
        assert_eq!(alert.handling.history.len(), 6, "four actions, two ends");
        ask(&mut alert, AlertAction::Reopen).unwrap();
        assert_eq!((alert.state, alert.reopened), (AlertState::Firing, 1));
    }

    #[test]
    fn what_does_not_fit_is_refused_and_changes_nothing() {
        let until = Timestamp::from_millis(500);
        for (action, found) in [
            (AlertAction::Reopen, "firing"),
            (AlertAction::Unacknowledge, "firing"),
            (AlertAction::Suppress { until }, "1970"),
            (AlertAction::Escalate { to: Some(Severity::Low) }, "low"),
            (AlertAction::Assign { to: " ".into() }, "nobody"),
        ] {
            let mut it = alert();
            let error = ask(&mut it, action.clone()).unwrap_err();
            assert!(error.to_string().contains(found), "{action:?}: {error}");
            assert_eq!(it, alert());
        }
    }

    #[test]
    fn a_suppression_ends_by_itself() {
        let mut alert = alert();
        let until = Timestamp::from_millis(60_000);
        ask(&mut alert, AlertAction::Suppress { until }).unwrap();
        assert!(alert.handling.is_suppressed(Timestamp::from_millis(59_999)));
        assert!(!alert.handling.is_suppressed(until));
    }
}

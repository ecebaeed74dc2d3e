//! Joins open alerts with what the events say.

use crate::findings::is_broken;
use crate::text::rounded;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::report::{Finding, FindingKind, Measure};
use telemetry_models::{Alert, SelectorName, Signal};

/// Signals and findings that speak of the same trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Family {
    Success,
    Fallback,
    Confidence,
    Duration,
    Environment,
    Other,
}

impl Family {
    pub(crate) fn of(signal: Signal) -> Self {
        match signal {
            Signal::SuccessRate
            | Signal::ErrorRate
            | Signal::ZeroMatchRate
            | Signal::TimeoutRate
            | Signal::ValidationFailureRate => Self::Success,
            Signal::FallbackRate | Signal::FallbackDepth | Signal::StrategySwitches => {
                Self::Fallback
            }
            Signal::Confidence => Self::Confidence,
            Signal::DurationMs => Self::Duration,
            Signal::EnvironmentFaultRate => Self::Environment,
            Signal::MatchCount | Signal::Frequency | Signal::Health => Self::Other,
        }
    }

    fn of_finding(finding: &Finding) -> Self {
        match finding.kind {
            FindingKind::StoppedWorking
            | FindingKind::NeverWorked
            | FindingKind::SucceedsLess
            | FindingKind::Unreliable => Self::Success,
            FindingKind::FallbackTookOver => Self::Fallback,
            FindingKind::ConfidenceFell => Self::Confidence,
            FindingKind::Slowed => Self::Duration,
            FindingKind::SiteTrouble => Self::Environment,
            FindingKind::Alert => finding.after.map_or(Self::Other, |it| Self::of(it.signal)),
        }
    }
}

/// Makes every open alert part of a finding: of one that says the same, or of one of its own.
pub(crate) fn join(findings: &mut Vec<Finding>, open: &[Alert]) {
    let mut own: BTreeMap<(SelectorName, Option<String>, Family), Finding> = BTreeMap::new();
    for alert in open {
        let family = Family::of(alert.signal);
        let same_place = |it: &Finding| {
            it.selector.as_ref() == Some(&alert.selector)
                && (alert.site.is_none() || it.site.as_deref() == alert.site.as_deref())
        };
        let same_trouble = |it: &&mut Finding| {
            same_place(it) && (Family::of_finding(it) == family || is_broken(it))
        };
        if let Some(finding) = findings.iter_mut().find(same_trouble) {
            take_over(finding, alert, family);
            continue;
        }
        let site = alert.site.as_deref().map(str::to_owned);
        let key = (alert.selector.clone(), site.clone(), family);
        let finding = own.entry(key).or_insert_with(|| Finding {
            kind: FindingKind::Alert,
            severity: alert.severity,
            selector: Some(alert.selector.clone()),
            site,
            what: alert.summary.clone(),
            since: Some(alert.since),
            since_within_s: None,
            before: None,
            after: (alert.samples > 0).then(|| Measure {
                signal: alert.signal,
                value: rounded(alert.value, 6),
                n: alert.samples,
            }),
            affected: alert.samples,
            evidence: Vec::new(),
            url: None,
            likely_cause: None,
            suggestion: None,
            alerts: Vec::new(),
        });
        take_over(finding, alert, family);
    }
    findings.extend(own.into_values());
}

/// Adds what an alert knows; what the events say about extent stays.
fn take_over(finding: &mut Finding, alert: &Alert, family: Family) {
    finding.alerts.push(alert.id.clone());
    finding.severity = finding.severity.max(alert.severity);
    if Family::of_finding(finding) != family {
        return;
    }
    date(finding, alert);
    if finding.alerts.len() == 1 && !alert.evidence.events.is_empty() {
        finding.evidence.clone_from(&alert.evidence.events);
    }
    let url = alert.evidence.url.as_deref().map(str::to_owned);
    finding.url = finding.url.take().or(url);
    finding.likely_cause = finding.likely_cause.take().or_else(|| alert.likely_cause.clone());
    if finding.alerts.len() == 1 && alert.suggestion.is_some() {
        finding.suggestion.clone_from(&alert.suggestion);
    }
}

/// An alert names the first event of its evidence: exact, so better than a step that holds it.
fn date(finding: &mut Finding, alert: &Alert) {
    let better = finding.since.is_none_or(|since| {
        let step = Duration::from_secs(finding.since_within_s.unwrap_or(0));
        alert.since < since.saturating_add(step)
    });
    if better {
        finding.since = Some(alert.since);
        finding.since_within_s = None;
    }
}

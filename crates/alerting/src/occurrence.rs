//! The alert of a slot from its beginning to its end.

use crate::NoData;
use crate::explain::explain;
use crate::grade::grade;
use crate::reading::Reading;
use crate::slot::{Case, Slot};
use std::sync::Arc;
use telemetry_models::{
    Alert, AlertId, AlertReason, AlertState, AlertTransition, ChangeCause, ResolutionMethod,
};

impl Slot {
    /// An open alert follows what is measured.
    pub(crate) fn update(
        &mut self,
        reading: Reading,
        case: Case<'_>,
        changes: &mut Vec<AlertTransition>,
    ) {
        let Some(alert) = &mut self.alert else { return };
        alert.value = reading.value;
        alert.samples = reading.samples as u64;
        alert.updated_at = case.shown;
        if alert.reason != AlertReason::NoData && alert.no_data_since.take().is_some() {
            let alert = Alert::clone(alert);
            changes.push(AlertTransition::within(ChangeCause::Data, case.shown, alert));
        }
        let (severity, factors) = grade(case.rule(), reading);
        if severity > alert.severity {
            let breadth = alert.factors.iter().filter(|it| &*it.name == "breadth").cloned();
            alert.factors = factors.into_iter().chain(breadth).collect();
            alert.raise(severity, case.shown);
            let alert = Alert::clone(alert);
            changes.push(AlertTransition::within(ChangeCause::Severity, case.shown, alert));
        }
    }

    /// An open alert says once since when there is no data.
    pub(crate) fn mark_silence(&mut self, case: Case<'_>, changes: &mut Vec<AlertTransition>) {
        let Some(alert) = self.alert.as_mut().filter(|it| it.no_data_since.is_none()) else {
            return;
        };
        alert.no_data_since = Some(case.feed.fed().map_or(alert.updated_at, |(_, shown)| shown));
        alert.updated_at = case.shown;
        let alert = Alert::clone(alert);
        changes.push(AlertTransition::within(ChangeCause::Data, case.shown, alert));
    }

    /// What nobody acknowledged in time becomes more severe.
    pub(crate) fn escalate(&mut self, case: Case<'_>, changes: &mut Vec<AlertTransition>) {
        let Some(after) = case.rule().escalate_after else { return };
        let Some(alert) = &mut self.alert else { return };
        if alert.handling.acknowledged.is_some() {
            self.unanswered = case.line;
        }
        if case.line.since(self.unanswered) < after {
            return;
        }
        self.unanswered = case.line;
        let Some(severity) = alert.severity.next() else { return };
        alert.escalate_unacknowledged(severity, case.shown);
        alert.updated_at = case.shown;
        let alert = Alert::clone(alert);
        changes.push(AlertTransition::within(ChangeCause::Severity, case.shown, alert));
    }

    /// The state changed.
    pub(crate) fn moved(
        &mut self,
        from: AlertState,
        to: AlertState,
        reading: Option<Reading>,
        case: Case<'_>,
        activated: &mut i64,
        changes: &mut Vec<AlertTransition>,
    ) {
        if let (AlertState::Inactive, Some(reading)) = (from, reading) {
            self.freeze(case, reading.baseline);
            self.alert = Some(Box::new(self.begin(reading, case, activated)));
        }
        let trail = self.trail(case);
        let Some(alert) = &mut self.alert else { return };
        alert.state = to;
        alert.state_since = Some(case.shown);
        alert.updated_at = case.shown;
        match to {
            AlertState::Firing if alert.fired_at.is_none() => {
                alert.fired_at = Some(case.shown);
                self.unanswered = case.line;
                if let Some(reading) = reading {
                    alert.value = reading.value;
                    alert.samples = reading.samples as u64;
                    (alert.severity, alert.factors) = grade(case.rule(), reading);
                    alert.since = trail.since().unwrap_or(alert.since).min(alert.since);
                    explain(alert, case.rule(), &trail, reading);
                }
            }
            AlertState::Resolved => {
                let unseen = reading.is_none() && alert.reason != AlertReason::NoData;
                alert.resolve(
                    if unseen { ResolutionMethod::NoData } else { ResolutionMethod::Automatic },
                    case.shown,
                );
            }
            _ => {}
        }
        changes.push(AlertTransition::new(from, case.shown, Alert::clone(alert)));
        if matches!(to, AlertState::Resolved | AlertState::Inactive) {
            self.trail_from = case.feed.total();
        }
        // Until the cooldown is over the baseline stays as it was: trouble that comes back
        // meanwhile must not become what is normal.
        if matches!(to, AlertState::Closed | AlertState::Inactive) {
            if let Some(past) = &mut self.past {
                past.thaw();
                if std::mem::take(&mut self.stale_past) {
                    *past = Default::default();
                }
            }
            self.alert = None;
        }
    }

    fn begin(&self, reading: Reading, case: Case<'_>, activated: &mut i64) -> Alert {
        let rule = case.rule();
        let fingerprint = fingerprint(&rule.id, case.selector.as_str(), case.site);
        *activated = case.shown.as_nanos().max(activated.saturating_add(1));
        let id = format!("{fingerprint}-{activated:x}");
        let trail = self.trail(case);
        let since = trail.since().unwrap_or(case.shown);
        let id = AlertId::new(id).expect("hexadecimal digits are not blank");
        let mut alert = Alert {
            fingerprint: fingerprint.into(),
            site: case.site.cloned(),
            severity: rule.severity,
            baseline: reading.baseline,
            runbook: rule.runbook.clone(),
            updated_at: case.shown,
            value: reading.value,
            comparison: rule.comparison,
            threshold: reading.threshold,
            samples: reading.samples as u64,
            labels: rule.labels.clone(),
            ..Alert::new(id, &rule.id, case.selector.clone(), rule.signal, since)
        };
        (alert.severity, alert.factors) = grade(rule, reading);
        if reading.samples == 0
            && let (NoData::AlertAfter(_), Some((_, fed))) = (rule.no_data, case.feed.fed())
        {
            (alert.reason, alert.no_data_since) = (AlertReason::NoData, Some(fed));
            alert.since = fed;
        }
        explain(&mut alert, rule, &trail, reading);
        alert
    }
}

/// 64-bit FNV-1a over rule, selector and site, in hexadecimal: the same for every occurrence and
/// on every machine.
pub(crate) fn fingerprint(rule: &str, selector: &str, site: Option<&Arc<str>>) -> String {
    let parts = [rule, selector, site.map_or("", |site| site)];
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for part in parts {
        for byte in part.bytes().chain([0]) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    format!("{hash:016x}")
}

//! The alert of a slot from its beginning to its end.

use crate::NoData;
use crate::explain::explain;
use crate::grade::{grade, severity};
use crate::held::{Held, Place, fingerprint, id};
use crate::reading::Reading;
use crate::shelf::Shelf;
use crate::slot::{Case, Slot};
use telemetry_models::{
    Alert, AlertId, AlertReason, AlertState, AlertTransition, ChangeCause, ResolutionMethod,
};

impl Slot {
    /// An open alert follows what is measured.
    pub(crate) fn update(
        &mut self,
        reading: Reading,
        case: Case<'_>,
        shelf: &mut Shelf,
        changes: &mut Vec<AlertTransition>,
    ) {
        let (place, state) = (Place::of(&case), self.machine.state());
        let Some(held) = &mut self.held else { return };
        held.value = reading.value;
        held.samples = u32::try_from(reading.samples).unwrap_or(u32::MAX);
        held.updated_at = case.shown;
        if held.reason != AlertReason::NoData && held.set_no_data(None) {
            let alert = held.alert(place, state);
            changes.push(AlertTransition::within(ChangeCause::Data, case.shown, alert));
        }
        if severity(case.rule(), reading) > held.severity {
            let mut alert = held.alert(place, state);
            let (severity, factors) = grade(case.rule(), reading);
            let breadth = alert.factors.into_iter().filter(|it| &*it.name == "breadth");
            alert.factors = factors.into_iter().chain(breadth).collect();
            alert.raise(severity, case.shown);
            *held = Held::of(&alert, place, shelf);
            changes.push(AlertTransition::within(ChangeCause::Severity, case.shown, alert));
        }
    }

    /// An open alert says once since when there is no data.
    pub(crate) fn mark_silence(&mut self, case: Case<'_>, changes: &mut Vec<AlertTransition>) {
        let state = self.machine.state();
        let Some(held) = self.held.as_mut().filter(|it| it.no_data_since().is_none()) else {
            return;
        };
        held.set_no_data(Some(case.feed.fed().map_or(held.updated_at, |(_, shown)| shown)));
        held.updated_at = case.shown;
        let alert = held.alert(Place::of(&case), state);
        changes.push(AlertTransition::within(ChangeCause::Data, case.shown, alert));
    }

    /// What nobody acknowledged in time becomes more severe.
    pub(crate) fn escalate(
        &mut self,
        case: Case<'_>,
        shelf: &mut Shelf,
        changes: &mut Vec<AlertTransition>,
    ) {
        let Some(after) = case.rule().escalate_after else { return };
        let (place, state) = (Place::of(&case), self.machine.state());
        let Some(held) = &mut self.held else { return };
        if held.acknowledged {
            self.unanswered = case.line;
        }
        if case.line.since(self.unanswered) < after {
            return;
        }
        self.unanswered = case.line;
        let Some(severity) = held.severity.next() else { return };
        let mut alert = held.alert(place, state);
        alert.escalate_unacknowledged(severity, case.shown);
        alert.updated_at = case.shown;
        *held = Held::of(&alert, place, shelf);
        changes.push(AlertTransition::within(ChangeCause::Severity, case.shown, alert));
    }

    /// The state changed.
    pub(crate) fn moved(
        &mut self,
        from: AlertState,
        to: AlertState,
        reading: Option<Reading>,
        case: Case<'_>,
        (activated, shelf): (&mut i64, &mut Shelf),
        changes: &mut Vec<AlertTransition>,
    ) {
        let place = Place::of(&case);
        let mut alert = match (from, reading, &self.held) {
            (AlertState::Inactive, Some(reading), _) => {
                self.freeze(case, reading.baseline);
                self.begin(reading, case, activated)
            }
            (_, _, Some(held)) => held.alert(place, from),
            (_, _, None) => return,
        };
        let trail = self.trail(case);
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
                    explain(&mut alert, case.rule(), &trail, reading);
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
        if matches!(to, AlertState::Resolved | AlertState::Inactive) {
            self.trail_from = case.feed.total();
        }
        // Until the cooldown is over the baseline stays as it was: trouble that comes back
        // meanwhile must not become what is normal.
        if matches!(to, AlertState::Closed | AlertState::Inactive) {
            if let Some(past) = &mut self.past {
                past.thaw();
                if std::mem::take(&mut self.stale_past) {
                    **past = Default::default();
                }
            }
            self.held = None;
        } else {
            self.held = Some(Held::of(&alert, place, shelf));
        }
        changes.push(AlertTransition::new(from, case.shown, alert));
    }

    fn begin(&self, reading: Reading, case: Case<'_>, activated: &mut i64) -> Alert {
        let rule = case.rule();
        let fingerprint = fingerprint(&rule.id, case.selector.as_str(), case.site);
        *activated = case.shown.as_nanos().max(activated.saturating_add(1));
        let id = id(&fingerprint, *activated);
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

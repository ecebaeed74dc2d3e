use crate::explain::explain;
use crate::machine::{Machine, Timing};
use crate::past::Past;
use crate::trail::Trail;
use crate::{Against, Rule};
use std::sync::Arc;
use telemetry_aggregation::{Sample, SignalWindow};
use telemetry_models::{
    Alert, AlertAction, AlertId, AlertReason, AlertRequest, AlertState, AlertTransition,
    ChangeCause, Event, Invalid, ResolutionMethod, SelectorName, Signal, Timestamp,
};

/// One rule on one selector and site: its window, its baseline, its state, its alert.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Index of the rule in the engine.
    pub(crate) rule: usize,
    pub(crate) window: SignalWindow,
    pub(crate) past: Past,
    pub(crate) trail: Trail,
    machine: Machine,
    alert: Option<Box<Alert>>,
    stale_past: bool,
    begun: Timestamp,
    activated: i64,
}

/// What a window says at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    value: f64,
    /// The value as the rule's levels are given: itself, a factor or a difference.
    level: f64,
    changed_enough: bool,
    threshold: f64,
    samples: usize,
    pub(crate) baseline: Option<f64>,
}

/// Where and when a slot is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) selector: &'a SelectorName,
    pub(crate) site: Option<&'a Arc<str>>,
    /// Time that never goes back.
    pub(crate) line: Timestamp,
    /// The same instant, for people.
    pub(crate) shown: Timestamp,
    pub(crate) timing: Timing,
}

impl Slot {
    pub(crate) fn new(rule: usize, definition: &Rule, begun: Timestamp) -> Self {
        Self {
            rule,
            window: SignalWindow::new(definition.window()),
            past: Past::default(),
            trail: Trail::default(),
            machine: Machine::Inactive,
            alert: None,
            stale_past: false,
            begun,
            activated: i64::MIN,
        }
    }

    /// Whether the alert is firing or recovering.
    pub(crate) fn is_open(&self) -> bool {
        self.machine.state().is_open()
    }

    /// Whether the alert is open, or resolved so lately that it keeps silent: trouble that comes
    /// back meanwhile is still this rule's to announce.
    pub(crate) fn speaks(&self) -> bool {
        self.is_open() || self.machine.state() == AlertState::Resolved
    }

    /// Whether time alone may change the state.
    pub(crate) fn is_waiting(&self) -> bool {
        self.machine != Machine::Inactive
    }

    pub(crate) fn alert(&self) -> Option<&Alert> {
        self.alert.as_deref().filter(|alert| alert.state.is_open() || self.is_pending())
    }

    fn is_pending(&self) -> bool {
        self.machine.state() == AlertState::Pending
    }

    /// Takes over an alert of an earlier run, as it was announced.
    pub(crate) fn adopt(&mut self, rule: &Rule, alert: Alert, line: Timestamp) {
        self.machine = match alert.state {
            AlertState::Resolved => Machine::Resolved { since: line },
            _ => Machine::Firing,
        };
        self.past.freeze(match rule.against {
            Against::Fixed => None,
            Against::BaselineRatio => Some(alert.threshold / rule.fire_at),
            Against::BaselineDelta => Some(alert.threshold - rule.fire_at),
        });
        let state = self.machine.state();
        self.alert = Some(Box::new(Alert { state, ..alert }));
    }

    /// Whether the alert with this id is this slot's, also when it is resolved and not yet closed.
    pub(crate) fn has(&self, id: &AlertId) -> bool {
        self.alert.as_ref().is_some_and(|alert| alert.id == *id)
    }

    /// Does what somebody asked for. An alert that was ended by hand needs new evidence to come
    /// back; one that was made to fire again does not end before its condition held anew.
    pub(crate) fn handle(
        &mut self,
        request: &AlertRequest,
        line: Timestamp,
        changes: &mut Vec<AlertTransition>,
    ) -> Result<(), Invalid> {
        let Some(alert) = &mut self.alert else { return Ok(()) };
        let from = alert.state;
        let cause = alert.apply(request)?;
        changes.push(AlertTransition { from, at: request.at, cause, alert: Alert::clone(alert) });
        match request.action {
            AlertAction::Resolve { .. } => {
                self.machine = Machine::Resolved { since: line };
                self.window.clear();
                self.trail.clear();
            }
            AlertAction::Reopen => self.machine = Machine::Firing,
            _ => {}
        }
        Ok(())
    }

    /// The selector's definition changed: what was measured before no longer counts. An open alert
    /// keeps the baseline it is measured by until it is resolved.
    pub(crate) fn definition_changed(&mut self) {
        self.window.clear();
        if self.machine == Machine::Inactive {
            self.past.clear();
        } else {
            self.stale_past = true;
        }
    }

    /// Another rule speaks for this selector: forgets what is in the window, so that it starts
    /// afresh afterwards. A pending alert ends, a resolved one closes in its time.
    pub(crate) fn mute(
        &mut self,
        rule: &Rule,
        moment: Moment<'_>,
        changes: &mut Vec<AlertTransition>,
    ) {
        self.window.clear();
        self.trail.clear();
        while let Some((from, to)) = self.machine.step(moment.line, Some(false), moment.timing) {
            self.moved(rule, from, to, None, moment, changes);
        }
    }

    /// Takes an event's value.
    pub(crate) fn observe(&mut self, rule: &Rule, event: &Event, value: f64, line: Timestamp) {
        let capacity = capacity(rule);
        let past = &mut self.past;
        self.window.expire(line, |sample| past.push(sample.value, capacity));
        if let Some(left) = self.window.push(Sample { at: line, value }) {
            past.push(left.value, capacity);
        }
        if self.is_bad(rule, value) {
            self.trail.bad(event, !self.is_open());
        } else {
            let now = self.window_value(rule, line);
            self.trail.good(event, now);
        }
        self.trail.keep(self.window.len());
    }

    /// Looks at the window and the time, and appends what changed.
    pub(crate) fn evaluate(
        &mut self,
        rule: &Rule,
        moment: Moment<'_>,
        changes: &mut Vec<AlertTransition>,
    ) {
        let (past, held) = (&mut self.past, self.window.len());
        self.window.expire(moment.line, |sample| past.push(sample.value, capacity(rule)));
        if self.window.len() != held && !self.is_open() {
            self.trail.keep(self.window.len());
        }
        let reading = self.read(rule, moment.line);
        let holds = reading.map(|reading| self.holds(rule, reading));
        let holds = self.by_word(holds);
        if let (Some(reading), true) = (reading, self.is_open()) {
            self.update(rule, reading, moment, changes);
        }
        while let Some((from, to)) = self.machine.step(moment.line, holds, moment.timing) {
            self.moved(rule, from, to, reading, moment, changes);
        }
    }

    /// What was made to fire again by somebody's word is not ended by what was measured before.
    fn by_word(&mut self, holds: Option<bool>) -> Option<bool> {
        let reopened = |it: &&mut Box<Alert>| it.reason == AlertReason::Reopened;
        let Some(alert) = self.alert.as_mut().filter(reopened) else { return holds };
        if holds == Some(true) {
            alert.reason = AlertReason::Measured;
        }
        holds.filter(|holds| *holds)
    }

    fn holds(&self, rule: &Rule, reading: Reading) -> bool {
        if self.is_open() {
            let level = rule.clear_at.unwrap_or(rule.fire_at);
            return rule.comparison.holds(reading.level, level);
        }
        reading.changed_enough && rule.comparison.holds(reading.level, rule.fire_at)
    }

    fn window_value(&self, rule: &Rule, line: Timestamp) -> Option<f64> {
        match rule.signal {
            Signal::Frequency => self.window.per_second(line),
            _ => self.window.aggregate(rule.aggregate()),
        }
    }

    fn read(&mut self, rule: &Rule, line: Timestamp) -> Option<Reading> {
        let samples = self.window.len();
        if rule.signal == Signal::Frequency {
            if rule.within.is_none_or(|within| line.since(self.begun) < within) {
                return None;
            }
        } else if samples < rule.min_samples() {
            return None;
        }
        let baseline = match rule.against {
            Against::Fixed => None,
            _ => Some(self.past.value(rule.aggregate(), min_past(rule))?),
        };
        let value = self.window_value(rule, line)?;
        let (level, threshold) = match (rule.against, baseline) {
            (Against::BaselineRatio, Some(base)) if base > 0.0 => {
                (value / base, base * rule.fire_at)
            }
            (Against::BaselineRatio, Some(_)) => return None,
            (Against::BaselineDelta, Some(base)) => (value - base, base + rule.fire_at),
            _ => (value, rule.fire_at),
        };
        let min_change = rule.baseline.as_ref().map_or(0.0, |baseline| baseline.min_change);
        let changed_enough = baseline.is_none_or(|base| (value - base).abs() >= min_change);
        Some(Reading { value, level, changed_enough, threshold, samples, baseline })
    }

    /// Whether one operation alone is of the kind the rule complains of.
    fn is_bad(&mut self, rule: &Rule, value: f64) -> bool {
        if rule.signal.is_share() {
            return (value != 0.0) != (rule.signal == Signal::SuccessRate);
        }
        if rule.signal == Signal::Frequency {
            return false;
        }
        let level = match rule.against {
            Against::Fixed => Some(value),
            against => self.past.value(rule.aggregate(), min_past(rule)).map(|base| {
                if against == Against::BaselineRatio { value / base } else { value - base }
            }),
        };
        level.is_some_and(|level| rule.comparison.holds(level, rule.fire_at))
    }

    fn update(
        &mut self,
        rule: &Rule,
        reading: Reading,
        moment: Moment<'_>,
        changes: &mut Vec<AlertTransition>,
    ) {
        let Some(alert) = &mut self.alert else { return };
        alert.value = reading.value;
        alert.samples = reading.samples as u64;
        alert.updated_at = moment.shown;
        let severity = rule.severity_of(reading.level);
        if severity > alert.severity {
            alert.raise(severity, moment.shown);
            let alert = Alert::clone(alert);
            changes.push(AlertTransition::within(ChangeCause::Severity, moment.shown, alert));
        }
    }

    fn moved(
        &mut self,
        rule: &Rule,
        from: AlertState,
        to: AlertState,
        reading: Option<Reading>,
        moment: Moment<'_>,
        changes: &mut Vec<AlertTransition>,
    ) {
        let began = from == AlertState::Inactive;
        if began && let Some(reading) = reading {
            self.past.freeze(reading.baseline);
            self.alert = Some(Box::new(self.begin(rule, reading, moment)));
        }
        let Some(alert) = &mut self.alert else { return };
        alert.state = to;
        alert.updated_at = moment.shown;
        match to {
            AlertState::Firing if alert.fired_at.is_none() => {
                alert.fired_at = Some(moment.shown);
                if let Some(reading) = reading {
                    alert.value = reading.value;
                    alert.samples = reading.samples as u64;
                    alert.severity = rule.severity_of(reading.level);
                    alert.since = self.trail.since().unwrap_or(alert.since).min(alert.since);
                    explain(alert, rule, &self.trail, reading);
                }
            }
            AlertState::Resolved => alert.resolve(ResolutionMethod::Automatic, moment.shown),
            _ => {}
        }
        changes.push(AlertTransition::new(from, moment.shown, Alert::clone(alert)));
        if matches!(to, AlertState::Resolved | AlertState::Inactive) {
            self.trail.clear();
        }
        // Until the cooldown is over the baseline stays as it was: trouble that comes back
        // meanwhile must not become what is normal.
        if matches!(to, AlertState::Closed | AlertState::Inactive) {
            self.past.thaw();
            if std::mem::take(&mut self.stale_past) {
                self.past.clear();
            }
            self.alert = None;
        }
    }

    fn begin(&mut self, rule: &Rule, reading: Reading, moment: Moment<'_>) -> Alert {
        let fingerprint = fingerprint(&rule.id, moment.selector.as_str(), moment.site);
        self.activated = moment.shown.as_nanos().max(self.activated.saturating_add(1));
        let id = format!("{fingerprint}-{:x}", self.activated);
        let since = self.trail.since().unwrap_or(moment.shown);
        let id = AlertId::new(id).expect("hexadecimal digits are not blank");
        let mut alert = Alert {
            fingerprint: fingerprint.into(),
            site: moment.site.cloned(),
            severity: rule.severity_of(reading.level),
            updated_at: moment.shown,
            value: reading.value,
            comparison: rule.comparison,
            threshold: reading.threshold,
            samples: reading.samples as u64,
            labels: rule.labels.clone(),
            ..Alert::new(id, &rule.id, moment.selector.clone(), rule.signal, since)
        };
        explain(&mut alert, rule, &self.trail, reading);
        alert
    }
}

pub(crate) fn capacity(rule: &Rule) -> usize {
    match rule.against {
        Against::Fixed => 0,
        _ => rule.baseline.as_ref().map_or(100, |baseline| baseline.samples) as usize,
    }
}

fn min_past(rule: &Rule) -> usize {
    rule.baseline.as_ref().map_or(10, |baseline| baseline.min_samples) as usize
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

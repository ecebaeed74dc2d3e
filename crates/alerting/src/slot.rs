use crate::explain::explain;
use crate::grade::{Breadth, broaden, grade};
use crate::machine::{Machine, Timing};
use crate::past::Past;
use crate::rule::z_of;
use crate::trail::Trail;
use crate::{Against, NoData, Rule};
use std::sync::Arc;
use std::time::Duration;
use telemetry_aggregation::{Sample, SignalWindow, wilson};
use telemetry_models::{
    Alert, AlertAction, AlertId, AlertReason, AlertRequest, AlertState, AlertTransition,
    ChangeCause, Comparison, Event, Invalid, ResolutionMethod, SelectorName, Signal, Timestamp,
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
    /// When the last sample came, on the line and for people.
    fed: Option<(Timestamp, Timestamp)>,
    /// When it began to fire, or was escalated last.
    unanswered: Timestamp,
    /// The window's value at the last evaluation.
    latest: Option<f64>,
}

/// What a window says at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    value: f64,
    /// The value as the rule's levels are given: itself, a factor or a difference.
    level: f64,
    /// The same for what is certain enough to fire.
    certain: f64,
    changed_enough: bool,
    threshold: f64,
    samples: usize,
    pub(crate) baseline: Option<f64>,
}

impl Reading {
    pub(crate) fn value(self) -> f64 {
        self.value
    }
    pub(crate) fn level(self) -> f64 {
        self.level
    }
    pub(crate) fn threshold(self) -> f64 {
        self.threshold
    }
    pub(crate) fn samples(self) -> usize {
        self.samples
    }
}

/// What a rule makes of missing data.
enum Silence {
    /// Nothing.
    None,
    /// An alert.
    Alert,
    /// That the trouble is over, unless what is measured says otherwise.
    Over,
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
            fed: None,
            unanswered: begun,
            latest: None,
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
    pub(crate) fn observe(&mut self, rule: &Rule, event: &Event, value: f64, moment: Moment<'_>) {
        let line = moment.line;
        self.fed = Some((line, moment.shown));
        let capacity = capacity(rule);
        let past = &mut self.past;
        self.window.expire(line, |sample| past.push(sample.value, capacity));
        if let Some(left) = self.window.push(Sample { at: line, value }) {
            past.push(left.value, capacity);
        }
        if self.is_bad(rule, value) {
            let remember = !self.is_open();
            self.trail.bad(event, remember, self.latest);
        } else {
            self.trail.good(event);
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
        let mut reading = self.read(rule, moment.line);
        let holds = reading.map(|reading| self.holds(rule, reading));
        let mut holds = self.by_word(holds);
        let mut timing = moment.timing;
        match self.silence(rule, moment.line, reading.is_some()) {
            Silence::None => {}
            Silence::Alert => {
                holds = Some(true);
                timing.hold = Duration::ZERO;
                if !self.is_open() {
                    reading = Some(self.nothing(rule));
                }
            }
            Silence::Over => {
                holds = holds.or(Some(false));
                if let (Some(true), Some(alert)) = (holds, &mut self.alert) {
                    (alert.reason, alert.no_data_since) = (AlertReason::Measured, None);
                }
            }
        }
        if self.is_open() {
            match reading {
                Some(reading) => self.update(rule, reading, moment, changes),
                // Filling again after a restart or for a new definition is not silence.
                None if self.window.is_empty() && self.fed.is_some() => {
                    self.mark_silence(moment, changes);
                }
                None => {}
            }
            self.escalate(rule, moment, changes);
        }
        while let Some((from, to)) = self.machine.step(moment.line, holds, timing) {
            self.moved(rule, from, to, reading, moment, changes);
        }
    }

    /// What it means that nothing, or nothing for long, was measured.
    fn silence(&self, rule: &Rule, line: Timestamp, measured: bool) -> Silence {
        let Some((fed, _)) = self.fed else { return Silence::None };
        let silent = self.alert.as_ref().is_some_and(|alert| alert.reason == AlertReason::NoData);
        match rule.no_data {
            NoData::AlertAfter(after) if line.since(fed) >= after => Silence::Alert,
            NoData::AlertAfter(_) if silent => Silence::Over,
            NoData::Ok if !measured && self.window.is_empty() => Silence::Over,
            _ => Silence::None,
        }
    }

    /// A reading of nothing, for an alert about silence.
    fn nothing(&self, rule: &Rule) -> Reading {
        let (value, threshold) = (self.latest.unwrap_or_default(), rule.fire_at);
        let (level, certain) = (value, value);
        Reading {
            value,
            level,
            certain,
            changed_enough: true,
            threshold,
            samples: 0,
            baseline: None,
        }
    }

    /// An open alert says once since when there is no data.
    fn mark_silence(&mut self, moment: Moment<'_>, changes: &mut Vec<AlertTransition>) {
        let Some(alert) = self.alert.as_mut().filter(|it| it.no_data_since.is_none()) else {
            return;
        };
        alert.no_data_since = Some(self.fed.map_or(alert.updated_at, |(_, shown)| shown));
        alert.updated_at = moment.shown;
        let alert = Alert::clone(alert);
        changes.push(AlertTransition::within(ChangeCause::Data, moment.shown, alert));
    }

    /// What nobody acknowledged in time becomes more severe.
    fn escalate(&mut self, rule: &Rule, moment: Moment<'_>, changes: &mut Vec<AlertTransition>) {
        let Some(after) = rule.escalate_after else { return };
        let Some(alert) = &mut self.alert else { return };
        if alert.handling.acknowledged.is_some() {
            self.unanswered = moment.line;
        }
        if moment.line.since(self.unanswered) < after {
            return;
        }
        self.unanswered = moment.line;
        let Some(severity) = alert.severity.next() else { return };
        alert.escalate_unacknowledged(severity, moment.shown);
        alert.updated_at = moment.shown;
        let alert = Alert::clone(alert);
        changes.push(AlertTransition::within(ChangeCause::Severity, moment.shown, alert));
    }

    /// Adds how much of the site is affected to a new alert.
    pub(crate) fn broaden(&mut self, rule: &Rule, breadth: Breadth) -> Option<&Alert> {
        let alert = self.alert.as_deref_mut()?;
        broaden(rule, alert, breadth);
        Some(alert)
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
        reading.changed_enough && rule.comparison.holds(reading.certain, rule.fire_at)
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
        self.latest = Some(value);
        let level_of = |value: f64| match (rule.against, baseline) {
            (Against::BaselineRatio, Some(base)) => value / base,
            (Against::BaselineDelta, Some(base)) => value - base,
            _ => value,
        };
        let threshold = match (rule.against, baseline) {
            (Against::BaselineRatio, Some(base)) if base > 0.0 => base * rule.fire_at,
            (Against::BaselineRatio, Some(_)) => return None,
            (Against::BaselineDelta, Some(base)) => base + rule.fire_at,
            _ => rule.fire_at,
        };
        let (level, certain) = (level_of(value), level_of(certain(rule, value, samples)));
        let min_change = rule.baseline.as_ref().map_or(0.0, |baseline| baseline.min_change);
        let changed_enough = baseline.is_none_or(|base| (value - base).abs() >= min_change);
        Some(Reading { value, level, certain, changed_enough, threshold, samples, baseline })
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
        if alert.reason != AlertReason::NoData && alert.no_data_since.take().is_some() {
            let alert = Alert::clone(alert);
            changes.push(AlertTransition::within(ChangeCause::Data, moment.shown, alert));
        }
        let (severity, factors) = grade(rule, reading);
        if severity > alert.severity {
            let breadth = alert.factors.iter().filter(|it| &*it.name == "breadth").cloned();
            alert.factors = factors.into_iter().chain(breadth).collect();
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
                self.unanswered = moment.line;
                if let Some(reading) = reading {
                    alert.value = reading.value;
                    alert.samples = reading.samples as u64;
                    (alert.severity, alert.factors) = grade(rule, reading);
                    alert.since = self.trail.since().unwrap_or(alert.since).min(alert.since);
                    explain(alert, rule, &self.trail, reading);
                }
            }
            AlertState::Resolved => {
                let unseen = reading.is_none() && alert.reason != AlertReason::NoData;
                alert.resolve(
                    if unseen { ResolutionMethod::NoData } else { ResolutionMethod::Automatic },
                    moment.shown,
                );
            }
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
            severity: rule.severity,
            baseline: reading.baseline,
            runbook: rule.runbook.clone(),
            updated_at: moment.shown,
            value: reading.value,
            comparison: rule.comparison,
            threshold: reading.threshold,
            samples: reading.samples as u64,
            labels: rule.labels.clone(),
            ..Alert::new(id, &rule.id, moment.selector.clone(), rule.signal, since)
        };
        (alert.severity, alert.factors) = grade(rule, reading);
        if reading.samples == 0
            && let (NoData::AlertAfter(_), Some((_, fed))) = (rule.no_data, self.fed)
        {
            (alert.reason, alert.no_data_since) = (AlertReason::NoData, Some(fed));
            alert.since = fed;
        }
        explain(&mut alert, rule, &self.trail, reading);
        alert
    }
}

/// The end of Wilson's interval on the side of all being well: what is certain enough.
fn certain(rule: &Rule, value: f64, samples: usize) -> f64 {
    let Some(z) = rule.confidence.and_then(z_of) else { return value };
    let hits = (value * samples as f64).round() as u64;
    wilson(hits, samples as u64, z).map_or(value, |bound| match rule.comparison {
        Comparison::Above | Comparison::AtLeast => bound.low,
        Comparison::Below | Comparison::AtMost => bound.high,
        Comparison::Equal | Comparison::NotEqual => value,
    })
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

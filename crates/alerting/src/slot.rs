use crate::feed::Feed;
use crate::held::{Held, Place};
use crate::machine::{Machine, Timing};
use crate::past::Past;
use crate::plan::Entry;
use crate::reading::{Reading, Window};
use crate::shelf::Shelf;
use crate::trail::{Operation, Trail, View};
use crate::{Against, NoData, Rule};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Alert, AlertAction, AlertId, AlertReason, AlertRequest, AlertState, AlertTransition, Invalid,
    SelectorName, Timestamp,
};

/// A pending alert of which nothing was measured for so long beyond `for` ends.
const GIVEN_UP: Duration = Duration::from_secs(86_400);

/// One rule on one selector and site where that is more than what the selector's feeds and meters
/// tell: its state, its alert, and what it was made to forget. A rule about which there is nothing
/// to say has none.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Its place in the plan.
    pub(crate) entry: u16,
    pub(crate) machine: Machine,
    pub(crate) held: Option<Held>,
    /// The window holds no sample below this number.
    pub(crate) from: u64,
    /// Nor does its trail.
    pub(crate) trail_from: u64,
    /// Samples below this number have left the window.
    left: u64,
    /// Its own past, while that differs from the selector's.
    pub(crate) past: Option<Box<Past>>,
    pub(crate) stale_past: bool,
    /// When it began to fire, or was escalated last.
    pub(crate) unanswered: Timestamp,
}

/// A rule on a selector at one moment, as far as it is the selector's and not the slot's own.
#[derive(Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) selector: &'a SelectorName,
    pub(crate) site: Option<&'a Arc<str>>,
    pub(crate) feed: &'a Feed,
    /// The oldest sample that is held.
    pub(crate) first: u64,
    /// Where the window begins.
    pub(crate) start: u64,
    /// The selector's own baseline for the rule.
    pub(crate) baseline: Option<f64>,
    pub(crate) trail: &'a Trail,
    /// Which of the trail's rules it is.
    pub(crate) in_trail: usize,
    /// The selector's latest operation, with its number.
    pub(crate) latest: (u64, Option<&'a Arc<Operation>>),
    /// When the selector was first seen.
    pub(crate) begun: Timestamp,
    /// Time that never goes back.
    pub(crate) line: Timestamp,
    /// The same instant, for people.
    pub(crate) shown: Timestamp,
    pub(crate) timing: Timing,
}

impl Case<'_> {
    pub(crate) fn rule(&self) -> &Rule {
        &self.entry.rule
    }

    /// The samples before the window that make the baseline.
    pub(crate) fn past(&self) -> impl Iterator<Item = f64> + '_ {
        let reach = self.start.saturating_sub(self.rule().past_samples() as u64);
        self.feed.values(reach.max(self.first).min(self.start)..self.start)
    }

    /// What the rule reads without a slot.
    pub(crate) fn reading(&self) -> Option<Reading> {
        Reading::of(self.rule(), self.window(self.start), self.baseline)
    }

    pub(crate) fn window(&self, start: u64) -> Window<'_> {
        Window { feed: self.feed, start, begun: self.begun, line: self.line }
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

impl Slot {
    pub(crate) fn new(entry: u16, start: u64) -> Self {
        Self {
            entry,
            machine: Machine::Inactive,
            held: None,
            from: 0,
            trail_from: 0,
            left: start,
            past: None,
            stale_past: false,
            unanswered: Timestamp::MIN,
        }
    }

    /// Whether there is nothing left to say about it.
    pub(crate) fn is_idle(&self, start: u64) -> bool {
        self.machine == Machine::Inactive
            && self.held.is_none()
            && self.past.is_none()
            && self.from.max(self.trail_from) <= start
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

    /// The alert that is pending, firing or recovering.
    pub(crate) fn alert(&self, place: Place<'_>) -> Option<Alert> {
        let state = self.machine.state();
        let live = state.is_open() || state == AlertState::Pending;
        self.held.as_ref().filter(|_| live).map(|held| held.alert(place, state))
    }

    /// Takes over an alert of an earlier run, as it was announced. Timers go on from when they
    /// began, by the clock that people see: `ago` is how long that is.
    pub(crate) fn adopt(
        &mut self,
        case: Case<'_>,
        alert: &Alert,
        ago: Duration,
        shelf: &mut Shelf,
    ) {
        let since = case.line.saturating_sub(ago);
        self.machine = match alert.state {
            AlertState::Resolved => Machine::Resolved { since },
            AlertState::Pending => Machine::Pending { since },
            AlertState::Recovering => Machine::Recovering { since },
            _ => Machine::Firing,
        };
        let rule = case.rule();
        let baseline = match rule.against {
            Against::Fixed => None,
            Against::BaselineRatio => Some(alert.threshold / rule.fire_at),
            Against::BaselineDelta => Some(alert.threshold - rule.fire_at),
        };
        self.freeze(case, baseline);
        self.unanswered = case.line;
        self.held = Some(Held::of(alert, Place::of(&case), shelf));
    }

    /// Takes over what an earlier run had made it forget, and a past of its own.
    pub(crate) fn recall(&mut self, window: Option<u64>, past: Option<&[f64]>, case: Case<'_>) {
        if let Some(window) = window {
            self.from = case.feed.total().saturating_sub(window);
        }
        self.past = past.map(|past| Box::new(Past::of(past.iter().copied())));
        self.left = self.start(case);
    }

    /// Whether the alert with this id is this slot's, also when it is resolved and not yet closed.
    pub(crate) fn has(&self, id: &AlertId, place: Place<'_>) -> bool {
        let held = self.held.as_ref().filter(|held| held.may_be(id));
        held.is_some_and(|held| held.alert(place, self.machine.state()).id == *id)
    }

    /// Does what somebody asked for. An alert that was ended by hand needs new evidence to come
    /// back; one that was made to fire again does not end before its condition held anew.
    pub(crate) fn handle(
        &mut self,
        request: &AlertRequest,
        case: Case<'_>,
        shelf: &mut Shelf,
        changes: &mut Vec<AlertTransition>,
    ) -> Result<(), Invalid> {
        let (place, from) = (Place::of(&case), self.machine.state());
        let Some(held) = &self.held else { return Ok(()) };
        let mut alert = held.alert(place, from);
        let cause = alert.apply(request)?;
        self.held = Some(Held::of(&alert, place, shelf));
        changes.push(AlertTransition { from, at: request.at, cause, alert });
        match request.action {
            AlertAction::Resolve { .. } => {
                self.machine = Machine::Resolved { since: case.line };
                self.clear(case);
            }
            AlertAction::Reopen => self.machine = Machine::Firing,
            _ => {}
        }
        Ok(())
    }

    /// Forgets what is in the window. It does not become part of the past either.
    fn clear(&mut self, case: Case<'_>) {
        if case.rule().against != Against::Fixed && self.past.is_none() {
            self.past = Some(Box::new(Past::of(case.past())));
        }
        let total = case.feed.total();
        (self.from, self.left, self.trail_from) = (total, total, total);
    }

    /// The selector's definition changed, so its feeds begin anew. An open alert keeps the baseline
    /// it is measured by until it is resolved.
    pub(crate) fn definition_changed(&mut self) {
        (self.from, self.left, self.trail_from) = (0, 0, 0);
        if self.machine == Machine::Inactive {
            self.past = None;
        } else {
            self.stale_past = true;
        }
    }

    /// Another rule speaks for this selector: forgets what is in the window, so that it starts
    /// afresh afterwards. A pending alert ends, a resolved one closes in its time.
    pub(crate) fn mute(
        &mut self,
        case: Case<'_>,
        shelf: &mut Shelf,
        changes: &mut Vec<AlertTransition>,
    ) {
        self.clear(case);
        while let Some((from, to)) = self.machine.step(case.line, Some(false), case.timing) {
            self.moved(from, to, None, case, (&mut 0, shelf), changes);
        }
    }

    /// The samples the slot looks at.
    fn start(&self, case: Case<'_>) -> u64 {
        case.start.max(self.from)
    }

    /// Gives what left the window to the slot's own past.
    fn settle_past(&mut self, case: Case<'_>) {
        let start = self.start(case);
        if let Some(past) = &mut self.past {
            let capacity = case.rule().past_samples();
            for value in case.feed.values(self.left.max(case.first).min(start)..start) {
                past.push(value, capacity);
            }
            if past.is_common(capacity) && self.from <= case.start {
                self.past = None;
            }
        }
        self.left = start;
    }

    /// The baseline it is measured by.
    fn baseline(&self, case: Case<'_>) -> Option<f64> {
        let rule = case.rule();
        match &self.past {
            Some(past) => past.value(rule.aggregate(), rule.min_past()),
            None => case.baseline,
        }
    }

    pub(crate) fn freeze(&mut self, case: Case<'_>, baseline: Option<f64>) {
        if case.rule().against != Against::Fixed {
            self.past.get_or_insert_with(|| Box::new(Past::of(case.past()))).freeze(baseline);
        }
    }

    pub(crate) fn trail<'a>(&self, case: Case<'a>) -> View<'a> {
        case.trail.view(self.start(case).max(self.trail_from), case.in_trail, case.latest)
    }

    /// Looks at the window and the time, and appends what changed.
    pub(crate) fn evaluate(
        &mut self,
        case: Case<'_>,
        (activated, shelf): (&mut i64, &mut Shelf),
        changes: &mut Vec<AlertTransition>,
    ) {
        self.settle_past(case);
        let (rule, window) = (case.rule(), case.window(self.start(case)));
        let mut reading = Reading::of(rule, window, self.baseline(case));
        let holds = reading.map(|reading| reading.holds(rule, self.is_open()));
        let mut holds = self.by_word(holds).or_else(|| self.is_given_up(case).then_some(false));
        let mut timing = case.timing;
        match self.silence(case, reading.is_some()) {
            Silence::None => {}
            Silence::Alert => {
                holds = Some(true);
                timing.hold = Duration::ZERO;
                if !self.is_open() {
                    let newest = window.feed.total().checked_sub(1).map(|at| window.feed.value(at));
                    let latest = window.value(rule).or(newest).unwrap_or_default();
                    reading = Some(Reading::nothing(rule, latest));
                }
            }
            Silence::Over => {
                holds = holds.or(Some(false));
                if let (Some(true), Some(held)) = (holds, &mut self.held) {
                    held.reason = AlertReason::Measured;
                    held.set_no_data(None);
                }
            }
        }
        if self.is_open() {
            match reading {
                Some(reading) => self.update(reading, case, shelf, changes),
                // Filling again after a restart or for a new definition is not silence.
                None if window.is_empty() && case.feed.fed().is_some() => {
                    self.mark_silence(case, changes);
                }
                None => {}
            }
            self.escalate(case, shelf, changes);
        }
        while let Some((from, to)) = self.machine.step(case.line, holds, timing) {
            self.moved(from, to, reading, case, (activated, shelf), changes);
        }
    }

    /// Whether it has been pending so long without anything measured that it will not fire any more.
    fn is_given_up(&self, case: Case<'_>) -> bool {
        let Machine::Pending { since } = self.machine else { return false };
        case.line.since(since) > case.timing.hold.saturating_add(GIVEN_UP)
    }

    /// What it means that nothing, or nothing for long, was measured.
    fn silence(&self, case: Case<'_>, measured: bool) -> Silence {
        let Some((fed, _)) = case.feed.fed() else { return Silence::None };
        let silent = self.held.as_ref().is_some_and(|held| held.reason == AlertReason::NoData);
        let empty = case.window(self.start(case)).is_empty();
        match case.rule().no_data {
            NoData::AlertAfter(after) if case.line.since(fed) >= after => Silence::Alert,
            NoData::AlertAfter(_) if silent => Silence::Over,
            NoData::Ok if !measured && empty => Silence::Over,
            _ => Silence::None,
        }
    }

    /// Takes over the severity that an alert was given by how much of its site is affected.
    pub(crate) fn regrade(&mut self, alert: &Alert, place: Place<'_>, shelf: &mut Shelf) {
        if self.held.is_some() {
            self.held = Some(Held::of(alert, place, shelf));
        }
    }

    /// What was made to fire again by somebody's word is not ended by what was measured before.
    fn by_word(&mut self, holds: Option<bool>) -> Option<bool> {
        let reopened = |it: &&mut Held| it.reason == AlertReason::Reopened;
        let Some(held) = self.held.as_mut().filter(reopened) else { return holds };
        if holds == Some(true) {
            held.reason = AlertReason::Measured;
        }
        holds.filter(|holds| *holds)
    }
}

use crate::feed::Feed;
use crate::held::Place;
use crate::machine::Timing;
use crate::meter::{Baseline, Kind, Meter};
use crate::plan::{Plan, Test};
use crate::shelf::Shelf;
use crate::slot::{Case, Slot};
use crate::trail::{Operation, Scene, Trail};
use crate::{NoData, Rule};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{AlertTransition, Event, SelectorName, Timestamp};

/// A selector on a site: what was measured of it, and where the rules stand that there is anything
/// to say about.
///
/// An event costs what the signals and windows cost that rules look at, not what rules there are:
/// rules with the same signal and window share it, and a rule is looked at when what it looks at
/// changed so that its condition may hold, when it is not inactive, or when others keep it quiet.
#[derive(Debug)]
pub(crate) struct Series {
    pub(crate) selector: SelectorName,
    pub(crate) site: Option<Arc<str>>,
    pub(crate) version: Option<u32>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) feeds: Box<[Feed]>,
    meters: Box<[Meter]>,
    baselines: Box<[Baseline]>,
    pub(crate) trails: Box<[Trail]>,
    /// In the order of the plan's entries.
    pub(crate) slots: Vec<Slot>,
    /// Operations so far, and the latest.
    operations: u64,
    latest: Option<Arc<Operation>>,
    begun: Timestamp,
    activated: i64,
    /// Whether it is among those that learned something.
    pub(crate) learning: bool,
    /// Whether time alone may change it.
    pub(crate) waiting: bool,
    /// Whether it is among those that time alone may change.
    pub(crate) listed: bool,
}

/// Room to work in, kept between events so that none of them takes memory of its own.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// Entries to look at.
    due: Vec<u16>,
    /// Samples of a baseline.
    samples: Vec<f64>,
    /// Texts of the alerts of all series.
    pub(crate) shelf: Shelf,
}

/// When a series is looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Time that never goes back.
    pub(crate) line: Timestamp,
    /// The same instant, for people.
    pub(crate) shown: Timestamp,
    pub(crate) cooldown: Duration,
}

impl Series {
    pub(crate) fn new(
        selector: SelectorName,
        site: Option<Arc<str>>,
        plan: Arc<Plan>,
        begun: Timestamp,
    ) -> Self {
        let feeds = plan.feeds.iter();
        let feeds = feeds.map(|it| Feed::new(it.signal.is_share(), it.depth, it.timed)).collect();
        Self {
            selector,
            site,
            version: None,
            feeds,
            meters: vec![Meter::default(); plan.meters.len()].into(),
            baselines: vec![Baseline::default(); plan.baselines.len()].into(),
            trails: vec![Trail::default(); plan.trails.len()].into(),
            plan,
            slots: Vec::new(),
            operations: 0,
            latest: None,
            begun,
            activated: i64::MIN,
            learning: false,
            waiting: false,
            listed: false,
        }
    }

    /// Takes an event, and appends what changed with it.
    pub(crate) fn observe(
        &mut self,
        event: &Event,
        moment: Moment,
        room: &mut Room,
        changes: &mut Vec<AlertTransition>,
    ) {
        if event.selector_version > self.version {
            if self.version.is_some() {
                self.definition_changed();
            }
            self.version = event.selector_version;
        }
        let plan = Arc::clone(&self.plan);
        self.expire(&plan, moment.line, &mut room.samples);
        let mut scene = None;
        for (at, feed) in plan.feeds.iter().enumerate() {
            match feed.value_of(event) {
                Some(value) => {
                    self.take(&plan, at, value, event, moment, &mut scene);
                    self.refresh(&plan, at, &mut room.samples);
                }
                None => {
                    for trail in &feed.trails {
                        self.trails[usize::from(*trail)]
                            .leave(self.operations, self.latest.as_ref());
                    }
                }
            }
        }
        self.operations += 1;
        match self.latest.as_mut().and_then(Arc::get_mut) {
            // It is asked for again only as a good one.
            _ if !self.trails.iter().any(|it| it.is_good(self.operations)) => self.latest = None,
            Some(latest) => latest.become_that(event),
            None => self.latest = Some(Arc::new(Operation::of(event))),
        }
        self.evaluate(&plan, moment, true, room, changes);
    }

    /// Looks at what time alone changes.
    pub(crate) fn tick(
        &mut self,
        moment: Moment,
        idle: bool,
        room: &mut Room,
        changes: &mut Vec<AlertTransition>,
    ) {
        let plan = Arc::clone(&self.plan);
        self.expire(&plan, moment.line, &mut room.samples);
        self.evaluate(&plan, moment, idle, room, changes);
    }

    fn take(
        &mut self,
        plan: &Plan,
        at: usize,
        value: f64,
        event: &Event,
        moment: Moment,
        scene: &mut Option<Arc<Scene>>,
    ) {
        let (of, feed) = (&plan.feeds[at], &mut self.feeds[at]);
        for trail in &of.trails {
            let told = &plan.trails[usize::from(*trail)];
            let baseline = match told.test {
                Test::Relative { baseline, .. } => {
                    let common = self.baselines[usize::from(baseline)].value;
                    let held = |slot: &Slot| {
                        let entry = &plan.entries[usize::from(slot.entry)];
                        (entry.trail == *trail).then_some(slot.past.as_ref()?.frozen()?)
                    };
                    self.slots.iter().find_map(held).or((!common.is_nan()).then_some(common))
                }
                _ => None,
            };
            let state = &mut self.trails[usize::from(*trail)];
            let reached = (feed.total() + 1).saturating_sub(told.reach);
            if !told.test.is_bad(value, baseline) {
                state.good(self.operations + 1, reached);
                state.tidy(self.operations + 1);
                continue;
            }
            state.leave(self.operations, self.latest.as_ref());
            // While an alert is open its evidence stays what made it fire.
            let open = |entry: &u16| self.slots.iter().any(|it| it.entry == *entry && it.is_open());
            if self.slots.is_empty() || !told.entries.iter().all(open) {
                let scene = scene.get_or_insert_with(|| Arc::new(Scene::of(event)));
                let (meters, begun, line) = (&self.meters, self.begun, moment.line);
                state.bad(feed.total(), event, scene, || {
                    let before = |entry: &u16| {
                        let entry = &plan.entries[usize::from(*entry)];
                        let start = meters[usize::from(entry.meter)].start(feed);
                        let window = crate::reading::Window { feed, start, begun, line };
                        let enough = window.len() >= entry.rule.min_samples();
                        enough.then(|| window.value(&entry.rule)).flatten().unwrap_or(f64::NAN)
                    };
                    told.entries.iter().map(before).collect()
                });
                state.forget(reached);
            }
        }
        for meter in &of.meters {
            let (plan, state) =
                (&plan.meters[usize::from(*meter)], &mut self.meters[usize::from(*meter)]);
            state.take(plan, feed, value, held_against(&self.baselines, plan.kind));
        }
        for baseline in &of.baselines {
            self.baselines[usize::from(*baseline)].fresh += 1;
        }
        feed.push(value, moment.line, of.depth);
        feed.feed(moment.line, moment.shown);
        for meter in &of.meters {
            let (plan, state) =
                (&plan.meters[usize::from(*meter)], &mut self.meters[usize::from(*meter)]);
            if state.is_worn(plan, feed) {
                state.recount(plan, feed, f64::NAN);
            }
        }
    }

    /// Computes baselines anew that are due, and what is counted against them.
    fn refresh(&mut self, plan: &Plan, at: usize, room: &mut Vec<f64>) {
        let (of, feed) = (&plan.feeds[at], &self.feeds[at]);
        for baseline in &of.baselines {
            let told = &plan.baselines[usize::from(*baseline)];
            let state = &mut self.baselines[usize::from(*baseline)];
            let start = self.meters[usize::from(told.meter)].start(feed);
            if state.refresh(told, feed, of.depth, start, room) {
                let value = state.value;
                for meter in &told.meters {
                    let plan = &plan.meters[usize::from(*meter)];
                    self.meters[usize::from(*meter)].recount(plan, feed, value);
                }
            }
        }
    }

    /// Lets go of what is too old.
    fn expire(&mut self, plan: &Plan, line: Timestamp, room: &mut Vec<f64>) {
        if plan.timed.is_empty() {
            return;
        }
        for meter in &plan.timed {
            let (of, state) =
                (&plan.meters[usize::from(*meter)], &mut self.meters[usize::from(*meter)]);
            let feed = &self.feeds[usize::from(of.feed)];
            state.expire(of, feed, line, held_against(&self.baselines, of.kind));
        }
        for (at, of) in plan.feeds.iter().enumerate().filter(|(_, of)| of.timed) {
            self.refresh(plan, at, room);
            let reach = |meter: &u16| {
                let state = &self.meters[usize::from(*meter)];
                let past = plan.meters[usize::from(*meter)].entries.iter();
                let past = past.map(|it| plan.entries[usize::from(*it)].rule.past_samples()).max();
                state.start(&self.feeds[at]).saturating_sub(past.unwrap_or(0) as u64)
            };
            let reached = of.meters.iter().map(reach).min().unwrap_or(0);
            self.feeds[at].forget(reached);
        }
    }

    /// Looks at the rules whose answer may be another.
    fn evaluate(
        &mut self,
        plan: &Plan,
        moment: Moment,
        restless: bool,
        room: &mut Room,
        changes: &mut Vec<AlertTransition>,
    ) {
        let Room { due, shelf, .. } = room;
        due.clear();
        for (of, meter) in plan.meters.iter().zip(&mut self.meters) {
            if !meter.awake {
                continue;
            }
            meter.awake = false;
            let samples = meter.held();
            for entry in &of.entries {
                let it = &plan.entries[usize::from(*entry)];
                let baseline =
                    it.baseline.map_or(f64::NAN, |at| self.baselines[usize::from(at)].value);
                if samples >= it.min_samples
                    && meter.may_hold(&it.rule, it.answer, samples, baseline)
                {
                    // What the meter does not tell may change any time.
                    meter.awake = true;
                    due.push(*entry);
                }
            }
        }
        if restless {
            due.extend_from_slice(&plan.restless);
        }
        if !self.slots.is_empty() {
            due.extend(self.slots.iter().map(|slot| slot.entry));
            due.extend_from_slice(&plan.blocked);
        }
        if due.is_empty() {
            return;
        }
        due.sort_unstable();
        due.dedup();
        for entry in due.iter() {
            self.look(*entry, moment, shelf, changes);
        }
        self.waiting |= self.slots.iter().any(Slot::is_waiting);
    }

    /// Looks at one rule.
    fn look(
        &mut self,
        entry: u16,
        moment: Moment,
        shelf: &mut Shelf,
        changes: &mut Vec<AlertTransition>,
    ) {
        let plan = Arc::clone(&self.plan);
        let it = &plan.entries[usize::from(entry)];
        let place = self.slots.binary_search_by_key(&entry, |slot| slot.entry);
        let muted = !it.unless.is_empty()
            && !place.is_ok_and(|at| self.slots[at].is_open())
            && self.slots.iter().any(|slot| slot.speaks() && it.unless.contains(&slot.entry));
        let mut activated = self.activated;
        let case = self.case(&plan, entry, moment);
        let start = case.start;
        if place.is_err() && !muted && !begins(case) {
            return;
        }
        let mut slot = match place {
            Ok(at) => std::mem::replace(&mut self.slots[at], Slot::new(entry, start)),
            Err(_) => Slot::new(entry, start),
        };
        let case = self.case(&plan, entry, moment);
        let was_open = slot.is_open();
        if muted {
            slot.mute(case, shelf, changes);
        } else {
            slot.evaluate(case, (&mut activated, shelf), changes);
        }
        self.activated = activated;
        let opened = slot.is_open() && !was_open;
        match (place, slot.is_idle(start)) {
            (Ok(at), true) => drop(self.slots.remove(at)),
            (Ok(at), false) => self.slots[at] = slot,
            (Err(_), true) => {}
            (Err(at), false) => {
                self.slots.reserve_exact(1);
                self.slots.insert(at, slot);
            }
        }
        if opened {
            self.settle_trail(&plan, it.trail);
        }
    }

    /// Forgets what explained alerts once they are all told what it explains: nothing is added to
    /// their evidence while they are open.
    fn settle_trail(&mut self, plan: &Plan, trail: u16) {
        let open = |entry: &u16| self.slots.iter().any(|it| it.entry == *entry && it.is_open());
        if plan.trails[usize::from(trail)].entries.iter().all(open) {
            self.trails[usize::from(trail)].settle();
        }
    }

    /// What there is to know of a rule at a moment.
    pub(crate) fn case<'a>(&'a self, plan: &'a Plan, entry: u16, moment: Moment) -> Case<'a> {
        let it = &plan.entries[usize::from(entry)];
        let feed = &self.feeds[usize::from(it.feed)];
        let in_trail = &plan.trails[usize::from(it.trail)].entries;
        let baseline = it.baseline.map(|at| self.baselines[usize::from(at)].value);
        Case {
            entry: it,
            selector: &self.selector,
            site: self.site.as_ref(),
            feed,
            first: feed.first(plan.feeds[usize::from(it.feed)].depth),
            start: self.meters[usize::from(it.meter)].start(feed),
            baseline: baseline.filter(|value| !value.is_nan()),
            trail: &self.trails[usize::from(it.trail)],
            in_trail: in_trail.iter().position(|it| *it == entry).unwrap_or(0),
            latest: self.latest(),
            begun: self.begun,
            line: moment.line,
            shown: moment.shown,
            timing: timing(&it.rule, moment.cooldown),
        }
    }

    /// Where the alert of a rule would be.
    pub(crate) fn place(&self, entry: u16) -> Place<'_> {
        let rule = &self.plan.entries[usize::from(entry)].rule;
        Place { rule, selector: &self.selector, site: self.site.as_ref() }
    }

    pub(crate) fn latest(&self) -> (u64, Option<&Arc<Operation>>) {
        (self.operations, self.latest.as_ref())
    }

    /// The slot of a rule, made when it has none.
    pub(crate) fn slot(&mut self, entry: u16) -> &mut Slot {
        let it = &self.plan.entries[usize::from(entry)];
        let start = self.meters[usize::from(it.meter)].start(&self.feeds[usize::from(it.feed)]);
        let at = match self.slots.binary_search_by_key(&entry, |slot| slot.entry) {
            Ok(at) => at,
            Err(at) => {
                self.slots.insert(at, Slot::new(entry, start));
                at
            }
        };
        &mut self.slots[at]
    }

    /// Does something with a rule's slot, which is made when there is none.
    pub(crate) fn with_slot<T>(
        &mut self,
        entry: u16,
        moment: Moment,
        act: impl FnOnce(&mut Slot, Case<'_>) -> T,
    ) -> T {
        let plan = Arc::clone(&self.plan);
        let mut slot = self.slot(entry).clone();
        let done = act(&mut slot, self.case(&plan, entry, moment));
        self.waiting |= slot.is_waiting();
        *self.slot(entry) = slot;
        done
    }

    /// The definition changed: what was measured before no longer counts.
    fn definition_changed(&mut self) {
        self.feeds.iter_mut().for_each(Feed::clear);
        self.meters.fill(Meter::default());
        self.baselines.fill(Baseline::default());
        self.trails.iter_mut().for_each(Trail::clear);
        self.slots.iter_mut().for_each(Slot::definition_changed);
    }

    /// Takes over samples of an earlier run; they count in windows by number only.
    pub(crate) fn recall(&mut self, at: usize, samples: &[f64]) {
        let plan = Arc::clone(&self.plan);
        let of = &plan.feeds[at];
        for value in samples {
            for meter in &of.meters {
                let told = &plan.meters[usize::from(*meter)];
                let against = held_against(&self.baselines, told.kind);
                self.meters[usize::from(*meter)].take(told, &self.feeds[at], *value, against);
            }
            self.feeds[at].push(*value, Timestamp::MIN, of.depth);
        }
        for meter in &of.meters {
            let told = &plan.meters[usize::from(*meter)];
            let against = held_against(&self.baselines, told.kind);
            let feed = &self.feeds[at];
            self.meters[usize::from(*meter)].expire(told, feed, Timestamp::MAX, against);
        }
        self.refresh(&plan, at, &mut Vec::new());
    }
}

/// Whether there is anything to do about a rule without a slot.
fn begins(case: Case<'_>) -> bool {
    let silent = || match case.rule().no_data {
        NoData::AlertAfter(after) => {
            case.feed.fed().is_some_and(|(fed, _)| case.line.since(fed) >= after)
        }
        NoData::Ok | NoData::Keep => false,
    };
    case.reading().is_some_and(|reading| reading.holds(case.rule(), false)) || silent()
}

fn held_against(baselines: &[Baseline], kind: Kind) -> f64 {
    match kind {
        Kind::Relative { baseline, .. } => baselines[usize::from(baseline)].value,
        Kind::Ones | Kind::Sum | Kind::Beyond(..) => f64::NAN,
    }
}

fn timing(rule: &Rule, cooldown: Duration) -> Timing {
    Timing { hold: rule.hold, keep: rule.keep_firing_for, cooldown }
}

#[cfg(test)]
mod tests;

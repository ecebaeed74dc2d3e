use crate::grade::{Breadth, broaden};
use crate::held::Place;
use crate::memory::{Learning, SeriesMemory};
use crate::plan::Plan;
use crate::series::{Moment, Room, Series};
use crate::shelf::Shelf;
use crate::slot::Slot;
use crate::{AlertingConfig, Rule, engine_time::EngineTime};
use hashbrown::HashTable;
use std::collections::HashMap;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{AlertEngine, Error, Learned, Result};
use telemetry_models::{
    Alert, AlertRequest, AlertSource, AlertState, AlertTransition, Event, Invalid,
    ResolutionMethod, SelectorName, Timestamp,
};

/// Rules whose window is by time are looked at so often when no event comes.
const IDLE_EVALUATION: Duration = Duration::from_secs(1);
/// No series. There are at most a million.
const NONE: u32 = u32::MAX;

/// Evaluates threshold rules, event by event.
///
/// Which rules cover a selector on a site is decided once, and worked out once for all selectors
/// that the same rules cover. An event costs time proportional to the windows that these rules look
/// at, not to the rules, and nothing is allocated for one that is all right. Time comes from the
/// events' timestamps and from [`tick`](AlertEngine::tick); nothing reads a clock.
#[derive(Debug)]
pub struct ThresholdEngine {
    rules: Vec<Arc<Rule>>,
    plans: HashMap<Vec<usize>, Arc<Plan>>,
    cooldown: Duration,
    max_series: usize,
    /// The series made first for each selector name, by the name's hash; the others follow in
    /// `next`.
    names: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
    /// The next series of the same selector on another site; [`NONE`] for none.
    next: Vec<u32>,
    series: Vec<Series>,
    /// Series that time alone may change.
    waiting: Vec<u32>,
    room: Room,
    untracked: u64,
    time: EngineTime,
    idle_at: Timestamp,
    orphans: Vec<Alert>,
    /// Series that learned something since they were taken last.
    learning: Learning,
    sites: HashMap<Option<Arc<str>>, Site>,
}

/// How much of a site is affected.
#[derive(Debug, Default)]
struct Site {
    /// Selectors watched.
    watched: u32,
    /// Selectors with an open alert, by rule.
    open: HashMap<usize, u32>,
}

impl ThresholdEngine {
    /// An engine for the rules in force.
    ///
    /// # Errors
    /// TEL-004 when [`AlertingConfig::validate`] finds a fault.
    pub fn new(config: &AlertingConfig) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            rules: config.effective_rules().into_iter().map(Arc::new).collect(),
            plans: HashMap::new(),
            cooldown: config.effective_cooldown(),
            max_series: config.max_series,
            names: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
            next: Vec::new(),
            series: Vec::new(),
            waiting: Vec::new(),
            room: Room::default(),
            untracked: 0,
            time: EngineTime::default(),
            idle_at: Timestamp::MIN,
            orphans: Vec::new(),
            learning: Learning::default(),
            sites: HashMap::new(),
        })
    }

    /// The rules in force.
    pub fn rules(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().map(|it| &**it)
    }

    /// Selectors × sites that are watched.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// Events that were not looked at because the limit of watched selectors was reached.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    fn moment(&self) -> Moment {
        Moment { line: self.time.line(), shown: self.time.shown(), cooldown: self.cooldown }
    }

    /// Takes over alerts of an earlier run that are not closed: they go on under their id, their
    /// timers from when they began, and are not announced again. One whose rule is gone ends at the
    /// next tick.
    pub fn restore(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        for alert in alerts {
            if matches!(alert.state, AlertState::Inactive | AlertState::Closed) {
                continue;
            }
            let at = self.series_of(&alert.selector, alert.site.as_deref());
            let entry = at.and_then(|at| self.series[at].plan.entry(&alert.rule));
            let (Some(at), Some(entry)) = (at, entry) else {
                self.orphans.push(alert);
                continue;
            };
            let moment = self.moment();
            let ago = moment.shown.since(alert.state_since.unwrap_or(alert.updated_at));
            let series = &mut self.series[at];
            if alert.state.is_open()
                && let Some(site) = self.sites.get_mut(&series.site)
            {
                let rule = series.plan.entries[usize::from(entry)].at;
                *site.open.entry(rule).or_default() += 1;
            }
            let shelf = &mut self.room.shelf;
            series.with_slot(entry, moment, |slot, case| slot.adopt(case, &alert, ago, shelf));
            self.note_waiting(at);
        }
    }

    /// What the engine has learned of each selector, to be handed to
    /// [`recall`](Self::recall) in a later run. Ordered by selector and site.
    pub fn remember(&self) -> Vec<SeriesMemory> {
        let mut memories: Vec<_> = self.series.iter().map(SeriesMemory::of).collect();
        memories.sort_by(|a, b| (&a.selector, &a.site).cmp(&(&b.selector, &b.site)));
        memories
    }

    /// What the engine has learned of selectors that had events, a minute after the first of them;
    /// at most `limit`, the others the next time. What this gives, it gives again after further
    /// events only.
    pub(crate) fn take_learned(&mut self, limit: usize) -> Vec<SeriesMemory> {
        let now = self.time.line();
        let mut memories = Vec::new();
        while memories.len() < limit
            && let Some(at) = self.learning.pop(now)
        {
            self.series[at].learning = false;
            memories.push(SeriesMemory::of(&self.series[at]));
        }
        memories
    }

    /// Takes over what an earlier run has learned, for rules that are still in force.
    pub fn recall(&mut self, memories: impl IntoIterator<Item = SeriesMemory>) {
        for memory in memories {
            if let Some(at) = self.series_of(&memory.selector, memory.site.as_deref()) {
                let moment = self.moment();
                memory.into(&mut self.series[at], moment);
            }
        }
    }

    /// The series of a selector on a site, made when it is new; `None` at the limit.
    fn series_of(&mut self, selector: &SelectorName, site: Option<&str>) -> Option<usize> {
        let hash = self.hasher.hash_one(selector.as_str());
        let named = |at: &u32| self.series[*at as usize].selector == *selector;
        let mut known = self.names.find(hash, named).copied().unwrap_or(NONE);
        let mut last = None;
        while known != NONE {
            let at = known as usize;
            if self.series[at].site.as_deref() == site {
                return Some(at);
            }
            (known, last) = (self.next[at], Some(at));
        }
        if self.series.len() >= self.max_series {
            return None;
        }
        let (at, begun) = (self.series.len(), self.time.line());
        let plan = self.plan(selector.as_str(), site);
        let site: Option<Arc<str>> = site.map(|site| self.shared_site(site));
        match last {
            Some(last) => self.next[last] = at as u32,
            None => {
                let (series, hasher) = (&self.series, &self.hasher);
                let hash_of = |at: &u32| hasher.hash_one(series[*at as usize].selector.as_str());
                self.names.insert_unique(hash, at as u32, hash_of);
            }
        }
        self.next.push(NONE);
        self.sites.entry(site.clone()).or_default().watched += 1;
        self.series.push(Series::new(selector.clone(), site, plan, begun));
        Some(at)
    }

    /// The text of a site, held once for all its selectors.
    fn shared_site(&self, site: &str) -> Arc<str> {
        let wanted: Option<Arc<str>> = Some(site.into());
        let known = self.sites.get_key_value(&wanted).and_then(|(known, _)| known.clone());
        known.or(wanted).unwrap_or_default()
    }

    fn plan(&mut self, selector: &str, site: Option<&str>) -> Arc<Plan> {
        let rules = self.rules.iter().enumerate();
        let covering: Vec<usize> =
            rules.filter(|(_, rule)| rule.covers(selector, site)).map(|(at, _)| at).collect();
        if let Some(plan) = self.plans.get(&covering) {
            return Arc::clone(plan);
        }
        let rules: Vec<_> = covering.iter().map(|at| (*at, Arc::clone(&self.rules[*at]))).collect();
        let plan = Arc::new(Plan::new(&rules));
        self.plans.insert(covering, Arc::clone(&plan));
        plan
    }

    /// Keeps count of how much of each site is affected, and tells new alerts.
    fn broaden(
        sites: &mut HashMap<Option<Arc<str>>, Site>,
        series: &mut Series,
        shelf: &mut Shelf,
        changes: &mut [AlertTransition],
    ) {
        for change in changes {
            let alert = &mut change.alert;
            let (from, to) = (change.from.is_open(), alert.state.is_open());
            let entry = series.plan.entry(&alert.rule);
            let (true, Some(entry)) = (from != to, entry) else { continue };
            let Some(site) = sites.get_mut(&series.site) else { continue };
            let rule = &series.plan.entries[usize::from(entry)];
            let open = site.open.entry(rule.at).or_default();
            *open = if to { *open + 1 } else { open.saturating_sub(1) };
            let breadth = Breadth { open: *open, watched: site.watched };
            let slot = series.slots.iter_mut().find(|it| it.entry == entry);
            if to && let Some(slot) = slot.filter(|it| it.is_open()) {
                broaden(&rule.rule, alert, breadth);
                let (selector, site) = (&series.selector, series.site.as_ref());
                slot.regrade(alert, Place { rule: &rule.rule, selector, site }, shelf);
            }
        }
    }

    fn note_waiting(&mut self, at: usize) {
        if self.series[at].waiting && !self.series[at].listed {
            self.series[at].listed = true;
            self.waiting.push(at as u32);
        }
    }

    fn end_orphans(&mut self, changes: &mut Vec<AlertTransition>) {
        let at = self.time.shown();
        for alert in self.orphans.drain(..) {
            changes.push(end_of(alert, at));
        }
    }
}

/// The end of an alert whose rule is gone; one that never fired leaves nothing behind.
pub(crate) fn end_of(mut alert: Alert, at: Timestamp) -> AlertTransition {
    let pending = alert.state == AlertState::Pending;
    let to = if pending { AlertState::Inactive } else { AlertState::Closed };
    let from = std::mem::replace(&mut alert.state, to);
    if alert.resolved_at.is_none() && !pending {
        alert.resolve(ResolutionMethod::RuleRemoved, at);
    }
    (alert.updated_at, alert.state_since) = (at, Some(at));
    AlertTransition::new(from, at, alert)
}

impl AlertEngine for ThresholdEngine {
    fn name(&self) -> &str {
        "rules"
    }

    fn observe(&mut self, events: &[Event], changes: &mut Vec<AlertTransition>) {
        for event in events {
            self.time.event(event.timestamp);
            let Some(at) = self.series_of(&event.selector, event.site()) else {
                self.untracked += 1;
                continue;
            };
            let moment = self.moment();
            let series = &mut self.series[at];
            if !series.learning {
                series.learning = true;
                self.learning.push(moment.line, at);
            }
            let before = changes.len();
            series.observe(event, moment, &mut self.room, changes);
            if changes.len() > before {
                let shelf = &mut self.room.shelf;
                Self::broaden(&mut self.sites, series, shelf, &mut changes[before..]);
            }
            self.note_waiting(at);
        }
    }

    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>) {
        self.time.tick(now);
        self.end_orphans(changes);
        let moment = self.moment();
        let idle =
            moment.line.since(self.idle_at) >= IDLE_EVALUATION || self.idle_at == Timestamp::MIN;
        let mut due = std::mem::take(&mut self.waiting);
        for at in &due {
            self.series[*at as usize].listed = false;
        }
        if idle {
            self.idle_at = moment.line;
            let timed = |series: &Series| !series.plan.is_still() && !series.waiting;
            let series = (0u32..).zip(&self.series);
            due.extend(series.filter(|(_, series)| timed(series)).map(|(at, _)| at));
        }
        due.sort_unstable();
        for at in due {
            let at = at as usize;
            let series = &mut self.series[at];
            series.waiting = false;
            let before = changes.len();
            series.tick(moment, idle, &mut self.room, changes);
            if changes.len() > before {
                let shelf = &mut self.room.shelf;
                Self::broaden(&mut self.sites, series, shelf, &mut changes[before..]);
            }
            self.note_waiting(at);
        }
    }

    fn open(&self) -> Vec<Alert> {
        let open = |series: &'_ Series| {
            let slots = series.slots.iter().filter_map(|slot| slot.alert(series.place(slot.entry)));
            slots.collect::<Vec<_>>()
        };
        self.series.iter().flat_map(open).collect()
    }

    fn restore(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        let (own, others) = alerts.into_iter().partition(|it| it.source == AlertSource::Rule);
        let own: Vec<Alert> = own;
        Self::restore(self, own);
        others
    }

    fn handle(
        &mut self,
        request: &AlertRequest,
        changes: &mut Vec<AlertTransition>,
    ) -> Option<std::result::Result<(), Invalid>> {
        let has = |series: &Series| {
            let is = |slot: &&Slot| slot.has(&request.alert, series.place(slot.entry));
            Some(series.slots.iter().find(is)?.entry)
        };
        let (at, entry) =
            self.series.iter().enumerate().find_map(|(at, it)| Some((at, has(it)?)))?;
        let moment = self.moment();
        let shelf = &mut self.room.shelf;
        let done = self.series[at]
            .with_slot(entry, moment, |slot, case| slot.handle(request, case, shelf, changes));
        self.note_waiting(at);
        Some(done)
    }

    fn learned(&mut self, all: bool, limit: usize) -> Vec<Learned> {
        if all {
            // One after the other: of many selectors it is much.
            let memories = self.series.iter().map(SeriesMemory::of);
            return memories.filter_map(|it| it.to_learned()).take(limit).collect();
        }
        self.take_learned(limit).iter().filter_map(SeriesMemory::to_learned).collect()
    }

    fn recall(&mut self, learned: Vec<Learned>) -> Vec<Error> {
        let mut unreadable = Vec::new();
        let read = learned.iter().map(SeriesMemory::from_learned);
        let memories: Vec<_> =
            read.filter_map(|it| it.map_err(|error| unreadable.push(error)).ok()).collect();
        Self::recall(self, memories);
        unreadable
    }

    fn watched(&self) -> usize {
        self.series()
    }

    fn unwatched(&self) -> u64 {
        self.untracked()
    }
}

use crate::grade::Breadth;
use crate::memory::SeriesMemory;
use crate::plan::Plan;
use crate::series::{Moment, Room, Series};
use crate::{AlertingConfig, Rule, engine_time::EngineTime};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{AlertEngine, Error, Learned, Result};
use telemetry_models::{
    Alert, AlertRequest, AlertSource, AlertState, AlertTransition, Event, Invalid,
    ResolutionMethod, SelectorName, Timestamp,
};

/// Rules whose window is by time are looked at so often when no event comes.
const IDLE_EVALUATION: Duration = Duration::from_secs(1);
/// What is learned of a selector is worth saving so long after it began to change.
const LEARNED_EVERY: Duration = Duration::from_secs(60);

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
    /// The series made first for each selector name; the others follow in `next`.
    names: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    /// The next series of the same selector on another site.
    next: Vec<Option<usize>>,
    series: Vec<Series>,
    /// Series that time alone may change.
    waiting: Vec<usize>,
    room: Room,
    untracked: u64,
    time: EngineTime,
    idle_at: Timestamp,
    orphans: Vec<Alert>,
    /// Series that learned something since they were taken last, and when they began to.
    learning: VecDeque<(Timestamp, usize)>,
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
            names: HashMap::default(),
            next: Vec::new(),
            series: Vec::new(),
            waiting: Vec::new(),
            room: Room::default(),
            untracked: 0,
            time: EngineTime::default(),
            idle_at: Timestamp::MIN,
            orphans: Vec::new(),
            learning: VecDeque::new(),
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
            series.with_slot(entry, moment, |slot, case| slot.adopt(case, alert, ago));
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
            && let Some((since, at)) = self.learning.front().copied()
            && now.since(since) >= LEARNED_EVERY
        {
            self.learning.pop_front();
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
        let first = self.names.get(selector.as_str()).copied();
        let (mut known, mut last) = (first, None);
        while let Some(at) = known {
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
            Some(last) => self.next[last] = Some(at),
            None => drop(self.names.insert(selector.shared(), at)),
        }
        self.next.push(None);
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
        changes: &mut [AlertTransition],
    ) {
        for change in changes {
            let (from, to) = (change.from.is_open(), change.alert.state.is_open());
            let entry = series.plan.entry(&change.alert.rule);
            let (true, Some(entry)) = (from != to, entry) else { continue };
            let Some(site) = sites.get_mut(&series.site) else { continue };
            let rule = &series.plan.entries[usize::from(entry)];
            let open = site.open.entry(rule.at).or_default();
            *open = if to { *open + 1 } else { open.saturating_sub(1) };
            let breadth = Breadth { open: *open, watched: site.watched };
            let slot = series.slots.iter_mut().find(|it| it.has(&change.alert.id));
            if to
                && let Some(slot) = slot
                && let Some(alert) = slot.broaden(&rule.rule, breadth)
            {
                change.alert.severity = alert.severity;
                change.alert.factors.clone_from(&alert.factors);
            }
        }
    }

    fn note_waiting(&mut self, at: usize) {
        if self.series[at].waiting && !self.series[at].listed {
            self.series[at].listed = true;
            self.waiting.push(at);
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
                self.learning.push_back((moment.line, at));
            }
            let before = changes.len();
            series.observe(event, moment, &mut self.room, changes);
            if changes.len() > before {
                Self::broaden(&mut self.sites, series, &mut changes[before..]);
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
            self.series[*at].listed = false;
        }
        if idle {
            self.idle_at = moment.line;
            let timed = |series: &Series| !series.plan.is_still() && !series.waiting;
            let series = self.series.iter().enumerate();
            due.extend(series.filter(|(_, series)| timed(series)).map(|(at, _)| at));
        }
        due.sort_unstable();
        for at in due {
            let series = &mut self.series[at];
            series.waiting = false;
            let before = changes.len();
            series.tick(moment, idle, &mut self.room, changes);
            if changes.len() > before {
                Self::broaden(&mut self.sites, series, &mut changes[before..]);
            }
            self.note_waiting(at);
        }
    }

    fn open(&self) -> Vec<Alert> {
        let slots = self.series.iter().flat_map(|series| &series.slots);
        slots.filter_map(|slot| slot.alert()).cloned().collect()
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
            let slot = series.slots.iter().find(|slot| slot.has(&request.alert))?;
            Some(slot.entry)
        };
        let (at, entry) =
            self.series.iter().enumerate().find_map(|(at, it)| Some((at, has(it)?)))?;
        let moment = self.moment();
        let done = self.series[at]
            .with_slot(entry, moment, |slot, case| slot.handle(request, case, changes));
        self.note_waiting(at);
        Some(done)
    }

    fn learned(&mut self, all: bool, limit: usize) -> Vec<Learned> {
        let memories = if all { self.remember() } else { self.take_learned(limit) };
        memories.iter().filter_map(SeriesMemory::to_learned).collect()
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

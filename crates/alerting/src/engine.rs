use crate::grade::Breadth;
use crate::machine::Timing;
use crate::memory::SeriesMemory;
use crate::slot::{Moment, Slot};
use crate::{AlertingConfig, NoData, Rule, engine_time::EngineTime};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{AlertEngine, Error, Learned, Result};
use telemetry_models::{
    Alert, AlertRequest, AlertSource, AlertState, AlertTransition, Event, Invalid,
    ResolutionMethod, SelectorName, Signal, Timestamp,
};

/// Rules whose window is by time are looked at so often when no event comes.
const IDLE_EVALUATION: Duration = Duration::from_secs(1);
/// What is learned of a selector is worth saving so long after it began to change.
const LEARNED_EVERY: Duration = Duration::from_secs(60);

/// Evaluates threshold rules, event by event.
///
/// Each selector on each site has its own windows, baselines and state for every rule that covers
/// it; which rules those are is decided once. An event costs time proportional to the rules that
/// cover its selector and to their windows. Time comes from the events' timestamps and from
/// [`tick`](AlertEngine::tick); nothing reads a clock.
#[derive(Debug)]
pub struct ThresholdEngine {
    rules: Vec<RuleInForce>,
    cooldown: Duration,
    max_series: usize,
    names: HashMap<Arc<str>, Vec<OnSite>>,
    series: Vec<Series>,
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

/// A site and the index of a selector's series on it.
type OnSite = (Option<Arc<str>>, usize);

#[derive(Debug)]
struct RuleInForce {
    rule: Rule,
    unless: Vec<usize>,
}

/// A selector on a site.
#[derive(Debug)]
struct Series {
    selector: SelectorName,
    site: Option<Arc<str>>,
    version: Option<u32>,
    slots: Vec<Slot>,
    /// Whether it is among those that learned something.
    learning: bool,
}

impl ThresholdEngine {
    /// An engine for the rules in force.
    ///
    /// # Errors
    /// TEL-004 when [`AlertingConfig::validate`] finds a fault.
    pub fn new(config: &AlertingConfig) -> Result<Self> {
        config.validate()?;
        let rules = config.effective_rules();
        let unless = |rule: &Rule| {
            let blocks = |(_, other): &(usize, &Rule)| rule.unless_firing.contains(&other.id);
            rules.iter().enumerate().filter(blocks).map(|(at, _)| at).collect()
        };
        let unless: Vec<Vec<usize>> = rules.iter().map(unless).collect();
        Ok(Self {
            rules: rules
                .into_iter()
                .zip(unless)
                .map(|(rule, unless)| RuleInForce { rule, unless })
                .collect(),
            cooldown: config.effective_cooldown(),
            max_series: config.max_series,
            names: HashMap::new(),
            series: Vec::new(),
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
        self.rules.iter().map(|it| &it.rule)
    }

    /// Selectors × sites that are watched.
    pub fn series(&self) -> usize {
        self.series.len()
    }

    /// Events that were not looked at because the limit of watched selectors was reached.
    pub fn untracked(&self) -> u64 {
        self.untracked
    }

    /// Takes over alerts of an earlier run that are firing, recovering or resolved: they go on
    /// under their id and are not announced again. One whose rule is gone is resolved at the next
    /// tick.
    pub fn restore(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        for alert in alerts {
            if !(alert.state.is_open() || alert.state == AlertState::Resolved) {
                continue;
            }
            let series = self.series_of(&alert.selector, alert.site.as_deref());
            let slot = series.and_then(|series| {
                let rules = &self.rules;
                self.series[series]
                    .slots
                    .iter_mut()
                    .find(|slot| rules[slot.rule].rule.id == alert.rule)
            });
            match slot {
                Some(slot) => slot.adopt(&self.rules[slot.rule].rule, alert, self.time.line()),
                None => self.orphans.push(alert),
            }
        }
    }

    /// What the engine has learned of each selector, to be handed to
    /// [`recall`](Self::recall) in a later run. Ordered by selector and site.
    pub fn remember(&self) -> Vec<SeriesMemory> {
        let mut memories: Vec<_> = self.series.iter().map(|it| self.memory(it)).collect();
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
            memories.push(self.memory(&self.series[at]));
        }
        memories
    }

    fn memory(&self, series: &Series) -> SeriesMemory {
        let id = |slot: &Slot| Arc::clone(&self.rules[slot.rule].rule.id);
        let rules = series.slots.iter().map(|slot| (id(slot), crate::memory::of(slot)));
        SeriesMemory {
            selector: series.selector.clone(),
            site: series.site.clone(),
            version: series.version,
            rules: rules.collect(),
        }
    }

    /// Takes over what an earlier run has learned, for rules that are still in force.
    pub fn recall(&mut self, memories: impl IntoIterator<Item = SeriesMemory>) {
        for memory in memories {
            let Some(at) = self.series_of(&memory.selector, memory.site.as_deref()) else {
                continue;
            };
            let line = self.time.line();
            let series = &mut self.series[at];
            series.version = memory.version;
            for slot in &mut series.slots {
                let rule = &self.rules[slot.rule].rule;
                if let Some(learned) = memory.rules.get(&rule.id) {
                    crate::memory::into(slot, rule, learned, line);
                }
            }
        }
    }

    /// The series of a selector on a site, made when it is new; `None` at the limit.
    fn series_of(&mut self, selector: &SelectorName, site: Option<&str>) -> Option<usize> {
        if let Some(sites) = self.names.get(selector.as_str())
            && let Some((_, at)) = sites.iter().find(|(known, _)| known.as_deref() == site)
        {
            return Some(*at);
        }
        if self.series.len() >= self.max_series {
            return None;
        }
        let begun = self.time.line();
        let covering =
            self.rules.iter().enumerate().filter(|(_, it)| it.rule.covers(selector.as_str(), site));
        let slots = covering.map(|(at, it)| Slot::new(at, &it.rule, begun)).collect();
        let site: Option<Arc<str>> = site.map(Into::into);
        let at = self.series.len();
        self.names.entry(selector.shared()).or_default().push((site.clone(), at));
        self.sites.entry(site.clone()).or_default().watched += 1;
        let selector = selector.clone();
        self.series.push(Series { selector, site, version: None, slots, learning: false });
        Some(at)
    }

    /// Keeps count of how much of each site is affected, and tells new alerts.
    fn broaden(
        rules: &[RuleInForce],
        sites: &mut HashMap<Option<Arc<str>>, Site>,
        series: &mut Series,
        changes: &mut [AlertTransition],
    ) {
        for change in changes {
            let (from, to) = (change.from.is_open(), change.alert.state.is_open());
            let slot =
                series.slots.iter_mut().find(|it| *rules[it.rule].rule.id == *change.alert.rule);
            let (true, Some(slot)) = (from != to, slot) else { continue };
            let Some(site) = sites.get_mut(&series.site) else { continue };
            let open = site.open.entry(slot.rule).or_default();
            *open = if to { *open + 1 } else { open.saturating_sub(1) };
            let breadth = Breadth { open: *open, watched: site.watched };
            if to
                && slot.has(&change.alert.id)
                && let Some(alert) = slot.broaden(&rules[slot.rule].rule, breadth)
            {
                change.alert.severity = alert.severity;
                change.alert.factors.clone_from(&alert.factors);
            }
        }
    }

    fn evaluate(
        rules: &[RuleInForce],
        series: &mut Series,
        cooldown: Duration,
        time: EngineTime,
        event: Option<&Event>,
        changes: &mut Vec<AlertTransition>,
    ) {
        for at in 0..series.slots.len() {
            let RuleInForce { rule, unless } = &rules[series.slots[at].rule];
            let muted = !unless.is_empty()
                && !series.slots[at].is_open()
                && series.slots.iter().any(|slot| slot.speaks() && unless.contains(&slot.rule));
            let slot = &mut series.slots[at];
            let moment = Moment {
                selector: &series.selector,
                site: series.site.as_ref(),
                line: time.line(),
                shown: time.shown(),
                timing: Timing { hold: rule.hold, keep: rule.keep_firing_for, cooldown },
            };
            if muted {
                slot.mute(rule, moment, changes);
                continue;
            }
            match event.map(|event| (event, rule.signal.of(event))) {
                Some((event, Some(value))) => slot.observe(rule, event, value, moment),
                Some((_, None)) if rule.within.is_none() && !slot.is_waiting() => continue,
                _ => {}
            }
            slot.evaluate(rule, moment, changes);
        }
    }
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
            let series = &mut self.series[at];
            if !series.learning {
                series.learning = true;
                self.learning.push_back((self.time.line(), at));
            }
            if event.selector_version > series.version {
                if series.version.is_some() {
                    series.slots.iter_mut().for_each(Slot::definition_changed);
                }
                series.version = event.selector_version;
            }
            let (rules, cooldown, time) = (&self.rules, self.cooldown, self.time);
            let before = changes.len();
            Self::evaluate(rules, series, cooldown, time, Some(event), changes);
            Self::broaden(&self.rules, &mut self.sites, series, &mut changes[before..]);
        }
    }

    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>) {
        self.time.tick(now);
        for mut alert in self.orphans.drain(..) {
            let at = self.time.shown();
            let from = std::mem::replace(&mut alert.state, AlertState::Closed);
            if alert.resolved_at.is_none() {
                alert.resolve(ResolutionMethod::RuleRemoved, at);
            }
            alert.updated_at = at;
            changes.push(AlertTransition::new(from, at, alert));
        }
        let line = self.time.line();
        let idle = line.since(self.idle_at) >= IDLE_EVALUATION || self.idle_at == Timestamp::MIN;
        if idle {
            self.idle_at = line;
        }
        for series in &mut self.series {
            let timed = |slot: &Slot| {
                let rule = &self.rules[slot.rule].rule;
                (rule.within.is_some()
                    && (!slot.window.is_empty() || rule.signal == Signal::Frequency))
                    || matches!(rule.no_data, NoData::AlertAfter(_))
            };
            let due = series.slots.iter().any(|slot| slot.is_waiting() || (idle && timed(slot)));
            if due {
                let before = changes.len();
                Self::evaluate(&self.rules, series, self.cooldown, self.time, None, changes);
                Self::broaden(&self.rules, &mut self.sites, series, &mut changes[before..]);
            }
        }
    }

    fn open(&self) -> Vec<Alert> {
        let slots = self.series.iter().flat_map(|series| &series.slots);
        slots.filter_map(Slot::alert).cloned().collect()
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
        let mut slots = self.series.iter_mut().flat_map(|series| &mut series.slots);
        let slot = slots.find(|slot| slot.has(&request.alert))?;
        Some(slot.handle(request, self.time.line(), changes))
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

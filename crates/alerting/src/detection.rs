use crate::engine_time::EngineTime;
use crate::{explain, occurrence::fingerprint};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use telemetry_detection::{Change, RateConfig, RateDetector, Spending, Step};
use telemetry_interfaces::{AlertEngine, Code, Error, ErrorKind, Learned, Result};
use telemetry_models::{
    Alert, AlertAction, AlertId, AlertRequest, AlertSource, AlertState, AlertTransition,
    Comparison, Event, EventId, Evidence, Invalid, Outcome, PageContext, ResolutionMethod,
    SelectorName, Severity, Signal, Timestamp,
};

/// Shares that are watched, and the rule id their alerts bear.
const WATCHED: [(Signal, &str); 4] = [
    (Signal::ErrorRate, "detected-error-rate"),
    (Signal::ZeroMatchRate, "detected-zero-match-rate"),
    (Signal::TimeoutRate, "detected-timeout-rate"),
    (Signal::FallbackRate, "detected-fallback-rate"),
];
/// False alarms that a new selector may cost, once, for each share.
const STARTUP: f64 = 1e-3;
/// Faults on one page in so short a time are one observation: retries are not independent.
const RETRIES: Duration = Duration::from_secs(10);
/// Events named in an alert.
const MAX_EVENTS: usize = 10;
/// A resolved alert is closed after so long.
const CLOSE_AFTER: Duration = Duration::from_secs(30);
/// What is learned of a selector is worth saving so long after it began to change.
const LEARNED_EVERY: Duration = Duration::from_secs(60);
/// Version of [`DetectionMemory`]; another one is not taken over.
const VERSION: u32 = 1;
/// Where it is kept, for messages.
const MEMORY: &str = "alerting_memory_detectors";

/// Detectors that need no thresholds: the `[alerting.detection]` table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DetectionConfig {
    /// False alarms a day that all detectors on all selectors may raise together, 0 to 1000; 0
    /// switches them off. Fewer means a little more delay: ten times fewer costs some sixth.
    pub false_alarms_per_day: f64,
}

impl DetectionConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        if (0.0..=1000.0).contains(&self.false_alarms_per_day) {
            return Ok(());
        }
        let found = self.false_alarms_per_day;
        Err(Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("the alerting configuration is wrong: found {found}, expected 0 to 1000"),
        )
        .with("field", "alerting.detection.false_alarms_per_day"))
    }
}

/// What the detectors know of one selector on one site, in a form that can be kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionMemory {
    version: u32,
    pub(crate) selector: SelectorName,
    pub(crate) site: Option<Arc<str>>,
    definition: Option<u32>,
    worked: bool,
    detectors: BTreeMap<Signal, RateDetector>,
}

/// Evaluates detectors without thresholds, event by event.
///
/// Each selector on each site has a detector for its shares of faults, zero matches, timeouts and
/// fallbacks. They share one budget of false alarms, split evenly over those that there are. A
/// selector that never worked is left to the rules. Faults of the environment do not count, and
/// several faults of a selector on one page within ten seconds count once.
#[derive(Debug)]
pub struct DetectionEngine {
    per_day: f64,
    max_series: usize,
    names: HashMap<Arc<str>, Vec<OnSite>>,
    sites: HashMap<Option<Arc<str>>, Vec<usize>>,
    series: Vec<Series>,
    time: EngineTime,
    orphans: Vec<Alert>,
    learning: VecDeque<(Timestamp, usize)>,
    unwatched: u64,
}

/// A site and the index of a selector's series on it.
type OnSite = (Option<Arc<str>>, usize);

#[derive(Debug)]
struct Series {
    selector: SelectorName,
    site: Option<Arc<str>>,
    definition: Option<u32>,
    worked: bool,
    /// Faults since the last success.
    failing: u32,
    last_fault: Option<(Arc<PageContext>, Timestamp)>,
    watches: [Watch; WATCHED.len()],
    learning: bool,
}

#[derive(Debug, Default)]
struct Watch {
    detector: RateDetector,
    bad: VecDeque<(EventId, Timestamp)>,
    alert: Option<Box<Alert>>,
}

impl DetectionEngine {
    /// Detectors with this budget, for at most so many selectors × sites.
    ///
    /// # Errors
    /// TEL-004 when the budget is out of range.
    pub fn new(config: &DetectionConfig, max_series: usize) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            per_day: config.false_alarms_per_day,
            max_series,
            names: HashMap::new(),
            sites: HashMap::new(),
            series: Vec::new(),
            time: EngineTime::default(),
            orphans: Vec::new(),
            learning: VecDeque::new(),
            unwatched: 0,
        })
    }

    /// Takes over what an earlier run has learned; what another version wrote is learned anew.
    pub fn recall(&mut self, memories: impl IntoIterator<Item = DetectionMemory>) {
        for mut memory in memories.into_iter().filter(|memory| memory.version == VERSION) {
            let site = memory.site.as_deref();
            let Some(at) = self.series_of(&memory.selector, site) else { continue };
            let series = &mut self.series[at];
            (series.definition, series.worked) = (memory.definition, memory.worked);
            for (watch, (signal, _)) in series.watches.iter_mut().zip(WATCHED) {
                watch.detector = memory.detectors.remove(&signal).unwrap_or_default();
            }
        }
    }

    /// Takes over alerts of an earlier run, after [`recall`](Self::recall). One whose detector no
    /// longer knows of a change is closed at the next tick.
    pub fn restore(&mut self, alerts: impl IntoIterator<Item = Alert>) {
        for alert in alerts {
            if !(alert.state.is_open() || alert.state == AlertState::Resolved) {
                continue;
            }
            let at = self.series_of(&alert.selector, alert.site.as_deref());
            let watch = at.and_then(|at| {
                let of_rule = WATCHED.iter().position(|(_, id)| **id == *alert.rule)?;
                Some(&mut self.series[at].watches[of_rule])
            });
            match watch {
                Some(watch) if watch.detector.is_open() || !alert.state.is_open() => {
                    watch.alert = Some(Box::new(alert));
                }
                _ => self.orphans.push(alert),
            }
        }
    }

    /// What the detectors have learned of every selector.
    pub fn remember(&self) -> Vec<DetectionMemory> {
        self.series.iter().map(Series::memory).collect()
    }

    /// What was learned of at most `limit` selectors that had events, a minute after the first of
    /// them, or at once after an alert.
    pub(crate) fn take_learned(&mut self, limit: usize) -> Vec<DetectionMemory> {
        let now = self.time.line();
        let mut memories = Vec::new();
        while memories.len() < limit
            && let Some((since, at)) = self.learning.front().copied()
            && now.since(since) >= LEARNED_EVERY
        {
            self.learning.pop_front();
            self.series[at].learning = false;
            memories.push(self.series[at].memory());
        }
        memories
    }

    fn series_of(&mut self, selector: &SelectorName, site: Option<&str>) -> Option<usize> {
        if let Some(sites) = self.names.get(selector.as_str())
            && let Some((_, at)) = sites.iter().find(|(known, _)| known.as_deref() == site)
        {
            return Some(*at);
        }
        if self.series.len() >= self.max_series {
            return None;
        }
        let at = self.series.len();
        let site: Option<Arc<str>> = site.map(Into::into);
        self.names.entry(selector.shared()).or_default().push((site.clone(), at));
        self.sites.entry(site.clone()).or_default().push(at);
        self.series.push(Series {
            selector: selector.clone(),
            site,
            definition: None,
            worked: false,
            failing: 0,
            last_fault: None,
            watches: Default::default(),
            learning: false,
        });
        Some(at)
    }

    fn event(&mut self, event: &Event, changes: &mut Vec<AlertTransition>) {
        self.time.event(event.timestamp);
        let (line, shown) = (self.time.line(), self.time.shown());
        let Some(at) = self.series_of(&event.selector, event.site()) else {
            self.unwatched += 1;
            return;
        };
        let per_day = self.per_day / (self.series.len() * WATCHED.len()) as f64;
        let series = &mut self.series[at];
        if event.selector_version > series.definition {
            if series.definition.is_some() {
                series.definition_changed();
            }
            series.definition = event.selector_version;
        }
        if !series.counts(event, line) {
            return;
        }
        if !series.learning {
            series.learning = true;
            self.learning.push_back((line, at));
        }
        let spending = Spending { per_day, startup: STARTUP };
        let mut began = Vec::new();
        let mut turned = false;
        for (which, (signal, _)) in WATCHED.iter().enumerate() {
            let Some(value) = signal.of(event) else { continue };
            let watch = &mut series.watches[which];
            let bad = value > 0.5;
            if bad {
                if watch.bad.len() == MAX_EVENTS {
                    watch.bad.pop_front();
                }
                watch.bad.push_back((event.id.clone(), line));
            }
            match watch.detector.observe(bad, line, spending, &RateConfig::default()) {
                Step::Quiet => {}
                Step::Began(change) => began.push((which, change)),
                Step::Ended => {
                    turned = true;
                    if let Some(alert) = watch.alert.as_mut().filter(|it| it.state.is_open()) {
                        alert.resolve(ResolutionMethod::Automatic, shown);
                        changes.push(moved(alert, AlertState::Resolved, shown));
                    }
                }
            }
        }
        for (which, change) in &began {
            turned = true;
            let specific = *which == 0 && self.is_explained(at, &began);
            let change =
                Change { since: shown.saturating_sub(line.since(change.since)), ..*change };
            if !specific {
                self.fire(at, *which, change, event, changes);
            }
        }
        if turned {
            self.learning.push_front((Timestamp::MIN, at));
        }
    }

    /// Whether a higher share of faults needs no alert of its own: they are zero matches or
    /// timeouts, which have theirs.
    fn is_explained(&self, at: usize, began: &[(usize, Change)]) -> bool {
        began.iter().any(|(which, _)| matches!(which, 1 | 2))
            || self.series[at].watches[1..3].iter().any(|watch| watch.detector.is_open())
    }

    fn fire(
        &mut self,
        at: usize,
        which: usize,
        change: Change,
        event: &Event,
        changes: &mut Vec<AlertTransition>,
    ) {
        let scope = self.scope(at);
        let shown = self.time.shown();
        let series = &mut self.series[at];
        let (signal, rule) = WATCHED[which];
        let print = fingerprint(rule, series.selector.as_str(), series.site.as_ref());
        let watch = &mut series.watches[which];
        let bad = (change.now * change.samples as f64).round() as usize;
        let named = watch.bad.len().saturating_sub(bad);
        let share = |value: f64| format!("{:.1} %", value * 100.0);
        let what = match signal {
            Signal::ZeroMatchRate => "matches nothing",
            Signal::TimeoutRate => "times out",
            Signal::FallbackRate => "needs a fallback",
            _ => "fails",
        };
        let id = AlertId::new(format!("{print}-{:x}", shown.as_nanos())).expect("not blank");
        let mut alert = Alert::new(id, rule, series.selector.clone(), signal, change.since);
        alert.source = AlertSource::Detector;
        alert.fingerprint = print.into();
        alert.site.clone_from(&series.site);
        let low = signal == Signal::FallbackRate;
        alert.severity = if low { Severity::Low } else { Severity::High };
        alert.state = AlertState::Inactive;
        alert.fired_at = Some(shown);
        alert.value = change.now;
        alert.comparison = Comparison::Above;
        alert.threshold = change.before;
        alert.baseline = Some(change.before);
        alert.samples = change.samples;
        alert.page_template = event.page.as_ref().and_then(|page| page.url_template.clone());
        alert.evidence = Evidence {
            events: watch.bad.iter().skip(named).map(|(id, _)| id.clone()).collect(),
            url: event.page.as_ref().and_then(|page| page.url.clone()),
            before: Some(format!("{} usual", share(change.before))),
            now: explain::now(&event.attempts),
        };
        alert.summary = format!(
            "{} {what}: {bad} of {} operations since the change ({} usual, learned from {})",
            series.selector,
            change.samples,
            share(change.before),
            change.learned
        );
        alert.likely_cause = scope.or_else(|| explain::cause(signal, &event.attempts));
        alert.suggestion = explain::suggestion(&alert, signal, &event.attempts);
        let alert = watch.alert.insert(Box::new(alert));
        changes.push(moved(alert, AlertState::Firing, shown));
    }

    /// Whether the selectors of a site fail together; `None` where there is nobody to compare.
    fn scope(&self, at: usize) -> Option<String> {
        let site = self.series[at].site.as_ref()?;
        let worked = |it: &&usize| self.series[**it].worked && **it != at;
        let others: Vec<_> =
            self.sites.get(&Some(Arc::clone(site)))?.iter().filter(worked).collect();
        let failing = others.iter().filter(|it| self.series[***it].failing > 0).count();
        match (failing, others.len()) {
            (_, 0) => None,
            (failing, all) if failing * 2 >= all => Some(format!(
                "{failing} of the {all} other selectors of {site} fail too: the page was probably \
                 redesigned, or another page is served"
            )),
            (failing, all) => Some(format!(
                "{} of the {all} other selectors of {site} still work: this one's element changed",
                all - failing
            )),
        }
    }
}

impl Series {
    /// Whether the event says something new about the selector.
    fn counts(&mut self, event: &Event, line: Timestamp) -> bool {
        if !event.outcome.is_verdict() {
            return false;
        }
        if event.outcome == Outcome::Success {
            self.worked = true;
            self.failing = 0;
            return true;
        }
        self.failing += 1;
        let Some(page) = &event.page else { return self.worked };
        if let Some((known, at)) = &self.last_fault
            && line.since(*at) < RETRIES
            && (Arc::ptr_eq(known, page) || known == page)
        {
            return false;
        }
        self.last_fault = Some((Arc::clone(page), line));
        self.worked
    }

    /// What was learned of another definition says nothing about this one. An open alert stays
    /// until its share is back to what was usual.
    fn definition_changed(&mut self) {
        for watch in self.watches.iter_mut().filter(|watch| !watch.detector.is_open()) {
            watch.detector = RateDetector::default();
            watch.bad.clear();
        }
        self.worked = false;
    }

    fn memory(&self) -> DetectionMemory {
        let detectors = WATCHED.iter().zip(&self.watches);
        DetectionMemory {
            version: VERSION,
            selector: self.selector.clone(),
            site: self.site.clone(),
            definition: self.definition,
            worked: self.worked,
            detectors: detectors.map(|((signal, _), it)| (*signal, it.detector.clone())).collect(),
        }
    }
}

impl DetectionMemory {
    fn to_learned(&self) -> Option<Learned> {
        let key = format!("{} {}", self.selector, self.site.as_deref().unwrap_or_default());
        match serde_json::to_string(self) {
            Ok(value) => Some(Learned { key, value }),
            Err(error) => {
                tracing::error!(key, %error, "cannot be written as JSON");
                None
            }
        }
    }
}

fn moved(alert: &mut Alert, to: AlertState, at: Timestamp) -> AlertTransition {
    let from = std::mem::replace(&mut alert.state, to);
    alert.updated_at = at;
    AlertTransition::new(from, at, alert.clone())
}

impl AlertEngine for DetectionEngine {
    fn name(&self) -> &str {
        "detectors"
    }

    fn observe(&mut self, events: &[Event], changes: &mut Vec<AlertTransition>) {
        if self.per_day > 0.0 {
            events.iter().for_each(|event| self.event(event, changes));
        }
    }

    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>) {
        self.time.tick(now);
        let shown = self.time.shown();
        for mut alert in self.orphans.drain(..) {
            if alert.resolved_at.is_none() {
                alert.resolve(ResolutionMethod::RuleRemoved, shown);
            }
            changes.push(moved(&mut alert, AlertState::Closed, shown));
        }
        for watch in self.series.iter_mut().flat_map(|series| &mut series.watches) {
            let due = watch.alert.as_ref().is_some_and(|alert| {
                alert.state == AlertState::Resolved && shown.since(alert.updated_at) >= CLOSE_AFTER
            });
            if due && let Some(mut alert) = watch.alert.take() {
                changes.push(moved(&mut alert, AlertState::Closed, shown));
            }
        }
    }

    fn open(&self) -> Vec<Alert> {
        let watches = self.series.iter().flat_map(|series| &series.watches);
        let alerts = watches.filter_map(|watch| watch.alert.as_deref());
        alerts.filter(|alert| alert.state.is_open()).cloned().collect()
    }

    fn restore(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        let (own, others) =
            alerts.into_iter().partition(|alert| alert.source == AlertSource::Detector);
        let own: Vec<Alert> = own;
        Self::restore(self, own);
        others
    }

    fn handle(
        &mut self,
        request: &AlertRequest,
        changes: &mut Vec<AlertTransition>,
    ) -> Option<std::result::Result<(), Invalid>> {
        let watches = self.series.iter_mut().flat_map(|series| &mut series.watches);
        let with_alerts = watches.filter_map(|it| Some((&mut it.detector, it.alert.as_mut()?)));
        let mut wanted = with_alerts.filter(|(_, alert)| alert.id == request.alert);
        let (detector, alert) = wanted.next()?;
        let from = alert.state;
        let cause = match alert.apply(request) {
            Ok(cause) => cause,
            Err(error) => return Some(Err(error)),
        };
        if let AlertAction::Resolve { .. } = request.action {
            detector.dismiss();
        }
        let alert = Alert::clone(alert);
        changes.push(AlertTransition { from, at: request.at, cause, alert });
        Some(Ok(()))
    }

    fn learned(&mut self, all: bool, limit: usize) -> Vec<Learned> {
        let memories = if all { self.remember() } else { self.take_learned(limit) };
        memories.iter().filter_map(DetectionMemory::to_learned).collect()
    }

    fn recall(&mut self, learned: Vec<Learned>) -> Vec<Error> {
        let mut unreadable = Vec::new();
        let read = learned.iter().map(|it| crate::book::read(MEMORY, &it.key, &it.value));
        let memories: Vec<DetectionMemory> =
            read.filter_map(|it| it.map_err(|error| unreadable.push(error)).ok()).collect();
        Self::recall(self, memories);
        unreadable
    }

    fn watched(&self) -> usize {
        self.series.len()
    }

    fn unwatched(&self) -> u64 {
        self.unwatched
    }
}

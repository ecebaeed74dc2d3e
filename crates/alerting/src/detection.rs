mod series;
mod words;

use crate::engine_time::EngineTime;
use serde::{Deserialize, Serialize};
pub use series::DetectionMemory;
use series::Series;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use telemetry_detection::{
    Budget, Change, Company, Finding, Operation, Peers, Scope, Step, Watched, scope,
};
use telemetry_interfaces::{AlertEngine, Code, Error, ErrorKind, Learned, Result};
use telemetry_models::{
    Alert, AlertAction, AlertRequest, AlertSource, AlertState, AlertTransition, Event, Invalid,
    ResolutionMethod, SelectorName, Timestamp,
};

/// False alarms that a new selector may cost, once.
const STARTUP: f64 = 0.012;
/// Evidence that a selector fails now, as a likelihood ratio.
const FAILING: f64 = 4.0;
/// Faults in a row from which the other selectors of the page are asked: two may be one visit and its
/// repetition.
const TOGETHER: u32 = 3;
/// A resolved alert is closed after so long.
const CLOSE_AFTER: Duration = Duration::from_secs(30);
/// What is learned of a selector is worth saving so long after it began to change.
const LEARNED_EVERY: Duration = Duration::from_secs(60);
/// A tick tells of at most so much time: more means that the machine slept or its clock jumped.
const LONGEST_TICK: Duration = Duration::from_secs(5);
/// Where what was learned is kept, for messages.
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

/// Evaluates detectors without thresholds, event by event.
///
/// Each selector on each site has [`SelectorDetectors`](telemetry_detection::SelectorDetectors). They
/// share one budget of false alarms, split evenly over the selectors that there are, and then over
/// what is watched of each.
#[derive(Debug)]
pub struct DetectionEngine {
    per_day: f64,
    max_series: usize,
    names: HashMap<Arc<str>, Vec<OnSite>>,
    sites: HashMap<Option<Arc<str>>, Vec<usize>>,
    series: Vec<Series>,
    time: EngineTime,
    /// Time that passed, by ticks alone.
    ticked: Duration,
    last_tick: Option<Timestamp>,
    orphans: Vec<Alert>,
    learning: VecDeque<(Timestamp, usize)>,
    unwatched: u64,
}

/// A site and the index of a selector's series on it.
type OnSite = (Option<Arc<str>>, usize);

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
            ticked: Duration::ZERO,
            last_tick: None,
            orphans: Vec::new(),
            learning: VecDeque::new(),
            unwatched: 0,
        })
    }

    /// Takes over what an earlier run has learned.
    pub fn recall(&mut self, memories: impl IntoIterator<Item = DetectionMemory>) {
        for memory in memories {
            let site = memory.site.as_deref();
            if let Some(at) = self.series_of(&memory.selector, site) {
                self.series[at].recall(memory);
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
            let watched = Watched::ALL.into_iter().find(|it| words::rule(*it) == *alert.rule);
            let at = self.series_of(&alert.selector, alert.site.as_deref());
            match (watched, at.map(|at| &mut self.series[at])) {
                (Some(watched), Some(series))
                    if series.detectors.is_open(watched) || !alert.state.is_open() =>
                {
                    series.alerts.push((watched, Box::new(alert)));
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
    fn take_learned(&mut self, limit: usize) -> Vec<DetectionMemory> {
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
        self.series.push(Series::new(selector.clone(), site));
        Some(at)
    }

    fn budget(&self) -> Budget {
        let selectors = self.series.len().max(1) as f64;
        Budget { per_day: self.per_day / selectors, startup: STARTUP }
    }

    fn event(&mut self, event: &Event, changes: &mut Vec<AlertTransition>) {
        self.time.event(event.timestamp);
        let line = self.time.line();
        let Some(at) = self.series_of(&event.selector, event.site()) else {
            self.unwatched += 1;
            return;
        };
        let budget = self.budget();
        let series = &mut self.series[at];
        if !series.learning {
            series.learning = true;
            self.learning.push_back((line, at));
        }
        series.heard = self.ticked;
        series.detectors.definition(event.selector_version);
        series.note(event);
        let mut found = Vec::new();
        series.detectors.observe(&Operation::of(event, line), budget, &mut found);
        if series.detectors.failing() >= TOGETHER {
            let weight = self.company(at).weight();
            self.series[at].detectors.support(weight, &mut found);
        }
        self.announce(at, &found, changes);
    }

    /// What the other selectors of the page, or of the site where it has no others, say about when
    /// this one failed first.
    fn company(&self, at: usize) -> Company {
        let mut company = Company::default();
        let own = &self.series[at];
        let (Some(broke), Some(peers)) = (own.detectors.broke(), self.sites.get(&own.site)) else {
            return company;
        };
        let others = |on_page: bool| {
            let peers = peers.iter().filter(|peer| **peer != at).map(|peer| &self.series[*peer]);
            let used = peers.filter(|it| it.detectors.last() >= Some(broke.from));
            used.filter(move |it| it.detectors.worked() && (!on_page || it.page == own.page))
        };
        let on_page = others(true).next().is_some();
        for peer in others(on_page) {
            let then = peer.detectors.broke().filter(|it| broke.overlaps(*it));
            company.add(then.map(|_| peer.detectors.evidence()));
        }
        company
    }

    fn announce(&mut self, at: usize, found: &[Finding], changes: &mut Vec<AlertTransition>) {
        if found.is_empty() {
            return;
        }
        self.learning.push_front((Timestamp::MIN, at));
        let (line, shown) = (self.time.line(), self.time.shown());
        for finding in found {
            match finding.step {
                Step::Began(change) if !self.is_explained(at, finding.watched, found) => {
                    let since = shown.saturating_sub(line.since(change.since));
                    let change = Change { since, ..change };
                    let scope = self.scope(at, finding.watched);
                    let alert = self.series[at].alert(finding.watched, change, scope, shown);
                    self.series[at].alerts.retain(|(watched, _)| *watched != finding.watched);
                    self.series[at].alerts.push((finding.watched, Box::new(alert)));
                    let (_, alert) = self.series[at].alerts.last_mut().expect("just pushed");
                    changes.push(series::moved(alert, AlertState::Firing, shown));
                }
                Step::Ended => {
                    let mut alerts = self.series[at].alerts.iter_mut();
                    let open = alerts.find(|(watched, alert)| {
                        *watched == finding.watched && alert.state.is_open()
                    });
                    if let Some((_, alert)) = open {
                        alert.resolve(ResolutionMethod::Automatic, shown);
                        changes.push(series::moved(alert, AlertState::Resolved, shown));
                    }
                }
                Step::Began(_) | Step::Quiet => {}
            }
        }
    }

    /// Whether a change needs no alert of its own because one that says more has it: failures that
    /// are zero matches, timeouts or failed validations; a mix that changed towards the fallbacks.
    fn is_explained(&self, at: usize, watched: Watched, found: &[Finding]) -> bool {
        let by: &[Watched] = match watched {
            Watched::Errors => {
                &[Watched::ZeroMatches, Watched::Timeouts, Watched::ValidationFailures]
            }
            Watched::StrategyMix => &[Watched::Fallbacks],
            Watched::Fallbacks => &[Watched::StrategyMix],
            _ => return false,
        };
        let now = |it: &Finding| by.contains(&it.watched) && matches!(it.step, Step::Began(_));
        let both = watched == Watched::Fallbacks;
        let alerted = |it: &Watched| self.series[at].alerted(*it);
        by.iter().any(alerted) || (!both && found.iter().any(now))
    }

    /// Where the cause lies, by the other selectors of the page and the site, and in words.
    fn scope(&self, at: usize, watched: Watched) -> Option<(Scope, String)> {
        let own = &self.series[at];
        let site = own.site.as_deref()?;
        let (mut page, mut elsewhere) = (Peers::default(), Peers::default());
        let mut unreached = Peers::default();
        let broke = own.detectors.broke();
        for peer in self.sites.get(&own.site)?.iter().filter(|peer| **peer != at) {
            let peer = &self.series[*peer];
            // One that was not used since says nothing.
            if broke.is_some_and(|broke| peer.detectors.last() < Some(broke.from)) {
                continue;
            }
            unreached.add(peer.detectors.is_open(Watched::EnvironmentFaults));
            if peer.detectors.worked() {
                let then = match (broke, peer.detectors.broke()) {
                    (Some(own), Some(other)) => own.overlaps(other),
                    (None, _) => true,
                    (Some(_), None) => false,
                };
                let failing = then && peer.detectors.evidence() > FAILING;
                if peer.page == own.page { page.add(failing) } else { elsewhere.add(failing) }
            }
        }
        let environment = watched == Watched::EnvironmentFaults
            || own.detectors.is_open(Watched::EnvironmentFaults);
        let broke = matches!(
            watched,
            Watched::Errors
                | Watched::ZeroMatches
                | Watched::Timeouts
                | Watched::ValidationFailures
                | Watched::EnvironmentFaults
        );
        let scope = scope(page, elsewhere, environment).filter(|_| broke)?;
        Some((scope, words::scope(scope, site, page, elsewhere, unreached)))
    }
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
        let passed = self.last_tick.map_or(Duration::ZERO, |last| now.since(last));
        self.last_tick = Some(now);
        let before = self.ticked.as_secs() / LONGEST_TICK.as_secs();
        self.ticked += passed.min(LONGEST_TICK);
        let shown = self.time.shown();
        for mut alert in self.orphans.drain(..) {
            if alert.resolved_at.is_none() {
                alert.resolve(ResolutionMethod::RuleRemoved, shown);
            }
            changes.push(series::moved(&mut alert, AlertState::Closed, shown));
        }
        for series in &mut self.series {
            series.alerts.retain_mut(|(_, alert)| {
                let due = alert.state == AlertState::Resolved
                    && shown.since(alert.updated_at) >= CLOSE_AFTER;
                if due {
                    changes.push(series::moved(alert, AlertState::Closed, shown));
                }
                !due
            });
        }
        if self.ticked.as_secs() / LONGEST_TICK.as_secs() == before {
            return;
        }
        let budget = self.budget();
        let mut found = Vec::new();
        for at in 0..self.series.len() {
            let series = &mut self.series[at];
            series.detectors.tick(self.ticked - series.heard, budget, &mut found);
            if !found.is_empty() {
                self.announce(at, &found, changes);
                found.clear();
            }
        }
    }

    fn open(&self) -> Vec<Alert> {
        let alerts = self.series.iter().flat_map(|series| &series.alerts);
        let open = alerts.filter(|(_, alert)| alert.state.is_open());
        open.map(|(_, alert)| Alert::clone(alert)).collect()
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
        let mut series = self.series.iter_mut();
        let (detectors, watched, alert) = series.find_map(|series| {
            let mut alerts = series.alerts.iter_mut();
            let (watched, alert) = alerts.find(|(_, alert)| alert.id == request.alert)?;
            Some((&mut series.detectors, *watched, alert))
        })?;
        let from = alert.state;
        let cause = match alert.apply(request) {
            Ok(cause) => cause,
            Err(error) => return Some(Err(error)),
        };
        if let AlertAction::Resolve { .. } = request.action {
            detectors.dismiss(watched);
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

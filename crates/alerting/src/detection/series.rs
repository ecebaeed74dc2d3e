use super::words;
use crate::{explain, held::fingerprint};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use telemetry_detection::{Change, Scope, SelectorDetectors, Watched};
use telemetry_interfaces::Learned;
use telemetry_models::{
    Alert, AlertId, AlertSource, AlertState, AlertTransition, Comparison, Event, EventId, Evidence,
    SelectorName, Severity, Timestamp,
};

/// Events named in an alert.
const MAX_EVENTS: usize = 10;

/// What the detectors know of one selector on one site, in a form that can be kept. It survives other
/// versions of this crate: what they do not know of is passed over, what they miss is learned anew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DetectionMemory {
    pub(super) selector: SelectorName,
    pub(super) site: Option<Arc<str>>,
    #[serde(default)]
    detectors: Map<String, Value>,
}

impl DetectionMemory {
    /// The document it is kept as.
    pub(super) fn to_learned(&self) -> Option<Learned> {
        let key = format!("{} {}", self.selector, self.site.as_deref().unwrap_or_default());
        match serde_json::to_string(self) {
            Ok(value) => Some(Learned { key, value }),
            Err(error) => {
                tracing::error!(key, %error, "cannot be written as JSON");
                None
            }
        }
    }

    /// Reads each part by itself: one that another version wrote in another form costs that part.
    fn detectors(self) -> SelectorDetectors {
        let mut readable = Map::new();
        for (name, value) in self.detectors {
            readable.insert(name.clone(), value);
            let so_far = Value::Object(readable.clone());
            if serde_json::from_value::<SelectorDetectors>(so_far).is_err() {
                tracing::warn!(part = name, selector = %self.selector, "learned anew");
                readable.remove(&name);
            }
        }
        serde_json::from_value(Value::Object(readable)).unwrap_or_default()
    }
}

/// One selector on one site.
#[derive(Debug)]
pub(super) struct Series {
    pub(super) selector: SelectorName,
    pub(super) site: Option<Arc<str>>,
    pub(super) detectors: SelectorDetectors,
    pub(super) alerts: Vec<(Watched, Box<Alert>)>,
    /// URL template of the page it was used on last, or the URL.
    pub(super) page: Option<Arc<str>>,
    bad: VecDeque<EventId>,
    /// The last operation that says what is wrong, and the last one at all.
    scene: Option<Box<Event>>,
    /// Time by ticks at the last operation.
    pub(super) heard: Duration,
    pub(super) learning: bool,
}

impl Series {
    pub(super) fn new(selector: SelectorName, site: Option<Arc<str>>) -> Self {
        Self {
            selector,
            site,
            detectors: SelectorDetectors::default(),
            alerts: Vec::new(),
            page: None,
            bad: VecDeque::new(),
            scene: None,
            heard: Duration::ZERO,
            learning: false,
        }
    }

    pub(super) fn recall(&mut self, memory: DetectionMemory) {
        self.detectors = memory.detectors();
    }

    pub(super) fn memory(&self) -> DetectionMemory {
        let detectors = match serde_json::to_value(&self.detectors) {
            Ok(Value::Object(parts)) => parts,
            _ => Map::new(),
        };
        let (selector, site) = (self.selector.clone(), self.site.clone());
        DetectionMemory { selector, site, detectors }
    }

    /// Remembers what an alert would have to show.
    pub(super) fn note(&mut self, event: &Event) {
        if let Some(page) = &event.page
            && let Some(name) = page.url_template.as_ref().or(page.url.as_ref())
            && self.page.as_ref() != Some(name)
        {
            self.page = Some(Arc::clone(name));
        }
        if event.outcome.is_success() && event.fallback_depth().is_none_or(|depth| depth == 0) {
            return;
        }
        if self.bad.len() == MAX_EVENTS {
            self.bad.pop_front();
        }
        self.bad.push_back(event.id.clone());
        self.scene = Some(Box::new(event.clone()));
    }

    /// Whether there is an open alert about it.
    pub(super) fn alerted(&self, watched: Watched) -> bool {
        self.alerts.iter().any(|(it, alert)| *it == watched && alert.state.is_open())
    }

    /// An alert about a change, not yet firing.
    pub(super) fn alert(
        &self,
        watched: Watched,
        change: Change,
        scope: Option<(Scope, String)>,
        shown: Timestamp,
    ) -> Alert {
        let rule = words::rule(watched);
        let signal = watched.signal();
        let print = fingerprint(&rule, self.selector.as_str(), self.site.as_ref());
        let id = AlertId::new(format!("{print}-{:x}", shown.as_nanos())).expect("not blank");
        let mut alert = Alert::new(id, &rule, self.selector.clone(), signal, change.since);
        alert.source = AlertSource::Detector;
        alert.fingerprint = print.into();
        alert.site.clone_from(&self.site);
        alert.severity = severity(watched);
        alert.state = AlertState::Inactive;
        alert.fired_at = Some(shown);
        alert.value = change.now;
        let above = change.now >= change.before;
        alert.comparison = if above { Comparison::Above } else { Comparison::Below };
        alert.threshold = change.before;
        alert.baseline = Some(change.before);
        alert.samples = change.samples;
        let of_faults = signal.is_share() || watched == Watched::StrategyMix;
        let scene = self.scene.as_deref().filter(|_| of_faults);
        let page = scene.and_then(|event| event.page.as_ref());
        alert.page_template = page.and_then(|page| page.url_template.clone());
        let bad = (change.now * change.samples as f64).round() as usize;
        let named = if of_faults { bad.min(self.bad.len()) } else { 0 };
        let attempts = scene.map_or(&[][..], |event| &event.attempts);
        alert.evidence = Evidence {
            events: self.bad.iter().skip(self.bad.len() - named).cloned().collect(),
            url: page.and_then(|page| page.url.clone()),
            before: Some(words::usual(watched, change)),
            now: explain::now(attempts),
        };
        alert.summary = words::summary(&self.selector, watched, change, self.detectors.gained());
        if let Some((scope, _)) = &scope {
            alert.labels.insert("scope".into(), scope.as_str().into());
        }
        let cause = scope.map(|(_, cause)| cause);
        alert.likely_cause = cause.or_else(|| explain::cause(signal, attempts));
        alert.suggestion = explain::suggestion(&alert, signal, attempts);
        alert
    }
}

const fn severity(watched: Watched) -> Severity {
    match watched {
        Watched::Errors
        | Watched::ZeroMatches
        | Watched::Timeouts
        | Watched::ValidationFailures
        | Watched::EnvironmentFaults
        | Watched::NeverWorked => Severity::High,
        Watched::Duration
        | Watched::Confidence
        | Watched::Calibration
        | Watched::Matches
        | Watched::Silence
        | Watched::Burst => Severity::Medium,
        Watched::Fallbacks | Watched::StrategyMix => Severity::Low,
    }
}

pub(super) fn moved(alert: &mut Alert, to: AlertState, at: Timestamp) -> AlertTransition {
    let from = std::mem::replace(&mut alert.state, to);
    alert.updated_at = at;
    AlertTransition::new(from, at, alert.clone())
}

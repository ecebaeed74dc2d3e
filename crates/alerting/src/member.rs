use crate::message::fnv;
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::{Alert, AlertId, AlertSource, SelectorName, Severity, Signal, Timestamp};

/// What delivery remembers of an alert; everything else is read from the state when it is told.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Member {
    /// The fingerprint, as a number.
    pub(crate) print: u64,
    /// The end of an id that begins with the fingerprint.
    activated: u64,
    pub(crate) selector: SelectorName,
    pub(crate) alike: Arc<Alike>,
    pub(crate) fired_at: Timestamp,
    pub(crate) severity: Severity,
    pub(crate) open: bool,
    /// Somebody takes care of it: it is not repeated.
    pub(crate) acknowledged: bool,
    rare: Option<Box<Rare>>,
}

/// What alerts of one rule on one page have in common; held once for all of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Alike {
    pub(crate) rule: Arc<str>,
    pub(crate) site: Option<Arc<str>>,
    /// URL template of the page.
    pub(crate) template: Option<Arc<str>>,
    pub(crate) signal: Signal,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) blocked: bool,
    /// It is about the telemetry system itself: nothing keeps it quiet.
    pub(crate) system: bool,
}

/// What few alerts have.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rare {
    /// An id that is not made of the fingerprint.
    id: Option<AlertId>,
    suppressed_until: Option<Timestamp>,
    reopened: u32,
    heartbeat: Option<i64>,
}

impl Alike {
    pub(crate) fn of(alert: &Alert) -> Self {
        let text = |it: &Option<String>| it.as_deref().is_some_and(|it| it.contains("blocked"));
        Self {
            rule: Arc::clone(&alert.rule),
            site: alert.site.clone(),
            template: alert.page_template.clone(),
            signal: alert.signal,
            labels: alert.labels.clone(),
            blocked: text(&alert.evidence.now) || text(&alert.likely_cause),
            system: alert.source == AlertSource::System,
        }
    }
}

impl Member {
    /// `heartbeat` is when it said that it still stands, in milliseconds since 1970.
    pub(crate) fn of(alert: &Alert, alike: Arc<Alike>, heartbeat: Option<i64>) -> Self {
        let usual = number_of(&alert.fingerprint)
            .zip(alert.id.as_str().rsplit_once('-'))
            .and_then(|(print, (_, end))| Some((print, u64::from_str_radix(end, 16).ok()?)))
            .filter(|(print, activated)| id(*print, *activated) == alert.id.as_str());
        let (print, activated) = usual.unwrap_or_else(|| (fnv([&*alert.fingerprint]), 0));
        let rare = Rare {
            id: usual.is_none().then(|| alert.id.clone()),
            suppressed_until: alert.handling.suppressed.as_ref().map(|it| it.until),
            reopened: alert.reopened,
            heartbeat,
        };
        Self {
            print,
            activated,
            selector: alert.selector.clone(),
            alike,
            fired_at: alert.fired_at.unwrap_or(alert.since),
            severity: alert.severity,
            open: alert.state.is_open(),
            acknowledged: alert.handling.acknowledged.is_some(),
            rare: (rare != Rare::default()).then(|| Box::new(rare)),
        }
    }

    pub(crate) fn id(&self) -> AlertId {
        match self.rare.as_ref().and_then(|it| it.id.as_ref()) {
            Some(id) => id.clone(),
            None => {
                AlertId::new(id(self.print, self.activated)).expect("hexadecimal digits are a text")
            }
        }
    }

    /// Nothing is told of it until then.
    pub(crate) fn suppressed_until(&self) -> Option<Timestamp> {
        self.rare.as_ref()?.suppressed_until
    }

    pub(crate) fn reopened(&self) -> u32 {
        self.rare.as_ref().map_or(0, |it| it.reopened)
    }

    /// When it said that it still stands, in milliseconds since 1970.
    pub(crate) fn heartbeat(&self) -> Option<i64> {
        self.rare.as_ref()?.heartbeat
    }

    /// Whether a channel that was told of it at some severity, or was not, has news of it.
    pub(crate) fn is_news(&self, told: Option<Severity>) -> bool {
        match (self.open, told) {
            (true, Some(told)) => self.severity > told,
            (true, None) | (false, Some(_)) => true,
            (false, None) => false,
        }
    }
}

fn number_of(fingerprint: &str) -> Option<u64> {
    (fingerprint.len() == 16).then(|| u64::from_str_radix(fingerprint, 16).ok())?
}

fn id(print: u64, activated: u64) -> String {
    format!("{print:016x}-{activated:x}")
}

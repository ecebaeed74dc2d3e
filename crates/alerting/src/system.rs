use crate::duration_text;
use crate::held::fingerprint;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_interfaces::{AlertEngine, Code, Error, ErrorKind, Result, Vitals};
use telemetry_models::{
    Alert, AlertId, AlertRequest, AlertSource, AlertState, AlertTransition, ChangeCause,
    Comparison, Invalid, ResolutionMethod, SelectorName, Severity, Signal, Timestamp,
};

/// Trouble that is a count ends when the count has stood still for so long.
const CALM: Duration = Duration::from_secs(300);
/// A state that is trouble may last so long before it is told.
const HOLD: Duration = Duration::from_secs(30);
/// So many batches that are not saved and told yet are an overload.
const BEHIND: u64 = 1000;
/// Input this late is late, and what is later than that is an import.
const LATE: (Duration, Duration) = (Duration::from_secs(60), Duration::from_secs(3600));

/// What the telemetry system says about itself: the `[alerting.system]` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SystemConfig {
    /// Whether loss, spooling, late input, overload and failing channels are alerts. Nothing
    /// inhibits, mutes or silences them.
    pub enabled: bool,
    /// An alert when nothing was recorded for so long after something was, 1 s to 7 days; never by
    /// default.
    #[serde(with = "duration_text::optional", skip_serializing_if = "Option::is_none")]
    pub silent_after: Option<Duration>,
    /// An alert that always fires and is sent again so often, 1 s to 7 days, for a receiver that
    /// notices when it stays away; none by default.
    #[serde(with = "duration_text::optional", skip_serializing_if = "Option::is_none")]
    pub heartbeat: Option<Duration>,
}

impl Default for SystemConfig {
    fn default() -> Self {
        Self { enabled: true, silent_after: None, heartbeat: None }
    }
}

impl SystemConfig {
    pub(crate) fn validate(&self) -> Result<()> {
        let allowed = Duration::from_secs(1)..=Duration::from_secs(7 * 86_400);
        for (field, value) in [("silent_after", self.silent_after), ("heartbeat", self.heartbeat)] {
            if let Some(found) = value.filter(|it| !allowed.contains(it)) {
                let found = duration_text::show(found);
                let message = format!(
                    "the alerting configuration is wrong: found {found}, expected 1s to 168h"
                );
                return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
                    .with("field", format!("alerting.system.{field}")));
            }
        }
        Ok(())
    }
}

/// Raises alerts about the telemetry system itself, from its own counts.
#[derive(Debug)]
pub struct SystemEngine {
    watches: Vec<Watch>,
    heartbeat: Option<(Duration, Option<Timestamp>)>,
    silent_after: Option<Duration>,
    vitals: Vitals,
    /// Events seen by then, and when the last one was.
    heard: u64,
    heard_at: Option<Timestamp>,
    orphans: Vec<Alert>,
    now: Timestamp,
}

/// One kind of trouble.
#[derive(Debug)]
struct Watch {
    rule: &'static str,
    part: &'static str,
    kind: Kind,
    /// Of a count, the figure when it moved last.
    counted: u64,
    moved_at: Option<Timestamp>,
    /// Of a state, when it began.
    since: Option<Timestamp>,
    alert: Option<Box<Alert>>,
    activated: i64,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// A count that should stand still.
    Count(fn(&Vitals) -> u64),
    /// A state that should not last.
    State(fn(&Vitals) -> u64),
    Silence,
    Heartbeat,
}

impl SystemEngine {
    /// Watches what the configuration asks for.
    ///
    /// # Errors
    /// TEL-004 when a duration is out of range.
    pub fn new(config: &SystemConfig) -> Result<Self> {
        config.validate()?;
        let late = |vitals: &Vitals| {
            let lag = vitals.lag.filter(|lag| *lag > LATE.0 && *lag < LATE.1);
            lag.map_or(0, |lag| lag.as_secs())
        };
        let behind = |vitals: &Vitals| if vitals.behind > BEHIND { vitals.behind } else { 0 };
        let mut kinds: Vec<(&str, &str, Kind)> = Vec::new();
        if config.enabled {
            kinds.extend([
                ("telemetry-loss", "telemetry.collector", Kind::Count(|it| it.lost)),
                ("telemetry-spooling", "telemetry.store", Kind::State(|it| it.spooled)),
                ("telemetry-late-input", "telemetry.collector", Kind::State(late)),
                ("telemetry-overload", "telemetry.alerting", Kind::State(behind)),
                ("telemetry-unwatched", "telemetry.alerting", Kind::Count(|it| it.unwatched)),
                ("telemetry-undelivered", "telemetry.channels", Kind::Count(|it| it.given_up)),
            ]);
        }
        if config.silent_after.is_some() {
            kinds.push(("telemetry-silent", "telemetry.producer", Kind::Silence));
        }
        if config.heartbeat.is_some() {
            kinds.push(("telemetry-heartbeat", "telemetry.heartbeat", Kind::Heartbeat));
        }
        Ok(Self {
            watches: kinds
                .into_iter()
                .map(|(rule, part, kind)| Watch::new(rule, part, kind))
                .collect(),
            heartbeat: config.heartbeat.map(|every| (every, None)),
            silent_after: config.silent_after,
            vitals: Vitals::default(),
            heard: 0,
            heard_at: None,
            orphans: Vec::new(),
            now: Timestamp::MIN,
        })
    }
}

impl Watch {
    fn new(rule: &'static str, part: &'static str, kind: Kind) -> Self {
        let (counted, activated) = (0, i64::MIN);
        Self { rule, part, kind, counted, moved_at: None, since: None, alert: None, activated }
    }

    /// The trouble there is now, as a figure.
    fn trouble(&mut self, vitals: &Vitals, now: Timestamp) -> Option<u64> {
        match self.kind {
            Kind::Count(read) => {
                let count = read(vitals);
                if count > self.counted {
                    self.moved_at = Some(now);
                }
                self.counted = count;
                self.moved_at.filter(|at| now.since(*at) < CALM).map(|_| count)
            }
            Kind::State(read) => {
                let figure = read(vitals);
                if figure == 0 {
                    self.since = None;
                    return None;
                }
                let since = *self.since.get_or_insert(now);
                (now.since(since) >= HOLD || self.alert.is_some()).then_some(figure)
            }
            Kind::Silence | Kind::Heartbeat => None,
        }
    }

    fn look(&mut self, trouble: Option<u64>, now: Timestamp, changes: &mut Vec<AlertTransition>) {
        match (trouble, &mut self.alert) {
            (Some(figure), None) => {
                let alert = self.begin(figure, now);
                changes.push(AlertTransition::new(AlertState::Inactive, now, alert.clone()));
                self.alert = Some(Box::new(alert));
            }
            (Some(figure), Some(alert)) => {
                if alert.value != figure as f64 {
                    (alert.value, alert.updated_at) = (figure as f64, now);
                }
            }
            (None, Some(_)) => {
                if let Some(mut alert) = self.alert.take() {
                    let from = std::mem::replace(&mut alert.state, AlertState::Resolved);
                    alert.resolve(ResolutionMethod::Automatic, now);
                    (alert.updated_at, alert.state_since) = (now, Some(now));
                    changes.push(AlertTransition::new(from, now, Alert::clone(&alert)));
                    alert.state = AlertState::Closed;
                    changes.push(AlertTransition::new(AlertState::Resolved, now, *alert));
                }
            }
            (None, None) => {}
        }
    }

    fn begin(&mut self, figure: u64, now: Timestamp) -> Alert {
        let print = fingerprint(self.rule, self.part, None);
        self.activated = now.as_nanos().max(self.activated.saturating_add(1));
        let id = AlertId::new(format!("{print}-{:x}", self.activated));
        let id = id.expect("hexadecimal digits are not blank");
        let selector = SelectorName::new(self.part).expect("a part's name is not blank");
        let (summary, suggestion) = words(self.rule, figure);
        let heartbeat = matches!(self.kind, Kind::Heartbeat);
        Alert {
            fingerprint: print.into(),
            severity: if heartbeat { Severity::Low } else { Severity::High },
            state: AlertState::Firing,
            state_since: Some(now),
            fired_at: Some(now),
            value: figure as f64,
            comparison: Comparison::Above,
            source: AlertSource::System,
            summary,
            suggestion: Some(suggestion.to_owned()),
            ..Alert::new(id, self.rule, selector, Signal::Health, self.since.unwrap_or(now))
        }
    }
}

/// What happened, and what to do.
fn words(rule: &str, figure: u64) -> (String, &'static str) {
    let doctor = "`telemetry doctor` says more";
    match rule {
        "telemetry-loss" => (
            format!("{figure} events were given up since the start"),
            "`telemetry doctor` says for which reason; a larger buffer or a faster disk helps",
        ),
        "telemetry-spooling" => (
            format!("{figure} events wait in the spool because the store does not take them"),
            "see whether the store's disk is full or away; they are stored when it is back",
        ),
        "telemetry-late-input" => (
            format!("events arrive {figure} s late"),
            "see whether the machine or its disk is overloaded",
        ),
        "telemetry-overload" => (
            format!("TEL-006 {figure} batches of changes of alerts wait to be saved and told"),
            doctor,
        ),
        "telemetry-unwatched" => (
            format!("{figure} events of further selectors were not watched"),
            "raise alerting.max_series",
        ),
        "telemetry-undelivered" => (
            format!("{figure} notifications were given up"),
            "`telemetry doctor` lists them with the reason; `telemetry alerts test` tries the channels",
        ),
        "telemetry-silent" => (
            format!("nothing was recorded for {figure} s"),
            "see whether the observed program still works",
        ),
        _ => ("the telemetry system is alive".to_owned(), "nothing; worry when this stays away"),
    }
}

impl AlertEngine for SystemEngine {
    fn name(&self) -> &str {
        "system"
    }

    fn observe(&mut self, _events: &[telemetry_models::Event], _: &mut Vec<AlertTransition>) {}

    fn vitals(&mut self, vitals: &Vitals) {
        self.vitals = *vitals;
    }

    fn tick(&mut self, now: Timestamp, changes: &mut Vec<AlertTransition>) {
        // A clock that is set back stops time until it has caught up.
        let moved = now > self.now;
        self.now = self.now.max(now);
        let now = self.now;
        for alert in self.orphans.drain(..) {
            changes.push(crate::engine::end_of(alert, now));
        }
        let vitals = self.vitals;
        if vitals.seen > self.heard {
            (self.heard, self.heard_at) = (vitals.seen, Some(now));
        }
        for watch in &mut self.watches {
            let trouble = match watch.kind {
                Kind::Heartbeat => Some(1),
                Kind::Silence => {
                    let silence = self.heard_at.map(|at| now.since(at));
                    silence
                        .filter(|it| self.silent_after.is_some_and(|after| *it >= after))
                        .map(|it| it.as_secs())
                }
                Kind::Count(_) | Kind::State(_) => watch.trouble(&vitals, now),
            };
            let known = watch.alert.is_some();
            watch.look(trouble, now, changes);
            if let (Kind::Heartbeat, Some((every, told)), Some(alert)) =
                (watch.kind, &mut self.heartbeat, &mut watch.alert)
            {
                let due = told.is_none_or(|told| now.since(told) >= *every);
                if known && due && moved {
                    alert.updated_at = now;
                    let alert = Alert::clone(alert);
                    changes.push(AlertTransition::within(ChangeCause::Heartbeat, now, alert));
                }
                if due {
                    *told = Some(now);
                }
            }
        }
    }

    fn open(&self) -> Vec<Alert> {
        self.watches.iter().filter_map(|watch| watch.alert.as_deref()).cloned().collect()
    }

    fn restore(&mut self, alerts: Vec<Alert>) -> Vec<Alert> {
        let (own, others): (Vec<_>, Vec<_>) =
            alerts.into_iter().partition(|alert| alert.source == AlertSource::System);
        for alert in own.into_iter().filter(|alert| alert.state.is_open()) {
            match self.watches.iter_mut().find(|watch| *watch.rule == *alert.rule) {
                Some(watch) => watch.alert = Some(Box::new(alert)),
                None => self.orphans.push(alert),
            }
        }
        others
    }

    fn handle(
        &mut self,
        request: &AlertRequest,
        changes: &mut Vec<AlertTransition>,
    ) -> Option<std::result::Result<(), Invalid>> {
        let mut watches = self.watches.iter_mut();
        let watch =
            watches.find(|it| it.alert.as_ref().is_some_and(|it| it.id == request.alert))?;
        let alert = watch.alert.as_mut()?;
        let from = alert.state;
        let cause = match alert.apply(request) {
            Ok(cause) => cause,
            Err(invalid) => return Some(Err(invalid)),
        };
        let alert = Alert::clone(alert);
        if !alert.state.is_open() {
            (watch.alert, watch.moved_at, watch.since) = (None, None, None);
        }
        changes.push(AlertTransition { from, at: request.at, cause, alert });
        Some(Ok(()))
    }
}

//! Operations of a selector, one a second, and what an engine makes of them.

use std::sync::Arc;
use std::time::Duration;
use telemetry_alerting::{AlertingConfig, Profile, Rule, ThresholdEngine};
use telemetry_interfaces::{AlertEngine, Clock};
use telemetry_models::{
    Alert, AlertState, AlertTransition, Attempt, AttemptOutcome, Confidence, Event, EventId,
    OperationKind, Outcome, PageContext, SelectorName, StrategyKind, Timestamp,
};

pub const START_MS: i64 = 1_800_000_000_000;

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + seconds * 1000)
}

/// Makes events of one selector.
#[derive(Clone, Debug)]
pub struct Visits {
    pub selector: SelectorName,
    pub next: i64,
    pub version: Option<u32>,
    page: Arc<PageContext>,
}

impl Visits {
    pub fn of(selector: &str) -> Self {
        Self {
            selector: SelectorName::new(selector).unwrap(),
            next: 0,
            version: None,
            page: Arc::new(PageContext::at("https://shop.example/product/7")),
        }
    }

    pub fn event(&mut self, outcome: Outcome) -> Event {
        let id = EventId::new(&format!("{}-{}", self.selector, self.next)).unwrap();
        let mut event = Event::new(
            id,
            self.selector.clone(),
            at(self.next),
            OperationKind::Resolution,
            outcome,
        );
        event.selector_version = self.version;
        event.page = Some(Arc::clone(&self.page));
        self.next += 1;
        event
    }

    /// The primary strategy finds it, with confidence 0.95, in 4 ms.
    pub fn found(&mut self) -> Event {
        self.found_with(0.95, 4.0)
    }

    pub fn found_with(&mut self, confidence: f64, ms: f64) -> Event {
        let mut event = self.event(Outcome::Success);
        let duration = Duration::from_secs_f64(ms / 1e3);
        event.attempts = vec![Attempt {
            duration: Some(duration),
            confidence: Some(Confidence::new(confidence).unwrap()),
            elements: Some(1),
            ..try_of("css", "span.price", AttemptOutcome::Accepted)
        }];
        event.timing.total = Some(duration);
        event
    }

    /// Neither strategy matches anything.
    pub fn missing(&mut self) -> Event {
        let mut event = self.event(Outcome::NotFound);
        event.attempts = vec![
            try_of("css", "span.price", AttemptOutcome::Empty),
            try_of("xpath", "//main//b", AttemptOutcome::Empty),
        ];
        event
    }

    /// The second strategy finds it, less surely and more slowly.
    pub fn fallen_back(&mut self) -> Event {
        let mut event = self.found_with(0.3, 40.0);
        let winner = Attempt {
            confidence: Some(Confidence::new(0.3).unwrap()),
            ..try_of("xpath", "//main//b", AttemptOutcome::Accepted)
        };
        event.attempts = vec![try_of("css", "span.price", AttemptOutcome::Empty), winner];
        event
    }
}

fn try_of(kind: &str, text: &str, outcome: AttemptOutcome) -> Attempt {
    Attempt { text: Some(text.into()), ..Attempt::new(StrategyKind::new(kind), outcome) }
}

pub fn engine_of(rules: Vec<Rule>) -> ThresholdEngine {
    let config = AlertingConfig { profile: Profile::None, rules, ..AlertingConfig::default() };
    ThresholdEngine::new(&config).unwrap()
}

pub fn default_engine() -> ThresholdEngine {
    ThresholdEngine::new(&AlertingConfig::default()).unwrap()
}

pub fn observe(engine: &mut ThresholdEngine, events: &[Event]) -> Vec<AlertTransition> {
    let mut changes = Vec::new();
    engine.observe(events, &mut changes);
    changes
}

pub fn tick(engine: &mut ThresholdEngine, now: Timestamp) -> Vec<AlertTransition> {
    let mut changes = Vec::new();
    engine.tick(now, &mut changes);
    changes
}

/// Alerts that began to fire.
pub fn fired(changes: &[AlertTransition]) -> Vec<&Alert> {
    changes
        .iter()
        .map(|change| &change.alert)
        .filter(|alert| alert.state == AlertState::Firing)
        .collect()
}

pub fn rules_fired(changes: &[AlertTransition]) -> Vec<&str> {
    fired(changes).into_iter().map(|alert| &*alert.rule).collect()
}

#[derive(Debug)]
pub struct FixedClock;

impl Clock for FixedClock {
    fn utc(&self) -> Timestamp {
        at(0)
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

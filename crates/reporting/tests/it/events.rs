use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{EventStore, MemoryStore, Query};
use telemetry_models::report::Report;
use telemetry_models::{
    Alert, AlertId, AlertState, Attempt, AttemptOutcome, Comparison, Confidence, Event, EventId,
    Evidence, OperationKind, Outcome, PageContext, SelectorName, Severity, Signal, StrategyKind,
    Timestamp,
};
use telemetry_reporting::{ReportBuilder, ReportRequest, ReportingConfig};

pub(crate) const START_MS: i64 = 1_767_268_800_000; // 2026-01-01T12:00:00Z

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(START_MS + second * 1_000)
}

/// One event under construction.
pub(crate) struct Make {
    pub(crate) event: Event,
}

pub(crate) fn make(id: u128, selector: &str, second: i64, outcome: Outcome) -> Make {
    let mut event = Event::new(
        EventId::from_u128(id),
        SelectorName::new(selector).unwrap(),
        at(second),
        OperationKind::Resolution,
        outcome,
    );
    event.page = Some(Arc::new(PageContext::at("https://www.shop.example/p/1")));
    Make { event }
}

impl Make {
    pub(crate) fn ms(mut self, ms: u64) -> Self {
        self.event.timing.total = Some(Duration::from_millis(ms));
        self
    }

    pub(crate) fn confidence(mut self, confidence: f64) -> Self {
        self.event.quality.confidence = Some(Confidence::new(confidence).unwrap());
        self
    }

    pub(crate) fn attempt(mut self, kind: &str, text: &str, outcome: AttemptOutcome) -> Self {
        let mut attempt = Attempt::new(StrategyKind::new(kind), outcome);
        attempt.text = Some(text.into());
        attempt.duration = Some(Duration::from_micros(400));
        self.event.attempts.push(attempt);
        self
    }

    pub(crate) fn page(mut self, page: PageContext) -> Self {
        self.event.page = Some(Arc::new(page));
        self
    }
}

/// A shop that changes half-way through two minutes: one event a second and selector.
pub(crate) fn shop() -> Vec<Event> {
    use AttemptOutcome::{Accepted, Empty};
    let mut events = Vec::new();
    let mut id = 0;
    for second in 0..120 {
        let new = second >= 60;
        let mut add = |make: fn(u128, i64, bool) -> Make| {
            id += 1;
            events.push(make(id, second, new).event);
        };
        add(|id, second, _| {
            make(id, "shop.title", second, Outcome::Success)
                .ms(10)
                .confidence(1.0)
                .attempt("css", "h1", Accepted)
        });
        add(|id, second, new| {
            let price = if new { Outcome::NotFound } else { Outcome::Success };
            let found = if new { Empty } else { Accepted };
            make(id, "shop.price", second, price).ms(12).attempt("css", "span.price", found)
        });
        add(|id, second, new| {
            let stock = make(id, "shop.stock", second, Outcome::Success).ms(11);
            if new {
                stock.attempt("css", "#stock", Empty).attempt("xpath", "//p[@class='s']", Accepted)
            } else {
                stock.attempt("css", "#stock", Accepted)
            }
        });
        add(|id, second, new| {
            make(id, "shop.rating", second, Outcome::Success)
                .ms(if new { 90 } else { 10 } + second as u64 % 3)
                .attempt("css", ".stars", Accepted)
        });
        add(|id, second, new| {
            make(id, "shop.seller", second, Outcome::Success)
                .ms(10)
                .confidence(if new { 0.6 } else { 0.95 })
                .attempt("text", "Sold by", Accepted)
        });
        add(|id, second, _| make(id, "shop.coupon", second, Outcome::ExpectedAbsent).ms(5));
    }
    events
}

pub(crate) fn store(events: &[Event]) -> MemoryStore {
    let store = MemoryStore::new();
    store.append(events).unwrap();
    store
}

pub(crate) fn report_with(events: &[Event], alerts: &[Alert]) -> Report {
    let request = ReportRequest {
        query: Query::all(),
        alerts,
        now: at(600),
        reproduce: Some("telemetry report --store ./telemetry-data".into()),
        ..ReportRequest::default()
    };
    let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
    builder.build(&store(events), &request, &mut |_| {}).unwrap()
}

pub(crate) fn report(events: &[Event]) -> Report {
    report_with(events, &[])
}

pub(crate) fn alert(id: &str, selector: &str, signal: Signal, state: AlertState) -> Alert {
    Alert {
        fingerprint: format!("{selector}/{signal}").into(),
        site: Some("shop.example".into()),
        severity: Severity::Critical,
        state,
        fired_at: Some(at(62)),
        resolved_at: (state == AlertState::Resolved).then(|| at(100)),
        updated_at: at(100),
        value: 1.0,
        comparison: Comparison::AtLeast,
        threshold: 0.5,
        samples: 20,
        evidence: Evidence { events: vec![EventId::from_u128(362)], ..Evidence::default() },
        summary: format!("{selector} fails"),
        suggestion: Some("Look at span.price.".into()),
        ..Alert::new(
            AlertId::new(id).unwrap(),
            "selector-broken",
            SelectorName::new(selector).unwrap(),
            signal,
            at(60),
        )
    }
}

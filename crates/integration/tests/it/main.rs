//! Engines under observation.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod asynchronous;
#[cfg(feature = "chromiumoxide")]
mod chromiumoxide;
#[cfg(feature = "fantoccini")]
mod fantoccini;
mod recording;
#[cfg(feature = "scraper")]
mod scraper;
#[cfg(feature = "thirtyfour")]
mod thirtyfour;
#[cfg(feature = "tracing")]
mod tracing_layer;
#[cfg(any(feature = "fantoccini", feature = "thirtyfour"))]
mod webdriver;

use cascade::{Cascade, Document, Expected, Selector, StrategyKind, Validator};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{CascadeEngine, Instrumented};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, NoopObserver, Query, Resolution};
use telemetry_models::{AttemptOutcome, Event, Outcome};

const PAGE: &str = "<html><body><h1>Teapot</h1><p class=price>12.50</p>\
    <ul><li>a</li><li>b</li><li>c</li><li>d</li><li>e</li><li>f</li></ul></body></html>";

fn observed(selectors: &[Selector]) -> Vec<Event> {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone()).unwrap();
    let engine = Instrumented::new(CascadeEngine::new(Cascade::default()), collector.clone());
    let bare = Instrumented::new(CascadeEngine::default(), NoopObserver);
    let page = Document::parse(PAGE);
    for selector in selectors {
        let with: Resolution<_> = engine.resolve(&page, None, selector);
        let without = bare.resolve(&page, None, selector);
        assert_eq!(with, without, "observing changes nothing");
    }
    assert!(collector.flush(Duration::from_secs(30)).complete);
    store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap()
}

fn outcomes(event: &Event) -> Vec<AttemptOutcome> {
    event.attempts.iter().map(|attempt| attempt.outcome).collect()
}

#[test]
fn each_outcome_of_the_engine_is_recorded_as_what_it_is() {
    let selectors = [
        Selector::new("found").strategy(StrategyKind::Css, "h1").expect(Expected::exactly(1)),
        Selector::new("fallback")
            .strategy(StrategyKind::Css, "h1.name")
            .strategy(StrategyKind::XPath, "//h1"),
        Selector::new("missing").strategy(StrategyKind::Css, ".gone"),
        Selector::new("optional").strategy(StrategyKind::Css, ".gone").optional(),
        Selector::new("wrong")
            .strategy(StrategyKind::Css, "h1")
            .validate(Validator::ParsesAsNumber),
        Selector::new("many").strategy(StrategyKind::Css, "li").expect(Expected::exactly(1)),
        Selector::new("unsure")
            .strategy(StrategyKind::Css, "h1")
            .expect(Expected::exactly(1))
            .threshold(1.0),
        Selector::new("refused").strategy(StrategyKind::Css, "h1[["),
        Selector::new("empty"),
    ];
    let events = observed(&selectors);
    let seen: Vec<_> = events
        .iter()
        .map(|event| (event.selector.as_str(), event.outcome, outcomes(event)))
        .collect();
    use AttemptOutcome as A;
    assert_eq!(
        seen,
        [
            ("found", Outcome::Success, vec![A::Accepted]),
            ("fallback", Outcome::Success, vec![A::Empty, A::Accepted]),
            ("missing", Outcome::NotFound, vec![A::Empty]),
            ("optional", Outcome::ExpectedAbsent, vec![A::Empty]),
            ("wrong", Outcome::ValidationFailed, vec![A::ValidationFailed]),
            ("many", Outcome::Ambiguous, vec![A::Ambiguous]),
            ("unsure", Outcome::LowConfidence, vec![A::LowConfidence]),
            ("refused", Outcome::InvalidSelector, vec![A::InvalidSelector]),
            ("empty", Outcome::EngineError, vec![]),
        ]
    );
    assert_eq!(events[0].elements_found(), Some(1));
    assert!(events[0].confidence().is_some() && events[0].error.is_none());
    assert_eq!(events[2].error.as_ref().unwrap().kind.as_ref(), "not_found");
    assert!(events.iter().all(|event| event.engine.as_deref() == Some("cascade")));
}

#[test]
fn a_repaired_selector_keeps_its_name_and_gets_the_next_version() {
    let before = Selector::new("title").strategy(StrategyKind::Css, ".gone");
    let after = Selector::new("title").strategy(StrategyKind::Css, "h1");
    let events = observed(&[before.clone(), before, after.clone(), after]);
    let versions: Vec<_> = events.iter().map(|event| event.selector_version).collect();
    assert_eq!(versions, [Some(1), Some(1), Some(2), Some(2)]);
}

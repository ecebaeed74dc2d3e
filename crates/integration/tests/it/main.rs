//! Engines under observation.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod asynchronous;
#[cfg(feature = "chromiumoxide")]
mod chromiumoxide;
#[cfg(any(
    feature = "chromiumoxide",
    feature = "fantoccini",
    feature = "scraper",
    feature = "thirtyfour"
))]
#[cfg_attr(
    not(all(feature = "chromiumoxide", feature = "scraper")),
    allow(dead_code, reason = "not every engine needs all of it")
)]
mod corpus;
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
use telemetry_integration::{CascadeEngine, Instrumented, ShadowProbes};
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

#[test]
fn probes_tell_what_the_other_strategies_would_have_done_and_change_nothing() {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone()).unwrap();
    let engine = Instrumented::new(CascadeEngine::new(Cascade::default()), collector.clone());
    let page = Document::parse(PAGE);
    let selector = Selector::new("title")
        .strategy(StrategyKind::Css, ".gone")
        .strategy(StrategyKind::Css, "h1")
        .strategy(StrategyKind::XPath, "//h1")
        .strategy(StrategyKind::Css, ".price")
        .strategy(StrategyKind::Css, ".gone-too");
    let plain = engine.resolve(&page, None, &selector);
    let always = ShadowProbes::at(1.0).unwrap().budget(1.0).unwrap();
    {
        let probed = engine.resolve_then_probe(&page, None, &selector, &always);
        assert_eq!(*probed, plain, "a probe changes nothing");
        // The caller works with the result; that time is nobody's.
        let until = std::time::Instant::now() + Duration::from_millis(50);
        while std::time::Instant::now() < until {}
    }
    let never = ShadowProbes::at(0.000_001).unwrap();
    drop(engine.resolve_then_probe(&page, None, &selector, &never));
    let missing = Selector::new("missing").strategy(StrategyKind::Css, ".gone");
    drop(engine.resolve_then_probe(&page, None, &missing, &always));
    assert!(collector.flush(Duration::from_secs(30)).complete);
    let events: Vec<Event> = store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap();
    use AttemptOutcome as A;
    let real = vec![A::Empty, A::Accepted];
    assert_eq!(outcomes(&events[0]), real);
    assert_eq!(outcomes(&events[1]), [A::Empty, A::Accepted, A::Accepted, A::Ambiguous, A::Empty]);
    let shadows: Vec<bool> = events[1].attempts.iter().map(|it| it.shadow.is_some()).collect();
    assert_eq!(shadows, [false, false, true, true, true]);
    assert_eq!(events[1].fallback_depth(), Some(1));
    assert!(events[1].duration().unwrap() < Duration::from_millis(50));
    assert_eq!(outcomes(&events[2]), real);
    assert_eq!((outcomes(&events[3]), events[3].outcome), (vec![A::Empty], Outcome::NotFound));
}

#[test]
fn probes_stay_within_their_budget_and_say_how_probable_they_were() {
    assert!(ShadowProbes::at(0.0).is_err() && ShadowProbes::at(1.1).is_err());
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone()).unwrap();
    let engine = Instrumented::new(CascadeEngine::new(Cascade::default()), collector.clone());
    let page = Document::parse(PAGE);
    let selector = Selector::new("title")
        .strategy(StrategyKind::Css, "h1")
        .strategy(StrategyKind::XPath, "//h1");
    let some = ShadowProbes::at(0.25).unwrap().budget(1.0).unwrap().seed(3);
    let tight = ShadowProbes::at(1.0).unwrap().budget(0.000_001).unwrap();
    for probes in [&some, &tight] {
        for _ in 0..400 {
            drop(engine.resolve_then_probe(&page, None, &selector, probes));
        }
    }
    assert!(collector.flush(Duration::from_secs(30)).complete);
    let events: Vec<Event> = store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap();
    let probed = |events: &[Event]| events.iter().filter(|it| it.attempts.len() > 1).count();
    let (sampled, few) = (probed(&events[..400]), probed(&events[400..]));
    assert!((60..=140).contains(&sampled), "{sampled} of 400 at a quarter");
    assert!(few <= 2, "{few} of 400 without a budget to speak of");
    let shadow = events.iter().find_map(|it| it.attempts.get(1)).unwrap().shadow.unwrap();
    assert_eq!(shadow.probability.get(), 0.25);
}

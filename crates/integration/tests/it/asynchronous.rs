use crate::recording::{Recording, summary};
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use telemetry_integration::Instrumented;
use telemetry_interfaces::{
    AsyncSelectorEngine, AttemptObserver, AttemptRecord, BoxFuture, NoopObserver, Resolution,
};
use telemetry_models::{
    AttemptOutcome, Outcome, PageContext, SelectorDefinition, SelectorName, StrategyDefinition,
    StrategyKind,
};
use tokio::sync::Semaphore;

/// Tries its strategies in order; each waits for a permit of the page.
struct Waiting;

struct Named {
    name: &'static str,
    strategies: &'static [&'static str],
}

struct Page {
    has: &'static str,
    permits: Semaphore,
}

impl AsyncSelectorEngine for Waiting {
    type Page = Page;
    type Selector = Named;
    type Found = &'static str;

    fn name(&self) -> &str {
        "waiting"
    }
    fn definition(&self, selector: &Named) -> SelectorDefinition {
        let css = |text: &&'static str| StrategyDefinition {
            kind: StrategyKind::Css,
            text: (*text).into(),
        };
        SelectorDefinition {
            name: SelectorName::new(selector.name).unwrap(),
            version: 1,
            strategies: selector.strategies.iter().map(css).collect(),
        }
    }
    fn is_unchanged(&self, selector: &Named, definition: &SelectorDefinition) -> bool {
        let known = definition.strategies.iter().map(|strategy| &*strategy.text);
        known.eq(selector.strategies.iter().copied())
    }
    fn selector_name<'a>(&self, selector: &'a Named) -> &'a str {
        selector.name
    }
    fn resolve<'a>(
        &'a self,
        page: &'a Page,
        selector: &'a Named,
        attempts: &'a mut (dyn AttemptObserver + Send),
    ) -> BoxFuture<'a, Resolution<&'static str>> {
        Box::pin(async move {
            for (at, strategy) in selector.strategies.iter().enumerate() {
                page.permits.acquire().await.unwrap().forget();
                assert_ne!(*strategy, "panic", "the engine fails");
                let found = page.has == *strategy;
                let outcome = if found { AttemptOutcome::Accepted } else { AttemptOutcome::Empty };
                attempts.attempt(AttemptRecord::new(u16::try_from(at).unwrap(), outcome));
                if found {
                    return resolution(Outcome::Success, Some(*strategy));
                }
            }
            resolution(Outcome::NotFound, None)
        })
    }
}

fn resolution(outcome: Outcome, found: Option<&'static str>) -> Resolution<&'static str> {
    Resolution {
        outcome,
        found,
        confidence: None,
        elements: Some(u32::from(found.is_some())),
        validation_passed: None,
        error: found.is_none().then(|| "nothing matched".into()),
    }
}

fn page(has: &'static str, permits: usize) -> Page {
    Page { has, permits: Semaphore::new(permits) }
}

const TITLE: Named = Named { name: "title", strategies: &["h1.name", "h1"] };

fn require_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn an_asynchronous_engine_is_recorded_like_any_other() {
    let recording = Recording::start();
    let engine = Instrumented::new(Waiting, recording.collector.clone());
    let context = engine.enter(&PageContext::at("https://shop.test/p/7"));
    let bare = Instrumented::new(Waiting, NoopObserver);
    for has in ["h1", "h2"] {
        let page = page(has, 8);
        let with = require_send(engine.resolve_async(&page, Some(context), &TITLE)).await;
        let without = bare.resolve_async(&page, None, &TITLE).await;
        assert_eq!(with, without, "observing changes nothing");
    }
    let repaired = Named { name: "title", strategies: &["h2"] };
    engine.resolve_async(&page("h2", 1), None, &repaired).await;

    let events = recording.events();
    use AttemptOutcome as A;
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [
            ("title".into(), Outcome::Success, Some(1), vec![A::Empty, A::Accepted]),
            ("title".into(), Outcome::NotFound, Some(0), vec![A::Empty, A::Empty]),
            ("title".into(), Outcome::Success, Some(1), vec![A::Accepted]),
        ]
    );
    assert_eq!(events[0].site(), Some("shop.test"));
    assert_eq!(events[0].engine.as_deref(), Some("waiting"));
    assert_eq!(events[1].error.as_ref().unwrap().message.as_deref(), Some("nothing matched"));
    assert_eq!(events[2].selector_version, Some(2));
}

#[test]
fn a_future_that_is_dropped_records_cancelled_with_the_tries_it_made() {
    let recording = Recording::start();
    let engine = Instrumented::new(Waiting, recording.collector.clone());
    let page = page("h1", 1);
    {
        let mut resolving = pin!(engine.resolve_async(&page, None, &TITLE));
        let mut context = Context::from_waker(Waker::noop());
        assert!(matches!(resolving.as_mut().poll(&mut context), Poll::Pending));
    }
    drop(engine.resolve_async(&page, None, &TITLE));
    let events = recording.events();
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [("title".into(), Outcome::Cancelled, None, vec![AttemptOutcome::Empty])],
        "a future that was never polled did nothing"
    );
}

#[tokio::test]
async fn an_engine_that_panics_is_recorded_and_the_panic_passes_through() {
    let recording = Recording::start();
    let engine = Instrumented::new(Waiting, recording.collector.clone());
    let broken = Named { name: "broken", strategies: &["h1", "panic"] };
    let task = tokio::spawn(async move {
        engine.resolve_async(&page("h2", 8), None, &broken).await;
    });
    assert!(task.await.unwrap_err().is_panic());
    let events = recording.events();
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [("broken".into(), Outcome::Panicked, None, vec![AttemptOutcome::Empty])]
    );
}

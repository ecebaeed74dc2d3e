use crate::recording::{Recording, Summary, summary};
use std::panic::{AssertUnwindSafe, catch_unwind};
use telemetry_collector::{Collector, OperationSpan};
use telemetry_integration::{SpanFields, TelemetryLayer};
use telemetry_interfaces::{PageHandle, SelectorHandle, SelectorObserver};
use telemetry_models::{
    AttemptOutcome, Event, OperationKind, Outcome, PageContext, SelectorDefinition, StrategyKind,
};
use tracing::instrument;
use tracing::subscriber::with_default;
use tracing_subscriber::layer::SubscriberExt;

fn recorded_by(
    layer: impl FnOnce(Collector) -> TelemetryLayer<Collector>,
    act: impl FnOnce(),
) -> Vec<Event> {
    let recording = Recording::start();
    let layer = layer(recording.collector.clone());
    with_default(tracing_subscriber::registry().with(layer), act);
    recording.events()
}

fn recorded(act: impl FnOnce()) -> Vec<Event> {
    recorded_by(TelemetryLayer::new, act)
}

fn plain(selector: &str, outcome: Outcome, attempt: AttemptOutcome) -> Summary {
    (selector.into(), outcome, None, vec![attempt])
}

/// An engine that has never heard of this project.
mod engine {
    use super::instrument;

    #[derive(Debug, PartialEq)]
    pub struct Failed;

    impl std::fmt::Display for Failed {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Timeout 30000ms exceeded")
        }
    }

    #[instrument(target = "engine::locator", err)]
    pub fn click(selector: &str, works: bool) -> Result<(), Failed> {
        works.then_some(()).ok_or(Failed)
    }

    #[instrument(target = "engine::locator", skip_all, fields(selector))]
    pub async fn text(selector: String) -> usize {
        tracing::Span::current().record("selector", &selector);
        tokio::task::yield_now().await;
        fill(selector.clone());
        selector.len()
    }

    #[instrument(target = "engine::frame")]
    pub fn fill(selector: String) {}

    #[instrument(target = "engine::page")]
    pub fn reload(timeout: u32) {}
}

#[test]
fn spans_with_a_selector_are_operations() {
    let events = recorded(|| {
        engine::click("#buy", true).unwrap();
        engine::click("//button", false).unwrap_err();
        engine::reload(3);
        engine::fill("text=\"Log in\"".into());
    });
    use AttemptOutcome as A;
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [
            plain("#buy", Outcome::Success, A::Accepted),
            plain("//button", Outcome::EngineError, A::Error),
            plain("text=\"Log in\"", Outcome::Success, A::Accepted),
        ]
    );
    let kinds: Vec<_> = events.iter().map(|event| event.attempts[0].kind.clone()).collect();
    assert_eq!(kinds, [StrategyKind::Css, StrategyKind::XPath, StrategyKind::Text]);
    assert!(events.iter().all(|event| event.engine.as_deref() == Some("engine")));
    let message = events[1].error.as_ref().unwrap().message.clone();
    assert_eq!(message.as_deref(), Some("Timeout 30000ms exceeded"));
}

#[test]
fn a_selector_learned_late_and_a_span_below_it_are_one_operation() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let events = recorded(|| {
        assert_eq!(runtime.block_on(engine::text("h1".into())), 2);
    });
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [plain("h1", Outcome::Success, AttemptOutcome::Accepted)]
    );
}

#[test]
fn failures_are_found_wherever_an_engine_leaves_them() {
    let target_below = || {
        let outer = tracing::info_span!(target: "engine", "find", selector = "a");
        outer.in_scope(|| {
            tracing::info_span!(target: "engine", "send").in_scope(|| {
                tracing::error!(target: "engine::wire", "connection lost");
            });
        });
    };
    let status = || {
        let span = tracing::info_span!(
            target: "engine", "find", selector = "b", otel.status_code = tracing::field::Empty
        );
        span.record("otel.status_code", "ERROR");
    };
    let field = || {
        let span = tracing::info_span!(
            target: "engine", "find", selector = "c", error = tracing::field::Empty
        );
        span.record("error", tracing::field::display("gone"));
    };
    let fine = || {
        let span = tracing::info_span!(
            target: "engine", "find", selector = "d", error = false, otel.status_code = "OK"
        );
        span.in_scope(|| tracing::warn!(target: "engine", "slow"));
    };
    let events = recorded(|| {
        target_below();
        status();
        field();
        fine();
    });
    let messages: Vec<_> = events
        .iter()
        .map(|event| event.error.as_ref().and_then(|error| error.message.as_deref()))
        .collect();
    assert_eq!(
        messages,
        [Some("connection lost"), Some("the span's status is ERROR"), Some("gone"), None]
    );
    assert_eq!(events[3].outcome, Outcome::Success);
}

#[test]
fn fields_targets_and_outcomes_can_be_mapped() {
    let events = recorded_by(
        |collector| {
            TelemetryLayer::new(collector)
                .fields(SpanFields {
                    targets: vec!["engine".into()],
                    selector: "locator".into(),
                    name: "id".into(),
                    url: "page".into(),
                    engine: Some("engine 2".into()),
                    ..SpanFields::default()
                })
                .unreported(Outcome::Cancelled)
                .classify(|message| message.contains("Timeout").then_some(Outcome::Timeout))
        },
        || {
            let page = "https://shop.test/p/7?token=secret";
            tracing::info_span!(
                target: "engine::a", "find", locator = "h1", id = "shop.title", page
            )
            .in_scope(|| tracing::error!(target: "other", error = "Timeout"));
            drop(tracing::info_span!(target: "engine", "find", locator = "h2"));
            drop(tracing::info_span!(target: "engineer", "find", locator = "h3"));
            drop(tracing::info_span!(target: "engine", "find", selector = "h4"));
        },
    );
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [
            plain("shop.title", Outcome::Timeout, AttemptOutcome::Timeout),
            plain("h2", Outcome::Cancelled, AttemptOutcome::Error),
        ]
    );
    assert_eq!(events[0].engine.as_deref(), Some("engine 2"));
    assert_eq!(events[0].site(), Some("shop.test"));
    assert!(!events[0].page.as_ref().unwrap().url.as_ref().unwrap().contains("secret"));
}

#[test]
fn a_span_that_a_panic_closes_is_recorded_as_panicked() {
    let events = recorded(|| {
        let panicking = catch_unwind(AssertUnwindSafe(|| {
            let _entered = tracing::info_span!(target: "engine", "find", selector = "h1").entered();
            panic!("in the engine");
        }));
        assert!(panicking.is_err());
    });
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].outcome, Outcome::Panicked);
}

/// An observer that is noisy itself.
struct Noisy(Collector);

impl SelectorObserver for Noisy {
    type Operation = OperationSpan;

    fn selector(&self, definition: &SelectorDefinition) -> SelectorHandle {
        tracing::error!(target: "telemetry_collector", error = "noise");
        self.0.selector(definition)
    }
    fn page(&self, page: &PageContext) -> PageHandle {
        self.0.page(page)
    }
    fn start(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> OperationSpan {
        drop(tracing::info_span!(target: "telemetry_collector::noise", "own", selector = "own"));
        drop(tracing::info_span!(target: "noise", "own", selector = "#buy"));
        self.0.start(engine, selector, page, operation)
    }
}

#[test]
fn telemetry_never_records_itself() {
    let recording = Recording::start();
    let layer = TelemetryLayer::new(Noisy(recording.collector.clone()));
    with_default(tracing_subscriber::registry().with(layer), || {
        tracing::info_span!(target: "engine", "find", selector = "#buy").in_scope(|| {
            tracing::error!(target: "telemetry_storage::segment", "disk full");
        });
        drop(tracing::info_span!(target: "telemetry_runtime", "own", selector = "own"));
    });
    let events = recording.events();
    assert_eq!(
        events.iter().map(summary).collect::<Vec<_>>(),
        [plain("#buy", Outcome::Success, AttemptOutcome::Accepted)]
    );
}

#[test]
fn a_scope_is_seen_in_the_log_and_is_no_operation_itself() {
    let recording = Recording::start();
    let collector = recording.collector.clone();
    let layer = TelemetryLayer::new(collector.clone());
    let work = with_default(tracing_subscriber::registry().with(layer), || {
        let work = collector.session(&"browser-1".parse().expect("not blank")).work();
        work.in_scope(|| engine::click("#buy", true)).expect("it works");
        work
    });
    let events = recording.events();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.correlation_id.as_ref(), Some(work.correlation_id()));
}

use crate::support::{Bench, LIMIT, definition};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    AttemptRecord, EventSink, EventStore, MemoryStore, OperationObserver, Phase, Query,
    SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, Confidence, CorrelationId, OperationKind, Outcome, PageContext, ShadowProbe,
    StrategyKind, Timestamp, Viewport,
};
use telemetry_testkit::ManualClock;

fn confidence(value: f64) -> Option<Confidence> {
    Some(Confidence::new(value).unwrap())
}

#[test]
fn an_operation_is_recorded_field_by_field() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default())
        .clock(clock.clone())
        .run("run-1".parse().unwrap())
        .producer("worker".parse().unwrap())
        .start(store.clone())
        .unwrap();
    let price = collector.selector(&definition(
        "shop.price",
        &[(StrategyKind::Css, "span.price"), (StrategyKind::XPath, "//b")],
    ));
    let page = collector.page(&PageContext {
        session: Some("session-1".parse().unwrap()),
        viewport: Some(Viewport { width: 1280, height: 720 }),
        ..PageContext::at("https://me:secret@shop.test/p/7?token=secret#x")
    });
    let correlation = CorrelationId::new("00000000-0000-4000-8000-00000000002a").unwrap();
    let mut span = collector.start("scraper 0.29", price, Some(page), OperationKind::Resolution);
    span.correlate(&correlation);
    let empty = AttemptRecord {
        elapsed: Some(Duration::from_micros(40)),
        elements: Some(0),
        ..AttemptRecord::new(0, AttemptOutcome::Empty)
    };
    let accepted = AttemptRecord {
        elapsed: Some(Duration::from_micros(60)),
        elements: Some(2),
        confidence: confidence(0.8),
        ..AttemptRecord::new(1, AttemptOutcome::Accepted)
    };
    span.attempt(empty);
    span.attempt(accepted);
    span.validation(true);
    clock.advance(Duration::from_micros(150));
    span.finish(Outcome::Success);
    // Found nothing, because the sweep and the writer go by the clock that stands still.
    assert!(collector.flush(LIMIT).complete);

    let events: Vec<_> = store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.selector.as_str(), "shop.price");
    assert_eq!(event.timestamp, Timestamp::from_millis(1_700_000_000_000));
    assert_eq!(event.timing.total, Some(Duration::from_micros(150)));
    assert_eq!(event.timing.strategies, Some(Duration::from_micros(100)));
    assert_eq!(event.outcome, Outcome::Success);
    assert_eq!(event.fallback_depth(), Some(1));
    assert_eq!(event.accepted().unwrap().text.as_deref(), Some("//b"));
    assert_eq!((event.confidence(), event.elements_found()), (confidence(0.8), Some(2)));
    assert_eq!(event.quality.validation_passed, Some(true));
    assert_eq!(event.correlation_id, Some(correlation));
    assert_eq!(event.engine.as_deref(), Some("scraper 0.29"));
    assert_eq!(event.run.as_ref().unwrap().as_str(), "run-1");
    assert_eq!((event.sequence, event.selector_version), (Some(0), Some(1)));
    let page = event.page.as_ref().unwrap();
    assert_eq!(page.url.as_deref(), Some("https://shop.test/p/7?token=REDACTED"));
    assert_eq!(page.url_template.as_deref(), Some("/p/{n}"));
    assert_eq!(event.site(), Some("shop.test"));
    assert!(event.error.is_none() && event.resources.dom_operations.is_none());
}

#[test]
fn absent_is_not_zero() {
    let bench = Bench::new(CollectorConfig::default());
    let mut span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    span.attempt(AttemptRecord::new(0, AttemptOutcome::Accepted));
    span.finish(Outcome::Success);
    let event = &bench.events()[0];
    assert_eq!(event.confidence(), None);
    assert_eq!(event.elements_found(), None);
    assert_eq!(event.timing.strategies, None);
    assert_eq!((&event.engine, &event.page), (&None, &None));
}

#[test]
fn a_span_dropped_unfinished_is_cancelled() {
    let bench = Bench::new(CollectorConfig::default());
    drop(bench.collector.span("", bench.price, None, OperationKind::Resolution));
    assert_eq!(bench.events()[0].outcome, Outcome::Cancelled);
}

#[test]
fn a_span_dropped_by_a_panic_is_panicked() {
    let bench = Bench::new(CollectorConfig::default());
    let (collector, price) = (bench.collector.clone(), bench.price);
    let thread = std::thread::spawn(move || {
        let _span = collector.span("", price, None, OperationKind::Execution);
        std::panic::resume_unwind(Box::new("the observed program fails"));
    });
    assert!(thread.join().is_err());
    assert_eq!(bench.events()[0].outcome, Outcome::Panicked);
}

#[test]
fn what_does_not_fit_the_record_keeps_its_tie() {
    let bench = Bench::new(CollectorConfig::default());
    let shadow = ShadowProbe { probability: Confidence::new(0.02).unwrap() };
    for at in 0..600_u32 {
        let mut span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
        if at % 3 == 0 {
            for _ in 0..6 {
                span.attempt(AttemptRecord {
                    elements: Some(0),
                    ..AttemptRecord::new(0, AttemptOutcome::Empty)
                });
            }
            span.attempt(AttemptRecord {
                shadow: Some(shadow),
                ..AttemptRecord::new(1, AttemptOutcome::Accepted)
            });
            span.error("not_found", &format!("operation {at}: see https://u:p@a.test/?k=secret"));
            span.attribute("at", &at.to_string());
            span.correlate(&CorrelationId::new(&format!("text {at}")).unwrap());
            span.finish(Outcome::NotFound);
        } else {
            span.finish(Outcome::ExpectedAbsent);
        }
    }
    let events = bench.events();
    assert_eq!(events.len(), 600);
    for (at, event) in (0..).zip(events.iter()) {
        assert_eq!(event.sequence, Some(at));
        if at % 3 == 0 {
            assert_eq!(event.attempts.len(), 7);
            assert_eq!(event.attempts[6].shadow, Some(shadow));
            let error = event.error.as_ref().unwrap();
            let expected = format!("operation {at}: see https://a.test/?k=REDACTED");
            assert_eq!(error.message.as_deref(), Some(expected.as_str()));
            assert_eq!(event.attributes["at"], at.to_string().into());
            assert_eq!(event.correlation_id.as_ref().unwrap().to_string(), format!("text {at}"));
        } else {
            assert!(event.error.is_none() && event.attributes.is_empty());
        }
    }
}

#[test]
fn a_span_may_end_on_another_thread() {
    fn is_send<T: Send>(_: &T) {}
    let bench = Bench::new(CollectorConfig::default());
    let span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    is_send(&span);
    std::thread::spawn(move || span.finish(Outcome::Timeout)).join().unwrap();
    assert_eq!(bench.events()[0].outcome, Outcome::Timeout);
}

#[test]
fn the_same_definition_gives_the_same_handle_and_a_new_version_another() {
    let bench = Bench::new(CollectorConfig::default());
    let first = definition("a", &[(StrategyKind::Css, "b")]);
    let mut second = first.clone();
    second.version = 2;
    assert_eq!(bench.collector.selector(&first), bench.collector.selector(&first));
    assert_ne!(bench.collector.selector(&first), bench.collector.selector(&second));
}

#[test]
fn events_that_arrive_whole_are_placed_in_the_stream() {
    let bench = Bench::new(CollectorConfig::default());
    let mut event = telemetry_models::Event::new(
        "imported-1".parse().unwrap(),
        "a.b".parse().unwrap(),
        Timestamp::from_millis(5),
        OperationKind::Resolution,
        Outcome::Blocked,
    );
    bench.collector.record(event.clone());
    let stored = bench.events();
    event.run = Some(bench.collector.run().clone());
    event.producer = Some(bench.collector.producer().clone());
    event.sequence = Some(0);
    assert_eq!(stored, [event]);
}

#[test]
fn disabled_records_nothing() {
    let bench = Bench::new(CollectorConfig { enabled: false, ..CollectorConfig::default() });
    bench.collector.span("", bench.price, None, OperationKind::Resolution).finish(Outcome::Success);
    assert!(bench.events().is_empty());
}

#[test]
fn what_an_engine_tells_beside_its_attempts_is_kept() {
    let bench = Bench::new(CollectorConfig::default());
    let mut span = bench.collector.span("", bench.price, None, OperationKind::Execution);
    span.phase(Phase::Locate, Duration::from_millis(2));
    span.phase(Phase::Locate, Duration::from_millis(3));
    span.phase(Phase::Validate, Duration::from_micros(1_500));
    span.phase(Phase::Act, Duration::from_millis(7));
    span.retries(2);
    span.confidence_component("content", confidence(0.75).unwrap());
    span.dom_operations(12);
    span.network_requests(3);
    span.snapshot("https://a.test/7.html?token=secret me@mail.test");
    span.drift(true);
    span.error("detached", "gone");
    span.stack("at https://u:p@a.test/x.js\n password=hunter2");
    span.finish(Outcome::Timeout);
    let mut calm = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    calm.retries(0);
    calm.stack("without an error there is none");
    calm.finish(Outcome::Success);

    let events = bench.events();
    let event = &events[0];
    assert_eq!(event.timing.resolution, Some(Duration::from_millis(5)));
    let attributes: Vec<_> =
        event.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(
        attributes,
        [
            "confidence.content=0.75",
            "phase.act_ms=7",
            "phase.validate_ms=1.5",
            "snapshot=https://a.test/7.html?token=REDACTED [email]",
        ]
    );
    assert_eq!(event.resources.dom_operations, Some(12));
    assert_eq!(event.resources.network_requests, Some(3));
    assert_eq!(event.quality.drift_detected, Some(true));
    let error = event.error.as_ref().unwrap();
    assert_eq!((error.retry_attempts, error.recovery_successful), (Some(2), None));
    assert_eq!(error.stack.as_deref(), Some("at https://a.test/x.js\n password=[secret]"));
    assert_eq!(events[1].attributes["retries"], "0".into());
    assert!(events[1].error.is_none());
}

#[test]
fn claims_against_the_attempts_or_the_outcome_are_set_aside() {
    let bench = Bench::new(CollectorConfig::default());
    let mut span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    let matched = AttemptRecord::new(0, AttemptOutcome::Accepted);
    span.attempt(AttemptRecord { elements: Some(1), ..matched });
    span.elements(3);
    span.validation(false);
    span.finish(Outcome::Success);

    let events = bench.events();
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.validate(), Ok(()));
    assert_eq!((event.outcome, event.elements_found()), (Outcome::Success, Some(1)));
    assert_eq!(event.quality.validation_passed, None);
    assert_eq!(event.attributes["contradicted.elements_found"], "3".into());
    assert_eq!(event.attributes["contradicted.validation_passed"], "false".into());
}

#[test]
fn the_process_is_sampled_for_operations_not_for_events_that_arrive_whole() {
    let on = Bench::new(CollectorConfig::default());
    let off = Bench::new(CollectorConfig { sample_process: false, ..CollectorConfig::default() });
    for bench in [&on, &off] {
        bench
            .collector
            .span("", bench.price, None, OperationKind::Resolution)
            .finish(Outcome::Success);
        let memory = bench.events()[0].resources.memory_mb;
        let expected = std::ptr::eq(bench, &on) && cfg!(target_os = "linux");
        assert_eq!(memory.is_some_and(|memory| memory > 0.1), expected, "{memory:?}");
    }
}

#[test]
fn a_success_that_claims_no_elements_is_kept_with_the_claim_set_aside() {
    let bench = Bench::new(CollectorConfig::default());
    let mut span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    span.attempt(AttemptRecord {
        elements: Some(0),
        ..AttemptRecord::new(0, AttemptOutcome::Accepted)
    });
    span.elements(0);
    span.finish(Outcome::Success);
    let event = &bench.events()[0];
    assert_eq!((event.outcome, event.elements_found()), (Outcome::Success, None));
    assert_eq!(event.attributes["contradicted.elements_found"], "0".into());
}

#[test]
fn a_span_tells_how_long_it_has_run() {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let store = Arc::new(MemoryStore::new());
    let collector =
        Collector::builder(CollectorConfig::default()).clock(clock.clone()).start(store).unwrap();
    let price = collector.selector(&definition("shop.price", &[]));
    for run in 1..=2_u64 {
        let span = collector.span("", price, None, OperationKind::Resolution);
        clock.advance(Duration::from_millis(run));
        assert_eq!(span.elapsed(), Some(Duration::from_millis(run)));
        span.finish(Outcome::Success);
    }
}

/// Nearly as many pages as are remembered.
const MANY: usize = 60_000;

#[test]
fn a_page_asked_for_again_stays_and_one_that_is_forgotten_is_counted() {
    let bench = Bench::new(CollectorConfig::default());
    let page = |url: &str| bench.collector.page(&PageContext::at(url));
    let op = |page| {
        bench
            .collector
            .span("", bench.price, Some(page), OperationKind::Resolution)
            .finish(Outcome::Success)
    };
    let stays = page("https://shop.test/dashboard");
    page("https://shop.test/home");
    for at in 0..MANY {
        page(&format!("https://shop.test/p/{at}"));
    }
    // Known for long, and asked for again: it begins anew.
    let home = page("https://shop.test/home");
    for at in 0..MANY / 2 {
        page(&format!("https://shop.test/q/{at}"));
    }
    op(home);
    op(stays);
    let events = bench.events();
    let url = events[0].page.as_ref().and_then(|page| page.url.clone());
    assert_eq!(url.as_deref(), Some("https://shop.test/home"));
    assert!(!events[0].attributes.contains_key("page.forgotten"));
    assert_eq!(events[1].page, None);
    assert_eq!(events[1].attributes.get("page.forgotten").map(|it| &**it), Some("true"));
    assert_eq!(bench.collector.pages_forgotten(), 1);
}

use crate::log;
use crate::support::{Bench, LIMIT, definition};
use std::sync::Arc;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    EventSink, EventStore, MemoryStore, OperationObserver, Query, SelectorObserver,
};
use telemetry_models::{CorrelationId, Event, OperationKind, Outcome, PageContext, SessionId};
use tracing::Level;

const KIND: OperationKind = OperationKind::Resolution;

fn ids(events: &[Event]) -> Vec<Option<CorrelationId>> {
    events.iter().map(|event| event.correlation_id.clone()).collect()
}

#[test]
fn operations_inherit_from_the_innermost_scope() {
    let bench = Bench::new(CollectorConfig::default());
    let op = || bench.collector.span("", bench.price, None, KIND).finish(Outcome::Success);
    let session = bench.collector.session(&SessionId::new("browser-1").unwrap());
    let (one, two) = (session.work(), session.work());
    op();
    session.in_scope(|| {
        op();
        one.in_scope(op);
        let entered = two.enter();
        op();
        drop(entered);
        op();
    });
    op();
    // Through the scope itself, wherever the thread is.
    one.in_scope(|| two.start("", bench.price, None, KIND).finish(Outcome::Success));
    let of = |scope: &telemetry_collector::Scope| Some(scope.correlation_id().clone());
    let (outer, one, two) = (of(&session), of(&one), of(&two));
    assert_eq!(
        ids(&bench.events()),
        [None, outer.clone(), one.clone(), two.clone(), outer.clone(), None, two.clone()]
    );
    assert!(outer != one && one != two && outer != two);
}

#[test]
fn a_page_gets_the_session_and_a_foreign_id_is_kept_as_it_is() {
    let bench = Bench::new(CollectorConfig::default());
    let session = bench.collector.session(&SessionId::new("browser-1").unwrap());
    let trace = CorrelationId::new("4bf92f3577b34da6a3ce929d0e0e4736").unwrap();
    let work = session.work_as(trace.clone());
    let page = work.page(&PageContext::at("https://shop.test/p/7"));
    work.in_scope(|| {
        bench.collector.span("", bench.price, Some(page), KIND).finish(Outcome::Success);
    });
    let event = &bench.events()[0];
    assert_eq!(event.correlation_id, Some(trace));
    assert_eq!(event.page.as_ref().unwrap().session.as_ref(), work.session_id());
}

/// An engine that knows nothing of scopes, handles or sessions: it names its page itself.
fn deep_in_an_engine(collector: &Collector, url: Option<&str>) {
    let price = collector.selector(&definition("shop.price", &[]));
    let page = url.map(|url| collector.page(&PageContext::at(url)));
    collector.span("", price, page, KIND).finish(Outcome::Success);
}

#[test]
fn operations_deep_in_an_engine_bear_the_session_of_the_scope_they_are_in() {
    let bench = Bench::new(CollectorConfig::default());
    let session = |name: &str| SessionId::new(name).unwrap();
    let (one, two) =
        (bench.collector.session(&session("one")), bench.collector.session(&session("two")));
    let both = || {
        deep_in_an_engine(&bench.collector, Some("https://shop.test/"));
        deep_in_an_engine(&bench.collector, None);
    };
    one.work().in_scope(|| {
        both();
        two.in_scope(both);
        both();
        // A page that names its session keeps it.
        let page =
            PageContext { session: Some(session("own")), ..PageContext::at("https://a.test/") };
        let page = bench.collector.page(&page);
        bench.collector.span("", bench.price, Some(page), KIND).finish(Outcome::Success);
        // A scope without a session has none to give.
        bench.collector.work().in_scope(|| deep_in_an_engine(&bench.collector, None));
    });
    both();
    two.start("", bench.price, None, KIND).finish(Outcome::Success);
    let seen: Vec<_> = bench
        .events()
        .iter()
        .map(|event| {
            let page = event.page.as_deref();
            let session = page.and_then(|page| page.session.as_ref()).map(|it| it.to_string());
            (session.unwrap_or_default(), page.is_some_and(|page| page.url.is_some()))
        })
        .collect();
    let expected = [
        ("one", true),
        ("one", false),
        ("two", true),
        ("two", false),
        ("one", true),
        ("one", false),
        ("own", true),
        ("", false),
        ("", true),
        ("", false),
        ("two", false),
    ];
    assert_eq!(seen, expected.map(|(session, url)| (session.to_owned(), url)));
}

#[test]
fn a_future_carries_its_scope_and_leaves_none_behind() {
    let bench = Bench::new(CollectorConfig::default());
    let op = || bench.collector.span("", bench.price, None, KIND).finish(Outcome::Success);
    let work = bench.collector.work();
    let expected = Some(work.correlation_id().clone());
    let mut first = true;
    let pause = std::future::poll_fn(move |_| {
        if std::mem::take(&mut first) {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    });
    let mut future = Box::pin(work.wrap(async {
        op();
        pause.await;
        op();
    }));
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending());
    op();
    assert!(future.as_mut().poll(&mut context).is_ready());
    op();
    assert_eq!(ids(&bench.events()), [expected.clone(), None, expected, None]);
}

#[test]
fn log_output_says_run_session_and_correlation_id_without_secrets() {
    log::listen();
    let collector = Collector::builder(CollectorConfig::default())
        .run("correlation-in-log".parse().unwrap())
        .start(Arc::new(MemoryStore::new()))
        .unwrap();
    let session = collector.session(&SessionId::new("user-ann@mail.test").unwrap());
    let work = session.work();
    let spans: Vec<_> = log::about("correlation-in-log")
        .into_iter()
        .filter(|line| line.target == "telemetry::session")
        .collect();
    assert_eq!(spans.len(), 2);
    for (span, scope) in spans.iter().zip([&session, &work]) {
        assert_eq!(span.level, Level::INFO);
        assert_eq!(span.fields["correlation_id"], scope.correlation_id().to_string());
        assert!(span.fields["session"].starts_with("session-"), "{span:?}");
        assert_eq!(span.fields["session"], spans[0].fields["session"]);
    }
}

#[test]
fn the_pipeline_tells_start_losses_refusals_and_end_once_each() {
    log::listen();
    let run = "doings-in-log";
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default())
        .run(run.parse().unwrap())
        .start(store.clone())
        .unwrap();
    let price = collector.selector(&definition("shop.price", &[]));
    let work = collector.work();
    for _ in 0..50 {
        // Refused: an error without a word for it.
        let mut span = work.start("", price, None, KIND);
        span.error(" ", "something");
        span.finish(Outcome::Timeout);
        collector.span("", price, None, KIND).finish(Outcome::NotFound);
    }
    assert!(collector.flush(LIMIT).complete);
    collector.shutdown(LIMIT);
    let lines = log::about(run);
    let with = |word: &str| lines.iter().filter(|line| line.text().contains(word)).count();
    assert_eq!((with("recording begins"), with("recording ends"), with("TEL-003")), (1, 1, 1));
    let refusal = lines.iter().find(|line| line.text().contains("TEL-003")).unwrap();
    assert!(refusal.fields["event"].len() > 8, "{refusal:?}");
    assert_eq!(refusal.fields["correlation_id"], work.correlation_id().to_string());
    assert!(with("dropped=50") == 1, "{lines:#?}");
    // Nothing at all for an operation: the recording path is silent at every level.
    assert!(lines.len() <= 7, "{lines:#?}");
    assert_eq!(store.query(&Query::all()).unwrap().count(), 50);
}

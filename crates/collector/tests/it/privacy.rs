use crate::support::{Bench, Flaky, LIMIT};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use telemetry_collector::{Collector, CollectorConfig, KeySource, PrivacyConfig, Pseudonymous};
use telemetry_interfaces::{
    AttemptRecord, EventSink, EventStore, Key, KeyProvider, MemoryStore, OperationObserver, Query,
    Result, SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, CorrelationId, Event, OperationKind, Outcome, PageContext, SessionId,
    Timestamp, json,
};

struct Fixed;

impl KeyProvider for Fixed {
    fn key(&self, _name: &str) -> Result<Key> {
        Key::new(*b"0123456789abcdef")
    }
}

fn pseudonymous() -> PrivacyConfig {
    PrivacyConfig {
        pseudonyms: vec![Pseudonymous::Selectors, Pseudonymous::Sessions],
        ..PrivacyConfig::default()
    }
}

fn recorded(privacy: PrivacyConfig, keys: Option<Arc<dyn KeyProvider>>) -> Event {
    let store = Arc::new(MemoryStore::new());
    let mut builder = Collector::builder(CollectorConfig { privacy, ..CollectorConfig::default() });
    if let Some(keys) = keys {
        builder = builder.keys(keys);
    }
    let collector = builder.start(store.clone()).unwrap();
    let title = collector.selector(&crate::support::definition("shop.title", &[]));
    let page = collector.page(&PageContext {
        session: Some(SessionId::new("browser-1").unwrap()),
        ..PageContext::at("https://shop.test/")
    });
    collector.span("", title, Some(page), OperationKind::Resolution).finish(Outcome::Success);
    assert!(collector.flush(LIMIT).complete);
    store.query(&Query::all()).unwrap().next().unwrap().unwrap()
}

#[test]
fn pseudonyms_are_the_same_in_every_collector_with_the_key() {
    let (one, two) = (
        recorded(pseudonymous(), Some(Arc::new(Fixed))),
        recorded(pseudonymous(), Some(Arc::new(Fixed))),
    );
    assert_eq!(one.selector, two.selector);
    assert_eq!(one.page, two.page);
    let line = json::to_string(&one);
    assert!(!line.contains("title") || line.contains("page_title"), "{line}");
    assert!(!line.contains("browser-1") && !line.contains("0123456789abcdef"), "{line}");
    let plain = recorded(PrivacyConfig::default(), None);
    assert_eq!(plain.selector.as_str(), "shop.title");
}

#[test]
fn the_key_of_a_file_serves_and_a_missing_or_short_one_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    let config = || PrivacyConfig { key: KeySource::File(path.clone()), ..pseudonymous() };
    let refused = || {
        let config = CollectorConfig { privacy: config(), ..CollectorConfig::default() };
        let error = Collector::builder(config).start(Arc::new(MemoryStore::new())).err().unwrap();
        error.to_string()
    };
    assert!(refused().contains("TEL-004") && refused().contains("urandom"), "{}", refused());
    std::fs::write(&path, "short\n").unwrap();
    assert!(refused().contains("5 bytes"), "{}", refused());
    std::fs::write(&path, "0123456789abcdef\n").unwrap();
    assert_eq!(
        recorded(config(), None).selector,
        recorded(pseudonymous(), Some(Arc::new(Fixed))).selector
    );
}

#[test]
fn whole_events_go_through_the_same_redaction() {
    let bench = Bench::new(CollectorConfig::default());
    let mut event = Event::new(
        "ann@mail.test".parse().unwrap(),
        "a.b".parse().unwrap(),
        Timestamp::from_millis(5),
        OperationKind::Resolution,
        Outcome::Blocked,
    );
    event.page = Some(Arc::new(PageContext {
        title: Some("Hello bob@mail.test".into()),
        ..PageContext::at("https://u:p@shop.test/a/12?x=1#f")
    }));
    event.attributes.insert("password".into(), "plain words".into());
    event.correlation_id = Some(CorrelationId::new("4bf92f3577b34da6a3ce929d0e0e4736").unwrap());
    bench.collector.record(event.clone());
    bench.collector.record(event);
    let stored = bench.events();
    let text = json::to_string(&stored[0]);
    for gone in ["ann@", "bob@", "plain words", "u:p", "x=1"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    let page = stored[0].page.as_ref().unwrap();
    assert_eq!(page.url.as_deref(), Some("https://shop.test/a/12?x=REDACTED"));
    assert_eq!(page.url_template.as_deref(), Some("/a/{n}"));
    assert!(text.contains("4bf92f3577b34da6a3ce929d0e0e4736"), "an id of a trace is no secret");
    assert_eq!(stored[0].id, stored[1].id, "the same secret, the same substitute");
}

#[test]
fn nothing_is_removed_when_that_is_asked_for() {
    let privacy = PrivacyConfig { redact: false, ..PrivacyConfig::default() };
    let bench = Bench::new(CollectorConfig { privacy, ..CollectorConfig::default() });
    let mut span = bench.collector.span("", bench.price, None, OperationKind::Resolution);
    span.attempt(AttemptRecord::new(0, AttemptOutcome::Error));
    span.error("login", "password=hunter2");
    span.finish(Outcome::EngineError);
    let event = &bench.events()[0];
    assert_eq!(event.error.as_ref().unwrap().message.as_deref(), Some("password=hunter2"));
}

#[test]
fn what_waits_in_the_spool_holds_no_secret_either() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let config = CollectorConfig {
        spool_dir: Some(folder.path().join("spool")),
        ..CollectorConfig::default()
    };
    let collector = Collector::builder(config).start(store).unwrap();
    let title = collector.selector(&crate::support::definition("shop.title", &[]));
    let page = collector.page(&PageContext::at("https://u:planted1@shop.test/?a=planted2"));
    let mut span = collector.start("", title, Some(page), OperationKind::Resolution);
    span.error("login", "password=planted3");
    span.finish(Outcome::Timeout);
    collector.flush(LIMIT);
    assert_eq!(collector.ledger().spooled, 1);
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder.path().join("spool")).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        bytes += content.len();
        assert!(!String::from_utf8_lossy(&content).contains("planted"));
    }
    assert!(bytes > 100, "{bytes} bytes");
}

use crate::support::{Bench, Flaky, LIMIT};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use telemetry_collector::{Collector, CollectorConfig, KeySource, PrivacyConfig, Pseudonymous};
use telemetry_interfaces::{
    AttemptRecord, EventSink, EventStore, Key, KeyProvider, MemoryStore, OperationObserver, Query,
    Result, SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, Confidence, CorrelationId, Event, OperationKind, Outcome, PageContext,
    SessionId, StrategyKind, Timestamp, json,
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

/// A secret of a known form that says where it was planted.
fn planted(place: &str) -> String {
    format!("ghp_planted{place}0123456789abcdefghij")
}

/// An operation with a secret in every field that an engine can fill.
fn plant(collector: &Collector) {
    let definition = crate::support::definition(
        &format!("shop.title {}", planted("name")),
        &[
            (StrategyKind::Css, &format!("a[title='{}']", planted("strategy"))),
            (StrategyKind::new(&planted("kind")), "b"),
        ],
    );
    let title = collector.selector(&definition);
    let mut page = PageContext::at(&format!(
        "https://u:planted1@shop.test/{}?a=planted2&{}=1#planted3",
        planted("path"),
        planted("parameter")
    ));
    page.url_template = Some(format!("https://u:planted4@shop.test/{{n}}?{}", planted("t")).into());
    page.title = Some(planted("title").into());
    page.user_agent = Some(planted("agent").into());
    page.tab = Some(planted("tab").into());
    page.session = Some(SessionId::new(planted("session")).unwrap());
    let page = collector.page(&page);
    let session = collector.session(&SessionId::new(planted("scope")).unwrap());
    let work = session.work_as(CorrelationId::new(&planted("correlation")).unwrap());
    let _entered = work.enter();
    let mut span =
        collector.start(&planted("engine"), title, Some(page), OperationKind::Resolution);
    span.attempt(AttemptRecord::new(1, AttemptOutcome::Error));
    span.error(&planted("error"), &format!("password=planted5 {}", planted("message")));
    span.stack(&format!("at {}\nBearer planted6planted7", planted("stack")));
    span.snapshot(&format!("https://u:planted8@snapshots.test/?k={}", planted("snapshot")));
    span.attribute(&planted("key"), &planted("value"));
    span.attribute("password", "planted9");
    span.confidence_component(&planted("component"), Confidence::saturating(0.5).unwrap());
    span.finish(Outcome::Timeout);
    // Without a page: the scope's session alone.
    collector.start("", title, None, OperationKind::Resolution).finish(Outcome::NotFound);
}

/// Looks for what was planted in every file below; how many bytes were looked at.
fn look_through(folder: &std::path::Path) -> usize {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            bytes += look_through(&path);
            continue;
        }
        let content = std::fs::read(&path).unwrap();
        bytes += content.len();
        let text = String::from_utf8_lossy(&content);
        let found = text.find("planted").map(|at| text[at..].chars().take(60).collect::<String>());
        assert_eq!(found, None, "in {}", path.display());
    }
    bytes
}

#[test]
fn secrets_planted_in_every_field_are_in_no_file_of_the_spool() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let config = CollectorConfig {
        spool_dir: Some(folder.path().join("spool")),
        ..CollectorConfig::default()
    };
    let builder = Collector::builder(config)
        .run(planted("run").parse().unwrap())
        .producer(planted("producer").parse().unwrap());
    let collector = builder.start(store.clone()).unwrap();
    plant(&collector);
    collector.flush(LIMIT);
    assert_eq!((collector.ledger().spooled, collector.ledger().dropped_total()), (2, 0));
    assert!(look_through(folder.path()) > 1_000);

    // What the store then gets is the same.
    store.down.store(false, Ordering::SeqCst);
    assert!(collector.flush(LIMIT).complete);
    for event in store.query(&Query::all()).unwrap() {
        let text = json::to_string(&event.unwrap());
        assert!(!text.contains("planted"), "{text}");
    }
}

/// A secret that begins just before the place where a text is cut is masked or gone, whichever
/// field it is in and wherever exactly the cut is.
#[test]
fn a_secret_across_the_end_of_what_is_kept_does_not_leak_its_beginning() {
    const SECRETS: [&str; 6] = [
        "ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789",
        "ann.smith.private@mail-server.example.test",
        "4111 1111 1111 1111",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlF",
        "https://ann:hunter2@shop.test/?q=private-words",
        "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    ];
    let bench = Bench::new(CollectorConfig::default());
    let mut expected = 0;
    for secret in SECRETS {
        for part in 1..=4 {
            // With and without more text than is taken along for masking.
            for more in [0, 200, 4_000] {
                let text = |limit: usize| {
                    let before = "word ".repeat(limit / 5 + 1);
                    let keep = limit - secret.len() * part / 5;
                    format!("{} {secret} {}", &before[..keep - 1], "more ".repeat(more))
                };
                let mut span =
                    bench.collector.span("", bench.price, None, OperationKind::Resolution);
                span.error(&text(128), &text(4_096));
                span.stack(&text(16_384));
                span.attribute("note", &text(4_096));
                span.snapshot(&text(4_096));
                span.finish(Outcome::Timeout);
                expected += 1;
                // Where a cut for masking would be, in a text of masked secrets.
                let dense = format!("{secret} then ").repeat(8_000 / secret.len());
                let mut span =
                    bench.collector.span("", bench.price, None, OperationKind::Resolution);
                span.error("dense", &dense);
                span.finish(Outcome::Timeout);
                expected += 1;
            }
        }
    }
    let events = bench.events();
    assert_eq!(events.len(), expected);
    for event in events {
        let error = event.error.as_ref().unwrap();
        let fields = [
            (Some(&error.kind), 128),
            (error.message.as_ref(), 4_096),
            (error.stack.as_ref(), 16_384),
            (event.attributes.get("note"), 4_096),
            (event.attributes.get("snapshot"), 4_096),
        ];
        for (text, limit) in fields {
            let Some(text) = text else { continue };
            assert!(text.len() <= limit, "{} bytes", text.len());
            for secret in SECRETS {
                let leak = &secret[..6];
                let leaks = text.rfind(leak).filter(|_| !secret.starts_with("https"));
                let url = text.contains("ann:") || text.contains("private");
                assert!(leaks.is_none() && !url, "{leaks:?} of {}: {text}", text.len());
            }
        }
    }
}

use cascade::{Document, Selector, StrategyKind};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_runtime::integration::CascadeEngine;
use telemetry_runtime::interfaces::{HealthStatus, Query, VerifyLevel};
use telemetry_runtime::models::{AlertState, Outcome, PageContext};
use telemetry_runtime::storage::{Backend, open_existing_read_only};
use telemetry_runtime::{Telemetry, TelemetryConfig};

const LIMIT: Duration = Duration::from_secs(30);

fn config(path: &std::path::Path, backend: Backend) -> TelemetryConfig {
    let mut config = TelemetryConfig::default();
    config.storage.path = path.to_owned();
    config.storage.backend = backend;
    config
}

/// From the engine to the alert and back from the disk, for each backend.
#[test]
fn a_selector_that_breaks_is_stored_and_raised() {
    for backend in [Backend::Segment, Backend::Json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let heard = Arc::new(Mutex::new(Vec::new()));
        let hear = Arc::clone(&heard);
        let telemetry = Telemetry::builder(config(&path, backend))
            .on_alert(move |change| hear.lock().unwrap().push(change.clone()))
            .start()
            .unwrap();
        let engine = telemetry.observe(CascadeEngine::default());
        let price = Selector::new("shop.price").strategy(StrategyKind::Css, "span.price");
        let pages = ["<span class=price>1</span>", "<span class=cost>1</span>"];
        for html in pages {
            let page = Document::parse(html);
            let context = engine.enter(&PageContext::at("https://shop.test/p/7"));
            for _ in 0..20 {
                engine.resolve(&page, Some(context), &price);
            }
        }
        assert!(telemetry.flush(LIMIT).complete);
        assert!(telemetry.health().iter().all(|(_, it)| it.status == HealthStatus::Healthy));
        let ended = telemetry.shutdown(LIMIT);
        assert!(ended.failures.is_empty(), "{:?}", ended.failures);

        let fired: Vec<_> = heard
            .lock()
            .unwrap()
            .iter()
            .filter(|change| change.alert.state == AlertState::Firing)
            .map(|change| change.alert.clone())
            .collect();
        let [alert] = &fired[..] else { panic!("{backend}: {fired:?}") };
        assert_eq!(alert.selector.as_str(), "shop.price");
        assert_eq!(alert.last_good.as_ref().unwrap().count, 20);
        assert_eq!(telemetry.alerts().unwrap()[0].id, alert.id, "{backend}: kept in the state");

        let store = open_existing_read_only(&path).unwrap();
        let query = Query { outcomes: vec![Outcome::NotFound], ..Query::all() };
        let failed: Vec<_> = store.query(&query).unwrap().collect::<Result<_, _>>().unwrap();
        assert_eq!(failed.len(), 20);
        assert!(failed.iter().any(|event| alert.evidence.events.contains(&event.id)));
        assert_eq!(store.ledgers().unwrap()[0].stored, 40, "{backend}");
    }
}

/// One run after the other over the same store, each with its definition of one name.
#[test]
fn versions_of_definitions_are_kept_from_run_to_run() {
    for backend in [Backend::Segment, Backend::Json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let page = Document::parse("<span class=price>1</span>");
        let run = |text: &str| {
            let telemetry = Telemetry::builder(config(&path, backend)).start().unwrap();
            let engine = telemetry.observe(CascadeEngine::default());
            let price = Selector::new("shop.price").strategy(StrategyKind::Css, text);
            engine.resolve(&page, None, &price);
            let same = telemetry.observe(CascadeEngine::default());
            same.resolve(&page, None, &price);
            assert!(telemetry.health().iter().all(|(_, it)| it.status == HealthStatus::Healthy));
            let ended = telemetry.shutdown(LIMIT);
            assert!(ended.failures.is_empty(), "{:?}", ended.failures);
        };
        ["span.price", ".price", ".price", ".cost"].into_iter().for_each(run);
        let store = open_existing_read_only(&path).unwrap();
        let mut versions: Vec<_> = store
            .query(&Query::all())
            .unwrap()
            .map(|event| event.map(|event| event.selector_version.unwrap()))
            .collect::<Result<_, _>>()
            .unwrap();
        versions.sort_unstable();
        assert_eq!(versions, [1, 1, 2, 2, 2, 2, 3, 3], "{backend}");
    }
}

/// Versions are known by what events bear: the state holds no secret, and does not count one that
/// changes from run to run.
#[test]
fn definitions_are_kept_without_their_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let page = Document::parse("<p>1</p>");
    for secret in ["hunter2!first", "hunter2!second"] {
        let telemetry = Telemetry::builder(config(&path, Backend::Segment)).start().unwrap();
        let engine = telemetry.observe(CascadeEngine::default());
        let text = format!("a[href='/?password={secret}']");
        engine.resolve(
            &page,
            None,
            &Selector::new("shop.link").strategy(StrategyKind::Css, text.as_str()),
        );
        assert!(telemetry.shutdown(LIMIT).failures.is_empty());
        let rows = telemetry.state().list("definitions").unwrap();
        let [(name, row)] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(name, "shop.link");
        assert!(row.contains(r#""version":1"#) && !row.contains(secret), "{row}");
    }
}

#[test]
fn a_definition_that_cannot_be_read_is_named() {
    use telemetry_runtime::interfaces::StateChange;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let telemetry = Telemetry::builder(config(&path, Backend::Segment)).start().unwrap();
    let broken = StateChange::put("definitions", "shop.price", r#"{"version":"two"}"#);
    telemetry.state().commit(&[broken]).unwrap();
    assert!(telemetry.shutdown(LIMIT).failures.is_empty());
    drop(telemetry);
    let error = Telemetry::builder(config(&path, Backend::Segment)).start().err().unwrap();
    let error = error.to_string();
    assert!(error.contains("definitions") && error.contains("shop.price"), "{error}");
}

#[test]
fn two_writers_are_refused_and_the_first_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let first = Telemetry::builder(config(&path, Backend::Segment)).start().unwrap();
    let second = Telemetry::builder(config(&path, Backend::Segment)).start();
    assert!(second.err().unwrap().to_string().contains("TEL-001"));
    assert!(first.shutdown(LIMIT).failures.is_empty());
}

/// What one run had to leave in the spool is in the store after the next run, for each backend.
#[test]
fn what_waits_in_the_spool_is_stored_by_the_next_run() {
    use telemetry_runtime::collector::{Collector, CollectorConfig};
    use telemetry_runtime::interfaces::{EventSink, EventStore, MemoryStore};
    use telemetry_runtime::models::{Event, OperationKind, Timestamp};

    for backend in [Backend::Segment, Backend::Json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        let closed = Arc::new(MemoryStore::new());
        closed.close().unwrap();
        let spooling =
            CollectorConfig { spool_dir: Some(path.join("spool")), ..CollectorConfig::default() };
        let earlier =
            Collector::builder(spooling).run("earlier".parse().unwrap()).start(closed).unwrap();
        for at in 0..100 {
            earlier.record(Event::new(
                format!("event-{at}").parse().unwrap(),
                "shop.price".parse().unwrap(),
                Timestamp::from_millis(1_700_000_000_000 + at),
                OperationKind::Resolution,
                Outcome::Success,
            ));
        }
        assert_eq!(earlier.shutdown(LIMIT).ledger.spooled, 100);

        let next = Telemetry::builder(config(&path, backend)).start().unwrap();
        assert!(next.flush(LIMIT).complete);
        assert_eq!(next.ledger().recorded, 0, "the ledger counts its own run");
        next.shutdown(LIMIT);
        let store = open_existing_read_only(&path).unwrap();
        assert_eq!(store.stats().unwrap().events, 100);
        let ledgers = store.ledgers().unwrap();
        let settled = ledgers.iter().find(|it| it.run.as_ref().unwrap().as_str() == "earlier");
        assert_eq!(settled.map(|it| (it.stored, it.spooled)), Some((100, 0)));
        let report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert!(report.damage.is_empty() && report.notes.is_empty(), "{report:?}");
    }
}

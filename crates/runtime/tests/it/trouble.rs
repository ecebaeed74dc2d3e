//! What the system says of itself when something is wrong.

use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_runtime::interfaces::{Code, EventSink, Health, HealthStatus};
use telemetry_runtime::models::{Event, EventId, OperationKind, Outcome, Timestamp};
use telemetry_runtime::storage::{Backend, StorageConfig, open};
use telemetry_runtime::{Telemetry, TelemetryConfig};
use tracing::field::{Field, Visit};
use tracing::span;

const LIMIT: Duration = Duration::from_secs(30);

/// Keeps what is logged for the storage.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, metadata: &tracing::Metadata<'_>) -> bool {
        metadata.target() == "telemetry::storage" && *metadata.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        struct Fields<'a>(&'a mut String);
        impl Visit for Fields<'_> {
            fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
                self.0.push_str(&format!("{field}={value:?}\n"));
            }
        }
        event.record(&mut Fields(&mut self.0.lock().unwrap()));
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

fn config(path: &Path, backend: Backend) -> TelemetryConfig {
    let mut config = TelemetryConfig::default();
    config.storage.path = path.to_owned();
    config.storage.backend = backend;
    config
}

fn event(at: u64) -> Event {
    Event::new(
        EventId::from_u128(u128::from(at) + 1),
        "shop.price".parse().unwrap(),
        Timestamp::from_millis(1_700_000_000_000 + at as i64),
        OperationKind::Resolution,
        Outcome::Success,
    )
}

fn of(telemetry: &Telemetry, part: &str) -> Health {
    telemetry.health().into_iter().find(|(name, _)| name == part).unwrap().1
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A store whose writer was interrupted in the middle of its last write.
fn torn(path: &Path, backend: Backend) {
    let live = path.with_extension("live");
    let store = open(&StorageConfig { backend, ..StorageConfig::at(&live) }).unwrap();
    store.append(&[event(0)]).unwrap();
    store.append(&[event(1)]).unwrap();
    copy(&live, path);
    let directory = path.join(if backend == Backend::Json { "events" } else { "segments" });
    let file = fs::read_dir(directory).unwrap().next().unwrap().unwrap().path();
    let bytes = fs::read(&file).unwrap();
    fs::write(&file, &bytes[..bytes.len() - 9]).unwrap();
}

#[test]
fn a_torn_end_is_logged_and_shown_in_health() {
    for backend in [Backend::Segment, Backend::Json] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store");
        torn(&path, backend);
        let log = Log::default();
        let telemetry = tracing::subscriber::with_default(log.clone(), || {
            Telemetry::builder(config(&path, backend)).start().unwrap()
        });
        let bytes = telemetry.store().recovered().torn_bytes();
        assert!(bytes > 0);
        let said = log.0.lock().unwrap().clone();
        let health = of(&telemetry, "store");
        assert_eq!(health.status, HealthStatus::Degraded, "{backend}");
        assert_eq!(health.code, Some(Code::Corruption));
        for text in [said, health.message] {
            assert!(text.contains(&format!("{bytes} unfinished bytes")), "{backend}: {text}");
            assert!(text.contains("not yet on stable storage"), "{backend}: {text}");
        }
        assert!(telemetry.shutdown(LIMIT).failures.is_empty());
    }
}

#[test]
fn a_store_in_order_says_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let log = Log::default();
    for _ in 0..2 {
        let telemetry = tracing::subscriber::with_default(log.clone(), || {
            Telemetry::builder(config(folder.path(), Backend::Segment)).start().unwrap()
        });
        assert_eq!(of(&telemetry, "store").status, HealthStatus::Healthy);
        telemetry.collector().record(event(0));
        telemetry.shutdown(LIMIT);
    }
    assert_eq!(*log.0.lock().unwrap(), "");
}

#[test]
fn a_store_that_takes_nothing_more_has_failed() {
    for backend in [Backend::Segment, Backend::Json, Backend::Memory] {
        let folder = tempfile::tempdir().unwrap();
        let telemetry = Telemetry::builder(config(folder.path(), backend)).start().unwrap();
        telemetry.store().close().unwrap();
        let health = of(&telemetry, "store");
        assert_eq!(health.status, HealthStatus::Failed, "{backend}");
        assert_eq!(health.code, Some(Code::StorageUnavailable));
    }
}

/// The end names what the store said, not only that it took too long.
#[test]
fn what_could_not_be_stored_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store");
    let telemetry = Telemetry::builder(config(&path, Backend::Segment)).start().unwrap();
    fs::remove_dir_all(path.join("segments")).unwrap();
    fs::write(path.join("segments"), "in the way").unwrap();
    telemetry.collector().record(event(0));
    let ended = telemetry.shutdown(LIMIT);
    let (part, error) = &ended.failures[0];
    assert_eq!(part, "collector");
    let source = std::error::Error::source(error).unwrap().to_string();
    assert!(source.contains("cannot begin a segment"), "{error}");
    assert!(!error.what_to_do().unwrap().contains("more time"), "{error}");
}

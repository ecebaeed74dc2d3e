use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use telemetry_runtime::interfaces::{
    Clock, Code, EventConsumer, EventSink, Health, HealthStatus, SystemClock,
};
use telemetry_runtime::models::{Event, OperationKind, Outcome, Timestamp};
use telemetry_runtime::storage::Backend;
use telemetry_runtime::{Telemetry, TelemetryConfig};

const LIMIT: Duration = Duration::from_secs(30);

fn in_memory() -> TelemetryConfig {
    let mut config = TelemetryConfig::default();
    config.storage.backend = Backend::Memory;
    config
}

fn event(at: i64, outcome: Outcome) -> Event {
    Event::new(
        format!("event-{at}").parse().unwrap(),
        "shop.price".parse().unwrap(),
        Timestamp::from_millis(1_800_000_000_000 + at * 1000),
        OperationKind::Resolution,
        outcome,
    )
}

fn of<'a>(health: &'a [(String, Health)], name: &str) -> &'a Health {
    &health.iter().find(|(known, _)| known == name).unwrap().1
}

/// Says that it lags.
struct Lagging;

impl EventConsumer for Lagging {
    fn name(&self) -> &str {
        "feed"
    }
    fn consume(&mut self, _: &[Event]) {}
    fn tick(&mut self, _: Timestamp) {}
    fn health(&self) -> Health {
        Health::degraded(Code::AlertOverload, "it lags")
    }
    fn finish(&mut self, _: Timestamp, _: Duration) {}
}

#[test]
fn a_degraded_consumer_shows() {
    let telemetry = Telemetry::builder(in_memory()).consumer(Box::new(Lagging)).start().unwrap();
    telemetry.flush(LIMIT);
    let health = telemetry.health();
    assert_eq!(*of(&health, "feed"), Health::degraded(Code::AlertOverload, "it lags"));
    assert_eq!(*of(&health, "collector"), Health::degraded(Code::AlertOverload, "feed: it lags"));
    assert_eq!(of(&health, "alerting").status, HealthStatus::Healthy);
    assert_eq!(of(&health, "store").status, HealthStatus::Healthy);
    assert!(telemetry.shutdown(LIMIT).failures.is_empty());
}

#[test]
fn selectors_that_alerting_does_not_watch_show() {
    let mut config = in_memory();
    config.alerting.max_series = 1;
    let telemetry = Telemetry::builder(config).start().unwrap();
    for (at, selector) in ["shop.price", "shop.title"].into_iter().enumerate() {
        let mut event = event(at as i64, Outcome::Success);
        event.selector = selector.parse().unwrap();
        telemetry.collector().record(event);
    }
    telemetry.flush(LIMIT);
    let health = telemetry.health();
    assert_eq!(of(&health, "alerting").code, Some(Code::AlertOverload));
    assert!(of(&health, "alerting").message.contains("alerting.max_series"));
}

#[test]
fn an_alert_hook_that_panics_ends_neither_recording_nor_alerting() {
    let telemetry =
        Telemetry::builder(in_memory()).on_alert(|_| panic!("the hook fails")).start().unwrap();
    for at in 0..40 {
        let outcome = if at < 20 { Outcome::Success } else { Outcome::NotFound };
        telemetry.collector().record(event(at, outcome));
    }
    assert!(telemetry.flush(LIMIT).complete);
    let health = telemetry.health();
    assert_eq!(of(&health, "alerting").code, Some(Code::Processing));
    assert_eq!(of(&health, "alerting").status, HealthStatus::Degraded);
    telemetry.collector().record(event(40, Outcome::Success));
    assert!(telemetry.shutdown(LIMIT).failures.is_empty());
    assert_eq!(telemetry.store().stats().unwrap().events, 41);
    assert_eq!(telemetry.alerts().unwrap().len(), 1);
}

/// Panics once on the pipeline thread when told to: a defect of what the pipeline itself needs.
#[derive(Debug)]
struct Defective {
    clock: SystemClock,
    armed: AtomicBool,
}

impl Clock for Defective {
    fn utc(&self) -> Timestamp {
        self.clock.utc()
    }
    fn monotonic(&self) -> Duration {
        let here = std::thread::current().name() == Some("telemetry-pipeline");
        assert!(!(here && self.armed.swap(false, Ordering::SeqCst)), "the clock fails");
        self.clock.monotonic()
    }
}

#[test]
fn shutdown_says_that_the_pipeline_thread_has_ended() {
    let clock = Arc::new(Defective { clock: SystemClock::new(), armed: AtomicBool::new(false) });
    let telemetry = Telemetry::builder(in_memory()).clock(clock.clone()).start().unwrap();
    telemetry.flush(LIMIT);
    clock.armed.store(true, Ordering::SeqCst);
    // The panic comes while it is asked, or came before; in either case nobody waits in vain.
    assert!(!telemetry.flush(LIMIT).complete);
    let report = telemetry.shutdown(LIMIT);
    let (part, error) = &report.failures[0];
    assert_eq!((part.as_str(), error.code()), ("collector", Code::Processing));
    let text = error.to_string();
    assert!(text.contains("the pipeline thread has ended"), "{text}");
    assert!(!text.contains("more time"), "{text}");
    assert_eq!(of(&telemetry.health(), "collector").status, HealthStatus::Failed);
    assert!(report.elapsed < LIMIT);
}

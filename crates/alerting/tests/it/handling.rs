use crate::scene::{FixedClock, Visits, at, default_engine, observe, tick};
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry_alerting::{AlertBook, AlertFilter, AlertMonitor, ThresholdEngine};
use telemetry_interfaces::{AlertEngine, ErrorKind, EventConsumer, MemoryState, StateStore};
use telemetry_models::{
    Alert, AlertAction, AlertId, AlertRequest, AlertState, AlertTransition, ResolutionMethod,
    Severity,
};

fn request(alert: &AlertId, action: AlertAction) -> AlertRequest {
    let why = Some("seen it".to_owned());
    AlertRequest { alert: alert.clone(), at: at(100), by: "ada".into(), why, action }
}

fn broken() -> (ThresholdEngine, Visits, Alert) {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.price");
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..4).map(|_| visits.missing()));
    observe(&mut engine, &events);
    let alert = engine.open().remove(0);
    (engine, visits, alert)
}

fn ask(engine: &mut ThresholdEngine, alert: &Alert, action: AlertAction) -> Vec<AlertTransition> {
    let mut changes = Vec::new();
    engine.handle(&request(&alert.id, action), &mut changes).unwrap().unwrap();
    changes
}

#[test]
fn an_acknowledgement_is_kept_while_it_fires_and_ends_with_the_alert() {
    let (mut engine, mut visits, alert) = broken();
    let changes = ask(&mut engine, &alert, AlertAction::Acknowledge);
    assert_eq!(changes[0].alert.handling.acknowledged.as_ref().unwrap().by, "ada");
    observe(&mut engine, &[visits.missing()]);
    assert!(engine.open()[0].handling.acknowledged.is_some());
    let good: Vec<_> = (0..4).map(|_| visits.found()).collect();
    let resolved = &observe(&mut engine, &good)[0].alert;
    assert_eq!(resolved.handling.acknowledged, None);
    let resolution = resolved.handling.resolution.as_ref().unwrap();
    assert_eq!((resolution.method, &resolution.by), (ResolutionMethod::Automatic, &None));
}

#[test]
fn what_was_ended_by_hand_needs_new_evidence_to_come_back() {
    let (mut engine, mut visits, alert) = broken();
    let method = ResolutionMethod::DeploymentFix;
    ask(&mut engine, &alert, AlertAction::Resolve { method });
    assert_eq!(engine.open(), []);
    assert_eq!(tick(&mut engine, at(60))[0].alert.state, AlertState::Closed);
    visits.next = 70;
    let three: Vec<_> = (0..3).map(|_| visits.missing()).collect();
    assert_eq!(observe(&mut engine, &three), []);
    assert_eq!(observe(&mut engine, &[visits.missing()])[0].alert.state, AlertState::Firing);
}

#[test]
fn what_was_reopened_does_not_end_before_its_condition_held_anew() {
    let (mut engine, mut visits, alert) = broken();
    let good: Vec<_> = (0..4).map(|_| visits.found()).collect();
    observe(&mut engine, &good);
    let changes = ask(&mut engine, &alert, AlertAction::Reopen);
    assert_eq!(
        (changes[0].from, changes[0].alert.state),
        (AlertState::Resolved, AlertState::Firing)
    );
    let more: Vec<_> = (0..20).map(|_| visits.found()).collect();
    assert_eq!(observe(&mut engine, &more), [], "somebody says that it is not over");
    let bad: Vec<_> = (0..4).map(|_| visits.missing()).collect();
    assert_eq!(observe(&mut engine, &bad), []);
    let good: Vec<_> = (0..4).map(|_| visits.found()).collect();
    assert_eq!(observe(&mut engine, &good)[0].alert.state, AlertState::Resolved);
}

fn until(monitor: &mut AlertMonitor, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < limit, "nothing came of it");
        monitor.tick(at(200));
        std::thread::yield_now();
    }
}

/// Through the state store, as another process asks.
#[test]
fn what_is_asked_for_beside_the_program_is_done_by_it_and_kept() {
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let start = || {
        let state = Arc::clone(&state);
        AlertMonitor::builder(default_engine(), state, Arc::new(FixedClock)).start().unwrap()
    };
    let book = AlertBook::new(Arc::clone(&state));
    let mut monitor = start();
    let mut visits = Visits::of("shop.price");
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..4).map(|_| visits.missing()));
    monitor.consume(&events);
    until(&mut monitor, || !book.list(&AlertFilter::open()).unwrap().is_empty());
    let id = book.list(&AlertFilter::open()).unwrap()[0].id.clone();

    let seen = book.request(&request(&id, AlertAction::Acknowledge)).unwrap();
    assert!(seen.handling.acknowledged.is_some());
    assert_eq!(book.alert(&id).unwrap().unwrap(), seen, "whoever reads sees it at once");
    until(&mut monitor, || book.requests().unwrap().is_empty());
    assert!(monitor.open()[0].handling.acknowledged.is_some());

    // Nobody is running: it waits, and is done at the next start.
    monitor.finish(at(300), Duration::from_secs(5));
    drop(monitor);
    book.request(&request(&id, AlertAction::Escalate { to: None })).unwrap();
    let mut monitor = start();
    until(&mut monitor, || book.requests().unwrap().is_empty());
    let alert = &monitor.open()[0];
    assert_eq!((alert.severity, &alert.handling.acknowledged), (Severity::Critical, &None));
    assert_eq!(alert.handling.history.len(), 3);

    // One that is closed fires again under its id.
    let method = ResolutionMethod::Manual;
    book.request(&request(&id, AlertAction::Resolve { method })).unwrap();
    until(&mut monitor, || monitor_has_none(&book));
    monitor.tick(at(1000));
    until(&mut monitor, || book.alert(&id).unwrap().unwrap().state == AlertState::Closed);
    book.request(&request(&id, AlertAction::Reopen)).unwrap();
    until(&mut monitor, || book.requests().unwrap().is_empty());
    let limit = Instant::now() + Duration::from_secs(20);
    while monitor.open().is_empty() {
        assert!(Instant::now() < limit, "the engine does not take it over");
        monitor.tick(at(1001));
    }
    assert_eq!(monitor.open()[0].id, id);
}

fn monitor_has_none(book: &AlertBook) -> bool {
    book.requests().unwrap().is_empty() && book.list(&AlertFilter::open()).unwrap().is_empty()
}

#[test]
fn what_does_not_fit_is_refused_at_once() {
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    let book = AlertBook::new(state);
    let nobody = AlertId::new("nobody").unwrap();
    let error = book.request(&request(&nobody, AlertAction::Acknowledge)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

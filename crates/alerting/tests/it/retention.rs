//! How long what is over is kept, and what a calendar that is set does.

use crate::scene::{Visits, at, default_engine};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_alerting::{
    AlertBook, AlertFilter, AlertMatcher, AlertMonitor, Channel, DeliveryConfig, Silence,
    SilenceBook,
};
use telemetry_interfaces::{
    BoxFuture, Clock, EventConsumer, MemoryState, Notification, NotificationKind, Notifier,
    Receipt, Result, StateStore,
};
use telemetry_models::{AlertAction, AlertRequest, AlertState, Timestamp};

const HOUR: i64 = 3600;
const LONG: Duration = Duration::from_secs(60);

/// What the calendar shows is set; no other time passes.
#[derive(Clone, Debug)]
struct Calendar(Arc<Mutex<Timestamp>>);

impl Calendar {
    fn at(seconds: i64) -> Self {
        Self(Arc::new(Mutex::new(at(seconds))))
    }

    fn set(&self, seconds: i64) {
        *self.0.lock().unwrap() = at(seconds);
    }
}

impl Clock for Calendar {
    fn utc(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }
}

fn memory() -> Arc<dyn StateStore> {
    Arc::new(MemoryState::new())
}

/// An alert that was closed within the first five minutes.
fn closed(state: &Arc<dyn StateStore>) {
    let mut monitor = start(state, 0);
    let mut visits = Visits::of("shop.price");
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..4).map(|_| visits.missing()));
    events.extend((0..10).map(|_| visits.found()));
    monitor.consume(&events);
    monitor.tick(at(300));
    monitor.finish(at(300), LONG);
}

/// The next run, at that time by the calendar, which keeps what was closed for two hours.
fn start(state: &Arc<dyn StateStore>, seconds: i64) -> AlertMonitor {
    let clock = Arc::new(Calendar::at(seconds));
    AlertMonitor::builder(default_engine(), Arc::clone(state), clock)
        .keep_closed(Duration::from_secs(2 * HOUR as u64))
        .start()
        .unwrap()
}

fn kept(state: &Arc<dyn StateStore>) -> Vec<AlertState> {
    let alerts = AlertBook::new(Arc::clone(state)).list(&AlertFilter::default()).unwrap();
    alerts.iter().map(|alert| alert.state).collect()
}

#[test]
fn closed_alerts_and_past_silences_are_kept_as_long_as_is_set_and_no_longer() {
    let state = memory();
    closed(&state);
    let silences = SilenceBook::new(Arc::clone(&state));
    let silence = |id: &str, seconds| Silence {
        id: id.into(),
        matcher: AlertMatcher { selector: Some("shop.*".parse().unwrap()), ..Default::default() },
        starts_at: at(0),
        ends_at: at(seconds),
        created_by: "ada".into(),
        comment: "repaired tonight".into(),
    };
    silences.add(&silence("past", 60)).unwrap();
    silences.add(&silence("later", 3 * HOUR)).unwrap();
    start(&state, 2 * HOUR).finish(at(2 * HOUR), LONG);
    assert_eq!(kept(&state), [AlertState::Closed], "it is not two hours yet");
    start(&state, 2 * HOUR + 400).finish(at(2 * HOUR + 400), LONG);
    assert_eq!(kept(&state), []);
    assert_eq!(state.list("closed_alerts").unwrap(), [], "and nothing is left of it");
    let ids: Vec<_> = silences.list().unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(ids, ["later"]);
}

#[test]
fn a_closed_alert_that_fires_again_stays() {
    let state = memory();
    closed(&state);
    let book = AlertBook::new(Arc::clone(&state));
    let id = book.list(&AlertFilter::default()).unwrap()[0].id.clone();
    let (by, why, action) = ("ada".into(), None, AlertAction::Reopen);
    book.request(&AlertRequest { alert: id, at: at(HOUR), by, why, action }).unwrap();
    let mut monitor = start(&state, HOUR);
    while !book.requests().unwrap().is_empty() {
        monitor.tick(at(HOUR));
        std::thread::yield_now();
    }
    monitor.finish(at(HOUR), LONG);
    start(&state, 10 * HOUR).finish(at(10 * HOUR), LONG);
    assert_eq!(kept(&state), [AlertState::Firing]);
}

#[test]
fn closed_alerts_of_an_earlier_version_go_in_their_time() {
    let state = memory();
    closed(&state);
    for (key, _) in state.list("closed_alerts").unwrap() {
        let gone = telemetry_interfaces::StateChange::remove("closed_alerts", key);
        state.commit(&[gone]).unwrap();
    }
    start(&state, HOUR).finish(at(HOUR), LONG);
    assert_eq!(kept(&state), [AlertState::Closed]);
    start(&state, 3 * HOUR).finish(at(3 * HOUR), LONG);
    assert_eq!(kept(&state), []);
}

/// Notes what it is told.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Vec<NotificationKind>>>);

impl Notifier for Listener {
    fn name(&self) -> &str {
        "listener"
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        self.0.lock().unwrap().push(notification.kind);
        Box::pin(std::future::ready(Ok(Receipt { answer: "heard".into() })))
    }
}

#[test]
fn a_calendar_set_back_by_a_day_holds_no_message_up() {
    let (state, heard, clock) = (memory(), Listener::default(), Calendar::at(0));
    let delivery = DeliveryConfig { group_wait: Duration::ZERO, ..DeliveryConfig::default() };
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(clock.clone()))
            .channel(Channel::new(heard.clone()))
            .delivery(delivery)
            .start()
            .unwrap();
    let mut visits = Visits::of("shop.price");
    let good: Vec<_> = (0..20).map(|_| visits.found()).collect();
    monitor.consume(&good);
    clock.set(-24 * HOUR);
    visits.next = -24 * HOUR;
    let bad: Vec<_> = (0..4).map(|_| visits.missing()).collect();
    monitor.consume(&bad);
    let limit = std::time::Instant::now() + LONG;
    while heard.0.lock().unwrap().is_empty() {
        assert!(std::time::Instant::now() < limit, "nobody is told");
        std::thread::yield_now();
    }
    let good: Vec<_> = (0..10).map(|_| visits.found()).collect();
    monitor.consume(&good);
    monitor.finish(at(-24 * HOUR + 60), LONG);
    let heard = heard.0.lock().unwrap();
    assert_eq!(*heard, [NotificationKind::Firing, NotificationKind::Resolved]);
}

/// What the calendar shows is fixed; the time since the start is set.
#[derive(Clone, Debug, Default)]
struct Stopwatch(Arc<Mutex<Duration>>);

impl Clock for Stopwatch {
    fn utc(&self) -> Timestamp {
        at(0)
    }
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
}

#[test]
fn what_is_still_open_is_told_again_though_nothing_else_happens() {
    let (state, heard, watch) = (memory(), Listener::default(), Stopwatch::default());
    let delivery = DeliveryConfig { group_wait: Duration::ZERO, ..DeliveryConfig::default() };
    let repeat = delivery.repeat_interval;
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(watch.clone()))
            .channel(Channel::new(heard.clone()))
            .delivery(delivery)
            .start()
            .unwrap();
    let mut visits = Visits::of("shop.price");
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..4).map(|_| visits.missing()));
    monitor.consume(&events);
    let limit = std::time::Instant::now() + LONG;
    for told in 1..=3 {
        while heard.0.lock().unwrap().len() < told {
            assert!(std::time::Instant::now() < limit, "told {} times", told - 1);
            std::thread::yield_now();
        }
        *watch.0.lock().unwrap() += repeat;
    }
    assert_eq!(heard.0.lock().unwrap()[..3], [NotificationKind::Firing; 3]);
    monitor.finish(at(60), LONG);
}

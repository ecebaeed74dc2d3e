use crate::scene::{FixedClock, Visits, at, default_engine};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_alerting::{AlertBook, AlertFilter, AlertMonitor, Channel, RetryPolicy};
use telemetry_interfaces::{
    BoxFuture, Code, Error, ErrorKind, EventConsumer, HealthStatus, MemoryState, Notification,
    NotificationKind, Notifier, Receipt, Result, StateChange, StateStore,
};
use telemetry_models::{Alert, AlertState, Event, Severity};

pub const LONG: Duration = Duration::from_secs(60);
pub const AT_ONCE: RetryPolicy =
    RetryPolicy { tries: 3, first_delay: Duration::ZERO, max_delay: Duration::ZERO };

/// Answers as told, then accepts.
#[derive(Clone, Default)]
struct Probe {
    name: &'static str,
    answers: Arc<Mutex<VecDeque<Option<ErrorKind>>>>,
    heard: Arc<Mutex<Vec<(String, NotificationKind)>>>,
}

impl Probe {
    fn new(name: &'static str, answers: &[Option<ErrorKind>]) -> Self {
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        Self { name, answers, heard: Arc::default() }
    }

    fn keys(&self) -> Vec<String> {
        self.heard.lock().unwrap().iter().map(|(key, _)| key.clone()).collect()
    }

    fn kinds(&self) -> Vec<NotificationKind> {
        self.heard.lock().unwrap().iter().map(|(_, kind)| *kind).collect()
    }
}

impl Notifier for Probe {
    fn name(&self) -> &str {
        self.name
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        self.heard.lock().unwrap().push((notification.key.clone(), notification.kind));
        let answer = self.answers.lock().unwrap().pop_front().flatten();
        Box::pin(std::future::ready(match answer {
            None => Ok(Receipt { answer: "heard".into() }),
            Some(kind) => Err(Error::new(kind, Code::Processing, "the probe was told to fail")),
        }))
    }
}

/// Never answers.
struct Deaf;

impl Notifier for Deaf {
    fn name(&self) -> &str {
        "probe"
    }

    fn notify<'a>(&'a self, _: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        Box::pin(std::future::pending())
    }
}

fn start(state: &Arc<dyn StateStore>, channel: Channel) -> AlertMonitor {
    AlertMonitor::builder(default_engine(), Arc::clone(state), Arc::new(FixedClock))
        .channel(channel)
        .retry(AT_ONCE)
        .start()
        .unwrap()
}

pub fn breaking(visits: &mut Visits) -> Vec<Event> {
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..10).map(|_| visits.missing()));
    events
}

fn memory() -> Arc<dyn StateStore> {
    Arc::new(MemoryState::new())
}

#[test]
fn a_change_is_kept_told_and_called_back() {
    let state = memory();
    let probe = Probe::new("probe", &[]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let hook = Arc::clone(&seen);
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(FixedClock))
            .channel(Channel::new(probe.clone()))
            .on_change(move |change| hook.lock().unwrap().push(change.alert.state))
            .start()
            .unwrap();
    let mut visits = Visits::of("shop.title");
    monitor.consume(&breaking(&mut visits));
    assert_eq!(*seen.lock().unwrap(), [AlertState::Firing], "called back at once");
    monitor.finish(at(100), LONG);
    assert_eq!(monitor.delivered(), (1, 0));
    assert_eq!(monitor.health().status, HealthStatus::Healthy);

    let book = AlertBook::new(Arc::clone(&state));
    let alerts = book.list(&AlertFilter::open()).unwrap();
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].selector.as_str(), "shop.title");
    assert_eq!(book.alert(&alerts[0].id).unwrap().as_ref(), Some(&alerts[0]));
    assert_eq!(book.outbox().unwrap(), []);
    let record = book.channel("probe").unwrap().unwrap();
    assert_eq!((record.key, record.answer), (probe.keys()[0].clone(), "heard".to_owned()));
    let other = AlertFilter { selector: Some("other.*".parse().unwrap()), ..AlertFilter::open() };
    assert_eq!(book.list(&other).unwrap(), []);
}

#[test]
fn a_restart_announces_nothing_twice_and_forgets_no_resolution() {
    let state = memory();
    let mut visits = Visits::of("shop.title");
    let first = Probe::new("probe", &[]);
    let mut monitor = start(&state, Channel::new(first.clone()));
    monitor.consume(&breaking(&mut visits));
    monitor.finish(at(50), LONG);
    drop(monitor);

    let second = Probe::new("probe", &[]);
    let mut monitor = start(&state, Channel::new(second.clone()));
    assert_eq!(monitor.open().len(), 1);
    let still: Vec<_> = (0..20).map(|_| visits.missing()).collect();
    monitor.consume(&still);
    monitor.finish(at(70), LONG);
    assert_eq!(second.keys(), Vec::<String>::new());

    let third = Probe::new("probe", &[]);
    let mut monitor = start(&state, Channel::new(third.clone()));
    let healed: Vec<_> = (0..5).map(|_| visits.found()).collect();
    monitor.consume(&healed);
    monitor.finish(at(80), LONG);
    assert_eq!(third.kinds(), [NotificationKind::Resolved]);
    let id = |key: &str| key.rsplit_once(['-']).unwrap().0.trim_end_matches("-firing").to_owned();
    assert_eq!(id(&third.keys()[0]), id(&first.keys()[0]), "the same occurrence");
}

/// Misses after a run of `good` successes that ended as `end` says; the first alert of the new run.
fn missed_after_a_restart(good: i64, end: impl FnOnce(AlertMonitor, Arc<dyn StateStore>)) -> Alert {
    let state = memory();
    let mut visits = Visits::of("shop.title");
    let mut monitor = start(&state, Channel::new(Probe::new("probe", &[])));
    monitor.consume(&(0..good).map(|_| visits.found()).collect::<Vec<_>>());
    end(monitor, Arc::clone(&state));
    let mut monitor = start(&state, Channel::new(Probe::new("probe", &[])));
    monitor.consume(&(0..10).map(|_| visits.missing()).collect::<Vec<_>>());
    let alert = monitor.open().remove(0);
    monitor.finish(at(200), LONG);
    alert
}

#[test]
fn the_last_good_operation_of_an_earlier_run_is_named() {
    let alert = missed_after_a_restart(20, |mut monitor, _| monitor.finish(at(30), LONG));
    let good = alert.last_good.unwrap();
    assert_eq!((good.count, good.at), (20, at(19)));
    assert_eq!(good.event.to_string(), "shop.title-19");
    assert_eq!(good.value, Some(0.0));
    assert_eq!(alert.evidence.before.as_deref(), Some("css span.price won"));
    assert!(alert.summary.ends_with("20 good before)"), "{}", alert.summary);
}

/// Dropping saves nothing that was learned, like a kill.
#[test]
fn a_kill_loses_at_most_what_was_learned_in_the_last_minute() {
    let alert = missed_after_a_restart(20, |mut monitor, state| {
        monitor.tick(at(59));
        drop(monitor);
        assert_eq!(state.list("alerting_memory").unwrap(), []);
    });
    assert_eq!((&*alert.rule, alert.last_good), ("selector-never-matched", None));

    let alert = missed_after_a_restart(20, |mut monitor, state| {
        monitor.tick(at(60));
        drop(monitor);
        assert_eq!(state.list("alerting_memory").unwrap().len(), 1);
    });
    assert_eq!((&*alert.rule, alert.last_good.unwrap().count), ("selector-broken", 20));
}

#[test]
fn what_was_learned_before_the_last_good_operation_was_kept_is_still_read() {
    let alert = missed_after_a_restart(20, |mut monitor, state| {
        monitor.finish(at(30), LONG);
        let rows = state.list("alerting_memory").unwrap();
        let mut row: serde_json::Value = serde_json::from_str(&rows[0].1).unwrap();
        for rule in row["rules"].as_object_mut().unwrap().values_mut() {
            let rule = rule.as_object_mut().unwrap();
            assert!(rule.remove("last_good").is_some() && rule.remove("winner").is_some());
        }
        let older = StateChange::put("alerting_memory", &rows[0].0, row.to_string());
        state.commit(&[older]).unwrap();
    });
    assert_eq!((&*alert.rule, alert.last_good), ("selector-broken", None));
}

#[test]
fn a_hook_that_panics_is_taken_out_and_alerting_goes_on() {
    let seen = Arc::new(Mutex::new(0));
    let (other, calls) = (Arc::clone(&seen), Arc::new(AtomicU32::new(0)));
    let counted = Arc::clone(&calls);
    let probe = Probe::new("probe", &[]);
    let mut monitor = AlertMonitor::builder(default_engine(), memory(), Arc::new(FixedClock))
        .channel(Channel::new(probe.clone()))
        .on_change(move |_| {
            counted.fetch_add(1, Ordering::SeqCst);
            panic!("the hook fails");
        })
        .on_change(move |_| *other.lock().unwrap() += 1)
        .start()
        .unwrap();
    for selector in ["shop.title", "shop.price"] {
        monitor.consume(&breaking(&mut Visits::of(selector)));
    }
    assert_eq!((calls.load(Ordering::SeqCst), *seen.lock().unwrap()), (1, 2));
    let health = monitor.health();
    assert_eq!((health.status, health.code), (HealthStatus::Degraded, Some(Code::Processing)));
    assert!(health.message.starts_with("1 hooks panicked"), "{}", health.message);
    monitor.finish(at(100), LONG);
    assert_eq!(probe.kinds(), [NotificationKind::Firing; 2]);
}

#[test]
fn what_was_not_accepted_is_sent_again_under_the_same_key() {
    let state = memory();
    let mut monitor = start(&state, Channel::new(Deaf));
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    drop(monitor);
    let waiting = AlertBook::new(Arc::clone(&state)).outbox().unwrap();
    assert_eq!(waiting.len(), 1);

    let probe = Probe::new("probe", &[]);
    let mut monitor = start(&state, Channel::new(probe.clone()));
    monitor.finish(at(100), LONG);
    assert_eq!(probe.keys(), [waiting[0].notification.key.clone()]);
    assert_eq!(AlertBook::new(state).outbox().unwrap(), []);
}

#[test]
fn a_channel_that_refuses_is_tried_again_until_it_is_given_up() {
    let state = memory();
    let again = Some(ErrorKind::Unavailable);
    let probe = Probe::new("probe", &[again, again, None, Some(ErrorKind::Invalid)]);
    let mut monitor = start(&state, Channel::new(probe.clone()));
    let mut visits = Visits::of("shop.title");
    monitor.consume(&breaking(&mut visits));
    let healed: Vec<_> = (0..5).map(|_| visits.found()).collect();
    monitor.consume(&healed);
    monitor.finish(at(100), LONG);
    let keys = probe.keys();
    assert_eq!(keys.len(), 4);
    assert!(keys[0] == keys[1] && keys[1] == keys[2] && keys[2] != keys[3]);
    assert_eq!(monitor.delivered(), (1, 1));
    assert_eq!(monitor.health().status, HealthStatus::Degraded);
    let dead = AlertBook::new(state).dead_letters().unwrap();
    assert_eq!((dead.len(), dead[0].tries), (1, Some(1)), "what is refused is not repeated");
    assert!(dead[0].error.as_ref().unwrap().contains("told to fail"));
}

#[test]
fn a_channel_that_hangs_holds_up_nobody_else() {
    let state = memory();
    let probe = Probe::new("other", &[]);
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(FixedClock))
            .channel(Channel::new(Deaf).limit(Duration::from_millis(1)))
            .channel(Channel::new(probe.clone()))
            .retry(AT_ONCE)
            .start()
            .unwrap();
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    assert_eq!(probe.keys().len(), 1);
    let dead = AlertBook::new(state).dead_letters().unwrap();
    assert_eq!((dead.len(), dead[0].channel.as_str(), dead[0].tries), (1, "probe", Some(3)));
}

#[test]
fn a_channel_hears_only_what_is_severe_enough() {
    let state = memory();
    let probe = Probe::new("probe", &[]);
    let channel = Channel::new(probe.clone()).min_severity(Severity::High);
    let mut monitor = start(&state, channel);
    let mut visits = Visits::of("shop.title");
    let mut events: Vec<_> = (0..40).map(|_| visits.found()).collect();
    events.extend((0..10).map(|_| visits.fallen_back()));
    monitor.consume(&events);
    monitor.finish(at(100), LONG);
    assert_eq!(probe.keys(), Vec::<String>::new());
    assert_eq!(AlertBook::new(state).list(&AlertFilter::open()).unwrap().len(), 1);
}

#[test]
fn two_channels_of_one_name_are_an_error() {
    let result = AlertMonitor::builder(default_engine(), memory(), Arc::new(FixedClock))
        .channel(Channel::new(Deaf))
        .channel(Channel::new(Deaf))
        .start();
    assert_eq!(result.err().unwrap().code(), Code::Configuration);
}

/// Takes so many commits; then the process that makes them is dead.
struct Mortal {
    inner: Arc<dyn StateStore>,
    left: AtomicU32,
}

impl StateStore for Mortal {
    fn load(&self, collection: &str, key: &str) -> Result<Option<String>> {
        self.inner.load(collection, key)
    }
    fn list(&self, collection: &str) -> Result<Vec<(String, String)>> {
        self.inner.list(collection)
    }
    fn commit(&self, changes: &[StateChange]) -> Result<()> {
        let left = self.left.load(Ordering::SeqCst);
        if left == 0 {
            return Ok(());
        }
        self.left.store(left - 1, Ordering::SeqCst);
        self.inner.commit(changes)
    }
}

#[test]
fn killed_after_any_commit_nothing_is_lost_and_nothing_repeated_under_another_key() {
    for commits in 1..8 {
        let state = memory();
        let mortal = Mortal { inner: Arc::clone(&state), left: AtomicU32::new(commits) };
        let mut visits = Visits::of("shop.title");
        let before = Probe::new("probe", &[]);
        let first: Arc<dyn StateStore> = Arc::new(mortal);
        let mut monitor = start(&first, Channel::new(before.clone()));
        monitor.consume(&breaking(&mut visits));
        monitor.finish(at(50), LONG);

        let after = Probe::new("probe", &[]);
        let mut monitor = start(&state, Channel::new(after.clone()));
        let still: Vec<_> = (0..20).map(|_| visits.missing()).collect();
        monitor.consume(&still);
        let healed: Vec<_> = (0..5).map(|_| visits.found()).collect();
        monitor.consume(&healed);
        monitor.finish(at(80), LONG);

        let mut keys = before.keys();
        keys.extend(after.keys());
        keys.dedup();
        let [firing, resolved] = &keys[..] else { panic!("{commits}: {keys:?}") };
        let id = firing.strip_suffix("-firing-high").unwrap();
        assert_eq!(*resolved, format!("{id}-resolved"), "{commits}");
        let book = AlertBook::new(Arc::clone(&state));
        assert_eq!(book.list(&AlertFilter::open()).unwrap(), [], "{commits}");
        assert_eq!(book.outbox().unwrap(), [], "{commits}");
    }
}

/// Refuses the first commits.
struct Moody {
    inner: MemoryState,
    refusals: AtomicU32,
}

impl StateStore for Moody {
    fn load(&self, collection: &str, key: &str) -> Result<Option<String>> {
        self.inner.load(collection, key)
    }
    fn list(&self, collection: &str) -> Result<Vec<(String, String)>> {
        self.inner.list(collection)
    }
    fn commit(&self, changes: &[StateChange]) -> Result<()> {
        let left = self.refusals.load(Ordering::SeqCst);
        if left == 0 {
            return self.inner.commit(changes);
        }
        self.refusals.store(left - 1, Ordering::SeqCst);
        Err(Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, "the disk is full"))
    }
}

#[test]
fn a_state_store_that_fails_does_not_silence_alerts() {
    let state: Arc<dyn StateStore> =
        Arc::new(Moody { inner: MemoryState::new(), refusals: AtomicU32::new(1) });
    let probe = Probe::new("probe", &[]);
    let mut monitor = start(&state, Channel::new(probe.clone()));
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    assert_eq!(probe.keys().len(), 1);
    let book = AlertBook::new(state);
    assert_eq!(book.list(&AlertFilter::open()).unwrap().len(), 1, "saved in the end");
    assert_eq!(book.outbox().unwrap(), []);
}

#[test]
fn a_damaged_row_is_named_and_does_not_stop_the_rest() {
    let state = memory();
    state.commit(&[StateChange::put("alerts", "torn", "{\"id\":")]).unwrap();
    let mut monitor = start(&state, Channel::new(Probe::new("probe", &[])));
    monitor.consume(&breaking(&mut Visits::of("shop.title")));
    monitor.finish(at(100), LONG);
    assert_eq!(state.list("alerts").unwrap().len(), 2, "nothing was written over");
    let error = AlertBook::new(state).list(&AlertFilter::default()).unwrap_err();
    assert_eq!(error.code(), Code::Corruption);
    assert!(error.to_string().contains("collection: alerts, key: torn"), "{error}");
}

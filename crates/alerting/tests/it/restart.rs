//! Timers and states that an engine takes over from an earlier run.

use crate::scene::{FixedClock, Visits, at, default_engine, engine_of, observe, tick};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_alerting::{AlertMonitor, Channel, DeliveryConfig, GroupBy, Rule, ThresholdEngine};
use telemetry_interfaces::{
    AlertEngine, BoxFuture, EventConsumer, MemoryState, Notification, NotificationKind, Notifier,
    Receipt, Result, StateChange, StateStore,
};
use telemetry_models::{Alert, AlertState, AlertTransition, Comparison, Signal};

fn rules() -> Vec<Rule> {
    vec![Rule {
        last: Some(1),
        hold: Duration::from_secs(60),
        keep_firing_for: Duration::from_secs(60),
        ..Rule::new("failing", Signal::ErrorRate, Comparison::AtLeast, 1.0)
    }]
}

/// The engine of the next run, at `now`, with the alerts as they were kept when they changed last.
fn next_run(before: &ThresholdEngine, kept: Vec<Alert>, now: i64) -> ThresholdEngine {
    let mut engine = engine_of(rules());
    assert_eq!(tick(&mut engine, at(now)), []);
    engine.recall(before.remember());
    engine.restore(kept);
    engine
}

fn last(changes: &[AlertTransition]) -> Vec<Alert> {
    vec![changes.last().unwrap().alert.clone()]
}

fn states(changes: &[AlertTransition]) -> Vec<AlertState> {
    changes.iter().map(|change| change.alert.state).collect()
}

/// Pending since second 0.
fn pending() -> (ThresholdEngine, Vec<Alert>, Visits) {
    let (mut engine, mut visits) = (engine_of(rules()), Visits::of("shop.price"));
    let changes = observe(&mut engine, &[visits.missing()]);
    assert_eq!(states(&changes), [AlertState::Pending]);
    (engine, last(&changes), visits)
}

/// Firing since second 60, recovering since second 70.
fn recovering() -> (ThresholdEngine, Vec<Alert>, Visits) {
    let (mut engine, _, mut visits) = pending();
    assert_eq!(states(&tick(&mut engine, at(60))), [AlertState::Firing]);
    visits.next = 70;
    let changes = observe(&mut engine, &[visits.found()]);
    assert_eq!(states(&changes), [AlertState::Recovering]);
    (engine, last(&changes), visits)
}

#[test]
fn a_pending_alert_goes_on_from_when_it_began() {
    let (engine, kept, mut visits) = pending();
    let mut engine = next_run(&engine, kept.clone(), 40);
    visits.next = 50;
    assert_eq!(observe(&mut engine, &[visits.missing()]), []);
    assert_eq!(tick(&mut engine, at(59)), []);
    let changes = tick(&mut engine, at(60));
    assert_eq!(states(&changes), [AlertState::Firing]);
    let alert = &changes[0].alert;
    assert_eq!((&alert.id, alert.since, alert.fired_at), (&kept[0].id, at(0), Some(at(60))));
}

#[test]
fn a_pending_alert_whose_trouble_went_away_meanwhile_ends() {
    let (engine, kept, mut visits) = pending();
    let mut engine = next_run(&engine, kept, 400);
    visits.next = 401;
    assert_eq!(states(&observe(&mut engine, &[visits.found()])), [AlertState::Inactive]);
}

#[test]
fn a_recovering_alert_goes_on_from_when_it_began_to() {
    let (engine, kept, _) = recovering();
    let mut engine = next_run(&engine, kept.clone(), 100);
    assert_eq!(tick(&mut engine, at(129)), []);
    let changes = tick(&mut engine, at(130));
    assert_eq!(states(&changes), [AlertState::Resolved]);
    assert_eq!(changes[0].alert.id, kept[0].id);
    // Resolved, it closes after its cooldown of 30 s, in whichever run that is.
    let mut engine = next_run(&engine, last(&changes), 150);
    assert_eq!(tick(&mut engine, at(159)), []);
    assert_eq!(states(&tick(&mut engine, at(160))), [AlertState::Closed]);
}

#[test]
fn trouble_that_is_back_after_the_restart_is_the_same_alert() {
    let (engine, kept, mut visits) = recovering();
    let mut engine = next_run(&engine, kept.clone(), 100);
    visits.next = 101;
    let changes = observe(&mut engine, &[visits.missing()]);
    assert_eq!(states(&changes), [AlertState::Firing]);
    assert_eq!((&changes[0].alert.id, changes[0].alert.fired_at), (&kept[0].id, Some(at(60))));
}

/// A clock that was set back between the runs makes a timer begin anew; it never runs out at once.
#[test]
fn a_clock_set_back_between_the_runs_ends_nothing() {
    let (engine, kept, mut visits) = pending();
    let mut engine = next_run(&engine, kept, -10_000);
    visits.next = -9_999;
    assert_eq!(observe(&mut engine, &[visits.missing()]), []);
    assert_eq!(tick(&mut engine, at(-9_941)), []);
    assert_eq!(states(&tick(&mut engine, at(-9_940))), [AlertState::Firing]);

    let (engine, kept, _) = recovering();
    let mut engine = next_run(&engine, kept, -10_000);
    assert_eq!(tick(&mut engine, at(-9_950)), []);
    assert_eq!(states(&tick(&mut engine, at(-9_940))), [AlertState::Resolved]);
}

#[test]
fn a_pending_alert_of_which_nothing_is_heard_for_a_day_ends() {
    let (_, kept, _) = pending();
    let mut engine = engine_of(rules());
    tick(&mut engine, at(10));
    engine.restore(kept);
    assert_eq!(tick(&mut engine, at(86_400)), []);
    assert_eq!(states(&tick(&mut engine, at(86_461))), [AlertState::Inactive]);
    assert_eq!(engine.open(), []);
}

#[test]
fn a_pending_alert_whose_rule_is_gone_leaves_nothing_behind() {
    let (_, kept, _) = pending();
    let mut engine = engine_of(Vec::new());
    tick(&mut engine, at(10));
    engine.restore(kept);
    let changes = tick(&mut engine, at(11));
    assert_eq!(states(&changes), [AlertState::Inactive]);
    assert_eq!(changes[0].alert.resolved_at, None);
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
fn what_nobody_was_told_before_a_kill_is_told_though_it_ends_at_once() {
    let mut visits: Vec<Visits> = (0..20).map(|n| Visits::of(&format!("shop.{n}"))).collect();
    let mut engine = default_engine();
    let state: Arc<dyn StateStore> = Arc::new(MemoryState::new());
    for visits in &mut visits {
        let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
        events.extend((0..4).map(|_| visits.missing()));
        observe(&mut engine, &events);
    }
    let kept = engine.open();
    let row = |alert: &Alert| {
        let json = serde_json::to_string(alert).unwrap();
        StateChange::put("alerts", alert.id.as_str(), json)
    };
    state.commit(&kept.iter().map(row).collect::<Vec<_>>()).unwrap();
    let heard = Listener::default();
    let delivery = DeliveryConfig {
        group_by: vec![GroupBy::Selector],
        incident_selectors: 0,
        limit_messages: 0,
        ..DeliveryConfig::default()
    };
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::clone(&state), Arc::new(FixedClock))
            .channel(Channel::new(heard.clone()))
            .delivery(delivery)
            .start()
            .unwrap();
    for visits in &mut visits {
        let good: Vec<_> = (0..10).map(|_| visits.found()).collect();
        monitor.consume(&good);
    }
    monitor.finish(at(100), Duration::from_secs(60));
    let heard = heard.0.lock().unwrap();
    let told = |kind| heard.iter().filter(|it| **it == kind).count();
    assert_eq!((told(NotificationKind::Firing), told(NotificationKind::Resolved)), (20, 20));
}

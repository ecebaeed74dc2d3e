//! What the telemetry system says about itself.

use crate::delivery::{AT_ONCE, LONG};
use crate::scene::{FixedClock, Visits, at, default_engine};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_alerting::{
    AlertMatcher, AlertMonitor, Channel, DeliveryConfig, Inhibition, SystemConfig, SystemEngine,
};
use telemetry_interfaces::{
    AlertEngine, BoxFuture, DropReason, EventConsumer, Ledger, MemoryState, Notification, Notifier,
    Receipt, Result, Vitals,
};
use telemetry_models::{AlertSource, AlertState, AlertTransition, ChangeCause, Signal};

fn engine(config: SystemConfig) -> SystemEngine {
    SystemEngine::new(&config).unwrap()
}

/// What changes when the counts are these at this second.
fn look(engine: &mut SystemEngine, second: i64, vitals: Vitals) -> Vec<AlertTransition> {
    let mut changes = Vec::new();
    engine.vitals(&vitals);
    engine.tick(at(second), &mut changes);
    changes
}

fn states(changes: &[AlertTransition]) -> Vec<(&str, AlertState)> {
    changes.iter().map(|it| (&*it.alert.rule, it.alert.state)).collect()
}

#[test]
fn a_count_that_moves_is_trouble_until_it_stood_still_for_five_minutes() {
    for (rule, vitals) in [
        ("telemetry-loss", Vitals { lost: 3, ..Vitals::default() }),
        ("telemetry-unwatched", Vitals { unwatched: 3, ..Vitals::default() }),
        ("telemetry-undelivered", Vitals { given_up: 3, ..Vitals::default() }),
    ] {
        let mut engine = engine(SystemConfig::default());
        assert_eq!(look(&mut engine, 0, Vitals::default()), []);
        let changes = look(&mut engine, 1, vitals);
        assert_eq!(states(&changes), [(rule, AlertState::Firing)]);
        let alert = &changes[0].alert;
        assert_eq!((alert.source, alert.signal), (AlertSource::System, Signal::Health));
        assert!(alert.summary.contains('3') && alert.suggestion.is_some(), "{alert:?}");
        assert_eq!(look(&mut engine, 300, vitals), []);
        let ends = [(rule, AlertState::Resolved), (rule, AlertState::Closed)];
        assert_eq!(states(&look(&mut engine, 301, vitals)), ends);
    }
}

#[test]
fn a_state_is_trouble_when_it_lasts_for_half_a_minute() {
    let late = Some(Duration::from_secs(90));
    for (rule, vitals) in [
        ("telemetry-spooling", Vitals { spooled: 7, ..Vitals::default() }),
        ("telemetry-late-input", Vitals { lag: late, ..Vitals::default() }),
        ("telemetry-overload", Vitals { behind: 1_001, ..Vitals::default() }),
    ] {
        let mut engine = engine(SystemConfig::default());
        assert_eq!(look(&mut engine, 0, vitals), []);
        assert_eq!(look(&mut engine, 10, Vitals::default()), [], "it did not last");
        assert_eq!(look(&mut engine, 20, vitals), []);
        assert_eq!(look(&mut engine, 49, vitals), []);
        assert_eq!(states(&look(&mut engine, 50, vitals)), [(rule, AlertState::Firing)]);
        let ends = [(rule, AlertState::Resolved), (rule, AlertState::Closed)];
        assert_eq!(states(&look(&mut engine, 60, Vitals::default())), ends);
    }
}

#[test]
fn an_import_is_not_late_input() {
    let mut engine = engine(SystemConfig::default());
    let old = Vitals { lag: Some(Duration::from_secs(86_400)), ..Vitals::default() };
    assert_eq!((look(&mut engine, 0, old), look(&mut engine, 60, old)), (vec![], vec![]));
}

#[test]
fn a_producer_that_falls_silent_is_missed_and_welcomed_back() {
    let silent_after = Some(Duration::from_secs(60));
    let mut engine = engine(SystemConfig { silent_after, ..SystemConfig::default() });
    let seen = |seen| Vitals { seen, ..Vitals::default() };
    assert_eq!(look(&mut engine, 100, seen(0)), [], "it never spoke");
    assert_eq!(look(&mut engine, 110, seen(5)), []);
    assert_eq!(look(&mut engine, 169, seen(5)), []);
    let rule = "telemetry-silent";
    assert_eq!(states(&look(&mut engine, 170, seen(5))), [(rule, AlertState::Firing)]);
    let ends = [(rule, AlertState::Resolved), (rule, AlertState::Closed)];
    assert_eq!(states(&look(&mut engine, 200, seen(6))), ends);
}

#[test]
fn the_heartbeat_is_told_again_and_again_and_goes_on_in_the_next_run() {
    let config =
        SystemConfig { heartbeat: Some(Duration::from_secs(60)), ..SystemConfig::default() };
    let mut first = engine(config.clone());
    let begun = look(&mut first, 0, Vitals::default());
    assert_eq!(states(&begun), [("telemetry-heartbeat", AlertState::Firing)]);
    assert_eq!(look(&mut first, 59, Vitals::default()), []);
    let beat = look(&mut first, 60, Vitals::default());
    assert_eq!((beat.len(), beat[0].cause), (1, ChangeCause::Heartbeat));
    let mut next = engine(config);
    assert_eq!(next.restore(first.open()), []);
    let beat = look(&mut next, 100, Vitals::default());
    assert_eq!((beat[0].cause, &beat[0].alert.id), (ChangeCause::Heartbeat, &begun[0].alert.id));
    // Without a heartbeat in the configuration it ends.
    let mut other = engine(SystemConfig::default());
    other.restore(first.open());
    let ended = look(&mut other, 100, Vitals::default());
    assert_eq!(states(&ended), [("telemetry-heartbeat", AlertState::Closed)]);
}

/// Remembers the rules it was told of.
struct Told(Arc<Mutex<Vec<String>>>);

impl Notifier for Told {
    fn name(&self) -> &str {
        "told"
    }

    fn notify<'a>(&'a self, notification: &'a Notification) -> BoxFuture<'a, Result<Receipt>> {
        let rules = notification.alerts.iter().map(|alert| alert.rule.to_string());
        self.0.lock().unwrap().extend(rules);
        Box::pin(std::future::ready(Ok(Receipt { answer: "heard".into() })))
    }
}

/// The monitor reads the collector's ledger, and nothing keeps the alert quiet.
#[test]
fn loss_in_the_ledger_is_announced_though_everything_is_inhibited() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let any =
        |rule: &str| AlertMatcher { rule: Some(rule.parse().unwrap()), ..AlertMatcher::default() };
    let inhibit = vec![Inhibition { source: any("selector-*"), target: any("*"), equal: vec![] }];
    let mut monitor =
        AlertMonitor::builder(default_engine(), Arc::new(MemoryState::new()), Arc::new(FixedClock))
            .engine(engine(SystemConfig::default()))
            .channel(Channel::new(Told(Arc::clone(&told))))
            .delivery(DeliveryConfig { inhibit, ..DeliveryConfig::immediate() })
            .retry(AT_ONCE)
            .start()
            .unwrap();
    let mut visits = Visits::of("shop.price");
    monitor.consume(&(0..20).map(|_| visits.found()).collect::<Vec<_>>());
    monitor.consume(&(0..10).map(|_| visits.missing()).collect::<Vec<_>>());
    let dropped = [(DropReason::Sampled, 50), (DropReason::QueueFull, 2)];
    let ledger = Ledger {
        run: None,
        producer: None,
        at: at(30),
        recorded: 82,
        stored: 30,
        spooled: 0,
        in_flight: 0,
        dropped: BTreeMap::from(dropped),
    };
    monitor.account(&ledger);
    monitor.tick(at(31));
    let open = monitor.open();
    let loss = open.iter().find(|alert| &*alert.rule == "telemetry-loss").unwrap();
    assert_eq!(loss.value, 2.0, "what was sampled on purpose is not lost");
    monitor.finish(at(32), LONG);
    let told = told.lock().unwrap();
    assert!(told.contains(&"telemetry-loss".to_owned()), "{told:?}");
}

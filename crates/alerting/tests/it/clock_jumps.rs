use crate::scene::{Visits, at, engine_of, fired, observe, tick};
use std::time::Duration;
use telemetry_alerting::Rule;
use telemetry_interfaces::AlertEngine;
use telemetry_models::{AlertState, ChangeCause, Comparison, Signal};

fn rule() -> Rule {
    Rule {
        within: Some(Duration::from_secs(600)),
        hold: Duration::from_secs(60),
        ..Rule::new("errors", Signal::ErrorRate, Comparison::Above, 0.5)
    }
}

#[test]
fn a_clock_set_back_neither_fires_nor_stops_anything() {
    let mut engine = engine_of(vec![rule()]);
    let mut visits = Visits::of("shop.title");
    visits.next = 10_000;
    let bad: Vec<_> = (0..5).map(|_| visits.missing()).collect();
    assert_eq!(observe(&mut engine, &bad)[0].alert.state, AlertState::Pending);
    tick(&mut engine, at(10_004));
    assert_eq!(tick(&mut engine, at(6_404)), []);
    visits.next = 6_404;
    let changes: Vec<_> = (0..30).flat_map(|_| observe(&mut engine, &[visits.missing()])).collect();
    assert_eq!(changes, [], "time has not passed");
    let changes: Vec<_> = (0..60).flat_map(|_| observe(&mut engine, &[visits.missing()])).collect();
    assert_eq!(fired(&changes).len(), 1, "the hour does not have to pass again");
}

#[test]
fn an_import_of_old_events_has_its_own_time() {
    let mut engine = engine_of(vec![rule()]);
    tick(&mut engine, at(90_000_000));
    let mut visits = Visits::of("shop.title");
    let bad: Vec<_> = (0..5).map(|_| visits.missing()).collect();
    observe(&mut engine, &bad);
    assert_eq!(tick(&mut engine, at(90_000_030)), []);
    let changes = tick(&mut engine, at(90_000_060));
    assert_eq!(fired(&changes).len(), 1);
    assert_eq!(fired(&changes)[0].fired_at, Some(at(64)));
}

#[test]
fn silence_is_seen_by_the_tick_alone() {
    let mut engine = engine_of(vec![Rule {
        within: Some(Duration::from_secs(60)),
        ..Rule::new("silent", Signal::Frequency, Comparison::Below, 0.1)
    }]);
    let mut visits = Visits::of("shop.title");
    let busy: Vec<_> = (0..120).map(|_| visits.found()).collect();
    assert_eq!(observe(&mut engine, &busy), []);
    assert_eq!(tick(&mut engine, at(170)), []);
    let changes = tick(&mut engine, at(175));
    assert_eq!(fired(&changes).len(), 1);
    assert_eq!(
        engine.open()[0].summary,
        "shop.title is used 0.067 per second (< 0.100 per second) (last used 08:01:59Z)"
    );
    let changes = observe(
        &mut engine,
        &(0..20)
            .map(|_| {
                visits.next += 1;
                visits.found()
            })
            .collect::<Vec<_>>(),
    );
    assert_eq!(changes.last().unwrap().alert.state, AlertState::Resolved);
}

#[test]
fn no_data_never_ends_an_alert() {
    let mut engine = engine_of(vec![Rule { hold: Duration::ZERO, ..rule() }]);
    let mut visits = Visits::of("shop.title");
    let bad: Vec<_> = (0..5).map(|_| visits.missing()).collect();
    assert_eq!(fired(&observe(&mut engine, &bad)).len(), 1);
    let changes = tick(&mut engine, at(3600));
    assert_eq!(changes.len(), 1, "it says once that data stopped");
    assert_eq!((changes[0].cause, changes[0].alert.state), (ChangeCause::Data, AlertState::Firing));
    assert_eq!(changes[0].alert.no_data_since, Some(at(4)));
    for hour in 2..50 {
        assert_eq!(tick(&mut engine, at(hour * 3600)), []);
    }
    assert_eq!(engine.open().len(), 1);
}

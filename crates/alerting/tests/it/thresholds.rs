use crate::scene::{Visits, at, default_engine, engine_of, fired, observe, rules_fired, tick};
use std::time::Duration;
use telemetry_alerting::{
    Against, AlertingConfig, Baseline, Profile, Rule, SeverityStep, ThresholdEngine,
};
use telemetry_interfaces::AlertEngine;
use telemetry_models::{Aggregate, AlertState, Comparison, Severity, Signal};

#[test]
fn the_original_profile_has_the_original_thresholds() {
    let config = AlertingConfig { profile: Profile::Original, ..AlertingConfig::default() };
    let mut engine = ThresholdEngine::new(&config).unwrap();
    let mut visits = Visits::of("shop.title");
    let slow: Vec<_> = (0..3).map(|_| visits.found_with(0.9, 5_001.0)).collect();
    let changes = observe(&mut engine, &slow);
    assert_eq!(rules_fired(&changes), ["resolution-time"]);
    assert_eq!(changes[0].alert.severity, Severity::Medium);
    let slower: Vec<_> = (0..5).map(|_| visits.found_with(0.1, 20_000.0)).collect();
    let changes = observe(&mut engine, &slower);
    let summary: Vec<_> =
        fired(&changes).iter().map(|alert| (&*alert.rule, alert.severity)).collect();
    assert_eq!(
        summary,
        [("resolution-time", Severity::Critical), ("confidence", Severity::Medium)],
        "a higher severity is a change of its own"
    );
}

#[test]
fn a_slow_decline_is_seen_because_the_baseline_is_frozen_while_it_is_bad() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.title");
    let mut events: Vec<_> = (0..50).map(|_| visits.found_with(0.95, 4.0)).collect();
    events.extend((0..500).map(|_| visits.found_with(0.95, 26.0)));
    let changes = observe(&mut engine, &events);
    assert_eq!(changes.len(), 1, "still firing after 500 slow operations");
    assert_eq!(engine.open()[0].threshold, 12.0);
}

#[test]
fn sites_are_watched_apart() {
    let mut engine = engine_of(vec![Rule {
        last: Some(2),
        site: Some("a.example".into()),
        ..Rule::new("errors", Signal::ErrorRate, Comparison::AtLeast, 1.0)
    }]);
    let mut visits = Visits::of("shop.title");
    let mut on = |url: &str| {
        let mut event = visits.missing();
        event.page = Some(std::sync::Arc::new(telemetry_models::PageContext::at(url)));
        event
    };
    let events = [
        on("https://a.example/1"),
        on("https://b.example/1"),
        on("https://b.example/2"),
        on("https://www.a.example/2"),
    ];
    let changes = observe(&mut engine, &events);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].alert.site.as_deref(), Some("a.example"));
    assert_eq!(engine.series(), 2);
}

#[test]
fn the_number_of_watched_selectors_is_bounded_and_what_is_not_watched_is_counted() {
    let config = AlertingConfig { max_series: 3, ..AlertingConfig::default() };
    let mut engine = ThresholdEngine::new(&config).unwrap();
    let events: Vec<_> = (0..10).map(|at| Visits::of(&format!("s{at}")).found()).collect();
    observe(&mut engine, &events);
    assert_eq!((engine.series(), engine.untracked()), (3, 7));
}

#[test]
fn a_summary_of_ones_own() {
    let mut engine = engine_of(vec![Rule {
        last: Some(2),
        aggregate: Some(Aggregate::Max),
        summary: Some(
            "{selector}@{site}: {signal} {value} > {threshold} ({samples}) {rule}".into(),
        ),
        steps: vec![SeverityStep { at: 50.0, severity: Severity::High }],
        ..Rule::new("slow", Signal::DurationMs, Comparison::Above, 10.0)
    }]);
    let mut visits = Visits::of("{selector}");
    let changes =
        observe(&mut engine, &[visits.found_with(0.9, 5.0), visits.found_with(0.9, 60.0)]);
    assert_eq!(
        changes[0].alert.summary,
        "{selector}@shop.example: duration_ms 60 ms > 10 ms (2) slow"
    );
    assert_eq!(changes[0].alert.severity, Severity::High);
}

#[test]
fn restored_alerts_go_on_and_those_without_a_rule_are_closed() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.title");
    let mut events: Vec<_> = (0..20).map(|_| visits.found()).collect();
    events.extend((0..10).map(|_| visits.missing()));
    observe(&mut engine, &events);
    let open = engine.open();

    let mut next = default_engine();
    next.restore(open.clone());
    let still: Vec<_> = (0..20).map(|_| visits.missing()).collect();
    assert_eq!(observe(&mut next, &still), [], "announced before");
    let again: Vec<_> = (0..4).map(|_| visits.found()).collect();
    let changes = observe(&mut next, &again);
    assert_eq!(changes[0].alert.state, AlertState::Resolved);
    assert_eq!(changes[0].alert.id, open[0].id);

    let mut without = engine_of(vec![]);
    without.restore(open);
    let changes = tick(&mut without, at(1000));
    assert_eq!((changes[0].from, changes[0].alert.state), (AlertState::Firing, AlertState::Closed));
    assert_eq!(tick(&mut without, at(1001)), []);
}

#[test]
fn what_was_learned_serves_a_later_run() {
    let mut visits = Visits::of("shop.title");
    let mut memory = Vec::new();
    let mut changes = Vec::new();
    for night in 0..8 {
        let mut engine = default_engine();
        engine.recall(memory);
        let events: Vec<_> =
            (0..2).map(|_| if night < 6 { visits.found() } else { visits.missing() }).collect();
        changes.extend(observe(&mut engine, &events));
        memory = engine.remember();
        let json = serde_json::to_string(&memory).unwrap();
        memory = serde_json::from_str(&json).unwrap();
    }
    assert_eq!(rules_fired(&changes), ["selector-broken"], "two operations a night suffice");
}

#[test]
fn the_baseline_does_not_contain_what_is_tested() {
    let mut engine = engine_of(vec![Rule {
        last: Some(1),
        against: Against::BaselineRatio,
        aggregate: Some(Aggregate::Max),
        baseline: Some(Baseline { samples: 5, min_samples: 5, min_change: 0.0 }),
        keep_firing_for: Duration::from_secs(5),
        ..Rule::new("spike", Signal::DurationMs, Comparison::AtLeast, 2.0)
    }]);
    let mut visits = Visits::of("shop.title");
    let events: Vec<_> = (0..6).map(|_| visits.found_with(0.9, 10.0)).collect();
    assert_eq!(observe(&mut engine, &events), []);
    let changes = observe(&mut engine, &[visits.found_with(0.9, 20.0)]);
    assert_eq!(changes[0].alert.threshold, 20.0);
    assert_eq!(changes[0].alert.last_good.as_ref().unwrap().value, Some(10.0));
}

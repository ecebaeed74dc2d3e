use crate::setup::{Place, events};
use expect_test::expect;
use serde_json::Value;
use std::collections::BTreeMap;
use telemetry_runtime::interfaces::{StateChange, StateStore};
use telemetry_runtime::models::{
    Alert, AlertId, AlertState, Comparison, Evidence, LastGood, SelectorName, Severity, Signal,
};
use telemetry_runtime::storage::SqliteState;

fn alert(id: &str, state: AlertState, severity: Severity) -> Alert {
    let events = events();
    Alert {
        id: AlertId::new(id).unwrap(),
        fingerprint: id.into(),
        rule: "selector-broken".into(),
        selector: SelectorName::new("shop.product.price").unwrap(),
        site: Some("shop.example".into()),
        signal: Signal::ErrorRate,
        severity,
        state,
        since: events[7].timestamp,
        fired_at: Some(events[13].timestamp),
        resolved_at: None,
        updated_at: events[13].timestamp,
        value: 1.0,
        comparison: Comparison::Above,
        threshold: 0.9,
        samples: 3,
        last_good: Some(LastGood {
            at: events[4].timestamp,
            event: events[4].id.clone(),
            value: Some(0.0),
            count: 2,
        }),
        evidence: Evidence {
            events: vec![events[7].id.clone()],
            url: Some("https://shop.example/product/7".into()),
            before: Some("xpath //b".into()),
            now: Some("css span.price: empty".into()),
        },
        summary: "shop.product.price matches nothing".into(),
        likely_cause: None,
        suggestion: Some("look at the page".into()),
        labels: BTreeMap::new(),
    }
}

fn place() -> Place {
    let place = Place::with_store();
    let state = SqliteState::open(&place.store()).unwrap();
    let changes: Vec<_> = [
        alert("broken-1", AlertState::Firing, Severity::High),
        alert("broken-2", AlertState::Resolved, Severity::Low),
    ]
    .iter()
    .map(|it| StateChange::put("alerts", it.id.as_str(), serde_json::to_string(it).unwrap()))
    .collect();
    state.commit(&changes).unwrap();
    place
}

#[test]
fn alerts_are_listed() {
    let place = place();
    let ran = place.run_reading(&["alerts", "list"]).code(0);
    expect![[r#"
        SEVERITY  STATE   SELECTOR            SINCE (UTC)               WHAT             ID
        high      firing  shop.product.price  2025-03-01T12:01:10.000Z  matches nothing  broken-1
    "#]]
    .assert_eq(&ran.out);
    let ids = |args: &[&str]| -> Vec<String> {
        let args = [&["alerts", "list", "--json"], args].concat();
        let out = place.run(&args).code(0).out;
        let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
        out.lines().map(id).collect()
    };
    assert_eq!(ids(&[]), ["\"broken-1\""]);
    assert_eq!(ids(&["--state", "all"]), ["\"broken-1\"", "\"broken-2\""]);
    assert_eq!(ids(&["--state", "resolved"]), ["\"broken-2\""]);
    assert!(ids(&["--selector", "other.*"]).is_empty());
    assert!(ids(&["--severity", "critical"]).is_empty());
}

#[test]
fn one_alert_with_its_evidence() {
    let place = place();
    let ran = place.run_reading(&["alerts", "show", "broken-1"]).code(0);
    expect![[r#"
        alert       broken-1
        what        shop.product.price matches nothing
        severity    high
        state       firing
        selector    shop.product.price
        site        shop.example
        rule        selector-broken
        since       2025-03-01T12:01:10Z
        fired       2025-03-01T12:02:10Z
        measured    error_rate 100.0% over 3 operations (fires when > 90.0%)
        last good   2025-03-01T12:00:40Z (event 00000000-0000-0000-0000-000000000005, 2 good before)
        before      xpath //b
        now         css span.price: empty
        page        https://shop.example/product/7
        what to do  look at the page
        evidence    telemetry query --event 00000000-0000-0000-0000-000000000008
    "#]]
    .assert_eq(&ran.out);
    place.run(&["alerts", "show", "broken-9"]).code(1).says(&["no alert broken-9", "--state all"]);
    place.run(&["doctor"]).code(0).shows(&["warn  alerts", "1 open", "telemetry alerts list"]);
}

#[test]
fn a_store_without_state_has_no_alerts() {
    let place = Place::with_store();
    place.run_reading(&["alerts", "list"]).code(0).says(&["no open alerts"]);
}

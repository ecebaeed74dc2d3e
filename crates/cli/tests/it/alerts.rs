use crate::setup::{Place, events};
use expect_test::expect;
use serde_json::Value;
use telemetry_runtime::interfaces::{Clock, StateChange, StateStore, SystemClock};
use telemetry_runtime::models::{
    Alert, AlertId, AlertSource, AlertState, Comparison, Evidence, LastGood, Resolution,
    ResolutionMethod, SelectorName, Severity, Signal,
};
use telemetry_runtime::storage::SqliteState;

fn alert(id: &str, state: AlertState, severity: Severity) -> Alert {
    let events = events();
    Alert {
        fingerprint: id.into(),
        site: Some("shop.example".into()),
        severity,
        state,
        fired_at: Some(events[13].timestamp),
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
        suggestion: Some("look at the page".into()),
        ..Alert::new(
            AlertId::new(id).unwrap(),
            "selector-broken",
            SelectorName::new("shop.product.price").unwrap(),
            Signal::ErrorRate,
            events[7].timestamp,
        )
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
fn doctor_shows_what_detectors_promise_and_what_people_said_was_false() {
    let place = Place::with_store();
    place.write("telemetry.toml", "[alerting.detection]\nfalse_alarms_per_day = 0.1\n");
    let now = SystemClock::new().utc();
    let false_alarm = Resolution {
        method: ResolutionMethod::FalsePositive,
        at: now,
        by: Some("ann".into()),
        why: None,
    };
    let changes: Vec<_> = (0..8)
        .map(|number| {
            let mut it = alert(&format!("found-{number}"), AlertState::Closed, Severity::Low);
            it.source = if number == 0 { AlertSource::Rule } else { AlertSource::Detector };
            it.fired_at = Some(now);
            it.handling.resolution = (number < 6).then(|| false_alarm.clone());
            StateChange::put("alerts", it.id.as_str(), serde_json::to_string(&it).unwrap())
        })
        .collect();
    SqliteState::open(&place.store()).unwrap().commit(&changes).unwrap();
    place.run(&["doctor"]).code(0).shows(&[
        "warn  detectors",
        "promised at most 0.1 false alarms a day",
        "7 raised in 30 days, 5 of them resolved as false_positive: 0.167 a day",
    ]);
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

#[test]
fn what_is_done_with_an_alert_is_kept_with_who_and_why() {
    let place = place();
    let act = |args: &[&str]| place.run(&[&["alerts"], args, &["--by", "ada"]].concat());
    act(&["ack", "broken-1", "--why", "on it"]).code(0).shows(&["acknowledged", "on it"]);
    act(&["assign", "broken-1", "--to", "bob"]).code(0).shows(&["assigned to"]);
    act(&["comment", "broken-1", "--why", "the shop has a new layout"]).code(0);
    act(&["comment", "broken-1"]).code(2).says(&["found no text"]);
    act(&["suppress", "broken-1", "--for", "2h"]).code(0).shows(&["until"]);
    act(&["suppress", "broken-1", "--for", "60d"]).code(2).says(&["within the next 30 days"]);
    act(&["escalate", "broken-1"]).code(0).shows(&["critical"]);
    act(&["reopen", "broken-1"]).code(2).says(&["an alert that is firing"]);
    act(&["resolve", "broken-1", "--method", "deployment_fix"])
        .code(0)
        .shows(&["resolved", "deployment_fix by ada"]);
    act(&["ack", "broken-9"]).code(1).says(&["no alert broken-9"]);
    act(&["reopen", "broken-2", "--why", "it is back"]).code(0).shows(&["firing"]);
    place.run_reading(&["alerts", "list"]).code(0).shows(&["broken-2"]);
    act(&["resolve", "broken-2", "--method", "false_positive"]).code(0);
    let shown = place.run_reading(&["alerts", "show", "broken-2"]).code(0).out;
    assert!(shown.contains("reopen by ada: it is back"), "{shown}");
    let shown = place.run_reading(&["alerts", "show", "broken-1"]).code(0).out;
    for what in
        ["acknowledge by ada: on it", "assign by ada", "new layout", "acknowledgement ended"]
    {
        assert!(shown.contains(what), "{what} in {shown}");
    }
    place.run_reading(&["alerts", "list"]).code(0).says(&["no open alerts"]);
}

#[test]
fn rules_are_listed_and_their_mistakes_explained_by_line() {
    let place = Place::with_store();
    let listed = place.run(&["alerts", "rules", "list"]).code(0);
    listed.shows(&["selector-broken", "rate of error_rate >= 0.8 beside its past, last 4"]);
    let check = |rule: &str| {
        let text = format!("[[alerting.rules]]\nid = \"mine\"\ncomparison = \">\"\n{rule}\n");
        place.write("rules.toml", text);
        place.run(&["alerts", "rules", "check", "rules.toml"])
    };
    check("signal = \"error_rate\"\nfire_at = 0.5\nlast = 5").code(0).shows(&["8 rules"]);
    let says = |rule: &str, parts: &[&str]| {
        check(rule).code(1).says(parts);
    };
    says("signal = \"eror_rate\"\nfire_at = 0.5\nlast = 5", &["line: 4", "did you mean"]);
    says("signal = \"error_rate\"\nfire_at = 0.5\nwithin = \"48h\"", &["48h", "line: 6"]);
    says(
        "signal = \"error_rate\"\nfire_at = 0.5\nlast = 5\nconfidence = 0.8",
        &["found 0.8, expected 0.9, 0.95, 0.99 or 0.999"],
    );
}

const RULE_TESTS: &str = r#"
[[tests]]
name = "the price disappears"
interval = "15s"
[[tests.input]]
selector = "shop.price"
site = "shop.example"
operations = ["success duration=20ms x20", "not_found x4"]
[[tests.expect]]
at = "5m45s"
rule = "selector-broken"
state = "firing"
"#;

#[test]
fn rules_are_tested_before_they_are_in_force() {
    let place = Place::new();
    place.write("good.toml", RULE_TESTS);
    place.write("bad.toml", RULE_TESTS.replace("5m45s", "5m15s"));
    let ran = place.run(&["alerts", "rules", "test", "good.toml"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(ran.out, "ok      the price disappears\n1 passed, 0 failed\n");
    let ran = place.run(&["alerts", "rules", "test", "good.toml", "bad.toml"]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("\nFAILED  the price disappears\n        at 5m 15s: "), "{}", ran.out);
    assert!(ran.out.contains("selector-broken: expected firing, got no alert\n"), "{}", ran.out);
    assert!(ran.out.ends_with("1 passed, 1 failed\n"), "{}", ran.out);
    place.write("broken.toml", "[[tests]]\nname = 3\n");
    let ran = place.run(&["alerts", "rules", "test", "broken.toml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("broken.toml") && ran.err.contains("line 2"), "{}", ran.err);
    let ran = place.run(&["alerts", "rules", "test", "absent.toml"]);
    assert!(ran.code == 2 && ran.err.contains("absent.toml"), "{}", ran.err);
}

#[test]
fn rules_with_an_equal_in_prometheus_are_printed_for_it() {
    let place = Place::new();
    place.write("telemetry.toml", "[alerting]\nprofile = \"original\"\n");
    let ran = place.run(&["alerts", "rules", "export"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("groups:\n"), "{}", ran.out);
    assert_eq!(ran.out.matches("- alert:").count(), 5, "two severities of two rules, and one");
    assert!(ran.err.contains("left out strategy-switches: there is no metric"), "{}", ran.err);
}

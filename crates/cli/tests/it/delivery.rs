use crate::setup::Place;
use serde_json::Value;
use telemetry_runtime::alerting::Intent;
use telemetry_runtime::interfaces::{
    Clock, Notification, NotificationKind, StateChange, StateStore, SystemClock,
};
use telemetry_runtime::storage::SqliteState;

#[test]
fn a_silence_is_made_listed_and_ended() {
    let place = Place::with_store();
    let add =
        ["alerts", "silence", "add", "--site", "shop.*", "--for", "2h", "--comment", "relaunch"];
    let made = place.run(&[&add[..], &["--by", "ada", "--json"]].concat()).code(0);
    let made: Value = serde_json::from_str(&made.out).unwrap();
    let id = made["id"].as_str().unwrap();
    let listed = place.run(&["alerts", "silence", "list"]).code(0);
    assert!(listed.out.contains(id) && listed.out.contains("site=shop.*"), "{}", listed.out);
    place.run(&["alerts", "silence", "end", id]).code(0);
    place.run(&["alerts", "silence", "end", id]).code(1);
    assert!(!place.run(&["alerts", "silence", "list"]).code(0).out.contains(id));
    assert!(place.run(&["alerts", "silence", "list", "--all"]).code(0).out.contains(id));
}

#[test]
fn a_silence_needs_an_end_and_a_condition() {
    let place = Place::with_store();
    place.run(&["alerts", "silence", "add", "--site", "a", "--comment", "x"]).code(2);
    let add = ["alerts", "silence", "add", "--comment", "x", "--for"];
    place.run(&[&add[..], &["2h"]].concat()).code(2).says(&["TEL-004", "condition"]);
    place.run(&[&add[..], &["200d", "--site", "a"]].concat()).code(2).says(&["90 days"]);
}

#[test]
fn a_test_message_says_which_channel_takes_it() {
    let place = Place::new();
    // Nobody listens on the port of tcpmux.
    let config = "[[alerting.channels.slack]]\nname = \"team\"\nurl = \"http://127.0.0.1:1/T0/s3cret\"\n\
                  [[alerting.channels.command]]\nname = \"script\"\nprogram = \"true\"\n";
    place.write("telemetry.toml", config);
    let ran = place.run(&["alerts", "test", "--json"]).code(1);
    let lines: Vec<Value> = ran.out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let told: Vec<_> = lines
        .iter()
        .map(|it| (it["channel"].as_str().unwrap(), it["accepted"].as_bool()))
        .collect();
    assert_eq!(told, [("log", Some(true)), ("team", Some(false)), ("script", Some(true))]);
    assert!(!ran.out.contains("s3cret"), "{}", ran.out);
    place.run(&["alerts", "test", "--dry-run"]).code(0);
    place.run(&["alerts", "test", "tema"]).code(2).says(&["team", "script"]);
    let shown = place.run(&["config", "show"]).code(0);
    assert!(!shown.out.contains("s3cret"), "{}", shown.out);
}

#[test]
fn what_no_channel_took_is_shown_by_doctor() {
    let place = Place::with_store();
    let (kind, at) = (NotificationKind::Firing, SystemClock::new().utc());
    let (alerts, group) = (Vec::new(), None);
    let intent = Intent {
        channel: "ops".into(),
        notification: Notification { key: "k-1".into(), kind, at, alerts, group },
        error: Some("TEL-005 HTTP 410".into()),
        tries: Some(8),
    };
    let json = serde_json::to_string(&intent).unwrap();
    let row = StateChange::put("dead_letters", "ops/k-1", json);
    SqliteState::open(&place.store()).unwrap().commit(&[row]).unwrap();
    let shows = ["warn  dead letters", "1 notification given up", "ops", "HTTP 410"];
    place.run(&["doctor"]).code(0).shows(&shows);
}

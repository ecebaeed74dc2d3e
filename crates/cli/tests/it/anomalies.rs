use crate::setup::Place;
use serde_json::Value;
use std::fmt::Write as _;
use telemetry_runtime::models::{Attempt, AttemptOutcome, SelectorName, StrategyKind};
use telemetry_runtime::models::{Confidence, Event, EventId, OperationKind, Outcome, Timestamp};
use telemetry_runtime::storage::Backend;

const START_MS: i64 = 1_740_787_200_000;

/// Two selectors, a value every five minutes: one steady around 10 ms, one around 500 ms. In the
/// step that is named, the first takes 60 ms.
fn durations(slow: u64) -> Vec<Event> {
    let mut events = Vec::new();
    for step in 0..80_u64 {
        for (at, name) in ["shop.price", "shop.slow"].into_iter().enumerate() {
            let mut event = Event::new(
                EventId::from_u128(u128::from(step) * 2 + at as u128 + 1),
                SelectorName::new(name).unwrap(),
                Timestamp::from_millis(START_MS + step as i64 * 300_000),
                OperationKind::Resolution,
                Outcome::Success,
            );
            let usual = [10_000, 500_000][at] + 100 * (step * 7 % 11);
            let us = if step == slow && at == 0 { 60_000 } else { usual };
            event.timing.total = Some(std::time::Duration::from_micros(us));
            event.attempts = vec![Attempt::new(StrategyKind::Css, AttemptOutcome::Accepted)];
            events.push(event);
        }
    }
    events
}

#[test]
fn each_method_finds_the_slow_step_of_its_selector_and_nothing_else() {
    let place = Place::new();
    place.fill(Backend::Segment, &durations(76));
    for method in ["z_score", "iqr", "moving_average", "exponential_smoothing", "isolation_forest"]
    {
        let ran = place
            .run_reading(&["anomalies", "--method", method, "--json", "--since", "2025-01-01"])
            .code(0);
        let rows: Vec<Value> =
            ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let slow = rows.iter().find(|row| row["value"] == 60.0);
        let slow = slow.unwrap_or_else(|| panic!("{method}: {}", ran.out));
        assert_eq!(slow["selector"], "shop.price", "{method}");
        assert_eq!(slow["timestamp"], "2025-03-01T06:20:00Z", "{method}");
        assert!(rows.iter().all(|row| row["selector"] == "shop.price"), "{method}: {}", ran.out);
    }
}

#[test]
fn a_file_of_values_is_judged_without_a_store() {
    let place = Place::new();
    let mut text = String::from("timestamp,value\n");
    for at in 0..200 {
        let value = if at == 150 { 90 } else { 20 + at * 7 % 11 };
        writeln!(text, "2026-01-{:02} {:02}:00:00,{value}", 1 + at / 24, at % 24).unwrap();
    }
    place.write("values.csv", text);
    let ran = place.run_reading(&["anomalies", "--input", "values.csv", "--json"]).code(0);
    let rows: Vec<Value> = ran.out.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(rows.len(), 1, "{}{}", ran.out, ran.err);
    assert_eq!((&rows[0]["value"], &rows[0]["anomalous"]), (&90.0.into(), &true.into()));
    let all = place.run(&["anomalies", "--input", "values.csv", "--json", "--all"]).code(0);
    assert_eq!(all.out.lines().count(), 200);
}

#[test]
fn wrong_parameters_and_lines_say_what_is_wrong() {
    let place = Place::new();
    place.write("bad.csv", "timestamp,value\n2026-01-01,7\n2026-01-01 00:05:00,x\n");
    place.run(&["anomalies", "--input", "bad.csv"]).code(2).says(&["line: 3", "timestamp,value"]);
    place.run(&["anomalies", "--input", "absent.csv"]).code(2).says(&["absent.csv", "--input"]);
    place.write("good.csv", "2026-01-01T00:00:00Z,7\n");
    let with = |set: &'static str| {
        place.run(&["anomalies", "--input", "good.csv", "--method", "iqr", "--set", set]).code(2)
    };
    with("threshold=-1").says(&["threshold of iqr is -1", "above 0"]);
    with("window=3").says(&["window of iqr", "threshold, min_samples"]);
    with("threshold").says(&["NAME=VALUE"]);
    place.run(&["anomalies", "--method", "magic"]).code(2).says(&["z_score"]);
}

#[test]
fn calibration_of_validated_results() {
    let place = Place::new();
    let events: Vec<Event> = (0..40_u32)
        .map(|at| {
            let mut event = Event::new(
                EventId::from_u128(u128::from(at) + 1),
                SelectorName::new("shop.price").unwrap(),
                Timestamp::from_millis(START_MS + i64::from(at) * 1_000),
                OperationKind::Resolution,
                Outcome::Success,
            );
            event.engine = Some("cascade 0.1".into());
            event.attempts = vec![Attempt::new(StrategyKind::Css, AttemptOutcome::Accepted)];
            event.attempts[0].confidence = Some(Confidence::new(0.9).unwrap());
            event.quality.validation_passed = (at < 32).then_some(at % 2 == 0);
            event
        })
        .collect();
    place.fill(Backend::Segment, &events);
    let ran = place.run_reading(&["calibration", "--json"]).code(0);
    let row: Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!((&row["engine"], &row["strategy"]), (&"cascade 0.1".into(), &"css".into()));
    assert_eq!((&row["count"], &row["right"]), (&32.into(), &16.into()));
    assert!((row["expected_error"].as_f64().unwrap() - 0.4).abs() < 1e-9, "{row}");
    ran.says(&["8 operations without confidence or validation"]);
    place.run_reading(&["calibration"]).code(0).shows(&["40.0%", "0.80–0.90"]);
}

#[test]
fn calibration_of_a_file() {
    let place = Place::new();
    let line = |confidence: f64, right: bool| {
        format!("{{\"confidence\": {confidence}, \"right\": {right}, \"engine\": \"e\"}}\n")
    };
    place.write("rows.jsonl", [line(0.2, false), line(0.7, true), line(0.4, false)].concat());
    let ran = place.run_reading(&["calibration", "--input", "rows.jsonl", "--json"]).code(0);
    let row: Value = serde_json::from_str(ran.out.trim()).unwrap();
    assert_eq!((&row["roc_auc"], &row["enough"]), (&1.0.into(), &false.into()));
    place.write("rows.jsonl", line(7.0, true));
    let ran = place.run(&["calibration", "--input", "rows.jsonl"]).code(2);
    ran.says(&["confidence is 7", "line: 1"]);
}

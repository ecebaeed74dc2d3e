//! Errors name the field, what was found and what was expected.

use crate::{full, minimal};
use expect_test::{Expect, expect};
use serde_json::{Value, json};
use telemetry_models::json::{ReadErrorKind, from_slice, from_str, to_string, to_value};

/// The full event with one value replaced.
fn changed(path: &str, value: Value) -> String {
    let mut event = to_value(&full());
    let mut at = &mut event;
    for key in path.split('.') {
        at = match key.parse::<usize>() {
            Ok(index) => &mut at[index],
            Err(_) => &mut at[key],
        };
    }
    *at = value;
    event.to_string()
}

fn check(path: &str, value: Value, kind: ReadErrorKind, error: &Expect) {
    let found = from_str(&changed(path, value)).unwrap_err();
    error.assert_eq(&found.to_string());
    assert_eq!(found.kind, kind);
}

#[test]
fn every_summary_is_held_against_the_attempts() {
    let cases = [
        ("quality_metrics.success", json!(false)),
        ("quality_metrics.strategy_success_rate", json!(0.75)),
        ("quality_metrics.fallback_used", json!(false)),
        ("strategy_metrics.primary_strategy", json!("xpath")),
        ("strategy_metrics.secondary_strategies", json!([])),
        ("strategy_metrics.strategy_execution_order", json!(["xpath", "css"])),
        ("strategy_metrics.strategy_success_by_type.css", json!(true)),
        ("strategy_metrics.strategy_success_by_type.label", json!(false)),
        ("strategy_metrics.strategy_timing_by_type.css", json!(1.6)),
        ("strategy_metrics.strategy_timing_by_type.label", json!(0)),
        ("strategy_metrics.strategy_switches_count", json!(2)),
    ];
    for (path, value) in cases {
        let error = from_str(&changed(path, value)).unwrap_err();
        assert_eq!((error.kind, error.field.as_str()), (ReadErrorKind::Contradiction, path));
    }
    check(
        "strategy_metrics.secondary_strategies",
        json!(["text"]),
        ReadErrorKind::Contradiction,
        &expect![
            "strategy_metrics.secondary_strategies: found [text], expected [xpath], because the attempts say so; correct one of the two, or leave the summary out: it is computed when reading"
        ],
    );
    check(
        "quality_metrics.success",
        json!(false),
        ReadErrorKind::Contradiction,
        &expect![
            "quality_metrics.success: found false, expected true, because outcome is success; correct one of the two, or leave the summary out: it is computed when reading"
        ],
    );
}

#[test]
fn summaries_without_attempts_are_contradictions() {
    let mut event = to_value(&full());
    event.as_object_mut().unwrap().remove("attempts");
    let error = from_str(&event.to_string()).unwrap_err();
    assert_eq!(error.field, "quality_metrics.strategy_success_rate");
}

#[test]
fn summaries_may_be_absent_or_rounded() {
    let mut event = to_value(&full());
    event.as_object_mut().unwrap().remove("strategy_metrics");
    event["quality_metrics"]["success"] = Value::Null;
    event["quality_metrics"]["fallback_used"] = Value::Null;
    assert_eq!(from_str(&event.to_string()), Ok(full()));
    let rounded = changed("strategy_metrics.strategy_timing_by_type.css", json!(1.5));
    assert_eq!(from_str(&rounded), Ok(full()));
}

#[test]
fn null_is_absent() {
    let nulls = json!({
        "schema_version": 1, "event_id": "e-1", "selector_name": "shop.product.title",
        "timestamp": "2026-01-31T12:00:00Z", "operation_type": "resolution",
        "outcome": "cancelled", "attempts": null, "performance_metrics": null,
        "quality_metrics": {"confidence_score": null}, "error_data": {}, "context_data": null,
        "attributes": {"a": null}
    });
    assert_eq!(from_str(&nulls.to_string()), Ok(minimal()));
}

#[test]
fn values_out_of_range_name_the_field() {
    let cases = [
        ("event_id", json!("")),
        ("selector_name", json!(" ")),
        ("selector_version", json!(-1)),
        ("timestamp", json!("yesterday")),
        ("operation_type", json!("guess")),
        ("outcome", json!("ok")),
        ("attempts.0.strategy", json!("")),
        ("attempts.0.strategy", json!(7)),
        ("attempts.0.duration_ms", json!(-0.5)),
        ("attempts.0.duration_ms", json!(86_400_001)),
        ("attempts.0.elements", json!(1)),
        ("attempts.1.elements", json!(0)),
        ("attempts.1.elements", json!(4_294_967_296u64)),
        ("attempts.1.elements", json!(1.5)),
        ("attempts.1.confidence", json!(1.01)),
        ("attempts.2.shadow_probability", json!(0)),
        ("performance_metrics.resolution_time_ms", json!(300_000.1)),
        ("performance_metrics.total_duration_ms", json!("fast")),
        ("performance_metrics.memory_usage_mb", json!(1025)),
        ("performance_metrics.cpu_usage_percent", json!(-1)),
        ("performance_metrics.network_requests_count", json!(-1)),
        ("quality_metrics.confidence_score", json!(-0.1)),
        ("quality_metrics.elements_found", json!(0)),
        ("quality_metrics.elements_found", json!(3)),
        ("quality_metrics.validation_passed", json!(false)),
        ("quality_metrics.validation_passed", json!("yes")),
        ("error_data.recovery_successful", json!(false)),
        ("error_data.fallback_attempts", json!(0)),
        ("error_data.fallback_attempts", json!(7)),
        ("strategy_metrics.secondary_strategies", json!("xpath")),
        ("error_data.error_type", json!(" ")),
        ("error_data.error_type", Value::Null),
        ("context_data.viewport_size.width", json!(-1)),
        ("context_data.viewport_size.height", Value::Null),
        ("context_data.timestamp_context", json!("2026-13-01")),
        ("attributes.team", json!(["a"])),
    ];
    for (path, value) in cases {
        let error = from_str(&changed(path, value.clone())).unwrap_err();
        let field = path.split('.').fold(String::new(), |field, key| match key.parse::<u32>() {
            Ok(_) => format!("{field}[{key}]"),
            Err(_) if field.is_empty() => key.to_owned(),
            Err(_) => format!("{field}.{key}"),
        });
        assert_eq!(error.field, field, "{path} = {value}: {error}");
    }
    check(
        "attempts.1.confidence",
        json!(1.01),
        ReadErrorKind::Value,
        &expect![
            "attempts[1].confidence: found 1.01, expected a number from 0 to 1; correct the value, or leave the key out when it was not measured"
        ],
    );
    check(
        "outcome",
        json!("ok"),
        ReadErrorKind::Value,
        &expect![[
            r#"outcome: found "ok", expected one of success not_found low_confidence ambiguous validation_failed invalid_selector timeout navigation_failed blocked target_closed engine_error cancelled panicked expected_absent; correct the value"#
        ]],
    );
}

#[test]
fn a_recovery_that_the_outcome_denies() {
    let mut event = to_value(&minimal());
    event["error_data"] = json!({"error_type": "timeout", "recovery_successful": true});
    let error = from_str(&event.to_string()).unwrap_err();
    expect![
        "error_data.recovery_successful: found true, expected false or absent, because outcome is cancelled; correct the value, or leave the key out when it was not measured"
    ]
    .assert_eq(&error.to_string());
    event["error_data"]["recovery_successful"] = json!(false);
    event["error_data"]["fallback_attempts"] = json!(7);
    assert!(from_str(&event.to_string()).is_ok(), "without attempts nothing denies fallbacks");
}

#[test]
fn further_tries_of_a_strategy_count_as_fallbacks_or_not() {
    let mut event = to_value(&minimal());
    let attempts = ["css", "css", "xpath"].map(|it| json!({"strategy": it, "outcome": "empty"}));
    event["attempts"] = json!(attempts);
    let read = |claimed: u32| {
        let mut event = event.clone();
        event["error_data"] = json!({"error_type": "x", "fallback_attempts": claimed});
        from_str(&event.to_string()).map_err(|error| error.expected)
    };
    assert!(read(1).is_ok() && read(2).is_ok());
    assert_eq!(read(0).unwrap_err(), "1 to 2, because the attempts say so");
    assert_eq!(read(3).unwrap_err(), "1 to 2, because the attempts say so");
}

#[test]
fn what_looks_like_a_contradiction_and_is_none() {
    let cases = [
        ("quality_metrics.confidence_score", json!(0.2)),
        ("attempts.1.elements", json!(3)),
        ("performance_metrics.total_duration_ms", json!(1)),
        ("performance_metrics.memory_usage_mb", json!(1024)),
    ];
    for (path, value) in cases {
        assert!(from_str(&changed(path, value)).is_ok(), "{path}");
    }
}

#[test]
fn unknown_keys_name_the_nearest() {
    check(
        "performance_metrics.resolution_ms",
        json!(1),
        ReadErrorKind::UnknownKey,
        &expect![
            "performance_metrics.resolution_ms: found an unknown key, expected `resolution_time_ms`; rename it, or put it into `attributes`, where any key is kept"
        ],
    );
    check(
        "attempts.0.kind",
        json!("css"),
        ReadErrorKind::UnknownKey,
        &expect![
            "attempts[0].kind: found an unknown key, expected one of strategy selector outcome duration_ms elements confidence shadow_probability; remove it, or put it into `attributes`, where any key is kept"
        ],
    );
    check(
        "selector",
        json!("x"),
        ReadErrorKind::UnknownKey,
        &expect![
            "selector: found an unknown key, expected `selector_name`; rename it, or put it into `attributes`, where any key is kept"
        ],
    );
}

#[test]
fn versions() {
    check(
        "schema_version",
        json!(2),
        ReadErrorKind::Version,
        &expect![
            "schema_version: found 2, expected at most 1; the event was written by a newer version of this software: upgrade the reader"
        ],
    );
    check(
        "schema_version",
        json!(0),
        ReadErrorKind::Value,
        &expect!["schema_version: found 0, expected 1; correct the value"],
    );
    check(
        "schema_version",
        Value::Null,
        ReadErrorKind::Missing,
        &expect![
            "schema_version: found nothing, expected 1, because `outcome` is there; add the key"
        ],
    );
}

#[test]
fn a_key_given_twice() {
    for (given, field) in [
        (r#""event_id":"e-1""#, "event_id"),
        (r#""quality_metrics":{"success":false"#, "quality_metrics.success"),
    ] {
        let key = given.rsplit(['{', ',']).next().unwrap();
        let twice = to_string(&minimal()).replacen(given, &format!("{given},{key}"), 1);
        let error = from_str(&twice).unwrap_err();
        assert_eq!((error.kind, error.field.as_str()), (ReadErrorKind::DuplicateKey, field));
    }
}

#[test]
fn attributes_become_text() {
    let event = from_str(&changed("attributes", json!({"n": 1, "x": 0.5, "b": true}))).unwrap();
    let attributes: Vec<_> =
        event.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(attributes, ["b=true", "n=1", "x=0.5"]);
}

#[test]
fn text_that_is_no_event() {
    let check = |bytes: &[u8], kind, error: &Expect| {
        let found = from_slice(bytes).unwrap_err();
        error.assert_eq(&found.to_string());
        assert_eq!(found.kind, kind);
    };
    check(
        b"{\"event_id\": \"a\xff\"}",
        ReadErrorKind::Encoding,
        &expect!["found byte 0xff at offset 15, expected UTF-8; convert the text to UTF-8"],
    );
    check(
        b"{\"event_id\": \"a\"",
        ReadErrorKind::Syntax,
        &expect![
            "found EOF while parsing an object at line 1 column 16, expected one JSON object; check whether the line is cut off or is something else than an event"
        ],
    );
    check(
        b"",
        ReadErrorKind::Syntax,
        &expect![
            "found EOF while parsing a value at line 1 column 0, expected one JSON object; check whether the line is cut off or is something else than an event"
        ],
    );
    check(
        b"[1]",
        ReadErrorKind::Value,
        &expect!["found [1], expected one JSON object; check whether the line is an event"],
    );
    check(
        b"{}",
        ReadErrorKind::Missing,
        &expect!["event_id: found nothing, expected the event's identifier; add the key"],
    );
    check(
        &b"[".repeat(100_000),
        ReadErrorKind::Syntax,
        &expect![
            "found recursion limit exceeded at line 1 column 128, expected one JSON object; check whether the line is cut off or is something else than an event"
        ],
    );
}

#[test]
fn a_timestamp_from_the_future_is_kept() {
    let event = from_str(&changed("timestamp", json!("2200-01-01T00:00:00Z"))).unwrap();
    assert!(event.is_from_the_future(full().timestamp));
}

//! Events as the original Python system wrote them.

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use telemetry_models::json::{ReadErrorKind, from_str, to_string};
use telemetry_models::{AttemptOutcome, Event, Outcome};

fn success() -> Value {
    json!({
        "event_id": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
        "correlation_id": "c-1",
        "selector_name": "match_list",
        "timestamp": "2025-06-01T10:20:30.123456",
        "operation_type": "resolution",
        "performance_metrics": {
            "resolution_time_ms": 150.5, "strategy_execution_time_ms": 120.25,
            "total_duration_ms": 151.0, "memory_usage_mb": 45.2, "cpu_usage_percent": 12.5,
            "network_requests_count": 2, "dom_operations_count": 15
        },
        "quality_metrics": {
            "confidence_score": 0.85, "success": true, "elements_found": 3,
            "strategy_success_rate": 0.5, "drift_detected": false, "fallback_used": true,
            "validation_passed": true
        },
        "strategy_metrics": {
            "primary_strategy": "css", "secondary_strategies": ["text_anchor", "role"],
            "strategy_execution_order": ["css", "text_anchor"],
            "strategy_success_by_type": {"css": false, "text_anchor": true},
            "strategy_timing_by_type": {"css": 80.0, "text_anchor": 40.25},
            "strategy_switches_count": 1
        },
        "error_data": null,
        "context_data": {
            "browser_session_id": "s", "tab_context_id": "t", "page_url": "https://a.example/x",
            "page_title": "X", "user_agent": "UA", "viewport_size": {"width": 800, "height": 600},
            "timestamp_context": "2025-06-01T10:20:29"
        }
    })
}

fn failure(error_type: &str) -> Value {
    let mut event = success();
    event["quality_metrics"] = json!({"success": false, "elements_found": 2});
    event["strategy_metrics"] = json!({
        "primary_strategy": "css", "secondary_strategies": ["xpath"],
        "strategy_execution_order": ["css", "xpath"],
        "strategy_success_by_type": {"css": false, "xpath": false},
        "strategy_timing_by_type": {"css": 1, "xpath": 2}, "strategy_switches_count": 1
    });
    event["error_data"] = json!({"error_type": error_type, "error_message": "it failed",
        "stack_trace": null, "retry_attempts": 0, "fallback_attempts": 1,
        "recovery_successful": false});
    event
}

fn read(event: &Value) -> Event {
    from_str(&event.to_string()).unwrap()
}

/// Strategy, outcome, milliseconds and `shadow` of each attempt.
fn tries(event: &Event) -> String {
    let lines = event.attempts.iter().map(|attempt| {
        let time = attempt.duration.map(|time| format!(" {time:?}")).unwrap_or_default();
        let shadow = if attempt.shadow.is_some() { " shadow" } else { "" };
        format!("{} {}{time}{shadow}", attempt.kind, attempt.outcome)
    });
    lines.collect::<Vec<_>>().join(", ")
}

fn check(strategies: Value, success: bool, error: Option<&str>, expected: &Expect) {
    let mut event = self::success();
    event["strategy_metrics"] = strategies;
    event["quality_metrics"] = json!({"success": success});
    event["error_data"] = json!(error.map(|error| json!({"error_type": error})));
    let found = from_str(&event.to_string());
    expected.assert_eq(&found.map_or_else(|error| error.to_string(), |event| tries(&event)));
}

#[test]
fn a_success_is_read_and_comes_back_as_version_1() {
    let event = read(&success());
    assert_eq!(event.outcome, Outcome::Success);
    assert_eq!(event.timestamp.to_string(), "2025-06-01T10:20:30.123456Z");
    assert_eq!(event.accepted().unwrap().confidence, event.quality.confidence);
    assert_eq!(event.accepted().unwrap().elements, Some(3));
    assert!(event.attributes.is_empty());
    expect!["css error 80ms, text_anchor accepted 40.25ms, role skipped"].assert_eq(&tries(&event));
    assert_eq!(from_str(&to_string(&event)), Ok(event));
}

#[test]
fn a_failure_takes_its_outcome_from_the_error_type() {
    let cases = [
        ("timeout", Outcome::Timeout),
        ("TimeoutError", Outcome::Timeout),
        ("element_not_found", Outcome::NotFound),
        ("NoSuchElementException", Outcome::NotFound),
        ("empty_result", Outcome::NotFound),
        ("low_confidence", Outcome::LowConfidence),
        ("multiple_matches", Outcome::Ambiguous),
        ("validation_error", Outcome::ValidationFailed),
        ("invalid_selector", Outcome::InvalidSelector),
        ("Navigation Error", Outcome::NavigationFailed),
        ("rate-limited", Outcome::Blocked),
        ("target_closed", Outcome::TargetClosed),
        ("cancelled", Outcome::Cancelled),
        ("error", Outcome::EngineError),
        ("something_else", Outcome::EngineError),
    ];
    for (word, outcome) in cases {
        let event = read(&failure(word));
        assert_eq!(event.outcome, outcome, "{word}");
        assert_eq!(&*event.error.as_ref().unwrap().kind, word);
        assert_eq!(from_str(&to_string(&event)), Ok(event));
    }
    let mut none_found = failure("something_else");
    none_found["quality_metrics"]["elements_found"] = json!(0);
    assert_eq!(read(&none_found).outcome, Outcome::NotFound);
    none_found["error_data"] = Value::Null;
    assert_eq!(read(&none_found).outcome, Outcome::NotFound);
}

#[test]
fn attempts_are_rebuilt() {
    let order = json!({"strategy_execution_order": ["css", "css", "xpath"],
        "strategy_timing_by_type": {"css": 3, "xpath": 1}});
    check(order.clone(), true, None, &expect!["css error, css error, xpath accepted 1ms"]);
    check(order, false, Some("timeout"), &expect!["css timeout, css timeout, xpath timeout 1ms"]);
    let primary = json!({"primary_strategy": "css", "secondary_strategies": ["xpath", "role"]});
    check(
        primary.clone(),
        false,
        Some("not_found"),
        &expect!["css empty, xpath empty, role empty"],
    );
    let mut measured = primary;
    measured["strategy_success_by_type"] = json!({"css": true});
    check(measured, true, None, &expect!["css accepted, xpath skipped, role skipped"]);
    let all = json!({"strategy_execution_order": ["css", "xpath", "role"],
        "strategy_success_by_type": {"css": true, "xpath": true, "role": false}});
    check(all, true, None, &expect!["css accepted, xpath accepted shadow, role error shadow"]);
    check(json!({}), true, None, &expect![[""]]);
}

#[test]
fn what_cannot_be_rebuilt_is_kept() {
    let mut event = success();
    event["strategy_metrics"]["strategy_execution_order"] = json!(["css", "css", "text_anchor"]);
    event["quality_metrics"]["strategy_success_rate"] = json!(0.9);
    event["metadata"] = json!({"worker": {"id": 7}, "tags": ["a", "b"], "none": null});
    event["performance_metrics"]["gc_ms"] = json!(0.5);
    let kept: Vec<_> =
        read(&event).attributes.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    expect![[r#"
        original.metadata.tags = ["a","b"]
        original.metadata.worker.id = 7
        original.performance_metrics.gc_ms = 0.5
        original.quality_metrics.strategy_success_rate = 0.9
        original.strategy_metrics.strategy_timing_by_type.css = 80"#]]
    .assert_eq(&kept.join("\n"));
}

#[test]
fn fallbacks_are_not_held_against_strategies_that_may_not_be_all() {
    let mut event = failure("timeout");
    event["strategy_metrics"] = json!({"primary_strategy": "css"});
    event["error_data"]["fallback_attempts"] = json!(2);
    let event = read(&event);
    assert_eq!(event.error.as_ref().unwrap().fallback_attempts, None);
    assert_eq!(&*event.attributes["original.error_data.fallback_attempts"], "2");
    assert_eq!(from_str(&to_string(&event)), Ok(event));
}

#[test]
fn contradictions_name_the_field() {
    let cases = [
        ("/quality_metrics/elements_found", json!(0), "quality_metrics.elements_found"),
        ("/quality_metrics/fallback_used", json!(false), "quality_metrics.fallback_used"),
        ("/strategy_metrics/primary_strategy", json!("role"), "strategy_metrics.primary_strategy"),
        (
            "/strategy_metrics/strategy_switches_count",
            json!(4),
            "strategy_metrics.strategy_switches_count",
        ),
        (
            "/strategy_metrics/strategy_success_by_type/text_anchor",
            json!(false),
            "strategy_metrics.strategy_success_by_type",
        ),
    ];
    for (pointer, value, field) in cases {
        let mut event = success();
        *event.pointer_mut(pointer).unwrap() = value;
        let error = from_str(&event.to_string()).unwrap_err();
        assert_eq!(error.field, field, "{error}");
    }
    let mut event = success();
    event["quality_metrics"]["validation_passed"] = json!(false);
    let error = from_str(&event.to_string()).unwrap_err();
    assert_eq!(error.field, "quality_metrics.validation_passed");
    for (key, value) in [("recovery_successful", json!(true)), ("fallback_attempts", json!(7))] {
        let mut event = failure("timeout");
        event["error_data"][key] = value;
        let error = from_str(&event.to_string()).unwrap_err();
        assert_eq!(error.field, format!("error_data.{key}"));
    }
    let mut found = failure("not_found");
    found["strategy_metrics"]["strategy_success_by_type"]["css"] = json!(true);
    let error = from_str(&found.to_string()).unwrap_err();
    assert_eq!(error.kind, ReadErrorKind::Contradiction);
    assert_eq!(error.field, "strategy_metrics.strategy_success_by_type.css");
}

#[test]
fn nothing_is_invented() {
    let mut event = success();
    event["quality_metrics"] = json!({});
    let error = from_str(&event.to_string()).unwrap_err();
    expect!["quality_metrics.success: found nothing, expected true or false; add the key"]
        .assert_eq(&error.to_string());
    event["quality_metrics"] = json!({"success": true});
    event["strategy_metrics"] = json!({});
    event["performance_metrics"] = json!({});
    let event = read(&event);
    assert_eq!((event.confidence(), event.elements_found(), event.duration()), (None, None, None));
    assert!(event.attempts.iter().all(|attempt| attempt.outcome != AttemptOutcome::Accepted));
}

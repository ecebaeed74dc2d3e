//! What is written, character by character.

use crate::{full, minimal};
use expect_test::expect;
use std::sync::Arc;
use telemetry_models::{Attempt, AttemptOutcome, PageContext, StrategyKind, json};

#[test]
fn minimal_event() {
    expect![[r#"{"schema_version":1,"event_id":"e-1","selector_name":"shop.product.title","timestamp":"2026-01-31T12:00:00Z","operation_type":"resolution","outcome":"cancelled","performance_metrics":{},"quality_metrics":{"success":false},"strategy_metrics":{}}"#]].assert_eq(&json::to_string(&minimal()));
}

#[test]
fn full_event() {
    expect![[r#"
        {
          "schema_version": 1,
          "event_id": "0190a5b1-7f00-8000-8000-00000000002a",
          "correlation_id": "order-7",
          "selector_name": "shop.product.title",
          "selector_version": 3,
          "timestamp": "2026-01-31T12:00:00Z",
          "operation_type": "resolution",
          "outcome": "success",
          "attempts": [
            {
              "strategy": "css",
              "selector": "h1.title",
              "outcome": "empty",
              "duration_ms": 1.500001,
              "elements": 0
            },
            {
              "strategy": "xpath",
              "selector": "//h1",
              "outcome": "accepted",
              "duration_ms": 2.25,
              "elements": 1,
              "confidence": 0.9
            },
            {
              "strategy": "role",
              "outcome": "accepted",
              "elements": 1,
              "shadow_probability": 0.25
            },
            {
              "strategy": "vision",
              "outcome": "skipped"
            }
          ],
          "performance_metrics": {
            "resolution_time_ms": 3.8,
            "strategy_execution_time_ms": 3.750001,
            "total_duration_ms": 4.0,
            "memory_usage_mb": 48.5,
            "cpu_usage_percent": 12.0,
            "network_requests_count": 0,
            "dom_operations_count": 2
          },
          "quality_metrics": {
            "confidence_score": 0.9,
            "success": true,
            "elements_found": 1,
            "strategy_success_rate": 0.5,
            "drift_detected": false,
            "fallback_used": true,
            "validation_passed": true
          },
          "strategy_metrics": {
            "primary_strategy": "css",
            "secondary_strategies": [
              "xpath"
            ],
            "strategy_execution_order": [
              "css",
              "xpath"
            ],
            "strategy_success_by_type": {
              "css": false,
              "xpath": true
            },
            "strategy_timing_by_type": {
              "css": 1.500001,
              "xpath": 2.25
            },
            "strategy_switches_count": 1
          },
          "error_data": {
            "error_type": "stale_element",
            "error_message": "the element was replaced",
            "stack_trace": "at find\nat resolve",
            "retry_attempts": 1,
            "fallback_attempts": 1,
            "recovery_successful": true
          },
          "context_data": {
            "browser_session_id": "s-1",
            "tab_context_id": "tab-2",
            "page_url": "https://www.shop.example/product/42",
            "page_title": "Größe \"L\"",
            "user_agent": "Mozilla/5.0",
            "viewport_size": {
              "width": 1280,
              "height": 720
            },
            "timestamp_context": "2026-01-31T11:59:59.5Z"
          },
          "url_template": "/product/{id}",
          "engine": "scraper 0.29",
          "run_id": "nightly-7",
          "producer_id": "worker-1",
          "sequence": 18446744073709551615,
          "attributes": {
            "team": "catalogue"
          }
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&full()).unwrap());
}

#[test]
fn a_page_of_which_nothing_is_known_is_not_the_same_as_no_page() {
    let mut event = minimal();
    event.page = Some(Arc::new(PageContext::default()));
    let text = json::to_string(&event);
    assert!(text.contains(r#""context_data":{}"#), "{text}");
    assert_eq!(json::from_str(&text), Ok(event));
}

#[test]
fn skipped_attempts_alone_make_no_summary() {
    let mut event = minimal();
    event.attempts.push(Attempt::new(StrategyKind::Css, AttemptOutcome::Skipped));
    let value = json::to_value(&event);
    assert_eq!(value["strategy_metrics"], serde_json::json!({}));
    assert_eq!(value["attempts"].as_array().unwrap().len(), 1);
}

#[test]
fn write_to_appends() {
    let mut line = b"before ".to_vec();
    json::write_to(&minimal(), &mut line);
    assert_eq!(line, format!("before {}", json::to_string(&minimal())).into_bytes());
}

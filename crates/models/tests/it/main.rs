//! Integration tests of the models.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

mod form;
mod original;
mod reading;
mod round_trip;
#[cfg(feature = "schema")]
mod schema;
mod values;

use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventId, OperationKind,
    Outcome, PageContext, ProducerId, Quality, Resources, RunId, SelectorName, SessionId,
    ShadowProbe, StrategyKind, Timing, Viewport,
};

/// The least an event holds.
fn minimal() -> Event {
    Event::new(
        EventId::new("e-1").unwrap(),
        SelectorName::new("shop.product.title").unwrap(),
        "2026-01-31T12:00:00Z".parse().unwrap(),
        OperationKind::Resolution,
        Outcome::Cancelled,
    )
}

/// An event with everything in it: CSS found nothing, XPath was accepted, a role was probed.
fn full() -> Event {
    let confidence = |share| Some(Confidence::new(share).unwrap());
    let css = Attempt {
        text: Some("h1.title".into()),
        duration: Some(Duration::from_nanos(1_500_001)),
        elements: Some(0),
        ..Attempt::new(StrategyKind::Css, AttemptOutcome::Empty)
    };
    let xpath = Attempt {
        text: Some("//h1".into()),
        duration: Some(Duration::from_micros(2_250)),
        elements: Some(1),
        confidence: confidence(0.9),
        ..Attempt::new(StrategyKind::XPath, AttemptOutcome::Accepted)
    };
    let probe = Attempt {
        elements: Some(1),
        shadow: Some(ShadowProbe { probability: Confidence::new(0.25).unwrap() }),
        ..Attempt::new(StrategyKind::Role, AttemptOutcome::Accepted)
    };
    let page = PageContext {
        session: Some(SessionId::new("s-1").unwrap()),
        tab: Some("tab-2".into()),
        url: Some("https://www.shop.example/product/42".into()),
        url_template: Some("/product/{id}".into()),
        title: Some("Größe \"L\"".into()),
        user_agent: Some("Mozilla/5.0".into()),
        viewport: Some(Viewport { width: 1280, height: 720 }),
        entered_at: Some("2026-01-31T11:59:59.5Z".parse().unwrap()),
    };
    Event {
        id: EventId::from_u128(0x0190_a5b1_7f00_8000_8000_0000_0000_002a),
        correlation_id: Some(CorrelationId::new("order-7").unwrap()),
        selector_version: Some(3),
        outcome: Outcome::Success,
        attempts: vec![
            css,
            xpath,
            probe,
            Attempt::new(StrategyKind::new("vision"), AttemptOutcome::Skipped),
        ],
        timing: Timing {
            resolution: Some(Duration::from_micros(3_800)),
            strategies: Some(Duration::from_nanos(3_750_001)),
            total: Some(Duration::from_millis(4)),
        },
        resources: Resources {
            memory_mb: Some(48.5),
            cpu_percent: Some(12.0),
            network_requests: Some(0),
            dom_operations: Some(2),
        },
        quality: Quality {
            confidence: confidence(0.9),
            elements_found: Some(1),
            validation_passed: Some(true),
            drift_detected: Some(false),
        },
        error: Some(ErrorInfo {
            kind: "stale_element".into(),
            message: Some("the element was replaced".into()),
            stack: Some("at find\nat resolve".into()),
            retry_attempts: Some(1),
            fallback_attempts: Some(1),
            recovery_successful: Some(true),
        }),
        page: Some(Arc::new(page)),
        engine: Some("scraper 0.29".into()),
        run: Some(RunId::new("nightly-7").unwrap()),
        producer: Some(ProducerId::new("worker-1").unwrap()),
        sequence: Some(u64::MAX),
        attributes: [("team".into(), "catalogue".into())].into(),
        ..minimal()
    }
}

//! An event as one binary row, for stores that keep rows: postcard, numbers as varints.

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventId, OperationKind,
    Outcome, PageContext, ProducerId, Quality, Resources, RunId, SelectorName, SessionId,
    ShadowProbe, StrategyKind, Timestamp, Timing, Viewport,
};

#[derive(Serialize, Deserialize)]
struct Row<'a> {
    id: [u8; 16],
    correlation: Option<[u8; 16]>,
    selector: &'a str,
    version: Option<u32>,
    at: i64,
    operation: u8,
    outcome: u8,
    #[serde(borrow)]
    attempts: Vec<Try<'a>>,
    times: [Option<u64>; 3],
    resources: (Option<f64>, Option<f64>, Option<u32>, Option<u32>),
    quality: (Option<u32>, Option<u32>, Option<bool>, Option<bool>),
    error: Option<Failure<'a>>,
    page: Option<Page<'a>>,
    engine: Option<&'a str>,
    run: Option<&'a str>,
    producer: Option<&'a str>,
    sequence: Option<u64>,
    attributes: Vec<(&'a str, &'a str)>,
}

#[derive(Serialize, Deserialize)]
struct Try<'a> {
    kind: &'a str,
    text: Option<&'a str>,
    outcome: u8,
    nanos: Option<u64>,
    elements: Option<u32>,
    confidence: Option<u32>,
    shadow: Option<u32>,
}

#[derive(Serialize, Deserialize)]
struct Failure<'a> {
    kind: &'a str,
    message: Option<&'a str>,
    stack: Option<&'a str>,
    retries: Option<u32>,
    fallbacks: Option<u32>,
    recovered: Option<bool>,
}

#[derive(Serialize, Deserialize)]
struct Page<'a> {
    session: Option<&'a str>,
    tab: Option<&'a str>,
    url: Option<&'a str>,
    template: Option<&'a str>,
    title: Option<&'a str>,
    agent: Option<&'a str>,
    viewport: Option<(u32, u32)>,
    entered: Option<i64>,
}

/// # Errors
/// When an identifier is no UUID: the generator makes no others.
pub(super) fn to_bytes(event: &Event) -> Result<Vec<u8>> {
    let bits = |bits: Option<u128>| bits.map(u128::to_be_bytes);
    let nanos = |it: Option<Duration>| it.map(|it| it.as_nanos() as u64);
    let millionths = |it: Option<Confidence>| it.map(Confidence::millionths);
    let row = Row {
        id: bits(event.id.as_u128()).context("an id that is no UUID")?,
        correlation: event.correlation_id.as_ref().and_then(|it| bits(it.as_u128())),
        selector: event.selector.as_str(),
        version: event.selector_version,
        at: event.timestamp.as_nanos(),
        operation: position(OperationKind::ALL, event.operation),
        outcome: position(Outcome::ALL, event.outcome),
        attempts: event
            .attempts
            .iter()
            .map(|it| Try {
                kind: it.kind.as_str(),
                text: it.text.as_deref(),
                outcome: position(AttemptOutcome::ALL, it.outcome),
                nanos: nanos(it.duration),
                elements: it.elements,
                confidence: millionths(it.confidence),
                shadow: it.shadow.map(|probe| probe.probability.millionths()),
            })
            .collect(),
        times: [
            nanos(event.timing.resolution),
            nanos(event.timing.strategies),
            nanos(event.timing.total),
        ],
        resources: (
            event.resources.memory_mb,
            event.resources.cpu_percent,
            event.resources.network_requests,
            event.resources.dom_operations,
        ),
        quality: (
            millionths(event.quality.confidence),
            event.quality.elements_found,
            event.quality.validation_passed,
            event.quality.drift_detected,
        ),
        error: event.error.as_ref().map(|it| Failure {
            kind: &it.kind,
            message: it.message.as_deref(),
            stack: it.stack.as_deref(),
            retries: it.retry_attempts,
            fallbacks: it.fallback_attempts,
            recovered: it.recovery_successful,
        }),
        page: event.page.as_deref().map(|it| Page {
            session: it.session.as_ref().map(SessionId::as_str),
            tab: it.tab.as_deref(),
            url: it.url.as_deref(),
            template: it.url_template.as_deref(),
            title: it.title.as_deref(),
            agent: it.user_agent.as_deref(),
            viewport: it.viewport.map(|it| (it.width, it.height)),
            entered: it.entered_at.map(Timestamp::as_nanos),
        }),
        engine: event.engine.as_deref(),
        run: event.run.as_ref().map(RunId::as_str),
        producer: event.producer.as_ref().map(ProducerId::as_str),
        sequence: event.sequence,
        attributes: event.attributes.iter().map(|(key, value)| (&**key, &**value)).collect(),
    };
    Ok(postcard::to_stdvec(&row)?)
}

pub(super) fn from_bytes(bytes: &[u8]) -> Result<Event> {
    let row: Row<'_> = postcard::from_bytes(bytes)?;
    let text = |it: Option<&str>| it.map(Arc::<str>::from);
    let nanos = |it: Option<u64>| it.map(Duration::from_nanos);
    let confidence = |it: Option<u32>| it.and_then(Confidence::from_millionths);
    let page = row.page.map(|it| -> Result<_> {
        Ok(Arc::new(PageContext {
            session: it.session.map(SessionId::new).transpose()?,
            tab: text(it.tab),
            url: text(it.url),
            url_template: text(it.template),
            title: text(it.title),
            user_agent: text(it.agent),
            viewport: it.viewport.map(|(width, height)| Viewport { width, height }),
            entered_at: it.entered.map(Timestamp::from_nanos),
        }))
    });
    let attempts = row.attempts.into_iter().map(|it| -> Result<_> {
        Ok(Attempt {
            kind: StrategyKind::new(it.kind),
            text: text(it.text),
            outcome: value(AttemptOutcome::ALL, it.outcome)?,
            duration: nanos(it.nanos),
            elements: it.elements,
            confidence: confidence(it.confidence),
            shadow: confidence(it.shadow).map(|probability| ShadowProbe { probability }),
        })
    });
    let [resolution, strategies, total] = row.times.map(nanos);
    Ok(Event {
        id: EventId::from_u128(u128::from_be_bytes(row.id)),
        correlation_id: row
            .correlation
            .map(|bits| CorrelationId::from_u128(u128::from_be_bytes(bits))),
        selector: SelectorName::new(row.selector)?,
        selector_version: row.version,
        timestamp: Timestamp::from_nanos(row.at),
        operation: value(OperationKind::ALL, row.operation)?,
        outcome: value(Outcome::ALL, row.outcome)?,
        attempts: attempts.collect::<Result<_>>()?,
        timing: Timing { resolution, strategies, total },
        resources: Resources {
            memory_mb: row.resources.0,
            cpu_percent: row.resources.1,
            network_requests: row.resources.2,
            dom_operations: row.resources.3,
        },
        quality: Quality {
            confidence: confidence(row.quality.0),
            elements_found: row.quality.1,
            validation_passed: row.quality.2,
            drift_detected: row.quality.3,
        },
        error: row.error.map(|it| ErrorInfo {
            kind: it.kind.into(),
            message: text(it.message),
            stack: text(it.stack),
            retry_attempts: it.retries,
            fallback_attempts: it.fallbacks,
            recovery_successful: it.recovered,
        }),
        page: page.transpose()?,
        engine: text(row.engine),
        run: row.run.map(RunId::new).transpose()?,
        producer: row.producer.map(ProducerId::new).transpose()?,
        sequence: row.sequence,
        attributes: row
            .attributes
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect::<BTreeMap<_, _>>(),
    })
}

fn position<T: PartialEq + Copy>(all: &[T], value: T) -> u8 {
    all.iter().position(|it| *it == value).unwrap_or(usize::from(u8::MAX)) as u8
}

fn value<T: Copy>(all: &[T], position: u8) -> Result<T> {
    all.get(usize::from(position)).copied().context("a word nobody knows")
}

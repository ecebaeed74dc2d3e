//! The stream that every store is given, and the question that every store is asked.

use super::BATCH;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::time::Duration;
use telemetry_runtime::interfaces::{EventStore, Order, Query, SelectorPattern};
use telemetry_runtime::models::{Event, SelectorName, Timestamp};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

pub(super) const EVENTS: u64 = 1_000_000;
/// Events of the hour asked for: a selector of middling popularity, neither the busiest nor one of
/// the long tail.
const WANTED: u64 = 1_327;

/// The seeded stream, a batch at a time.
pub(super) struct Batches(EventGenerator);

impl Batches {
    /// `times` a million events over so many hours.
    pub(super) fn new(times: u64, hours: u32) -> Self {
        let config =
            GeneratorConfig { events: times * EVENTS, hours, ..GeneratorConfig::default() };
        Self(EventGenerator::new(1, config))
    }
}

impl Iterator for Batches {
    type Item = Vec<Event>;

    fn next(&mut self) -> Option<Vec<Event>> {
        let batch: Vec<_> = self.0.by_ref().take(BATCH).collect();
        (!batch.is_empty()).then_some(batch)
    }
}

/// One selector in one hour, and what the answer must be.
pub(super) struct Question {
    pub(super) selector: SelectorName,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
    pub(super) events: u64,
    /// Of every event's total time in ns: the events were really decoded.
    nanos: u64,
}

/// The selector whose events in an hour in the middle come nearest to what the reference asked.
pub(super) fn question(times: u64, hours: u32) -> Result<Question> {
    let start = GeneratorConfig::default().start;
    let from = start.saturating_add(Duration::from_secs(3600 * u64::from(hours / 2)));
    let to = from.saturating_add(Duration::from_secs(3600));
    let mut found = HashMap::<SelectorName, (u64, u64)>::new();
    for event in Batches::new(times, hours).flatten() {
        if event.timestamp >= from && event.timestamp < to {
            let (events, nanos) = found.entry(event.selector.clone()).or_default();
            *events += 1;
            *nanos += total(&event);
        }
    }
    let nearest = found.into_iter().min_by(|a, b| {
        let distance = |it: &(SelectorName, (u64, u64))| it.1.0.abs_diff(WANTED);
        distance(a).cmp(&distance(b)).then_with(|| a.0.cmp(&b.0))
    });
    let (selector, (events, nanos)) = nearest.context("the hour is empty")?;
    Ok(Question { selector, from, to, events, nanos })
}

impl Question {
    pub(super) fn ask(&self, store: &dyn EventStore) -> Result<()> {
        let query = Query {
            selector: Some(SelectorPattern::exact(&self.selector)),
            from: Some(self.from),
            to: Some(self.to),
            ..Query::all()
        };
        let mut answer = (0, 0);
        for event in store.query(&query)? {
            answer.0 += 1;
            answer.1 += total(&event?);
        }
        self.check(answer)
    }

    /// Compares events and the sum of their times.
    pub(super) fn check(&self, answer: (u64, u64)) -> Result<()> {
        let expected = (self.events, self.nanos);
        ensure!(answer == expected, "the answer is {answer:?}, expected {expected:?}");
        Ok(())
    }
}

pub(super) fn scan(store: &dyn EventStore, order: Order) -> Result<()> {
    let mut events = 0;
    for event in store.query(&Query { order, ..Query::all() })? {
        std::hint::black_box(event?);
        events += 1;
    }
    ensure!(events == EVENTS, "{events} events were read");
    Ok(())
}

pub(super) fn total(event: &Event) -> u64 {
    event.timing.total.map_or(0, |it| it.as_nanos() as u64)
}

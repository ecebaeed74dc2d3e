//! The drift corpus, resolved with several strategies and probes.

use crate::corpora;
use crate::eval::rows::{self, Row};
use crate::workspace::Workspace;
use anyhow::{Context, Result, ensure};
use cascade::{Cascade, Document, Selector, StrategyKind};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::collector::{BackPressure, Collector, CollectorConfig};
use telemetry_runtime::integration::{CascadeEngine, Instrumented, ShadowProbes};
use telemetry_runtime::interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_runtime::models::{Event, PageContext, Timestamp};

/// Visits of the old and then of the new page.
const VISITS: u32 = 240;
/// Every so many page pairs of the corpus are taken: all of them take a quarter of an hour.
const EVERY: usize = 6;
/// Share of the operations that are probed.
const PROBES: f64 = 0.2;
/// Longest text that is looked for as such.
const MAX_TEXT: usize = 60;
const START_MS: i64 = 1_767_225_600_000;
const DAYS: u64 = 28;

/// The selectors of some of the corpus' page pairs that apply, with what its element could also be found by on the old
/// page as further strategies; visits spread over four weeks, in order.
pub(super) fn resolved(workspace: &Workspace) -> Result<MemoryStore> {
    let drift = corpora::drift(workspace)?;
    let rows = rows::read(&drift.pairs)?;
    let recorded = Arc::new(MemoryStore::new());
    let config = CollectorConfig {
        back_pressure: BackPressure::BlockMs(60_000),
        sample_process: false,
        ..CollectorConfig::default()
    };
    let collector = Collector::builder(config).start(recorded.clone())?;
    let engine = Instrumented::new(CascadeEngine::new(Cascade::default()), collector.clone());
    let probes = ShadowProbes::at(PROBES)?.budget(1.0)?.seed(1);
    for pair in rows::by_pair(&rows).into_iter().step_by(EVERY) {
        let first = &rows[pair[0]];
        let old = rows::page(&drift.pages, &first.old)?;
        let new = rows::page(&drift.pages, &first.new)?;
        let mut selectors = Vec::new();
        for at in pair {
            if rows::why_not(&rows[at], &old).is_none() {
                selectors.push(with_alternatives(&rows[at], at, &old)?);
            }
        }
        for (page, url) in [(&old, &first.old_url), (&new, &first.new_url)] {
            for visit in 0..VISITS {
                let url = url.as_deref().unwrap_or("https://unknown.example/");
                let place = PageContext::at(&format!("{url}#{visit}"));
                let context = engine.enter(&place);
                for selector in &selectors {
                    drop(engine.resolve_then_probe(page, Some(context), selector, &probes));
                }
            }
        }
    }
    let flushed = collector.flush(Duration::from_secs(120));
    ensure!(flushed.complete, "not every operation was stored");
    spread(&recorded)
}

/// The corpus' selector first; then what the element says of itself.
fn with_alternatives(row: &Row, number: usize, old: &Document) -> Result<Selector> {
    let mut selector = row.selector(number)?;
    let kind: StrategyKind = row.kind.parse().with_context(|| format!("row {}", row.id))?;
    let found = old.select(kind, &row.selector).unwrap_or_default();
    let Some(element) = found.into_iter().next() else { return Ok(selector) };
    let plain = |it: &str| {
        let legal = |it: char| it.is_ascii_alphanumeric() || it == '-' || it == '_';
        it.starts_with(|it: char| it.is_ascii_alphabetic()) && it.chars().all(legal)
    };
    if let Some(id) = element.attribute("id").filter(|it| plain(it)) {
        selector = selector.strategy(StrategyKind::Css, format!("#{id}"));
    }
    let class = element.attribute("class").and_then(|it| it.split_whitespace().next());
    if let (Some(tag), Some(class)) = (&element.tag, class.filter(|it| plain(it))) {
        selector = selector.strategy(StrategyKind::Css, format!("{tag}.{class}"));
    }
    let text = element.value.trim();
    if !text.is_empty() && text.len() <= MAX_TEXT && !text.contains('\n') {
        selector = selector.strategy(StrategyKind::Text, text);
    }
    Ok(selector)
}

/// Gives each selector's operations equal steps of time, in their order.
fn spread(recorded: &MemoryStore) -> Result<MemoryStore> {
    let mut own = BTreeMap::<String, Vec<Event>>::new();
    for event in recorded.query(&Query::all())? {
        let event = event?;
        own.entry(event.selector.to_string()).or_default().push(event);
    }
    let mut all = Vec::new();
    for events in own.into_values() {
        let step = Duration::from_secs(DAYS * 86_400) / u32::try_from(events.len())?;
        for (at, mut event) in (0..).zip(events) {
            event.timestamp = Timestamp::from_millis(START_MS).saturating_add(step * at);
            all.push(event);
        }
    }
    all.sort_by_key(|event| event.timestamp);
    let store = MemoryStore::new();
    store.append(&all)?;
    Ok(store)
}

//! Thirty days of statistics, from rollups and from the events themselves.

use super::figures::{Bar, Figures, Table};
use anyhow::{Context, Result};
use std::collections::HashMap;
use std::time::Instant;
use telemetry_aggregation::SelectorSummary;
use telemetry_runtime::interfaces::{
    Durability, EventStore, Query, RollupQuery, RollupStore, SelectorPattern,
};
use telemetry_runtime::models::SelectorName;
use telemetry_runtime::models::rollup::RollupPeriod;
use telemetry_runtime::storage::{SegmentStore, StorageConfig};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

const EVENTS: u64 = 1_000_000;
const ROUNDS: usize = 15;

pub(super) fn run() -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store");
    let config = StorageConfig { durability: Durability::None, ..StorageConfig::at(&path) };
    let writer = SegmentStore::open(&config)?;
    let generator =
        GeneratorConfig { events: EVENTS, hours: 30 * 24, ..GeneratorConfig::default() };
    let mut stream = EventGenerator::new(1, generator);
    loop {
        let batch: Vec<_> = stream.by_ref().take(4096).collect();
        if batch.is_empty() {
            break;
        }
        writer.append(&batch)?;
    }
    writer.close()?;
    drop(writer);
    let store = SegmentStore::open_read_only(&path)?;
    let begun = Instant::now();
    let report = store.roll_up(&mut |_, _| {})?;
    let rolled_up = begun.elapsed();
    let busiest = store.stats()?.selectors.first().context("no selectors")?.0.clone();
    let busiest = SelectorName::new(busiest)?;
    let of_one = Some(SelectorPattern::exact(&busiest));

    let one = RollupQuery { selector: of_one.clone(), ..RollupQuery::all(RollupPeriod::Day) };
    let one_ms = median_ms(|| from_rollups(&store, &one))?;
    let all_ms = median_ms(|| from_rollups(&store, &RollupQuery::all(RollupPeriod::Day)))?;
    let raw = Query { selector: of_one, ..Query::all() };
    let raw_ms = median_ms(|| from_events(&store, &raw))?;
    anyhow::ensure!(
        from_rollups(&store, &one)? == from_events(&store, &raw)?,
        "rollups and events disagree"
    );

    let mut table = Table::new("statistics of 30 days, warm, median", &["of", "ms"]);
    for (name, ms) in [
        ("one selector, from rollups", one_ms),
        ("one selector, from its events", raw_ms),
        ("all selectors, from rollups", all_ms),
    ] {
        table.rows.push(vec![name.into(), format!("{ms:.2}")]);
    }
    let mut figures = Figures::default();
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("one selector from rollups", one_ms, 2.0, "ms"));
    figures.bars.push(Bar::at_most("all selectors from rollups", all_ms, 50.0, "ms"));
    figures.notes.push(format!(
        "{EVENTS} events of 500 selectors rolled up in {:.1} s; rollups of hours, days and months \
         take {} bytes, {:.1} for each event",
        rolled_up.as_secs_f64(),
        report.bytes,
        report.bytes as f64 / EVENTS as f64,
    ));
    Ok(figures)
}

type Answer = (u64, Option<std::time::Duration>, u64);

/// Operations, 95th percentile and distinct URLs of each selector, added up where they can be.
fn answer(selectors: HashMap<SelectorName, SelectorSummary>) -> Answer {
    let operations = selectors.values().map(SelectorSummary::operations).sum();
    let p95 = selectors.values().filter_map(|it| it.durations.quantile(0.95)).max();
    (operations, p95, selectors.values().map(|it| it.urls.count()).sum())
}

fn from_rollups(store: &SegmentStore, query: &RollupQuery) -> Result<Answer> {
    let mut selectors = HashMap::<SelectorName, SelectorSummary>::new();
    for rollup in store.query_rollups(query)?.rollups {
        let rollup = rollup?;
        selectors.entry(rollup.selector).or_default().merge_figures(&rollup.figures);
    }
    Ok(answer(selectors))
}

fn from_events(store: &SegmentStore, query: &Query) -> Result<Answer> {
    let mut selectors = HashMap::<SelectorName, SelectorSummary>::new();
    for event in store.query(query)? {
        let event = event?;
        selectors.entry(event.selector.clone()).or_default().add(&event);
    }
    Ok(answer(selectors))
}

fn median_ms(mut work: impl FnMut() -> Result<Answer>) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        std::hint::black_box(work()?);
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}

//! The event stores beside SQLite and redb: the same stream, the same questions, one run.

mod embedded;
mod row;
mod stream;

use super::figures::{Bar, Figures, Table};
use anyhow::{Result, ensure};
use embedded::{Embedded, Redb, Sqlite};
use std::path::Path;
use std::time::{Duration, Instant};
use stream::{Batches, Question};
use telemetry_runtime::interfaces::{Durability, EventStore, Maintenance, Order};
use telemetry_runtime::storage::{JsonStore, SegmentStore, StorageConfig};

/// Events per acknowledgement, each with an fsync.
const BATCH: usize = 4096;
const ROUNDS: usize = 9;

/// What one store did with the stream.
struct Row {
    name: &'static str,
    /// Events a second; absent for what is not appended to.
    append: Option<f64>,
    bytes: f64,
    query_ms: f64,
    /// Events a second, of one core, in the order of time.
    scan: f64,
    /// The same in whatever order is cheapest.
    any: f64,
}

pub(super) fn run(is_large: bool) -> Result<Figures> {
    let folder = tempfile::tempdir()?;
    let question = stream::question(1, 24)?;
    let json = json_lines(&folder.path().join("json"), &question)?;
    let [hot, warm] = segments(&folder.path().join("segment"), &question)?;
    let sqlite =
        embedded("SQLite, WAL, FULL", Sqlite::create(&folder.path().join("sqlite"))?, &question)?;
    let redb = embedded("redb", Redb::create(&folder.path().join("redb"))?, &question)?;
    let rows = [hot, warm, json, sqlite, redb];

    let mut figures = Figures::default();
    let mut table = Table::new(
        &format!(
            "1 million events of 24 h; fsync per {BATCH}; {} at {} for one hour, warm",
            question.selector,
            question.from.day(),
        ),
        &["store", "append/s", "bytes/event", "one hour ms", "full scan/s/core", "in any order"],
    );
    for row in &rows {
        table.rows.push(vec![
            row.name.into(),
            row.append.map_or_else(|| "-".into(), thousands),
            format!("{:.1}", row.bytes),
            format!("{:.2}", row.query_ms),
            thousands(row.scan),
            thousands(row.any),
        ]);
    }
    figures.tables.push(table);
    bars(&rows, &mut figures);
    figures.notes.push(format!(
        "the hour holds {} events; every store gave the same ones, decoded",
        question.events
    ));
    figures.notes.push(
        "SQLite and redb hold each event as one binary row (postcard) under an index by selector \
         and time; their size depends on that"
            .into(),
    );
    let statistics = super::rollup::run()?;
    figures.tables.extend(statistics.tables);
    figures.bars.extend(statistics.bars);
    figures.notes.extend(statistics.notes);
    if is_large {
        large(&folder.path().join("large"), &mut figures)?;
    }
    Ok(figures)
}

fn bars(rows: &[Row; 5], figures: &mut Figures) {
    let [hot, warm, json, sqlite, _] = rows;
    let append = hot.append.unwrap_or(0.0);
    let times = |of: &Row| append / of.append.unwrap_or(f64::INFINITY);
    figures.bars.extend([
        Bar::at_least("append, × JSON Lines", times(json), 1.0, "×"),
        Bar::at_least("append, × SQLite", times(sqlite), 5.0, "×"),
        Bar::at_most("bytes per event, hot", hot.bytes, 60.0, "B"),
        Bar::at_most("bytes per event, warm", warm.bytes, 42.0, "B"),
        Bar::at_most("hot, share of SQLite", hot.bytes / sqlite.bytes, 0.125, "×"),
        Bar::at_most("one selector, one hour of 1 M, warm", warm.query_ms, 3.0, "ms"),
        Bar::at_most("the same, × SQLite", warm.query_ms / sqlite.query_ms, 3.0, "×"),
        Bar::at_least("full scan, warm, any order", warm.any / 1e6, 2.0, "M events/s/core"),
        Bar::at_least("full scan, hot, any order", hot.any / 1e6, 2.0, "M events/s/core"),
        Bar::at_least("full scan, warm, by time", warm.scan / 1e6, 2.0, "M events/s/core"),
        Bar::at_least("full scan, hot, by time", hot.scan / 1e6, 2.0, "M events/s/core"),
    ]);
}

fn json_lines(path: &Path, question: &Question) -> Result<Row> {
    let config = StorageConfig { durability: Durability::Batch, ..StorageConfig::at(path) };
    let store = JsonStore::open(&config)?;
    let append = append(1, 24, |batch| Ok(store.append(batch).map(drop)?))?;
    let row = Row {
        name: "json (JSON Lines)",
        append: Some(append),
        bytes: per_event(&store)?,
        // A text file is read whole for every question: once is enough to see it.
        query_ms: timed(1, || question.ask(&store))?,
        scan: rate(timed(1, || stream::scan(&store, Order::OldestFirst))?),
        any: rate(timed(1, || stream::scan(&store, Order::Any))?),
    };
    store.close()?;
    Ok(row)
}

/// As appended, and after the compaction that sorts what was appended.
fn segments(path: &Path, question: &Question) -> Result<[Row; 2]> {
    let config = StorageConfig { durability: Durability::Batch, ..StorageConfig::at(path) };
    let store = SegmentStore::open(&config)?;
    let append = append(1, 24, |batch| Ok(store.append(batch).map(drop)?))?;
    let hot = Row {
        name: "segment, hot",
        append: Some(append),
        bytes: per_event(&store)?,
        query_ms: timed(ROUNDS, || question.ask(&store))?,
        scan: rate(timed(3, || stream::scan(&store, Order::OldestFirst))?),
        any: rate(timed(3, || stream::scan(&store, Order::Any))?),
    };
    store.close()?;
    drop(store);
    let store = SegmentStore::open(&config)?;
    store.compact(&mut |_, _| {})?;
    let warm = Row {
        name: "segment, warm (sorted)",
        append: None,
        bytes: per_event(&store)?,
        query_ms: timed(ROUNDS, || question.ask(&store))?,
        scan: rate(timed(3, || stream::scan(&store, Order::OldestFirst))?),
        any: rate(timed(3, || stream::scan(&store, Order::Any))?),
    };
    store.close()?;
    Ok([hot, warm])
}

fn embedded(name: &'static str, mut store: impl Embedded, question: &Question) -> Result<Row> {
    let append = append(1, 24, |batch| store.append(batch))?;
    let bytes = store.bytes()? as f64 / stream::EVENTS as f64;
    let ask = || {
        let answer = store.hour(question.selector.as_str(), question.from, question.to)?;
        question.check(answer)
    };
    let query_ms = timed(ROUNDS, ask)?;
    let scan = timed(1, || {
        let read = store.scan()?;
        ensure!(read == stream::EVENTS, "{name} gave {read} events");
        Ok(())
    })?;
    // In the order of appending, which is theirs.
    let scan = rate(scan);
    Ok(Row { name, append: Some(append), bytes, query_ms, scan, any: scan })
}

/// One hour out of twenty times as many events over twenty times as long, compacted while they
/// are appended, as a program that runs for weeks would have it.
fn large(path: &Path, figures: &mut Figures) -> Result<()> {
    const TIMES: u32 = 20;
    let question = stream::question(u64::from(TIMES), 24 * TIMES)?;
    let config = StorageConfig { durability: Durability::Batch, ..StorageConfig::at(path) };
    let store = SegmentStore::open(&config)?;
    let append = append(TIMES.into(), 24 * TIMES, |batch| Ok(store.append(batch).map(drop)?))?;
    store.close()?;
    drop(store);
    let store = SegmentStore::open(&config)?;
    store.compact(&mut |_, _| {})?;
    let stats = store.stats()?;
    let ms = timed(ROUNDS, || question.ask(&store))?;
    store.close()?;
    drop(store);
    let begun = Instant::now();
    let store = SegmentStore::open_read_only(path)?;
    let opened = begun.elapsed();
    let begun = Instant::now();
    question.ask(&store)?;
    let first = begun.elapsed();
    figures.bars.push(Bar::at_most("one selector, one hour of 20 M, warm", ms, 10.0, "ms"));
    figures.notes.push(format!(
        "20 million events: {} append/s with compaction beside it on two cores, {} files, {:.1} \
         bytes/event; another process opens them in {:.1} ms and has its first answer ({} events) \
         {:.1} ms later",
        thousands(append),
        stats.files,
        stats.bytes as f64 / stats.events as f64,
        opened.as_secs_f64() * 1e3,
        question.events,
        first.as_secs_f64() * 1e3,
    ));
    Ok(())
}

/// Events a second that a store takes; making the events is not counted.
fn append(
    times: u64,
    hours: u32,
    mut append: impl FnMut(&[telemetry_runtime::models::Event]) -> Result<()>,
) -> Result<f64> {
    let mut taken = Duration::ZERO;
    let mut events = 0;
    for batch in Batches::new(times, hours) {
        let begun = Instant::now();
        append(&batch)?;
        taken += begun.elapsed();
        events += batch.len();
    }
    Ok(events as f64 / taken.as_secs_f64())
}

fn per_event(store: &dyn EventStore) -> Result<f64> {
    let stats = store.stats()?;
    ensure!(stats.events == stream::EVENTS, "{} events are stored", stats.events);
    Ok(stats.bytes as f64 / stats.events as f64)
}

/// Median milliseconds, after one round that warms the caches when there are several.
fn timed(rounds: usize, mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    if rounds > 1 {
        work()?;
    }
    let mut times = Vec::new();
    for _ in 0..rounds {
        let begun = Instant::now();
        work()?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[rounds / 2])
}

/// Events a second, when all took so many milliseconds.
fn rate(ms: f64) -> f64 {
    stream::EVENTS as f64 / (ms / 1e3)
}

fn thousands(number: f64) -> String {
    format!("{:.0}k", number / 1e3)
}

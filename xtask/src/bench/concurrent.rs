//! Many operations at once, all of them onto disk.

use super::figures::{Bar, Figures, Table};
use super::process;
use anyhow::{Context, Result};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use telemetry_runtime::collector::{BackPressure, Collector, CollectorConfig};
use telemetry_runtime::interfaces::{
    AttemptRecord, EventSink, EventStore, Ledger, OperationObserver, PageHandle, SelectorHandle,
    SelectorObserver,
};
use telemetry_runtime::models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, PageContext, SelectorDefinition,
    SelectorName, StrategyDefinition, StrategyKind,
};
use telemetry_runtime::storage::{SegmentStore, StorageConfig};

const TASKS: u64 = 10_000;
const EACH: u64 = 200;
const EVENTS: u64 = TASKS * EACH;
const SELECTORS: usize = 300;
const PAGES: usize = 1_000;
const LIMIT: Duration = Duration::from_secs(300);
const MIB: f64 = 1_048_576.0;
const PIPELINE: &str = "telemetry-pipel";
/// And of the one that calls the store.
const STORE: &str = "telemetry-store";

pub(super) fn run() -> Result<Figures> {
    let folder = tempfile::tempdir().context("cannot make a folder for the stores")?;
    let mut figures = Figures::default();
    in_flight(&folder.path().join("flight"), &mut figures)?;
    throughput(&folder.path().join("throughput"), &mut figures)?;
    Ok(figures)
}

/// A collector onto disk that waits rather than drop, with selectors and pages.
struct Recording {
    collector: Collector,
    selectors: Vec<SelectorHandle>,
    pages: Vec<PageHandle>,
}

impl Recording {
    fn start(path: &Path) -> Result<Self> {
        let store = SegmentStore::open(&StorageConfig::at(path))?;
        let config = CollectorConfig {
            back_pressure: BackPressure::BlockMs(60_000),
            ..CollectorConfig::default()
        };
        let collector = Collector::builder(config).start(Arc::new(store))?;
        let selectors = (0..SELECTORS)
            .map(|at| {
                Ok(collector.selector(&SelectorDefinition {
                    name: SelectorName::new(format!("shop.listing.item-{at}.price"))?,
                    version: 1,
                    strategies: vec![StrategyDefinition {
                        kind: StrategyKind::Css,
                        text: format!("#item-{at} > span.price").into(),
                    }],
                }))
            })
            .collect::<Result<_>>()?;
        let pages = (0..PAGES)
            .map(|at| collector.page(&PageContext::at(&format!("https://shop.test/item/{at}"))))
            .collect();
        Ok(Self { collector, selectors, pages })
    }

    #[inline]
    fn begin(&self, at: usize) -> impl OperationObserver + use<> {
        let page = self.pages[at / 7 % PAGES];
        let selector = self.selectors[at % SELECTORS];
        self.collector.start("bench", selector, Some(page), OperationKind::Resolution)
    }
}

#[inline]
fn finish(mut span: impl OperationObserver, at: usize) {
    let confidence = Confidence::from_millionths(900_000 + (at % 1_000) as u32);
    span.attempt(AttemptRecord {
        elements: Some(1),
        confidence,
        ..AttemptRecord::new(0, AttemptOutcome::Accepted)
    });
    span.finish(Outcome::Success);
}

fn in_flight(path: &Path, figures: &mut Figures) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .build()
        .context("cannot start tokio")?;
    let (running, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    // What the tasks themselves take is not the product's: they are there before the baseline.
    let all_open = Arc::new(tokio::sync::Barrier::new(TASKS as usize));
    let (go, _) = tokio::sync::watch::channel(None::<Arc<Recording>>);
    let tasks: Vec<_> = (0..TASKS as usize)
        .map(|task| {
            let mut ready = go.subscribe();
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let all_open = Arc::clone(&all_open);
            runtime.spawn(async move {
                let Ok(recording) = ready.wait_for(Option::is_some).await.map(|it| it.clone())
                else {
                    return;
                };
                let Some(recording) = recording else { return };
                for turn in 0..EACH as usize {
                    let at = task + turn * 31;
                    let span = recording.begin(at);
                    most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                    if turn == 0 {
                        all_open.wait().await;
                    }
                    // Others go on before this one ends.
                    tokio::task::yield_now().await;
                    running.fetch_sub(1, Ordering::Relaxed);
                    finish(span, at);
                }
            })
        })
        .collect();
    let baseline = process::begin_memory()?;
    let started = Instant::now();
    let recording = Arc::new(Recording::start(path)?);
    go.send_replace(Some(Arc::clone(&recording)));
    runtime.block_on(async {
        for task in tasks {
            task.await.context("a task panicked")?;
        }
        Ok::<_, anyhow::Error>(())
    })?;
    let flushed = recording.collector.flush(LIMIT);
    let taken = started.elapsed();
    let memory = process::most_memory()?.saturating_sub(baseline) as f64 / MIB;
    recording.collector.shutdown(LIMIT);
    let stored = stored(path)?;
    let most = most.load(Ordering::Relaxed);
    let Ledger { recorded, .. } = flushed.ledger;
    let dropped = flushed.ledger.dropped_total();
    let mut table = Table::new(
        "10,000 operations in flight on two tokio workers, store on disk",
        &["recorded", "in flight at most", "stored", "dropped", "seconds", "MiB above baseline"],
    );
    table.rows.push(vec![
        recorded.to_string(),
        most.to_string(),
        stored.to_string(),
        dropped.to_string(),
        format!("{:.1}", taken.as_secs_f64()),
        format!("{memory:.1}"),
    ]);
    figures.tables.push(table);
    let share = 100.0 * stored as f64 / EVENTS as f64;
    figures.bars.push(Bar::at_least("in flight at once", most as f64, TASKS as f64, "operations"));
    figures.bars.push(Bar::at_least("stored and read back", share, 100.0, "%"));
    figures.bars.push(Bar::at_most("dropped", dropped as f64, 0.0, "events"));
    figures.bars.push(Bar::at_most("memory above baseline", memory, 64.0, "MiB"));
    Ok(())
}

fn throughput(path: &Path, figures: &mut Figures) -> Result<()> {
    let recording = Recording::start(path)?;
    let before = consumed()?;
    let started = Instant::now();
    for at in 0..EVENTS as usize {
        finish(recording.begin(at), at);
    }
    let flushed = recording.collector.flush(LIMIT);
    let taken = started.elapsed();
    // The threads live until the shutdown.
    let busy = Duration::from_nanos(consumed()? - before);
    recording.collector.shutdown(LIMIT);
    let stored = stored(path)?;
    let per_core = stored as f64 / busy.as_secs_f64();
    let mut table = Table::new(
        "From the engine's thread to disk, durability `interval`",
        &[
            "events",
            "stored",
            "seconds",
            "pipeline and store on a processor, s",
            "events/s of a core",
        ],
    );
    table.rows.push(vec![
        flushed.ledger.recorded.to_string(),
        stored.to_string(),
        format!("{:.2}", taken.as_secs_f64()),
        format!("{:.2}", busy.as_secs_f64()),
        format!("{per_core:.0}"),
    ]);
    figures.tables.push(table);
    figures.bars.push(Bar::at_least("pipeline to disk", per_core / 1e6, 1.0, "million events/s"));
    Ok(())
}

/// Nanoseconds of a processor that went into consuming: resolving and validating on one thread,
/// encoding, compressing and writing on the other.
fn consumed() -> Result<u64> {
    Ok(process::processor_nanos(PIPELINE)? + process::processor_nanos(STORE)?)
}

/// Events in the store when it is opened anew.
fn stored(path: &Path) -> Result<u64> {
    Ok(SegmentStore::open_read_only(path)?.stats()?.events)
}

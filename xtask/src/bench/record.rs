//! One operation recorded, beside the floor and beside others. Where a process's memory lies moves
//! single rows by a tenth, so several processes measure; a bar is the median of their own ratios.

use super::discard::Discard;
use super::figures::{Bar, Figures, Table};
use super::interval::median;
use super::peers;
use super::rounds::{Row, play};
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::collector::{Collector, CollectorConfig};
use telemetry_runtime::interfaces::{
    AttemptRecord, EventSink, OperationObserver, PageHandle, SelectorHandle, SelectorObserver,
};
use telemetry_runtime::models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, PageContext, SelectorDefinition,
    SelectorName, StrategyDefinition, StrategyKind,
};

/// Processes that measure, one after another.
const PROCESSES: usize = 5;
const ROUNDS: usize = 400;
/// Operations a round and row: four chunks of the collector, half the queue of the smallest peer.
const BATCH: usize = 1_024;
/// Pages and selectors of the row that changes both at every operation.
const VARIETY: usize = 64;
/// The same for one that keeps less in the processor's caches; a power of two, as `VARIETY`.
const MANY: usize = 512;
const LIMIT: Duration = Duration::from_secs(10);

/// A row, as one process measured it.
#[derive(Serialize, Deserialize)]
struct Measured {
    name: String,
    nanos: f64,
    allocations: f64,
    carries_event: bool,
}

pub(super) fn run() -> Result<Figures> {
    let program = std::env::current_exe().context("cannot tell where this program lies")?;
    let mut runs = Vec::with_capacity(PROCESSES);
    for _ in 0..PROCESSES {
        let output = Command::new(&program).args(["bench", "record-child"]).output();
        let output = output.context("cannot start a process that measures")?;
        ensure!(
            output.status.success(),
            "a process that measures failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        runs.push(serde_json::from_slice(&output.stdout).context("cannot read what it measured")?);
    }
    Ok(figures(&runs))
}

/// The process of `record` that measures once; it prints the rows as JSON.
pub(super) fn child() -> Result<()> {
    println!("{}", serde_json::to_string(&measure()?)?);
    Ok(())
}

fn measure() -> Result<Vec<Measured>> {
    let on = Collector::builder(CollectorConfig::default()).start(Arc::new(Discard))?;
    let off = CollectorConfig { enabled: false, ..CollectorConfig::default() };
    let off = Collector::builder(off).start(Arc::new(Discard))?;
    let definitions: Vec<_> = (0..VARIETY).map(definition).collect::<Result<_>>()?;
    let pages: Vec<_> = (0..VARIETY).map(page).collect();
    let selectors: Vec<_> = definitions.iter().map(|it| on.selector(it)).collect();
    let handles: Vec<_> = pages.iter().map(|it| on.page(it)).collect();
    let (title, shop) = (selectors[0], handles[0]);
    let many_definitions: Vec<_> = (0..MANY).map(definition).collect::<Result<_>>()?;
    let many_pages: Vec<_> = (0..MANY).map(page).collect();
    let settle = || {
        on.flush(LIMIT);
    };

    let clock = quanta::Clock::new();
    let mut slots = vec![[0_u64; 16]; BATCH];
    let mut rows = vec![
        Row::new(FLOOR, move |operations| {
            for at in 0..operations {
                let start = clock.raw();
                let end = clock.raw();
                let slot = &mut slots[at % BATCH];
                *slot = [at as u64; 16];
                (slot[0], slot[1]) = (start, end);
                black_box(slot);
            }
        }),
        Row::new(HOT, |operations| {
            for _ in 0..operations {
                operate(&on, title, shop);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new(CONTROL, |operations| {
            for _ in 0..operations {
                operate(&on, title, shop);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new("another handle of page and selector each time", |operations| {
            for at in 0..operations {
                operate(&on, selectors[scatter(at)], handles[scatter(at + 7)]);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new(CHANGING, |operations| {
            for at in 0..operations {
                let shop = on.page(&pages[scatter(at + 7)]);
                operate(&on, on.selector(&definitions[scatter(at)]), shop);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new("the same of 512 pages and selectors", |operations| {
            for at in 0..operations {
                let page = on.page(&many_pages[spread(at + 7)]);
                operate(&on, on.selector(&many_definitions[spread(at)]), page);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new("the same, the URL's text made anew each time (included)", |operations| {
            for at in 0..operations {
                let page = on.page(&page(scatter(at + 7)));
                operate(&on, on.selector(&definitions[scatter(at)]), page);
            }
        })
        .settle(settle)
        .carries_event(),
        Row::new("recording disabled", |operations| {
            for _ in 0..operations {
                operate(&off, title, shop);
            }
        }),
    ];
    rows.extend(peers::rows());
    play(&mut rows, ROUNDS, BATCH);
    let measured = rows.iter().map(Measured::of).collect();
    drop(rows);
    let ledger = on.shutdown(LIMIT).ledger;
    ensure!(
        ledger.stored == ledger.recorded,
        "recorded {} operations, but only {} reached the store: {:?}",
        ledger.recorded,
        ledger.stored,
        ledger.dropped
    );
    Ok(measured)
}

const FLOOR: &str = "floor: two clock readings, one 128-byte store";
const HOT: &str = "selector telemetry: one event, hot";
const CONTROL: &str = "the same once more (A/A control)";
const CHANGING: &str = "another page and selector each time, by URL and name";

/// What is recorded: selector, page, engine, kind, outcome, one attempt with strategy, outcome,
/// elements and confidence, start and end.
#[inline(always)]
fn operate(collector: &Collector, selector: SelectorHandle, page: PageHandle) {
    let mut span = collector.start("bench", selector, Some(page), OperationKind::Resolution);
    span.attempt(AttemptRecord {
        elements: Some(1),
        confidence: Some(Confidence::ONE),
        ..AttemptRecord::new(0, AttemptOutcome::Accepted)
    });
    span.finish(Outcome::Success);
}

/// A place that the processor cannot guess from the one before.
fn scatter(at: usize) -> usize {
    (at.wrapping_mul(0x9E37_79B1) >> 7) % VARIETY
}

fn spread(at: usize) -> usize {
    (at.wrapping_mul(0x9E37_79B1) >> 7) % MANY
}

fn definition(at: usize) -> Result<SelectorDefinition> {
    Ok(SelectorDefinition {
        name: SelectorName::new(format!("shop.listing.item-{at}.price"))?,
        version: 1,
        strategies: vec![StrategyDefinition {
            kind: StrategyKind::Css,
            text: format!("#item-{at} > span.price").into(),
        }],
    })
}

fn page(at: usize) -> PageContext {
    PageContext::at(&format!("https://shop.test/category/shoes/item-{at}?page=2&session=secret"))
}

impl Measured {
    fn of(row: &Row<'_>) -> Self {
        Self {
            name: row.name.into(),
            nanos: row.nanos(),
            allocations: row.allocations,
            carries_event: row.carries_event,
        }
    }
}

/// The processes' rows, all with the same names in the same order.
struct Runs<'a>(&'a [Vec<Measured>]);

impl Runs<'_> {
    fn median(&self, of: impl Fn(&[Measured]) -> f64) -> f64 {
        median(&self.0.iter().map(|run| of(run)).collect::<Vec<_>>())
    }

    fn nanos(&self, name: &str) -> f64 {
        self.median(|run| row(run, name).nanos)
    }

    /// How many times the other row's cost this one is, in the same process.
    fn ratio(&self, name: &str, other: &str) -> f64 {
        self.median(|run| row(run, name).nanos / row(run, other).nanos)
    }

    fn allocations(&self, name: &str) -> f64 {
        self.0.iter().map(|run| row(run, name).allocations).fold(0.0, f64::max)
    }
}

fn row<'a>(run: &'a [Measured], name: &str) -> &'a Measured {
    run.iter().find(|row| row.name == name).expect("every process has every row")
}

fn figures(runs: &[Vec<Measured>]) -> Figures {
    let (rows, runs) = (&runs[0], Runs(runs));
    let mut table = Table::new(
        "One operation, median",
        &["row", "ns/event", "x floor", "allocations/event", "carries an event"],
    );
    for row in rows {
        table.rows.push(vec![
            row.name.clone(),
            format!("{:.1}", runs.nanos(&row.name)),
            format!("{:.2}", runs.ratio(&row.name, FLOOR)),
            format!("{:.2}", runs.allocations(&row.name)),
            if row.carries_event { "yes" } else { "no" }.into(),
        ]);
    }
    let mut bars = vec![
        Bar::at_most("one event, hot", runs.ratio(HOT, FLOOR), 1.5, "x floor"),
        Bar::at_most("page and selector change", runs.ratio(CHANGING, FLOOR), 3.0, "x floor"),
        Bar::at_most("allocations, hot", runs.allocations(HOT), 0.0, "per event"),
        Bar::at_most("allocations, changing", runs.allocations(CHANGING), 0.0, "per event"),
    ];
    let cheapest = rows
        .iter()
        .filter(|row| row.carries_event && peers::NAMES.contains(&row.name.as_str()))
        .min_by(|a, b| runs.nanos(&a.name).total_cmp(&runs.nanos(&b.name)));
    if let Some(cheapest) = cheapest {
        let name = format!("cheaper than {}", cheapest.name);
        bars.push(Bar::at_least(&name, runs.ratio(&cheapest.name, HOT), 3.5, "times"));
    }
    let control = (runs.ratio(CONTROL, HOT) - 1.0).abs() * 100.0;
    bars.push(Bar::at_most("A/A control differs by", control, 5.0, "%"));
    let notes = vec![format!(
        "{PROCESSES} processes, in each {ROUNDS} rounds of {BATCH} operations a row, rotated; medians; \
         every store and exporter discards"
    )];
    Figures { tables: vec![table], bars, notes }
}

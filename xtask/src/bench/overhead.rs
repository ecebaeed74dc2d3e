//! What recording adds to operations that engines really make.

use super::browser::{self, Lookup};
use super::figures::{Bar, Figures, Table};
use super::interval::{Interval, median};
use crate::corpora;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use scraper::{Html, Selector};
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry_runtime::collector::{Collector, CollectorConfig};
use telemetry_runtime::integration::{ObservedSelector, ScraperObserver};
use telemetry_runtime::interfaces::{OperationObserver, PageHandle, SelectorObserver};
use telemetry_runtime::models::{
    OperationKind, Outcome, PageContext, SelectorDefinition, SelectorName,
};
use telemetry_runtime::storage::{SegmentStore, StorageConfig};

/// Pages from all over the corpus, and beside them the largest.
const PAGES: usize = 40;
const LARGE: usize = 20;
const ROUNDS: usize = 61;
/// Operations run in a row until about so much time has passed; one clock reading costs some 1e-3
/// of it.
const BLOCK: Duration = Duration::from_micros(30);
const LOOKUPS: usize = 400;
const LIMIT: Duration = Duration::from_secs(30);

/// Class, identifier, element, attribute and structure; early hits, late hits and misses.
const SELECTORS: [&str; 14] = [
    "h1",
    "title",
    "#main",
    "a[href]",
    "img[src]",
    ".price",
    "div > p",
    "ul li a",
    "table td",
    "[itemprop=name]",
    "span.no-such-class",
    "nav a:first-child",
    "div div div a[class]",
    "div:has(> a > img)",
];

/// Every order of raw, raw again and recorded: no arm follows another more often.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [1, 2, 0], [2, 0, 1], [0, 2, 1], [2, 1, 0], [1, 0, 2]];

pub(super) fn run(workspace: &Workspace) -> Result<Figures> {
    let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
    let store = SegmentStore::open(&StorageConfig::at(folder.path().join("store")))?;
    let collector = Collector::builder(CollectorConfig::default()).start(Arc::new(store))?;
    let mut figures = Figures::default();
    match corpora::drift(workspace) {
        Ok(drift) => selections(&drift.pages, &collector, &mut figures)?,
        Err(error) if error.is::<corpora::Absent>() => {
            figures.notes.push(format!("scraper: skipped, {error}"));
        }
        Err(error) => return Err(error),
    }
    lookups(&collector, &mut figures)?;
    let ledger = collector.shutdown(LIMIT).ledger;
    figures.notes.push(format!(
        "{} operations recorded into a store on disk, {} stored, {} dropped",
        ledger.recorded,
        ledger.stored,
        ledger.dropped_total()
    ));
    Ok(figures)
}

/// One selector on one page.
struct Operation {
    page: usize,
    selector: usize,
    times: usize,
    /// Nanoseconds by round: raw, raw again, recorded.
    nanos: [Vec<f64>; 3],
}

fn selections(pages: &Path, collector: &Collector, figures: &mut Figures) -> Result<()> {
    let telemetry = ScraperObserver::new(collector.clone());
    let documents = read(pages)?;
    let handles: Vec<PageHandle> = (0..documents.len())
        .map(|at| telemetry.enter(&PageContext::at(&format!("https://corpus.test/{at}"))))
        .collect();
    let selectors: Vec<Selector> = SELECTORS
        .iter()
        .map(|text| Selector::parse(text).map_err(|error| anyhow::anyhow!("{text}: {error}")))
        .collect::<Result<_>>()?;
    let observed: Vec<ObservedSelector> = selectors
        .iter()
        .zip(SELECTORS)
        .map(|(selector, text)| telemetry.selector(text, selector.clone()))
        .collect();
    let raw = |operation: &Operation| {
        let (document, selector) = (&documents[operation.page], &selectors[operation.selector]);
        time(operation.times, || document.select(selector).count())
    };
    let recorded = |operation: &Operation| {
        let (document, selector) = (&documents[operation.page], &observed[operation.selector]);
        let page = Some(handles[operation.page]);
        time(operation.times, || telemetry.select(document, page, selector).count())
    };
    let mut operations: Vec<Operation> = Vec::new();
    for page in 0..documents.len() {
        for selector in 0..selectors.len() {
            let mut operation = Operation { page, selector, times: 8, nanos: Default::default() };
            let nanos = raw(&operation).min(raw(&operation)).max(1.0);
            operation.times = ((BLOCK.as_nanos() as f64 / nanos) as usize).clamp(1, 512);
            operations.push(operation);
        }
    }
    for round in 0..ROUNDS {
        for (at, operation) in operations.iter_mut().enumerate() {
            for arm in ORDERS[(round + at) % ORDERS.len()] {
                let nanos = if arm == 2 { recorded(operation) } else { raw(operation) };
                operation.nanos[arm].push(nanos);
            }
        }
    }
    summarise(&operations, figures);
    figures.notes.push(format!(
        "scraper: {} pages, {} selectors, {ROUNDS} rounds in rotated order",
        documents.len(),
        selectors.len()
    ));
    Ok(())
}

/// Nanoseconds of one of `times` operations, after one that is not timed: the first teaches the
/// processor's branch predictor this page, which would otherwise favour whichever arm comes second.
fn time(times: usize, mut operate: impl FnMut() -> usize) -> f64 {
    black_box(operate());
    let started = Instant::now();
    for _ in 0..times {
        black_box(operate());
    }
    started.elapsed().as_nanos() as f64 / times as f64
}

/// Pages from all over the corpus in the order of their names, and the largest of the others.
fn read(pages: &Path) -> Result<Vec<Html>> {
    let mut paths: Vec<_> = fs::read_dir(pages)
        .with_context(|| format!("cannot read {}", pages.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "html"));
    paths.sort();
    let step = (paths.len() / PAGES).max(1);
    let (mut chosen, mut others) = (Vec::new(), Vec::new());
    for (at, path) in paths.into_iter().enumerate() {
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let kept = at % step == 0 && chosen.len() < PAGES;
        if kept { &mut chosen } else { &mut others }.push(bytes);
    }
    others.sort_by_key(|bytes| std::cmp::Reverse(bytes.len()));
    chosen.extend(others.into_iter().take(LARGE));
    Ok(chosen.iter().map(|bytes| Html::parse_document(&String::from_utf8_lossy(bytes))).collect())
}

/// Classes of operation length: name, from and to (ns), bar in percent.
const CLASSES: [(&str, f64, f64, Option<f64>); 6] = [
    ("below 1 µs", 0.0, 1e3, None),
    ("1 to 2.5 µs", 1e3, 2.5e3, None),
    ("2.5 to 5 µs", 2.5e3, 5e3, Some(2.0)),
    ("5 to 100 µs", 5e3, 100e3, Some(2.0)),
    ("from 2.5 µs", 2.5e3, f64::INFINITY, Some(2.0)),
    ("from 100 µs", 100e3, f64::INFINITY, Some(1.0)),
];

fn summarise(operations: &[Operation], figures: &mut Figures) {
    let mut table = Table::new(
        "scraper selections, with and without recording (paired by round, median over operations)",
        &["length", "operations", "median ns", "added ns", "added %", "95 % interval", "A/A %"],
    );
    for (name, from, to, bar) in CLASSES {
        let class: Vec<&Operation> =
            operations.iter().filter(|it| (from..to).contains(&median(&it.nanos[0]))).collect();
        if class.is_empty() {
            continue;
        }
        let of = |arm: usize| class.iter().map(|it| added(it, arm)).collect::<Vec<_>>();
        let share = |arm: usize| {
            let all = class.iter().map(|it| 100.0 * added(it, arm) / median(&it.nanos[0]));
            Interval::of(all.collect())
        };
        let (control, cost) = (share(1), share(2));
        let length: Vec<f64> = class.iter().map(|it| median(&it.nanos[0])).collect();
        table.rows.push(vec![
            name.into(),
            class.len().to_string(),
            format!("{:.0}", median(&length)),
            format!("{:.0}", median(&of(2))),
            format!("{:+.2}", cost.median),
            format!("{:+.2} to {:+.2}", cost.low, cost.high),
            format!("{:+.2} ({:+.2} to {:+.2})", control.median, control.low, control.high),
        ]);
        if let Some(limit) = bar {
            let name = format!("scraper, {name}");
            figures.bars.push(Bar::at_most(&name, cost.median, limit, "% added"));
        }
    }
    figures.tables.push(table);
}

/// Median of what an arm took longer than the first, round by round.
fn added(operation: &Operation, arm: usize) -> f64 {
    let pairs = operation.nanos[arm].iter().zip(&operation.nanos[0]);
    median(&pairs.map(|(arm, raw)| arm - raw).collect::<Vec<_>>())
}

fn lookups(collector: &Collector, figures: &mut Figures) -> Result<()> {
    let title = collector.selector(&SelectorDefinition {
        name: SelectorName::new("bench.title")?,
        version: 1,
        strategies: Vec::new(),
    });
    let shop = collector.page(&PageContext::at("https://shop.test/"));
    let record = |operate: &mut dyn FnMut() -> Result<()>| {
        let span = collector.start("bench", title, Some(shop), OperationKind::Resolution);
        let result = operate();
        let failed = if result.is_ok() { Outcome::Success } else { Outcome::EngineError };
        span.finish(failed);
        result
    };
    let cost = cost_of_an_event(|| drop(record(&mut || Ok(()))));
    let mut table = Table::new(
        "One element looked up in headless Chromium",
        &["over", "median µs", "derived %", "measured %", "95 % interval", "A/A %"],
    );
    for connect in [browser::web_driver, browser::dev_tools] {
        let mut lookup: Box<dyn Lookup> = match connect() {
            Ok(lookup) => lookup,
            Err(error) => {
                figures.notes.push(format!("Chromium: skipped, {error:#}"));
                continue;
            }
        };
        let mut nanos: [Vec<f64>; 3] = Default::default();
        for round in 0..LOOKUPS + 50 {
            for arm in ORDERS[round % ORDERS.len()] {
                let started = Instant::now();
                match arm {
                    2 => record(&mut || lookup.find())?,
                    _ => lookup.find()?,
                }
                if round >= 50 {
                    nanos[arm].push(started.elapsed().as_nanos() as f64);
                }
            }
        }
        let raw = median(&nanos[0]);
        let share = |arm: usize| {
            let pairs = nanos[arm].iter().zip(&nanos[0]);
            Interval::of(pairs.map(|(arm, first)| 100.0 * (arm - first) / raw).collect())
        };
        let (control, measured, derived) = (share(1), share(2), 100.0 * cost / raw);
        let name = lookup.name();
        table.rows.push(vec![
            name.into(),
            format!("{:.0}", raw / 1e3),
            format!("{derived:.4}"),
            format!("{:+.2}", measured.median),
            format!("{:+.2} to {:+.2}", measured.low, measured.high),
            format!("{:+.2} ({:+.2} to {:+.2})", control.median, control.low, control.high),
        ]);
        figures.bars.push(Bar::at_most(&format!("{name}, derived"), derived, 0.1, "% added"));
        let apart = (measured.low - control.high).max(control.low - measured.high).max(0.0);
        let name = format!("{name}, distance of the measured interval from the A/A interval");
        figures.bars.push(Bar::at_most(&name, apart, 0.0, "%"));
    }
    if !table.rows.is_empty() {
        let derivation = "derived = cost of one event measured alone in this run";
        figures
            .notes
            .push(format!("Chromium: {derivation} ({cost:.1} ns) / median of the look-up"));
        figures.tables.push(table);
    }
    Ok(())
}

/// Nanoseconds of a recorded operation that does nothing.
fn cost_of_an_event(operate: impl Fn()) -> f64 {
    let batch = |_| {
        time(256, || {
            operate();
            0
        })
    };
    median(&(0..200).map(batch).collect::<Vec<_>>())
}

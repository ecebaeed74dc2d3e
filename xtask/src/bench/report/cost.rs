//! Time and memory of a report over ten million events, in a process of its own.

use crate::bench::figures::{Bar, Figures, Table};
use crate::bench::process;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::time::Instant;
use telemetry_runtime::interfaces::{Durability, EventStore, Query, ReportRenderer, RollupStore};
use telemetry_runtime::models::Timestamp;
use telemetry_runtime::reporting::{
    HtmlRenderer, ReportBuilder, ReportRequest, ReportingConfig, Source,
};
use telemetry_runtime::storage::{SegmentStore, StorageConfig};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

const EVENTS: u64 = 10_000_000;

/// The process that makes one report.
#[derive(clap::Args)]
pub(crate) struct Child {
    store: PathBuf,
    #[arg(long)]
    rollups: bool,
}

pub(super) fn measure(figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("store");
    fill(&path)?;
    let mut table = Table::new("10 million events to HTML", &["from", "s", "MiB", "kB of HTML"]);
    let mut told = Vec::new();
    for rollups in [false, true] {
        let (seconds, mib, bytes) = made_by_child(&path, rollups)?;
        let from = if rollups { "rollups" } else { "events" };
        let cells = [seconds, mib, bytes / 1e3].map(|it| format!("{it:.2}"));
        table.rows.push([vec![from.to_owned()], cells.to_vec()].concat());
        told.push((seconds, mib));
    }
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("10 M events to HTML, from events", told[0].0, 10.0, "s"));
    figures.bars.push(Bar::at_most("10 M events to HTML, from rollups", told[1].0, 1.0, "s"));
    let most = told[0].1.max(told[1].1);
    figures.bars.push(Bar::at_most("memory of either", most, 256.0, "MiB"));
    Ok(())
}

fn fill(path: &Path) -> Result<()> {
    let config = StorageConfig { durability: Durability::None, ..StorageConfig::at(path) };
    let writer = SegmentStore::open(&config)?;
    let generator = GeneratorConfig {
        events: EVENTS,
        selectors: 300,
        sites: 30,
        hours: 30 * 24,
        ..GeneratorConfig::default()
    };
    let mut stream = EventGenerator::new(3, generator);
    loop {
        let batch: Vec<_> = stream.by_ref().take(8_192).collect();
        if batch.is_empty() {
            break;
        }
        writer.append(&batch)?;
    }
    writer.close()?;
    drop(writer);
    let store = SegmentStore::open(&config)?;
    store.roll_up(&mut |_, _| {})?;
    store.close()?;
    Ok(())
}

fn made_by_child(store: &Path, rollups: bool) -> Result<(f64, f64, f64)> {
    let mut command = std::process::Command::new(std::env::current_exe()?);
    command.args(["bench", "report-child"]).arg(store);
    if rollups {
        command.arg("--rollups");
    }
    let output = command.output().context("the process that reports cannot be started")?;
    ensure!(
        output.status.success(),
        "the process that reports failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout)?;
    let numbers: Result<Vec<f64>, _> = text.split_whitespace().map(str::parse).collect();
    let [seconds, mib, bytes] = numbers?[..] else { anyhow::bail!("said `{text}`") };
    Ok((seconds, mib, bytes))
}

pub(super) fn child(child: &Child) -> Result<()> {
    let begun = Instant::now();
    let store = SegmentStore::open_read_only(&child.store)?;
    let now = store.stats()?.last.unwrap_or(Timestamp::MIN);
    let request = ReportRequest {
        query: Query::all(),
        now,
        source: if child.rollups { Source::Rollups } else { Source::Events },
        ..ReportRequest::default()
    };
    let report =
        ReportBuilder::new(ReportingConfig::default())?.build(&store, &request, &mut |_| {})?;
    ensure!(report.totals.operations == EVENTS, "{} operations", report.totals.operations);
    let html = HtmlRenderer::new().render(&report)?;
    let seconds = begun.elapsed().as_secs_f64();
    let mib = process::most_memory()? as f64 / f64::from(1 << 20);
    println!("{seconds} {mib} {}", html.len());
    Ok(())
}

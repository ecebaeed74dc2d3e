//! From evidence to the receiver's acceptance, and a storm.

mod latency;

use super::figures::{Bar, Figures, Table};
use super::process;
use crate::eval::receiver::Receiver;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use telemetry_runtime::alerting::{
    AlertBook, AlertFilter, AlertMonitor, AlertingConfig, Profile, Rule, ThresholdEngine,
    WebhookConfig, channels,
};
use telemetry_runtime::interfaces::{AlertEngine, Clock, EventConsumer, SystemClock};
use telemetry_runtime::models::{
    Comparison, Event, EventId, OperationKind, Outcome, PageContext, SelectorName, Signal,
};
use telemetry_runtime::storage::SqliteState;

const STORM: u64 = 100_000;
const STORM_SITES: u64 = 20;
/// So long after the last event everything is told.
const SETTLED: Duration = Duration::from_secs(45);
const LIMIT: Duration = Duration::from_secs(60);
const MIB: f64 = 1_048_576.0;

#[derive(clap::Args)]
pub(crate) struct Storm {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    url: String,
    /// Evaluate only, announce nothing
    #[arg(long)]
    engine_only: bool,
}

#[derive(Serialize, Deserialize)]
struct Stormed {
    mib: f64,
    /// Of the whole process, program and libraries included.
    whole: f64,
    /// Until the last event was taken.
    evaluated: f64,
    listed: u64,
    delivered: u64,
}

fn event(
    selector: u64,
    sites: u64,
    id: u128,
    clock: &SystemClock,
    outcome: Outcome,
) -> Result<Event> {
    let name = SelectorName::new(format!("shop.{selector}.price"))?;
    let (id, now) = (EventId::from_u128(id), clock.utc());
    let mut event = Event::new(id, name, now, OperationKind::Resolution, outcome);
    event.page =
        Some(Arc::new(PageContext::at(&format!("https://site{}.test/", selector % sites))));
    Ok(event)
}

fn storm_config(url: &str) -> AlertingConfig {
    let mut rule = Rule::new("failing", Signal::ErrorRate, Comparison::AtLeast, 1.0);
    rule.last = Some(1);
    AlertingConfig {
        profile: Profile::None,
        rules: vec![rule],
        log: false,
        max_series: 200_000,
        webhooks: vec![WebhookConfig::new("receiver", url)],
        ..AlertingConfig::default()
    }
}

/// The process that lives through the storm; tells what it took as JSON.
pub(super) fn storm(arguments: &Storm) -> Result<()> {
    let config = storm_config(&arguments.url);
    let clock = SystemClock::new();
    let state = Arc::new(SqliteState::open(&arguments.store)?);
    let mut engine = ThresholdEngine::new(&config)?;
    let before = process::begin_memory()?;
    let started = Instant::now();
    let mut told = Stormed { mib: 0.0, whole: 0.0, evaluated: 0.0, listed: 0, delivered: 0 };
    if arguments.engine_only {
        let mut changes = Vec::new();
        for at in 0..STORM {
            let failing = event(at, STORM_SITES, at.into(), &clock, Outcome::NotFound)?;
            engine.observe(&[failing], &mut changes);
            changes.clear();
        }
    } else {
        let mut monitor = AlertMonitor::builder(engine, state.clone(), Arc::new(clock))
            .channels(channels(&config)?)
            .delivery(config.delivery.clone())
            .start()?;
        for at in 0..STORM {
            let failing = event(at, STORM_SITES, at.into(), &clock, Outcome::NotFound)?;
            monitor.consume(&[failing]);
        }
        told.evaluated = started.elapsed().as_secs_f64();
        // Nothing more comes; what is still to be told is told soon.
        while started.elapsed() < SETTLED {
            monitor.tick(clock.utc());
            std::thread::sleep(Duration::from_millis(100));
        }
        (told.mib, told.whole) = memory_since(before)?;
        monitor.finish(clock.utc(), LIMIT);
        told.delivered = monitor.delivered().0;
        told.listed = AlertBook::new(state).list(&AlertFilter::open())?.len() as u64;
    }
    if arguments.engine_only {
        (told.mib, told.whole) = memory_since(before)?;
    }
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
}

/// The most memory beyond what there was before, and that of the whole process.
fn memory_since(before: u64) -> Result<(f64, f64)> {
    let most = process::most_memory()?;
    Ok((most.saturating_sub(before) as f64 / MIB, most as f64 / MIB))
}

fn run_storm(url: &str, engine_only: bool) -> Result<Stormed> {
    let folder = tempfile::tempdir().context("cannot make a folder for the state")?;
    let own = std::env::current_exe().context("cannot find this program")?;
    let mut command = Command::new(own);
    command.args(["bench", "storm", "--url", url, "--store"]).arg(folder.path());
    if engine_only {
        command.arg("--engine-only");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the storm ended with {}", output.status);
    serde_json::from_slice(&output.stdout).context("the storm's process told no figures")
}

pub(super) fn run() -> Result<Figures> {
    let mut figures = Figures::default();
    latency::run(&mut figures)?;
    let receiver = Receiver::start()?;
    let alone = run_storm(&receiver.url, true)?;
    let began = Instant::now();
    let whole = run_storm(&receiver.url, false)?;
    let posts = receiver.posts();
    let first = posts.first().map_or(f64::INFINITY, |it| it.at.duration_since(began).as_secs_f64());
    let told: u64 = posts.iter().filter_map(|it| it.body["group"]["count"].as_u64()).sum();
    let largest = posts.iter().map(|it| it.bytes).max().unwrap_or(0);
    let mut table = Table::new(
        "Storm: 100,000 alerts in 20 groups, state on disk, webhook on loopback",
        &[
            "messages",
            "first, s",
            "events taken, s",
            "largest, KiB",
            "alerts told of",
            "listed",
            "MiB, engine alone",
            "MiB, storm",
            "MiB, process",
        ],
    );
    table.rows.push(vec![
        posts.len().to_string(),
        format!("{first:.2}"),
        format!("{:.1}", whole.evaluated),
        format!("{:.0}", largest as f64 / 1024.0),
        told.to_string(),
        whole.listed.to_string(),
        format!("{:.0}", alone.mib),
        format!("{:.0}", whole.mib),
        format!("{:.0}", whole.whole),
    ]);
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("messages of the storm", posts.len() as f64, 40.0, "messages"));
    figures.bars.push(Bar::at_most("first message", first, 2.0, "s"));
    figures.bars.push(Bar::at_most("memory of the process", whole.whole, 100.0, "MiB"));
    let listed = whole.listed.min(told) as f64;
    figures.bars.push(Bar::at_least("told of and listed", listed, STORM as f64, "alerts"));
    figures.notes.push(
        "the first message counts from the start of the process; memory is the most that was \
         resident: of the process, and beyond what it had before the storm"
            .into(),
    );
    Ok(figures)
}

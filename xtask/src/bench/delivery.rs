//! From evidence to the receiver's acceptance, and a storm.

use super::figures::{Bar, Figures, Table};
use super::process;
use crate::eval::receiver::Receiver;
use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use telemetry_runtime::alerting::{
    AlertBook, AlertFilter, AlertMonitor, AlertingConfig, Profile, Rule, ThresholdEngine,
    WebhookConfig, channels,
};
use telemetry_runtime::interfaces::{AlertEngine, Clock, EventConsumer, EventSink, SystemClock};
use telemetry_runtime::models::{
    AlertState, Comparison, Event, EventId, OperationKind, Outcome, PageContext, SelectorName,
    Signal,
};
use telemetry_runtime::storage::SqliteState;
use telemetry_runtime::{Telemetry, TelemetryConfig};

const STORM: u64 = 100_000;
const STORM_SITES: u64 = 20;
const RATE: u64 = 5_000;
const SELECTORS: u64 = 500;
const SITES: u64 = 50;
const SECONDS: u64 = 60;
const LIMIT: Duration = Duration::from_secs(120);
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
    seconds: f64,
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
    let mut told = Stormed { mib: 0.0, seconds: 0.0, listed: 0, delivered: 0 };
    if arguments.engine_only {
        let mut changes = Vec::new();
        for at in 0..STORM {
            let failing = event(at, STORM_SITES, at.into(), &clock, Outcome::NotFound)?;
            engine.observe(&[failing], &mut changes);
            changes.clear();
        }
        told.mib = process::most_memory()?.saturating_sub(before) as f64 / MIB;
    } else {
        let mut monitor = AlertMonitor::builder(engine, state.clone(), Arc::new(clock))
            .channels(channels(&config)?)
            .delivery(config.delivery.clone())
            .start()?;
        for at in 0..STORM {
            let failing = event(at, STORM_SITES, at.into(), &clock, Outcome::NotFound)?;
            monitor.consume(&[failing]);
        }
        // Nothing more comes; what is still to be told is told within two minutes.
        while started.elapsed() < LIMIT {
            monitor.tick(clock.utc());
            std::thread::sleep(Duration::from_millis(100));
        }
        told.mib = process::most_memory()?.saturating_sub(before) as f64 / MIB;
        monitor.finish(clock.utc(), LIMIT);
        told.delivered = monitor.delivered().0;
        told.listed = AlertBook::new(state).list(&AlertFilter::open())?.len() as u64;
    }
    told.seconds = started.elapsed().as_secs_f64();
    println!("{}", serde_json::to_string(&told)?);
    Ok(())
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
    latency(&mut figures)?;
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
            "largest, KiB",
            "alerts told of",
            "listed",
            "MiB, engine alone",
            "MiB, whole",
        ],
    );
    table.rows.push(vec![
        posts.len().to_string(),
        format!("{first:.2}"),
        format!("{:.0}", largest as f64 / 1024.0),
        told.to_string(),
        whole.listed.to_string(),
        format!("{:.0}", alone.mib),
        format!("{:.0}", whole.mib),
    ]);
    figures.tables.push(table);
    let added = whole.mib - alone.mib;
    figures.bars.push(Bar::at_most("messages of the storm", posts.len() as f64, 40.0, "messages"));
    figures.bars.push(Bar::at_most("first message", first, 2.0, "s"));
    figures.bars.push(Bar::at_most("delivery's memory", added, 100.0, "MiB"));
    let listed = whole.listed.min(told) as f64;
    figures.bars.push(Bar::at_least("told of and listed", listed, STORM as f64, "alerts"));
    figures.notes.push(
        "the first message counts from the start of the process; memory is what the whole takes \
         beyond the evaluation of the same events alone"
            .into(),
    );
    Ok(figures)
}

/// Evidence → acceptance through collector, pipeline, engine, state on disk and webhook.
fn latency(figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
    let receiver = Receiver::start()?;
    let mut config = TelemetryConfig::default();
    config.storage.path = folder.path().to_owned();
    config.alerting.log = false;
    config.alerting.webhooks = vec![WebhookConfig::new("receiver", &receiver.url)];
    let fired = Arc::new(Mutex::new(BTreeMap::new()));
    let seen = Arc::clone(&fired);
    let clock = SystemClock::new();
    let telemetry = Telemetry::builder(config)
        .on_alert(move |change| {
            if change.alert.state == AlertState::Firing {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(change.alert.id.to_string()).or_insert(change.alert.fired_at);
            }
        })
        .start()?;
    let begun = (Instant::now(), clock.utc());
    let mut random = fastrand::Rng::with_seed(7);
    let mut broken_until = vec![0u64; SELECTORS as usize];
    let total = RATE * SECONDS;
    for at in 0..total {
        // 200 selectors break for a while, each at a moment of its own.
        if at % (total / 200) == 0 && at > RATE * 5 {
            broken_until[random.usize(0..SELECTORS as usize)] = at + RATE * 10;
        }
        let selector = at % SELECTORS;
        let broken = broken_until[selector as usize] > at;
        let outcome = if broken { Outcome::NotFound } else { Outcome::Success };
        telemetry.collector().record(event(selector, SITES, at.into(), &clock, outcome)?);
        let due = begun.0 + Duration::from_micros(at * 1_000_000 / RATE);
        if at % 50 == 0 {
            // The pace of the events.
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    telemetry.shutdown(LIMIT);
    let fired = fired.lock().unwrap_or_else(PoisonError::into_inner);
    let mut delays = Vec::new();
    for post in receiver.posts() {
        if post.body["kind"] != "firing" && post.body["kind"] != "digest" {
            continue;
        }
        let accepted = begun.1.saturating_add(post.at.duration_since(begun.0));
        for alert in post.body["alerts"].as_array().into_iter().flatten() {
            let id = alert["id"].as_str().unwrap_or_default();
            if let Some(Some(at)) = fired.get(id) {
                delays.push(accepted.since(*at).as_secs_f64());
            }
        }
    }
    delays.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = (delays.len() as f64 * q).ceil() as usize;
        delays.get(at.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
    };
    let mut table = Table::new(
        "Evidence to acceptance, 5,000 events/s over 500 selectors of 50 sites, seconds",
        &["alerts fired", "accepted", "median", "p99", "worst"],
    );
    table.rows.push(vec![
        fired.len().to_string(),
        delays.len().to_string(),
        format!("{:.2}", quantile(0.5)),
        format!("{:.2}", quantile(0.99)),
        format!("{:.2}", quantile(1.0)),
    ]);
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("evidence to acceptance, p99", quantile(0.99), 2.0, "s"));
    Ok(())
}

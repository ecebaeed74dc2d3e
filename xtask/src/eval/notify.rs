//! Killing a process that announces alerts, and what its receiver must have heard.

use super::receiver::Receiver;
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::alerting::{
    AlertBook, AlertFilter, AlertMonitor, AlertingConfig, DeliveryConfig, Profile, Rule,
    ThresholdEngine, WebhookConfig, channels,
};
use telemetry_runtime::interfaces::{Clock, EventConsumer, StateStore, SystemClock};
use telemetry_runtime::models::{
    Comparison, Event, EventId, OperationKind, Outcome, PageContext, SelectorName, Signal,
};
use telemetry_runtime::storage::SqliteState;

const SELECTORS: u64 = 60;
const SITES: u64 = 6;
/// An alert that was open for so long must have been announced.
const NOTICED: Duration = Duration::from_secs(2);
const LIMIT: Duration = Duration::from_secs(60);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Processes to kill
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// Seed of the events and of the moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(clap::Args)]
pub(crate) struct Writer {
    #[arg(long)]
    store: PathBuf,
    #[arg(long)]
    url: String,
    #[arg(long)]
    seed: u64,
    /// Let every selector work again, announce that, and end
    #[arg(long)]
    heal: bool,
}

fn config(url: &str) -> AlertingConfig {
    let mut rule = Rule::new("failing", Signal::ErrorRate, Comparison::AtLeast, 1.0);
    rule.last = Some(3);
    AlertingConfig {
        profile: Profile::None,
        rules: vec![rule],
        log: false,
        webhooks: vec![WebhookConfig::new("receiver", url)],
        cooldown: Some(Duration::ZERO),
        delivery: DeliveryConfig {
            group_wait: Duration::from_millis(50),
            group_interval: Duration::from_millis(200),
            limit_messages: 0,
            flap_firings: 0,
            ..DeliveryConfig::default()
        },
        ..AlertingConfig::default()
    }
}

pub(crate) fn write(writer: &Writer) -> Result<()> {
    let config = config(&writer.url);
    let state: Arc<dyn StateStore> = Arc::new(SqliteState::open(&writer.store)?);
    let clock = Arc::new(SystemClock::new());
    let mut monitor = AlertMonitor::builder(ThresholdEngine::new(&config)?, state, clock.clone())
        .channels(channels(&config)?)
        .delivery(config.delivery.clone())
        .start()?;
    let mut random = fastrand::Rng::with_seed(writer.seed);
    let mut visit = |monitor: &mut AlertMonitor, selector: u64, outcome: Outcome| -> Result<()> {
        let name = SelectorName::new(format!("shop.{selector}"))?;
        let (id, now) = (EventId::from_u128(random.u128(..)), clock.utc());
        let mut event = Event::new(id, name, now, OperationKind::Resolution, outcome);
        let page = PageContext::at(&format!("https://site{}.test/", selector % SITES));
        event.page = Some(Arc::new(page));
        monitor.consume(&[event.clone(), event.clone(), event]);
        monitor.tick(clock.utc());
        Ok(())
    };
    if writer.heal {
        for selector in 0..SELECTORS {
            visit(&mut monitor, selector, Outcome::Success)?;
        }
        monitor.finish(clock.utc(), LIMIT);
        return Ok(());
    }
    let mut order = fastrand::Rng::with_seed(writer.seed);
    loop {
        let outcome = if order.bool() { Outcome::NotFound } else { Outcome::Success };
        visit(&mut monitor, order.u64(0..SELECTORS), outcome)?;
        // The pace of the events, not waiting for anything.
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn writer(store: &Path, url: &str, seed: u64) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe().context("cannot find this program")?);
    command.args(["eval", "notify-writer", "--url", url, "--seed", &seed.to_string(), "--store"]);
    command.arg(store).stdin(Stdio::null());
    Ok(command)
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the state")?;
    let receiver = Receiver::start()?;
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    for run in 0..arguments.runs {
        let seed = arguments.seed.wrapping_mul(1_000_003).wrapping_add(run);
        let mut child = writer(folder.path(), &receiver.url, seed)?.spawn()?;
        // The moment of the kill is to be any moment.
        std::thread::sleep(Duration::from_micros(random.u64(5_000..400_000)));
        child.kill()?;
        child.wait()?;
    }
    let healed = writer(folder.path(), &receiver.url, arguments.seed)?.arg("--heal").status()?;
    ensure!(healed.success(), "the last run ended with {healed}");

    let posts = receiver.posts();
    let mut keys: BTreeMap<String, u64> = BTreeMap::new();
    let mut told: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for post in &posts {
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let key = text(&post.body["key"]);
        *keys.entry(key.clone()).or_default() += 1;
        let kind = text(&post.body["kind"]);
        for alert in post.body["alerts"].as_array().into_iter().flatten() {
            let what = match kind.as_str() {
                "firing" => format!("firing {}", text(&alert["severity"])),
                other => other.to_owned(),
            };
            told.entry((text(&alert["id"]), what)).or_default().insert(key.clone());
        }
    }
    let alerts =
        AlertBook::new(Arc::new(SqliteState::open(folder.path())?)).list(&AlertFilter::default())?;
    let heard =
        |id: &str, kind: &str| told.keys().any(|(of, what)| of == id && what.starts_with(kind));
    let ids = |kind: &str| -> BTreeSet<&String> {
        told.keys().filter(|(_, what)| what.starts_with(kind)).map(|(id, _)| id).collect()
    };
    let (firing, resolved) = (ids("firing"), ids("resolved"));
    let lost_resolutions = firing.difference(&resolved).count();
    let lost_firings = alerts.iter().filter(|alert| {
        let lasted = alert.fired_at.zip(alert.resolved_at).map(|(from, to)| to.since(from));
        lasted.is_some_and(|it| it > NOTICED) && !heard(alert.id.as_str(), "firing")
    });
    let lost_firings = lost_firings.count();
    let duplicates = told.values().filter(|keys| keys.len() > 1).count();
    let open = alerts.iter().filter(|alert| alert.state.is_open()).count();
    let again: u64 = keys.values().map(|count| count - 1).sum();
    println!("processes killed          {:>8}", arguments.runs);
    println!("alerts kept               {:>8}   {open} of them open at the end", alerts.len());
    println!("messages by key           {:>8}   {again} sent again under their key", keys.len());
    println!("announced under two keys  {duplicates:>8}");
    println!(
        "lost firings              {lost_firings:>8}   open for more than 2 s, never announced"
    );
    println!("lost resolutions          {lost_resolutions:>8}   of {} announced", firing.len());
    ensure!(open == 0, "alerts are open though every selector works");
    ensure!(duplicates == 0 && lost_firings == 0 && lost_resolutions == 0, "a bar is missed");
    Ok(())
}

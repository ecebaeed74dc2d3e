//! How long it takes from the event that crosses a rule to the receiver's acceptance.

use super::super::figures::{Bar, Figures, Table};
use super::event;
use crate::eval::receiver::{Post, Receiver};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use telemetry_runtime::alerting::WebhookConfig;
use telemetry_runtime::interfaces::{EventSink, SystemClock};
use telemetry_runtime::models::{AlertState, Outcome};
use telemetry_runtime::{Telemetry, TelemetryConfig};

const RATE: u64 = 5_000;
const SELECTORS: u64 = 500;
const SITES: u64 = 50;
const SECONDS: u64 = 40;
/// Selectors that break for a while, each at a moment of its own.
const FAULTS: u64 = 150;
/// The last ones are to be told before the end, not at it.
const QUIET: u64 = 5;
const LIMIT: Duration = Duration::from_secs(60);

/// Through collector, pipeline, engine, state on disk and webhook, with the default configuration.
pub(super) fn run(figures: &mut Figures) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for the store")?;
    let receiver = Receiver::start()?;
    let mut config = TelemetryConfig::default();
    config.storage.path = folder.path().to_owned();
    config.alerting.log = false;
    config.alerting.webhooks = vec![WebhookConfig::new("receiver", &receiver.url)];
    // The alert and the number of the event that made it fire.
    let fired: Arc<Mutex<BTreeMap<String, usize>>> = Arc::default();
    let seen = Arc::clone(&fired);
    let telemetry = Telemetry::builder(config)
        .on_alert(move |change| {
            let crossing = change.alert.evidence.events.last().and_then(|it| it.as_u128());
            if change.alert.state == AlertState::Firing
                && let Some(event) = crossing.and_then(|it| usize::try_from(it).ok())
            {
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.entry(change.alert.id.to_string()).or_insert(event);
            }
        })
        .start()?;
    let (begun, clock) = (Instant::now(), SystemClock::new());
    let mut random = fastrand::Rng::with_seed(7);
    let mut broken_until = vec![0u64; SELECTORS as usize];
    let total = RATE * SECONDS;
    let (first, last) = (RATE * 3, total - RATE * QUIET);
    let mut recorded = Vec::with_capacity(total as usize);
    for at in 0..total {
        if (first..last).contains(&at) && at % ((last - first) / FAULTS) == 0 {
            broken_until[random.usize(0..SELECTORS as usize)] = at + RATE * 10;
        }
        let selector = at % SELECTORS;
        let broken = broken_until[selector as usize] > at;
        let outcome = if broken { Outcome::NotFound } else { Outcome::Success };
        let event = event(selector, SITES, at.into(), &clock, outcome)?;
        recorded.push(Instant::now());
        telemetry.collector().record(event);
        if at % 50 == 0 {
            // The pace of the events.
            let due = begun + Duration::from_micros(at * 1_000_000 / RATE);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    }
    let posts = receiver.posts();
    telemetry.shutdown(LIMIT);
    let fired = fired.lock().unwrap_or_else(PoisonError::into_inner);
    report(figures, &posts, &fired, &recorded);
    Ok(())
}

fn report(
    figures: &mut Figures,
    posts: &[Post],
    fired: &BTreeMap<String, usize>,
    recorded: &[Instant],
) {
    let mut accepted: BTreeMap<&str, Instant> = BTreeMap::new();
    for post in posts.iter().filter(|it| it.body["kind"] != "resolved") {
        for alert in post.body["alerts"].as_array().into_iter().flatten() {
            accepted.entry(alert["id"].as_str().unwrap_or_default()).or_insert(post.at);
        }
    }
    let mut delays: Vec<f64> = fired
        .iter()
        .map(|(id, event)| {
            let told = accepted.get(id.as_str()).zip(recorded.get(*event));
            told.map_or(f64::INFINITY, |(at, from)| at.duration_since(*from).as_secs_f64())
        })
        .collect();
    delays.sort_by(f64::total_cmp);
    let quantile = |q: f64| {
        let at = (delays.len() as f64 * q).ceil() as usize;
        delays.get(at.saturating_sub(1)).copied().unwrap_or(f64::INFINITY)
    };
    let told = delays.iter().filter(|it| it.is_finite()).count();
    let mut table = Table::new(
        "From the event that crosses the rule to the receiver's acceptance, 5,000 events/s over 500 \
         selectors of 50 sites, seconds",
        &["alerts fired", "accepted", "messages", "median", "p99", "worst"],
    );
    table.rows.push(vec![
        delays.len().to_string(),
        told.to_string(),
        posts.len().to_string(),
        format!("{:.2}", quantile(0.5)),
        format!("{:.2}", quantile(0.99)),
        format!("{:.2}", quantile(1.0)),
    ]);
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("evidence to acceptance, p99", quantile(0.99), 2.0, "s"));
    figures.bars.push(Bar::at_least(
        "alerts accepted before the end",
        told as f64,
        delays.len().max(1) as f64,
        "alerts",
    ));
    figures.notes.push(
        "an alert that was not accepted while events came counts as an endless delay; the default \
         profile, delivery and store"
            .into(),
    );
}

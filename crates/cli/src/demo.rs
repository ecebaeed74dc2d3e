//! `telemetry demo`: the whole path on a small shop of its own, without network or settings.

mod announce;
mod browser;
mod drive;
mod folder;
mod judge;
mod next;
mod pace;
mod shop;
mod stage;
mod status;
mod summary;
mod wrap;

use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use clap::Args;
use clap::builder::RangedU64ValueParser;
use drive::{Plan, Tally};
use folder::Folder;
use next::Next;
use shop_site::SiteServer;
use stage::Stage;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;
use summary::{Figures, Summary};
use telemetry_runtime::interfaces::{
    Clock, Code, Error, ErrorKind, Query, ReportRenderer, Result, SystemClock,
};
use telemetry_runtime::models::{AlertTransition, ProducerId, RunId};
use telemetry_runtime::reporting::{HtmlRenderer, ReportBuilder, ReportRequest};
use telemetry_runtime::{Telemetry, TelemetryConfig};

/// What is still on its way at the end has so long to arrive.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);

/// Watch selectors of a small shop while the shop changes: no network, no settings
#[derive(Args, Debug)]
#[command(after_help = "\
The demo serves two versions of a small shop on 127.0.0.1, fetches its pages over HTTP, resolves
14 selectors with a real engine and records every operation. Half-way the shop is redesigned: one
selector breaks, one falls back, one slows down, one loses confidence. Each must raise an alert, and
nothing else may.

Exit code 0 when that is what happened, 1 when an alert was missing, false, or an event was lost, 2
when the demo was interrupted or could not run. Each run gets a new folder, DIR/run-1, DIR/run-2, ...;
nothing is written over.")]
pub(crate) struct DemoArgs {
    /// Where the demo keeps its stores and reports
    #[arg(long, value_name = "DIR", default_value = "telemetry-demo")]
    dir: PathBuf,

    /// How long to watch, half of it before the change; a slow machine takes longer
    #[arg(long, value_name = "N", default_value = "20",
          value_parser = RangedU64ValueParser::<u64>::new().range(2..=3600))]
    seconds: u64,

    /// Operations per second
    #[arg(long, value_name = "N", default_value = "100",
          value_parser = RangedU64ValueParser::<u64>::new().range(1..=10_000))]
    rate: u64,
}

pub(crate) fn run(args: &DemoArgs, global: &Global, console: &mut Console) -> Outcome {
    if global.store.is_some() || global.config.is_some() {
        console.note(
            "the demo uses a store and settings of its own; --store and --config (or \
                      TELEMETRY_STORE and TELEMETRY_CONFIG) do not apply",
        );
    }
    let folder = Folder::create(&args.dir)?;
    let next = Next::new(&folder);
    let (heard, alerts) = mpsc::channel();
    let telemetry = start(&folder, heard)?;
    let clock = SystemClock::new();
    let plan = Plan { length: Duration::from_secs(args.seconds), rate: args.rate };
    let mut stage = Stage::new(console, &clock, alerts, plan.length);
    stage.open(&folder, args.rate)?;
    let driven = visit(&telemetry, &plan, &mut stage);
    stage.wait_for_events();
    let ended = telemetry.shutdown(DRAIN_LIMIT);
    let tally = match driven {
        Ok(tally) => tally,
        Err(stop) => {
            stage.close()?;
            return Err(stop);
        }
    };
    stage.announce(tally.changed_at)?;
    let fired = stage.close()?;
    for (_, error) in &ended.failures {
        console.error(error);
    }
    let figures = report(&telemetry, &folder, &next, &clock, &tally)?;
    let summary = Summary {
        judgement: judge::judge(&shop_site::catalogue(), &fired, tally.changed_at),
        tally,
        figures,
        troubled: !ended.failures.is_empty(),
        next: &next,
    };
    for (tone, line) in summary.lines() {
        let line = console.paint(tone, line);
        console.line(line)?;
    }
    Ok(match summary.tally.interrupted {
        true => Exit::Unknown,
        false => Exit::fine_if(summary.passed()),
    })
}

/// Starts everything, on a store of this run's own.
fn start(folder: &Folder, heard: mpsc::Sender<AlertTransition>) -> Result<Telemetry> {
    let mut config = TelemetryConfig::default();
    config.storage.path = folder.store();
    // The demo shows alerts itself.
    config.alerting.log = false;
    let run = RunId::new(format!("demo-{}", folder.name())).map_err(unnamed)?;
    Telemetry::builder(config)
        .run(run)
        .producer(ProducerId::new("demo").map_err(unnamed)?)
        .on_alert(move |change| {
            // Nobody listens any more once the summary is being made.
            let _ = heard.send(change.clone());
        })
        .start()
}

fn unnamed(error: telemetry_runtime::models::Invalid) -> Error {
    Error::new(ErrorKind::Internal, Code::Processing, "the demo could not be named").source(error)
}

/// Opens the shop, visits it as planned, closes it.
fn visit(
    telemetry: &Telemetry,
    plan: &Plan,
    stage: &mut Stage<'_>,
) -> Result<Tally, crate::exit::Stop> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| {
            Error::new(ErrorKind::Unavailable, Code::Processing, "no thread for the demo's shop")
                .source(error)
        })?;
    runtime.block_on(async {
        let site = SiteServer::start().await.map_err(|error| {
            Error::new(
                ErrorKind::Unavailable,
                Code::Processing,
                "the demo's shop could not be opened",
            )
            .with("address", "127.0.0.1, any free port")
            .source(error)
            .cure("let this program listen on the loopback interface (sandbox, firewall, limits)")
        })?;
        let tally = drive::drive(&site, telemetry, plan, stage).await;
        site.stop().await;
        tally
    })
}

/// Reads everything back from disk and makes the report from it.
fn report(
    telemetry: &Telemetry,
    folder: &Folder,
    next: &Next,
    clock: &SystemClock,
    tally: &Tally,
) -> Result<Figures> {
    let store = crate::settings::open_store(&folder.store())?;
    let alerts = telemetry.alerts()?;
    let request = ReportRequest {
        query: Query::all(),
        alerts: &alerts,
        now: clock.utc(),
        reproduce: Some(next.html()),
        ..ReportRequest::default()
    };
    let report = ReportBuilder::new(TelemetryConfig::default().reporting)?.build(
        &*store,
        &request,
        &mut |_| {},
    )?;
    let html = HtmlRenderer::new().render(&report)?;
    crate::files::create(&folder.report(), html.as_bytes()).map_err(|error| {
        Error::new(
            ErrorKind::Unavailable,
            Code::StorageUnavailable,
            "the demo's report could not be written",
        )
        .with("file", folder.report().display())
        .source(error)
        .cure("see whether the disk is full, or name another directory with --dir DIR")
    })?;
    let ledger = telemetry.ledger();
    Ok(Figures {
        executed: tally.operations,
        stored: ledger.stored,
        dropped: ledger.dropped_total(),
        read_back: report.data_quality.events_read,
        bytes: store.stats()?.bytes,
        html: folder.report(),
    })
}

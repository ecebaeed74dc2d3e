//! Benchmarks: what recording costs, beside what others cost, in one run. See docs/benchmarks.md.

#[cfg(feature = "bench")]
mod alerting;
#[cfg(feature = "bench")]
mod browser;
#[cfg(feature = "bench")]
mod concurrent;
#[cfg(feature = "bench")]
mod delivery;
#[cfg(not(feature = "bench"))]
#[path = "delivery_elsewhere.rs"]
mod delivery;
#[cfg(feature = "bench")]
mod detection;
#[cfg(feature = "bench")]
mod discard;
#[cfg(feature = "bench")]
mod figures;
#[cfg(feature = "bench")]
mod interval;
#[cfg(feature = "bench")]
mod opening;
#[cfg(not(feature = "bench"))]
#[path = "opening_elsewhere.rs"]
mod opening;
#[cfg(feature = "bench")]
mod overhead;
#[cfg(feature = "bench")]
mod peers;
#[cfg(feature = "bench")]
mod process;
#[cfg(feature = "bench")]
mod record;
#[cfg(feature = "bench")]
mod report;
#[cfg(not(feature = "bench"))]
#[path = "report_elsewhere.rs"]
mod report;
#[cfg(feature = "bench")]
mod rollup;
#[cfg(feature = "bench")]
mod rounds;
#[cfg(feature = "bench")]
mod run;
#[cfg(not(feature = "bench"))]
#[path = "elsewhere.rs"]
mod run;
#[cfg(feature = "bench")]
mod store;
#[cfg(feature = "bench")]
mod wire;

use crate::process::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Bench {
    /// What recording one operation costs, beside the clock it reads and beside other libraries.
    Record(Options),
    /// What recording adds to real operations: `scraper` selections over the pages of the drift
    /// corpus, look-ups in Chromium over WebDriver and over its own protocol.
    Overhead(Options),
    /// 10,000 operations in flight, 2 million events into a store on disk.
    Concurrent(Options),
    /// Statistics of 30 days out of rollups, beside those out of the events.
    Rollup(Options),
    /// The event stores beside SQLite and redb: appending, size, questions, full scan, rollups.
    Store(StoreOptions),
    /// Opening 100 GB of sparse synthetic segments after a crash: time and memory.
    Opening(Options),
    /// What evaluating alert rules costs an event, and what they hold of a selector.
    Alerting(Options),
    /// What detectors cost an operation and hold of a selector, beside a window with a threshold.
    Detection(Options),
    /// How long an alert takes to its receiver, and what becomes of 100,000 alerts at once.
    Delivery(Options),
    /// Reports of 10 million events: time, memory, size, and whether what they say of changes is so.
    Report(Options),
    /// The process of `record` that measures once.
    #[command(hide = true)]
    RecordChild,
    /// The process of `report` that makes one.
    #[command(hide = true)]
    ReportChild(report::Child),
    /// The processes of `opening`.
    #[command(hide = true)]
    OpeningChild(opening::Child),
    /// The process that lives through the storm of `delivery`.
    #[command(hide = true)]
    Storm(delivery::Storm),
}

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(clap::Args)]
pub(crate) struct StoreOptions {
    /// Print the figures as JSON
    #[arg(long)]
    pub(crate) json: bool,

    /// Also ask one hour out of 20 million events (some minutes and 2 GB more)
    #[arg(long)]
    pub(crate) large: bool,
}

/// Runs a benchmark. What it needs beside the product (the libraries compared with, an allocator
/// that counts) is behind the feature `bench`, so a build without it, or without optimisation,
/// hands the whole command line to one with both.
pub(crate) fn run(workspace: &Workspace, bench: &Bench) -> Result<ExitCode> {
    if cfg!(all(feature = "bench", not(debug_assertions))) {
        return run::run(workspace, bench);
    }
    let status = cargo()
        .args(["run", "--quiet", "--release", "--package", "xtask", "--features", "bench"])
        .arg("--manifest-path")
        .arg(workspace.root.join("Cargo.toml"))
        .arg("--")
        .args(std::env::args_os().skip(1))
        .status()
        .context("cannot build the benchmarks with optimisation")?;
    Ok(match status.code() {
        Some(0) => ExitCode::SUCCESS,
        Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        None => ExitCode::FAILURE,
    })
}

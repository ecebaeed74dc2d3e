//! This build holds no benchmarks.

use super::{Bench, Options, StoreOptions};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::ExitCode;

pub(super) fn run(_workspace: &Workspace, bench: &Bench) -> Result<ExitCode> {
    let json = match bench {
        Bench::Record(Options { json })
        | Bench::Overhead(Options { json })
        | Bench::Concurrent(Options { json })
        | Bench::Rollup(Options { json })
        | Bench::Opening(Options { json })
        | Bench::Store(StoreOptions { json, large: _ })
        | Bench::Alerting(Options { json })
        | Bench::Detection(Options { json })
        | Bench::Delivery(Options { json })
        | Bench::Report(Options { json }) => *json,
        Bench::RecordChild | Bench::Storm(_) | Bench::ReportChild(_) | Bench::OpeningChild(_) => {
            false
        }
    };
    bail!("built without the feature `bench` (json: {json}); use `cargo xtask bench`");
}

//! This build holds no benchmarks.

use super::{Bench, Options};
use crate::workspace::Workspace;
use anyhow::{Result, bail};
use std::process::ExitCode;

pub(super) fn run(_workspace: &Workspace, bench: &Bench) -> Result<ExitCode> {
    let (Bench::Record(Options { json })
    | Bench::Overhead(Options { json })
    | Bench::Concurrent(Options { json })
    | Bench::Rollup(Options { json })) = bench;
    | Bench::Alerting(Options { json })) = bench;
    bail!("built without the feature `bench` (json: {json}); use `cargo xtask bench`");
}

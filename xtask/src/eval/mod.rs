//! Evaluations: the product run on real input, with figures.

mod calibration;
mod compare;
mod crash;
mod drift;
mod faults;
mod nab;
mod notify;
pub(crate) mod receiver;
mod replay;
mod rows;
mod rules;
mod summary;
mod witness;

use crate::process::cargo;
use crate::workspace::Workspace;
use anyhow::{Context, Result};
use clap::Subcommand;
use std::process::ExitCode;

#[derive(Subcommand)]
pub(crate) enum Eval {
    /// Resolve the selectors of the drift corpus on old and then on new pages, through recording,
    /// store and alerting, and compare what was executed with what was stored and raised.
    Drift(drift::Arguments),
    /// Inject faults into streams of operations: what the detectors find, how late against a procedure
    /// that knows the fault, and what they raise without one.
    Faults(faults::Arguments),
    /// Lose power, fail calls, kill processes and flip bits under a store, and check that every
    /// acknowledged event is read back and all damage is reported.
    Crash(crash::Arguments),
    /// Find anomalies in labelled series and score them.
    Nab(nab::Arguments),
    /// Hold the confidence of a real engine against whether it was right.
    Calibration(calibration::Arguments),
    /// Evaluate random rules on random series, and compare every state with that of Prometheus'
    /// own `promtool test rules`.
    Rules(rules::Arguments),
    /// The process that `crash` kills.
    #[command(hide = true)]
    CrashWriter(crash::Writer),
    /// Hold recommended orders of strategies against operations they were not fitted to.
    Replay(replay::Arguments),
    /// Kill a process that announces alerts, again and again, and check what its receiver heard:
    /// nothing under two keys, every resolution.
    Notify(notify::Arguments),
    /// The process that `notify` kills.
    #[command(hide = true)]
    NotifyWriter(notify::Writer),
}

/// Runs an evaluation. Durations are part of what most evaluate, so a build without optimisation
/// hands the whole command line to an optimised one.
pub(crate) fn run(workspace: &Workspace, eval: Eval) -> Result<ExitCode> {
    if let Eval::Rules(arguments) = &eval {
        rules::run(arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Parquet is in the workloads of `crash`, and takes minutes to build: no other command has it.
    let parquet = !cfg!(feature = "parquet") && matches!(eval, Eval::Crash(_));
    if cfg!(debug_assertions) || parquet {
        let features: &[&str] = if parquet { &["--features", "parquet"] } else { &[] };
        let status = cargo()
            .args(["run", "--quiet", "--release", "--package", "xtask"])
            .args(features)
            .arg("--manifest-path")
            .arg(workspace.root.join("Cargo.toml"))
            .arg("--")
            .args(std::env::args_os().skip(1))
            .status()
            .context("cannot build the evaluation with optimisation")?;
        return Ok(match status.code() {
            Some(0) => ExitCode::SUCCESS,
            Some(code) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
            None => ExitCode::FAILURE,
        });
    }
    match eval {
        Eval::Drift(arguments) => drift::run(workspace, &arguments)?,
        Eval::Faults(mut arguments) => faults::run(workspace, &mut arguments)?,
        Eval::Nab(arguments) => nab::run(workspace, &arguments)?,
        Eval::Calibration(arguments) => calibration::run(workspace, &arguments)?,
        Eval::Crash(arguments) => crash::run(&arguments)?,
        Eval::Rules(arguments) => rules::run(&arguments)?,
        Eval::CrashWriter(writer) => crash::write(&writer)?,
        Eval::Replay(arguments) => replay::run(workspace, &arguments)?,
        Eval::Notify(arguments) => notify::run(&arguments)?,
        Eval::NotifyWriter(writer) => notify::write(&writer)?,
    }
    Ok(ExitCode::SUCCESS)
}

//! One module per command. Each has a type for its arguments and a `run` that writes its answer to
//! the console and says how it went.

pub(crate) mod alerts;
pub(crate) mod alerts_test;
pub(crate) mod anomalies;
pub(crate) mod calibration;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod config;
mod doctor;
mod event;
pub(crate) mod init;
pub(crate) mod query;
pub(crate) mod report;
mod rollup;
pub(crate) mod schedule;
mod series;
pub(crate) mod silence;
pub(crate) mod stats;
pub(crate) mod store;
pub(crate) mod tail;

use crate::arguments::{Arguments, Command};
use crate::console::Console;
use crate::exit::Outcome;
use std::path::Path;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};

/// Runs the command that was asked for.
pub(crate) fn run(arguments: &Arguments, console: &mut Console) -> Outcome {
    let global = &arguments.global;
    if global.json {
        in_json(&arguments.command)?;
    }
    match &arguments.command {
        Command::Demo(args) => crate::demo::run(args, global, console),
        Command::Init(args) => init::run(args, global, console),
        Command::Doctor => doctor::run(global, console),
        Command::Query(args) => query::run(args, global, console),
        Command::Tail(args) => tail::run(args, global, console),
        Command::Stats(args) => stats::run(args, global, console),
        Command::Report(args) => report::run(args, global, console),
        Command::Schedule(command) => schedule::run(command, global, console),
        Command::Check(args) => check::run(args, global, console),
        Command::Anomalies(args) => anomalies::run(args, global, console),
        Command::Calibration(args) => calibration::run(args, global, console),
        Command::Alerts(command) => alerts::run(command, global, console),
        Command::Store(command) => store::run(command, global, console),
        Command::Config(command) => config::run(command, global, console),
        Command::Completions(args) => completions::run(args, console),
    }
}

/// Refuses `--json` where there is nothing to answer in JSON.
fn in_json(command: &Command) -> Result<()> {
    let (name, cure) = match command {
        Command::Demo(_) => (
            "demo",
            "leave out --json; afterwards, `telemetry report --json` reads the demo's store",
        ),
        Command::Completions(_) => ("completions", "leave out --json"),
        _ => return Ok(()),
    };
    let message = format!("`telemetry {name}` has no answer in JSON");
    Err(Error::new(ErrorKind::Invalid, Code::Configuration, message).cure(cure))
}

/// A file of input, whole.
fn input(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| {
        Error::new(ErrorKind::NotFound, Code::Processing, format!("cannot read the input: {error}"))
            .with("file", path.display())
            .cure("give --input a text file that can be read")
    })
}

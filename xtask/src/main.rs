//! Maintenance of this repository: `cargo xtask --help`, and docs/xtask.md.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod bench;
mod ci;
mod corpora;
mod deny;
mod eval;
mod examples;
mod features;
mod layers;
mod lint;
mod process;
mod schema;
mod snapshots;
mod store;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Maintenance of this repository. Exit codes: 0 fine, 1 a check failed, 2 something needed is
/// absent or the command line is wrong.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    /// The workspace to look at (default: the one the current directory is in).
    #[arg(long, global = true, value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run every check below; ends with a table and `N passed, N failed`.
    Ci {
        /// Count a step that ran before, for example `tests=0`.
        #[arg(long, value_name = "NAME=EXIT_CODE")]
        also: Vec<ci::Earlier>,
    },
    /// Formatting and clippy, warnings denied.
    Lint,
    /// `cargo test --workspace`.
    Test {
        /// Further arguments for cargo.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Check that every dependency between crates points to a lower layer.
    Layers,
    /// Check what the compiler does not: file lengths, manifests, links, tables of the docs.
    Tidy,
    /// Build every crate alone: without features, with the default ones, with each by itself.
    Features {
        /// Only these crates.
        crates: Vec<String>,
    },
    /// Build the documentation, warnings denied.
    Docs,
    /// Build every example and run those that are programs.
    Examples,
    /// Check third-party crates: licences, sources, bans, advisories, unused dependencies.
    Deny,
    /// Write docs/schema/ from the types.
    Schema {
        /// Compare instead of writing.
        #[arg(long)]
        check: bool,
    },
    /// Check that snapshot and golden files are as committed.
    Snapshots,
    /// Find the corpora and unpack them under target/.
    Corpora,
    /// Run the product on real input and print figures.
    #[command(subcommand)]
    Eval(eval::Eval),
    /// Measure what recording costs.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// `telemetry store …`, built from this workspace.
    #[command(disable_help_flag = true)]
    Store {
        /// Arguments for `telemetry store`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match dispatch(arguments) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<corpora::Absent>() { ExitCode::from(2) } else { ExitCode::FAILURE }
        }
    }
}

fn dispatch(arguments: Arguments) -> Result<ExitCode> {
    let workspace = Workspace::load(arguments.root.as_deref())?;
    match arguments.command {
        Command::Ci { also } => return Ok(ci::run(&workspace, also)),
        Command::Lint => lint::lint(&workspace)?,
        Command::Test { arguments } => lint::test(&workspace, &arguments)?,
        Command::Layers => layers::run(&workspace)?,
        Command::Tidy => tidy::run(&workspace)?,
        Command::Features { crates } => features::run_all(&workspace, &crates)?,
        Command::Docs => lint::docs(&workspace)?,
        Command::Examples => examples::run(&workspace)?,
        Command::Deny => drop(deny::run_all(&workspace)?),
        Command::Schema { check } => schema::run(&workspace, check)?,
        Command::Snapshots => drop(snapshots::run(&workspace)?),
        Command::Corpora => corpora::run(&workspace)?,
        Command::Eval(eval) => return eval::run(&workspace, eval),
        Command::Bench(bench) => return bench::run(&workspace, &bench),
        Command::Store { arguments } => return store::run(&workspace, &arguments),
    }
    Ok(ExitCode::SUCCESS)
}

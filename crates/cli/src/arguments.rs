use crate::commands::alerts::AlertsCommand;
use crate::commands::anomalies::AnomaliesArgs;
use crate::commands::calibration::CalibrationArgs;
use crate::commands::check::CheckArgs;
use crate::commands::completions::CompletionsArgs;
use crate::commands::config::ConfigCommand;
use crate::commands::init::InitArgs;
use crate::commands::query::QueryArgs;
use crate::commands::report::ReportArgs;
use crate::commands::schedule::ScheduleCommand;
use crate::commands::stats::StatsArgs;
use crate::commands::store::StoreCommand;
use crate::commands::tail::TailArgs;
use crate::console::Color;
use crate::demo::DemoArgs;
use clap::{ArgAction, Args, Parser, Subcommand};
use std::path::PathBuf;

const FIRST_STEPS: &str = "\
First steps:
  telemetry demo                                  see it all work, on a shop of its own
  telemetry init                                  write a commented telemetry.toml
  telemetry doctor                                see whether everything is in order
  telemetry stats --since -24h                    see how each selector does
  telemetry query --failed --newest               see what went wrong last
  telemetry report --format html                  one page for the team

Times: RFC 3339 (2026-11-01T12:00:00Z), a day (2026-11-01, UTC), -2h, -30m, -7d, now
Exit codes: 0 fine; 1 the answer is no (a check failed, nothing of that name); 2 could not tell
            (wrong usage, or an error stopped the command)
Everywhere: TELEMETRY_STORE and TELEMETRY_CONFIG stand for --store and --config
Settings: flags, then environment (TELEMETRY_STORAGE_PATH, ...), then telemetry.toml, then defaults";

/// Watches every selector operation of scrapers: look at events, alerts, reports and the store.
#[derive(Debug, Parser)]
#[command(
    name = "telemetry",
    version,
    after_help = FIRST_STEPS,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Debug)]
pub(crate) struct Global {
    /// The store [default: storage.path of the configuration, or ./telemetry-data]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "TELEMETRY_STORE",
        hide_env = true,
        help_heading = "Everywhere"
    )]
    pub(crate) store: Option<PathBuf>,

    /// The configuration [default: ./telemetry.toml if it is there]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "TELEMETRY_CONFIG",
        hide_env = true,
        help_heading = "Everywhere"
    )]
    pub(crate) config: Option<PathBuf>,

    /// Answer in JSON, for machines; lists as JSON Lines
    #[arg(long, global = true, help_heading = "Everywhere")]
    pub(crate) json: bool,

    /// Colours: auto, always or never; NO_COLOR is respected
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        value_enum,
        hide_possible_values = true,
        hide_default_value = true,
        default_value = "auto",
        help_heading = "Everywhere"
    )]
    pub(crate) color: Color,

    /// Log to the standard error; twice for more (TELEMETRY_LOG takes filter directives)
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Everywhere")]
    pub(crate) verbose: u8,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Watch selectors of a small shop while the shop changes: no network, no settings
    Demo(DemoArgs),
    /// Write a commented telemetry.toml
    Init(InitArgs),
    /// Check configuration, store, ledgers and alerts, and say what to do
    #[command(after_help = "\
Each line says ok, warn or fail, and after an arrow what to do.
Exit code 1 when a line says fail.

Example:
  telemetry doctor --json | jq '.checks[] | select(.status != \"ok\")'")]
    Doctor,
    /// List events, or show one with all its attempts
    Query(QueryArgs),
    /// Show the latest events, and with --follow what is stored from now on
    Tail(TailArgs),
    /// Statistics of each selector
    Stats(StatsArgs),
    /// Make a report: terminal text, JSON, HTML, Markdown, CSV or JUnit XML
    Report(ReportArgs),
    /// Make reports by themselves, and deliver them
    #[command(subcommand)]
    Schedule(ScheduleCommand),
    /// Check conditions, for continuous integration
    Check(CheckArgs),
    /// Find anomalies in what selectors did over time
    Anomalies(AnomaliesArgs),
    /// Show whether confidence means what it says
    Calibration(CalibrationArgs),
    /// Look at alerts
    #[command(subcommand)]
    Alerts(AlertsCommand),
    /// Look after the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

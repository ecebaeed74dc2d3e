//! Alert rules: what is wrong with them, and which are in force.

use crate::arguments::Global;
use crate::commands::config;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::settings::{self, Settings};
use crate::table::{Column, Table};
use clap::Subcommand;
use std::path::PathBuf;
use telemetry_runtime::alerting::Rule;

#[derive(Debug, Subcommand)]
pub(crate) enum RulesCommand {
    /// Check the rules of a configuration file
    #[command(after_help = "\
Exit code 0: in order; 1: something is wrong, with file, line and key; 2: it cannot be read.

Example:
  telemetry alerts rules check deploy/telemetry.toml")]
    Check {
        /// The file [default: --config, or ./telemetry.toml]
        file: Option<PathBuf>,
    },
    /// List the rules in force, the profile's and one's own
    List,
}

pub(crate) fn run(command: &RulesCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        RulesCommand::Check { file } => {
            config::check(file.clone().or_else(|| settings::file(global)), global, console)
        }
        RulesCommand::List => list(global, console),
    }
}

fn list(global: &Global, console: &mut Console) -> Outcome {
    let rules = Settings::load(global)?.config.alerting.effective_rules();
    if global.json {
        for rule in &rules {
            console.json_line(rule)?;
        }
        return Ok(Exit::Fine);
    }
    let mut table = Table::new([
        Column::text("RULE"),
        Column::text("SELECTOR"),
        Column::text("SEVERITY"),
        Column::prose("FIRES WHEN").spare(1),
    ]);
    for rule in &rules {
        let row = [
            rule.id.to_string().into(),
            rule.selector.as_str().to_owned().into(),
            rule.severity.as_str().into(),
            condition(rule).into(),
        ];
        table.row(console, row)?;
    }
    table.end(console)?;
    Ok(Exit::Fine)
}

/// `p95 of duration_ms > 2000, last 50, for 60 s`.
fn condition(rule: &Rule) -> String {
    let mut text =
        format!("{} of {} {} {}", rule.aggregate(), rule.signal, rule.comparison, rule.fire_at);
    match rule.against {
        telemetry_runtime::alerting::Against::Fixed => {}
        telemetry_runtime::alerting::Against::BaselineRatio => text += " times its past",
        telemetry_runtime::alerting::Against::BaselineDelta => text += " beside its past",
    }
    if let Some(last) = rule.last {
        text += &format!(", last {last}");
    }
    if let Some(within) = rule.within {
        text += &format!(", within {} s", within.as_secs());
    }
    if !rule.hold.is_zero() {
        text += &format!(", for {} s", rule.hold.as_secs());
    }
    text
}

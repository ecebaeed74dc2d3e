//! Alert rules: what is wrong with them, and which are in force.

use crate::arguments::Global;
use crate::commands::config;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::plain::plain;
use crate::settings::{self, Settings};
use crate::table::{Column, Table};
use clap::Subcommand;
use std::path::{Path, PathBuf};
use telemetry_runtime::alerting::{Rule, RuleTests, prometheus_rules};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};

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
    /// Run unit tests of rules: what is recorded, and what must be raised
    #[command(after_help = "\
The rules are those of --config, or ./telemetry.toml. Exit code 0: all pass; 1: a test fails; 2: a file
cannot be read, or a test is wrong. With --json: one result per line.

A test file:
  [[tests]]
  name = \"the price disappears\"
  interval = \"15s\"
  [[tests.input]]
  selector = \"shop.price\"
  site = \"shop.example\"
  operations = [\"success duration=20ms x20\", \"not_found x4\"]
  [[tests.expect]]
  at = \"6m\"
  rule = \"selector-broken\"
  state = \"firing\"

Example:
  telemetry alerts rules test deploy/alerts.test.toml")]
    Test {
        /// Files with tests
        #[arg(required = true)]
        files: Vec<PathBuf>,
    },
    /// Print the rules that Prometheus can evaluate as well, as a rule file for it
    #[command(after_help = "\
Rules with a window by time and a fixed threshold have an equal in Prometheus, with clear_at and confidence
too. Which others are left out, and why, is said on the standard error; where Prometheus would do other
than this program, the file says so beside the rule. The expressions read the metrics
selector_operation_duration_seconds and selector_confidence.

Example:
  telemetry alerts rules export > selectors.rules.yml && promtool check rules selectors.rules.yml")]
    Export,
}

pub(crate) fn run(command: &RulesCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        RulesCommand::Check { file } => {
            config::check(file.clone().or_else(|| settings::file(global)), global, console)
        }
        RulesCommand::List => list(global, console),
        RulesCommand::Test { files } => test(files, global, console),
        RulesCommand::Export => export(global, console),
    }
}

fn test(files: &[PathBuf], global: &Global, console: &mut Console) -> Outcome {
    let config = Settings::load(global)?.config.alerting;
    let (mut passed, mut failed) = (0u64, 0u64);
    for file in files {
        let tests = read(file)?;
        let results =
            tests.run(&config).map_err(|error| error.with("file", file.display().to_string()))?;
        for result in results {
            let fine = result.failures.is_empty();
            *(if fine { &mut passed } else { &mut failed }) += 1;
            if global.json {
                console.json_line(&result)?;
                continue;
            }
            let word = match fine {
                true => console.paint(Tone::Good, "ok    "),
                false => console.paint(Tone::Bad, "FAILED"),
            };
            console.line(format_args!("{word}  {}", plain(&result.name)))?;
            for failure in &result.failures {
                console.line(format_args!("        {}", plain(failure)))?;
            }
        }
    }
    if !global.json {
        console.line(format_args!("{passed} passed, {failed} failed"))?;
    }
    Ok(Exit::fine_if(failed == 0))
}

fn read(file: &Path) -> Result<RuleTests> {
    let name = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        Error::new(ErrorKind::NotFound, Code::Configuration, "a file of rule tests cannot be read")
            .with("file", &name)
            .source(error)
    })?;
    toml::from_str(&text).map_err(|error| {
        let wrong = error.to_string();
        Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("a file of rule tests is wrong: {}", wrong.trim_end()),
        )
        .with("file", &name)
    })
}

fn export(global: &Global, console: &mut Console) -> Outcome {
    let rules = Settings::load(global)?.config.alerting.effective_rules();
    let exported = prometheus_rules(&rules);
    console.line(exported.yaml.trim_end())?;
    for (id, reason) in &exported.left_out {
        console.note(format_args!("left out {}: {reason}", plain(id)));
    }
    Ok(Exit::fine_if(exported.exported > 0 || rules.is_empty()))
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

//! Reports that are made by themselves.

mod run;

use crate::arguments::Global;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::files;
use crate::plain::plain;
use crate::settings::Settings;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::path::{Path, PathBuf};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use telemetry_runtime::models::Timestamp;
use telemetry_runtime::reporting::schedule::{LastRun, RunOutcome, Schedule, Scheduler, units};
use telemetry_runtime::storage::SqliteState;

#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List the schedules: when they are due, and how the last report went
    #[command(after_help = "\
Schedules are [[reporting.schedules]] tables of the configuration; `telemetry init` writes an example.

Example:
  telemetry schedule list --json | jq -r 'select(.last.outcome == \"failed\").name'")]
    List,
    /// Make the reports that are due, write and deliver them
    Run(run::RunArgs),
    /// Say when a schedule is due
    Next(NextArgs),
    /// Write a service and a timer for systemd, which run what is due without a daemon
    Systemd(SystemdArgs),
}

#[derive(Args, Debug)]
#[command(after_help = "\
Times are in UTC.

Example:
  telemetry schedule next weekly --count 10")]
pub(crate) struct NextArgs {
    /// The schedule
    name: String,

    /// How many times, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    count: u16,
}

#[derive(Args, Debug)]
#[command(after_help = "\
Writes telemetry-reports.service and telemetry-reports.timer. For a user's own systemd:
  telemetry schedule systemd --out ~/.config/systemd/user
  systemctl --user daemon-reload
  systemctl --user enable --now telemetry-reports.timer
Reports that fell due while the machine was off are made when it is back.")]
pub(crate) struct SystemdArgs {
    /// The directory they are written to; printed without it
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(command: &ScheduleCommand, global: &Global, console: &mut Console) -> Outcome {
    match command {
        ScheduleCommand::List => list(global, console),
        ScheduleCommand::Run(args) => run::run(args, global, console),
        ScheduleCommand::Next(args) => next(args, global, console),
        ScheduleCommand::Systemd(args) => systemd(args, global, console),
    }
}

/// The schedules of a configuration.
///
/// # Errors
/// TEL-004 when there is none.
fn schedules(settings: &Settings) -> Result<Vec<Schedule>> {
    let found: Vec<Schedule> = settings
        .config
        .reporting
        .schedules
        .iter()
        .map(|it| it.schedule())
        .collect::<Result<_>>()?;
    if found.is_empty() {
        let message = "the configuration has no schedule";
        let file = settings.file.as_deref().unwrap_or(Path::new("telemetry.toml"));
        return Err(Error::new(ErrorKind::NotFound, Code::Configuration, message)
            .with("file", file.display())
            .cure("add a [[reporting.schedules]] table; `telemetry init` writes an example"));
    }
    Ok(found)
}

fn named<'a>(schedules: &'a [Schedule], name: &str) -> Result<&'a Schedule> {
    schedules.iter().find(|it| it.name == name).ok_or_else(|| {
        let known: Vec<&str> = schedules.iter().map(|it| it.name.as_str()).collect();
        let message =
            format!("found {name:?}, expected the name of a schedule: {}", known.join(", "));
        Error::new(ErrorKind::Invalid, Code::Configuration, message)
    })
}

#[derive(Serialize)]
struct Listed {
    name: String,
    when: String,
    next: Option<Timestamp>,
    succeeded: Option<Timestamp>,
    last: Option<LastRun>,
}

fn list(global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let schedules = schedules(&settings)?;
    let state = SqliteState::open_read_only(settings.store_path())?;
    let mut exit = Exit::Fine;
    for schedule in &schedules {
        let entry = match &state {
            Some(state) => Scheduler::new(&[], state).entry(&schedule.name)?,
            None => None,
        };
        let listed = Listed {
            name: schedule.name.clone(),
            when: schedule.when.to_string(),
            next: schedule.when.next_after(settings.now),
            succeeded: entry.as_ref().and_then(|it| it.succeeded),
            last: entry.and_then(|it| it.last),
        };
        let outcome = listed.last.as_ref().map(|last| last.outcome);
        if outcome.is_some_and(|it| it != RunOutcome::Made) {
            exit = Exit::Failed;
        }
        if global.json {
            console.json_line(&listed)?;
            continue;
        }
        let next = listed.next.map_or("never again".into(), |at| format!("next {at}"));
        let (tone, word) = match outcome {
            None => (Tone::Faint, "-"),
            Some(RunOutcome::Made) => (Tone::Good, "ok"),
            Some(_) => (Tone::Bad, "fail"),
        };
        let word = console.paint(tone, word);
        console.line(format_args!("{word}  {}: {}; {next}", listed.name, plain(&listed.when)))?;
        if let Some(last) = &listed.last {
            let what = match last.files.first() {
                _ if !last.detail.is_empty() => &last.detail,
                Some(file) => file,
                None => "",
            };
            console.line(format_args!("    last {}: {}", last.due, plain(what)))?;
            if last.missed > 0 {
                console.line(format_args!("    {} before it were not made", last.missed))?;
            }
        }
    }
    Ok(exit)
}

fn next(args: &NextArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let schedules = schedules(&settings)?;
    let schedule = named(&schedules, &args.name)?;
    let mut time = settings.now;
    for nth in 0..args.count {
        let Some(next) = schedule.when.next_after(time) else {
            if nth == 0 {
                console.note("it is not due again");
            }
            break;
        };
        time = next;
        if global.json {
            console.json_line(&serde_json::json!({ "due": next }))?;
        } else {
            console.line(next)?;
        }
    }
    Ok(Exit::fine_if(time > settings.now))
}

fn systemd(args: &SystemdArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let schedules = schedules(&settings)?;
    let failed = |what: &str, error: std::io::Error| {
        Error::new(ErrorKind::Unavailable, Code::Processing, what.to_owned()).source(error)
    };
    let here = std::env::current_dir()
        .map_err(|error| failed("the current directory cannot be found out", error))?;
    let program = std::env::current_exe()
        .map_err(|error| failed("the path of this program cannot be found out", error))?;
    let mut command = vec![program.display().to_string()];
    if let Some(file) = &settings.file {
        command.extend(["--config".into(), here.join(file).display().to_string()]);
    }
    if let Some(store) = &global.store {
        command.extend(["--store".into(), here.join(store).display().to_string()]);
    }
    command.extend(["schedule".into(), "run".into()]);
    let units = units(&command, &here, &schedules)?;
    let files =
        [("telemetry-reports.service", &units.service), ("telemetry-reports.timer", &units.timer)];
    for (name, text) in files {
        let Some(out) = &args.out else {
            if global.json {
                console.json_line(&serde_json::json!({ "file": name, "text": text }))?;
            } else {
                console.line(format_args!("# {name}\n{text}"))?;
            }
            continue;
        };
        let path = out.join(name);
        files::replace(&path, text.as_bytes()).map_err(|error| {
            failed("a unit cannot be written", error)
                .with("file", path.display())
                .cure("name a directory that exists and that this user may write, with --out")
        })?;
        if global.json {
            console.json_line(&serde_json::json!({ "written": path.display().to_string() }))?;
        } else {
            console.line(plain(&path.display().to_string()))?;
        }
    }
    Ok(Exit::Fine)
}

use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::moment;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::{Args, Subcommand};
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::alerting::{AlertMatcher, Silence, SilenceBook};
use telemetry_runtime::interfaces::{Result, SelectorPattern};
use telemetry_runtime::models::{Severity, Signal};
use telemetry_runtime::storage::SqliteState;

#[derive(Debug, Subcommand)]
pub(crate) enum SilenceCommand {
    /// Tell nobody of some alerts until a set time
    Add(AddArgs),
    /// List silences
    List {
        /// Past ones too
        #[arg(long)]
        all: bool,
    },
    /// End a silence now
    #[command(after_help = "Exit code 1 when there is no such silence, or it is over.")]
    End {
        /// Its id, as in the list
        id: String,
    },
}

/// Tell nobody of some alerts until a set time
#[derive(Args, Debug)]
#[command(after_help = "\
The alerts are kept and listed as ever; those still open at the end are announced then. A program
that is recording takes notice within two seconds.

Example:
  telemetry alerts silence add --site shop.example --for 2h --comment 'relaunch tonight'")]
pub(crate) struct AddArgs {
    /// Selectors: a name, * for any text, ? for one character
    #[arg(long, value_name = "PATTERN")]
    selector: Option<SelectorPattern>,

    /// Sites, with the same wildcards
    #[arg(long, value_name = "PATTERN")]
    site: Option<SelectorPattern>,

    /// Rules, with the same wildcards
    #[arg(long, value_name = "PATTERN")]
    rule: Option<SelectorPattern>,

    /// What is watched, for instance duration_ms
    #[arg(long)]
    signal: Option<Signal>,

    /// Only this severity or a lower one: low, medium, high, critical
    #[arg(long, value_name = "SEVERITY")]
    max_severity: Option<Severity>,

    /// How long: 30m, 2h, 3d; at most 90d
    #[arg(long = "for", value_name = "DURATION", value_parser = moment::span)]
    lasting: Duration,

    /// Who asks for it
    #[arg(long, env = "USER", hide_env = true, default_value = "unknown")]
    by: String,

    /// Why
    #[arg(long)]
    comment: String,
}

pub(crate) fn run(command: &SilenceCommand, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    match command {
        SilenceCommand::Add(args) => add(args, &settings, global, console),
        SilenceCommand::List { all } => list(*all, &settings, global, console),
        SilenceCommand::End { id } => {
            let book = open(&settings)?;
            if book.end(id, settings.now)? {
                return Ok(Exit::Fine);
            }
            console.note(format_args!("no silence {} is in force", crate::plain::plain(id)));
            Ok(Exit::Failed)
        }
    }
}

/// The silences of the store, which must be there.
fn open(settings: &Settings) -> Result<SilenceBook> {
    settings.open_store()?;
    Ok(SilenceBook::new(Arc::new(SqliteState::open(settings.store_path())?)))
}

fn add(args: &AddArgs, settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    let silence = Silence {
        id: format!("s{:x}", settings.now.as_nanos()),
        matcher: AlertMatcher {
            selector: args.selector.clone(),
            site: args.site.clone(),
            rule: args.rule.clone(),
            signal: args.signal,
            max_severity: args.max_severity,
            ..AlertMatcher::default()
        },
        starts_at: settings.now,
        ends_at: settings.now.saturating_add(args.lasting),
        created_by: args.by.clone(),
        comment: args.comment.clone(),
    };
    open(settings)?.add(&silence)?;
    if global.json {
        console.json(&silence)?;
    } else {
        console.line(format_args!(
            "{}  {} is silent until {}",
            silence.id,
            crate::plain::plain(&silence.matcher.to_string()),
            silence.ends_at
        ))?;
    }
    Ok(Exit::Fine)
}

fn list(all: bool, settings: &Settings, global: &Global, console: &mut Console) -> Outcome {
    settings.open_store()?;
    let state = SqliteState::open_read_only(settings.store_path())?;
    let mut silences = match state {
        Some(state) => SilenceBook::new(Arc::new(state)).list()?,
        None => Vec::new(),
    };
    silences.retain(|it| all || it.ends_at > settings.now);
    if global.json {
        for silence in &silences {
            console.json_line(silence)?;
        }
        return Ok(Exit::Fine);
    }
    let mut table = Table::new([
        Column::text("ID"),
        Column::text("UNTIL (UTC)"),
        Column::long("ALERTS"),
        Column::text("BY"),
        Column::prose("WHY").spare(1),
    ]);
    for it in &silences {
        let row: [Cell; 5] = [
            it.id.as_str().into(),
            figures::time(it.ends_at).into(),
            it.matcher.to_string().as_str().into(),
            it.created_by.as_str().into(),
            it.comment.as_str().into(),
        ];
        table.row(console, row)?;
    }
    table.end(console)?;
    if silences.is_empty() {
        console.note("no silences");
    }
    Ok(Exit::Fine)
}

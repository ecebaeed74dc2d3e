//! `telemetry store rollup`.

use crate::arguments::Global;
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::progress::Progress;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Args;
use telemetry_runtime::interfaces::{
    Code, Error, ErrorKind, Query, Result, RollUpReport, RollupQuery, RollupStore,
};
use telemetry_runtime::models::rollup::{Rollup, RollupPeriod};

/// Bring hourly, daily and monthly statistics up to date, or show them
#[derive(Args, Debug)]
#[command(after_help = "\
Rollups are statistics of one selector on one site in one hour, day or month. They lie in the folder
`rollups` of the store, take little space and stay when events are removed. Only days whose events
changed are computed; an event that is counted already is not counted again. Works while another
process records.

Exit code 1 when damaged events had to be left out, or when --show finds nothing or something stale.

Examples:
  telemetry store rollup
  telemetry store rollup --show day --selector 'shop.*' --json | jq .figures.outcomes")]
pub(crate) struct RollupArgs {
    /// Show the rollups of hours, days or months instead of making them
    #[arg(long, value_name = "PERIOD")]
    show: Option<RollupPeriod>,
    /// With --show: which of them
    #[command(flatten)]
    filter: Filter,
}

pub(crate) fn run(
    args: &RollupArgs,
    settings: &Settings,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let store = settings.open_store()?;
    let rollups = store.rollups().ok_or_else(|| {
        let message = format!("the {} store keeps no rollups in this build", store.backend());
        Error::new(ErrorKind::Unsupported, Code::Configuration, message)
            .cure("enable the feature `rollup`")
    })?;
    match args.show {
        Some(period) => show(&query(args, period, settings)?, rollups, global, console),
        None => make(rollups, global, console),
    }
}

fn make(rollups: &dyn RollupStore, global: &Global, console: &mut Console) -> Outcome {
    let report = {
        let progress = Progress::events("days rolled up");
        rollups.roll_up(&mut |done, _| progress.done(done))?
    };
    if global.json {
        console.json(&report)?;
    } else {
        print(&report, console)?;
    }
    Ok(Exit::fine_if(report.damage.is_empty()))
}

fn print(report: &RollUpReport, console: &mut Console) -> std::io::Result<()> {
    for damage in &report.damage {
        console.note(damage);
    }
    let days = figures::counted(report.days.len() as u64, "day");
    console.line(format_args!(
        "{days} rolled up from {}, {} unchanged; rollups take {}",
        figures::counted(report.events, "event"),
        figures::counted(report.unchanged, "day"),
        figures::bytes(report.bytes),
    ))
}

fn query(args: &RollupArgs, period: RollupPeriod, settings: &Settings) -> Result<RollupQuery> {
    let Query { selector, site, from, to, .. } = args.filter.query(settings.now)?;
    Ok(RollupQuery { period, selector, site, from, to })
}

fn show(
    query: &RollupQuery,
    rollups: &dyn RollupStore,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let answer = rollups.query_rollups(query)?;
    let mut table = Table::new([
        Column::text("PERIOD (UTC)"),
        Column::long("SELECTOR"),
        Column::long("SITE").spare(1),
        Column::number("OPS"),
        Column::number("SUCCESS"),
        Column::number("URLS").spare(2),
    ]);
    let (mut shown, mut damaged) = (0, 0);
    for rollup in answer.rollups {
        match rollup {
            Ok(rollup) if global.json => console.json_line(&rollup)?,
            Ok(rollup) => table.row(console, cells(&rollup))?,
            Err(error) => {
                damaged += 1;
                console.note(error);
                continue;
            }
        }
        shown += 1;
    }
    if !global.json {
        table.end(console)?;
    }
    if shown == 0 {
        console.note("no rollups in this period; `telemetry store rollup` makes them");
    }
    if !answer.stale_days.is_empty() {
        let days = figures::counted(answer.stale_days.len() as u64, "day");
        console.note(format_args!(
            "events of {days} arrived since; `telemetry store rollup` brings them up to date"
        ));
    }
    Ok(Exit::fine_if(shown > 0 && damaged == 0 && answer.stale_days.is_empty()))
}

fn cells(rollup: &Rollup) -> [Cell; 6] {
    let it = &rollup.figures;
    [
        figures::time(rollup.start).into(),
        rollup.selector.as_str().into(),
        Cell::maybe(rollup.site.as_deref()),
        figures::count(it.operations()).into(),
        figures::count(it.successes()).into(),
        figures::count(it.urls.smallest.len() as u64).into(),
    ]
}

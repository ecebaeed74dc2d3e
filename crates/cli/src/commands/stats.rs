use crate::arguments::Global;
use crate::commands::report::build;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Args;
use telemetry_runtime::models::report::{Health, Rate, SelectorRow};
use telemetry_runtime::reporting::ReportingConfig;

/// Statistics of each selector
#[derive(Args, Debug)]
#[command(after_help = "\
One line per selector and site, those in trouble first; the same numbers as in the report.
SUCCESS is the share among operations that tested the selector, with its 95% interval (Wilson).
FALLBACK is the share of successes that needed another strategy than the first.
With --json: one row per line.

Example:
  telemetry stats --since -24h --selector 'shop.*'")]
pub(crate) struct StatsArgs {
    #[command(flatten)]
    filter: Filter,
}

pub(crate) fn run(args: &StatsArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let query = args.filter.query(settings.now)?;
    let store = settings.open_store()?;
    // A list is not a page: every selector that is followed gets its line.
    let config = ReportingConfig {
        max_selectors: settings.config.reporting.max_tracked.clamp(1, 100_000),
        ..settings.config.reporting.clone()
    };
    let report = build(&*store, config, query, &[], settings.now, None)?;
    if global.json {
        for row in &report.selectors {
            console.json_line(row)?;
        }
    } else {
        let mut table = table();
        for row in &report.selectors {
            table.row(console, cells(row))?;
        }
        table.end(console)?;
    }
    let quality = &report.data_quality;
    if report.selectors.is_empty() {
        console.note("no events in this period");
    }
    if report.selectors_omitted > 0 {
        let omitted = figures::counted(report.selectors_omitted, "row");
        console.note(format_args!("{omitted} left out; narrow with --selector"));
    }
    if quality.untracked_events > 0 {
        let events = figures::counted(quality.untracked_events, "event");
        console.note(format_args!(
            "{events} of further selectors are not listed; narrow with --selector, or raise \
             reporting.max_tracked"
        ));
    }
    if quality.damaged_places > 0 {
        let places = figures::counted(quality.damaged_places, "damaged place");
        console.note(format_args!(
            "the store has {places}, so these numbers may lack events; see `telemetry store verify`"
        ));
    }
    Ok(Exit::fine_if(quality.damaged_places == 0))
}

fn table() -> Table<11> {
    Table::new([
        Column::long("SELECTOR"),
        Column::long("SITE").spare(1),
        Column::text("HEALTH"),
        Column::number("OPS"),
        Column::number("SUCCESS"),
        Column::text("95%").spare(4),
        Column::number("P50 MS").spare(2),
        Column::number("P95 MS"),
        Column::number("CONF").spare(3),
        Column::number("FALLBACK"),
        Column::text("LAST SUCCESS").spare(5),
    ])
}

fn cells(row: &SelectorRow) -> [Cell; 11] {
    let health = match row.health {
        Health::Healthy => Tone::Good,
        Health::Attention => Tone::Doubtful,
        Health::Failing => Tone::Bad,
        Health::NoData => Tone::Faint,
    };
    let share = |rate: &Rate| figures::percent(rate.share);
    [
        row.selector.as_str().into(),
        Cell::maybe(row.site.as_ref()),
        Cell::toned(row.health.as_str(), health),
        figures::count(row.operations).into(),
        Cell::maybe(row.success_rate.as_ref().map(share)),
        Cell::maybe(row.success_rate.as_ref().map(|rate| {
            format!("{:.0}–{:.0}", (rate.low * 100.0).floor(), (rate.high * 100.0).ceil())
        })),
        Cell::maybe(row.durations.map(|it| figures::milliseconds(it.p50_ms))),
        Cell::maybe(row.durations.map(|it| figures::milliseconds(it.p95_ms))),
        Cell::maybe(row.confidence.as_ref().map(|it| format!("{:.2}", it.mean))),
        Cell::maybe(row.fallback_rate.as_ref().map(share)),
        Cell::maybe(row.last_success.map(figures::time)),
    ]
}

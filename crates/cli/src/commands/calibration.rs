use crate::arguments::Global;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Args;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use telemetry_runtime::detection::{CalibrationReport, ConfidenceCounts};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use telemetry_runtime::models::{AttemptOutcome, Event, Outcome as Ending};

/// Show whether confidence means what it says
#[derive(Args, Debug)]
#[command(after_help = "\
Of what was found with a confidence of 0.9, is 90% right? Counted for each engine and strategy.
Right is what a validation of the content accepted, wrong what it refused; operations that were not
validated, or came without a confidence, do not count.

ECE: expected calibration error, the mean difference between confidence and share of right results
(over bins of equal width). AUC: the chance that a right result has a higher confidence than a wrong
one; 50% says nothing. With fewer than 30 results the figures say little and are marked.

A line of --input FILE is {\"confidence\": 0.83, \"right\": true, \"engine\": \"…\", \"strategy\": \"…\"};
engine and strategy may be missing.
With --json: one engine and strategy per line, with its bins.
Exit code 1 when the store is damaged (what is readable is counted).

Example:
  telemetry calibration --since -30d --bins 5")]
pub(crate) struct CalibrationArgs {
    #[command(flatten)]
    filter: Filter,

    /// Bins of equal width, 1 to 100
    #[arg(long, value_name = "NUMBER", default_value_t = 10,
        value_parser = clap::value_parser!(u32).range(1..=100))]
    bins: u32,

    /// Judge the lines of a JSON Lines file instead of a store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["selector", "site", "since", "until"])]
    input: Option<PathBuf>,
}

/// Fewer results than this say little.
const FEW: u64 = 30;

#[derive(Deserialize)]
struct Line {
    confidence: f64,
    right: bool,
    engine: Option<String>,
    strategy: Option<String>,
}

#[derive(Serialize)]
struct Row<'a> {
    engine: &'a str,
    strategy: &'a str,
    /// Whether there are enough results for the figures to mean something.
    enough: bool,
    #[serde(flatten)]
    report: &'a CalibrationReport,
}

#[derive(Default)]
struct Tally {
    groups: BTreeMap<(String, String), ConfidenceCounts>,
    left_out: u64,
    damaged: bool,
}

pub(crate) fn run(args: &CalibrationArgs, global: &Global, console: &mut Console) -> Outcome {
    let mut tally = Tally::default();
    if let Some(path) = &args.input {
        let text = super::input(path)?;
        for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            tally.line(line).map_err(|error| {
                error
                    .with("file", path.display())
                    .with("line", at + 1)
                    .cure("write {\"confidence\": 0 to 1, \"right\": true or false} on each line")
            })?;
        }
    } else {
        let settings = Settings::load(global)?;
        let query = args.filter.query(settings.now)?;
        let store = settings.open_store()?;
        for event in store.query(&query)? {
            match event {
                Ok(event) => tally.event(&event),
                Err(error) => {
                    tally.damaged = true;
                    console.error(&error);
                }
            }
        }
    }
    let mut overview = Table::new([
        Column::long("ENGINE"),
        Column::long("STRATEGY"),
        Column::number("RESULTS"),
        Column::number("CONFIDENCE"),
        Column::number("RIGHT"),
        Column::number("ECE"),
        Column::number("AUC"),
        Column::text("").spare(1),
    ]);
    let mut bins = Table::new([
        Column::long("ENGINE"),
        Column::long("STRATEGY"),
        Column::text("SAID"),
        Column::number("RESULTS"),
        Column::number("CONFIDENCE"),
        Column::number("RIGHT"),
    ]);
    for ((engine, strategy), counts) in &tally.groups {
        let Some(report) = counts.report(args.bins as usize) else { continue };
        let row = Row { engine, strategy, enough: report.count >= FEW, report: &report };
        if global.json {
            console.json_line(&row)?;
            continue;
        }
        overview.row(console, overview_cells(&row))?;
        for bin in &report.bins {
            bins.row(
                console,
                [
                    engine.as_str().into(),
                    strategy.as_str().into(),
                    format!("{:.2}–{:.2}", bin.above, bin.up_to).into(),
                    figures::count(bin.count).into(),
                    figures::percent(bin.mean_confidence).into(),
                    figures::percent(bin.share_right).into(),
                ],
            )?;
        }
    }
    let nothing = tally.groups.is_empty();
    overview.end(console)?;
    if !nothing && !global.json {
        console.line("")?;
    }
    bins.end(console)?;
    if nothing {
        console.note("no result here has both a confidence and a validation");
    }
    if tally.left_out > 0 {
        let events = figures::counted(tally.left_out, "operation");
        console.note(format_args!("{events} without confidence or validation not counted"));
    }
    Ok(Exit::fine_if(!tally.damaged))
}

impl Tally {
    fn event(&mut self, event: &Event) {
        let right = match (event.quality.validation_passed, event.outcome) {
            (Some(passed), _) => Some(passed),
            (None, Ending::ValidationFailed) => Some(false),
            (None, _) => None,
        };
        // What was validated: the match that was used, or the one that was refused.
        let refused = || {
            let mut real = event.real_attempts();
            real.find(|it| it.outcome == AttemptOutcome::ValidationFailed)
        };
        let attempt = event.accepted().or_else(refused);
        let confidence = event.confidence().or_else(|| attempt?.confidence);
        let (Some(right), Some(confidence)) = (right, confidence) else {
            self.left_out += 1;
            return;
        };
        let engine = event.engine.as_deref().unwrap_or("-").to_owned();
        let strategy = attempt.map_or("-", |it| it.kind.as_str()).to_owned();
        self.groups.entry((engine, strategy)).or_default().add(confidence.get(), right);
    }

    fn line(&mut self, line: &str) -> Result<()> {
        let wrong = |message: String| Error::new(ErrorKind::Invalid, Code::InvalidEvent, message);
        let line: Line = serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
        let key = [line.engine, line.strategy].map(|it| it.unwrap_or_else(|| "-".into()));
        let [engine, strategy] = key;
        if self.groups.entry((engine, strategy)).or_default().add(line.confidence, line.right) {
            return Ok(());
        }
        Err(wrong(format!("the confidence is {}, expected 0 to 1", line.confidence)))
    }
}

fn overview_cells(row: &Row<'_>) -> [Cell; 8] {
    let report = row.report;
    let share_right = report.right as f64 / report.count as f64;
    [
        row.engine.into(),
        row.strategy.into(),
        figures::count(report.count).into(),
        figures::percent(report.mean_confidence).into(),
        figures::percent(share_right).into(),
        figures::percent(report.expected_error).into(),
        Cell::maybe(report.roc_auc.map(figures::percent)),
        if row.enough { "".into() } else { Cell::toned("few results", Tone::Doubtful) },
    ]
}

use crate::against::Against;
use crate::arguments::Global;
use crate::commands::report::{self, Format};
use crate::console::Console;
use crate::exit::{Exit, Outcome};
use crate::filter::Filter;
use crate::moment::Moment;
use crate::settings::Settings;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind};
use telemetry_runtime::models::report::{GateState, ReportKind};
use telemetry_runtime::reporting::{Condition, judge};

/// Check conditions, for continuous integration
#[derive(Args, Debug)]
#[command(after_help = "\
Conditions, with commas between them:
  broken         a selector does not work
  slower>30%     median or p95 rose by more than that
  fails>5%       the success rate fell by more than so many points
  fallback>20%   the share of fallbacks rose by more than so many points
  alerts         an alert is open
  loss           events were dropped, or the store is damaged
The middle three compare with the period of --against, and count only changes that chance and noise
do not explain. The period is the last 24 hours unless --since says otherwise.
Exit code 0 when all hold, 1 when one fails, 2 when one cannot be told (too little data).

Examples:
  telemetry check --against last-week --fail-on 'broken,slower>30%'
  telemetry check --fail-on broken --format junit --out selectors.xml")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    filter: Filter,

    /// Compare with: yesterday, last-week, previous, run:ID, FROM..TO
    #[arg(long, value_name = "PERIOD", allow_hyphen_values = true)]
    against: Option<Against>,

    /// The conditions
    #[arg(long, value_name = "CONDITIONS", default_value = "broken")]
    fail_on: String,

    /// The form; --json means json
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// The file to write; - for the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &CheckArgs, global: &Global, console: &mut Console) -> Outcome {
    let conditions = Condition::list(&args.fail_on)?;
    if let (Some(condition), None) = (conditions.iter().find(|it| it.compares()), &args.against) {
        return Err(Error::new(
            ErrorKind::Invalid,
            Code::Configuration,
            format!("the condition {condition} compares, and there is nothing to compare with"),
        )
        .cure("say with --against which period, for instance --against last-week")
        .into());
    }
    let settings = Settings::load(global)?;
    let mut filter = args.filter.clone();
    filter.since.get_or_insert(Moment::Ago(Duration::from_secs(86_400)));
    let asked = report::Asked {
        filter: &filter,
        against: args.against.as_ref(),
        format: args.format,
        out: args.out.as_deref(),
        command: format!("check --fail-on {}", report::quoted(&args.fail_on)),
        kind: ReportKind::Summary,
        from: report::From::Events,
    };
    let (mut report, target) = report::make(&asked, global, &settings, console)?;
    let gate = judge(&report, &conditions);
    let state = gate.state;
    report.gate = Some(gate);
    report::deliver(&report, &target, global, console)?;
    Ok(match state {
        GateState::Passed => Exit::Fine,
        GateState::Failed => Exit::Failed,
        GateState::Unknown => Exit::Unknown,
    })
}

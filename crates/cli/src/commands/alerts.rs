mod handle;
mod rules;

use self::handle::{Assign, Escalate, Resolve, Suppress, Who, Wish};
use self::rules::RulesCommand;
use crate::arguments::Global;
use crate::commands::alerts_test::TestArgs;
use crate::commands::event::Fields;
use crate::commands::silence::SilenceCommand;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::settings::{self, Settings};
use crate::state;
use crate::table::{Cell, Column, Table};
use clap::{Args, Subcommand, ValueEnum};
use telemetry_runtime::alerting::{AlertBook, AlertFilter};
use telemetry_runtime::interfaces::{ErrorKind, Result, SelectorPattern};
use telemetry_runtime::models::{Alert, AlertId, AlertState, HandledWhat, Severity, Signal};

#[derive(Debug, Subcommand)]
pub(crate) enum AlertsCommand {
    /// List alerts, open and severe ones first
    List(ListArgs),
    /// Show one alert with its evidence
    #[command(after_help = "\
Exit code 1 when there is no such alert.

Example:
  telemetry alerts show selector-broken-1f0c6a52-1")]
    Show {
        /// The alert's id, as in the list
        id: AlertId,
    },
    /// Say that somebody takes care of it; ends when it resolves or gets worse
    Ack(Who),
    /// Take an acknowledgement back
    Unack(Who),
    /// Say who is to take care of it
    Assign(Assign),
    /// Add a remark, given with --why
    Comment(Who),
    /// End it by hand; it comes back only with new evidence
    Resolve(Resolve),
    /// Make one that is over fire again
    Reopen(Who),
    /// Keep it quiet until a given time
    Suppress(Suppress),
    /// Let it be announced again
    Unsuppress(Who),
    /// Raise its severity
    Escalate(Escalate),
    /// Look at the rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Tell nobody of some alerts for a while
    #[command(subcommand)]
    Silence(SilenceCommand),
    /// Send a test message through the channels of the configuration
    Test(TestArgs),
}

/// List alerts, open and severe ones first
#[derive(Args, Debug)]
#[command(after_help = "\
Open alerts are those firing or recovering. With --json: one alert per line.

Examples:
  telemetry alerts list
  telemetry alerts list --state all --selector 'shop.*' --severity high")]
pub(crate) struct ListArgs {
    /// Where the alert stands
    #[arg(long, value_enum, default_value = "open")]
    state: Standing,

    /// Selectors: a name, * for any text, ? for one character
    #[arg(long, value_name = "PATTERN")]
    selector: Option<SelectorPattern>,

    /// This severity or a higher one: low, medium, high, critical
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<Severity>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Standing {
    /// Firing or recovering
    Open,
    /// Every alert that is kept
    All,
    /// The condition holds, not yet for long enough
    Pending,
    /// Announced
    Firing,
    /// Going away, not yet for long enough
    Recovering,
    /// Gone, and announced
    Resolved,
    /// Over
    Closed,
}

impl Standing {
    fn states(self) -> Vec<AlertState> {
        match self {
            Self::Open => AlertFilter::open().states,
            Self::All => Vec::new(),
            Self::Pending => vec![AlertState::Pending],
            Self::Firing => vec![AlertState::Firing],
            Self::Recovering => vec![AlertState::Recovering],
            Self::Resolved => vec![AlertState::Resolved],
            Self::Closed => vec![AlertState::Closed],
        }
    }
}

pub(crate) fn run(command: &AlertsCommand, global: &Global, console: &mut Console) -> Outcome {
    let wish = match command {
        AlertsCommand::List(args) => {
            let book = open(&Settings::load(global)?)?;
            return list(args, book.as_ref(), global, console);
        }
        AlertsCommand::Show { id } => {
            let book = open(&Settings::load(global)?)?;
            return show(id, book.as_ref(), global, console);
        }
        AlertsCommand::Rules(command) => return rules::run(command, global, console),
        AlertsCommand::Silence(command) => return super::silence::run(command, global, console),
        AlertsCommand::Test(args) => return super::alerts_test::run(args, global, console),
        AlertsCommand::Ack(who) => Wish::Acknowledge(who),
        AlertsCommand::Unack(who) => Wish::Unacknowledge(who),
        AlertsCommand::Assign(it) => Wish::Assign(it),
        AlertsCommand::Comment(who) => Wish::Comment(who),
        AlertsCommand::Resolve(it) => Wish::Resolve(it),
        AlertsCommand::Reopen(who) => Wish::Reopen(who),
        AlertsCommand::Suppress(it) => Wish::Suppress(it),
        AlertsCommand::Unsuppress(who) => Wish::Unsuppress(who),
        AlertsCommand::Escalate(it) => Wish::Escalate(it),
    };
    handle::run(&wish, global, console)
}

/// The alerts of the store, which must be there; one without state has no alerts.
fn open(settings: &Settings) -> Result<Option<AlertBook>> {
    let book = state::book(settings.store_path())?;
    if book.is_none() {
        match settings::open_store(settings.store_path()) {
            Err(error) if error.kind() != ErrorKind::Corrupt => return Err(error),
            // Damaged events do not matter here.
            _ => {}
        }
    }
    Ok(book)
}

fn list(
    args: &ListArgs,
    book: Option<&AlertBook>,
    global: &Global,
    console: &mut Console,
) -> Outcome {
    let filter = AlertFilter {
        states: args.state.states(),
        selector: args.selector.clone(),
        min_severity: args.severity,
    };
    let alerts = book.map_or_else(|| Ok(Vec::new()), |book| book.list(&filter))?;
    if global.json {
        for alert in &alerts {
            console.json_line(alert)?;
        }
        return Ok(Exit::Fine);
    }
    let mut table = Table::new([
        Column::text("SEVERITY"),
        Column::text("STATE"),
        Column::long("SELECTOR"),
        Column::text("SINCE (UTC)").spare(2),
        Column::prose("WHAT").spare(1),
        Column::text("ID"),
    ]);
    for alert in &alerts {
        let row = [
            Cell::toned(alert.severity.as_str(), severity_tone(alert.severity)),
            Cell::toned(alert.state.as_str(), state_tone(alert.state)),
            alert.selector.as_str().into(),
            figures::time(alert.since).into(),
            what(alert).into(),
            alert.id.as_str().into(),
        ];
        table.row(console, row)?;
    }
    table.end(console)?;
    if alerts.is_empty() {
        let which = if args.state == Standing::Open { "no open alerts" } else { "no such alerts" };
        console.note(format_args!("{which}; --state all lists every alert that is kept"));
    }
    Ok(Exit::Fine)
}

fn show(id: &AlertId, book: Option<&AlertBook>, global: &Global, console: &mut Console) -> Outcome {
    let alert = book.map_or(Ok(None), |book| book.alert(id))?;
    let Some(alert) = alert else {
        console.note(format_args!(
            "no alert {}; `telemetry alerts list --state all` lists their ids",
            crate::plain::plain(id.as_str())
        ));
        return Ok(Exit::Failed);
    };
    if global.json {
        console.json(&alert)?;
    } else {
        details(&alert).write(console)?;
    }
    Ok(Exit::Fine)
}

fn details(alert: &Alert) -> Fields {
    let mut fields = Fields(Vec::new());
    fields.add("alert", &alert.id);
    fields.toned("what", &alert.summary, Tone::Strong);
    fields.toned("severity", alert.severity, severity_tone(alert.severity));
    for factor in &alert.factors {
        let more = if factor.points > 0 { " (one step up)" } else { "" };
        fields.add("because", format_args!("{}: {}{more}", factor.name, factor.found));
    }
    fields.toned("state", alert.state, state_tone(alert.state));
    fields.add("selector", &alert.selector);
    fields.maybe("site", alert.site.as_ref());
    fields.add("rule", &alert.rule);
    fields.add("since", alert.since);
    fields.maybe("fired", alert.fired_at);
    fields.maybe("resolved", alert.resolved_at);
    let measured = measured(alert.signal, alert.value);
    fields.add(
        "measured",
        format_args!(
            "{} {measured} over {} (fires when {} {})",
            alert.signal,
            figures::counted(alert.samples, "operation"),
            alert.comparison,
            self::measured(alert.signal, alert.threshold)
        ),
    );
    fields.maybe("no data since", alert.no_data_since);
    if let Some(good) = &alert.last_good {
        fields.add(
            "last good",
            format_args!("{} (event {}, {} good before)", good.at, good.event, good.count),
        );
    }
    fields.maybe("before", alert.evidence.before.as_ref());
    fields.maybe("now", alert.evidence.now.as_ref());
    fields.maybe("page", alert.evidence.url.as_ref());
    fields.maybe("page template", alert.page_template.as_ref());
    fields.maybe("likely cause", alert.likely_cause.as_ref());
    fields.maybe("what to do", alert.suggestion.as_ref());
    fields.maybe("runbook", alert.runbook.as_ref());
    for (key, text) in &alert.annotations {
        fields.add(key, text);
    }
    for event in &alert.evidence.events {
        fields.add("evidence", format_args!("telemetry query --event {event}"));
    }
    for (key, value) in &alert.labels {
        fields.add(&format!("label {key}"), value);
    }
    handling(alert, &mut fields);
    fields
}

/// Who did what with it, and why.
fn handling(alert: &Alert, fields: &mut Fields) {
    let handling = &alert.handling;
    if let Some(mark) = &handling.acknowledged {
        fields.add("acknowledged", format_args!("by {} at {}", mark.by, mark.at));
    }
    fields.maybe("assigned to", handling.assignee.as_ref());
    if let Some(it) = &handling.suppressed {
        fields.add("suppressed", format_args!("until {} by {}", it.until, it.mark.by));
    }
    if let Some(it) = &handling.resolution {
        let by = it.by.as_deref().map_or(String::new(), |by| format!(" by {by}"));
        fields.add("resolution", format_args!("{}{by} at {}", it.method, it.at));
    }
    for it in &handling.history {
        let what = match &it.what {
            HandledWhat::Action(action) => action.as_str().to_owned(),
            HandledWhat::AcknowledgementEnded => "acknowledgement ended".to_owned(),
            HandledWhat::EscalatedUnacknowledged(to) => format!("escalated to {to}: nobody came"),
        };
        let by = it.by.as_deref().map_or(String::new(), |by| format!(" by {by}"));
        let why = it.why.as_deref().map_or(String::new(), |why| format!(": {why}"));
        fields.add("history", format_args!("{} {what}{by}{why}", it.at));
    }
}

/// The summary without the selector's name, which has a column of its own.
fn what(alert: &Alert) -> &str {
    alert.summary.strip_prefix(alert.selector.as_str()).unwrap_or(&alert.summary).trim_start()
}

/// A value in its signal's unit.
fn measured(signal: Signal, value: f64) -> String {
    match signal {
        Signal::DurationMs => format!("{} ms", figures::milliseconds(value)),
        Signal::Frequency => format!("{value:.3}/s"),
        signal if signal.is_share() => figures::percent(value),
        _ => format!("{value:.2}"),
    }
}

const fn severity_tone(severity: Severity) -> Tone {
    match severity {
        Severity::Critical | Severity::High => Tone::Bad,
        Severity::Medium => Tone::Doubtful,
        Severity::Low => Tone::Normal,
    }
}

const fn state_tone(state: AlertState) -> Tone {
    match state {
        AlertState::Firing => Tone::Bad,
        AlertState::Pending | AlertState::Recovering => Tone::Doubtful,
        AlertState::Resolved => Tone::Good,
        AlertState::Inactive | AlertState::Closed => Tone::Faint,
    }
}

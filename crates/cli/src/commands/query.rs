use crate::arguments::Global;
use crate::commands::event;
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Args;
use telemetry_runtime::interfaces::{Continuation, Order, Parts, Query};
use telemetry_runtime::models::{
    self, CorrelationId, Event, EventId, OutcomeClass, RunId, StrategyKind, json,
};

/// List events, or show one with all its attempts
#[derive(Args, Debug)]
#[command(after_help = "\
Every condition given must hold. Without --newest the list begins at the earliest event.
The STRATEGY column names the strategy whose match was used; +1 means the first fallback.
With --json: one event per line, as docs/schema/event.v1.json describes.
Exit code 1 when --event finds nothing, or the store is damaged (what is readable is shown).

Examples:
  telemetry query --selector 'shop.*' --failed --since -2h
  telemetry query --event 5f0c6a52-0d1e-8aa0-b7c4-31f2f0c8a1d7
  telemetry query --json --limit 0 --outcome timeout | jq -r .context_data.page_url")]
pub(crate) struct QueryArgs {
    #[command(flatten)]
    filter: Filter,

    /// How the operation ended; several with commas: not_found,timeout
    #[arg(long, value_name = "OUTCOMES", value_delimiter = ',', conflicts_with = "failed")]
    outcome: Vec<models::Outcome>,

    /// Selector or environment at fault: everything but success, cancelled and expected absence
    #[arg(long)]
    failed: bool,

    /// Some attempt used this strategy: css, xpath, text, ...
    #[arg(long, value_name = "KIND", value_parser = strategy)]
    strategy: Option<StrategyKind>,

    /// Events of this piece of work
    #[arg(long, value_name = "ID")]
    correlation: Option<CorrelationId>,

    /// One event, with its attempts
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,

    /// Events of this run of the observed program
    #[arg(long, value_name = "ID")]
    run: Option<RunId>,

    /// Begin at the latest event
    #[arg(long)]
    newest: bool,

    /// At most so many events; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,

    /// Go on where an answer with the same conditions ended: what its note said
    #[arg(long, value_name = "PLACE", conflicts_with = "event")]
    after: Option<Continuation>,

    /// Read only these parts of each event: correlation, attempts, timing, resources, quality,
    /// error, page, origin, attributes. The rest is shown as absent
    #[arg(long, value_name = "PARTS", value_delimiter = ',', value_parser = part)]
    only: Vec<Parts>,
}

fn part(name: &str) -> Result<Parts, String> {
    Parts::named(name).ok_or_else(|| {
        let names: Vec<_> = Parts::names().collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn strategy(name: &str) -> Result<StrategyKind, String> {
    if name.trim().is_empty() {
        return Err("expected a strategy's name, as in css".into());
    }
    Ok(StrategyKind::new(name))
}

impl QueryArgs {
    fn query(&self, settings: &Settings) -> telemetry_runtime::interfaces::Result<Query> {
        let failures = [OutcomeClass::SelectorFault, OutcomeClass::EnvironmentFault];
        let failed = models::Outcome::ALL.iter().filter(|it| failures.contains(&it.class()));
        Ok(Query {
            outcomes: if self.failed { failed.copied().collect() } else { self.outcome.clone() },
            strategy: self.strategy.clone(),
            correlation: self.correlation.clone(),
            event: self.event.clone(),
            run: self.run.clone(),
            order: if self.newest { Order::NewestFirst } else { Order::OldestFirst },
            // One more than is shown tells whether there are more.
            limit: (self.limit > 0).then(|| self.limit.saturating_add(1)),
            after: self.after,
            parts: self.only.iter().copied().reduce(|a, b| a | b).unwrap_or_default(),
            ..self.filter.query(settings.now)?
        })
    }
}

pub(crate) fn run(args: &QueryArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let query = args.query(&settings)?;
    let store = settings.open_store()?;
    let mut answer = if global.json {
        Form::Json
    } else if args.event.is_some() {
        Form::Details
    } else {
        Form::Table(Box::new(table()))
    };
    let mut shown = 0u64;
    let mut more = false;
    let mut damaged = false;
    let mut last = args.after;
    for item in store.query(&query)? {
        match item {
            Ok(_) if args.limit > 0 && shown == args.limit as u64 => {
                more = true;
                break;
            }
            Ok(event) => {
                answer.event(&event, console)?;
                last = Some(Continuation::behind(last, &event));
                shown += 1;
            }
            Err(error) => {
                damaged = true;
                console.error(&error);
            }
        }
        if console.closed() {
            return Ok(Exit::fine_if(!damaged));
        }
    }
    if let Form::Table(table) = answer {
        table.end(console)?;
    }
    if shown == 0 {
        console.note(match &args.event {
            Some(id) => format!("no event {id}"),
            None => "no events meet these conditions".to_owned(),
        });
    }
    if more {
        let shown = figures::counted(shown, "event");
        let other = if args.newest { "" } else { ", --newest begins at the latest" };
        let next = last.map(|last| format!(", --after {last} goes on")).unwrap_or_default();
        console.note(format_args!("the first {shown}; --limit 0 shows all{other}{next}"));
    }
    let missing = args.event.is_some() && shown == 0;
    Ok(Exit::fine_if(!damaged && !missing))
}

/// How events are shown.
enum Form {
    Json,
    Details,
    Table(Box<Table<8>>),
}

impl Form {
    fn event(&mut self, event: &Event, console: &mut Console) -> std::io::Result<()> {
        match self {
            Self::Json => console.line(json::to_string(event)),
            Self::Details => event::show(event, console),
            Self::Table(table) => table.row(console, row(event)),
        }
    }
}

fn table() -> Table<8> {
    Table::new([
        Column::text("TIME (UTC)"),
        Column::long("SELECTOR"),
        Column::text("OUTCOME"),
        Column::text("STRATEGY"),
        Column::number("MS"),
        Column::number("CONF").spare(2),
        Column::number("FOUND").spare(3),
        Column::long("PAGE").spare(1),
    ])
}

/// Where it took place: site and template, as far as known.
pub(crate) fn place(event: &Event) -> Option<String> {
    let page = event.page.as_deref();
    match (event.site(), page.and_then(|page| page.url_template.as_deref())) {
        (Some(site), Some(template)) if template.starts_with('/') => {
            Some(format!("{site}{template}"))
        }
        (_, Some(template)) => Some(template.to_owned()),
        (site, None) => site.map(str::to_owned),
    }
}

fn row(event: &Event) -> [Cell; 8] {
    [
        figures::time(event.timestamp).into(),
        event.selector.as_str().into(),
        Cell::toned(event.outcome.as_str(), tone(event.outcome)),
        Cell::maybe(winner(event)),
        Cell::maybe(event.duration().map(figures::duration_ms)),
        Cell::maybe(event.confidence().map(|it| format!("{:.2}", it.get()))),
        Cell::maybe(event.elements_found()),
        Cell::maybe(place(event)),
    ]
}

/// The strategy whose match was used, and how deep a fallback that was.
pub(crate) fn winner(event: &Event) -> Option<String> {
    let kind = &event.accepted()?.kind;
    Some(match event.fallback_depth() {
        None | Some(0) => kind.as_str().to_owned(),
        Some(depth) => format!("{} +{depth}", kind.as_str()),
    })
}

/// The colour of an outcome.
pub(crate) const fn tone(outcome: models::Outcome) -> Tone {
    match outcome.class() {
        OutcomeClass::Success => Tone::Good,
        OutcomeClass::SelectorFault => Tone::Bad,
        OutcomeClass::EnvironmentFault => Tone::Doubtful,
        OutcomeClass::Cancelled | OutcomeClass::ExpectedAbsence => Tone::Faint,
    }
}

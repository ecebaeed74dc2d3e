use crate::arguments::Global;
use crate::commands::query::{place, tone, winner};
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::plain::plain;
use crate::settings::Settings;
use clap::Args;
use std::collections::HashMap;
use std::time::Duration;
use telemetry_runtime::interfaces::{EventStore, Order, Parts, Query};
use telemetry_runtime::models::{self, Event, EventId, Timestamp, json};

/// Show the latest events, and with --follow what is stored from now on
#[derive(Args, Debug)]
#[command(after_help = "\
One line an event, the latest last. --follow looks at the store again and again while another
program records to it, and ends with Ctrl-C or when nobody reads on. An event that is stored more
than --late after its timestamp is not shown. Exit code 1 when damage was met.

Examples:
  telemetry tail --lines 20
  telemetry tail --follow --selector 'shop.*' --outcome not_found,timeout
  telemetry tail --follow --json | jq -r .selector_name")]
pub(crate) struct TailArgs {
    #[command(flatten)]
    filter: Filter,

    /// How the operation ended; several with commas: not_found,timeout
    #[arg(long, value_name = "OUTCOMES", value_delimiter = ',')]
    outcome: Vec<models::Outcome>,

    /// So many of the latest events to begin with
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = 10)]
    lines: usize,

    /// Go on with what is stored from now on
    #[arg(short, long)]
    follow: bool,

    /// With --follow: look again after so many milliseconds
    #[arg(long, value_name = "MS", default_value_t = 500,
        value_parser = clap::value_parser!(u64).range(10..=60_000))]
    every_ms: u64,

    /// With --follow: seconds an event may be stored after its timestamp
    #[arg(long, value_name = "SECONDS", default_value_t = 60,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    late: u64,
}

pub(crate) fn run(args: &TailArgs, global: &Global, console: &mut Console) -> Outcome {
    let settings = Settings::load(global)?;
    let store = settings.open_store()?;
    let query = Query { outcomes: args.outcome.clone(), ..args.filter.query(settings.now)? };
    let mut tail = Tail {
        late: Duration::from_secs(args.late),
        json: global.json,
        query,
        newest: None,
        shown: HashMap::new(),
        damaged: false,
    };
    tail.begin(&*store, args.lines, args.follow, console)?;
    while args.follow && !console.closed() {
        console.finish()?;
        std::thread::sleep(Duration::from_millis(args.every_ms));
        tail.look(&*store, console)?;
    }
    Ok(Exit::fine_if(!tail.damaged))
}

struct Tail {
    query: Query,
    late: Duration,
    json: bool,
    /// Latest timestamp that was met.
    newest: Option<Timestamp>,
    /// What was met of the time that is still looked at.
    shown: HashMap<EventId, Timestamp>,
    damaged: bool,
}

impl Tail {
    /// Shows the latest events. What is there and not among them counts as shown.
    fn begin(
        &mut self,
        store: &dyn EventStore,
        lines: usize,
        follow: bool,
        console: &mut Console,
    ) -> std::result::Result<(), crate::exit::Stop> {
        let latest = Query {
            order: Order::NewestFirst,
            limit: Some(lines.max(usize::from(follow))),
            ..self.query.clone()
        };
        let mut events: Vec<Event> = Vec::new();
        for item in store.query(&latest)? {
            match item {
                Ok(event) => events.push(event),
                Err(error) => self.fault(&error, console),
            }
        }
        self.newest = events.first().map(|event| event.timestamp);
        if follow && self.newest.is_some() {
            let window = Query { order: Order::Any, parts: Parts::NONE, ..self.window() };
            for event in store.query(&window)?.flatten() {
                self.shown.insert(event.id, event.timestamp);
            }
        }
        for event in events.iter().take(lines).rev() {
            self.shown.insert(event.id.clone(), event.timestamp);
            self.show(event, console)?;
        }
        Ok(())
    }

    /// What may hold something new.
    fn window(&self) -> Query {
        let from = self.newest.map(|newest| newest.saturating_sub(self.late));
        Query { from: self.query.from.max(from), ..self.query.clone() }
    }

    /// Shows what was stored since.
    fn look(
        &mut self,
        store: &dyn EventStore,
        console: &mut Console,
    ) -> std::result::Result<(), crate::exit::Stop> {
        for item in store.query(&self.window())? {
            match item {
                Ok(event) if self.shown.contains_key(&event.id) => {}
                Ok(event) => {
                    self.newest = self.newest.max(Some(event.timestamp));
                    self.shown.insert(event.id.clone(), event.timestamp);
                    self.show(&event, console)?;
                }
                // Said once: it stays where it is.
                Err(_) if self.damaged => {}
                Err(error) => self.fault(&error, console),
            }
            if console.closed() {
                return Ok(());
            }
        }
        if let Some(from) = self.window().from {
            self.shown.retain(|_, at| *at >= from);
        }
        Ok(())
    }

    fn fault(&mut self, error: &telemetry_runtime::interfaces::Error, console: &mut Console) {
        self.damaged = true;
        console.error(error);
    }

    fn show(&self, event: &Event, console: &mut Console) -> std::io::Result<()> {
        if self.json {
            return console.line(json::to_string(event));
        }
        let outcome = format!("{:<17}", event.outcome.as_str());
        let mut line = format!(
            "{}  {}  {}",
            console.paint(Tone::Faint, figures::time(event.timestamp)),
            console.paint(tone(event.outcome), outcome),
            plain(event.selector.as_str()),
        );
        let duration = event.duration().map(|it| format!("{} ms", figures::duration_ms(it)));
        for part in [winner(event), duration, place(event)].into_iter().flatten() {
            line += "  ";
            line += &plain(&part);
        }
        console.line(line)
    }
}

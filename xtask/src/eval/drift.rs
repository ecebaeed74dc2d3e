use super::compare::Comparison;
use super::rows::{self, Label, Row};
use super::summary::{LabelFigures, Summary};
use super::witness::{Fate, Witness};
use crate::corpora;
use crate::workspace::Workspace;
use anyhow::{Context, Result, bail, ensure};
use cascade::{Document, Selector};
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use telemetry_runtime::alerting::Profile;
use telemetry_runtime::collector::BackPressure;
use telemetry_runtime::integration::Instrumented;
use telemetry_runtime::interfaces::{Query, VerifyLevel};
use telemetry_runtime::models::{AlertState, AlertTransition, Event, PageContext, SessionId};
use telemetry_runtime::{Telemetry, TelemetryConfig, storage};

/// Longest time to bring everything to the store at the end.
const LIMIT: Duration = Duration::from_secs(120);

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rows of the corpus, JSON Lines [default: the drift corpus found by `cargo xtask corpora`]
    #[arg(long, value_name = "FILE", requires = "pages")]
    pairs: Option<PathBuf>,
    /// Folder of the pages, `<hash>.html` each
    #[arg(long, value_name = "DIR", requires = "pairs")]
    pages: Option<PathBuf>,
    /// Visits of the old and then of the new page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    visits: u32,
    /// Let 3 % of the operations fail for the environment's sake, and 10 % meet a page that rightly
    /// lacks the element
    #[arg(long)]
    noise: bool,
    /// Raise alerts by detectors without thresholds, with this budget of false alarms a day, instead
    /// of by rules
    #[arg(long, value_name = "A_DAY", num_args = 0..=1, default_missing_value = "0.1")]
    detect: Option<f64>,
    /// Seed of the noise
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Keep the store here instead of removing it; the folder must be absent or empty
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Share of operations that fail for the environment's sake, with `--noise`.
const ENVIRONMENT: f64 = 0.03;
/// Share of operations on pages that rightly lack the element, with `--noise`.
const ABSENT: f64 = 0.1;

/// When each row's selector was first used on the new page, and what was raised.
struct Played {
    rows: Vec<Row>,
    /// Selector name by row, for rows that apply.
    names: BTreeMap<usize, String>,
    not_applying: Vec<(usize, String)>,
    transitions: Vec<AlertTransition>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let (pairs, pages) = match (&arguments.pairs, &arguments.pages) {
        (Some(pairs), Some(pages)) => (pairs.clone(), pages.clone()),
        _ => {
            let drift = corpora::drift(workspace)?;
            (drift.pairs, drift.pages)
        }
    };
    let rows = rows::read(&pairs)?;
    let scratch;
    let path = match &arguments.store {
        Some(path) => path.clone(),
        None => {
            scratch = tempfile::tempdir().context("cannot make a folder for the store")?;
            scratch.path().join("store")
        }
    };

    let started = Instant::now();
    let mut config = TelemetryConfig::default();
    config.storage.path = path.clone();
    config.collector.back_pressure = BackPressure::BlockMs(60_000);
    config.alerting.log = false;
    if let Some(a_day) = arguments.detect {
        config.alerting.profile = Profile::None;
        config.alerting.detection.false_alarms_per_day = a_day;
    }
    // Samples of the process would be facts that no witness saw.
    config.collector.sample_process = false;
    let raised = Arc::new(Mutex::new(Vec::new()));
    let hear = Arc::clone(&raised);
    let telemetry = Telemetry::builder(config)
        .on_alert(move |transition: &AlertTransition| {
            hear.lock().expect("no listener panics").push(transition.clone());
        })
        .start()?;
    let engine = telemetry.observe(Witness::default());
    let (names, not_applying) = play(&engine, &rows, &pages, arguments)?;
    let ended = telemetry.shutdown(LIMIT);
    ensure!(ended.failures.is_empty(), "the path did not end in order: {:?}", ended.failures);
    let ledger = telemetry.ledger();
    let executed = engine.engine().executed();

    let store = storage::open_existing_read_only(&path)?;
    let events: Vec<Event> = store.query(&Query::all())?.collect::<Result<_, _>>()?;
    let by_sequence: BTreeMap<u64, &Event> =
        events.iter().filter_map(|event| Some((event.sequence?, event))).collect();
    let comparison = Comparison::new(telemetry.collector().run(), telemetry.collector().producer());
    let mut differences = Vec::new();
    for (sequence, operation) in (0..).zip(&executed) {
        match by_sequence.get(&sequence) {
            Some(event) => differences.extend(comparison.difference(operation, event, sequence)),
            None => differences.push(format!("event {sequence} was not read back")),
        }
    }
    let verified = store.verify(VerifyLevel::Deep, &mut |_, _| {})?;
    let transitions = std::mem::take(&mut *raised.lock().expect("no listener panics"));
    let played = Played { rows, names, not_applying, transitions };
    let summary = Summary {
        visits: arguments.visits,
        executed: executed.len(),
        recorded: ledger.recorded,
        stored: ledger.stored,
        read_back: events.len(),
        differences: differences.len(),
        verify_clean: verified.is_clean(),
        labels: Label::ALL.map(|label| played.figures(label, &events)).into(),
        applying: played.applying(),
        not_applying: played.reasons(),
        alerts_by_rule: played.by_rule(),
        told_apart: played.told_apart(),
        wall_s: started.elapsed().as_secs_f64(),
    };
    summary.print(arguments.json)?;
    if let Some(first) = differences.first() {
        bail!("executed and stored differ in {} places; the first: {first}", differences.len());
    }
    ensure!(
        summary.executed == summary.read_back && summary.executed as u64 == summary.stored,
        "executed {} operations, stored {}, read back {}",
        summary.executed,
        summary.stored,
        summary.read_back
    );
    ensure!(summary.executed > 0, "no row of {} applies: nothing was executed", pairs.display());
    ensure!(summary.verify_clean, "the store is damaged: {:?}", verified.damage);
    Ok(())
}

type Names = BTreeMap<usize, String>;

/// Visits every pair: the old page, then the new one, all its selectors each time.
fn play(
    engine: &Instrumented<Witness, telemetry_runtime::collector::Collector>,
    rows: &[Row],
    pages: &std::path::Path,
    arguments: &Arguments,
) -> Result<(Names, Vec<(usize, String)>)> {
    let pairs = rows::by_pair(rows);
    let bar = ProgressBar::new(pairs.len() as u64).with_style(
        ProgressStyle::with_template("{bar:30} {pos}/{len} page pairs, {elapsed}, {eta} left")
            .context("a constant template")?,
    );
    let mut names = Names::new();
    let mut rng = arguments.noise.then(|| fastrand::Rng::with_seed(arguments.seed));
    let mut not_applying = Vec::new();
    for pair in pairs {
        let first = &rows[pair[0]];
        let old = rows::page(pages, &first.old)?;
        let mut selectors: Vec<Selector> = Vec::new();
        for at in pair.iter().copied() {
            match rows::why_not(&rows[at], &old) {
                Some(reason) => not_applying.push((at, reason)),
                None => {
                    let selector = rows[at].selector(at)?;
                    names.insert(at, selector.name.clone());
                    selectors.push(selector);
                }
            }
        }
        let new: Document = rows::page(pages, &first.new)?;
        for (page, url) in [(&old, &first.old_url), (&new, &first.new_url)] {
            let unknown = || format!("https://{}/", first.site);
            for visit in 0..arguments.visits {
                let place = PageContext {
                    session: SessionId::new(format!("visit-{visit}")).ok(),
                    url: Some(url.clone().unwrap_or_else(unknown).into()),
                    ..PageContext::default()
                };
                let context = engine.enter(&place);
                engine.engine().enter(&place);
                for selector in &selectors {
                    engine.engine().decide(fate(rng.as_mut()));
                    engine.resolve(page, Some(context), selector);
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok((names, not_applying))
}

fn fate(rng: Option<&mut fastrand::Rng>) -> Fate {
    match rng.map(fastrand::Rng::f64) {
        Some(draw) if draw < ENVIRONMENT => Fate::Environment,
        Some(draw) if draw < ENVIRONMENT + ABSENT => Fate::Absent,
        _ => Fate::AsItIs,
    }
}

impl Played {
    /// Pairs of pages that were redesigned (two selectors or more broke, and half of them) or on which
    /// one selector of three or more drifted, and how many of them the last alert about them tells
    /// apart. Pairs between are left out.
    fn told_apart(&self) -> (usize, usize) {
        let mut pairs: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
        for at in self.names.keys() {
            let row = &self.rows[*at];
            pairs.entry((&row.old, &row.new)).or_default().push(*at);
        }
        let (mut right, mut all) = (0, 0);
        for members in pairs.values() {
            let broken = members.iter().filter(|at| self.rows[**at].label == Label::Broken).count();
            let redesigned = match (broken, members.len()) {
                (2.., all) if broken * 2 >= all => true,
                (1, 3..) => false,
                _ => continue,
            };
            all += 1;
            let own = |it: &&AlertTransition| {
                it.alert.state == AlertState::Firing
                    && members.iter().any(|at| self.names[at] == it.alert.selector.as_str())
            };
            let last = self.transitions.iter().rev().find(own);
            let scope = last.and_then(|it| it.alert.labels.get("scope")).map(String::as_str);
            right += usize::from(match scope {
                Some("page" | "site") => redesigned,
                Some("selector") => !redesigned,
                _ => false,
            });
        }
        (right, all)
    }

    fn figures(&self, label: Label, events: &[Event]) -> LabelFigures {
        let mut figures = LabelFigures::new(label.name());
        let fired: HashMap<&str, &AlertTransition> = self
            .transitions
            .iter()
            .rev()
            .filter(|it| it.alert.state == AlertState::Firing)
            .map(|it| (it.alert.selector.as_str(), it))
            .collect();
        let mut operations: HashMap<&str, Vec<&Event>> = HashMap::new();
        for event in events {
            operations.entry(event.selector.as_str()).or_default().push(event);
        }
        for (at, row) in self.rows.iter().enumerate().filter(|(_, row)| row.label == label) {
            figures.rows += 1;
            let Some(name) = self.names.get(&at) else { continue };
            figures.applying += 1;
            let Some(transition) = fired.get(name.as_str()) else {
                figures.silent.push(row.id.clone());
                continue;
            };
            figures.alerted += 1;
            let own = operations.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            let change = own.len() / 2;
            let until = own.iter().filter(|event| event.timestamp <= transition.at).count();
            match until.checked_sub(change).filter(|after| *after > 0) {
                Some(after) => figures.operations_to_alert.push(after),
                None => figures.before_the_change += 1,
            }
            figures.alerting.push(row.id.clone());
        }
        figures.operations_to_alert.sort_unstable();
        figures
    }

    /// Applying rows and all rows, by kind.
    fn applying(&self) -> BTreeMap<String, (usize, usize)> {
        let mut kinds = BTreeMap::<String, (usize, usize)>::new();
        for (at, row) in self.rows.iter().enumerate() {
            let (applying, all) = kinds.entry(row.kind.clone()).or_default();
            *applying += usize::from(self.names.contains_key(&at));
            *all += 1;
        }
        kinds
    }

    fn reasons(&self) -> BTreeMap<String, usize> {
        let mut reasons = BTreeMap::new();
        for (at, reason) in &self.not_applying {
            *reasons.entry(format!("{}: {reason}", self.rows[*at].kind)).or_default() += 1;
        }
        reasons
    }

    fn by_rule(&self) -> BTreeMap<String, usize> {
        let mut rules = BTreeMap::new();
        for transition in &self.transitions {
            if transition.alert.state == AlertState::Firing {
                *rules.entry(transition.alert.rule.to_string()).or_default() += 1;
            }
        }
        rules
    }
}

use crate::arguments::Global;
use crate::commands::series::{self, Series};
use crate::console::{Console, Tone};
use crate::exit::{Exit, Outcome};
use crate::figures;
use crate::filter::Filter;
use crate::moment;
use crate::settings::Settings;
use crate::table::{Cell, Column, Table};
use clap::Args;
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;
use telemetry_runtime::detection::{
    InvalidParameter, Method, MethodDetector, MethodName, SeriesConfig, SeriesDetector,
};
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use telemetry_runtime::models::{Aggregate, Signal, Timestamp};

/// Find anomalies in what selectors did over time
#[derive(Args, Debug)]
#[command(after_help = "\
Each selector and site has a series of its own: the signal, aggregated over steps of equal length.
A value is judged by earlier values of its series alone, and joins them afterwards.

Methods, with parameters for --set and their defaults:
  adaptive                threshold=10 refractory=150 memory=20160 warm_up=100
                          (time of day and nearest known values, extreme-value statistics)
  z_score                 threshold=2.5 min_samples=30
  iqr                     threshold=1.5 min_samples=20
  moving_average          window=20 threshold=2.5 min_samples=50
  exponential_smoothing   alpha=0.3 threshold=2.5 min_samples=30
  isolation_forest        trees=100 samples=256 threshold=0.65 min_samples=64 seed=0
  seasonal_decomposition  period=24 threshold=3.5 min_samples=72

Steps without operations have no value, but for the frequency, where they are 0.
With --json: one anomaly per line; with --all, one value per line.
Exit code 1 when the store is damaged (what is readable is judged).

Examples:
  telemetry anomalies --signal duration_ms --aggregate p95 --since -7d
  telemetry anomalies --method z_score --set threshold=4 --selector 'shop.*'
  telemetry anomalies --input values.csv --method iqr")]
pub(crate) struct AnomaliesArgs {
    #[command(flatten)]
    filter: Filter,

    /// adaptive, z_score, iqr, moving_average, exponential_smoothing, isolation_forest or
    /// seasonal_decomposition
    #[arg(long, value_name = "METHOD", default_value = "adaptive", value_parser = choice)]
    method: Choice,

    /// A parameter of the method, as in threshold=3; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    set: Vec<(String, String)>,

    /// success_rate, error_rate, confidence, match_count, duration_ms, frequency, ...
    #[arg(long, value_name = "SIGNAL", default_value = "duration_ms")]
    signal: Signal,

    /// How a step's values become one: mean, min, max, rate, count, p50, p90, p95, p99 [default:
    /// rate for shares and the frequency, otherwise mean]
    #[arg(long, value_name = "AGGREGATE")]
    aggregate: Option<Aggregate>,

    /// Length of a step
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = step)]
    every: Duration,

    /// Values that the method remembers, except adaptive
    #[arg(long, value_name = "NUMBER", default_value_t = 2016)]
    remember: usize,

    /// Every value with its score, not only anomalies
    #[arg(long)]
    all: bool,

    /// Judge the lines `timestamp,value` of a CSV file, in their order, instead of a store
    #[arg(long, value_name = "FILE", conflicts_with_all = ["selector", "site", "since", "until"])]
    input: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    Adaptive,
    Named(MethodName),
}

fn choice(name: &str) -> Result<Choice, String> {
    if name == "adaptive" {
        return Ok(Choice::Adaptive);
    }
    name.parse().map(Choice::Named).map_err(|error| format!("{error}, or adaptive"))
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, as in threshold=3")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn step(text: &str) -> Result<Duration, String> {
    match moment::span(text)? {
        Duration::ZERO => Err("expected a length of time above 0, as in 5m".to_owned()),
        step => Ok(step),
    }
}

/// One judged value.
#[derive(Serialize)]
struct Row<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    selector: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<&'a str>,
    timestamp: Timestamp,
    value: f64,
    samples: u64,
    expected: Option<f64>,
    /// `null` while there are too few earlier values, or when they did not vary at all.
    score: Option<f64>,
    threshold: f64,
    anomalous: bool,
}

pub(crate) fn run(args: &AnomaliesArgs, global: &Global, console: &mut Console) -> Outcome {
    let method = Chosen::new(args)?;
    let mut damaged = false;
    let all = if let Some(path) = &args.input {
        vec![series::from_file(path)?]
    } else {
        let settings = Settings::load(global)?;
        let query = args.filter.query(settings.now)?;
        let store = settings.open_store()?;
        let wanted = series::Wanted {
            signal: args.signal,
            aggregate: args.aggregate.unwrap_or_else(|| series::natural(args.signal)),
            every: args.every,
        };
        let (all, errors) = series::from_store(&*store, &query, &wanted)?;
        for error in &errors {
            damaged = true;
            console.error(error);
        }
        all
    };
    let mut table = table();
    let (mut values, mut anomalies, mut judged) = (0_u64, 0_u64, 0_u64);
    for series in &all {
        let mut detector = method.detector()?;
        for point in &series.points {
            let row = detector.row(series, point);
            values += 1;
            anomalies += u64::from(row.anomalous);
            judged += u64::from(row.score.is_some() || row.anomalous);
            if !(args.all || row.anomalous) || console.closed() {
                continue;
            }
            if global.json {
                console.json_line(&row)?;
            } else {
                table.row(console, cells(&row))?;
            }
        }
    }
    table.end(console)?;
    let series = figures::counted(all.len() as u64, "series").replace("seriess", "series");
    console.note(format_args!(
        "{anomalies} of {} anomalous, in {series}; {} had enough values before them",
        figures::counted(values, "value"),
        figures::count(judged),
    ));
    if let Chosen::Adaptive(config) = &method {
        console.note(format_args!(
            "promised: at most {:.2} by chance among so many; measured: {anomalies}",
            config.false_alarms(judged),
        ));
    }
    Ok(Exit::fine_if(!damaged))
}

enum Chosen {
    Adaptive(SeriesConfig),
    Named(Method, usize),
}

impl Chosen {
    fn new(args: &AnomaliesArgs) -> Result<Self> {
        match args.method {
            Choice::Adaptive => {
                let mut config = SeriesConfig::default();
                for (name, value) in &args.set {
                    config.set(name, value).map_err(|error| refused(&error))?;
                }
                config.validate().map_err(|error| refused(&error))?;
                Ok(Self::Adaptive(config))
            }
            Choice::Named(name) => {
                let mut method = Method::new(name);
                for (name, value) in &args.set {
                    method.set(name, value).map_err(|error| refused(&error))?;
                }
                MethodDetector::new(method.clone(), args.remember)
                    .map_err(|error| refused(&error))?;
                Ok(Self::Named(method, args.remember))
            }
        }
    }

    fn detector(&self) -> Result<Detector> {
        Ok(match self {
            Self::Adaptive(config) => {
                Detector::Adaptive(Box::new(SeriesDetector::new(*config)), *config, 0)
            }
            Self::Named(method, memory) => {
                let detector = MethodDetector::new(method.clone(), *memory);
                Detector::Named(detector.map_err(|error| refused(&error))?, method.threshold())
            }
        })
    }
}

fn refused(error: &InvalidParameter) -> Error {
    Error::new(ErrorKind::Invalid, Code::Configuration, error.to_string())
        .cure("`telemetry anomalies --help` lists the parameters of each method")
}

enum Detector {
    Adaptive(Box<SeriesDetector>, SeriesConfig, u64),
    Named(MethodDetector, f64),
}

impl Detector {
    fn row<'a>(&mut self, series: &'a Series, point: &series::Point) -> Row<'a> {
        let (score, expected, threshold, anomalous) = match self {
            Self::Adaptive(detector, config, seen) => {
                let at_s = point.at.as_millis().div_euclid(1000);
                let it = detector.step(at_s, point.value);
                *seen += 1;
                let score = (*seen > config.warm_up).then_some(it.alarm);
                (score, it.expected, config.threshold, it.anomalous)
            }
            Self::Named(detector, threshold) => match detector.step(point.value) {
                Some(it) => {
                    let score = it.score.is_finite().then_some(it.score);
                    (score, it.expected, it.threshold, it.anomalous)
                }
                None => (None, None, *threshold, false),
            },
        };
        Row {
            selector: series.selector.as_deref(),
            site: series.site.as_deref(),
            timestamp: point.at,
            value: point.value,
            samples: point.samples,
            expected,
            score,
            threshold,
            anomalous,
        }
    }
}

fn table() -> Table<7> {
    Table::new([
        Column::text("TIME (UTC)"),
        Column::long("SELECTOR"),
        Column::long("SITE").spare(1),
        Column::number("VALUE"),
        Column::number("EXPECTED").spare(2),
        Column::number("SCORE"),
        Column::number("LIMIT").spare(3),
    ])
}

fn cells(row: &Row<'_>) -> [Cell; 7] {
    let tone = if row.anomalous { Tone::Bad } else { Tone::Normal };
    let score = match row.score {
        Some(score) => format!("{score:.2}"),
        None if row.anomalous => "inf".into(),
        None => "-".into(),
    };
    [
        figures::time(row.timestamp).into(),
        Cell::maybe(row.selector),
        Cell::maybe(row.site),
        figures::milliseconds(row.value).into(),
        Cell::maybe(row.expected.map(figures::milliseconds)),
        Cell::toned(&score, tone),
        format!("{:.2}", row.threshold).into(),
    ]
}

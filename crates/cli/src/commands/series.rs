//! Series of aggregated values, out of a store or a file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Query, Result};
use telemetry_runtime::models::{Aggregate, Signal, Timestamp};
use telemetry_runtime::storage::Store;

/// Steps a series may have; more would not fit into memory for many selectors.
const MOST_STEPS: i64 = 1_000_000;

/// One series in order of time.
pub(super) struct Series {
    pub(super) selector: Option<Arc<str>>,
    pub(super) site: Option<Arc<str>>,
    pub(super) points: Vec<Point>,
}

/// The value of one step.
pub(super) struct Point {
    /// When the step begins.
    pub(super) at: Timestamp,
    pub(super) value: f64,
    /// What it was made of.
    pub(super) samples: u64,
}

/// How events become a series.
pub(super) struct Wanted {
    pub(super) signal: Signal,
    pub(super) aggregate: Aggregate,
    pub(super) every: Duration,
}

/// The aggregate that suits a signal when none is asked for.
pub(super) fn natural(signal: Signal) -> Aggregate {
    match signal {
        Signal::FallbackDepth
        | Signal::StrategySwitches
        | Signal::Confidence
        | Signal::MatchCount
        | Signal::DurationMs => Aggregate::Mean,
        _ => Aggregate::Rate,
    }
}

type Key = (Arc<str>, Option<Arc<str>>);

/// A series for each selector and site, and what damage was met on the way.
pub(super) fn from_store(
    store: &dyn Store,
    query: &Query,
    wanted: &Wanted,
) -> Result<(Vec<Series>, Vec<Error>)> {
    let every = i64::try_from(wanted.every.as_nanos()).unwrap_or(i64::MAX).max(1);
    let mut steps: BTreeMap<Key, BTreeMap<i64, Vec<f64>>> = BTreeMap::new();
    let mut errors = Vec::new();
    for event in store.query(query)? {
        let event = match event {
            Ok(event) => event,
            Err(error) => {
                errors.push(error);
                continue;
            }
        };
        let Some(value) = wanted.signal.of(&event) else { continue };
        let key = (Arc::from(event.selector.as_str()), event.site().map(Arc::from));
        let step = event.timestamp.as_nanos().div_euclid(every);
        steps.entry(key).or_default().entry(step).or_default().push(value);
    }
    let series = steps.into_iter().map(|((selector, site), mut steps)| {
        if wanted.signal == Signal::Frequency {
            fill(&mut steps);
        }
        let points = steps.into_iter().map(|(step, values)| Point {
            at: Timestamp::from_nanos(step.saturating_mul(every)),
            samples: values.len() as u64,
            value: aggregate(wanted, values),
        });
        Series { selector: Some(selector), site, points: points.collect() }
    });
    Ok((series.collect(), errors))
}

/// Steps in which nothing happened count for the frequency.
fn fill(steps: &mut BTreeMap<i64, Vec<f64>>) {
    let (Some(first), Some(last)) =
        (steps.keys().next().copied(), steps.keys().next_back().copied())
    else {
        return;
    };
    if last.saturating_sub(first) < MOST_STEPS {
        for step in first..last {
            steps.entry(step).or_default();
        }
    }
}

fn aggregate(wanted: &Wanted, mut values: Vec<f64>) -> f64 {
    let count = values.len() as f64;
    if wanted.signal == Signal::Frequency {
        return count / wanted.every.as_secs_f64();
    }
    values.sort_by(f64::total_cmp);
    let at_quantile = |quantile: f64| {
        // Nearest rank.
        let rank = (quantile * count).ceil().max(1.0) as usize;
        values[rank.min(values.len()) - 1]
    };
    match wanted.aggregate {
        Aggregate::Min => values[0],
        Aggregate::Max => values[values.len() - 1],
        Aggregate::Count => values.iter().filter(|it| **it != 0.0).count() as f64,
        other => match other.quantile() {
            Some(quantile) => at_quantile(quantile),
            None => values.iter().sum::<f64>() / count,
        },
    }
}

/// The lines `timestamp,value` of a file, in their order; a first line that is a heading is passed
/// over.
///
/// # Errors
/// TEL-003 for a line that is something else, TEL-005 when the file cannot be read.
pub(super) fn from_file(path: &Path) -> Result<Series> {
    let text = super::input(path)?;
    let mut points = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let mut fields = line.split(',').map(str::trim);
        let point = fields.next().zip(fields.next()).and_then(|(stamp, value)| {
            let value: f64 = value.parse().ok().filter(|it: &f64| it.is_finite())?;
            Some(Point { at: timestamp(stamp)?, value, samples: 1 })
        });
        match point {
            Some(point) => points.push(point),
            None if at == 0 => {}
            None => {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    Code::InvalidEvent,
                    "expected `timestamp,value`: a time in UTC and a number",
                )
                .with("file", path.display())
                .with("line", at + 1)
                .with("found", format_args!("{line:?}"))
                .cure("write times as 2026-11-01T12:00:00Z or 2026-11-01 12:00:00"));
            }
        }
    }
    Ok(Series { selector: None, site: None, points })
}

fn timestamp(text: &str) -> Option<Timestamp> {
    text.parse().ok().or_else(|| format!("{}Z", text.replacen(' ', "T", 1)).parse().ok())
}

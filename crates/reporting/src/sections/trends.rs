//! What rises or falls steadily, and what changed at one moment.

use super::MAX_ROWS;
use crate::builder::{cut, rows};
use crate::change;
use crate::collect::{Collected, Row};
use crate::config::ReportingConfig;
use crate::rows::{ms, site_name};
use crate::text::rounded;
use telemetry_aggregation::{
    Bucket, Calendar, Day, MIN_TREND_VALUES, discovery_rates, split_of_durations, trend,
};
use telemetry_models::report::{ChangePoint, Measure, TrendLine, TrendRow, Trends};
use telemetry_models::{SelectorName, Signal, Timestamp};

/// Seconds of a day.
const DAY_S: u64 = 86_400;
/// Days after which the week repeats.
const WEEK: usize = 7;
/// Most false discoveries among those called trends.
const DISCOVERY_RATE: f64 = 0.05;
/// Signals whose course is followed.
const SIGNALS: [Signal; 5] = [
    Signal::SuccessRate,
    Signal::DurationMs,
    Signal::FallbackRate,
    Signal::Confidence,
    Signal::Frequency,
];

/// Equal steps of time.
struct Steps {
    values: Vec<Option<f64>>,
    step_s: u64,
    season: usize,
}

pub(crate) fn trends(config: &ReportingConfig, collected: &Collected) -> Trends {
    let mut found: Vec<(TrendRow, f64)> = Vec::new();
    for (selector, site, row) in rows(collected) {
        for signal in SIGNALS {
            let line = line(&steps(row, signal));
            let change = change_point(config, row, signal);
            if line.is_none() && change.is_none() {
                continue;
            }
            let probability = line.map_or(1.0, |it| it.probability);
            found.push((trend_row(selector, site, signal, line, change), probability));
        }
    }
    let judged = found.iter().filter(|(row, _)| row.line.is_some()).count() as u64;
    let judgeable: Vec<f64> =
        found.iter().filter(|(row, _)| row.line.is_some()).map(|(_, it)| *it).collect();
    let mut rates = discovery_rates(&judgeable).into_iter();
    for (row, _) in &mut found {
        let Some(line) = &mut row.line else { continue };
        line.q_value = rounded(rates.next().unwrap_or(1.0), 6);
        row.steady = line.q_value <= DISCOVERY_RATE && line.low * line.high > 0.0;
    }
    let mut rows: Vec<TrendRow> = found
        .into_iter()
        .map(|(row, _)| row)
        .filter(|row| row.steady || row.change.is_some())
        .collect();
    rows.sort_by(|a, b| {
        let q = |it: &TrendRow| it.line.map_or(1.0, |line| line.q_value);
        (a.change.is_none().cmp(&b.change.is_none()))
            .then(q(a).total_cmp(&q(b)))
            .then_with(|| (&a.selector, &a.site, a.signal).cmp(&(&b.selector, &b.site, b.signal)))
    });
    let (rows, rows_omitted) = cut(rows, MAX_ROWS);
    Trends { judged, rows, rows_omitted }
}

/// The trend of use by day, over the days between the first and the last.
pub(crate) fn of_use(calendar: &Calendar) -> Option<TrendLine> {
    line(&by_day(calendar, |day| Some(day.operations as f64)))
}

fn trend_row(
    selector: &SelectorName,
    site: &str,
    signal: Signal,
    line: Option<TrendLine>,
    change: Option<ChangePoint>,
) -> TrendRow {
    TrendRow {
        selector: selector.clone(),
        site: site_name(site),
        signal,
        line,
        steady: false,
        change,
    }
}

/// By day where there are enough days and the signal is kept by day, otherwise by the steps of the
/// timeline. The first and last step are incomplete, so what counts operations leaves them out.
fn steps(row: &Row, signal: Signal) -> Steps {
    let days = row.calendar.bounds().map_or(0, |(first, last)| (last - first + 1) as usize);
    let daily: Option<fn(&Day) -> Option<f64>> = match signal {
        Signal::SuccessRate => Some(|day| share(day.successes, day.verdicts)),
        Signal::DurationMs => Some(|day| day.durations.median().map(ms)),
        Signal::Frequency => Some(|day| Some(day.operations as f64)),
        _ => None,
    };
    if let (Some(of), true) = (daily, days >= MIN_TREND_VALUES) {
        return by_day(&row.calendar, of);
    }
    let of: fn(&Bucket) -> Option<f64> = match signal {
        Signal::SuccessRate => |it| share(it.successes, it.verdicts),
        Signal::DurationMs => |it| it.durations.median().map(ms),
        Signal::FallbackRate => |it| share(it.fallbacks, it.depths),
        Signal::Confidence => |it| it.confidence.mean(),
        _ => |it| Some(it.operations as f64),
    };
    let timeline = &row.summary.timeline;
    let mut values: Vec<Option<f64>> = timeline.on_axis_of(timeline).iter().map(of).collect();
    if signal == Signal::Frequency {
        ends_out(&mut values);
    }
    Steps { values, step_s: timeline.width().as_secs(), season: 1 }
}

fn by_day(calendar: &Calendar, of: impl Fn(&Day) -> Option<f64>) -> Steps {
    let empty = Day::default();
    let mut values: Vec<Option<f64>> = calendar
        .bounds()
        .map(|(first, last)| {
            (first..=last).map(|day| of(calendar.get(day).unwrap_or(&empty))).collect()
        })
        .unwrap_or_default();
    ends_out(&mut values);
    Steps { values, step_s: DAY_S, season: WEEK }
}

fn ends_out(values: &mut [Option<f64>]) {
    if let [first, .., last] = values {
        (*first, *last) = (None, None);
    }
}

fn share(count: u64, n: u64) -> Option<f64> {
    (n > 0).then(|| count as f64 / n as f64)
}

fn line(steps: &Steps) -> Option<TrendLine> {
    let found = trend(&steps.values, steps.season)?;
    let seasonal = steps.season > 1 && steps.values.len() >= 3 * steps.season;
    let a_day = DAY_S as f64 / steps.step_s as f64;
    Some(TrendLine {
        n: found.n as u64,
        step_s: steps.step_s,
        season: if seasonal { steps.season as u64 } else { 1 },
        per_day: rounded(found.slope * a_day, 6),
        low: rounded(found.low * a_day, 6),
        high: rounded(found.high * a_day, 6),
        probability: rounded(found.probability, 6),
        q_value: rounded(found.probability, 6),
    })
}

/// The clearest change of a signal within the period, by the tests that also make findings.
fn change_point(config: &ReportingConfig, row: &Row, signal: Signal) -> Option<ChangePoint> {
    let steps: Vec<(Timestamp, &Bucket)> = row.summary.timeline.buckets().collect();
    let within_s = row.summary.timeline.width().as_secs();
    let min = config.min_samples;
    let measure = |value: f64, n: u64| Measure { signal, value: rounded(value, 6), n };
    let point = |since, before: (f64, u64), after: (f64, u64)| ChangePoint {
        since,
        within_s,
        before: measure(before.0, before.1),
        after: measure(after.0, after.1),
    };
    let of_share = |least: f64, of: fn(&Bucket) -> (u64, u64)| {
        [false, true]
            .into_iter()
            .filter_map(|rises| change::of_share(&steps, min, rises, of))
            .map(|it| (it, change::share(it.before), change::share(it.after)))
            .filter(|(_, before, after)| (after - before).abs() >= least)
            .max_by(|a, b| (a.2 - a.1).abs().total_cmp(&(b.2 - b.1).abs()))
            .map(|(it, before, after)| point(it.since, (before, it.before.1), (after, it.after.1)))
    };
    match signal {
        Signal::SuccessRate => of_share(config.success_drop, |it| (it.successes, it.verdicts)),
        Signal::FallbackRate => of_share(config.fallback_rise, |it| (it.fallbacks, it.depths)),
        Signal::DurationMs => {
            let rise = change::of_duration(&steps, min)
                .map(|it| (it.since, it.before, it.after))
                .or_else(|| fall(&steps, min));
            rise.map(|(since, before, after)| {
                point(since, (ms(before.0), before.1), (ms(after.0), after.1))
            })
            .filter(|it| {
                let (low, high) =
                    (it.before.value.min(it.after.value), it.before.value.max(it.after.value));
                high >= low * config.slow_ratio && high - low >= config.slow_min_ms
            })
        }
        Signal::Confidence => change::of_confidence(&steps, min).and_then(|it| {
            let (before, after) = (it.before.mean()?, it.after.mean()?);
            (before - after >= config.confidence_drop)
                .then(|| point(it.since, (before, it.before.n), (after, it.after.n)))
        }),
        _ => None,
    }
}

type Side = (std::time::Duration, u64);

/// A median that fell: where the distribution changes most clearly, if most of it is quicker there.
fn fall(steps: &[(Timestamp, &Bucket)], min: u64) -> Option<(Timestamp, Side, Side)> {
    let durations: Vec<_> = steps.iter().map(|(_, it)| &it.durations).collect();
    let at = split_of_durations(&durations, min.max(20))?;
    let side = |of: &[(Timestamp, &Bucket)]| {
        let mut sum = telemetry_aggregation::CoarseHistogram::default();
        for (_, step) in of {
            sum.merge(&step.durations);
        }
        Some((sum.median()?, sum.n()))
    };
    let (before, after) = (side(&steps[..at])?, side(&steps[at..])?);
    (after.0 < before.0).then_some((steps[at].0, before, after))
}

//! What stands behind each selector, in columns, for the script that draws it on demand.
//!
//! One column for each kind of fact, one entry for each row of the table, texts once in a list, no
//! number that follows from others: the file stays small, and nothing of it is laid out before
//! somebody asks.

use super::markup::Markup;
use super::{svg, tables};
use crate::text::{clean, millis, percent, rounded, span, time};
use serde_json::{Value, json};
use std::collections::HashMap;
use telemetry_models::report::{Distribution, Report, SelectorRow, Series};
use telemetry_models::{EventId, Outcome, Timestamp};

/// Symbols of a series' levels, lowest first; a dot stands for a step without data.
const LEVELS: &[u8; 64] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
/// Most steps of a series.
const STEPS: usize = 32;
/// Faults of a selector whose events are named.
const FAULTS: usize = 1;
/// Strategies of a selector that are listed.
const STRATEGIES: usize = 8;
/// Groups of errors of a selector that are listed.
const ERRORS: usize = 2;
/// Characters of an error's message.
const MESSAGE: usize = 80;

/// Texts, each once.
#[derive(Default)]
struct Texts {
    at: HashMap<String, usize>,
    list: Vec<String>,
}

impl Texts {
    fn at(&mut self, text: &str) -> usize {
        let text = clean(text);
        if let Some(at) = self.at.get(&text) {
            return *at;
        }
        self.list.push(text.clone());
        self.at.insert(text, self.list.len() - 1);
        self.list.len() - 1
    }

    fn maybe(&mut self, text: Option<&str>) -> Value {
        text.map_or(json!(-1), |text| json!(self.at(text)))
    }
}

pub(super) fn data(page: &mut Markup, report: &Report) {
    if report.selectors.is_empty() {
        return;
    }
    let begin = report.selectors.iter().filter_map(|row| row.last_success).min().map_or(0, seconds);
    let mut texts = Texts::default();
    let mut columns: Vec<(&str, Vec<Value>)> =
        ["ok", "out", "time", "depth", "conf", "strat", "err", "ev", "ser", "dist", "spark"]
            .map(|name| (name, Vec::with_capacity(report.selectors.len())))
            .into();
    for (at, row) in report.selectors.iter().enumerate() {
        let drawn = at < tables::DRAWN_ROWS;
        let values = [
            json!(successes(row) - accepted(row).iter().sum::<i64>()),
            outcomes(row, &mut texts),
            times(row),
            depths(row),
            confidence(row),
            strategies(row, &mut texts),
            errors(row, &mut texts),
            events(row, begin),
            series(&row.series),
            row.distribution.as_ref().map_or(json!(0), |it| distribution(it, &mut texts)),
            if drawn { json!(0) } else { spark(&row.series) },
        ];
        for ((_, column), value) in columns.iter_mut().zip(values) {
            column.push(value);
        }
    }
    let axis = report.selectors.first().map(|row| &row.series);
    let mut data = serde_json::Map::new();
    for (name, column) in columns {
        data.insert(name.into(), Value::Array(column));
    }
    data.insert("begin".into(), json!(begin));
    data.insert("step".into(), json!(axis.map_or(String::new(), |it| span(it.step_s))));
    data.insert("from".into(), json!(axis.and_then(|it| it.start).map(time).unwrap_or_default()));
    data.insert("texts".into(), json!(texts.list));
    page.raw("<script type=application/json id=data>");
    page.json(&Value::Object(data));
    page.raw("</script>\n");
}

/// A time as the number of milliseconds that is shown, so that the script writes the same; as text
/// where rounding has crossed a unit.
fn shown(ms: f64) -> Value {
    let text = millis(ms);
    let number = text.split_once(' ').and_then(|(number, unit)| {
        let scale = match unit {
            "µs" => 1e-3,
            "ms" => 1.0,
            "s" => 1e3,
            _ => 3.6e6,
        };
        Some(rounded(number.parse::<f64>().ok()? * scale, 3))
    });
    match number {
        Some(number) if millis(number) == text => plain(number),
        _ => json!(text),
    }
}

/// Whole numbers without a fraction.
fn plain(number: f64) -> Value {
    if number.fract() == 0.0 && number.abs() < 1e15 { json!(number as i64) } else { json!(number) }
}

fn seconds(at: Timestamp) -> i64 {
    at.as_nanos().div_euclid(1_000_000_000)
}

fn successes(row: &SelectorRow) -> i64 {
    let own = row.outcomes.iter().filter(|it| it.outcome == Outcome::Success);
    own.map(|it| it.count as i64).sum()
}

/// The tries used of each strategy that is listed.
fn accepted(row: &SelectorRow) -> Vec<i64> {
    row.strategies.iter().take(STRATEGIES).map(|it| it.accepted as i64).collect()
}

/// Outcomes other than success.
fn outcomes(row: &SelectorRow, texts: &mut Texts) -> Value {
    let flat =
        row.outcomes.iter().filter(|it| it.outcome != Outcome::Success).flat_map(|it| {
            [json!(texts.at(&it.outcome.as_str().replace('_', " "))), json!(it.count)]
        });
    Value::Array(flat.collect())
}

/// The two quantiles that the table has no room for, and how many were timed unless that is every
/// success.
fn times(row: &SelectorRow) -> Value {
    let Some(it) = &row.durations else { return json!(0) };
    let mut flat = vec![shown(it.p99_ms), shown(it.max_ms)];
    if it.n as i64 != successes(row) {
        flat.push(json!(it.n));
    }
    Value::Array(flat)
}

/// 1 stands for the tries used of the strategies, in their order.
fn depths(row: &SelectorRow) -> Value {
    let known = row.fallback_depths.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    let depths = &row.fallback_depths[..known];
    let same = accepted(row).iter().copied().eq(depths.iter().map(|it| *it as i64));
    if same { json!(1) } else { json!(depths) }
}

/// The lowest, and how many have one unless that is every success; the table has the mean.
fn confidence(row: &SelectorRow) -> Value {
    let Some(it) = &row.confidence else { return json!([]) };
    let lowest = format!("{:.2}", it.min).parse().unwrap_or(it.min);
    let mut flat = vec![plain(lowest)];
    if it.n as i64 != successes(row) {
        flat.push(json!(it.n));
    }
    Value::Array(flat)
}

/// Tried is told as the difference from what the strategies before left over, empty as the
/// difference from what the other ends leave: zero where strategies are tried in order.
fn strategies(row: &SelectorRow, texts: &mut Texts) -> Value {
    let mut left: i64 = row.outcomes.iter().map(|it| it.count as i64).sum();
    let one = |it: &telemetry_models::report::StrategyRow| {
        let strategy = it.strategy.as_ref();
        let (tried, accepted) = (it.tried as i64, it.accepted as i64);
        let failed: i64 = it.failed.iter().map(|it| it.count as i64).sum();
        let empty = it.empty as i64 - (tried - accepted - failed);
        let mut flat = vec![
            texts.maybe(strategy.map(|it| it.kind.as_str())),
            texts.maybe(strategy.and_then(|it| it.text.as_deref())),
            json!(tried - left),
            json!(accepted),
            it.median_ms.map_or(json!(""), shown),
        ];
        left = tried - accepted;
        if it.shadow > 0 || empty != 0 || !it.failed.is_empty() {
            flat.extend([json!(it.shadow), json!(empty)]);
        }
        for failed in &it.failed {
            flat.push(json!(texts.at(&failed.outcome.as_str().replace('_', " "))));
            flat.push(json!(failed.count));
        }
        Value::Array(flat)
    };
    Value::Array(row.strategies.iter().take(STRATEGIES).map(one).collect())
}

fn errors(row: &SelectorRow, texts: &mut Texts) -> Value {
    let one = |it: &telemetry_models::report::ErrorGroup| {
        json!([
            texts.maybe(it.kind.as_deref()),
            texts.maybe(it.message.as_deref().map(cut).as_deref()),
            it.count,
        ])
    };
    Value::Array(row.errors.iter().take(ERRORS).map(one).collect())
}

/// Messages repeat what the strategies say.
fn cut(message: &str) -> String {
    let mut text: String = message.chars().take(MESSAGE).collect();
    if text.len() < message.len() {
        text.push('…');
    }
    text
}

/// Distinct URLs, flips, the latest success, and faults; what is at the end and absent is left out.
fn events(row: &SelectorRow, begin: i64) -> Value {
    let flips = row.flakiness.map_or(json!(0), |it| {
        let share = percent(it.share);
        let share = share.trim_end_matches('%').parse().map_or(json!(share), plain);
        json!([share, it.n])
    });
    let success = row.last_success.map_or(Value::Null, |at| json!(seconds(at) - begin));
    let mut flat = vec![json!(row.urls), flips, success];
    flat.push(json!(row.last_success_event.as_ref().map_or(String::new(), short)));
    flat.extend(row.recent_faults.iter().rev().take(FAULTS).map(|id| json!(short(id))));
    Value::Array(flat)
}

/// A UUID as 22 digits to the base of 64; any other id behind an equals sign.
fn short(id: &EventId) -> String {
    let text = clean(&id.to_string());
    let number = u128::from_str_radix(&text.replace('-', ""), 16).ok();
    match number.filter(|it| EventId::from_u128(*it).to_string() == text) {
        Some(number) => {
            (0..22).rev().map(|at| char::from(LEVELS[(number >> (6 * at)) as usize & 63])).collect()
        }
        None => format!("={text}"),
    }
}

/// Successes and faults as [`svg::spark_levels`], drawn by the script as `svg::spark` does; one
/// symbol where all are the same.
fn spark(series: &Series) -> Value {
    let symbols = |levels: &[u64]| -> String {
        let same = levels.windows(2).all(|pair| pair[0] == pair[1]);
        let listed = if same { &levels[..levels.len().min(1)] } else { levels };
        listed.iter().map(|level| char::from(LEVELS[*level as usize & 63])).collect()
    };
    svg::spark_levels(series)
        .map_or(json!(0), |(up, down)| json!([up.len(), symbols(&up), symbols(&down)]))
}

/// Median time, share of fallbacks and mean confidence; those that never change are left out.
fn series(series: &Series) -> Value {
    let top = series.p50_ms.iter().flatten().copied().fold(0.0, f64::max);
    let varies = |values: &[Option<f64>]| {
        let mut known = values.iter().flatten();
        let first = known.next();
        known.any(|it| Some(it) != first)
    };
    let levels = |values: &[Option<f64>], top: f64| {
        if !varies(values) {
            return String::new();
        }
        let symbol = |value: &Option<f64>| {
            value.map_or('.', |value| {
                let level = (value / top * 63.0).round().clamp(0.0, 63.0) as usize;
                char::from(LEVELS[level])
            })
        };
        let each = values.len().div_ceil(STEPS).max(1);
        let mean = |chunk: &[Option<f64>]| {
            let known: Vec<f64> = chunk.iter().flatten().copied().collect();
            (!known.is_empty()).then(|| known.iter().sum::<f64>() / known.len() as f64)
        };
        values.chunks(each).map(|chunk| symbol(&mean(chunk))).collect()
    };
    json!([
        levels(&series.p50_ms, top),
        shown(top),
        levels(&series.fallback_share, 1.0),
        levels(&series.confidence, 1.0),
    ])
}

/// The counts of each part as levels of its largest, and how many there are.
fn distribution(it: &Distribution, texts: &mut Texts) -> Value {
    let bins = it.before.len() as f64;
    let levels = |counts: &[u64]| -> String {
        let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let symbol = |n: &u64| {
            let level = (*n as f64 / most * 63.0).ceil() as usize;
            char::from(LEVELS[level.min(63)])
        };
        counts.iter().map(symbol).collect()
    };
    json!([
        shown(it.from_ms),
        shown(rounded(it.from_ms * (bins / 2.0).exp2(), 3)),
        levels(&it.before),
        levels(&it.after),
        it.before.iter().sum::<u64>(),
        it.after.iter().sum::<u64>(),
        texts.at(&it.parted),
    ])
}

//! What stands behind each selector, in columns, for the script that draws it on demand.
//!
//! One column for each kind of fact, one entry for each row of the table, texts once in a list:
//! the file stays small, and nothing of it is laid out before somebody asks.

use super::markup::Markup;
use crate::text::{clean, count, millis, percent, rounded, span, time};
use serde_json::{Value, json};
use std::collections::HashMap;
use telemetry_models::report::{Distribution, Report, SelectorRow, Series};

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
    let mut texts = Texts::default();
    let mut columns: Vec<(&str, Vec<Value>)> =
        ["out", "time", "depth", "conf", "strat", "err", "ev", "ser", "dist"]
            .map(|name| (name, Vec::with_capacity(report.selectors.len())))
            .into();
    for row in &report.selectors {
        let values = [
            outcomes(row, &mut texts),
            times(row),
            depths(row),
            confidence(row),
            strategies(row, &mut texts),
            errors(row, &mut texts),
            events(row),
            series(&row.series),
            row.distribution.as_ref().map_or(json!(0), |it| distribution(it, &mut texts)),
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
    data.insert("step".into(), json!(axis.map_or(String::new(), |it| span(it.step_s))));
    data.insert("from".into(), json!(axis.and_then(|it| it.start).map(time).unwrap_or_default()));
    data.insert("texts".into(), json!(texts.list));
    page.raw("<script type=application/json id=data>");
    page.json(&Value::Object(data));
    page.raw("</script>\n");
}

fn outcomes(row: &SelectorRow, texts: &mut Texts) -> Value {
    let flat = row
        .outcomes
        .iter()
        .flat_map(|it| [json!(texts.at(&it.outcome.as_str().replace('_', " "))), json!(it.count)]);
    Value::Array(flat.collect())
}

/// The two quantiles that the table has no room for.
fn times(row: &SelectorRow) -> Value {
    row.durations
        .as_ref()
        .map_or(json!(0), |it| json!([millis(it.p99_ms), millis(it.max_ms), it.n]))
}

fn depths(row: &SelectorRow) -> Value {
    let known = row.fallback_depths.iter().rposition(|n| *n > 0).map_or(0, |last| last + 1);
    json!(row.fallback_depths[..known])
}

fn confidence(row: &SelectorRow) -> Value {
    row.confidence
        .as_ref()
        .map_or(json!(0), |it| json!([format!("{:.2}", it.mean), format!("{:.2}", it.min), it.n]))
}

fn strategies(row: &SelectorRow, texts: &mut Texts) -> Value {
    let one = |it: &telemetry_models::report::StrategyRow| {
        let strategy = it.strategy.as_ref();
        let mut flat = vec![
            texts.maybe(strategy.map(|it| it.kind.as_str())),
            texts.maybe(strategy.and_then(|it| it.text.as_deref())),
            json!(it.tried),
            json!(it.accepted),
            json!(it.empty),
            json!(it.shadow),
            it.median_ms.map_or(json!(0), |ms| json!(millis(ms))),
        ];
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

fn events(row: &SelectorRow) -> Value {
    let faults = row.recent_faults.iter().rev().take(FAULTS);
    let faults: Vec<String> = faults.map(|id| clean(&id.to_string())).collect();
    json!([
        row.last_success.map(time),
        row.last_success_event.as_ref().map(|id| clean(&id.to_string())),
        faults,
        row.urls,
        row.flakiness.map(|it| format!("{} of {}", percent(it.share), count(it.n))),
    ])
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
        millis(top),
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
        millis(it.from_ms),
        millis(rounded(it.from_ms * (bins / 2.0).exp2(), 3)),
        levels(&it.before),
        levels(&it.after),
        it.before.iter().sum::<u64>(),
        it.after.iter().sum::<u64>(),
        texts.at(&it.parted),
    ])
}

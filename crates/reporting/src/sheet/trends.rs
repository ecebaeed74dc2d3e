use super::{Cell, Sheet, Table};
use crate::text::{count, counted, measure, span, time};
use telemetry_models::Signal;
use telemetry_models::report::{TrendLine, TrendRow, Trends};

pub(super) fn sheet(it: &Trends) -> Sheet {
    let rows = it.rows.iter().map(|row| {
        vec![
            Cell::Name(Some(row.selector.clone()), row.site.clone()),
            Cell::Text(row.signal.as_str().replace('_', " ")),
            Cell::Text(changed(row)),
            Cell::Text(steady(row)),
        ]
    });
    Sheet {
        id: "trends",
        title: "Trends",
        paragraphs: vec![format!(
            "{} long enough to judge; below are those that change steadily or changed at one \
             moment.",
            counted(it.judged, "series").replace("seriess", "series"),
        )],
        tables: vec![Table {
            title: "What changes".into(),
            head: vec!["Selector", "Signal", "Changed", "Steadily"],
            rows: rows.collect(),
            omitted: it.rows_omitted,
        }],
    }
}

fn changed(row: &TrendRow) -> String {
    row.change.as_ref().map_or_else(
        || "not at one moment".to_owned(),
        |it| {
            format!(
                "{} → {} about {} (within {})",
                measure(&it.before),
                measure(&it.after),
                time(it.since),
                span(it.within_s)
            )
        },
    )
}

fn steady(row: &TrendRow) -> String {
    match &row.line {
        Some(it) if row.steady => line(it, row.signal),
        Some(it) => format!("no (n {})", count(it.n)),
        None => "too few steps".into(),
    }
}

/// A line, in words.
pub(super) fn line(it: &TrendLine, signal: Signal) -> String {
    let (scale, unit) = match signal {
        Signal::DurationMs => (1.0, " ms"),
        Signal::Confidence => (1.0, ""),
        Signal::Frequency => (1.0, " operations"),
        _ => (100.0, " points"),
    };
    let season = if it.season > 1 { ", weekly rhythm taken out" } else { "" };
    // What a minute showed is not told as if it went on for a day.
    let length = it.n * it.step_s;
    let (scale, of) = match length {
        0..172_800 => (scale * length as f64 / 86_400.0, format!("in {}", span(length))),
        _ => (scale, "a day".to_owned()),
    };
    format!(
        "{:+.3}{unit} {of} [{:+.3} to {:+.3}], n {}{season}",
        it.per_day * scale,
        it.low * scale,
        it.high * scale,
        count(it.n)
    )
}

use super::{Cell, Sheet, Table};
use crate::text::{count, counted, interval, millis, percent, rate};
use telemetry_models::report::Performance;

pub(super) fn sheet(it: &Performance) -> Sheet {
    let level = &it.service_level;
    let met = level
        .met
        .as_ref()
        .map_or_else(|| "no data".to_owned(), |met| format!("{} [{}]", rate(met), interval(met)));
    let rows = it.bottlenecks.iter().map(|row| {
        let strategy = match (&row.strategy, row.strategy_time_ms) {
            (Some(strategy), Some(time)) => {
                let text = strategy.text.as_deref().map(|it| format!(" {it}")).unwrap_or_default();
                format!("{}{text}: {}", strategy.kind, millis(time))
            }
            _ => "no data".into(),
        };
        vec![
            Cell::Name(Some(row.selector.clone()), row.site.clone()),
            Cell::Share(row.share, percent(row.share)),
            Cell::Number(millis(row.time_ms)),
            Cell::Number(count(row.durations.n)),
            Cell::Number(millis(row.durations.p50_ms)),
            Cell::Number(millis(row.durations.p95_ms)),
            Cell::Number(millis(row.durations.p99_ms)),
            Cell::Code(strategy),
        ]
    });
    let missed = level.missed.iter().map(|row| {
        vec![
            Cell::Name(Some(row.selector.clone()), row.site.clone()),
            Cell::Share(row.met.share, rate(&row.met)),
            Cell::Number(interval(&row.met)),
        ]
    });
    Sheet {
        id: "performance",
        title: "Performance",
        paragraphs: vec![
            format!(
                "{} took {} in all.",
                counted(it.timed, "timed successful operation"),
                millis(it.time_ms)
            ),
            format!(
                "Service level: {} should be within {}; {met} were. {} of {} judged surely miss it.",
                percent(level.target),
                millis(level.within_ms),
                count(level.missed.len() as u64 + level.missed_omitted),
                counted(level.judged, "selector"),
            ),
        ],
        tables: vec![
            Table {
                title: "Bottlenecks, by time in all".into(),
                head: vec![
                    "Selector",
                    "Share of all time",
                    "Time",
                    "Timed",
                    "Median",
                    "95%",
                    "99%",
                    "Strategy that takes most",
                ],
                rows: rows.collect(),
                omitted: it.bottlenecks_omitted,
            },
            Table {
                title: "Below the service level".into(),
                head: vec!["Selector", "In time", "95% interval"],
                rows: missed.collect(),
                omitted: level.missed_omitted,
            },
        ],
    }
}

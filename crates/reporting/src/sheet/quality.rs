use super::{Cell, Sheet, Table};
use crate::terminal::warnings;
use crate::text::{count, counted, percent};
use telemetry_models::report::Report;

pub(super) fn sheet(report: &Report) -> Sheet {
    let quality = &report.data_quality;
    let mut paragraphs = vec![format!("{} read.", counted(quality.events_read, "event"))];
    if quality.ledgers > 0 {
        paragraphs.push(format!(
            "By {}: {} of any selector, {} of them dropped.",
            counted(quality.ledgers, "ledger"),
            counted(quality.recorded, "recorded operation"),
            count(quality.dropped_total()),
        ));
    }
    if quality.sequenced > 0 {
        paragraphs.push(format!(
            "{} of {} with a sequence were read twice; the order of {} of {} contradicts its clock.",
            count(quality.duplicates),
            counted(quality.sequenced, "event"),
            count(quality.disordered_streams),
            counted(quality.streams, "recorder"),
        ));
    }
    let warnings = warnings(report);
    if warnings.is_empty() {
        paragraphs.push("No damage, loss or contradiction found.".into());
    }
    let list = |title: &str, head: &'static str, texts: Vec<String>| Table {
        title: title.into(),
        head: vec![head],
        rows: texts.into_iter().map(|it| vec![Cell::Text(it)]).collect(),
        omitted: 0,
    };
    let dropped = quality
        .dropped
        .iter()
        .map(|it| vec![Cell::Code(it.reason.clone()), Cell::Number(count(it.count))]);
    let missing = quality.missing.iter().map(|it| {
        let share = it.missing as f64 / it.n as f64;
        vec![
            Cell::Code(it.field.clone()),
            Cell::Share(share, format!("{} of {}", percent(share), count(it.n))),
        ]
    });
    let said = quality.damage.iter().chain(&quality.ledgers_unreadable);
    let said: Vec<String> = said.chain(&quality.alerts_unreadable).cloned().collect();
    let tables = vec![
        list("Warnings", "Warning", warnings),
        list("What that weakens", "Conclusion", quality.weakens.clone()),
        Table {
            title: "Dropped events".into(),
            head: vec!["Reason", "Events"],
            rows: dropped.collect(),
            omitted: 0,
        },
        Table {
            title: "Events without".into(),
            head: vec!["Field", "Without"],
            rows: missing.collect(),
            omitted: 0,
        },
        list("What the store said", "Message", said),
    ];
    Sheet {
        id: "quality",
        title: "Data quality",
        paragraphs,
        tables: tables.into_iter().filter(|it| !it.rows.is_empty()).collect(),
    }
}

use super::{Cell, Sheet, Table, name};
use crate::text::{counted, millis, percent, rate};
use telemetry_models::report::{Estimate, Recommendation, Recommendations};

pub(super) fn sheet(it: &Recommendations) -> Sheet {
    let mut paragraphs = Vec::new();
    match (&it.joint_ms_per_day, it.joint_share) {
        (Some(joint), Some(share)) => paragraphs.push(format!(
            "All together would save {} a day, {} of the time of all selectors: less than the sum \
             where two concern the same operations.",
            saving(joint),
            percent(share)
        )),
        _ => paragraphs.push("No change is sure to save time.".into()),
    }
    let cards = it.cards.iter().map(|card| {
        vec![
            Cell::Name(Some(card.selector.clone()), card.site.clone()),
            Cell::Text(card.change.clone()),
            Cell::Number(card_saving(card)),
            Cell::Text(effect(card)),
            Cell::Text(basis(card)),
            Cell::Text(card.effort.to_string()),
        ]
    });
    let scarce = it.scarce.iter().map(|row| {
        vec![
            Cell::Name(Some(row.selector.clone()), row.site.clone()),
            Cell::Text(row.unknown.clone()),
            Cell::Text(row.learn.clone()),
        ]
    });
    let adopted = it.adopted.iter().map(|row| {
        let realised = row.realised.as_ref().map_or_else(
            || "no data".to_owned(),
            |it| format!("{} [{} to {}]", share(it.value), share(it.low), share(it.high)),
        );
        let success = |it: &Option<telemetry_models::report::Rate>| {
            it.as_ref().map_or_else(|| "no data".to_owned(), rate)
        };
        vec![
            Cell::Name(Some(row.selector.clone()), row.site.clone()),
            Cell::Text(format!("{} → {}", row.from_version, row.to_version)),
            Cell::Number(row.predicted.map_or_else(|| "not told".to_owned(), share)),
            Cell::Number(realised),
            Cell::Text(format!("{} → {}", success(&row.success.0), success(&row.success.1))),
        ]
    });
    let tables = vec![
        Table {
            title: "What to change".into(),
            head: vec!["Selector", "Change", "Saves a day", "Success", "Basis", "Effort"],
            rows: cards.collect(),
            omitted: it.cards_omitted,
        },
        Table {
            title: "Where too little is known".into(),
            head: vec!["Selector", "Not known", "What to do"],
            rows: scarce.collect(),
            omitted: it.scarce_omitted,
        },
        Table {
            title: "What came of changes: time saved for each operation".into(),
            head: vec!["Selector", "Version", "Predicted", "Realised", "Succeeded"],
            rows: adopted.collect(),
            omitted: 0,
        },
    ];
    Sheet {
        id: "opportunities",
        title: "Opportunities",
        paragraphs,
        tables: tables.into_iter().filter(|it| !it.rows.is_empty()).collect(),
    }
}

/// `12.3 s [10.0 s to 14.0 s]`.
fn saving(it: &Estimate) -> String {
    format!("{} [{} to {}]", millis(it.value), millis(it.low), millis(it.high))
}

fn card_saving(card: &Recommendation) -> String {
    card.saving_ms_per_day.as_ref().map_or_else(|| "not time".to_owned(), saving)
}

/// The effect on success, in words.
pub(crate) fn effect(card: &Recommendation) -> String {
    card.success_effect.as_ref().map_or_else(
        || "cannot be told".to_owned(),
        |it| {
            let points = |value: f64| format!("{:+.2}", value * 100.0);
            format!("{} points [{} to {}]", points(it.value), points(it.low), points(it.high))
        },
    )
}

/// What the estimate rests on, in words.
pub(crate) fn basis(card: &Recommendation) -> String {
    let n = counted(card.n, "operation");
    card.coverage.as_ref().map_or_else(
        || n.clone(),
        |it| format!("{n}, of {} of which the outcome is known", percent(it.share)),
    )
}

fn share(value: f64) -> String {
    format!("{:+.1}%", value * 100.0)
}

/// One card in a line, for the terminal.
pub(crate) fn line(card: &Recommendation) -> String {
    format!(
        "{}: {} Saves {} a day.",
        name(Some(&card.selector), card.site.as_deref()),
        card.change,
        card_saving(card)
    )
}

#[cfg(test)]
mod tests {
    use super::saving;
    use telemetry_models::report::Estimate;

    #[test]
    fn savings() {
        let it = Estimate { value: 12_345.0, low: 10_000.0, high: 14_000.0 };
        assert_eq!(saving(&it), "12.3 s [10.0 s to 14.0 s]");
    }
}

use super::{Cell, Sheet, Table};
use crate::text::{count, counted, percent, span};
use telemetry_models::report::{HealthScore, HealthSection};

pub(super) fn sheet(it: &HealthSection) -> Sheet {
    let fleet = it.fleet.as_ref().map_or_else(
        || "No operation tested a selector.".to_owned(),
        |fleet| {
            format!(
                "All selectors together score {}: {}. {}",
                points(fleet.score),
                parts(fleet),
                budget(fleet)
            )
        },
    );
    Sheet {
        id: "health",
        title: "Health and error budget",
        paragraphs: vec![
            fleet,
            format!("The objective is a success rate of {}.", percent(it.objective)),
        ],
        tables: vec![
            table("Sites, lowest score first", &it.sites, it.sites_omitted),
            table("Selectors, lowest score first", &it.selectors, it.selectors_omitted),
        ],
    }
}

fn table(title: &str, scores: &[HealthScore], omitted: u64) -> Table {
    let rows = scores.iter().map(|it| {
        vec![
            Cell::Name(it.selector.clone(), it.site.clone()),
            Cell::Share(it.score, points(it.score)),
            Cell::Text(parts(it)),
            Cell::Number(format!("{} of {}", count(it.budget.faults), count(it.budget.n))),
            Cell::Number(times(it.budget.consumed)),
            Cell::Text(burn(it)),
        ]
    });
    Table {
        title: title.into(),
        head: vec!["Where", "Score", "Parts", "Faults", "Budget used", "Burn rate"],
        rows: rows.collect(),
        omitted,
    }
}

/// `87.3 of 100`.
fn points(score: f64) -> String {
    format!("{:.1} of 100", score * 100.0)
}

fn parts(it: &HealthScore) -> String {
    let part = |it: &telemetry_models::report::ScorePart| {
        format!("{} {:.2} × {:.1} (n {})", it.name, it.value, it.weight, count(it.n))
    };
    it.parts.iter().map(part).collect::<Vec<_>>().join(" + ")
}

fn times(consumed: f64) -> String {
    if consumed < 10.0 { percent_above(consumed) } else { format!("{consumed:.0} times") }
}

fn percent_above(share: f64) -> String {
    format!("{:.0}%", share * 100.0)
}

fn budget(it: &HealthScore) -> String {
    format!(
        "{} of the {:.1} that the objective allows: {} of the error budget is used.",
        counted(it.budget.faults, "fault"),
        it.budget.allowed,
        times(it.budget.consumed),
    )
}

fn burn(it: &HealthScore) -> String {
    if it.budget.burn.is_empty() {
        return "no data".into();
    }
    let one = |it: &telemetry_models::report::BurnRate| {
        let sign = if it.exceeded { "▲ " } else { "" };
        format!("{sign}{:.1} in {} (n {})", it.rate, span(it.window_s), count(it.n))
    };
    it.budget.burn.iter().map(one).collect::<Vec<_>>().join(", ")
}

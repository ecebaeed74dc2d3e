use super::{Cell, Sheet, Table, trends};
use crate::text::{count, percent};
use telemetry_models::Signal;
use telemetry_models::report::{Count, Usage};

/// Probability by chance up to which use is said to change.
const DISCOVERY: f64 = 0.05;

pub(super) fn sheet(it: &Usage) -> Sheet {
    let mut paragraphs = Vec::new();
    if let Some(per_hour) = it.per_hour {
        paragraphs.push(match per_hour {
            many if many >= 100.0 => {
                format!("{} operations an hour over the whole period.", count(many.round() as u64))
            }
            few => format!("{few:.1} operations an hour over the whole period."),
        });
    }
    paragraphs.push(match &it.trend {
        Some(line) if line.probability <= DISCOVERY => {
            format!("Use changes steadily: {}.", trends::line(line, Signal::Frequency))
        }
        Some(line) => format!("Use neither rises nor falls steadily (n {}).", count(line.n)),
        None => "Too few full days to tell a trend of use.".into(),
    });
    if let Some((hour, most)) =
        it.hours.iter().enumerate().max_by_key(|(at, n)| (**n, std::cmp::Reverse(*at)))
    {
        let all: u64 = it.hours.iter().sum();
        paragraphs.push(format!(
            "Busiest hour of the UTC day: {hour:02}:00, with {} of all operations.",
            percent(*most as f64 / all.max(1) as f64)
        ));
    }
    let tables = [
        ("Operations by kind", &it.operations),
        ("Operations by engine", &it.engines),
        ("Operations by page", &it.url_templates),
        ("Operations by user agent", &it.agents),
        ("Operations by viewport", &it.viewports),
    ];
    Sheet {
        id: "usage",
        title: "Usage",
        paragraphs,
        tables: tables
            .into_iter()
            .filter(|(_, counts)| !counts.is_empty())
            .map(|(title, counts)| table(title, counts))
            .collect(),
    }
}

fn table(title: &str, counts: &[Count]) -> Table {
    let rows = counts.iter().map(|it| {
        let name = match &it.name {
            Some(name) => Cell::Code(name.clone()),
            None => Cell::Text("all others".into()),
        };
        vec![name, Cell::Number(count(it.count))]
    });
    Table {
        title: title.into(),
        head: vec!["What", "Operations"],
        rows: rows.collect(),
        omitted: 0,
    }
}

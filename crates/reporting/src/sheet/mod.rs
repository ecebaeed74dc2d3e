//! The sections of a report as plain tables, the same for every format for people.

mod health;
mod performance;
mod quality;
mod recommendations;
mod trends;
mod usage;

pub(crate) use recommendations::{basis, effect, line};

use telemetry_models::SelectorName;
use telemetry_models::report::Report;

/// One section.
pub(crate) struct Sheet {
    /// A word for links.
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    pub(crate) paragraphs: Vec<String>,
    pub(crate) tables: Vec<Table>,
}

/// Rows under a heading.
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) head: Vec<&'static str>,
    pub(crate) rows: Vec<Vec<Cell>>,
    /// Rows that are left out.
    pub(crate) omitted: u64,
}

/// What stands in a cell.
pub(crate) enum Cell {
    /// A selector on a site.
    Name(Option<SelectorName>, Option<String>),
    /// A string from elsewhere, shown as code.
    Code(String),
    /// Words of ours, or mixed.
    Text(String),
    /// A number with its unit.
    Number(String),
    /// A share, 0 to 1, and how it is written.
    Share(f64, String),
}

impl Cell {
    /// As text.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Name(selector, site) => name(selector.as_ref(), site.as_deref()),
            Self::Code(text) | Self::Text(text) | Self::Number(text) | Self::Share(_, text) => {
                text.clone()
            }
        }
    }

    /// Whether it stands at the right.
    pub(crate) fn is_number(&self) -> bool {
        matches!(self, Self::Number(_) | Self::Share(..))
    }
}

/// `shop.price on shop.example`.
pub(crate) fn name(selector: Option<&SelectorName>, site: Option<&str>) -> String {
    match (selector, site) {
        (Some(selector), Some(site)) => format!("{selector} on {site}"),
        (Some(selector), None) => selector.to_string(),
        (None, Some(site)) => site.to_owned(),
        (None, None) => "without a site".into(),
    }
}

/// The sections that a report has, in the order they are read; data quality is not among them.
pub(crate) fn sheets(report: &Report) -> Vec<Sheet> {
    let recommendations = report.recommendations.as_ref().map(recommendations::sheet);
    let performance = report.performance.as_ref().map(performance::sheet);
    let health = report.health.as_ref().map(health::sheet);
    let trends = report.trends.as_ref().map(trends::sheet);
    let usage = report.usage.as_ref().map(usage::sheet);
    [recommendations, performance, health, trends, usage].into_iter().flatten().collect()
}

/// How far the data can be trusted.
pub(crate) fn quality(report: &Report) -> Sheet {
    quality::sheet(report)
}

use crate::sheet::{quality, sheets};
use crate::text::clean;
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::Signal;
use telemetry_models::report::{Report, ReportKind, SelectorRow};

const HEADER: &str = "selector,site,health,operations,verdicts,successes,success_rate,\
    success_low,success_high,timed,p50_ms,p95_ms,p99_ms,max_ms,fallback_rate,confidence_mean,\
    flakiness,last_success,change,p95_before_ms,p95_change,p95_change_low,p95_change_high";

/// The selectors of a report as CSV (RFC 4180, a header line, UTF-8): one line for each selector
/// on each site. A report about one thing gives the cells of its tables instead. What nothing is known about is empty.
///
/// Text that a spreadsheet would take for a formula begins with an apostrophe.
#[derive(Clone, Copy, Debug, Default)]
pub struct CsvRenderer;

impl CsvRenderer {
    /// Makes one.
    pub fn new() -> Self {
        Self
    }
}

impl ReportRenderer for CsvRenderer {
    fn format(&self) -> &'static str {
        "csv"
    }

    fn extension(&self) -> &'static str {
        "csv"
    }

    fn render(&self, report: &Report) -> Result<String> {
        if report.kind != ReportKind::Summary {
            return Ok(of_sheets(report));
        }
        let mut text = format!("{HEADER}\r\n");
        for row in &report.selectors {
            text.push_str(&cells(report, row).join(","));
            text.push_str("\r\n");
        }
        Ok(text)
    }
}

/// The tables of a report about one thing: section, table, column and value of each cell, for
/// tables have different columns.
fn of_sheets(report: &Report) -> String {
    let mut lines = String::from("section,table,row,column,value\r\n");
    let mut sheets = sheets(report);
    if sheets.is_empty() {
        sheets.push(quality(report));
    }
    for sheet in &sheets {
        for table in &sheet.tables {
            for (at, row) in table.rows.iter().enumerate() {
                for (head, cell) in table.head.iter().zip(row) {
                    lines.push_str(&format!(
                        "{},{},{},{},{}\r\n",
                        text(sheet.id),
                        text(&table.title),
                        at + 1,
                        text(head),
                        text(&cell.text())
                    ));
                }
            }
        }
    }
    lines
}

fn cells(report: &Report, row: &SelectorRow) -> Vec<String> {
    let rate = row.success_rate.as_ref();
    let times = row.durations.as_ref();
    let compared = report
        .comparison
        .iter()
        .flat_map(|it| &it.rows)
        .find(|it| it.selector == row.selector && it.site == row.site);
    let p95 = compared.and_then(|it| {
        it.signals
            .iter()
            .find(|it| it.signal == Signal::DurationMs && it.quantile.is_some_and(|q| q > 0.9))
    });
    vec![
        text(row.selector.as_str()),
        text(row.site.as_deref().unwrap_or("")),
        row.health.to_string(),
        row.operations.to_string(),
        known(rate.map(|it| it.n)),
        known(rate.map(|it| it.count)),
        known(rate.map(|it| it.share)),
        known(rate.map(|it| it.low)),
        known(rate.map(|it| it.high)),
        known(times.map(|it| it.n)),
        known(times.map(|it| it.p50_ms)),
        known(times.map(|it| it.p95_ms)),
        known(times.map(|it| it.p99_ms)),
        known(times.map(|it| it.max_ms)),
        known(row.fallback_rate.map(|it| it.share)),
        known(row.confidence.as_ref().map(|it| it.mean)),
        known(row.flakiness.map(|it| it.share)),
        known(row.last_success),
        known(compared.map(|it| it.state)),
        known(p95.map(|it| it.before)),
        known(p95.map(|it| it.effect)),
        known(p95.map(|it| it.low)),
        known(p95.map(|it| it.high)),
    ]
}

fn known(value: Option<impl ToString>) -> String {
    value.map(|it| it.to_string()).unwrap_or_default()
}

fn text(value: &str) -> String {
    let value = clean(value);
    let formula = value.trim_start().starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    let value = if formula { format!("'{value}") } else { value };
    if value.contains(['"', ',', ';']) {
        format!("\"{}\"", value.replace('"', "\"\""))
    } else {
        value
    }
}

#[cfg(test)]
mod tests {
    use super::text;

    #[test]
    fn no_formula_and_no_further_cell() {
        assert_eq!(text("=cmd|'/c calc'!A1"), "'=cmd|'/c calc'!A1");
        assert_eq!(text("\t@SUM(1,2)"), "\"' @SUM(1,2)\"");
        assert_eq!(text("a\"b"), "\"a\"\"b\"");
        assert_eq!(text("shop.price"), "shop.price");
    }
}

//! The check and the comparison with another period.

use super::markup::Markup;
use crate::gate::{summary, words};
use crate::text::{counted, span, time};
use telemetry_models::report::{ChangeState, GateState, Report, RowComparison};

/// Rows that are shown; the JSON form has all.
const MAX_ROWS: usize = 30;

pub(super) fn gate(page: &mut Markup, report: &Report) {
    let Some(gate) = &report.gate else { return };
    page.raw("<section aria-labelledby=check><h2 id=check>Check: ").text(gate.state);
    page.raw("</h2><ul class=plain>");
    for condition in &gate.conditions {
        let failed: Vec<_> =
            condition.cases.iter().filter(|it| it.state == GateState::Failed).collect();
        page.raw("<li>").code(&condition.condition).raw(" ").text(condition.state);
        page.text(format!(", {} judged", counted(condition.cases.len() as u64, "case")));
        if !failed.is_empty() {
            page.raw("<ul class=plain>");
            for case in failed.into_iter().take(MAX_ROWS) {
                page.raw("<li>");
                if let Some(selector) = &case.selector {
                    page.code(selector).raw(" ");
                }
                page.text(&case.what).raw("</li>");
            }
            page.raw("</ul>");
        }
        page.raw("</li>");
    }
    page.raw("</ul></section>\n");
}

pub(super) fn comparison(page: &mut Markup, report: &Report) {
    let Some(it) = &report.comparison else { return };
    page.raw("<section aria-labelledby=compared><h2 id=compared>Compared</h2><p>")
        .text(summary(it))
        .raw(".</p>");
    let changed =
        |row: &&RowComparison| matches!(row.state, ChangeState::Worse | ChangeState::Better);
    let rows: Vec<&RowComparison> = it.rows.iter().filter(changed).take(MAX_ROWS).collect();
    if !rows.is_empty() {
        page.raw("<ul class=plain>");
        for row in rows {
            page.raw("<li>").raw(match row.state {
                ChangeState::Worse => "▲ worse ",
                _ => "✓ better ",
            });
            page.code(&row.selector);
            if let Some(site) = &row.site {
                page.raw(" <span class=soft>").text(site).raw("</span>");
            }
            if let (Some(since), Some(step)) = (row.since, row.since_within_s) {
                page.text(format!(" since about {} (within {})", time(since), span(step)));
            }
            for signal in row.signals.iter().filter(|it| it.changed) {
                page.raw("<br>").text(words(signal));
            }
            page.raw("</li>");
        }
        page.raw("</ul>");
    }
    page.raw("</section>\n");
}

//! The report as one HTML file.

mod comparison;
mod details;
mod markup;
mod overview;
mod svg;
mod tables;

use crate::terminal::period;
use crate::text::time;
use markup::Markup;
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::Report;

/// Nothing may be fetched, run, framed or sent, even if something slipped through the escaping.
const HEAD: &str = concat!(
    "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
    "<meta name=viewport content=\"width=device-width,initial-scale=1\">",
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src \
     'unsafe-inline'; base-uri 'none'; form-action 'none'\">",
    "<meta name=referrer content=no-referrer><meta name=color-scheme content=\"light dark\">",
    "<style>\n",
    include_str!("style.css"),
    "</style>",
);

/// The report as one self-contained HTML file: no request, no script; light, dark and on paper.
///
/// Selectors beyond [`details`](Self::details) appear in the table only, so that the size stays
/// bounded; the JSON form has everything.
#[derive(Clone, Debug)]
pub struct HtmlRenderer {
    details: usize,
}

impl HtmlRenderer {
    /// Details of at most 50 selectors.
    pub fn new() -> Self {
        Self { details: 50 }
    }

    /// Sets how many selectors get a section of their own.
    #[must_use]
    pub fn details(mut self, most: usize) -> Self {
        self.details = most;
        self
    }
}

impl Default for HtmlRenderer {
    fn default() -> Self {
        Self::new()
    }
}

impl ReportRenderer for HtmlRenderer {
    fn format(&self) -> &'static str {
        "html"
    }

    fn extension(&self) -> &'static str {
        "html"
    }

    fn render(&self, report: &Report) -> Result<String> {
        let mut page = Markup::default();
        page.raw(HEAD)
            .raw("<title>Selector report: ")
            .text(&report.verdict.sentence)
            .raw(
                "</title></head><body>\n<a class=skip href=\"#attention\">Skip to what needs \
                  attention</a><header><div class=top><h1>Selector report</h1><span>",
            )
            .text(period(report))
            .raw("</span></div>\n");
        overview::verdict(&mut page, report);
        page.raw("</header>\n<main>\n");
        overview::attention(&mut page, report);
        comparison::gate(&mut page, report);
        comparison::comparison(&mut page, report);
        tables::alerts(&mut page, report);
        tables::sites(&mut page, report);
        tables::selectors(&mut page, report, self.details);
        details::selectors(&mut page, report, self.details);
        details::usage(&mut page, report);
        details::data_quality(&mut page, report);
        details::methods(&mut page, report);
        page.raw("</main>\n<footer>Made ")
            .text(time(report.generated_at))
            .raw(" · report form ")
            .text(report.report_version)
            .raw(
                " · the JSON form of this report holds the same numbers</footer>\n</body></html>\n",
            );
        Ok(page.finish())
    }
}

//! The report as one HTML file.

mod comparison;
mod embedded;
mod markup;
mod methods;
mod opportunities;
mod overview;
mod sheets;
mod svg;
mod tables;

use crate::sheet::{quality, sheets};
use crate::terminal::period;
use crate::text::time;
use markup::Markup;
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::Report;

/// Sorts and searches the table of selectors and draws what stands behind a row.
const SCRIPT: &str = include_str!("script.js");

/// SHA-256 of [`SCRIPT`] in Base64: the only script that may run. A test holds the two together.
const SCRIPT_HASH: &str = "UzngnzvNECsWAe3YMgPkg/4+c02Iz2cQHZL/J3/JUYk=";

/// Nothing may be fetched, framed or sent, and no other script may run, even if something slipped
/// through the escaping.
const HEAD: &str = concat!(
    "<!doctype html>\n<html lang=en><head><meta charset=utf-8>",
    "<meta name=viewport content=\"width=device-width,initial-scale=1\">",
    "<meta name=referrer content=no-referrer><meta name=color-scheme content=\"light dark\">",
    "<style>\n",
    include_str!("style.css"),
);

/// The report as one self-contained HTML file: no request; light, dark, at 320 px and on paper.
///
/// It can be read without scripts; one of its own, the only one that may run, sorts and searches
/// the selectors and draws the details of one when asked. Aggregates only: its size depends on the
/// selectors, hardly on the number of events.
#[derive(Clone, Copy, Debug, Default)]
pub struct HtmlRenderer;

impl HtmlRenderer {
    /// Makes one.
    pub fn new() -> Self {
        Self
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
        // What the columns of tables need is known once the tables are there.
        let body = body(report);
        let mut html = HEAD.to_owned();
        html.push_str(&body.styles());
        let mut page = Markup::default();
        page.raw(
            "</style><meta http-equiv=Content-Security-Policy content=\"default-src 'none'; \
             style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; script-src 'sha256-",
        )
        .raw(SCRIPT_HASH)
        .raw("'\"><title>Selector report: ")
        .text(&report.verdict.sentence)
        .raw("</title></head>");
        html.push_str(&page.finish());
        html.push_str(&body.finish());
        Ok(html)
    }
}

fn body(report: &Report) -> Markup {
    let mut page = Markup::default();
    page.raw(
        "<body>\n<a class=skip href=\"#attention\">Skip to what needs attention</a><header><div \
         class=top><h1>Selector report</h1><span>",
    )
    .text(period(report))
    .raw("</span></div>\n");
    overview::verdict(&mut page, report);
    page.raw("</header>\n<main>\n");
    overview::attention(&mut page, report);
    comparison::gate(&mut page, report);
    let sheets = sheets(report);
    if let Some(it) = &report.recommendations
        && let Some(sheet) = sheets.iter().find(|it| it.id == "opportunities")
    {
        opportunities::opportunities(&mut page, it, sheet);
    }
    tables::sites(&mut page, report);
    tables::selectors(&mut page, report);
    comparison::comparison(&mut page, report);
    for sheet in sheets.iter().filter(|it| it.id != "opportunities") {
        self::sheets::sheet(&mut page, sheet);
    }
    tables::alerts(&mut page, report);
    self::sheets::sheet(&mut page, &quality(report));
    methods::methods(&mut page, report);
    page.raw("</main>\n<footer>Made ")
        .text(time(report.generated_at))
        .raw(" · report form ")
        .text(report.report_version)
        .raw(" · the JSON form of this report holds the same numbers</footer>\n");
    embedded::data(&mut page, report);
    page.raw("<script>").raw(SCRIPT).raw("</script>\n</body></html>\n");
    page
}

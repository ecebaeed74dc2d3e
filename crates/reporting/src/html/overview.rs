//! The verdict and what needs attention.

use super::markup::Markup;
use super::svg;
use crate::text::{count, counted, interval, millis, percent, span, time, value};
use crate::verdict::kind_words;
use telemetry_models::EventId;
use telemetry_models::report::{Finding, Report, SelectorRow, VerdictLevel};

/// Strategies, and groups of errors, listed behind a finding.
const LISTED: usize = 4;

pub(super) fn verdict(page: &mut Markup, report: &Report) {
    let word = match report.verdict.level {
        VerdictLevel::Healthy => "Healthy",
        VerdictLevel::Attention => "Needs attention",
        VerdictLevel::Failing => "Failing",
        VerdictLevel::NoData => "No data",
    };
    page.raw("<div class=\"verdict ").text(report.verdict.level).raw("\">");
    svg::sign(page, report.verdict.level);
    page.raw("<p><b>")
        .raw(word)
        .raw("</b>")
        .text(&report.verdict.sentence)
        .raw("</p></div>\n<dl class=tiles>");
    let totals = &report.totals;
    tile(
        page,
        "Operations",
        &count(totals.operations),
        &format!("{} on {}", counted(totals.selectors, "selector"), counted(totals.sites, "site")),
    );
    match &totals.success_rate {
        Some(rate) => tile(
            page,
            "Succeeded",
            &percent(rate.share),
            &format!("{} of {} tested", interval(rate), count(rate.n)),
        ),
        None => tile(page, "Succeeded", "no data", "nothing tested a selector"),
    }
    match &totals.durations {
        Some(it) => tile(
            page,
            "Median time",
            &millis(it.p50_ms),
            &format!("95% within {}, n {}", millis(it.p95_ms), count(it.n)),
        ),
        None => tile(page, "Median time", "no data", "no success was timed"),
    }
    tile(
        page,
        "Not the selector’s fault",
        &count(totals.environment_fault),
        &format!(
            "{} cancelled, {} absent as expected",
            count(totals.cancelled),
            count(totals.expected_absence)
        ),
    );
    tile(
        page,
        "Open alerts",
        &count(report.alerts.open.len() as u64),
        &format!("{} resolved in this period", count(report.alerts.resolved.len() as u64)),
    );
    page.raw("</dl>\n");
}

fn tile(page: &mut Markup, label: &str, value: &str, note: &str) {
    page.raw("<div><dt>")
        .text(label)
        .raw("</dt><dd>")
        .text(value)
        .raw("<small>")
        .text(note)
        .raw("</small></dd></div>");
}

pub(super) fn attention(page: &mut Markup, report: &Report) {
    page.raw("<section aria-labelledby=attention><h2 id=attention>What needs attention</h2>");
    if report.attention.is_empty() {
        page.raw("<p class=soft>").raw(match report.verdict.level {
            VerdictLevel::NoData => "Too little happened to tell.",
            _ => "Nothing.",
        });
        page.raw("</p></section>\n");
        return;
    }
    page.raw("<ol class=cards>\n");
    for finding in &report.attention {
        card(page, report, finding);
    }
    page.raw("</ol>");
    if report.attention_omitted > 0 {
        page.raw("<p class=\"soft small\">and ")
            .text(count(report.attention_omitted))
            .raw(" less urgent; see the table of selectors.</p>");
    }
    page.raw("</section>\n");
}

fn card(page: &mut Markup, report: &Report, finding: &Finding) {
    page.raw("<li class=").text(finding.severity).raw("><div class=card><div><h3>");
    match &finding.selector {
        Some(selector) => page.code(selector),
        None => page.code(finding.site.as_deref().unwrap_or("(no site)")),
    };
    page.raw(" ").raw(kind_words(finding.kind)).raw("</h3><p class=meta><span class=\"tag ");
    page.text(finding.severity).raw("\">").text(finding.severity).raw("</span>");
    if let (Some(_), Some(site)) = (&finding.selector, &finding.site) {
        page.raw("<span>").text(site).raw("</span>");
    }
    if let Some(since) = finding.since {
        page.raw("<span>since ");
        match finding.since_within_s {
            Some(step) => {
                page.raw("about ").text(time(since)).raw(" (within ").text(span(step)).raw(")")
            }
            None => page.text(time(since)),
        };
        page.raw("</span>");
    }
    page.raw("</p><p class=what>").text(&finding.what).raw("</p>");
    if let Some(cause) = &finding.likely_cause {
        page.raw("<p class=try><b>Likely cause</b> ").text(cause).raw("</p>");
    }
    if let Some(suggestion) = &finding.suggestion {
        page.raw("<p class=try><b>Try</b> ").text(suggestion).raw("</p>");
    }
    let row = report
        .selectors
        .iter()
        .find(|row| Some(&row.selector) == finding.selector.as_ref() && row.site == finding.site);
    if !finding.evidence.is_empty() || finding.url.is_some() || row.is_some() {
        page.raw("<details><summary>Evidence</summary><div>");
        if let Some(url) = &finding.url {
            page.raw("<p class=small>Page: ").code(url).raw("</p>");
        }
        ids(page, &finding.evidence);
        if let Some(row) = row {
            behind(page, row);
        }
        page.raw("</div></details>");
    }
    page.raw("</div><div class=draw>");
    if let Some(after) = &finding.after {
        page.raw("<p class=fig>");
        if let Some(before) = &finding.before {
            page.text(value(before.signal, before.value)).raw(" <span aria-hidden=true>→</span> ");
        }
        page.raw("<b>").text(value(after.signal, after.value)).raw("</b></p>");
    }
    let of_site = report
        .sites
        .iter()
        .find(|row| finding.selector.is_none() && row.site == finding.site)
        .map(|row| &row.series);
    if let Some(series) = row.map(|row| &row.series).or(of_site) {
        svg::chart(page, series, finding);
    }
    page.raw("</div></div></li>\n");
}

/// How the selector's operations, its strategies and its errors went, for readers without scripts.
fn behind(page: &mut Markup, row: &SelectorRow) {
    let outcomes = row.outcomes.iter();
    let outcomes =
        outcomes.map(|it| format!("{} {}", count(it.count), it.outcome.as_str().replace('_', " ")));
    page.raw("<p class=small>Outcomes: ").text(outcomes.collect::<Vec<_>>().join(", "));
    page.raw("</p><ul class=\"plain small\">");
    for it in row.strategies.iter().take(LISTED) {
        page.raw("<li>");
        match &it.strategy {
            Some(it) => page.text(&it.kind).raw(" ").code(it.text.as_deref().unwrap_or_default()),
            None => page.raw("all others"),
        };
        page.raw(" tried ").text(count(it.tried)).raw(", used ").text(count(it.accepted));
    }
    for it in row.errors.iter().take(LISTED) {
        page.raw("<li>").text(count(it.count)).raw(" × ");
        page.text(it.kind.as_deref().unwrap_or("all other errors"));
        if let Some(message) = &it.message {
            page.raw(": ").code(message);
        }
    }
    page.raw("</ul>");
}

pub(super) fn ids(page: &mut Markup, ids: &[EventId]) {
    if ids.is_empty() {
        return;
    }
    page.raw("<ul class=ids>");
    for id in ids {
        page.raw("<li>").code(id).raw("</li>");
    }
    page.raw("</ul>");
}

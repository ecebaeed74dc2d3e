//! Alerts, sites and selectors as tables. On a narrow view each row becomes a card.

use super::markup::{Head, Markup};
use super::svg;
use crate::text::{count, counted, interval, millis, percent, time, value};
use telemetry_models::Alert;
use telemetry_models::report::{Health, Quantiles, Rate, Report};

/// Rows of selectors whose course over time is drawn in the file; a script draws the others.
pub(super) const DRAWN_ROWS: usize = 40;

const NO_DATA: &str = "<span class=none>no data</span>";

pub(super) fn alerts(page: &mut Markup, report: &Report) {
    page.raw("<section aria-labelledby=alerts><h2 id=alerts>Alerts</h2>");
    if report.alerts.open.is_empty() && report.alerts.resolved.is_empty() {
        page.raw(match report.data_quality.alerts_unreadable {
            None => "<p class=soft>None open, none resolved in this period.</p></section>\n",
            Some(_) => "<p>The alerts could not be read; see the data quality.</p></section>\n",
        });
        return;
    }
    page.raw("<div class=wide role=group aria-labelledby=alerts tabindex=0><table class=");
    let names = ["Selector", "State", "What", "Value", "Since", "Until"];
    head(page, &names.map(|name| (name, name == "Value")).into());
    for alert in report.alerts.open.iter().chain(&report.alerts.resolved) {
        alert_row(page, alert);
    }
    page.raw("</tbody></table></div></section>\n");
}

fn alert_row(page: &mut Markup, alert: &Alert) {
    page.raw("<tr><th scope=row>").code(&alert.selector);
    if let Some(site) = &alert.site {
        page.raw("<small>").text(site).raw("</small>");
    }
    page.raw("</th><td><span><span class=\"tag ")
        .text(alert.severity)
        .raw("\">")
        .text(alert.severity)
        .raw("</span> ")
        .text(alert.state)
        .raw("</span></td><td><span>")
        .text(&alert.summary)
        .raw("<small>rule ")
        .code(&alert.rule)
        .raw("</small></span></td><td><span>")
        .text(value(alert.signal, alert.value))
        .raw("<small>")
        .text(alert.comparison)
        .raw(" ")
        .text(value(alert.signal, alert.threshold))
        .raw(", n ")
        .text(count(alert.samples))
        .raw("</small></span></td><td><span>")
        .text(time(alert.since))
        .raw("</span></td><td><span>");
    match alert.resolved_at {
        Some(at) => page.text(time(at)),
        None => page.raw("<span class=none>open</span>"),
    };
    page.raw("</span></td></tr>\n");
}

pub(super) fn sites(page: &mut Markup, report: &Report) {
    if report.sites.is_empty() {
        return;
    }
    page.raw(
        "<section aria-labelledby=sites><h2 id=sites>Fleet map</h2><p class=\"soft small\">A \
         column for each day",
    );
    if let Some(start) = report.sites.iter().find_map(|it| it.days.start) {
        page.raw(" from ").text(time(start).get(..10).unwrap_or_default());
    }
    page.raw(
        ": the dark part that hangs down is the share of faults, a gap is a day without \
         operations.</p><div class=wide role=group aria-labelledby=sites tabindex=0><table class=",
    );
    let numbers = ["Operations", "Succeeded", "Spoilt by the environment", "Median", "95%"];
    let words = [("Site", false), ("Days", false)].into_iter();
    head(page, &words.chain(numbers.map(|name| (name, true))).collect());
    for row in &report.sites {
        page.raw("<tr><th scope=row>");
        match &row.site {
            Some(site) => page.code(site),
            None => page.raw("<span class=none>without a URL</span>"),
        };
        page.raw("<small>").text(counted(row.selectors, "selector"));
        if row.selectors_in_trouble > 0 {
            page.raw(", ").text(count(row.selectors_in_trouble)).raw(" in trouble");
        }
        page.raw("</small><td>");
        svg::days(page, &row.days);
        page.raw("<td>").text(count(row.operations));
        page.raw("<td>");
        rate(page, row.success_rate.as_ref(), true);
        page.raw("<td>");
        rate(page, row.environment_fault_rate.as_ref(), false);
        page.raw("<td>");
        times(page, row.durations.as_ref());
    }
    page.raw("</table></div>");
    omitted(page, report.sites_omitted, "site");
    page.raw("</section>\n");
}

/// The class and the head of a table.
fn head(page: &mut Markup, head: &Head) {
    page.columns(head).raw("><thead><tr>");
    for (name, number) in head {
        page.raw(if *number { "<th scope=col class=n>" } else { "<th scope=col>" }).raw(name);
    }
    page.raw("<tbody>\n");
}

/// The labels of a narrow view come from the style sheet, so that rows stay short.
pub(super) fn selectors(page: &mut Markup, report: &Report) {
    if report.selectors.is_empty() {
        return;
    }
    page.raw(
        "<section aria-labelledby=selectors><h2 id=selectors>Selectors</h2><p class=\"soft \
         small\">Below each name the site and the number of operations. Above the line successes, \
         below it faults of the selector; the mark is the success rate\u{2019}s 95% interval. Times are \
         of all successes unless n says otherwise.</p><noscript><p class=small>Without scripts this \
         table does not sort, only its first rows have a drawing, and what is behind names that do not \
         need attention is in the JSON form of this report.</p></noscript><div id=tools></div>\
         <div class=wide role=group aria-labelledby=selectors tabindex=0><table id=t><thead><tr><th \
         scope=col>Selector<th scope=col>Health<th scope=col>Over time<th scope=col class=n>Succeeded<th \
         scope=col class=n>Median<th scope=col class=n>95%<th scope=col class=n>Fallback<th scope=col \
         class=n>Confidence<tbody>\n",
    );
    for (at, row) in report.selectors.iter().enumerate() {
        page.raw("<tr><th scope=row>").code(&row.selector).raw("<small>");
        if let Some(site) = &row.site {
            page.text(site).raw(" · ");
        }
        page.text(count(row.operations)).raw("</small>").raw(match row.health {
            Health::Healthy => "<td class=h>✓ healthy",
            Health::Attention => "<td class=w>▲ attention",
            Health::Failing => "<td class=f>✕ failing",
            Health::NoData => "<td class=soft>– too few",
        });
        page.raw("<td>");
        if at < DRAWN_ROWS || svg::spark_levels(&row.series).is_none() {
            svg::spark(page, &row.series);
        }
        page.raw("<td>");
        match &row.success_rate {
            Some(rate) => {
                page.text(percent(rate.share)).raw("<small>of ").text(count(rate.n));
                page.raw("</small>");
                scale(page, "<i style=--l:", rate);
            }
            None => {
                page.raw(NO_DATA);
            }
        }
        page.raw("<td>");
        match &row.durations {
            Some(it) => {
                page.text(millis(it.p50_ms));
                if row.success_rate.is_none_or(|rate| rate.count != it.n) {
                    page.raw("<small>n ").text(count(it.n)).raw("</small>");
                }
                page.raw("<td>").text(millis(it.p95_ms))
            }
            None => page.raw(NO_DATA).raw("<td>").raw(NO_DATA),
        };
        page.raw("<td>");
        match &row.fallback_rate {
            Some(it) => page.text(percent(it.share)),
            None => page.raw(NO_DATA),
        };
        page.raw("<td>");
        match &row.confidence {
            Some(it) => page.text(format!("{:.2}", it.mean)),
            None => page.raw(NO_DATA),
        };
        page.raw("\n");
    }
    page.raw("</table></div>");
    omitted(page, report.selectors_omitted, "selector");
    page.raw("</section>\n");
}

fn scale(page: &mut Markup, begin: &'static str, rate: &Rate) {
    let x = |share: f64| (share * 100.0).round();
    let (low, high) = (x(rate.low), x(rate.high));
    page.raw(begin).text(low).raw(";--w:").text(high - low).raw("></i>");
}

fn rate(page: &mut Markup, rate: Option<&Rate>, with_scale: bool) {
    let Some(rate) = rate else {
        page.raw(NO_DATA);
        return;
    };
    page.raw("<span>").text(percent(rate.share)).raw("<small>of ").text(count(rate.n));
    page.raw("</small>");
    if with_scale {
        page.raw(" <small>").text(interval(rate)).raw("</small>");
        scale(page, "<i class=v style=--l:", rate);
    }
    page.raw("</span>");
}

/// Two cells: the median and the 95th percentile.
fn times(page: &mut Markup, durations: Option<&Quantiles>) {
    let Some(it) = durations else {
        page.raw(NO_DATA).raw("<td>").raw(NO_DATA);
        return;
    };
    page.raw("<span>")
        .text(millis(it.p50_ms))
        .raw("<small>n ")
        .text(count(it.n))
        .raw("</small></span><td>")
        .text(millis(it.p95_ms));
}

fn omitted(page: &mut Markup, omitted: u64, noun: &str) {
    if omitted > 0 {
        page.raw("<p class=\"soft small\">")
            .text(counted(omitted, noun))
            .raw(" more, not listed.</p>");
    }
}

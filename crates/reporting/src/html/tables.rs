//! Alerts, sites and selectors as tables. On a narrow view each row becomes a card; `data-l` holds
//! the label a cell has there.

use super::markup::Markup;
use super::svg;
use crate::text::{count, counted, interval, millis, percent, time, value};
use telemetry_models::Alert;
use telemetry_models::report::{Health, Quantiles, Rate, Report};

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
    page.raw(
        "<div class=wide role=region aria-labelledby=alerts tabindex=0><table><thead><tr>\
         <th scope=col>Selector<th scope=col>State<th scope=col>What<th scope=col class=n>Value\
         <th scope=col>Since<th scope=col>Until</tr></thead><tbody>\n",
    );
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
    page.raw("</th><td data-l=State><span><span class=\"tag ")
        .text(alert.severity)
        .raw("\">")
        .text(alert.severity)
        .raw("</span> ")
        .text(alert.state)
        .raw("</span></td><td data-l=What><span>")
        .text(&alert.summary)
        .raw("<small>rule ")
        .code(&alert.rule)
        .raw("</small></span></td><td class=n data-l=Value><span>")
        .text(value(alert.signal, alert.value))
        .raw("<small>")
        .text(alert.comparison)
        .raw(" ")
        .text(value(alert.signal, alert.threshold))
        .raw(", n ")
        .text(count(alert.samples))
        .raw("</small></span></td><td data-l=Since><span>")
        .text(time(alert.since))
        .raw("</span></td><td data-l=Until><span>");
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
        "<section aria-labelledby=sites><h2 id=sites>Sites</h2><div class=wide role=region \
         aria-labelledby=sites tabindex=0><table><thead><tr><th scope=col>Site<th scope=col \
         class=n>Operations<th scope=col class=n>Succeeded<th scope=col class=n>Spoilt by the \
         environment<th scope=col class=n>Median<th scope=col class=n>95%<th scope=col>Over \
         time</tr></thead><tbody>\n",
    );
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
        page.raw("</small></th><td class=n data-l=Operations>").text(count(row.operations));
        page.raw("</td><td class=n data-l=Succeeded>");
        rate(page, row.success_rate.as_ref(), true);
        page.raw("</td><td class=n data-l=\"Spoilt by the environment\">");
        rate(page, row.environment_fault_rate.as_ref(), false);
        page.raw("</td>");
        times(page, row.durations.as_ref());
        page.raw("<td data-l=\"Over time\">");
        svg::spark(page, &row.series);
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>");
    omitted(page, report.sites_omitted, "site");
    page.raw("</section>\n");
}

pub(super) fn selectors(page: &mut Markup, report: &Report, details: usize) {
    if report.selectors.is_empty() {
        return;
    }
    page.raw(
        "<section aria-labelledby=selectors><h2 id=selectors>Selectors</h2><p class=\"soft \
         small\">Bars above the line are successes, below it faults of the selector. The dot on \
         the scale is the success rate, the band its 95% interval.</p><div class=wide role=region \
         aria-labelledby=selectors tabindex=0><table><thead><tr><th scope=col>Selector<th \
         scope=col>Health<th scope=col>Over time<th scope=col class=n>Succeeded<th scope=col \
         class=n>Median<th scope=col class=n>95%<th scope=col class=n>Fallback<th scope=col \
         class=n>Confidence<th scope=col>Found by<th scope=col>Last success, UTC</tr></thead><tbody>\n",
    );
    for (at, row) in report.selectors.iter().enumerate() {
        page.raw("<tr><th scope=row>");
        if at < details {
            page.raw("<a href=\"#s").text(at).raw("\">").code(&row.selector).raw("</a>");
        } else {
            page.code(&row.selector);
        }
        page.raw("<small>");
        if let Some(site) = &row.site {
            page.text(site).raw(" · ");
        }
        page.text(counted(row.operations, "operation")).raw("</small></th><td data-l=Health>");
        health(page, row.health);
        page.raw("</td><td data-l=\"Over time\">");
        svg::spark(page, &row.series);
        page.raw("</td><td class=n data-l=Succeeded>");
        rate(page, row.success_rate.as_ref(), true);
        page.raw("</td>");
        times(page, row.durations.as_ref());
        page.raw("<td class=n data-l=Fallback>");
        rate(page, row.fallback_rate.as_ref(), false);
        page.raw("</td><td class=n data-l=Confidence>");
        match &row.confidence {
            Some(it) => page
                .raw("<span>")
                .text(format!("{:.2}", it.mean))
                .raw("<small>n ")
                .text(count(it.n))
                .raw("</small></span>"),
            None => page.raw(NO_DATA),
        };
        page.raw("</td><td data-l=\"Found by\"><span>");
        match &row.winning_strategy {
            Some(it) => {
                page.text(&it.kind);
                if let Some(text) = &it.text {
                    page.raw("<small>").code(text).raw("</small>");
                }
            }
            None => {
                page.raw(NO_DATA);
            }
        }
        page.raw("</span></td><td data-l=\"Last success, UTC\">");
        match row.last_success {
            Some(at) => page.raw("<span>").text(time(at).trim_end_matches(" UTC")).raw("</span>"),
            None => page.raw("<span class=none>none</span>"),
        };
        page.raw("</td></tr>\n");
    }
    page.raw("</tbody></table></div>");
    omitted(page, report.selectors_omitted, "selector");
    page.raw("</section>\n");
}

pub(super) fn health(page: &mut Markup, health: Health) {
    page.raw("<span><span class=\"tag ").text(health).raw("\">").raw(match health {
        Health::Healthy => "✓ healthy",
        Health::Attention => "▲ attention",
        Health::Failing => "✕ failing",
        Health::NoData => "– too few",
    });
    page.raw("</span></span>");
}

fn rate(page: &mut Markup, rate: Option<&Rate>, scale: bool) {
    let Some(rate) = rate else {
        page.raw(NO_DATA);
        return;
    };
    page.raw("<span title=\"95% interval ")
        .text(interval(rate))
        .raw("\">")
        .text(percent(rate.share))
        .raw("<small>of ")
        .text(count(rate.n))
        .raw("</small>");
    if scale {
        svg::interval(page, rate);
    }
    page.raw("</span>");
}

fn times(page: &mut Markup, durations: Option<&Quantiles>) {
    let Some(it) = durations else {
        page.raw("<td class=n data-l=Median>").raw(NO_DATA);
        page.raw("</td><td class=n data-l=\"95%\">").raw(NO_DATA).raw("</td>");
        return;
    };
    page.raw("<td class=n data-l=Median><span>")
        .text(millis(it.p50_ms))
        .raw("<small>n ")
        .text(count(it.n))
        .raw("</small></span></td><td class=n data-l=\"95%\">")
        .text(millis(it.p95_ms))
        .raw("</td>");
}

fn omitted(page: &mut Markup, omitted: u64, noun: &str) {
    if omitted > 0 {
        page.raw("<p class=\"soft small\">")
            .text(counted(omitted, noun))
            .raw(" more, not listed.</p>");
    }
}

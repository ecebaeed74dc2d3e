//! A section for each selector, usage, data quality and methods.

use super::markup::Markup;
use super::{overview, svg, tables};
use crate::terminal::warnings;
use crate::text::{count, counted, millis, percent, span, time};
use telemetry_models::report::{Count, Report, SelectorRow};

pub(super) fn selectors(page: &mut Markup, report: &Report, most: usize) {
    if report.selectors.is_empty() || most == 0 {
        return;
    }
    page.raw("<section aria-labelledby=details><h2 id=details>Selector by selector</h2>");
    if report.selectors.len() > most {
        page.raw("<p class=\"soft small\">The first ")
            .text(count(most as u64))
            .raw(" of ")
            .text(counted(report.selectors.len() as u64, "selector"))
            .raw("; the JSON form has all.</p>");
    }
    for (at, row) in report.selectors.iter().take(most).enumerate() {
        page.raw("<details id=s").text(at).raw("><summary>").code(&row.selector).raw(" ");
        if let Some(site) = &row.site {
            page.raw("<span class=\"soft small\">").text(site).raw("</span> ");
        }
        tables::health(page, row.health);
        page.raw("</summary><div>");
        selector(page, row);
        page.raw("</div></details>\n");
    }
    page.raw("</section>\n");
}

fn selector(page: &mut Markup, row: &SelectorRow) {
    strategies(page, row);
    page.raw("<div class=pairs><div><h3>Outcomes</h3><ul>");
    for it in &row.outcomes {
        page.raw("<li><span>")
            .text(it.outcome.as_str().replace('_', " "))
            .raw("</span><span>")
            .text(count(it.count))
            .raw("</span></li>");
    }
    page.raw("</ul></div>");
    if let Some(it) = &row.durations {
        page.raw("<div><h3>Time of ").text(counted(it.n, "successful operation"));
        page.raw("</h3><ul>");
        for (label, ms) in [
            ("half within", it.p50_ms),
            ("95% within", it.p95_ms),
            ("99% within", it.p99_ms),
            ("longest", it.max_ms),
        ] {
            page.raw("<li><span>").text(label).raw("</span><span>").text(millis(ms));
            page.raw("</span></li>");
        }
        page.raw("</ul></div>");
    }
    depths(page, row);
    if let Some(it) = &row.confidence {
        page.raw("<div><h3>Confidence</h3><ul><li><span>mean of ")
            .text(count(it.n))
            .raw("</span><span>")
            .text(format!("{:.2}", it.mean))
            .raw("</span></li><li><span>lowest</span><span>")
            .text(format!("{:.2}", it.min))
            .raw("</span></li></ul></div>");
    }
    page.raw("</div>");
    errors(page, row);
    if !row.recent_faults.is_empty() {
        page.raw("<div><h3>Latest faults</h3>");
        overview::ids(page, &row.recent_faults);
        page.raw("</div>");
    }
    if let (Some(at), Some(event)) = (row.last_success, &row.last_success_event) {
        page.raw("<p class=small>Last success ").text(time(at)).raw(", event ").code(event);
        page.raw("</p>");
    }
    page.raw("<p class=\"soft small\">")
        .text(counted(row.urls, "distinct URL"))
        .raw(" · each bar of a series covers at least ")
        .text(span(row.series.step_s))
        .raw("</p>");
}

fn strategies(page: &mut Markup, row: &SelectorRow) {
    if row.strategies.is_empty() {
        page.raw("<p class=none>No attempts are recorded.</p>");
        return;
    }
    let most = row.strategies.iter().map(|it| it.tried).max().unwrap_or(0);
    page.raw(
        "<div><h3>Strategies</h3><p class=\"soft small\">Outlined: tried. Solid: match \
         used.</p><div class=wide role=group tabindex=0 aria-label=Strategies><table><thead><tr>\
         <th scope=col>Strategy<th scope=col>Tried and used<th scope=col class=n>Tried<th \
         scope=col class=n>Used<th scope=col class=n>Empty<th scope=col class=n>Median</tr>\
         </thead><tbody>",
    );
    for it in &row.strategies {
        page.raw("<tr><th scope=row>");
        match &it.strategy {
            Some(strategy) => {
                page.text(&strategy.kind);
                if let Some(text) = &strategy.text {
                    page.raw("<small>").code(text).raw("</small>");
                }
            }
            None => {
                page.raw("all others");
            }
        }
        page.raw("</th><td data-l=\"Tried and used\">");
        svg::waterfall(page, it, most);
        for (label, value) in [("Tried", it.tried), ("Used", it.accepted), ("Empty", it.empty)] {
            page.raw("</td><td class=n data-l=").text(label).raw(">").text(count(value));
        }
        page.raw("</td><td class=n data-l=Median>");
        match it.median_ms {
            Some(ms) => page
                .raw("<span>")
                .text(millis(ms))
                .raw("<small>n ")
                .text(count(it.timed))
                .raw("</small></span>"),
            None => page.raw("<span class=none>no data</span>"),
        };
        page.raw("</td></tr>");
    }
    page.raw("</tbody></table></div></div>");
}

fn depths(page: &mut Markup, row: &SelectorRow) {
    let known: u64 = row.fallback_depths.iter().sum();
    if known == 0 {
        return;
    }
    page.raw("<div><h3>Found by the</h3><ul>");
    let last = row.fallback_depths.len().saturating_sub(1);
    for (depth, n) in row.fallback_depths.iter().enumerate().filter(|(_, n)| **n > 0) {
        page.raw("<li><span>");
        match depth {
            0 => page.raw("first strategy"),
            1 => page.raw("first fallback"),
            depth if depth == last => page.text(format!("fallback {depth} or deeper")),
            depth => page.text(format!("fallback {depth}")),
        };
        page.raw("</span><span>").text(count(*n)).raw("</span></li>");
    }
    page.raw("</ul></div>");
}

fn errors(page: &mut Markup, row: &SelectorRow) {
    if row.errors.is_empty() {
        return;
    }
    page.raw("<div><h3>Reported errors</h3><ul class=plain>");
    for group in &row.errors {
        page.raw("<li>").text(count(group.count)).raw(" × ");
        match &group.kind {
            Some(kind) => page.text(kind),
            None => page.raw("all others"),
        };
        if let Some(message) = &group.message {
            page.raw(": ").code(message);
        }
        if let Some(event) = &group.last_event {
            page.raw(" <span class=\"soft small\">latest ").code(event).raw("</span>");
        }
        page.raw("</li>");
    }
    page.raw("</ul></div>");
}

pub(super) fn usage(page: &mut Markup, report: &Report) {
    let usage = &report.usage;
    if usage.operations.is_empty() {
        return;
    }
    page.raw("<section aria-labelledby=usage><h2 id=usage>Usage</h2><div class=pairs>");
    counts(page, "Operations by kind", &usage.operations);
    counts(page, "Operations by engine", &usage.engines);
    counts(page, "Operations by page", &usage.url_templates);
    page.raw("</div></section>\n");
}

fn counts(page: &mut Markup, heading: &'static str, counts: &[Count]) {
    page.raw("<div><h3>").raw(heading).raw("</h3>");
    if counts.is_empty() {
        page.raw("<p class=none>no data</p></div>");
        return;
    }
    page.raw("<ul>");
    for it in counts {
        page.raw("<li><span>");
        match &it.name {
            Some(name) => page.code(name),
            None => page.raw("all others"),
        };
        page.raw("</span><span>").text(count(it.count)).raw("</span></li>");
    }
    page.raw("</ul></div>");
}

pub(super) fn data_quality(page: &mut Markup, report: &Report) {
    let quality = &report.data_quality;
    page.raw("<section aria-labelledby=quality><h2 id=quality>Data quality</h2><p>")
        .text(counted(quality.events_read, "event"))
        .raw(" read.");
    if quality.ledgers > 0 {
        page.raw(" ")
            .text(counted(quality.ledgers, "ledger"))
            .raw(" count ")
            .text(counted(quality.recorded, "recorded operation"))
            .raw(" of any selector, ")
            .text(count(quality.dropped_total()))
            .raw(" of them dropped.");
    }
    page.raw("</p>");
    let warnings = warnings(report);
    if warnings.is_empty() {
        page.raw("<p class=soft>No damage, loss or contradiction found.</p>");
    } else {
        page.raw("<ul class=\"plain warn\">");
        for warning in &warnings {
            page.raw("<li>").text(warning).raw("</li>");
        }
        page.raw("</ul>");
    }
    page.raw("<div class=pairs>");
    if !quality.dropped.is_empty() {
        page.raw("<div><h3>Dropped events</h3><ul>");
        for it in &quality.dropped {
            page.raw("<li><code>")
                .text(&it.reason)
                .raw("</code><span>")
                .text(count(it.count))
                .raw("</span></li>");
        }
        page.raw("</ul></div>");
    }
    if !quality.missing.is_empty() {
        page.raw("<div><h3>Events without</h3><ul>");
        for it in &quality.missing {
            page.raw("<li><code>")
                .text(&it.field)
                .raw("</code><span>")
                .text(percent(it.missing as f64 / it.n as f64))
                .raw(" of ")
                .text(count(it.n))
                .raw("</span></li>");
        }
        page.raw("</ul></div>");
    }
    page.raw("</div>");
    for message in
        quality.damage.iter().chain(&quality.ledgers_unreadable).chain(&quality.alerts_unreadable)
    {
        page.raw("<p class=small>").code(message).raw("</p>");
    }
    page.raw("</section>\n");
}

pub(super) fn methods(page: &mut Markup, report: &Report) {
    let methods = &report.methods;
    page.raw("<section aria-labelledby=methods><h2 id=methods>Methods</h2><p>Intervals: ")
        .text(&methods.interval)
        .raw(". Quantiles are within ")
        .text(percent(methods.quantile_relative_error))
        .raw(
            " of the true value. Rates of success count only operations that tested the selector: \
             those spoilt by site, network, browser or engine, cancelled ones and expected \
             absences are counted apart. Times are those of successful operations.</p>\
             <details><summary>What makes a finding</summary><div><ul class=plain>",
        );
    for rule in &methods.rules {
        page.raw("<li>").text(rule).raw("</li>");
    }
    page.raw("</ul></div></details>");
    if let Some(command) = &report.reproduce {
        page.raw("<p>To make this report again:</p><pre><code>").text(command);
        page.raw("</code></pre>");
    }
    page.raw("</section>\n");
}

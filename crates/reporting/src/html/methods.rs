//! How the numbers were made.

use super::markup::Markup;
use crate::text::percent;
use telemetry_models::report::Report;

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

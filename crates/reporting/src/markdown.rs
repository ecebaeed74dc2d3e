use crate::gate::{summary, words};
use crate::sheet::{Sheet, quality, sheets};
use crate::terminal::period;
use crate::text::{clean, count, interval, millis, percent, time};
use crate::verdict::kind_words;
use std::fmt::Display;
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::{ChangeState, Finding, Report, ReportKind, SelectorRow};

/// Rows of a table.
const MAX_ROWS: usize = 50;

/// The report as Markdown, for pull requests and wikis.
///
/// CommonMark with tables. Strings from web pages are escaped: they make no markup, no HTML and no
/// links.
#[derive(Clone, Copy, Debug, Default)]
pub struct MarkdownRenderer;

impl MarkdownRenderer {
    /// Makes one.
    pub fn new() -> Self {
        Self
    }
}

impl ReportRenderer for MarkdownRenderer {
    fn format(&self) -> &'static str {
        "markdown"
    }

    fn extension(&self) -> &'static str {
        "md"
    }

    fn render(&self, report: &Report) -> Result<String> {
        let mut text = format!("# Selector report\n\n**{}**", escaped(&report.verdict.sentence));
        text.push_str(&format!("\n\n{}\n", escaped(period(report))));
        let totals = &report.totals;
        let rate = totals.success_rate.as_ref().map_or_else(
            || "success rate: no data".to_owned(),
            |it| format!("{} of {} succeeded ({})", percent(it.share), count(it.n), interval(it)),
        );
        text.push_str(&format!("\n{} operations, {rate}\n", count(totals.operations)));
        gate(&mut text, report);
        text.push_str("\n## What needs attention\n\n");
        if report.attention.is_empty() {
            text.push_str("Nothing.\n");
        }
        for finding in &report.attention {
            text.push_str(&line(finding));
        }
        if report.attention_omitted > 0 {
            text.push_str(&format!("\nand {} less urgent\n", count(report.attention_omitted)));
        }
        comparison(&mut text, report);
        if report.kind == ReportKind::Summary {
            selectors(&mut text, report);
        }
        for it in sheets(report) {
            sheet(&mut text, &it);
        }
        sheet(&mut text, &quality(report));
        if let Some(command) = &report.reproduce {
            text.push_str(&format!("\nTo make this report again: {}\n", escaped(command)));
        }
        Ok(text)
    }
}

fn selectors(text: &mut String, report: &Report) {
    text.push_str(
        "\n## Selectors\n\n| selector | site | health | operations | succeeded | p50 | p95 |\n\
         |---|---|---|--:|--:|--:|--:|\n",
    );
    for row in report.selectors.iter().take(MAX_ROWS) {
        text.push_str(&table_row(row));
    }
    let rest = report.selectors.len().saturating_sub(MAX_ROWS) as u64;
    if rest + report.selectors_omitted > 0 {
        let rest = count(rest + report.selectors_omitted);
        text.push_str(&format!("\n{rest} more, not listed\n"));
    }
}

fn sheet(text: &mut String, sheet: &Sheet) {
    text.push_str(&format!("\n## {}\n\n", sheet.title));
    for paragraph in &sheet.paragraphs {
        text.push_str(&format!("{}\n\n", escaped(paragraph)));
    }
    for table in sheet.tables.iter().filter(|it| !it.rows.is_empty()) {
        let marks: Vec<&str> =
            table.rows[0].iter().map(|it| if it.is_number() { "--:" } else { "---" }).collect();
        text.push_str(&format!(
            "**{}**\n\n| {} |\n|{}|\n",
            escaped(&table.title),
            table.head.join(" | "),
            marks.join("|")
        ));
        for row in table.rows.iter().take(MAX_ROWS) {
            let cells: Vec<String> = row.iter().map(|it| escaped(it.text())).collect();
            text.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
        if table.omitted > 0 {
            text.push_str(&format!("\n{} more, not listed\n", count(table.omitted)));
        }
        text.push('\n');
    }
}

fn gate(text: &mut String, report: &Report) {
    let Some(gate) = &report.gate else { return };
    text.push_str(&format!("\n## Check: {}\n\n", gate.state));
    for it in &gate.conditions {
        text.push_str(&format!("- {}: {}\n", escaped(&it.condition), it.state));
    }
}

fn line(finding: &Finding) -> String {
    let name = match (&finding.selector, &finding.site) {
        (Some(selector), Some(site)) => format!("{selector} on {site}"),
        (Some(selector), None) => selector.to_string(),
        (None, site) => format!("site {}", site.as_deref().unwrap_or("unknown")),
    };
    let since = finding.since.map(|at| format!(" Since {}.", time(at))).unwrap_or_default();
    format!(
        "- **{}** {} ({}): {}{since}\n",
        escaped(name),
        kind_words(finding.kind),
        finding.severity,
        escaped(&finding.what),
    )
}

fn comparison(text: &mut String, report: &Report) {
    let Some(it) = &report.comparison else { return };
    text.push_str(&format!("\n## Compared\n\n{}\n\n", escaped(summary(it))));
    let changed =
        it.rows.iter().filter(|row| matches!(row.state, ChangeState::Worse | ChangeState::Better));
    for row in changed.take(MAX_ROWS) {
        let signals: Vec<String> =
            row.signals.iter().filter(|it| it.changed).map(|it| escaped(words(it))).collect();
        let site = row.site.as_deref().map(|site| format!(" on {site}")).unwrap_or_default();
        let name = escaped(format!("{}{site}", row.selector));
        text.push_str(&format!("- **{name}** {}: {}\n", row.state, signals.join("; ")));
    }
}

fn table_row(row: &SelectorRow) -> String {
    let rate = row.success_rate.as_ref().map_or_else(
        || "no data".to_owned(),
        |it| format!("{} of {}", percent(it.share), count(it.n)),
    );
    let ms = |pick: fn(&telemetry_models::report::Quantiles) -> f64| {
        row.durations.as_ref().map_or_else(|| "no data".to_owned(), |it| millis(pick(it)))
    };
    format!(
        "| {} | {} | {} | {} | {rate} | {} | {} |\n",
        escaped(&row.selector),
        escaped(row.site.as_deref().unwrap_or("")),
        row.health,
        count(row.operations),
        ms(|it| it.p50_ms),
        ms(|it| it.p95_ms),
    )
}

/// Text that means itself: CommonMark takes a backslash before any ASCII punctuation. `:`, `@` and
/// the dot after `www` begin links in GitHub's dialect.
fn escaped(text: impl Display) -> String {
    let text = clean(&text.to_string());
    let mut escaped = String::with_capacity(text.len());
    for symbol in text.chars() {
        let www = symbol == '.' && ends_with_www(&escaped);
        match symbol {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '!' | '|' | '~'
            | '$' | ':' | '@' => {
                escaped.push('\\');
                escaped.push(symbol);
            }
            '.' if www => escaped.push_str("\\."),
            symbol => escaped.push(symbol),
        }
    }
    escaped
}

fn ends_with_www(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3 && bytes[bytes.len() - 3..].eq_ignore_ascii_case(b"www")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn links_and_markup_mean_themselves() {
        assert_eq!(escaped("[a](http://b) www.c a|b"), "\\[a\\]\\(http\\://b\\) www\\.c a\\|b");
        assert_eq!(escaped("<b>\n`x`"), "&lt;b&gt; \\`x\\`");
        assert_eq!(escaped("87.3%"), "87.3%");
    }
}

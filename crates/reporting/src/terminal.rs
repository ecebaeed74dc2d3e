use crate::gate::summary;
use crate::sheet;
use crate::text::{clean, count, counted, interval, measure, millis, rate, time};
use crate::verdict::kind_words;
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::{Finding, Report, ReportKind, Series, VerdictLevel};
use telemetry_models::{Severity, Signal};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Lines of the whole.
const MAX_LINES: usize = 24;
/// Problems shown.
const MAX_PROBLEMS: usize = 5;
/// Opportunities shown.
const MAX_CHANCES: usize = 3;
/// Widest sparkline, in columns.
const SPARK_COLUMNS: usize = 24;

/// The report in at most 24 lines: the verdict, up to five problems, a warning about the data.
///
/// No line is wider than the given width, except the path of the HTML report, which stays in one
/// piece so that it can be copied. Strings from web pages cannot steer the terminal.
#[derive(Clone, Debug)]
pub struct TerminalRenderer {
    width: usize,
    color: bool,
    html: Option<String>,
}

impl TerminalRenderer {
    /// 80 columns, without colour.
    pub fn new() -> Self {
        Self { width: 80, color: false, html: None }
    }

    /// Sets the columns of the terminal; below 40 counts as 40.
    #[must_use]
    pub fn width(mut self, columns: usize) -> Self {
        self.width = columns.max(40);
        self
    }

    /// Colours words that also say the same without colour. Whether to is the caller's decision
    /// (a terminal is attached, `NO_COLOR` is not set).
    #[must_use]
    pub fn color(mut self, color: bool) -> Self {
        self.color = color;
        self
    }

    /// Names the file with the HTML report.
    #[must_use]
    pub fn html_path(mut self, path: impl Into<String>) -> Self {
        self.html = Some(path.into());
        self
    }

    fn paint(&self, style: &str, text: &str) -> String {
        if self.color { format!("\u{1b}[{style}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    fn fit(&self, text: &str) -> String {
        fit(&clean(text), self.width)
    }

    fn head(&self, report: &Report) -> Vec<String> {
        let (style, word) = match report.verdict.level {
            VerdictLevel::Healthy => ("1;32", "HEALTHY"),
            VerdictLevel::Attention => ("1;33", "ATTENTION"),
            VerdictLevel::Failing => ("1;31", "FAILING"),
            VerdictLevel::NoData => ("1", "NO DATA"),
        };
        let mut lines = vec![self.paint("2", &self.fit(&period(report)))];
        let sentence = clean(&report.verdict.sentence);
        for (at, line) in wrap(&sentence, self.width - word.len() - 2).iter().take(3).enumerate() {
            let lead = if at == 0 { self.paint(style, word) } else { " ".repeat(word.len()) };
            lines.push(format!("{lead}  {line}"));
        }
        lines.push(String::new());
        lines
    }

    fn totals(&self, report: &Report) -> Vec<String> {
        let totals = &report.totals;
        let mut first = vec![counted(totals.operations, "operation")];
        match &totals.success_rate {
            Some(it) => first.push(format!("{} succeeded [{}]", rate(it), interval(it))),
            None => first.push("success rate: no data".into()),
        }
        match &totals.durations {
            Some(it) => first.push(format!("p50 {} p95 {}", millis(it.p50_ms), millis(it.p95_ms))),
            None => first.push("durations: no data".into()),
        }
        let second = format!(
            "{} · {} · faults: selector {}, environment {} · expected absent {}",
            counted(totals.selectors, "selector"),
            counted(totals.sites, "site"),
            count(totals.selector_fault),
            count(totals.environment_fault),
            count(totals.expected_absence),
        );
        vec![self.fit(&first.join(" · ")), self.fit(&second)]
    }

    fn problem(&self, at: usize, finding: &Finding, report: &Report) -> Vec<String> {
        let place = match (&finding.selector, &finding.site) {
            (Some(selector), Some(site)) => format!("{selector} on {site}"),
            (Some(selector), None) => selector.to_string(),
            (None, Some(site)) => format!("site {site}"),
            (None, None) => "operations without a site".into(),
        };
        let severity = format!("{:>8}", finding.severity.as_str());
        let about = if finding.since_within_s.is_some() { "about " } else { "" };
        let since =
            finding.since.map(|at| format!("  since {about}{}", time(at))).unwrap_or_default();
        let place = fit(&clean(&place), self.width.saturating_sub(13 + since.width()));
        let style = match finding.severity {
            Severity::Critical | Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
        };
        let pad = " ".repeat(self.width.saturating_sub(13 + since.width() + place.width()));
        let first = format!(
            "{at:>2} {}  {}{pad}{since}",
            self.paint(style, &severity),
            self.paint("1", &place)
        );
        let change = match (&finding.before, &finding.after) {
            (Some(before), Some(after)) => {
                format!("{}: {} → {}", kind_words(finding.kind), measure(before), measure(after))
            }
            _ => finding.what.clone(),
        };
        let spark = report
            .selectors
            .iter()
            .find(|row| {
                Some(&row.selector) == finding.selector.as_ref() && row.site == finding.site
            })
            .map(|row| sparkline(&row.series, finding.after.map(|it| it.signal)))
            .filter(|spark| !spark.is_empty());
        let room = self.width - 13 - spark.as_ref().map_or(0, |it| it.width() + 2);
        let change = fit(&clean(&change), room);
        let second = match spark {
            Some(spark) => {
                let pad = " ".repeat(room - change.width());
                format!("{}{change}{pad}  {spark}", " ".repeat(13))
            }
            None => format!("{}{change}", " ".repeat(13)),
        };
        vec![first, second]
    }

    /// What would save most.
    fn chances(&self, report: &Report) -> Vec<String> {
        let cards = report.recommendations.iter().flat_map(|it| &it.cards).take(MAX_CHANCES);
        let lines: Vec<String> =
            cards.map(|card| self.fit(&format!(" + {}", sheet::line(card)))).collect();
        if lines.is_empty() {
            return lines;
        }
        [String::new(), self.paint("1", "Opportunities")].into_iter().chain(lines).collect()
    }

    /// The sections of the report's kind, as far as there is room.
    fn sheets(&self, report: &Report, room: usize) -> Vec<String> {
        let mut sheets = sheet::sheets(report);
        if sheets.is_empty() {
            sheets.push(sheet::quality(report));
        }
        let mut lines = vec![String::new()];
        for sheet in sheets {
            lines.push(self.paint("1", sheet.title));
            for paragraph in &sheet.paragraphs {
                lines.extend(wrap(&clean(paragraph), self.width));
            }
            for table in sheet.tables.iter().filter(|it| !it.rows.is_empty()) {
                lines.push(self.paint("1", &self.fit(&format!("{}:", table.title))));
                for row in &table.rows {
                    let cells: Vec<String> = row.iter().map(sheet::Cell::text).collect();
                    lines.push(self.fit(&format!("  {}", cells.join(" · "))));
                }
            }
        }
        if lines.len() > room {
            lines.truncate(room.saturating_sub(1));
            lines.push("… all of it with --format html, markdown or json".into());
        }
        lines
    }

    fn foot(&self, report: &Report) -> Vec<String> {
        let mut lines = Vec::new();
        let (open, resolved) = (report.alerts.open.len(), report.alerts.resolved.len());
        if open + resolved > 0 {
            lines.push(format!("alerts: {open} open, {resolved} resolved in this period"));
        }
        if let Some(it) = &report.comparison {
            lines.push(self.fit(&format!("compared: {}", summary(it))));
        }
        if let Some(gate) = &report.gate {
            let conditions: Vec<String> =
                gate.conditions.iter().map(|it| format!("{} {}", it.condition, it.state)).collect();
            let text = format!("check: {} ({})", gate.state, conditions.join(", "));
            lines.push(self.fit(&text));
        }
        let warnings = warnings(report);
        if !warnings.is_empty() {
            let text = format!("! data quality: {}", warnings.join("; "));
            lines.push(self.paint("33", &self.fit(&text)));
        }
        if let Some(path) = &self.html {
            lines.push(format!("full report: {}", clean(path)));
        }
        lines
    }
}

impl Default for TerminalRenderer {
    fn default() -> Self {
        Self::new()
    }
}

impl ReportRenderer for TerminalRenderer {
    fn format(&self) -> &'static str {
        "terminal"
    }

    fn extension(&self) -> &'static str {
        "txt"
    }

    fn render(&self, report: &Report) -> Result<String> {
        let mut lines = self.head(report);
        lines.extend(self.totals(report));
        let foot = self.foot(report);
        let chances = match report.kind {
            ReportKind::Summary => self.chances(report),
            _ => {
                let room = MAX_LINES.saturating_sub(lines.len() + foot.len() + 2);
                lines.extend(self.sheets(report, room));
                if !foot.is_empty() {
                    lines.push(String::new());
                    lines.extend(foot);
                }
                return Ok(joined(&lines));
            }
        };
        // Each problem takes two lines; three more are the heading, the rest and a blank line.
        let room = MAX_LINES.saturating_sub(lines.len() + foot.len() + chances.len() + 4) / 2;
        let shown = report.attention.len().min(MAX_PROBLEMS).min(room);
        if shown > 0 {
            lines.push(String::new());
            lines.push(self.paint("1", "What needs attention"));
            for (at, finding) in report.attention.iter().take(shown).enumerate() {
                lines.extend(self.problem(at + 1, finding, report));
            }
            let rest = (report.attention.len() - shown) as u64 + report.attention_omitted;
            if rest > 0 {
                lines.push(format!("   + {} more", count(rest)));
            }
        }
        lines.extend(chances);
        if !foot.is_empty() {
            lines.push(String::new());
            lines.extend(foot);
        }
        Ok(joined(&lines))
    }
}

fn joined(lines: &[String]) -> String {
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

/// What weakens the conclusions, shortest words first in importance.
pub(crate) fn warnings(report: &Report) -> Vec<String> {
    let quality = &report.data_quality;
    let mut warnings = Vec::new();
    let mut warn = |value: u64, words: &str| {
        if value > 0 {
            warnings.push(format!("{} {words}", count(value)));
        }
    };
    warn(quality.damaged_places, "damaged places in the store");
    warn(quality.dropped_total(), "events dropped");
    warn(quality.unsettled, "events not yet stored");
    warn(quality.contradictory, "contradictory events");
    warn(quality.future_timestamps, "timestamps in the future");
    warn(quality.untracked_events, "events of untracked selectors");
    warn(quality.duplicates, "events read twice");
    warn(quality.disordered_streams, "recorders whose clock contradicts their sequence");
    if quality.ledgers_unreadable.is_some() {
        warnings.push("ledgers unreadable".into());
    }
    if quality.alerts_unreadable.is_some() {
        warnings.push("alerts unreadable".into());
    }
    warnings
}

/// What the report covers, in one line.
pub(crate) fn period(report: &Report) -> String {
    let asked = &report.period;
    let from = asked.from.or(asked.first).map(time);
    let to = asked.to.or(asked.last).map(time);
    let times = match (from, to) {
        (Some(from), Some(to)) => format!("{from} to {to}"),
        (Some(from), None) => format!("from {from}"),
        (None, Some(to)) => format!("up to {to}"),
        (None, None) => "any time".into(),
    };
    format!("{times} · {}", report.filter)
}

/// A signal by step, as eighths of a line; `·` where there is nothing to say. Shares and
/// confidence stand on a scale from 0 to 1, durations on one from 0 to the longest. Signals without
/// a series of their own are shown by the share of success.
fn sparkline(series: &Series, signal: Option<Signal>) -> String {
    let success = |(n, faults): (&u64, &u64)| (*n > 0).then(|| (n - faults) as f64 / *n as f64);
    let values: Vec<Option<f64>> = match signal {
        Some(Signal::DurationMs) => series.p50_ms.clone(),
        Some(Signal::FallbackRate) => series.fallback_share.clone(),
        Some(Signal::Confidence) => series.confidence.clone(),
        _ => series.verdicts.iter().zip(&series.faults).map(success).collect(),
    };
    let top = match signal {
        Some(Signal::DurationMs) => values.iter().flatten().copied().fold(0.0, f64::max),
        _ => 1.0,
    };
    values
        .chunks(values.len().div_ceil(SPARK_COLUMNS).max(1))
        .map(|steps| {
            let known: Vec<f64> = steps.iter().flatten().copied().collect();
            if known.is_empty() || top <= 0.0 {
                return '·';
            }
            let mean = known.iter().sum::<f64>() / known.len() as f64;
            let level = (mean / top * 7.0 + 1e-9).floor() as usize;
            ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'][level.min(7)]
        })
        .collect()
}

/// Cuts to a number of columns, with `…` where something was cut.
fn fit(text: &str, columns: usize) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for symbol in text.chars() {
        let wide = symbol.width().unwrap_or(0);
        if used + wide + 1 > columns {
            break;
        }
        used += wide;
        fitted.push(symbol);
    }
    fitted.push('…');
    fitted
}

/// Breaks at spaces; a word wider than the line is cut.
fn wrap(text: &str, columns: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let word = fit(word, columns);
        let line = lines.last_mut().expect("there is always a last line");
        if line.is_empty() {
            *line = word;
        } else if line.width() + 1 + word.width() <= columns {
            line.push(' ');
            line.push_str(&word);
        } else {
            lines.push(word);
        }
    }
    lines
}

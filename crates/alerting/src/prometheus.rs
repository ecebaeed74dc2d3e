//! Rules that Prometheus can evaluate as well, as a file for it.

use crate::rule::z_of;
use crate::{Against, NoData, Rule, template};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;
use telemetry_models::{Aggregate, Comparison, Outcome, OutcomeClass, Severity, Signal};

/// Histogram of successful and other operations' times in seconds, by selector, site and outcome:
/// OpenTelemetry's `selector.operation.duration` as Prometheus names it.
const DURATION: &str = "selector_operation_duration_seconds";
/// Summary of the confidence of operations that tested the selector: `selector.confidence`.
const CONFIDENCE: &str = "selector_confidence";
/// What alerts are about.
const BY: &str = "selector_id, site";

/// Rules as Prometheus takes them, and why the others have no equal there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrometheusRules {
    /// A rule file (YAML) for Prometheus 2.42 or newer.
    pub yaml: String,
    /// How many rules of one's own it stands for.
    pub exported: usize,
    /// Rules that it leaves out: id and reason.
    pub left_out: Vec<(String, String)>,
}

/// Writes the rules that mean the same in Prometheus: those with a window by time and a fixed
/// threshold on a signal for which there is a metric. `clear_at` and `confidence` are written out:
/// an alert that fires is asked for its own state (`ALERTS`), a share for the bound of Wilson's
/// interval. What has no equal is left out, with the reason.
///
/// Two things differ, and are said in the file where they apply: in Prometheus an alert ends when
/// its window is empty (`no_data = "keep"` keeps it), and the alert of a severity step ends by
/// itself.
///
/// The expressions read the histogram `selector_operation_duration_seconds` and the summary
/// `selector_confidence`, both with labels `selector_id`, `site` and `outcome`. Rules with severity
/// steps become one alert a step. Names of alerts are the rules' ids.
pub fn prometheus_rules(rules: &[Rule]) -> PrometheusRules {
    let mut yaml = String::from("groups:\n- name: selector-telemetry\n  rules:\n");
    let (mut exported, mut left_out) = (0, Vec::new());
    for rule in rules {
        match expression(rule) {
            Ok(expression) => {
                exported += 1;
                write_rule(&mut yaml, rule, &expression);
            }
            Err(reason) => left_out.push((rule.id.to_string(), reason)),
        }
    }
    if exported == 0 {
        yaml = "groups: []\n".to_owned();
    }
    PrometheusRules { yaml, exported, left_out }
}

/// The two sides of a rule's condition, without threshold.
struct Expression {
    value: String,
    /// Samples, where their number matters.
    samples: Option<String>,
}

impl Expression {
    /// The condition with its threshold, for an alert of this severity.
    fn condition(&self, rule: &Rule, severity: Severity, level: f64) -> String {
        let (value, comparison) = (&self.value, rule.comparison);
        let enough = |condition: String| match &self.samples {
            Some(samples) => format!("({condition}) and ({samples} >= {})", rule.min_samples()),
            None => condition,
        };
        let bound = self.samples.as_ref().and_then(|samples| bound(rule, value, samples));
        let fires = enough(match &bound {
            Some(bound) => format!("{value} and ({bound} {comparison} {level})"),
            None => format!("{value} {comparison} {level}"),
        });
        let clear_at = rule.clear_at.unwrap_or(level);
        if clear_at == level && bound.is_none() {
            return fires;
        }
        let stays = enough(format!("{value} {comparison} {clear_at}"));
        let id = quoted(&rule.id);
        let own = format!("alertname={id},severity=\"{severity}\",alertstate=\"firing\"");
        format!("({fires}) or (({stays}) and on ({BY}) ALERTS{{{own}}})")
    }
}

/// The end of Wilson's interval on the side of all being well, of a share over so many samples.
fn bound(rule: &Rule, share: &str, samples: &str) -> Option<String> {
    let z = rule.confidence.and_then(z_of)?;
    let sign = match rule.comparison {
        Comparison::Above | Comparison::AtLeast => '-',
        Comparison::Below | Comparison::AtMost => '+',
        Comparison::Equal | Comparison::NotEqual => return None,
    };
    let (square, p, n) = (z * z, format!("({share})"), format!("({samples})"));
    let (half, quarter) = (square / 2.0, square / 4.0);
    let spread = format!("{z} * sqrt({p} * (1 - {p}) / {n} + {quarter} / ({n} * {n}))");
    Some(format!("({p} + {half} / {n} {sign} {spread}) / (1 + {square} / {n})"))
}

fn expression(rule: &Rule) -> Result<Expression, String> {
    let no = |reason: &str| Err(reason.to_owned());
    let Some(within) = rule.within else {
        return no("its window is a number of operations (last), not a time (within)");
    };
    if rule.last.is_some() {
        return no("its window is limited by number as well (last)");
    }
    if rule.against != Against::Fixed {
        return no("it is held against the selector's own past");
    }
    if !rule.unless_firing.is_empty() {
        return no("other rules keep it quiet (unless_firing)");
    }
    if rule.escalate_after.is_some() {
        return no("it escalates what nobody acknowledges (escalate_after)");
    }
    if matches!(rule.no_data, NoData::AlertAfter(_)) {
        return no("it alerts for want of data (no_data)");
    }
    if !rule.attributes.is_empty() {
        return no("it looks at attributes of operations (attributes)");
    }
    let range = format!("[{}]", span(within));
    let of = |metric: &str, outcomes: &str| {
        format!("sum by ({BY}) (increase({metric}{{{}}}{range}))", labels(rule, outcomes))
    };
    let count = format!("{DURATION}_count");
    let (tested, succeeded) = (outcomes(Outcome::is_verdict), outcomes(Outcome::is_success));
    let share = |part: &str, all: &str| format!("{} / {}", of(&count, part), of(&count, all));
    let any = ".+";
    let (value, all) = match (rule.signal, rule.aggregate()) {
        (Signal::SuccessRate, Aggregate::Rate | Aggregate::Mean) => {
            (share(&succeeded, &tested), tested)
        }
        (Signal::ErrorRate, Aggregate::Rate | Aggregate::Mean) => {
            (share(&outcomes(|it| it.is_verdict() && !it.is_success()), &tested), tested)
        }
        (Signal::TimeoutRate, Aggregate::Rate | Aggregate::Mean) => {
            (share(Outcome::Timeout.as_str(), &tested), tested)
        }
        (Signal::EnvironmentFaultRate, Aggregate::Rate | Aggregate::Mean) => {
            let faults = outcomes(|it| it.class() == OutcomeClass::EnvironmentFault);
            (share(&faults, any), any.to_owned())
        }
        (Signal::Frequency, _) => {
            let value = format!("sum by ({BY}) (rate({count}{{{}}}{range}))", labels(rule, any));
            return Ok(Expression { value, samples: None });
        }
        (Signal::DurationMs, Aggregate::Mean) => {
            let sum = of(&format!("{DURATION}_sum"), &succeeded);
            (format!("1000 * {sum} / {}", of(&count, &succeeded)), succeeded)
        }
        (Signal::DurationMs, aggregate) if aggregate.quantile().is_some() => {
            let q = aggregate.quantile().unwrap_or(0.5);
            let buckets = format!("{DURATION}_bucket{{{}}}{range}", labels(rule, &succeeded));
            let value =
                format!("1000 * histogram_quantile({q}, sum by ({BY}, le) (rate({buckets})))");
            (value, succeeded)
        }
        (Signal::Confidence, Aggregate::Mean) => {
            let sum = of(&format!("{CONFIDENCE}_sum"), any);
            let seen = of(&format!("{CONFIDENCE}_count"), any);
            return Ok(Expression { value: format!("{sum} / {seen}"), samples: Some(seen) });
        }
        (signal, aggregate) => {
            return Err(format!("there is no metric for {aggregate} of {signal}"));
        }
    };
    Ok(Expression { value, samples: Some(of(&count, &all)) })
}

fn outcomes(wanted: impl Fn(Outcome) -> bool) -> String {
    let wanted = Outcome::ALL.iter().filter(|it| wanted(**it)).map(|it| it.as_str());
    wanted.collect::<Vec<_>>().join("|")
}

fn labels(rule: &Rule, outcomes: &str) -> String {
    let mut labels = Vec::new();
    if !rule.selector.is_any() {
        labels.push(format!("selector_id=~{}", quoted(&regex(rule.selector.as_str()))));
    }
    if let Some(site) = &rule.site {
        labels.push(format!("site={}", quoted(site)));
    }
    labels.push(format!("outcome=~{}", quoted(outcomes)));
    labels.join(",")
}

/// A pattern with wildcards as an (anchored) regular expression of Prometheus.
fn regex(pattern: &str) -> String {
    let mut text = String::new();
    for symbol in pattern.chars() {
        match symbol {
            '*' => text += ".*",
            '?' => text.push('.'),
            symbol => {
                if "\\.+()|[]{}^$".contains(symbol) {
                    text.push('\\');
                }
                text.push(symbol);
            }
        }
    }
    text
}

/// A string of PromQL, and of YAML in double quotes.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for symbol in text.chars() {
        match symbol {
            '"' | '\\' => quoted.extend(['\\', symbol]),
            '\n' => quoted += "\\n",
            symbol if symbol.is_control() => quoted.push(' '),
            symbol => quoted.push(symbol),
        }
    }
    quoted + "\""
}

fn span(duration: Duration) -> String {
    match duration.subsec_millis() {
        0 => format!("{}s", duration.as_secs()),
        _ => format!("{}ms", duration.as_millis()),
    }
}

fn write_rule(yaml: &mut String, rule: &Rule, expression: &Expression) {
    let mut levels: BTreeMap<Severity, f64> = BTreeMap::from([(rule.severity, rule.fire_at)]);
    levels.extend(rule.steps.iter().map(|step| (step.severity, step.at)));
    if rule.no_data == NoData::Keep && expression.samples.is_some() {
        yaml.push_str("  # Differs: ends when its window is empty (no_data = \"keep\" keeps it)\n");
    }
    if levels.len() > 1 {
        yaml.push_str("  # Differs: each severity is an alert of its own, and ends by itself\n");
    }
    for (severity, level) in levels {
        let expr = expression.condition(rule, severity, level);
        let mut line = |text: String| {
            let _ = writeln!(yaml, "{text}");
        };
        line(format!("  - alert: {}", quoted(&rule.id)));
        line(format!("    expr: {}", quoted(&expr)));
        if !rule.hold.is_zero() {
            line(format!("    for: {}", span(rule.hold)));
        }
        if !rule.keep_firing_for.is_zero() {
            line(format!("    keep_firing_for: {}", span(rule.keep_firing_for)));
        }
        line("    labels:".to_owned());
        line(format!("      severity: {severity}"));
        for (key, value) in rule.labels.iter().filter(|(key, _)| *key != "severity") {
            line(format!("      {}: {}", label_name(key), quoted(&escaped(value))));
        }
        line("    annotations:".to_owned());
        let summary = rule.summary.as_deref().unwrap_or(DEFAULT_SUMMARY);
        line(format!("      summary: {}", quoted(&filled(summary, rule, level))));
        if let Some(runbook) = &rule.runbook {
            line(format!("      runbook_url: {}", quoted(&escaped(runbook))));
        }
        for (key, text) in rule.annotations.iter().filter(|(key, _)| *key != "summary") {
            line(format!("      {}: {}", label_name(key), quoted(&filled(text, rule, level))));
        }
    }
}

const DEFAULT_SUMMARY: &str = "{selector} on {site}: {signal} is {value} (limit {threshold})";

/// A text with Prometheus' placeholders instead of ours.
fn filled(text: &str, rule: &Rule, level: f64) -> String {
    template::fill(&escaped(text), |name| match name {
        "selector" => "{{ $labels.selector_id }}".to_owned(),
        "site" => "{{ $labels.site }}".to_owned(),
        "value" => "{{ $value }}".to_owned(),
        "rule" => rule.id.to_string(),
        "signal" => rule.signal.to_string(),
        "threshold" => level.to_string(),
        _ => "?".to_owned(),
    })
}

/// A text that Prometheus' templates leave as it is.
fn escaped(text: &str) -> String {
    text.replace("{{", "{ {")
}

/// Prometheus' names hold letters, digits and underscores.
fn label_name(key: &str) -> String {
    let mut name: String =
        key.chars().map(|it| if it.is_ascii_alphanumeric() { it } else { '_' }).collect();
    if name.is_empty() || name.starts_with(|it: char| it.is_ascii_digit()) {
        name.insert(0, '_');
    }
    name
}

//! How severe an alert is, and why.

use crate::Rule;
use crate::reading::Reading;
use telemetry_aggregation::{Z_95, wilson};
use telemetry_models::{Aggregate, Alert, Comparison, Severity, SeverityFactor};

/// A share this much of the way from the threshold to the worst possible value is a strong effect.
const STRONG_SHARE: f64 = 0.5;
/// A value so many times beyond its threshold is a strong effect.
const STRONG_FACTOR: f64 = 3.0;
/// Operations that a strong effect needs to count.
const STRONG_EVIDENCE: usize = 20;
/// Selectors of one site, and the share of all watched ones there, that make trouble broad.
const BROAD: (u32, f64) = (3, 0.5);

/// How much of a site one rule complains of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Breadth {
    /// Selectors with an open alert of the rule.
    pub(crate) open: u32,
    /// Selectors that are watched.
    pub(crate) watched: u32,
}

/// What the factor says after the numbers.
const WATCHED: &str = " selectors watched on the site";

impl Breadth {
    /// The factor in words.
    pub(crate) fn factor(self, points: i8) -> SeverityFactor {
        let Self { open, watched } = self;
        factor("breadth", format!("{open} of {watched}{WATCHED}"), points)
    }

    /// Back from the words.
    pub(crate) fn of(factor: &SeverityFactor) -> Option<Self> {
        let (open, watched) = factor.found.strip_suffix(WATCHED)?.split_once(" of ")?;
        let found = Self { open: open.parse().ok()?, watched: watched.parse().ok()? };
        (found.factor(factor.points) == *factor).then_some(found)
    }
}

fn factor(name: &str, found: String, points: i8) -> SeverityFactor {
    SeverityFactor { name: name.into(), found, points }
}

/// Severity and factors by what one selector shows.
pub(crate) fn grade(rule: &Rule, reading: Reading) -> (Severity, Vec<SeverityFactor>) {
    let by_steps = rule.severity_of(reading.level);
    let mut factors = vec![factor("rule", format!("{} at least", rule.severity), 0)];
    if by_steps > rule.severity {
        factors.push(factor("step", format!("the value reaches {by_steps}"), 0));
    }
    if !rule.graded || !rule.steps.is_empty() {
        return (by_steps, factors);
    }
    let points = i8::from(is_strong(rule, reading) && reading.samples >= STRONG_EVIDENCE);
    factors.push(factor("effect", effect(rule, reading), points));
    factors.push(factor("evidence", evidence(rule, reading), 0));
    (raised(by_steps, points), factors)
}

/// Adds how much of the site is affected; returns the severity it makes.
pub(crate) fn broaden(rule: &Rule, alert: &mut Alert, breadth: Breadth) {
    if !rule.graded || !rule.steps.is_empty() {
        return;
    }
    let Breadth { open, watched } = breadth;
    let broad = open >= BROAD.0 && f64::from(open) >= BROAD.1 * f64::from(watched);
    alert.factors.push(breadth.factor(i8::from(broad)));
    alert.severity = raised(alert.severity, i8::from(broad));
}

/// Severity by what one selector shows, without its factors.
pub(crate) fn severity(rule: &Rule, reading: Reading) -> Severity {
    let by_steps = rule.severity_of(reading.level);
    let graded = rule.graded && rule.steps.is_empty();
    let raises = graded && is_strong(rule, reading) && reading.samples >= STRONG_EVIDENCE;
    raised(by_steps, raises.into())
}

fn raised(severity: Severity, points: i8) -> Severity {
    if points > 0 { severity.next().unwrap_or(severity) } else { severity }
}

fn of_share(rule: &Rule) -> bool {
    rule.signal.is_share() && rule.aggregate() != Aggregate::Count
}

fn is_strong(rule: &Rule, reading: Reading) -> bool {
    let (value, threshold) = (reading.value, reading.threshold);
    let high = matches!(rule.comparison, Comparison::Above | Comparison::AtLeast);
    if of_share(rule) {
        let worst = if high { 1.0 } else { 0.0 };
        let way = (value - threshold) / (worst - threshold);
        return way.is_finite() && way >= STRONG_SHARE;
    }
    let factor = if high { value / threshold } else { threshold / value };
    factor.is_finite() && factor >= STRONG_FACTOR
}

fn effect(rule: &Rule, reading: Reading) -> String {
    let (value, threshold) = (reading.value, reading.threshold);
    if of_share(rule) {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        return format!("{} against {}", percent(value), percent(threshold));
    }
    format!("{} against {}", short(value), short(threshold))
}

fn short(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

fn evidence(rule: &Rule, reading: Reading) -> String {
    let n = reading.samples;
    if !rule.signal.is_share() || rule.aggregate() != Aggregate::Rate {
        return format!("{n} operations");
    }
    let hits = (reading.value * n as f64).round() as u64;
    let sure = wilson(hits, n as u64, Z_95).map_or(String::new(), |it| {
        format!(", surely {:.0} to {:.0} %", it.low * 100.0, it.high * 100.0)
    });
    format!("{n} operations{sure}")
}

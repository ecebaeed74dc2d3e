//! Conditions that a pipeline can fail on.

use std::fmt;
use std::str::FromStr;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};
use telemetry_models::Signal;
use telemetry_models::report::{
    ChangeState, Gate, GateCase, GateCondition, GateState, Health, Report, RowComparison,
    SignalComparison,
};

/// One condition under which a check fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Condition {
    /// `broken`: a selector does not work in this period.
    Broken,
    /// `slower>30%`: median or p95 rose by more than that between the periods.
    Slower(f64),
    /// `fails>5%`: the success rate fell by more than so many points between the periods.
    Fails(f64),
    /// `fallback>20%`: the share of fallbacks rose by more than so many points.
    Fallback(f64),
    /// `alerts`: an alert is open.
    Alerts,
    /// `loss`: events were dropped, or the store is damaged.
    Loss,
}

impl Condition {
    /// Whether it needs a period to compare with.
    pub fn compares(self) -> bool {
        matches!(self, Self::Slower(_) | Self::Fails(_) | Self::Fallback(_))
    }

    /// Reads conditions with commas between them.
    ///
    /// # Errors
    /// TEL-004 naming what was found and what is expected.
    pub fn list(text: &str) -> Result<Vec<Self>> {
        text.split(',').map(|part| part.trim().parse()).collect()
    }
}

impl FromStr for Condition {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let (name, limit) = match text.split_once('>') {
            Some((name, limit)) => (name.trim(), Some(share(limit).ok_or_else(|| wrong(text))?)),
            None => (text, None),
        };
        match (name, limit) {
            ("broken", None) => Ok(Self::Broken),
            ("slower", limit) => Ok(Self::Slower(limit.unwrap_or(0.0))),
            ("fails", limit) => Ok(Self::Fails(limit.unwrap_or(0.0))),
            ("fallback", limit) => Ok(Self::Fallback(limit.unwrap_or(0.0))),
            ("alerts", None) => Ok(Self::Alerts),
            ("loss", None) => Ok(Self::Loss),
            _ => Err(wrong(text)),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limit) = match self {
            Self::Broken => ("broken", 0.0),
            Self::Slower(limit) => ("slower", *limit),
            Self::Fails(limit) => ("fails", *limit),
            Self::Fallback(limit) => ("fallback", *limit),
            Self::Alerts => ("alerts", 0.0),
            Self::Loss => ("loss", 0.0),
        };
        f.write_str(name)?;
        if limit > 0.0 { write!(f, ">{}%", limit * 100.0) } else { Ok(()) }
    }
}

fn share(text: &str) -> Option<f64> {
    let value: f64 = text.trim().strip_suffix('%')?.trim().parse().ok()?;
    (0.0..=10_000.0).contains(&value).then_some(value / 100.0)
}

fn wrong(found: &str) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!(
            "found the condition {found:?}, expected broken, alerts, loss, slower>30%, fails>5% or \
             fallback>20% (any percentage)"
        ),
    )
    .cure("separate conditions with commas, as in broken,slower>30%")
}

/// Checks a report. Conditions that compare are unknown in a report without a comparison.
pub fn judge(report: &Report, conditions: &[Condition]) -> Gate {
    let conditions: Vec<GateCondition> = conditions
        .iter()
        .map(|condition| {
            let cases = match condition {
                Condition::Broken => broken(report),
                Condition::Alerts => vec![alerts(report)],
                Condition::Loss => vec![loss(report)],
                Condition::Slower(limit) => compared(report, Signal::DurationMs, *limit),
                Condition::Fails(limit) => compared(report, Signal::SuccessRate, *limit),
                Condition::Fallback(limit) => compared(report, Signal::FallbackRate, *limit),
            };
            let has = |state| cases.iter().any(|it: &GateCase| it.state == state);
            let state = match () {
                () if has(GateState::Failed) => GateState::Failed,
                () if has(GateState::Passed) => GateState::Passed,
                () => GateState::Unknown,
            };
            GateCondition { condition: condition.to_string(), state, cases }
        })
        .collect();
    let has = |state| conditions.iter().any(|it| it.state == state);
    let state = match () {
        () if has(GateState::Failed) => GateState::Failed,
        () if has(GateState::Unknown) || conditions.is_empty() => GateState::Unknown,
        () => GateState::Passed,
    };
    Gate { state, conditions }
}

fn broken(report: &Report) -> Vec<GateCase> {
    let case = |row: &telemetry_models::report::SelectorRow| {
        let own = report.attention.iter().find(|it| {
            it.selector.as_ref() == Some(&row.selector)
                && it.site.as_deref().is_none_or(|site| row.site.as_deref() == Some(site))
        });
        let (state, what) = match row.health {
            Health::Failing => {
                let what = own.map_or("does not work", |it| it.what.as_str());
                (GateState::Failed, what.to_owned())
            }
            Health::NoData => (GateState::Unknown, "too few operations to judge".to_owned()),
            Health::Healthy | Health::Attention => (GateState::Passed, "works".to_owned()),
        };
        GateCase { selector: Some(row.selector.clone()), site: row.site.clone(), state, what }
    };
    report.selectors.iter().map(case).collect()
}

fn alerts(report: &Report) -> GateCase {
    let open = report.alerts.open.len();
    let (state, what) = match (&report.data_quality.alerts_unreadable, open) {
        (Some(why), _) => (GateState::Unknown, format!("the alerts cannot be read: {why}")),
        (None, 0) => (GateState::Passed, "none open".to_owned()),
        (None, open) => (GateState::Failed, format!("{open} open")),
    };
    GateCase { selector: None, site: None, state, what }
}

fn loss(report: &Report) -> GateCase {
    let quality = &report.data_quality;
    let (dropped, damaged) = (quality.dropped_total(), quality.damaged_places);
    let (state, what) = match &quality.ledgers_unreadable {
        _ if dropped + damaged > 0 => (
            GateState::Failed,
            format!("{dropped} events dropped, {damaged} damaged places in the store"),
        ),
        Some(why) => (GateState::Unknown, format!("the ledgers cannot be read: {why}")),
        None if quality.ledgers == 0 => (GateState::Unknown, "no ledger was kept".to_owned()),
        None => (GateState::Passed, "nothing dropped, no damage".to_owned()),
    };
    GateCase { selector: None, site: None, state, what }
}

fn compared(report: &Report, signal: Signal, limit: f64) -> Vec<GateCase> {
    let rows = report.comparison.iter().flat_map(|it| &it.rows);
    rows.filter(|row| !matches!(row.state, ChangeState::Appeared | ChangeState::Gone))
        .map(|row| compared_row(row, signal, limit))
        .collect()
}

fn compared_row(row: &RowComparison, signal: Signal, limit: f64) -> GateCase {
    let own = || row.signals.iter().filter(|it| it.signal == signal);
    let beyond = |it: &&SignalComparison| it.changed && it.worse && it.effect.abs() > limit;
    let (state, what) = match (own().find(beyond), own().next()) {
        (Some(it), _) => (GateState::Failed, words(it)),
        (None, Some(it)) => (GateState::Passed, words(it)),
        (None, None) => (GateState::Unknown, "too little data in one of the periods".to_owned()),
    };
    GateCase { selector: Some(row.selector.clone()), site: row.site.clone(), state, what }
}

/// `p95 12.0 ms → 15.1 ms, +25.8% (95% interval +20.1% to +31.0%, n 2,000 and 2,100)`.
pub(crate) fn words(it: &SignalComparison) -> String {
    use crate::text::{count, value};
    let name = match it.quantile {
        Some(q) => format!("p{:.0}", q * 100.0),
        None => it.signal.as_str().replace('_', " "),
    };
    let unit = if it.quantile.is_some() { "%" } else { " points" };
    let signed = |part: f64| format!("{:+.1}{unit}", part * 100.0);
    format!(
        "{name} {} → {}, {} (95% interval {} to {}, n {} and {})",
        value(it.signal, it.before),
        value(it.signal, it.after),
        signed(it.effect),
        signed(it.low),
        signed(it.high),
        count(it.before_n),
        count(it.after_n),
    )
}

/// `3 of 40 selectors worse, 1 better, 2 with too little data, against the week before`.
pub(crate) fn summary(it: &telemetry_models::report::PeriodComparison) -> String {
    let mut text = format!(
        "{} of {} worse, {} better, {} with too little data, against {}",
        it.worse,
        crate::text::counted(it.compared, "compared selector"),
        it.better,
        it.too_few,
        it.against
    );
    if let Some(mix) = it.success_mix.filter(|mix| mix.misleading) {
        text.push_str(&format!(
            "; the total success rate misleads: {:+.1} points, of which {:+.1} within selectors \
             (the rest: other selectors were used)",
            mix.total * 100.0,
            mix.within * 100.0,
        ));
    }
    text
}

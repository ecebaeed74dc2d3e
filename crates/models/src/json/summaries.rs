use super::ReadError;
use crate::Event;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::{self, Display};
use std::time::Duration;

/// How far a time may be off per attempt: other writers round to the microsecond.
const TIME_TOLERANCE: Duration = Duration::from_micros(1);
/// How far a share may be off: other writers round to two decimals.
const SHARE_TOLERANCE: f64 = 0.005;

/// The strategy of every attempt that really ran, in order.
pub(super) fn order(event: &Event) -> Vec<&str> {
    event.real_attempts().map(|attempt| attempt.kind.as_str()).collect()
}

/// Whether any attempt of a strategy was accepted.
pub(super) fn success_by_kind(event: &Event) -> BTreeMap<&str, bool> {
    let mut by_kind = BTreeMap::new();
    for attempt in event.real_attempts() {
        *by_kind.entry(attempt.kind.as_str()).or_insert(false) |= attempt.is_accepted();
    }
    by_kind
}

/// Time of a strategy's attempts together, of the strategies that were timed.
pub(super) fn timing_by_kind(event: &Event) -> BTreeMap<&str, Duration> {
    let mut by_kind = BTreeMap::new();
    for attempt in event.real_attempts() {
        if let Some(duration) = attempt.duration {
            let sum: &mut Duration = by_kind.entry(attempt.kind.as_str()).or_default();
            *sum = sum.saturating_add(duration);
        }
    }
    by_kind
}

/// What a text says about its own attempts.
#[derive(Default)]
pub(super) struct Summaries<'de> {
    pub(super) success: Option<bool>,
    pub(super) success_rate: Option<f64>,
    pub(super) fallback_used: Option<bool>,
    pub(super) primary: Option<Cow<'de, str>>,
    pub(super) secondary: Option<Vec<Cow<'de, str>>>,
    pub(super) order: Option<Vec<Cow<'de, str>>>,
    pub(super) success_by_kind: Option<BTreeMap<Cow<'de, str>, bool>>,
    pub(super) timing_by_kind: Option<BTreeMap<Cow<'de, str>, Duration>>,
    pub(super) switches: Option<u32>,
}

impl Summaries<'_> {
    /// Holds them against the attempts of `event`.
    pub(super) fn check(&self, event: &Event) -> Result<(), ReadError> {
        let success = event.outcome.is_success();
        if self.success.is_some_and(|claimed| claimed != success) {
            return Err(ReadError::contradiction(
                "quality_metrics.success",
                !success,
                success.to_string(),
                &format!("outcome is {}", event.outcome),
            ));
        }
        let rate = event.strategy_success_rate();
        if let Some(claimed) = self.success_rate
            && rate.is_none_or(|rate| (rate - claimed).abs() > SHARE_TOLERANCE)
        {
            return Err(differs("quality_metrics.strategy_success_rate", claimed, rate));
        }
        same("quality_metrics.fallback_used", self.fallback_used, event.fallback_used())?;
        same(
            "strategy_metrics.primary_strategy",
            self.primary.as_deref(),
            event.primary_strategy().map(|kind| kind.as_str()),
        )?;
        let secondary: Vec<_> =
            event.secondary_strategies().into_iter().map(|kind| kind.as_str()).collect();
        same_list("strategy_metrics.secondary_strategies", self.secondary.as_ref(), &secondary)?;
        same_list("strategy_metrics.strategy_execution_order", self.order.as_ref(), &order(event))?;
        let real = success_by_kind(event);
        for (kind, claimed) in self.success_by_kind.iter().flatten() {
            let field = format!("strategy_metrics.strategy_success_by_type.{kind}");
            same(&field, Some(*claimed), real.get(kind.as_ref()).copied())?;
        }
        self.check_timing(event)?;
        let switches = (!event.attempts.is_empty()).then(|| event.strategy_switches());
        match self.switches {
            Some(0) => {
                same("strategy_metrics.strategy_switches_count", Some(0), switches.or(Some(0)))
            }
            claimed => same("strategy_metrics.strategy_switches_count", claimed, switches),
        }
    }

    fn check_timing(&self, event: &Event) -> Result<(), ReadError> {
        let real = timing_by_kind(event);
        for (kind, claimed) in self.timing_by_kind.iter().flatten() {
            let tries =
                event.real_attempts().filter(|it| it.kind.as_str() == kind.as_ref()).count();
            let tolerance = TIME_TOLERANCE * u32::try_from(tries).unwrap_or(u32::MAX);
            let found = real.get(kind.as_ref()).copied();
            if found.is_none_or(|found| found.abs_diff(*claimed) > tolerance) {
                let millis = |time: Duration| time.as_nanos() as f64 / 1e6;
                return Err(differs(
                    &format!("strategy_metrics.strategy_timing_by_type.{kind}"),
                    millis(*claimed),
                    found.map(millis),
                ));
            }
        }
        Ok(())
    }
}

fn same<T: PartialEq + Display>(
    field: &str,
    claimed: Option<T>,
    real: Option<T>,
) -> Result<(), ReadError> {
    match claimed {
        Some(claimed) if real.as_ref() != Some(&claimed) => Err(differs(field, claimed, real)),
        _ => Ok(()),
    }
}

fn same_list(
    field: &str,
    claimed: Option<&Vec<Cow<'_, str>>>,
    real: &[&str],
) -> Result<(), ReadError> {
    match claimed {
        Some(claimed) if claimed.as_slice() != real => {
            Err(differs(field, List(claimed), Some(List(real))))
        }
        _ => Ok(()),
    }
}

fn differs(field: &str, claimed: impl Display, real: Option<impl Display>) -> ReadError {
    let expected = real.map_or_else(|| "nothing".to_owned(), |real| real.to_string());
    ReadError::contradiction(field, claimed, expected, "the attempts say so")
}

struct List<'a, T>(&'a [T]);

impl<T: AsRef<str>> Display for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<&str> = self.0.iter().map(AsRef::as_ref).collect();
        write!(f, "[{}]", words.join(", "))
    }
}

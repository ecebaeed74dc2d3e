use super::fields::Fields;
use super::read::Parts;
use super::summaries::Summaries;
use super::{ReadError, summaries};
use crate::{Attempt, AttemptOutcome, Confidence, Event, Outcome, ShadowProbe, StrategyKind};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

/// What the keys of the original form say about the attempts, with the key's path.
const PRIMARY: &str = "strategy_metrics.primary_strategy";
const SUCCESS_BY_TYPE: &str = "strategy_metrics.strategy_success_by_type";
const TIMING_BY_TYPE: &str = "strategy_metrics.strategy_timing_by_type";
const SWITCHES: &str = "strategy_metrics.strategy_switches_count";
const SUCCESS_RATE: &str = "quality_metrics.strategy_success_rate";
const FALLBACK_USED: &str = "quality_metrics.fallback_used";
const FALLBACK_ATTEMPTS: &str = "error_data.fallback_attempts";

/// Reads the original form; the rules stand in the documentation of [`super`].
pub(super) fn event(top: Fields<'_>) -> Result<Event, ReadError> {
    let Parts { mut event, summaries, rest } = Parts::read(top, Outcome::Success)?;
    event.outcome = outcome(&event, summaries.success)?;
    for fields in rest {
        fields.keep(&mut event.attributes)?;
    }
    rebuild(&mut event, &summaries)?;
    check(&event, &summaries)?;
    keep_unreproduced(&mut event, &summaries);
    event.validate()?;
    Ok(event)
}

fn outcome(event: &Event, success: Option<bool>) -> Result<Outcome, ReadError> {
    match (success, &event.error) {
        (Some(true), _) => Ok(Outcome::Success),
        (None, None) => Err(ReadError::missing("quality_metrics.success", "true or false")),
        (None, Some(error)) if error.recovery_successful == Some(true) => Ok(Outcome::Success),
        (_, error) => {
            let named = error.as_ref().and_then(|error| outcome_of_error(&error.kind));
            Ok(named.unwrap_or(if event.quality.elements_found == Some(0) {
                Outcome::NotFound
            } else {
                Outcome::EngineError
            }))
        }
    }
}

/// The outcome that a word of the open taxonomy of error types stands for.
fn outcome_of_error(kind: &str) -> Option<Outcome> {
    let word: String =
        kind.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    let stem = word
        .strip_suffix("exception")
        .or_else(|| word.strip_suffix("error"))
        .filter(|stem| !stem.is_empty())
        .unwrap_or(&word);
    Some(match stem {
        "timeout" | "timedout" | "waittimeout" | "resolutiontimeout" => Outcome::Timeout,
        "notfound" | "elementnotfound" | "selectornotfound" | "nosuchelement" | "emptyresult"
        | "noresults" | "nomatch" => Outcome::NotFound,
        "lowconfidence" | "confidencetoolow" | "belowthreshold" => Outcome::LowConfidence,
        "ambiguous"
        | "multiplematches"
        | "multipleelements"
        | "notunique"
        | "strictmodeviolation" => Outcome::Ambiguous,
        "validation" | "validationfailed" | "validationfailure" | "contentmismatch" => {
            Outcome::ValidationFailed
        }
        "invalidselector" | "selectorsyntax" | "syntax" | "invalidcss" | "invalidxpath" => {
            Outcome::InvalidSelector
        }
        "navigation" | "navigationfailed" | "navigationtimeout" | "pageload" | "pageloadfailed"
        | "network" | "connection" | "connectionrefused" | "dns" => Outcome::NavigationFailed,
        "blocked" | "captcha" | "accessdenied" | "forbidden" | "ratelimit" | "ratelimited"
        | "toomanyrequests" | "botdetected" => Outcome::Blocked,
        "targetclosed"
        | "pageclosed"
        | "tabclosed"
        | "browserclosed"
        | "browserdisconnected"
        | "sessionclosed"
        | "nosuchwindow"
        | "invalidsessionid"
        | "crashed" => Outcome::TargetClosed,
        "cancelled" | "canceled" | "aborted" => Outcome::Cancelled,
        _ => return None,
    })
}

/// Why a strategy of an event with this outcome failed.
fn reason(outcome: Outcome) -> AttemptOutcome {
    match outcome {
        Outcome::NotFound => AttemptOutcome::Empty,
        Outcome::LowConfidence => AttemptOutcome::LowConfidence,
        Outcome::Ambiguous => AttemptOutcome::Ambiguous,
        Outcome::ValidationFailed => AttemptOutcome::ValidationFailed,
        Outcome::InvalidSelector => AttemptOutcome::InvalidSelector,
        Outcome::Timeout => AttemptOutcome::Timeout,
        _ => AttemptOutcome::Error,
    }
}

fn rebuild(event: &mut Event, summaries: &Summaries<'_>) -> Result<(), ReadError> {
    let (tried, skipped) = strategies(summaries);
    let winner = winner(event.outcome, &tried, summaries)?;
    for (at, kind) in tried.iter().enumerate() {
        let mut attempt = Attempt::new(StrategyKind::new(kind), reason(event.outcome));
        if Some(at) == winner
            || (winner.is_some_and(|winner| at > winner) && said(summaries, kind) == Some(true))
        {
            attempt.outcome = AttemptOutcome::Accepted;
        }
        if Some(at) == winner {
            attempt.confidence = event.quality.confidence;
            attempt.elements = event.quality.elements_found;
        } else if winner.is_some_and(|winner| at > winner) {
            attempt.shadow = Some(ShadowProbe { probability: Confidence::ONE });
        }
        if tried.iter().filter(|other| *other == kind).count() == 1 {
            attempt.duration =
                summaries.timing_by_kind.as_ref().and_then(|it| it.get(*kind)).copied();
        }
        event.attempts.push(attempt);
    }
    for kind in skipped {
        event.attempts.push(Attempt::new(StrategyKind::new(kind), AttemptOutcome::Skipped));
    }
    Ok(())
}

/// The strategies that were tried, in order, and those that were not.
fn strategies<'a>(summaries: &'a Summaries<'_>) -> (Vec<&'a str>, Vec<&'a str>) {
    let secondary = || summaries.secondary.iter().flatten().map(Cow::as_ref);
    let measured: BTreeSet<&str> = summaries
        .success_by_kind
        .iter()
        .flat_map(|map| map.keys())
        .chain(summaries.timing_by_kind.iter().flat_map(|map| map.keys()))
        .map(Cow::as_ref)
        .collect();
    let mut tried: Vec<&str> = match &summaries.order {
        Some(order) if !order.is_empty() => order.iter().map(Cow::as_ref).collect(),
        _ => summaries
            .primary
            .as_deref()
            .into_iter()
            .chain(secondary().filter(|kind| measured.is_empty() || measured.contains(kind)))
            .collect(),
    };
    let unlisted: Vec<&str> = measured.into_iter().filter(|kind| !tried.contains(kind)).collect();
    tried.extend(unlisted);
    let mut skipped = Vec::new();
    for kind in secondary() {
        if !tried.contains(&kind) && !skipped.contains(&kind) {
            skipped.push(kind);
        }
    }
    (tried, skipped)
}

/// Which of the tried strategies is the accepted one.
fn winner(
    outcome: Outcome,
    tried: &[&str],
    summaries: &Summaries<'_>,
) -> Result<Option<usize>, ReadError> {
    let marked = tried.iter().position(|kind| said(summaries, kind) == Some(true));
    if !outcome.is_success() {
        return match marked {
            Some(at) if outcome == Outcome::NotFound => Err(ReadError::contradiction(
                format!("{SUCCESS_BY_TYPE}.{}", tried[at]),
                true,
                "false",
                "the event says that nothing was found",
            )),
            marked => Ok(marked),
        };
    }
    let unsaid = tried.iter().rposition(|kind| said(summaries, kind).is_none());
    match marked.or(unsaid) {
        None if !tried.is_empty() => Err(ReadError::contradiction(
            SUCCESS_BY_TYPE,
            "no strategy that succeeded",
            "one that succeeded",
            "quality_metrics.success is true",
        )),
        winner => Ok(winner),
    }
}

fn said(summaries: &Summaries<'_>, kind: &str) -> Option<bool> {
    summaries.success_by_kind.as_ref()?.get(kind).copied()
}

/// Holds what the original form says twice against each other.
fn check(event: &Event, summaries: &Summaries<'_>) -> Result<(), ReadError> {
    let (tried, _) = strategies(summaries);
    if let (Some(primary), Some(first)) = (summaries.primary.as_deref(), tried.first())
        && primary != *first
    {
        return Err(ReadError::contradiction(
            PRIMARY,
            primary,
            *first,
            "strategy_execution_order begins with it",
        ));
    }
    match (summaries.fallback_used, event.fallback_depth()) {
        (Some(true), Some(0)) => Err(fallback("true", "false", "the first strategy succeeded")),
        (Some(true), _) if tried.len() == 1 => {
            Err(fallback("true", "false", "one strategy was tried"))
        }
        (Some(false), Some(depth)) if depth > 0 => {
            Err(fallback("false", "true", "the first strategy did not succeed"))
        }
        _ => Ok(()),
    }?;
    let switches = tried.windows(2).filter(|pair| pair[0] != pair[1]).count();
    match summaries.switches {
        Some(claimed) if !tried.is_empty() && claimed as usize != switches => {
            Err(ReadError::contradiction(
                SWITCHES,
                claimed,
                switches.to_string(),
                "the strategies tried say so",
            ))
        }
        _ => Ok(()),
    }
}

fn fallback(found: &str, expected: &str, because: &str) -> ReadError {
    ReadError::contradiction(FALLBACK_USED, found, expected, because)
}

/// Keeps as attributes what the rebuilt attempts do not say again.
fn keep_unreproduced(event: &mut Event, summaries: &Summaries<'_>) {
    let mut kept: Vec<(String, String)> = Vec::new();
    if let Some(claimed) = summaries.success_rate
        && event.strategy_success_rate().is_none_or(|rate| (rate - claimed).abs() > 1e-9)
    {
        kept.push((SUCCESS_RATE.to_owned(), claimed.to_string()));
    }
    if event.attempts.is_empty() {
        kept.extend(summaries.fallback_used.map(|it| (FALLBACK_USED.to_owned(), it.to_string())));
        kept.extend(summaries.switches.map(|it| (SWITCHES.to_owned(), it.to_string())));
    }
    if summaries.order.as_ref().is_none_or(Vec::is_empty)
        && !event.attempts.is_empty()
        && let Some(error) = &mut event.error
        && let Some(claimed) = error.fallback_attempts.take()
    {
        kept.push((FALLBACK_ATTEMPTS.to_owned(), claimed.to_string()));
    }
    let order = summaries::order(event);
    for (kind, time) in summaries.timing_by_kind.iter().flatten() {
        if order.iter().filter(|other| *other == kind).count() > 1 {
            let millis = time.as_nanos() as f64 / 1e6;
            kept.push((format!("{TIMING_BY_TYPE}.{kind}"), millis.to_string()));
        }
    }
    for (path, value) in kept {
        event.attributes.insert(Arc::from(format!("original.{path}")), Arc::from(value));
    }
}

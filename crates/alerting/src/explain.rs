//! Words about an alert: what happened, why probably, what to try.

use crate::reading::Reading;
use crate::trail::View;
use crate::{Against, Rule, template};
use telemetry_models::{
    Aggregate, Alert, AlertReason, Attempt, AttemptOutcome, Evidence, Outcome, Signal,
    StrategyKind, Timestamp,
};

/// Events named in an alert.
const MAX_EVENTS: usize = 10;

/// Fills in everything about an alert that is words or evidence.
pub(crate) fn explain(alert: &mut Alert, rule: &Rule, trail: &View<'_>, reading: Reading) {
    alert.evidence = evidence(trail);
    alert.last_good = trail.last_good(reading.baseline);
    alert.summary = match &rule.summary {
        Some(text) => template::fill(text, |name| placeholder(name, alert)),
        None => sentence(alert, rule, trail, reading),
    };
    if let (AlertReason::NoData, Some(since)) = (alert.reason, alert.no_data_since) {
        alert.summary = format!(
            "{} is not measured any more: no {} since {}",
            alert.selector,
            alert.signal,
            clock(since, alert.updated_at)
        );
    }
    alert.page_template = trail.scene().and_then(|scene| scene.template.clone());
    let fill = |text: &String| template::fill(text, |name| placeholder(name, alert));
    alert.annotations =
        rule.annotations.iter().map(|(key, text)| (key.clone(), fill(text))).collect();
    let attempts = trail.scene().map_or(&[][..], |scene| &scene.attempts);
    alert.likely_cause = match rule.signal {
        Signal::EnvironmentFaultRate => surroundings(trail),
        signal => cause(signal, attempts),
    };
    alert.suggestion = suggestion(alert, rule.signal, attempts);
}

fn evidence(trail: &View<'_>) -> Evidence {
    let bad = trail.bad();
    let skipped = bad.len().saturating_sub(MAX_EVENTS);
    Evidence {
        events: bad.iter().skip(skipped).map(|it| it.event.clone()).collect(),
        url: trail.scene().and_then(|scene| scene.url.clone()),
        before: trail
            .winner_before()
            .map(|(kind, text)| format!("{} won", strategy(kind, text.as_deref()))),
        now: trail.scene().and_then(|scene| now(&scene.attempts)),
    }
}

pub(crate) fn now(attempts: &[Attempt]) -> Option<String> {
    let tries: Vec<_> = real(attempts)
        .map(|it| format!("{}: {}", named(it), it.outcome.as_str().replace('_', " ")))
        .collect();
    (!tries.is_empty()).then(|| tries.join("; "))
}

fn real(attempts: &[Attempt]) -> impl Iterator<Item = &Attempt> {
    attempts.iter().filter(|attempt| attempt.is_real())
}

fn named(attempt: &Attempt) -> String {
    strategy(&attempt.kind, attempt.text.as_deref())
}

fn strategy(kind: &StrategyKind, text: Option<&str>) -> String {
    match text {
        Some(text) => format!("{kind} {text}"),
        None => kind.to_string(),
    }
}

fn placeholder(name: &str, alert: &Alert) -> String {
    match name {
        "selector" => alert.selector.to_string(),
        "site" => alert.site.as_deref().unwrap_or("-").to_owned(),
        "rule" => alert.rule.to_string(),
        "signal" => alert.signal.to_string(),
        "value" => quantity(alert.signal, alert.value),
        "threshold" => quantity(alert.signal, alert.threshold),
        "samples" => alert.samples.to_string(),
        other => format!("{{{other}}}"),
    }
}

/// A value with its unit, as short as it stays true.
pub(crate) fn quantity(signal: Signal, value: f64) -> String {
    match signal {
        Signal::DurationMs if value.abs() < 10.0 => format!("{value:.2} ms"),
        Signal::DurationMs => format!("{value:.0} ms"),
        Signal::Frequency => format!("{value:.3} per second"),
        Signal::Confidence => format!("{value:.2}"),
        share if share.is_share() => format!("{:.0} %", value * 100.0),
        _ => format!("{}", (value * 100.0).round() / 100.0),
    }
}

fn sentence(alert: &Alert, rule: &Rule, trail: &View<'_>, reading: Reading) -> String {
    let (selector, signal, n) = (&alert.selector, rule.signal, alert.samples);
    let show = |value| quantity(signal, value);
    let aggregate = rule.aggregate();
    let counted = |share: f64| (share * n as f64).round() as u64;
    let text = match (signal, aggregate) {
        (
            Signal::ErrorRate | Signal::ZeroMatchRate | Signal::TimeoutRate,
            Aggregate::Rate | Aggregate::Mean,
        ) => format!(
            "{selector} {}: {} of the last {n} operations",
            verb(trail),
            counted(alert.value)
        ),
        (Signal::SuccessRate, Aggregate::Rate | Aggregate::Mean) => format!(
            "{selector} {}: {} of the last {n} operations",
            verb(trail),
            counted(1.0 - alert.value)
        ),
        (Signal::FallbackRate, Aggregate::Rate | Aggregate::Mean) => format!(
            "{selector} needs a fallback: {} of the last {n} operations",
            counted(alert.value)
        ),
        (Signal::EnvironmentFaultRate, Aggregate::Rate | Aggregate::Mean) => format!(
            "{selector} cannot be tried: site, network or browser failed in {} of the last {n} \
             operations",
            counted(alert.value)
        ),
        (Signal::DurationMs, _) => format!(
            "{selector} is slow: {} {} over the last {n} operations",
            word(aggregate),
            show(alert.value)
        ),
        (Signal::Confidence, _) if rule.against != Against::Fixed => format!(
            "{selector} is found with less confidence: {} {} over the last {n} operations",
            word(aggregate),
            show(alert.value)
        ),
        (Signal::Frequency, _) => format!(
            "{selector} is used {} ({} {})",
            show(alert.value),
            alert.comparison,
            show(alert.threshold)
        ),
        _ => format!(
            "{selector}: {aggregate} of {signal} is {} ({} {}) over the last {n} operations",
            show(alert.value),
            alert.comparison,
            show(alert.threshold)
        ),
    };
    text + &before(alert, rule, reading)
}

fn word(aggregate: Aggregate) -> &'static str {
    if aggregate == Aggregate::P50 { "median" } else { aggregate.as_str() }
}

fn before(alert: &Alert, rule: &Rule, reading: Reading) -> String {
    let mut known = Vec::new();
    if let (Some(baseline), false) = (reading.baseline, rule.signal.is_share()) {
        known.push(format!("{} before", quantity(rule.signal, baseline)));
    } else if rule.signal == Signal::DurationMs {
        known.push(format!("limit {}", quantity(rule.signal, alert.threshold)));
    }
    if let (Signal::Frequency, Some(good)) = (rule.signal, &alert.last_good) {
        known.push(format!("last used {}", clock(good.at, alert.since)));
    } else if let Some(good) = &alert.last_good {
        known.push(format!("last good {}", clock(good.at, alert.since)));
        known.push(format!("{} good before", good.count));
    } else if alert.signal.is_share() {
        known.push("never good so far".to_owned());
    }
    if known.is_empty() { String::new() } else { format!(" ({})", known.join(", ")) }
}

/// `12:04:05Z`, with the date when it is another day than `today`.
fn clock(at: Timestamp, today: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split(['.', 'Z']).next().unwrap_or(&text);
    match seconds.split_once('T') {
        Some((_, time)) if at.day() == today.day() => format!("{time}Z"),
        _ => format!("{seconds}Z"),
    }
}

fn verb(trail: &View<'_>) -> &'static str {
    let mut outcomes = trail.bad().iter().map(|bad| bad.outcome);
    let Some(first) = outcomes.next() else { return "fails" };
    if !outcomes.all(|outcome| outcome == first) {
        return "fails";
    }
    match first {
        Outcome::NotFound => "matches nothing",
        Outcome::LowConfidence => "is not found with enough confidence",
        Outcome::Ambiguous => "matches too many elements",
        Outcome::ValidationFailed => "finds the wrong content",
        Outcome::InvalidSelector => "is refused by the engine",
        Outcome::Timeout => "times out",
        _ => "fails",
    }
}

pub(crate) fn cause(signal: Signal, attempts: &[Attempt]) -> Option<String> {
    let tried: Vec<_> = real(attempts).collect();
    let (first, last) = (tried.first()?, tried.last()?);
    let fault = matches!(
        signal,
        Signal::SuccessRate | Signal::ErrorRate | Signal::ZeroMatchRate | Signal::TimeoutRate
    );
    let all = |outcome| tried.iter().all(|attempt| attempt.outcome == outcome);
    if fault && all(AttemptOutcome::Empty) {
        return Some(match tried.len() {
            1 => format!("the page no longer contains what {} looks for", named(first)),
            _ => "the page no longer contains what any strategy looks for".to_owned(),
        });
    }
    if fault && all(AttemptOutcome::Timeout) {
        return Some("what the strategies look for does not appear in time".to_owned());
    }
    if fault && all(AttemptOutcome::InvalidSelector) {
        return Some("the selector's text is not valid for this engine".to_owned());
    }
    if last.is_accepted() && tried.len() > 1 {
        return Some(format!(
            "primary strategy {}: {}; {} works",
            named(first),
            first.outcome.as_str().replace('_', " "),
            named(last)
        ));
    }
    None
}

/// What keeps the selector from being tried, when all faults are of one kind.
fn surroundings(trail: &View<'_>) -> Option<String> {
    let mut outcomes = trail.bad().iter().map(|bad| bad.outcome);
    let first = outcomes.next()?;
    if !outcomes.all(|outcome| outcome == first) {
        return None;
    }
    let text = match first {
        Outcome::Blocked => "the site has blocked this program",
        Outcome::NavigationFailed => "the page cannot be loaded",
        Outcome::TargetClosed => "the page, tab or browser was closed meanwhile",
        Outcome::EngineError => "the engine itself fails",
        _ => return None,
    };
    Some(text.to_owned())
}

pub(crate) fn suggestion(alert: &Alert, signal: Signal, attempts: &[Attempt]) -> Option<String> {
    let works = |it: &&Attempt| it.outcome == AttemptOutcome::Accepted;
    let primary = real(attempts).next();
    let page = alert.evidence.url.as_deref().unwrap_or("the page");
    if let Some(winner) = attempts.iter().find(works)
        && let Some(first) = primary
        && (&winner.kind, &winner.text) != (&first.kind, &first.text)
    {
        return Some(format!("promote {}, which works now", named(winner)));
    }
    match signal {
        Signal::SuccessRate | Signal::ErrorRate | Signal::ZeroMatchRate | Signal::TimeoutRate => {
            let never = alert.last_good.is_none();
            Some(match (never, alert.evidence.before.as_deref()) {
                (true, _) => format!("check the selector's definition against {page}"),
                (false, Some(before)) => {
                    format!("open {page} and look for what {}", before.replace(" won", " found"))
                }
                (false, None) => format!("open {page} and correct the selector's definition"),
            })
        }
        Signal::Confidence | Signal::MatchCount => {
            Some(format!("check on {page} that what is found is still the right element"))
        }
        Signal::DurationMs => {
            let slowest = real(attempts)
                .filter_map(|attempt| Some((attempt.duration?, attempt)))
                .max_by_key(|(duration, _)| *duration)?;
            let ms = quantity(Signal::DurationMs, slowest.0.as_secs_f64() * 1e3);
            Some(format!("look at {}, which took {ms} of it", named(slowest.1)))
        }
        Signal::EnvironmentFaultRate => {
            Some(format!("see whether {page} can be reached; the selector was not tested"))
        }
        _ => None,
    }
}

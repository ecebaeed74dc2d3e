use crate::{AttemptOutcome, Event, Invalid, Outcome};
use std::collections::BTreeSet;
use std::time::Duration;

/// The longest resolution time that is believed: 300 s.
const MAX_RESOLUTION: Duration = Duration::from_secs(300);
/// The longest time of any other kind that is believed: 24 h. Below it, milliseconds in an `f64`
/// hold every nanosecond.
const MAX_DURATION: Duration = Duration::from_secs(86_400);
/// How far a timestamp may lie ahead of the reader's clock before it is flagged: 5 min.
const FUTURE_TOLERANCE: Duration = Duration::from_secs(300);

impl Event {
    /// Checks what the types alone do not guarantee.
    ///
    /// # Errors
    /// Names the field (as in the JSON form), what was found and what is allowed: resolution time
    /// up to 300 s, every other time up to 24 h; memory 0 to 1,024 MiB (both included, as in the
    /// original system) and CPU 0 to 100 %, both finite; an error type and strategies that are not
    /// blank; at most one accepted attempt; no contradiction between outcome, attempts, elements
    /// found, the content's check and what is said of recovery and fallbacks.
    ///
    /// Three things that look like contradictions are none. The operation may have found fewer
    /// elements than its accepted attempt matched: an engine filters, or takes the first. Its
    /// confidence may differ from that attempt's: it may be composed of more. Times are not held
    /// against each other: strategies may run side by side, and attempts are timed by the engine's
    /// clock, the operation by the recorder's.
    pub fn validate(&self) -> Result<(), Invalid> {
        at_most(
            "performance_metrics.resolution_time_ms",
            self.timing.resolution,
            MAX_RESOLUTION,
            "at most 300000 ms",
        )?;
        for (field, time) in [
            ("performance_metrics.strategy_execution_time_ms", self.timing.strategies),
            ("performance_metrics.total_duration_ms", self.timing.total),
        ] {
            at_most(field, time, MAX_DURATION, "at most 86400000 ms")?;
        }
        in_range(
            "performance_metrics.memory_usage_mb",
            self.resources.memory_mb,
            1024.0,
            "a number from 0 to 1024",
        )?;
        in_range(
            "performance_metrics.cpu_usage_percent",
            self.resources.cpu_percent,
            100.0,
            "a number from 0 to 100",
        )?;
        if self.outcome.is_success() && self.quality.elements_found == Some(0) {
            return Err(Invalid::new(
                "quality_metrics.elements_found",
                0,
                "1 or more, because outcome is success",
            ));
        }
        if self.outcome.is_success() && self.quality.validation_passed == Some(false) {
            return Err(Invalid::new(
                "quality_metrics.validation_passed",
                false,
                "true or absent, because outcome is success",
            ));
        }
        self.validate_error()?;
        self.validate_attempts()
    }

    fn validate_error(&self) -> Result<(), Invalid> {
        let Some(error) = &self.error else { return Ok(()) };
        if error.kind.trim().is_empty() {
            return Err(Invalid::new("error_data.error_type", "an empty text", "a non-empty word"));
        }
        let success = self.outcome.is_success();
        if error.recovery_successful.is_some_and(|recovered| recovered != success) {
            return Err(Invalid::new(
                "error_data.recovery_successful",
                !success,
                format!("{success} or absent, because outcome is {}", self.outcome),
            ));
        }
        let (least, most) = self.fallbacks();
        match error.fallback_attempts {
            Some(claimed) if !self.attempts.is_empty() && !(least..=most).contains(&claimed) => {
                let expected =
                    if least == most { most.to_string() } else { format!("{least} to {most}") };
                Err(Invalid::new(
                    "error_data.fallback_attempts",
                    claimed,
                    format!("{expected}, because the attempts say so"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// The fewest and the most fallbacks the attempts can be counted as: strategies other than the
    /// first, and attempts after the first. They differ when a strategy was tried more than once.
    fn fallbacks(&self) -> (u32, u32) {
        let mut strategies: Vec<_> =
            self.real_attempts().map(|attempt| (&attempt.kind, &attempt.text)).collect();
        let most = strategies.len().saturating_sub(1);
        strategies.sort_unstable();
        strategies.dedup();
        let least = strategies.len().saturating_sub(1);
        (u32::try_from(least).unwrap_or(u32::MAX), u32::try_from(most).unwrap_or(u32::MAX))
    }

    fn validate_attempts(&self) -> Result<(), Invalid> {
        let accepted = self.attempts.iter().filter(|attempt| attempt.is_accepted()).count();
        if accepted > 1 {
            return Err(Invalid::new("attempts", format!("{accepted} accepted"), "at most one"));
        }
        if accepted == 0 && self.outcome.is_success() && !self.attempts.is_empty() {
            return Err(Invalid::new(
                "attempts",
                "none accepted",
                "an accepted attempt, because outcome is success",
            ));
        }
        if accepted == 1 && matches!(self.outcome, Outcome::NotFound | Outcome::ExpectedAbsent) {
            return Err(Invalid::new(
                "attempts",
                "an accepted attempt",
                format!("none, because outcome is {}", self.outcome),
            ));
        }
        for (at, attempt) in self.attempts.iter().enumerate() {
            if attempt.kind.as_str().trim().is_empty() {
                return Err(Invalid::new(
                    format!("attempts[{at}].strategy"),
                    "an empty text",
                    "a non-empty word",
                ));
            }
            if attempt.duration.is_some_and(|time| time > MAX_DURATION) {
                let field = format!("attempts[{at}].duration_ms");
                at_most(&field, attempt.duration, MAX_DURATION, "at most 86400000 ms")?;
            }
            if attempt.outcome == AttemptOutcome::Accepted && attempt.elements == Some(0) {
                return Err(Invalid::new(
                    format!("attempts[{at}].elements"),
                    0,
                    "1 or more, because the attempt was accepted",
                ));
            }
            if attempt.shadow.is_some_and(|probe| probe.probability.millionths() == 0) {
                return Err(Invalid::new(
                    format!("attempts[{at}].shadow_probability"),
                    0,
                    "above 0 and up to 1",
                ));
            }
            if attempt.outcome == AttemptOutcome::Empty && attempt.elements.unwrap_or(0) > 0 {
                return Err(Invalid::new(
                    format!("attempts[{at}].elements"),
                    attempt.elements.unwrap_or(0),
                    "0 or absent, because the attempt's outcome is empty",
                ));
            }
        }
        if let Some(claimed) = self.quality.elements_found
            && let Some(matched) = self.elements_matched()
            && claimed > matched
        {
            return Err(Invalid::new(
                "quality_metrics.elements_found",
                claimed,
                format!("at most {matched}, because the accepted attempts matched no more"),
            ));
        }
        Ok(())
    }

    /// Whether the event claims to lie more than five minutes ahead of `now`. Such an event is
    /// kept: clocks skew.
    pub fn is_from_the_future(&self, now: crate::Timestamp) -> bool {
        self.timestamp > now.saturating_add(FUTURE_TOLERANCE)
    }

    /// Distinct strategy kinds that really ran, in a fixed order.
    pub fn strategies_tried(&self) -> BTreeSet<&crate::StrategyKind> {
        self.real_attempts().map(|attempt| &attempt.kind).collect()
    }
}

fn at_most(
    field: &str,
    time: Option<Duration>,
    max: Duration,
    expected: &str,
) -> Result<(), Invalid> {
    match time {
        Some(time) if time > max => Err(Invalid::new(field, time.as_secs_f64() * 1e3, expected)),
        _ => Ok(()),
    }
}

fn in_range(field: &str, value: Option<f64>, max: f64, expected: &str) -> Result<(), Invalid> {
    match value {
        Some(value) if !(0.0..=max).contains(&value) => Err(Invalid::new(field, value, expected)),
        _ => Ok(()),
    }
}

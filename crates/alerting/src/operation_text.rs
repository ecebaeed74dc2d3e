//! Operations as a rule test writes them: `success duration=250ms confidence=0.9 x20`.

use crate::duration_text;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, Event, EventId, OperationKind, Outcome, SelectorName,
    StrategyKind, Timestamp,
};

/// So many operations one text may stand for.
const MAX_TIMES: u32 = 100_000;

/// One kind of operation, and how often it follows itself. Without an outcome nothing happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Operations {
    outcome: Option<Outcome>,
    duration: Option<Duration>,
    confidence: Option<Confidence>,
    matches: Option<u32>,
    /// Strategies that were tried in vain before.
    fallback: u32,
    version: Option<u32>,
    pub(crate) times: u32,
}

impl Operations {
    /// Reads `OUTCOME [duration=…] [confidence=…] [matches=…] [fallback=…] [version=…] [xN]`.
    ///
    /// # Errors
    /// What was found, and what was expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace();
        let word = words.next().unwrap_or_default();
        let outcome = match word {
            "none" => None,
            word => Some(word.parse::<Outcome>().map_err(|_| {
                let known: Vec<_> = Outcome::ALL.iter().map(|it| it.as_str()).collect();
                format!("found {word:?}, expected none or an outcome: {}", known.join(", "))
            })?),
        };
        let mut operations = Self {
            outcome,
            duration: None,
            confidence: None,
            matches: None,
            fallback: 0,
            version: None,
            times: 1,
        };
        for word in words {
            operations.read(word)?;
        }
        Ok(operations)
    }

    fn read(&mut self, word: &str) -> Result<(), String> {
        let number = |text: &str, what: &str| {
            text.parse::<u32>().map_err(|_| format!("found {word:?}, expected {what}"))
        };
        if let Some(times) = word.strip_prefix('x').filter(|_| !word.contains('=')) {
            let times = number(times, "x and a number, as in x20")?;
            if !(1..=MAX_TIMES).contains(&times) {
                return Err(format!("found {word:?}, expected x1 to x{MAX_TIMES}"));
            }
            self.times = times;
            return Ok(());
        }
        match word.split_once('=') {
            Some(("duration", text)) => self.duration = Some(duration_text::parse(text)?),
            Some(("confidence", text)) => {
                let value = text.parse().ok().and_then(|it| Confidence::new(it).ok());
                let wrong = || format!("found {word:?}, expected confidence=0 to 1");
                self.confidence = Some(value.ok_or_else(wrong)?);
            }
            Some(("matches", text)) => self.matches = Some(number(text, "a number of elements")?),
            Some(("fallback", text)) => {
                self.fallback = number(text, "a number of strategies, 0 to 20")?.min(20);
            }
            Some(("version", text)) => self.version = Some(number(text, "a version")?),
            _ => {
                return Err(format!(
                    "found {word:?}, expected duration=, confidence=, matches=, fallback=, \
                     version= or xN"
                ));
            }
        }
        Ok(())
    }

    /// The operation at a moment; `None` when nothing happens.
    pub(crate) fn event(
        &self,
        number: u64,
        selector: &SelectorName,
        at: Timestamp,
    ) -> Option<Event> {
        let (outcome, id) = (self.outcome?, EventId::from_u128(u128::from(number) + 1));
        let kind = OperationKind::Resolution;
        let mut event = Event::new(id, selector.clone(), at, kind, outcome);
        let tried = |number: u32, tried| Attempt {
            text: Some(format!("strategy {number}").into()),
            ..Attempt::new(StrategyKind::Css, tried)
        };
        event.attempts = (0..self.fallback).map(|it| tried(it, AttemptOutcome::Empty)).collect();
        if outcome.is_success() {
            event.attempts.push(Attempt {
                duration: self.duration,
                confidence: self.confidence,
                elements: Some(self.matches.unwrap_or(1)),
                ..tried(self.fallback, AttemptOutcome::Accepted)
            });
        } else if outcome == Outcome::NotFound {
            event.attempts.push(tried(self.fallback, AttemptOutcome::Empty));
        }
        event.timing.total = self.duration;
        event.selector_version = self.version;
        Some(event)
    }
}

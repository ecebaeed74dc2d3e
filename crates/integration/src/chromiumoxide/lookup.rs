use super::meaning::Failure;
use chromiumoxide::Element;
use chromiumoxide::error::{CdpError, Result};
use std::time::Duration;
use telemetry_interfaces::{AttemptRecord, OperationObserver};
use telemetry_models::{AttemptOutcome, Outcome};

/// What the engine answered to one strategy.
#[derive(Clone, Copy)]
pub(super) enum Answer<'e> {
    /// So many elements, which are all that match, or the first of an unknown number.
    Found {
        given: u32,
        all: bool,
    },
    /// No elements, and no error either.
    Nothing,
    Failed {
        failure: Failure,
        error: &'e CdpError,
    },
}

impl<'e> Answer<'e> {
    pub(super) fn one(result: &'e Result<Element>, below: bool) -> Self {
        match result {
            Ok(_) => Self::Found { given: 1, all: false },
            Err(error) => Self::Failed { failure: Failure::of(error, below), error },
        }
    }

    pub(super) fn all(result: &'e Result<Vec<Element>>, below: bool) -> Self {
        match result {
            Ok(elements) if elements.is_empty() => Self::Nothing,
            Ok(elements) => {
                Self::Found { given: u32::try_from(elements.len()).unwrap_or(u32::MAX), all: true }
            }
            Err(error) => Self::Failed { failure: Failure::of(error, below), error },
        }
    }

    /// Whether the next strategy may find something.
    pub(super) fn leaves_hope(self) -> bool {
        match self {
            Self::Found { .. } => false,
            Self::Nothing => true,
            Self::Failed { failure, .. } => failure.is_of_the_strategy(),
        }
    }

    /// Whether the strategy was put to the test and matched nothing.
    pub(super) fn is_empty(self) -> bool {
        match self {
            Self::Found { .. } => false,
            Self::Nothing => true,
            Self::Failed { failure, .. } => failure.attempt() == AttemptOutcome::Empty,
        }
    }

    fn attempt(self) -> AttemptRecord {
        let (outcome, elements) = match self {
            Self::Found { given, all } => (AttemptOutcome::Accepted, all.then_some(given)),
            Self::Nothing => (AttemptOutcome::Empty, Some(0)),
            Self::Failed { failure, .. } => {
                (failure.attempt(), (failure == Failure::NotFound).then_some(0))
            }
        };
        AttemptRecord { elements, ..AttemptRecord::new(0, outcome) }
    }
}

/// One lookup under way. Dropped unfinished, with the future it is part of, the operation records
/// `cancelled` or `panicked`.
pub(super) struct Lookup<P> {
    operation: P,
    /// Finding nothing is fine.
    optional: bool,
    /// The page is not the one that was asked for.
    astray: bool,
    tried: u16,
    /// Of the operation, when the current strategy began.
    since: Option<Duration>,
    any_empty: bool,
}

impl<P: OperationObserver> Lookup<P> {
    pub(super) fn new(operation: P, optional: bool, astray: bool) -> Self {
        let since = Some(Duration::ZERO);
        Self { operation, optional, astray, tried: 0, since, any_empty: false }
    }

    /// Records an answer as that of the next strategy.
    pub(super) fn tried(&mut self, answer: Answer<'_>) {
        let now = self.operation.elapsed();
        let elapsed = now.zip(self.since).map(|(now, since)| now.saturating_sub(since));
        self.operation.attempt(AttemptRecord { strategy: self.tried, elapsed, ..answer.attempt() });
        self.any_empty |= answer.is_empty();
        self.since = now;
        self.tried = self.tried.saturating_add(1);
    }

    /// Ends the operation with its last answer.
    pub(super) fn finish(mut self, last: Answer<'_>) {
        let outcome = match last {
            Answer::Found { given, .. } => {
                self.operation.elements(given);
                return self.operation.finish(Outcome::Success);
            }
            Answer::Failed { failure, .. } if !failure.is_of_the_strategy() => failure.outcome(),
            _ if !self.any_empty => Outcome::InvalidSelector,
            _ if self.optional => Outcome::ExpectedAbsent,
            _ if self.astray => Outcome::NavigationFailed,
            _ => Outcome::NotFound,
        };
        if self.any_empty && last.leaves_hope() {
            self.operation.elements(0);
        }
        match last {
            Answer::Failed { failure, error } if outcome != Outcome::ExpectedAbsent => {
                self.operation.error(failure.word(), &error.to_string());
            }
            _ => {}
        }
        self.operation.finish(outcome);
    }

    /// The answer to a lookup with a single strategy.
    pub(super) fn one(mut self, result: Result<Element>, below: bool) -> Result<Element> {
        let answer = Answer::one(&result, below);
        self.tried(answer);
        self.finish(answer);
        result
    }

    /// As [`one`](Self::one), for all elements.
    pub(super) fn all(mut self, result: Result<Vec<Element>>, below: bool) -> Result<Vec<Element>> {
        let answer = Answer::all(&result, below);
        self.tried(answer);
        self.finish(answer);
        result
    }
}

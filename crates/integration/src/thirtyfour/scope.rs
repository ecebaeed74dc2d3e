use super::Matches;
use super::command::Lookup;
use crate::webdriver::{Answer, Expectation, Failure, Try, conclude};
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::OperationObserver;
use telemetry_models::AttemptOutcome;
use thirtyfour::common::command::Selector;
use thirtyfour::error::{WebDriverError, WebDriverErrorInner, WebDriverResult};

tokio::task_local! {
    static CURRENT: Arc<Scope>;
}

/// What went over the wire for one named selector.
#[derive(Debug)]
pub(super) struct Scope {
    alternatives: Vec<Selector>,
    steps: Mutex<Vec<Step>>,
}

#[derive(Clone, Debug)]
enum Step {
    /// One of the alternatives was looked for.
    Lookup { strategy: u16, elapsed: Duration, answer: Answer },
    /// Any other command, for instance to check a condition of the query.
    Other(Option<Failure>),
}

impl Scope {
    pub(super) fn new(alternatives: Vec<Selector>) -> Arc<Self> {
        Arc::new(Self { alternatives, steps: Mutex::default() })
    }

    /// The scope of the running task, if it is in one.
    pub(super) fn current() -> Option<Arc<Self>> {
        CURRENT.try_with(Arc::clone).ok()
    }

    pub(super) async fn enter<F: Future>(self: Arc<Self>, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }

    /// Which alternative this is; `None` for a lookup that the selector does not consist of.
    pub(super) fn strategy(&self, lookup: &Lookup) -> Option<u16> {
        let at = self.alternatives.iter().position(|alternative| {
            *alternative.name == *lookup.using && *alternative.query == *lookup.value
        })?;
        u16::try_from(at).ok()
    }

    pub(super) fn looked_up(&self, strategy: u16, elapsed: Duration, answer: Answer) {
        self.steps.lock().push(Step::Lookup { strategy, elapsed, answer });
    }

    pub(super) fn other(&self, failure: Option<Failure>) {
        self.steps.lock().push(Step::Other(failure));
    }

    /// One try for each alternative, in the order of their first: polling asks the same again and
    /// again, so the last answer counts, and the time is that of all of them.
    fn tries(steps: &[Step]) -> Vec<Try> {
        let mut tries: Vec<Try> = Vec::new();
        for (at, step) in steps.iter().enumerate() {
            let Step::Lookup { strategy, elapsed, answer } = step else { continue };
            let mut latest = Try::new(*strategy, *elapsed, answer.clone());
            if latest.is_accepted() && went_on(&steps[at + 1..]) {
                latest.outcome = AttemptOutcome::ValidationFailed;
            }
            match tries.iter_mut().find(|known| known.strategy == *strategy) {
                Some(known) => {
                    latest.elapsed += known.elapsed;
                    *known = latest;
                }
                None => tries.push(latest),
            }
        }
        let later = tries.iter_mut().skip_while(|attempt| !attempt.is_accepted()).skip(1);
        later.for_each(|attempt| attempt.extra = true);
        tries
    }

    /// What is known of an operation that was given up.
    fn so_far(&self) -> Vec<Try> {
        Self::tries(&self.steps.lock())
    }
}

/// Whether a lookup that matched was not enough: its elements were examined, and then the search
/// went on.
fn went_on(after: &[Step]) -> bool {
    let lookup = after.iter().position(|step| matches!(step, Step::Lookup { .. }));
    lookup.is_some_and(|at| at > 0)
}

/// A named operation while its query runs. Dropped unfinished it reports the tries so far and
/// leaves the rest to its span, which records `cancelled` or `panicked`.
#[derive(Debug)]
pub(super) struct Running<Op: OperationObserver> {
    operation: Option<Op>,
    scope: Arc<Scope>,
    expectation: Expectation,
}

impl<Op: OperationObserver> Running<Op> {
    pub(super) fn new(operation: Op, scope: Arc<Scope>, expectation: Expectation) -> Self {
        Self { operation: Some(operation), scope, expectation }
    }

    pub(super) fn finish<T: Matches>(mut self, result: &WebDriverResult<T>) {
        let Some(operation) = self.operation.take() else { return };
        let steps = std::mem::take(&mut *self.scope.steps.lock());
        let mut tries = Scope::tries(&steps);
        let mut failure = None;
        let mut elements = None;
        match result {
            Ok(found) if found.matches() > 0 => elements = Some(found.matches()),
            Ok(_) => reject(&mut tries, AttemptOutcome::ValidationFailed),
            Err(error) => match error.as_inner() {
                WebDriverErrorInner::NoSuchElement(_) => reject(&mut tries, rejection(error)),
                _ => failure = Some(cause(&steps, error)),
            },
        }
        if let Some(failure) = &failure {
            reject(&mut tries, failure.attempt());
        }
        conclude(operation, &tries, failure, elements, self.expectation);
    }
}

impl<Op: OperationObserver> Drop for Running<Op> {
    fn drop(&mut self) {
        if let Some(operation) = &mut self.operation {
            for attempt in self.scope.so_far() {
                attempt.report(operation);
            }
        }
    }
}

/// What matched was of no use.
fn reject(tries: &mut [Try], outcome: AttemptOutcome) {
    for attempt in tries {
        if attempt.outcome == AttemptOutcome::Accepted {
            attempt.outcome = outcome;
        }
        attempt.extra = false;
    }
}

/// Why `thirtyfour` says that there is no such element although something matched. `single()`
/// says "too many elements"; no other code tells it from a condition that was not met.
fn rejection(error: &WebDriverError) -> AttemptOutcome {
    if error.to_string().contains("too many elements") {
        AttemptOutcome::Ambiguous
    } else {
        AttemptOutcome::ValidationFailed
    }
}

/// Why the query failed: what the driver said last, or else what the client says.
fn cause(steps: &[Step], error: &WebDriverError) -> Failure {
    let said = match steps.last() {
        Some(Step::Lookup { answer: Answer::Failed(failure), .. }) => Some(failure),
        Some(Step::Other(failure)) => failure.as_ref(),
        _ => None,
    };
    said.filter(|failure| !failure.is_no_such_element()).cloned().unwrap_or_else(|| {
        let code = match error.as_inner() {
            WebDriverErrorInner::Timeout(_) => Failure::TIMEOUT,
            _ => Failure::CLIENT,
        };
        Failure::new(code, &error.to_string())
    })
}

#[cfg(test)]
mod tests;

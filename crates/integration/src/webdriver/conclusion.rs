use super::{Answer, Failure};
use std::time::Duration;
use telemetry_interfaces::{AttemptRecord, OperationObserver};
use telemetry_models::{AttemptOutcome, Confidence, Outcome, ShadowProbe};

/// One strategy's try within an operation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Try {
    /// Index of the strategy in the selector's definition.
    pub(crate) strategy: u16,
    pub(crate) outcome: AttemptOutcome,
    pub(crate) elapsed: Duration,
    pub(crate) elements: Option<u32>,
    /// Made although another strategy had been accepted.
    pub(crate) extra: bool,
    pub(crate) failure: Option<Failure>,
}

impl Try {
    pub(crate) fn new(strategy: u16, elapsed: Duration, answer: Answer) -> Self {
        let (outcome, elements, failure) = match answer {
            Answer::Elements(0) => (AttemptOutcome::Empty, Some(0), None),
            Answer::Elements(count) => (AttemptOutcome::Accepted, Some(count), None),
            Answer::Failed(failure) => {
                let elements = failure.is_no_such_element().then_some(0);
                (failure.attempt(), elements, Some(failure))
            }
        };
        Self { strategy, outcome, elapsed, elements, extra: false, failure }
    }

    pub(crate) fn is_accepted(&self) -> bool {
        self.outcome == AttemptOutcome::Accepted && !self.extra
    }

    /// Reports the try to an operation. An extra one is a probe made with certainty, which leaves
    /// the accepted one the only one.
    pub(crate) fn report(&self, operation: &mut impl OperationObserver) {
        let shadow = self.extra.then_some(ShadowProbe { probability: Confidence::ONE });
        operation.attempt(AttemptRecord {
            strategy: self.strategy,
            outcome: self.outcome,
            elapsed: Some(self.elapsed),
            elements: self.elements,
            confidence: None,
            shadow,
        });
    }
}

/// What finding nothing would mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Expectation {
    /// The element need not be there.
    pub(crate) optional: bool,
    /// The page was not reached in the first place.
    pub(crate) unreached: bool,
}

/// Records the tries and how the operation ended. `failure` is what ended it besides its tries;
/// `elements` is how many were used, when that is not simply what the accepted strategy returned.
pub(crate) fn conclude(
    mut operation: impl OperationObserver,
    tries: &[Try],
    failure: Option<Failure>,
    elements: Option<u32>,
    expectation: Expectation,
) {
    for attempt in tries {
        attempt.report(&mut operation);
    }
    let failure = failure.filter(|failure| !failure.is_no_such_element());
    let accepted = tries.iter().find(|attempt| attempt.is_accepted());
    let found_otherwise = tries.is_empty() && elements.is_some_and(|elements| elements > 0);
    if failure.is_none() && (accepted.is_some() || found_otherwise) {
        if let Some(elements) = elements.or(accepted.and_then(|accepted| accepted.elements)) {
            operation.elements(elements);
        }
        operation.finish(Outcome::Success);
        return;
    }
    let (outcome, kind, message) = match failure.or_else(|| environment_fault(tries)) {
        Some(failure) => (failure.outcome(), failure.kind(), failure.message().to_owned()),
        None => selector_fault(tries, expectation),
    };
    let ambiguous = tries.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Ambiguous);
    match outcome {
        Outcome::NotFound | Outcome::ExpectedAbsent => operation.elements(0),
        Outcome::Ambiguous => {
            let most = ambiguous.filter_map(|attempt| attempt.elements).max();
            most.into_iter().for_each(|most| operation.elements(most));
        }
        _ => {}
    }
    if outcome != Outcome::ExpectedAbsent {
        operation.error(&kind, &message);
    }
    operation.finish(outcome);
}

/// The failure that kept the selector from being put to the test, or a time limit.
fn environment_fault(tries: &[Try]) -> Option<Failure> {
    tries.iter().rev().filter_map(|attempt| attempt.failure.as_ref()).find_map(|failure| {
        let selectors_own =
            matches!(failure.outcome(), Outcome::NotFound | Outcome::InvalidSelector);
        (!selectors_own).then(|| failure.clone())
    })
}

fn selector_fault(tries: &[Try], expectation: Expectation) -> (Outcome, String, String) {
    let find = |wanted| tries.iter().rev().find(|attempt| attempt.outcome == wanted);
    let nothing = || (Outcome::NotFound, "no element matched");
    let (outcome, otherwise) = if find(AttemptOutcome::Ambiguous).is_some() {
        (Outcome::Ambiguous, "more elements matched than can be used")
    } else if find(AttemptOutcome::ValidationFailed).is_some() {
        (Outcome::ValidationFailed, "no element that matched passed the query's conditions")
    } else if find(AttemptOutcome::Empty).is_some() {
        nothing()
    } else if find(AttemptOutcome::InvalidSelector).is_some() {
        (Outcome::InvalidSelector, "the selector was refused")
    } else {
        nothing()
    };
    let outcome = match outcome {
        Outcome::NotFound if expectation.unreached => Outcome::NavigationFailed,
        Outcome::NotFound if expectation.optional => Outcome::ExpectedAbsent,
        other => other,
    };
    let said = tries.iter().rev().filter_map(|attempt| attempt.failure.as_ref());
    let message = match outcome {
        Outcome::NavigationFailed => "the page had not been reached".to_owned(),
        _ => said
            .filter(|failure| failure.outcome() == outcome)
            .map(|failure| failure.message().to_owned())
            .next()
            .unwrap_or_else(|| otherwise.to_owned()),
    };
    (outcome, outcome.as_str().to_owned(), message)
}

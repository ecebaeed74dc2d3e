use super::*;
use std::sync::Mutex as StdMutex;
use telemetry_interfaces::AttemptRecord;
use telemetry_models::{Confidence, Outcome};
use thirtyfour::By;
use thirtyfour::error::no_such_element;

#[derive(Clone, Default)]
struct Recorder(Arc<StdMutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    attempts: Vec<(u16, AttemptOutcome, bool)>,
    elements: Option<u32>,
    kind: Option<String>,
    outcome: Option<Outcome>,
}

impl OperationObserver for Recorder {
    fn attempt(&mut self, attempt: AttemptRecord) {
        let seen = (attempt.strategy, attempt.outcome, attempt.shadow.is_some());
        self.0.lock().unwrap().attempts.push(seen);
    }
    fn confidence(&mut self, _confidence: Confidence) {}
    fn elements(&mut self, elements: u32) {
        self.0.lock().unwrap().elements = Some(elements);
    }
    fn validation(&mut self, _passed: bool) {}
    fn error(&mut self, kind: &str, _message: &str) {
        self.0.lock().unwrap().kind = Some(kind.into());
    }
    fn finish(self, outcome: Outcome) {
        self.0.lock().unwrap().outcome = Some(outcome);
    }
}

const MILLISECOND: Duration = Duration::from_millis(1);

fn scope() -> Arc<Scope> {
    let alternatives = [By::Css("a"), By::XPath("//b")];
    Scope::new(alternatives.map(Selector::from).to_vec())
}

fn found(strategy: u16, elements: u32) -> Step {
    Step::Lookup { strategy, elapsed: MILLISECOND, answer: Answer::Elements(elements) }
}

fn failed(strategy: u16, code: &str) -> Step {
    let answer = Answer::Failed(Failure::new(code, "said so"));
    Step::Lookup { strategy, elapsed: MILLISECOND, answer }
}

fn check<T: Matches>(
    steps: &[Step],
    result: WebDriverResult<T>,
    attempts: &[(u16, AttemptOutcome, bool)],
    outcome: Outcome,
) {
    let (scope, recorder) = (scope(), Recorder::default());
    *scope.steps.lock() = steps.to_vec();
    Running::new(recorder.clone(), scope, Expectation::default()).finish(&result);
    let seen = recorder.0.lock().unwrap();
    assert_eq!(seen.attempts, attempts, "{steps:?}");
    assert_eq!(seen.outcome, Some(outcome), "{steps:?}");
    assert_eq!(seen.kind.is_none(), outcome == Outcome::Success, "{steps:?}");
}

use AttemptOutcome as A;

#[test]
fn the_last_answer_of_each_alternative_counts_while_polling() {
    let rounds = [found(0, 0), found(1, 0), found(0, 0), found(1, 2)];
    let attempts = [(0, A::Empty, false), (1, A::Accepted, false)];
    check(&rounds, Ok(true), &attempts, Outcome::Success);
    let tries = Scope::tries(&rounds);
    assert_eq!(tries[0].elapsed, MILLISECOND * 2);
}

#[test]
fn an_alternative_whose_matches_were_examined_in_vain_failed_validation() {
    let examined = Step::Other(None);
    let steps = [found(0, 2), examined.clone(), found(1, 1), examined.clone()];
    let attempts = [(0, A::ValidationFailed, false), (1, A::Accepted, false)];
    check(&steps, Ok(vec![()]), &attempts, Outcome::Success);

    let steps = [found(0, 2), examined];
    let attempts = [(0, A::ValidationFailed, false)];
    check(&steps, Ok(Vec::<()>::new()), &attempts, Outcome::ValidationFailed);
    let nothing: WebDriverResult<bool> = Err(no_such_element("not found".into()));
    check(&steps, nothing, &attempts, Outcome::ValidationFailed);
}

#[test]
fn lookups_after_the_accepted_one_are_probes() {
    let attempts = [(0, A::Accepted, false), (1, A::Accepted, true)];
    check(&[found(0, 1), found(1, 3)], Ok(vec![(); 4]), &attempts, Outcome::Success);
}

#[test]
fn too_many_elements_are_ambiguous() {
    let result: WebDriverResult<bool> =
        Err(no_such_element("too many elements received; found 2".into()));
    let attempts = [(0, A::Ambiguous, false), (1, A::Empty, false)];
    check(&[found(0, 2), found(1, 0)], result, &attempts, Outcome::Ambiguous);
}

#[test]
fn a_failed_command_decides() {
    let error = || -> WebDriverResult<bool> { Err(WebDriverError::Json("broken".into())) };
    let steps = [found(0, 0), failed(1, "no such window")];
    let attempts = [(0, A::Empty, false), (1, A::Error, false)];
    check(&steps, error(), &attempts, Outcome::TargetClosed);

    let stale = Step::Other(Some(Failure::new("stale element reference", "")));
    check(&[found(0, 1), stale], error(), &[(0, A::Detached, false)], Outcome::EngineError);
    check(&[found(0, 1)], error(), &[(0, A::Error, false)], Outcome::EngineError);

    let refused = [failed(0, "invalid selector")];
    check(&refused, error(), &[(0, A::InvalidSelector, false)], Outcome::InvalidSelector);
}

#[test]
fn what_was_found_without_the_alternatives_is_a_success_without_tries() {
    check(&[], Ok(true), &[], Outcome::Success);
    check(&[], Ok(false), &[], Outcome::NotFound);
}

#[test]
fn an_operation_that_is_given_up_reports_its_tries() {
    let (scope, recorder) = (scope(), Recorder::default());
    *scope.steps.lock() = vec![found(0, 0)];
    drop(Running::new(recorder.clone(), scope, Expectation::default()));
    let seen = recorder.0.lock().unwrap();
    assert_eq!((seen.attempts.len(), seen.outcome), (1, None));
}

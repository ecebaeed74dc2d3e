//! What the tests of the WebDriver clients share: a driver of their own, and a proxy that writes
//! down what passes.

mod chromedriver;
mod proxy;

pub(crate) use chromedriver::Chromedriver;
pub(crate) use proxy::Proxy;

use telemetry_models::{AttemptOutcome, Event, Outcome};

/// Name, outcome, the attempts' outcomes and elements of an event, which is valid.
pub(crate) fn row(event: &Event) -> (&str, Outcome, Vec<AttemptOutcome>, Option<u32>) {
    event.validate().unwrap();
    let attempts = event.attempts.iter().map(|attempt| attempt.outcome).collect();
    (event.selector.as_str(), event.outcome, attempts, event.elements_found())
}

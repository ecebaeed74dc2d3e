use crate::webdriver::{Answer, Failure};
use fantoccini::error::CmdError;

/// Why a command failed, in the protocol's words.
pub(super) fn failure(error: &CmdError) -> Failure {
    match error {
        CmdError::Standard(refusal) => Failure::new(refusal.error.description(), &refusal.message),
        CmdError::WaitTimeout => Failure::new(Failure::TIMEOUT, &error.to_string()),
        other => Failure::new(Failure::TRANSPORT, &other.to_string()),
    }
}

/// What a lookup came to, given how its result is counted.
pub(super) fn answer<T>(result: &Result<T, CmdError>, count: impl FnOnce(&T) -> usize) -> Answer {
    match result {
        Ok(found) => Answer::Elements(u32::try_from(count(found)).unwrap_or(u32::MAX)),
        Err(error) => Answer::Failed(failure(error)),
    }
}

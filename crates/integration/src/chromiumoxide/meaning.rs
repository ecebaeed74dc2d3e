use chromiumoxide::error::CdpError;
use telemetry_models::{AttemptOutcome, Outcome};

/// What a failure of `chromiumoxide` 0.9 says about the lookup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    NotFound,
    /// Nothing matched below an element, or the element itself is gone: the browser answers both
    /// the same.
    NotFoundOrDetached,
    InvalidSelector,
    Detached,
    /// The browser took too long to answer. Nothing here waits for an element, so the selector is
    /// not to blame.
    Unanswered,
    Closed,
    Other,
}

impl Failure {
    /// Reads an error. `below` is set for a lookup below an element.
    ///
    /// `chromiumoxide` has no error for "nothing matched". `querySelector` answers node 0 and the
    /// crate goes on to describe that node, which the browser refuses; a search without matches
    /// ends in a refusal to hand out results 0 to 0.
    pub(super) fn of(error: &CdpError, below: bool) -> Self {
        match error {
            CdpError::Chrome(refusal) => Self::of_refusal(&refusal.message, below),
            CdpError::NotFound => Self::NotFound,
            CdpError::Timeout => Self::Unanswered,
            CdpError::Ws(_)
            | CdpError::Io(_)
            | CdpError::NoResponse
            | CdpError::ChannelSendError(_) => Self::Closed,
            _ => Self::Other,
        }
    }

    fn of_refusal(message: &str, below: bool) -> Self {
        let says = |part: &str| message.contains(part);
        if says("Could not find node with given id") {
            if below { Self::NotFoundOrDetached } else { Self::NotFound }
        } else if says("Invalid search result range") {
            Self::NotFound
        } else if says("DOM Error while querying") || says("not a valid selector") {
            Self::InvalidSelector
        } else if says("does not belong to the document") || says("detached") {
            Self::Detached
        } else if says("Session with given id not found")
            || says("No target with given id")
            || says("Target closed")
            || says("target navigated or closed")
        {
            Self::Closed
        } else {
            Self::Other
        }
    }

    /// Whether the next strategy may still find something.
    pub(super) fn is_of_the_strategy(self) -> bool {
        matches!(self, Self::NotFound | Self::NotFoundOrDetached | Self::InvalidSelector)
    }

    pub(super) fn attempt(self) -> AttemptOutcome {
        match self {
            Self::NotFound | Self::NotFoundOrDetached => AttemptOutcome::Empty,
            Self::InvalidSelector => AttemptOutcome::InvalidSelector,
            Self::Detached => AttemptOutcome::Detached,
            Self::Unanswered => AttemptOutcome::Timeout,
            Self::Closed | Self::Other => AttemptOutcome::Error,
        }
    }

    pub(super) fn outcome(self) -> Outcome {
        match self {
            Self::NotFound | Self::NotFoundOrDetached => Outcome::NotFound,
            Self::InvalidSelector => Outcome::InvalidSelector,
            Self::Closed => Outcome::TargetClosed,
            Self::Detached | Self::Unanswered | Self::Other => Outcome::EngineError,
        }
    }

    /// The word for it in the open taxonomy of errors.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::NotFound => "not_found",
            Self::NotFoundOrDetached => "not_found_or_detached",
            Self::InvalidSelector => "invalid_selector",
            Self::Detached => "detached",
            Self::Unanswered => "request_timeout",
            Self::Closed => "target_closed",
            Self::Other => "engine_error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> CdpError {
        CdpError::Chrome(chromiumoxide::types::Error { code: -32000, message: message.into() })
    }

    #[test]
    fn each_shape_of_error_is_read_for_what_it_means() {
        let cases = [
            (refused("Could not find node with given id"), false, Failure::NotFound),
            (refused("Could not find node with given id"), true, Failure::NotFoundOrDetached),
            (refused("Invalid search result range"), false, Failure::NotFound),
            (refused("DOM Error while querying"), false, Failure::InvalidSelector),
            (refused("Session with given id not found."), false, Failure::Closed),
            (refused("Inspected target navigated or closed"), false, Failure::Closed),
            (refused("Internal error"), false, Failure::Other),
            (CdpError::Timeout, false, Failure::Unanswered),
            (CdpError::NoResponse, false, Failure::Closed),
            (CdpError::msg("anything"), false, Failure::Other),
        ];
        for (error, below, expected) in cases {
            assert_eq!(Failure::of(&error, below), expected, "{error}");
        }
    }
}

use crate::outcome::words;
use crate::{Confidence, Invalid, StrategyKind};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

words! {
    /// How one try of one strategy ended.
    AttemptOutcome, "attempts[].outcome" {
        /// Found, trusted and used.
        Accepted = "accepted",
        /// Found, but below the engine's threshold.
        LowConfidence = "low_confidence",
        /// Nothing matched.
        Empty = "empty",
        /// Too many matched.
        Ambiguous = "ambiguous",
        /// The content was not what was expected.
        ValidationFailed = "validation_failed",
        /// Gave up waiting.
        Timeout = "timeout",
        /// The engine refused the selector's text.
        InvalidSelector = "invalid_selector",
        /// The element left the document while it was used.
        Detached = "detached",
        /// Any other failure.
        Error = "error",
        /// Not tried.
        Skipped = "skipped",
    }
}

/// One try of one strategy. Absent measurements are `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Attempt {
    /// How the element was looked for.
    pub kind: StrategyKind,
    /// The selector's text for this strategy, for instance `span.price`.
    pub text: Option<Arc<str>>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Monotonic time the try took.
    pub duration: Option<Duration>,
    /// Elements that matched.
    pub elements: Option<u32>,
    /// The engine's confidence in the match.
    pub confidence: Option<Confidence>,
    /// Set when the try ran only to learn what the strategy would have done.
    pub shadow: Option<ShadowProbe>,
}

impl Attempt {
    /// A try with nothing measured.
    pub fn new(kind: StrategyKind, outcome: AttemptOutcome) -> Self {
        Self {
            kind,
            text: None,
            outcome,
            duration: None,
            elements: None,
            confidence: None,
            shadow: None,
        }
    }

    /// Whether this try's match was used: accepted and not a shadow probe.
    pub fn is_accepted(&self) -> bool {
        self.outcome == AttemptOutcome::Accepted && self.shadow.is_none()
    }

    /// Whether the strategy ran for the operation itself: neither a shadow probe nor skipped.
    pub fn is_real(&self) -> bool {
        self.shadow.is_none() && self.outcome != AttemptOutcome::Skipped
    }
}

/// A try after success, made with a known probability so that the result can be weighted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ShadowProbe {
    /// The probability with which the probe was made, above 0 and up to 1.
    pub probability: Confidence,
}

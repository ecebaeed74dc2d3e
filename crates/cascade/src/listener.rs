use crate::{Components, Strategy, StrategyKind};
use std::time::Duration;

/// Watches a resolution as it happens. Called on the resolving thread, in order: `trying` and
/// `tried` in pairs, once for every strategy that was tried. `()` watches nothing.
pub trait Listener {
    /// Strategy `index` is about to be tried.
    fn trying(&mut self, _index: usize, _strategy: &Strategy) {}

    /// A strategy has been tried.
    fn tried(&mut self, _attempt: &Try) {}
}

impl Listener for () {}

/// One try of one strategy.
#[derive(Debug, Clone, PartialEq)]
pub struct Try {
    /// The strategy's place in the selector, from 0.
    pub index: usize,
    /// The strategy's kind.
    pub kind: StrategyKind,
    /// The strategy's text.
    pub text: String,
    /// How it ended.
    pub outcome: TryOutcome,
    /// Time it took on a monotonic clock, compiling and parsing included where they were due.
    pub elapsed: Duration,
    /// Elements, nodes or values it matched.
    pub matches: usize,
    /// The computed confidence; `None` where nothing could be computed.
    pub confidence: Option<f64>,
    /// What the confidence is made of; `None` where nothing matched.
    pub components: Option<Components>,
}

/// How a try ended.
#[derive(Debug, Clone, PartialEq)]
pub enum TryOutcome {
    /// Taken as the result.
    Accepted,
    /// Found something, but the confidence is below the threshold.
    LowConfidence {
        /// The confidence computed, 0–1.
        score: f64,
        /// The least confidence accepted, 0–1.
        threshold: f64,
    },
    /// Found nothing.
    Empty,
    /// Found far more than expected.
    Ambiguous {
        /// The number of matches.
        count: usize,
    },
    /// Found something, but no value passes the validator.
    ValidationFailed {
        /// What was expected and found.
        reason: String,
    },
    /// The text is not a selector of its kind.
    Invalid {
        /// What is wrong with it.
        message: String,
    },
    /// The selector could not be evaluated on this document.
    Failed {
        /// What went wrong.
        message: String,
    },
}

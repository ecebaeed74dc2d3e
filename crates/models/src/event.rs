use crate::outcome::words;
use crate::{
    Attempt, Confidence, CorrelationId, EventId, Invalid, Outcome, PageContext, ProducerId, RunId,
    SelectorName, StrategyKind, Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

words! {
    /// What was done with the selector.
    OperationKind, "operation_type" {
        /// Finding the element.
        Resolution = "resolution",
        /// Checking what was found.
        Validation = "validation",
        /// Acting on what was found.
        Execution = "execution",
        /// Tidying up afterwards.
        Cleanup = "cleanup",
    }
}

/// The record of one operation: facts only.
///
/// Summaries (fallback depth, switches, success by strategy, …) are methods over
/// [`attempts`](Self::attempts), so that they cannot contradict them. A measurement nobody made is
/// `None`, never zero.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Identifies the event.
    pub id: EventId,
    /// Ties it to other events of the same piece of work.
    pub correlation_id: Option<CorrelationId>,
    /// The selector that was used.
    pub selector: SelectorName,
    /// Version of its definition.
    pub selector_version: Option<u32>,
    /// When the operation began, UTC.
    pub timestamp: Timestamp,
    /// What was done.
    pub operation: OperationKind,
    /// How it ended.
    pub outcome: Outcome,
    /// The tries, in the order they were made.
    pub attempts: Vec<Attempt>,
    /// Monotonic times.
    pub timing: Timing,
    /// What else was measured.
    pub resources: Resources,
    /// How good the result is.
    pub quality: Quality,
    /// What went wrong, when something did.
    pub error: Option<ErrorInfo>,
    /// Where it took place.
    pub page: Option<Arc<PageContext>>,
    /// Name of the engine, with version where known: the same selector may match in one engine
    /// and not in another.
    pub engine: Option<Arc<str>>,
    /// Execution of the observed program.
    pub run: Option<RunId>,
    /// Recorder within the run.
    pub producer: Option<ProducerId>,
    /// Position within the producer's stream, from 0.
    pub sequence: Option<u64>,
    /// Anything else, as text.
    pub attributes: BTreeMap<Arc<str>, Arc<str>>,
}

/// Monotonic times of an operation's parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    /// Finding the element, all attempts together.
    pub resolution: Option<Duration>,
    /// Running the strategies, without the engine's own work around them.
    pub strategies: Option<Duration>,
    /// The whole operation.
    pub total: Option<Duration>,
}

/// What an operation used. Process-wide figures (memory, CPU) are samples taken near the
/// operation, not caused by it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resources {
    /// Resident memory in MiB, 0 to 1,024, both included.
    pub memory_mb: Option<f64>,
    /// CPU use in percent, 0 to 100.
    pub cpu_percent: Option<f64>,
    /// Requests sent.
    pub network_requests: Option<u32>,
    /// Operations on the document.
    pub dom_operations: Option<u32>,
}

/// How good the result is, as the engine reports it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quality {
    /// Confidence in the result; composed of more than the accepted attempt's, where an engine does
    /// so.
    pub confidence: Option<Confidence>,
    /// Elements that were found: at most as many as the accepted attempt matched, and fewer where
    /// an engine filters them.
    pub elements_found: Option<u32>,
    /// Whether the content was checked, and with what result.
    pub validation_passed: Option<bool>,
    /// Whether the engine itself noticed drift.
    pub drift_detected: Option<bool>,
}

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorInfo {
    /// A word from an open taxonomy (`not_found`, `timeout`, …).
    pub kind: Arc<str>,
    /// What the engine said, with secrets removed.
    pub message: Option<Arc<str>>,
    /// Stack of the failure, with secrets removed.
    pub stack: Option<Arc<str>>,
    /// How often the same strategy was tried again.
    pub retry_attempts: Option<u32>,
    /// How many fallbacks were tried; with or without the further tries of the same strategy.
    pub fallback_attempts: Option<u32>,
    /// Whether the operation succeeded in the end; absent or what the outcome says.
    pub recovery_successful: Option<bool>,
}

impl Event {
    /// An event with the least there is: everything else is absent.
    pub fn new(
        id: EventId,
        selector: SelectorName,
        timestamp: Timestamp,
        operation: OperationKind,
        outcome: Outcome,
    ) -> Self {
        Self {
            id,
            correlation_id: None,
            selector,
            selector_version: None,
            timestamp,
            operation,
            outcome,
            attempts: Vec::new(),
            timing: Timing::default(),
            resources: Resources::default(),
            quality: Quality::default(),
            error: None,
            page: None,
            engine: None,
            run: None,
            producer: None,
            sequence: None,
            attributes: BTreeMap::new(),
        }
    }

    /// The attempt whose match was used.
    pub fn accepted(&self) -> Option<&Attempt> {
        self.attempts.iter().find(|attempt| attempt.is_accepted())
    }

    /// Index of the accepted attempt among those that were not shadow probes; 0 is the primary
    /// strategy. `None` when nothing was accepted.
    pub fn fallback_depth(&self) -> Option<u32> {
        let depth = self
            .attempts
            .iter()
            .filter(|attempt| attempt.shadow.is_none())
            .position(Attempt::is_accepted)?;
        u32::try_from(depth).ok()
    }

    /// Whether a strategy other than the first was needed; `None` without attempts.
    pub fn fallback_used(&self) -> Option<bool> {
        (!self.attempts.is_empty()).then(|| self.strategy_switches() > 0)
    }

    /// Changes from one strategy kind or text to another between attempts that really ran.
    pub fn strategy_switches(&self) -> u32 {
        let pairs = self.real_attempts().zip(self.real_attempts().skip(1));
        let switches = pairs.filter(|(a, b)| a.kind != b.kind || a.text != b.text).count();
        u32::try_from(switches).unwrap_or(u32::MAX)
    }

    /// The strategy that was tried first.
    pub fn primary_strategy(&self) -> Option<&StrategyKind> {
        self.real_attempts().next().map(|attempt| &attempt.kind)
    }

    /// The strategies after the first, in the order tried, without repetition.
    pub fn secondary_strategies(&self) -> Vec<&StrategyKind> {
        let mut kinds = Vec::new();
        let primary = self.primary_strategy();
        for attempt in self.real_attempts().skip(1) {
            if Some(&attempt.kind) != primary && !kinds.contains(&&attempt.kind) {
                kinds.push(&attempt.kind);
            }
        }
        kinds
    }

    /// Share of the attempts that really ran which were accepted; `None` without attempts.
    pub fn strategy_success_rate(&self) -> Option<f64> {
        let ran = self.real_attempts().count();
        let accepted = self.real_attempts().filter(|attempt| attempt.is_accepted()).count();
        (ran > 0).then(|| accepted as f64 / ran as f64)
    }

    /// The attempts that ran for the operation itself (no shadow probes, nothing skipped).
    pub fn real_attempts(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(|attempt| attempt.is_real())
    }

    /// The operation's confidence, or else that of its accepted attempt.
    pub fn confidence(&self) -> Option<Confidence> {
        self.quality.confidence.or_else(|| self.accepted()?.confidence)
    }

    /// Elements the operation matched, or else those of its accepted attempt.
    pub fn elements_found(&self) -> Option<u32> {
        self.quality.elements_found.or_else(|| self.accepted()?.elements)
    }

    /// Elements the accepted attempt matched, and with it the shadow probes that would have been
    /// accepted (an operation may use the matches of several alternatives); `None` when one of
    /// them did not count.
    pub fn elements_matched(&self) -> Option<u32> {
        let probes = self.attempts.iter().filter(|attempt| {
            attempt.shadow.is_some() && attempt.outcome == crate::AttemptOutcome::Accepted
        });
        let all = self.accepted().into_iter().chain(probes);
        self.accepted()?;
        all.map(|attempt| attempt.elements)
            .try_fold(0, |sum: u32, it| Some(sum.saturating_add(it?)))
    }

    /// Time of the whole operation, or else of its resolution.
    pub fn duration(&self) -> Option<Duration> {
        self.timing.total.or(self.timing.resolution)
    }

    /// The site it took place on: host and port of the page's URL.
    pub fn site(&self) -> Option<&str> {
        self.page.as_ref()?.site()
    }
}

use std::time::Duration;
use telemetry_models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, PageContext, SelectorDefinition,
    ShadowProbe,
};

/// A selector definition known to an observer. Valid for the observer that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SelectorHandle(pub u32);

/// A page context known to an observer. Valid for the observer that gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageHandle(pub u32);

/// Watches the operations of an engine.
///
/// Everything is synchronous and infallible, and nothing waits for disk, network or another
/// thread. Definitions and pages are handed over once and referred to by handle, so that an
/// operation itself carries no strings. Not object-safe on purpose: a boxed operation would cost
/// an allocation for each event.
pub trait SelectorObserver: Send + Sync {
    /// One operation under observation.
    type Operation: OperationObserver;

    /// Makes a definition known. The same definition gives the same handle.
    fn selector(&self, definition: &SelectorDefinition) -> SelectorHandle;

    /// Makes a page known; once per navigation, not per operation.
    fn page(&self, page: &PageContext) -> PageHandle;

    /// Makes an engine's name known and an operation begin.
    fn start(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> Self::Operation;
}

/// One operation under observation. Dropping it unfinished records `cancelled`, or `panicked`
/// while the thread panics.
pub trait OperationObserver: Send {
    /// Time since the operation began, by the observer's own monotonic clock; `None` when it keeps
    /// none. Costs one clock reading.
    fn elapsed(&self) -> Option<Duration> {
        None
    }

    /// A strategy's try has ended.
    fn attempt(&mut self, attempt: AttemptRecord);

    /// The engine's confidence in the result.
    fn confidence(&mut self, confidence: Confidence);

    /// Elements that matched.
    fn elements(&mut self, elements: u32);

    /// The content was checked.
    fn validation(&mut self, passed: bool);

    /// Something went wrong: a word from the open taxonomy, and what the engine said.
    fn error(&mut self, kind: &str, message: &str);

    /// A part of the operation took so long. Parts of the same phase add up.
    fn phase(&mut self, _phase: Phase, _elapsed: Duration) {}

    /// How often a strategy was tried again before the operation ended.
    fn retries(&mut self, _retries: u32) {}

    /// A part of the confidence, by the engine's own name for it: `content`, `position`, ….
    fn confidence_component(&mut self, _component: &str, _value: Confidence) {}

    /// Operations on the document so far, all together.
    fn dom_operations(&mut self, _operations: u32) {}

    /// Requests sent for the operation so far, all together.
    fn network_requests(&mut self, _requests: u32) {}

    /// Where the page was kept as it was: a path, a URL, an id.
    fn snapshot(&mut self, _reference: &str) {}

    /// Whether the engine itself noticed drift.
    fn drift(&mut self, _detected: bool) {}

    /// The stack of what went wrong. Kept only with an [`error`](Self::error).
    fn stack(&mut self, _stack: &str) {}

    /// The operation has ended.
    fn finish(self, outcome: Outcome)
    where
        Self: Sized;
}

/// A part of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Finding the element.
    Locate,
    /// Checking what was found.
    Validate,
    /// Acting on it: click, read, fill.
    Act,
}

/// One try of one strategy, as an engine reports it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AttemptRecord {
    /// Index of the strategy in the selector's definition.
    pub strategy: u16,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Monotonic time it took.
    pub elapsed: Option<Duration>,
    /// Elements that matched.
    pub elements: Option<u32>,
    /// Confidence in the match.
    pub confidence: Option<Confidence>,
    /// Set for a shadow probe.
    pub shadow: Option<ShadowProbe>,
}

impl AttemptRecord {
    /// A try with nothing measured.
    pub fn new(strategy: u16, outcome: AttemptOutcome) -> Self {
        Self { strategy, outcome, elapsed: None, elements: None, confidence: None, shadow: None }
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopObserver;

/// An operation nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopOperation;

impl SelectorObserver for NoopObserver {
    type Operation = NoopOperation;

    fn selector(&self, _definition: &SelectorDefinition) -> SelectorHandle {
        SelectorHandle(0)
    }
    fn page(&self, _page: &PageContext) -> PageHandle {
        PageHandle(0)
    }
    fn start(
        &self,
        _engine: &str,
        _selector: SelectorHandle,
        _page: Option<PageHandle>,
        _operation: OperationKind,
    ) -> NoopOperation {
        NoopOperation
    }
}

impl OperationObserver for NoopOperation {
    fn attempt(&mut self, _attempt: AttemptRecord) {}
    fn confidence(&mut self, _confidence: Confidence) {}
    fn elements(&mut self, _elements: u32) {}
    fn validation(&mut self, _passed: bool) {}
    fn error(&mut self, _kind: &str, _message: &str) {}
    fn finish(self, _outcome: Outcome) {}
}

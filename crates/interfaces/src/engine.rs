use crate::{AttemptRecord, BoxFuture};
use telemetry_models::{Confidence, Outcome, SelectorDefinition};

/// An engine that finds elements by selectors of several strategies.
///
/// Implemented by adapters around engines that exist; the engines themselves need not know.
pub trait SelectorEngine {
    /// What is searched.
    type Page: ?Sized;
    /// What a selector is to the engine.
    type Selector: ?Sized;
    /// What is found.
    type Found;

    /// Name, with version where known; recorded with each event.
    fn name(&self) -> &str;

    /// The selector in this system's words, with version 1 unless the engine knows better.
    /// Called when a selector is met first and when it changed, not per operation.
    fn definition(&self, selector: &Self::Selector) -> SelectorDefinition;

    /// Whether the selector's strategies are still those of `definition`. Called per operation;
    /// must not allocate.
    fn is_unchanged(&self, selector: &Self::Selector, definition: &SelectorDefinition) -> bool;

    /// The selector's name, which must be that of its definition. Called per operation.
    fn selector_name<'a>(&self, selector: &'a Self::Selector) -> &'a str;

    /// Finds the selector's element, and reports each strategy's try to `attempts` as it ends.
    fn resolve(
        &self,
        page: &Self::Page,
        selector: &Self::Selector,
        attempts: &mut dyn AttemptObserver,
    ) -> Resolution<Self::Found>;

    /// Tries one strategy alone, by its index in the definition, for a shadow probe: without any
    /// effect on the page. `found` is what the operation used; a match of something else is
    /// reported as `Ambiguous`. `None`, the default, when the engine cannot do that, or has no such
    /// strategy.
    fn probe(
        &self,
        _page: &Self::Page,
        _selector: &Self::Selector,
        _strategy: u16,
        _found: &Self::Found,
    ) -> Option<AttemptRecord> {
        None
    }
}

/// A [`SelectorEngine`] that waits, for a browser for instance.
///
/// Dropping the future of [`resolve`](Self::resolve) gives the operation up. Nobody retries: what
/// an engine repeats on its own is its own business.
pub trait AsyncSelectorEngine: Sync {
    /// What is searched.
    type Page: ?Sized + Sync;
    /// What a selector is to the engine.
    type Selector: ?Sized + Sync;
    /// What is found.
    type Found: Send;

    /// As [`SelectorEngine::name`].
    fn name(&self) -> &str;

    /// As [`SelectorEngine::definition`].
    fn definition(&self, selector: &Self::Selector) -> SelectorDefinition;

    /// As [`SelectorEngine::is_unchanged`].
    fn is_unchanged(&self, selector: &Self::Selector, definition: &SelectorDefinition) -> bool;

    /// As [`SelectorEngine::selector_name`].
    fn selector_name<'a>(&self, selector: &'a Self::Selector) -> &'a str;

    /// Finds the selector's element, and reports each strategy's try to `attempts` as it ends.
    /// The observer may be held across an `.await`.
    fn resolve<'a>(
        &'a self,
        page: &'a Self::Page,
        selector: &'a Self::Selector,
        attempts: &'a mut (dyn AttemptObserver + Send),
    ) -> BoxFuture<'a, Resolution<Self::Found>>;
}

/// Hears of each try of each strategy. Infallible; must not block.
pub trait AttemptObserver {
    /// A try has ended.
    fn attempt(&mut self, attempt: AttemptRecord);
}

impl<F: FnMut(AttemptRecord)> AttemptObserver for F {
    fn attempt(&mut self, attempt: AttemptRecord) {
        self(attempt);
    }
}

/// What came of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolution<T> {
    /// How it ended.
    pub outcome: Outcome,
    /// What was found, when something was accepted.
    pub found: Option<T>,
    /// Confidence in it.
    pub confidence: Option<Confidence>,
    /// Elements that matched.
    pub elements: Option<u32>,
    /// Whether the content was checked, and with what result.
    pub validation_passed: Option<bool>,
    /// What the engine says went wrong.
    pub error: Option<String>,
}

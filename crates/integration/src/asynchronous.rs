use crate::Instrumented;
use crate::instrumented::conclude;
use telemetry_interfaces::{
    AsyncSelectorEngine, AttemptRecord, OperationObserver, PageHandle, Resolution, SelectorObserver,
};
use telemetry_models::OperationKind;

impl<E: AsyncSelectorEngine, O: SelectorObserver> Instrumented<E, O> {
    /// Resolves a selector of an asynchronous engine and records how that went.
    ///
    /// The result is the engine's own. The future is `Send` and the operation goes with it from
    /// thread to thread; nothing begins before its first poll. Dropped unfinished (a timeout, the
    /// loser of a `select!`) it records `cancelled`; a panic of the engine passes through and is
    /// recorded as `panicked`.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use std::time::Duration;
    /// use telemetry_collector::{Collector, CollectorConfig};
    /// use telemetry_integration::Instrumented;
    /// use telemetry_interfaces::{
    ///     AsyncSelectorEngine, AttemptObserver, AttemptRecord, BoxFuture, EventSink, EventStore,
    ///     MemoryStore, Query, Resolution,
    /// };
    /// use telemetry_models::{
    ///     AttemptOutcome, Outcome, SelectorDefinition, SelectorName, StrategyDefinition,
    ///     StrategyKind,
    /// };
    ///
    /// /// Finds the line that begins with a key; a real engine would wait for a browser.
    /// struct Lines;
    ///
    /// impl AsyncSelectorEngine for Lines {
    ///     type Page = str;
    ///     type Selector = str;
    ///     type Found = String;
    ///
    ///     fn name(&self) -> &str {
    ///         "lines"
    ///     }
    ///     fn selector_name<'a>(&self, key: &'a str) -> &'a str {
    ///         key
    ///     }
    ///     fn is_unchanged(&self, _key: &str, _definition: &SelectorDefinition) -> bool {
    ///         true
    ///     }
    ///     fn definition(&self, key: &str) -> SelectorDefinition {
    ///         let strategy = StrategyDefinition { kind: StrategyKind::Text, text: key.into() };
    ///         let name = SelectorName::new(key).expect("a key is not blank");
    ///         SelectorDefinition { name, version: 1, strategies: vec![strategy] }
    ///     }
    ///     fn resolve<'a>(
    ///         &'a self,
    ///         page: &'a str,
    ///         key: &'a str,
    ///         attempts: &'a mut (dyn AttemptObserver + Send),
    ///     ) -> BoxFuture<'a, Resolution<String>> {
    ///         Box::pin(async move {
    ///             let found = page.lines().find_map(|line| line.strip_prefix(key));
    ///             let (attempt, outcome) = match found {
    ///                 Some(_) => (AttemptOutcome::Accepted, Outcome::Success),
    ///                 None => (AttemptOutcome::Empty, Outcome::NotFound),
    ///             };
    ///             attempts.attempt(AttemptRecord::new(0, attempt));
    ///             Resolution {
    ///                 outcome,
    ///                 found: found.map(str::to_owned),
    ///                 confidence: None,
    ///                 elements: Some(found.iter().count() as u32),
    ///                 validation_passed: None,
    ///                 error: None,
    ///             }
    ///         })
    ///     }
    /// }
    ///
    /// let store = Arc::new(MemoryStore::new());
    /// let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    /// let engine = Instrumented::new(Lines, collector.clone());
    /// let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    /// let found = runtime.block_on(engine.resolve_async("port=80", None, "port="));
    /// assert_eq!(found.found.as_deref(), Some("80"));
    ///
    /// collector.flush(Duration::from_secs(5));
    /// let event = store.query(&Query::all())?.next().unwrap()?;
    /// assert_eq!((event.outcome, event.elements_found()), (Outcome::Success, Some(1)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub async fn resolve_async(
        &self,
        page: &E::Page,
        context: Option<PageHandle>,
        selector: &E::Selector,
    ) -> Resolution<E::Found> {
        let engine = self.engine();
        let handle = self.handle(
            engine.selector_name(selector),
            |definition| engine.is_unchanged(selector, definition),
            || engine.definition(selector),
        );
        let mut operation =
            self.observer().start(engine.name(), handle, context, OperationKind::Resolution);
        let mut attempts = |attempt: AttemptRecord| operation.attempt(attempt);
        let resolution = engine.resolve(page, selector, &mut attempts).await;
        conclude(operation, &resolution);
        resolution
    }
}

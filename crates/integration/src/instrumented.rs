use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use telemetry_interfaces::{
    AttemptRecord, DefinitionVersions, MemoryVersions, OperationObserver, PageHandle, Resolution,
    SelectorEngine, SelectorHandle, SelectorObserver,
};
use telemetry_models::{OperationKind, PageContext, SelectorDefinition};

/// An engine under observation: it resolves as before, and each resolution is recorded.
///
/// A selector is known by its name. When its strategies change, the next definition gets the next
/// version; whether that holds from one run of the program to the next is up to the
/// [`DefinitionVersions`]. Shared between threads, it locks only to look up a name.
pub struct Instrumented<E, O> {
    engine: E,
    observer: O,
    versions: Arc<dyn DefinitionVersions>,
    /// What each name meant when it was last used.
    known: RwLock<HashMap<Box<str>, Known>>,
}

type Known = (SelectorDefinition, SelectorHandle);

impl<E, O: SelectorObserver> Instrumented<E, O> {
    /// Observes `engine`, a [`SelectorEngine`] or an
    /// [`AsyncSelectorEngine`](telemetry_interfaces::AsyncSelectorEngine). Versions of definitions
    /// are counted in memory: a new process begins with 1 again.
    pub fn new(engine: E, observer: O) -> Self {
        Self::with_versions(engine, observer, Arc::new(MemoryVersions::new()))
    }

    /// As [`new`](Self::new), with versions of definitions from elsewhere: kept from run to run, or
    /// shared between engines.
    pub fn with_versions(engine: E, observer: O, versions: Arc<dyn DefinitionVersions>) -> Self {
        Self { engine, observer, versions, known: RwLock::default() }
    }

    /// The engine.
    pub fn engine(&self) -> &E {
        &self.engine
    }

    /// The observer.
    pub fn observer(&self) -> &O {
        &self.observer
    }

    /// Tells where the following operations take place: once per navigation.
    pub fn enter(&self, page: &PageContext) -> PageHandle {
        self.observer.page(page)
    }

    /// The handle of the definition a name stands for now. `is_unchanged` compares the selector at
    /// hand with a definition, `definition` makes its own.
    pub(crate) fn handle(
        &self,
        name: &str,
        is_unchanged: impl Fn(&SelectorDefinition) -> bool,
        definition: impl FnOnce() -> SelectorDefinition,
    ) -> SelectorHandle {
        if let Some((definition, handle)) = self.known.read().get(name)
            && is_unchanged(definition)
        {
            return *handle;
        }
        let mut known = self.known.write();
        if let Some((before, handle)) = known.get(name)
            && is_unchanged(before)
        {
            return *handle;
        }
        let mut definition = definition();
        definition.version = self.versions.version_of(&definition);
        let handle = self.observer.selector(&definition);
        known.insert(name.into(), (definition, handle));
        handle
    }
}

impl<E: fmt::Debug, O: fmt::Debug> fmt::Debug for Instrumented<E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instrumented")
            .field("engine", &self.engine)
            .field("observer", &self.observer)
            .field("known", &self.known)
            .finish_non_exhaustive()
    }
}

impl<E: SelectorEngine, O: SelectorObserver> Instrumented<E, O> {
    /// Resolves a selector and records how that went. The result is the engine's own; a panic of
    /// the engine passes through and is recorded as `panicked`.
    pub fn resolve(
        &self,
        page: &E::Page,
        context: Option<PageHandle>,
        selector: &E::Selector,
    ) -> Resolution<E::Found> {
        let engine = &self.engine;
        let handle = self.handle(
            engine.selector_name(selector),
            |definition| engine.is_unchanged(selector, definition),
            || engine.definition(selector),
        );
        let mut operation =
            self.observer.start(engine.name(), handle, context, OperationKind::Resolution);
        let resolution = engine.resolve(page, selector, &mut |attempt: AttemptRecord| {
            operation.attempt(attempt);
        });
        conclude(operation, &resolution);
        resolution
    }
}

/// Records what came of an operation.
pub(crate) fn conclude<T>(mut operation: impl OperationObserver, resolution: &Resolution<T>) {
    if let Some(confidence) = resolution.confidence {
        operation.confidence(confidence);
    }
    if let Some(elements) = resolution.elements {
        operation.elements(elements);
    }
    if let Some(passed) = resolution.validation_passed {
        operation.validation(passed);
    }
    if let Some(message) = &resolution.error {
        operation.error(resolution.outcome.as_str(), message);
    }
    operation.finish(resolution.outcome);
}

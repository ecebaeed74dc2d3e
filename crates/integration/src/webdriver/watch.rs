use super::Place;
use super::strategy::kind;
use crate::registered::Registered;
use telemetry_interfaces::{PageHandle, SelectorObserver};
use telemetry_models::{OperationKind, PageContext, SelectorName, SessionId, StrategyDefinition};

/// An observer, and what has been made known to it.
#[derive(Debug)]
pub(crate) struct Watch<O> {
    engine: &'static str,
    observer: O,
    registered: Registered,
}

impl<O: SelectorObserver> Watch<O> {
    pub(crate) fn new(engine: &'static str, observer: O) -> Self {
        Self { engine, observer, registered: Registered::default() }
    }

    pub(crate) fn observer(&self) -> &O {
        &self.observer
    }

    /// Begins an operation of a selector with a name.
    pub(crate) fn named(
        &self,
        name: &SelectorName,
        strategies: &[StrategyDefinition],
        page: Option<PageHandle>,
    ) -> O::Operation {
        let selector = self.registered.named(&self.observer, name.as_str(), strategies.to_vec());
        self.observer.start(self.engine, selector, page, OperationKind::Resolution)
    }

    /// Begins an operation of a selector known by its text only.
    pub(crate) fn text(&self, using: &str, value: &str, page: Option<PageHandle>) -> O::Operation {
        let selector = self.registered.text(&self.observer, kind(using), value);
        self.observer.start(self.engine, selector, page, OperationKind::Resolution)
    }

    /// The place after a navigation; `unreached` when it failed.
    pub(crate) fn place(&self, url: &str, session: Option<&str>, unreached: bool) -> Place {
        let session = session.and_then(|id| SessionId::new(id).ok());
        let page = self.observer.page(&PageContext { session, ..PageContext::at(url) });
        Place { page: Some(page), url: Some(url.into()), unreached }
    }
}

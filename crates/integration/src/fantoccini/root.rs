use super::NamedLocator;
use super::failure::answer;
use super::named::words;
use crate::webdriver::{Answer, Expectation, Place, Try, Watch, conclude};
use fantoccini::elements::{Element, ShadowRoot};
use fantoccini::error::CmdError;
use fantoccini::{Client, Locator};
use std::time::{Duration, Instant};
use telemetry_interfaces::{OperationObserver, SelectorObserver};

/// Where to look: a page, or below an element or a shadow root. Gives `fantoccini`'s own results.
#[derive(Debug)]
pub struct ObservedRoot<'a, O> {
    root: Root<'a>,
    watch: &'a Watch<O>,
    place: Place,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Root<'a> {
    Page(&'a Client),
    Element(&'a Element),
    Shadow(&'a ShadowRoot),
}

impl Root<'_> {
    async fn find(self, locator: Locator<'_>) -> Result<Element, CmdError> {
        match self {
            Self::Page(client) => client.find(locator).await,
            Self::Element(element) => element.find(locator).await,
            Self::Shadow(root) => root.find(locator).await,
        }
    }

    async fn find_all(self, locator: Locator<'_>) -> Result<Vec<Element>, CmdError> {
        match self {
            Self::Page(client) => client.find_all(locator).await,
            Self::Element(element) => element.find_all(locator).await,
            Self::Shadow(root) => root.find_all(locator).await,
        }
    }
}

impl<'a, O: SelectorObserver> ObservedRoot<'a, O> {
    pub(super) fn new(root: Root<'a>, watch: &'a Watch<O>, place: Place) -> Self {
        Self { root, watch, place }
    }

    /// The first element, as `fantoccini`'s `find`.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn find(&self, locator: Locator<'_>) -> Result<Element, CmdError> {
        self.record(locator, self.root.find(locator), |_| 1).await
    }

    /// Every element, as `fantoccini`'s `find_all`. Finding none is recorded as `not_found`.
    ///
    /// # Errors
    /// Those of `fantoccini`, unchanged.
    pub async fn find_all(&self, locator: Locator<'_>) -> Result<Vec<Element>, CmdError> {
        self.record(locator, self.root.find_all(locator), Vec::len).await
    }

    /// The first element by the first locator that finds one: `find` for each of them in order, and
    /// on to the next when there is no such element or the driver refuses the locator.
    ///
    /// # Errors
    /// That of the last locator tried.
    pub async fn first(&self, selector: &NamedLocator<'_>) -> Result<Element, CmdError> {
        let operation = self.watch.named(selector.name(), selector.strategies(), self.place.page);
        let mut running = Running { operation: Some(operation), tries: Vec::new() };
        let mut locators = selector.locators().iter().enumerate().peekable();
        loop {
            let (at, locator) = locators.next().expect("a selector begins with one locator");
            let begun = Instant::now();
            let result = self.root.find(*locator).await;
            running.tried(at, begun.elapsed(), answer(&result, |_| 1));
            let next = result
                .as_ref()
                .is_err_and(|it| it.is_no_such_element() || it.is_invalid_selector());
            if !next || locators.peek().is_none() {
                running.finish(self.expectation(selector.is_optional()));
                return result;
            }
        }
    }

    /// Records what `lookup` does as one operation of the locator.
    pub(super) async fn record<T>(
        &self,
        locator: Locator<'_>,
        lookup: impl Future<Output = Result<T, CmdError>>,
        count: impl FnOnce(&T) -> usize,
    ) -> Result<T, CmdError> {
        let (using, value) = words(&locator);
        let operation = self.watch.text(using, value, self.place.page);
        let begun = Instant::now();
        let result = lookup.await;
        let attempt = Try::new(0, begun.elapsed(), answer(&result, count));
        conclude(operation, &[attempt], None, None, self.expectation(false));
        result
    }

    fn expectation(&self, optional: bool) -> Expectation {
        Expectation { optional, unreached: self.place.unreached }
    }
}

/// An operation of several locators. Dropped unfinished it reports the tries so far and leaves the
/// rest to its span.
struct Running<Op: OperationObserver> {
    operation: Option<Op>,
    tries: Vec<Try>,
}

impl<Op: OperationObserver> Running<Op> {
    fn tried(&mut self, at: usize, elapsed: Duration, answer: Answer) {
        self.tries.push(Try::new(u16::try_from(at).unwrap_or(u16::MAX), elapsed, answer));
    }

    fn finish(mut self, expectation: Expectation) {
        if let Some(operation) = self.operation.take() {
            conclude(operation, &self.tries, None, None, expectation);
        }
    }
}

impl<Op: OperationObserver> Drop for Running<Op> {
    fn drop(&mut self) {
        if let Some(operation) = &mut self.operation {
            for attempt in &self.tries {
                attempt.report(operation);
            }
        }
    }
}

use super::lookup::{Answer, Lookup};
use super::selector::{CdpObserver, CdpSelector};
use chromiumoxide::cdp::browser_protocol::page::NavigateParams;
use chromiumoxide::error::{CdpError, Result};
use chromiumoxide::{Element, Page};
use parking_lot::Mutex;
use std::ops::Deref;
use std::sync::Arc;
use telemetry_interfaces::{PageHandle, SelectorHandle, SelectorObserver};
use telemetry_models::{PageContext, StrategyKind};

/// Puts a page under observation.
pub trait ObservePage {
    /// The page, used as before; lookups through the result are recorded.
    fn observed<O: SelectorObserver>(self, observer: &CdpObserver<O>) -> ObservedPage<O>;
}

impl ObservePage for Page {
    fn observed<O: SelectorObserver>(self, observer: &CdpObserver<O>) -> ObservedPage<O> {
        let at = Arc::new(Mutex::new(At::default()));
        ObservedPage { page: self, watch: Watch { observer: observer.clone(), at } }
    }
}

/// Puts an element under observation.
pub trait ObserveElement {
    /// The element of a page, used as before; lookups below it are recorded.
    fn observed<O: SelectorObserver>(&self, on: &ObservedPage<O>) -> ObservedElement<'_, O>;
}

impl ObserveElement for Element {
    fn observed<O: SelectorObserver>(&self, on: &ObservedPage<O>) -> ObservedElement<'_, O> {
        ObservedElement { element: self, watch: on.watch.clone() }
    }
}

/// A `chromiumoxide` page whose lookups are recorded. It is the page in every other respect.
///
/// The methods have the names, results and errors of the page's own and send the same protocol
/// messages in the same order, nothing beside. Where they took place is known from
/// [`goto`](Self::goto) and [`enter`](Self::enter) alone: the browser is not asked.
///
/// - `elements_found` is how many elements the caller was given, the attempt's `elements` how many
///   matched: absent for `find_element` and `find_xpath`, which do not tell.
/// - Nothing found is `not_found`, whichever shape the crate's error has. Below an element, the
///   browser gives the same answer when that element is gone; the error is then recorded as
///   `not_found_or_detached`.
/// - Nothing found after a navigation that failed is `navigation_failed`: it says nothing about
///   the selector.
/// - A lookup whose future is dropped is `cancelled`.
///
/// A lookup by text is recorded under the name it was given with [`CdpObserver::selector`], or else
/// under the text itself.
pub struct ObservedPage<O> {
    page: Page,
    watch: Watch<O>,
}

/// An element below which lookups are recorded; see [`ObservedPage`].
pub struct ObservedElement<'e, O> {
    element: &'e Element,
    watch: Watch<O>,
}

impl<O: SelectorObserver> ObservedPage<O> {
    /// Tells where the following lookups take place, when something else than
    /// [`goto`](Self::goto) led there.
    pub fn enter(&self, context: &PageContext) {
        let page = self.watch.observer.page(context);
        *self.watch.at.lock() = At { page: Some(page), failed: false };
    }

    /// As [`Page::goto`]. The URL becomes the context of the following lookups.
    ///
    /// # Errors
    /// Those of [`Page::goto`].
    pub async fn goto(&self, params: impl Into<NavigateParams>) -> Result<&Self> {
        let params = params.into();
        self.enter(&PageContext::at(&params.url));
        let result = self.page.goto(params).await;
        self.watch.at.lock().failed = result.is_err();
        result.map(|_| self)
    }

    /// As [`Page::find_element`].
    ///
    /// # Errors
    /// Those of [`Page::find_element`].
    pub async fn find_element(&self, selector: impl Into<String>) -> Result<Element> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::Css, &text);
        lookup.one(self.page.find_element(text).await, false)
    }

    /// As [`Page::find_elements`].
    ///
    /// # Errors
    /// Those of [`Page::find_elements`].
    pub async fn find_elements(&self, selector: impl Into<String>) -> Result<Vec<Element>> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::Css, &text);
        lookup.all(self.page.find_elements(text).await, false)
    }

    /// As [`Page::find_xpath`].
    ///
    /// # Errors
    /// Those of [`Page::find_xpath`].
    ///
    /// # Panics
    /// As [`Page::find_xpath`] may, when matches vanish while it works; recorded as `panicked`.
    pub async fn find_xpath(&self, selector: impl Into<String>) -> Result<Element> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::XPath, &text);
        lookup.one(self.page.find_xpath(text).await, false)
    }

    /// As [`Page::find_xpaths`].
    ///
    /// # Errors
    /// Those of [`Page::find_xpaths`].
    pub async fn find_xpaths(&self, selector: impl Into<String>) -> Result<Vec<Element>> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::XPath, &text);
        lookup.all(self.page.find_xpaths(text).await, false)
    }

    /// Tries the strategies of a named selector in order until one finds an element: one
    /// operation, an attempt per strategy. A failure that is not the strategy's ends it early.
    ///
    /// # Errors
    /// That of the last strategy tried.
    ///
    /// # Panics
    /// As [`find_xpath`](Self::find_xpath).
    pub async fn find(&self, selector: &CdpSelector) -> Result<Element> {
        let mut lookup = self.watch.named(selector);
        let mut result = Err(CdpError::NotFound);
        for strategy in selector.strategies.iter() {
            let text = &*strategy.text;
            result = match strategy.kind {
                StrategyKind::XPath => self.page.find_xpath(text).await,
                _ => self.page.find_element(text).await,
            };
            let answer = Answer::one(&result, false);
            lookup.tried(answer);
            if !answer.leaves_hope() {
                break;
            }
        }
        lookup.finish(Answer::one(&result, false));
        result
    }

    /// As [`find`](Self::find), for all elements of the first strategy that matches any; an empty
    /// list when none does.
    ///
    /// # Errors
    /// That of the last strategy tried, when it is not the strategy's or no strategy could be put
    /// to the test.
    pub async fn find_all(&self, selector: &CdpSelector) -> Result<Vec<Element>> {
        let mut lookup = self.watch.named(selector);
        let mut result = Ok(Vec::new());
        let mut tested = false;
        for strategy in selector.strategies.iter() {
            let text = &*strategy.text;
            result = match strategy.kind {
                StrategyKind::XPath => self.page.find_xpaths(text).await,
                _ => self.page.find_elements(text).await,
            };
            let answer = Answer::all(&result, false);
            lookup.tried(answer);
            tested |= answer.is_empty();
            if !answer.leaves_hope() {
                break;
            }
        }
        let last = Answer::all(&result, false);
        lookup.finish(last);
        if tested && last.leaves_hope() { Ok(Vec::new()) } else { result }
    }

    /// The page, no longer observed.
    pub fn into_inner(self) -> Page {
        self.page
    }
}

impl<O: SelectorObserver> ObservedElement<'_, O> {
    /// As [`Element::find_element`].
    ///
    /// # Errors
    /// Those of [`Element::find_element`].
    pub async fn find_element(&self, selector: impl Into<String>) -> Result<Element> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::Css, &text);
        lookup.one(self.element.find_element(text).await, true)
    }

    /// As [`Element::find_elements`].
    ///
    /// # Errors
    /// Those of [`Element::find_elements`].
    pub async fn find_elements(&self, selector: impl Into<String>) -> Result<Vec<Element>> {
        let text = selector.into();
        let lookup = self.watch.by_text(StrategyKind::Css, &text);
        lookup.all(self.element.find_elements(text).await, true)
    }
}

impl<O> Deref for ObservedPage<O> {
    type Target = Page;
    fn deref(&self) -> &Page {
        &self.page
    }
}

impl<O> Deref for ObservedElement<'_, O> {
    type Target = Element;
    fn deref(&self) -> &Element {
        self.element
    }
}

impl<O> std::fmt::Debug for ObservedPage<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ObservedPage").field(&self.page).finish()
    }
}

impl<O> std::fmt::Debug for ObservedElement<'_, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("ObservedElement").field(self.element).finish()
    }
}

/// Where a page is, as far as it was told.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    page: Option<PageHandle>,
    /// The last navigation failed.
    failed: bool,
}

/// What an observed page shares with its observed elements. The lock guards a few bytes that a
/// navigation writes and a lookup reads; it is never held across an `.await`.
struct Watch<O> {
    observer: CdpObserver<O>,
    at: Arc<Mutex<At>>,
}

impl<O> Clone for Watch<O> {
    fn clone(&self) -> Self {
        Self { observer: self.observer.clone(), at: Arc::clone(&self.at) }
    }
}

impl<O: SelectorObserver> Watch<O> {
    fn by_text(&self, kind: StrategyKind, text: &str) -> Lookup<O::Operation> {
        self.start(self.observer.by_text(kind, text), false)
    }

    fn named(&self, selector: &CdpSelector) -> Lookup<O::Operation> {
        self.start(selector.handle, selector.optional)
    }

    fn start(&self, selector: SelectorHandle, optional: bool) -> Lookup<O::Operation> {
        let At { page, failed } = *self.at.lock();
        Lookup::new(self.observer.start(selector, page), optional, failed)
    }
}

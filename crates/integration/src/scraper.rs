use crate::names::Names;
use ::scraper::selectable::Selectable;
use ::scraper::selector::ToCss;
use ::scraper::{ElementRef, Selector};
use std::iter::FusedIterator;
use std::time::Duration;
use telemetry_interfaces::{
    AttemptRecord, OperationObserver, PageHandle, SelectorHandle, SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, OperationKind, Outcome, PageContext, StrategyDefinition, StrategyKind,
};

const ENGINE: &str = "scraper";

/// Observes selections of the `scraper` crate.
///
/// A selection stays as lazy as it was: nothing begins before the first element is asked for, and
/// nothing is looked at that the caller does not ask for. Beside what `scraper` does, a selection
/// costs one operation of the observer and no allocation.
///
/// | the iterator | is recorded as | `elements_found` | `attempts[0].elements` |
/// |---|---|---|---|
/// | was exhausted, with elements | `success` | all matches | the same |
/// | was exhausted, without | `not_found`, or `expected_absent` if optional | 0 | 0 |
/// | was dropped after its first element | `success` | those handed out: *at least* so many match | absent |
/// | was never asked | nothing happened, nothing is recorded | | |
/// | was dropped by a panic | `panicked` | | |
///
/// The attempt's duration is the time to the first element, or to knowing that there is none; the
/// operation's is the whole iteration, and so contains what the caller does between two elements.
/// Collect first where that matters.
///
/// ```
/// use scraper::{Html, Selector};
/// use std::sync::Arc;
/// use std::time::Duration;
/// use telemetry_collector::{Collector, CollectorConfig};
/// use telemetry_integration::ScraperObserver;
/// use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
/// use telemetry_models::{Outcome, PageContext};
///
/// let store = Arc::new(MemoryStore::new());
/// let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
/// let telemetry = ScraperObserver::new(collector.clone());
/// // Once per selector:
/// let price = telemetry.selector("shop.price", Selector::parse(".price")?);
/// // Once per page:
/// let html = Html::parse_document("<p class=price>12.50</p><p class=price>9.00</p>");
/// let page = telemetry.enter(&PageContext::at("https://shop.test/p/7"));
/// // Instead of `html.select(&selector)`:
/// let prices: Vec<_> = telemetry.select(&html, Some(page), &price).collect();
/// assert_eq!(prices.len(), 2);
///
/// collector.flush(Duration::from_secs(5));
/// let event = store.query(&Query::all())?.next().unwrap()?;
/// assert_eq!((event.outcome, event.elements_found()), (Outcome::Success, Some(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScraperObserver<O> {
    observer: O,
    names: Names,
}

/// A CSS selector that is known to an observer by a name. Built once, used for every page; valid
/// for the [`ScraperObserver`] that built it.
#[derive(Clone, Debug)]
pub struct ObservedSelector {
    selector: Selector,
    handle: SelectorHandle,
    optional: bool,
}

impl ObservedSelector {
    /// Says that finding nothing is fine: recorded as `expected_absent` instead of `not_found`.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// The selector itself.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl<O: SelectorObserver> ScraperObserver<O> {
    /// Records through `observer`.
    pub fn new(observer: O) -> Self {
        Self { observer, names: Names::default() }
    }

    /// Names a selector. The same name with another text later is the selector's next version. A
    /// blank name becomes `unnamed`: observing must not fail.
    pub fn selector(&self, name: &str, selector: Selector) -> ObservedSelector {
        let text = selector.to_css_string();
        let strategy = StrategyDefinition { kind: StrategyKind::Css, text: text.into() };
        let handle = self.names.named(&self.observer, name, vec![strategy]);
        ObservedSelector { selector, handle, optional: false }
    }

    /// Tells where the following selections take place: once per document.
    pub fn enter(&self, page: &PageContext) -> PageHandle {
        self.observer.page(page)
    }

    /// Selects within a document (`&Html`) or an element (`ElementRef`), as their own `select`
    /// does.
    // A call: what `scraper` returns is then written where it stays. Inlined, it is copied there by
    // wide loads that wait for the narrow stores just made, as long as half of an event takes.
    #[inline(never)]
    pub fn select<'a, 'o, 's, S: Selectable<'a>>(
        &'o self,
        within: S,
        page: Option<PageHandle>,
        selector: &'s ObservedSelector,
    ) -> ObservedSelect<'o, S::Select<'s>, O> {
        let (handle, optional) = (selector.handle, selector.optional);
        ObservedSelect {
            inner: within.select(&selector.selector),
            observer: &self.observer,
            page,
            handle,
            optional,
            asked: false,
            yields: 0,
            to_first: None,
            operation: None,
        }
    }
}

/// The elements a selector matches, in the order and at the pace of the iterator it wraps.
///
/// Not `Clone`, other than `scraper`'s own: an operation ends once.
#[must_use = "a selection is lazy and does nothing unless it is iterated"]
pub struct ObservedSelect<'o, I, O: SelectorObserver> {
    inner: I,
    observer: &'o O,
    page: Option<PageHandle>,
    handle: SelectorHandle,
    optional: bool,
    asked: bool,
    yields: u32,
    to_first: Option<Duration>,
    /// From the first time an element is asked for until the selection ends.
    operation: Option<O::Operation>,
}

impl<I, O: SelectorObserver> ObservedSelect<'_, I, O> {
    /// Asks the wrapped iterator for an element and counts it.
    #[inline]
    fn step<T>(&mut self, ask: impl FnOnce(&mut I) -> Option<T>) -> Option<T> {
        if !self.asked {
            self.begin();
        }
        let element = ask(&mut self.inner);
        if element.is_none() {
            self.end(true);
        } else if self.yields == 0 {
            self.to_first = self.operation.as_ref().and_then(OperationObserver::elapsed);
            self.yields = 1;
        } else {
            self.yields = self.yields.saturating_add(1);
        }
        element
    }

    #[inline(never)]
    fn begin(&mut self) {
        self.asked = true;
        let kind = OperationKind::Resolution;
        self.operation = Some(self.observer.start(ENGINE, self.handle, self.page, kind));
    }

    #[inline(never)]
    fn end(&mut self, exhausted: bool) {
        let Some(operation) = &mut self.operation else { return };
        let yields = self.yields;
        let (attempt, outcome) = match (yields, self.optional) {
            (0, false) => (AttemptOutcome::Empty, Outcome::NotFound),
            (0, true) => (AttemptOutcome::Empty, Outcome::ExpectedAbsent),
            _ => (AttemptOutcome::Accepted, Outcome::Success),
        };
        operation.attempt(AttemptRecord {
            elapsed: if yields == 0 { operation.elapsed() } else { self.to_first },
            elements: exhausted.then_some(yields),
            ..AttemptRecord::new(0, attempt)
        });
        operation.elements(yields);
        if let Some(operation) = self.operation.take() {
            operation.finish(outcome);
        }
    }
}

impl<'a, I: Iterator<Item = ElementRef<'a>>, O: SelectorObserver> Iterator
    for ObservedSelect<'_, I, O>
{
    type Item = ElementRef<'a>;

    #[inline]
    fn next(&mut self) -> Option<ElementRef<'a>> {
        self.step(I::next)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.inner.size_hint()
    }
}

impl<'a, I, O> DoubleEndedIterator for ObservedSelect<'_, I, O>
where
    I: DoubleEndedIterator<Item = ElementRef<'a>>,
    O: SelectorObserver,
{
    #[inline]
    fn next_back(&mut self) -> Option<ElementRef<'a>> {
        self.step(I::next_back)
    }
}

impl<'a, I, O> FusedIterator for ObservedSelect<'_, I, O>
where
    I: FusedIterator<Item = ElementRef<'a>>,
    O: SelectorObserver,
{
}

impl<I: std::fmt::Debug, O: SelectorObserver> std::fmt::Debug for ObservedSelect<'_, I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ObservedSelect").field("inner", &self.inner).finish_non_exhaustive()
    }
}

impl<I, O: SelectorObserver> Drop for ObservedSelect<'_, I, O> {
    fn drop(&mut self) {
        // Left as it is, the operation records `panicked` or `cancelled` by itself: the first during
        // a panic, the other after one that was caught before the first element.
        if self.yields > 0 && self.operation.is_some() && !std::thread::panicking() {
            self.end(false);
        }
    }
}

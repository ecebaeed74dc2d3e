use crate::registered::Registered;
use std::sync::Arc;
use telemetry_interfaces::{PageHandle, SelectorHandle, SelectorObserver};
use telemetry_models::{OperationKind, PageContext, StrategyDefinition, StrategyKind};

const ENGINE: &str = "chromiumoxide";

/// Observes the element lookups of `chromiumoxide` pages. Cheap to clone; all clones record
/// through the same observer.
///
/// ```
/// use chromiumoxide::{Browser, Page, error::CdpError};
/// use telemetry_integration::{CdpObserver, CdpStrategies, ObservePage};
/// use telemetry_interfaces::SelectorObserver;
///
/// async fn title<O: SelectorObserver>(
///     browser: &Browser,
///     telemetry: &CdpObserver<O>,
/// ) -> Result<Option<String>, CdpError> {
///     // Once per program:
///     let title = telemetry.selector(
///         "shop.title",
///         CdpStrategies::css("h1.product-title").or_xpath("//main//h1"),
///     );
///     // A page under observation is used as before, and each lookup is recorded:
///     let page = browser.new_page("about:blank").await?.observed(telemetry);
///     page.goto("https://shop.test/p/7").await?;
///     page.find_element("#content").await?;
///     // The strategies in their order, one operation:
///     page.find(&title).await?.inner_text().await
/// }
/// ```
pub struct CdpObserver<O> {
    inner: Arc<Inner<O>>,
}

#[derive(Debug)]
struct Inner<O> {
    observer: O,
    registered: Registered,
}

impl<O> Clone for CdpObserver<O> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

impl<O> std::fmt::Debug for CdpObserver<O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CdpObserver").finish_non_exhaustive()
    }
}

impl<O: SelectorObserver> CdpObserver<O> {
    /// Records through `observer`.
    pub fn new(observer: O) -> Self {
        Self { inner: Arc::new(Inner { observer, registered: Registered::default() }) }
    }

    /// Names a selector for [`ObservedPage::find`](crate::ObservedPage::find). With a single
    /// strategy, every lookup by its text goes by the name as well from now on: code that calls
    /// `find_element("h1.title")` need not change. Other strategies under the same name later are
    /// the selector's next version. A blank name becomes `unnamed`: observing must not fail.
    pub fn selector(&self, name: &str, strategies: CdpStrategies) -> CdpSelector {
        let CdpStrategies { strategies, optional } = strategies;
        let Inner { observer, registered } = &*self.inner;
        let handle = registered.named(observer, name, strategies.clone());
        if let [strategy] = &*strategies {
            registered.assign(strategy.kind.clone(), &strategy.text, handle);
        }
        CdpSelector { handle, strategies: strategies.into(), optional }
    }

    pub(super) fn by_text(&self, kind: StrategyKind, text: &str) -> SelectorHandle {
        self.inner.registered.text(&self.inner.observer, kind, text)
    }

    pub(super) fn page(&self, page: &PageContext) -> PageHandle {
        self.inner.observer.page(page)
    }

    pub(super) fn start(&self, selector: SelectorHandle, page: Option<PageHandle>) -> O::Operation {
        self.inner.observer.start(ENGINE, selector, page, OperationKind::Resolution)
    }
}

/// At least one strategy, in the order they are tried.
#[derive(Clone, Debug)]
pub struct CdpStrategies {
    strategies: Vec<StrategyDefinition>,
    optional: bool,
}

impl CdpStrategies {
    /// Begins with a CSS selector.
    pub fn css(text: &str) -> Self {
        Self { strategies: Vec::new(), optional: false }.or_css(text)
    }

    /// Begins with an XPath expression.
    pub fn xpath(text: &str) -> Self {
        Self { strategies: Vec::new(), optional: false }.or_xpath(text)
    }

    /// Falls back to a CSS selector.
    #[must_use]
    pub fn or_css(self, text: &str) -> Self {
        self.or(StrategyKind::Css, text)
    }

    /// Falls back to an XPath expression.
    #[must_use]
    pub fn or_xpath(self, text: &str) -> Self {
        self.or(StrategyKind::XPath, text)
    }

    /// Says that finding nothing is fine: recorded as `expected_absent` instead of `not_found`.
    #[must_use]
    pub fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    fn or(mut self, kind: StrategyKind, text: &str) -> Self {
        self.strategies.push(StrategyDefinition { kind, text: text.into() });
        self
    }
}

/// A named selector. Valid for the [`CdpObserver`] that built it.
#[derive(Clone, Debug)]
pub struct CdpSelector {
    pub(super) handle: SelectorHandle,
    pub(super) strategies: Arc<[StrategyDefinition]>,
    pub(super) optional: bool,
}

//! Engines of one's own over a real Chromium: one behind [`AsyncSelectorEngine`], and one that knows
//! nothing but `tracing`.

use super::browser::Chromium;
use crate::corpus;
use crate::recording::{Recording, summary};
use chromiumoxide::{Element, Page};
use futures_util::FutureExt;
use shop_site::SiteServer;
use telemetry_integration::Instrumented;
use telemetry_interfaces::{
    AsyncSelectorEngine, AttemptObserver, AttemptRecord, BoxFuture, Resolution, SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, Outcome, PageContext, SelectorDefinition, SelectorName, StrategyDefinition,
    StrategyKind,
};

/// Tries CSS selectors in order.
struct Fallbacks;

struct Wanted {
    name: &'static str,
    css: &'static [&'static str],
}

impl AsyncSelectorEngine for Fallbacks {
    type Page = Page;
    type Selector = Wanted;
    type Found = Element;

    fn name(&self) -> &str {
        "fallbacks"
    }
    fn selector_name<'a>(&self, wanted: &'a Wanted) -> &'a str {
        wanted.name
    }
    fn is_unchanged(&self, _: &Wanted, _: &SelectorDefinition) -> bool {
        true
    }
    fn definition(&self, wanted: &Wanted) -> SelectorDefinition {
        let css =
            |text: &&str| StrategyDefinition { kind: StrategyKind::Css, text: (*text).into() };
        let strategies = wanted.css.iter().map(css).collect();
        SelectorDefinition { name: SelectorName::new(wanted.name).unwrap(), version: 1, strategies }
    }
    fn resolve<'a>(
        &'a self,
        page: &'a Page,
        wanted: &'a Wanted,
        attempts: &'a mut (dyn AttemptObserver + Send),
    ) -> BoxFuture<'a, Resolution<Element>> {
        Box::pin(async move {
            for (strategy, css) in (0_u16..).zip(wanted.css) {
                let found = page.find_element(*css).await.ok();
                let outcome =
                    if found.is_some() { AttemptOutcome::Accepted } else { AttemptOutcome::Empty };
                attempts.attempt(AttemptRecord::new(strategy, outcome));
                if found.is_some() {
                    return resolution(Outcome::Success, found);
                }
            }
            resolution(Outcome::NotFound, None)
        })
    }
}

fn resolution(outcome: Outcome, found: Option<Element>) -> Resolution<Element> {
    let elements = Some(u32::from(found.is_some()));
    Resolution { outcome, found, confidence: None, elements, validation_passed: None, error: None }
}

#[tokio::test]
async fn an_engine_of_ones_own_is_observed_over_a_browser() {
    let name = "an_engine_of_ones_own_is_observed_over_a_browser";
    let Some(chromium) = Chromium::start(name) else { return };
    let site = SiteServer::start().await.unwrap();
    let recording = Recording::start();
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap();
    let engine = Instrumented::new(Fallbacks, recording.collector.clone());
    let title = Wanted { name: "shop.title", css: &["h1.product-name", "article h1"] };
    let voucher = Wanted { name: "shop.voucher", css: &[".voucher", "blink"] };
    let url = format!("{}/product/iron-teapot", site.base_url());
    page.goto(url.as_str()).await.unwrap();
    let context = recording.collector.page(&PageContext::at(&url));

    let found = engine.resolve_async(&page, Some(context), &title).await.found.unwrap();
    assert!(found.inner_text().await.unwrap().is_some_and(|text| text.contains("teapot")));
    assert!(engine.resolve_async(&page, Some(context), &voucher).await.found.is_none());
    // The loser of a race: the browser may answer, nobody waits for it.
    assert!(engine.resolve_async(&page, Some(context), &title).now_or_never().is_none());

    let events = recording.events();
    let seen: Vec<_> = events.iter().map(summary).collect();
    use AttemptOutcome as A;
    assert_eq!(
        seen,
        [
            ("shop.title".into(), Outcome::Success, Some(1), vec![A::Empty, A::Accepted]),
            ("shop.voucher".into(), Outcome::NotFound, Some(0), vec![A::Empty, A::Empty]),
            ("shop.title".into(), Outcome::Cancelled, None, vec![]),
        ]
    );
    assert!(events.iter().all(|event| event.engine.as_deref() == Some("fallbacks")));
    assert_eq!(events[0].page.as_ref().unwrap().url.as_deref(), Some(url.as_str()));
    session.end().await;
}

/// What a program has that writes spans for its own log.
#[cfg(feature = "tracing")]
#[tracing::instrument(target = "shop::locator", skip(page), err)]
async fn locate(page: &Page, selector: &str) -> Result<Element, chromiumoxide::error::CdpError> {
    page.find_element(selector).await
}

#[cfg(feature = "tracing")]
#[tokio::test]
async fn spans_around_calls_of_a_browser_become_operations() {
    use telemetry_integration::TelemetryLayer;
    use tracing_subscriber::layer::SubscriberExt;

    let name = "spans_around_calls_of_a_browser_become_operations";
    let Some(chromium) = Chromium::start(name) else { return };
    let site = SiteServer::start().await.unwrap();
    let recording = Recording::start();
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap();
    page.goto(format!("{}/product/iron-teapot", site.base_url())).await.unwrap();

    let layer = TelemetryLayer::new(recording.collector.clone());
    let listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    locate(&page, "article h1").await.unwrap();
    locate(&page, ".voucher").await.unwrap_err();
    drop(listening);

    let events = recording.events();
    let seen: Vec<_> =
        events.iter().map(|it| (it.selector.as_str(), it.outcome.is_success())).collect();
    assert_eq!(seen, [("article h1", true), (".voucher", false)]);
    assert!(events.iter().all(|event| event.timing.total.is_some_and(|it| !it.is_zero())));
    session.end().await;
}

/// What one look-up of each selector finds on each page, by the browser's own count.
#[cfg(feature = "tracing")]
#[tokio::test]
async fn on_pages_of_real_sites_both_record_what_is_there() {
    use telemetry_integration::TelemetryLayer;
    use tracing_subscriber::layer::SubscriberExt;

    let name = "own engine and spans: pages of real sites";
    let Some(pages) = corpus::Pages::serve(name) else { return };
    let Some(chromium) = Chromium::start(name) else { return };
    let (engines, spans) = (Recording::start(), Recording::start());
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap();
    let engine = Instrumented::new(Fallbacks, engines.collector.clone());
    let layer = TelemetryLayer::new(spans.collector.clone());
    let listening = tracing::subscriber::set_default(tracing_subscriber::registry().with(layer));
    let mut there = Vec::new();
    for url in &pages.urls {
        page.goto(url.as_str()).await.unwrap();
        let context = engines.collector.page(&PageContext::at(url));
        for selector in &corpus::SELECTORS {
            let script = format!("(() => {{ {} }})()", corpus::count(selector));
            let count: u64 = page.evaluate(script).await.unwrap().into_value().unwrap();
            there.push((*selector, count > 0));
            let wanted = Wanted { name: selector, css: std::slice::from_ref(selector) };
            let found = engine.resolve_async(&page, Some(context), &wanted).await.found;
            assert_eq!(found.is_some(), count > 0, "{selector}");
            assert_eq!(locate(&page, selector).await.is_ok(), count > 0, "{selector}");
        }
    }
    drop(listening);
    session.end().await;
    for recording in [engines, spans] {
        let events = recording.events();
        let seen: Vec<_> =
            events.iter().map(|it| (it.selector.as_str(), it.outcome.is_success())).collect();
        assert_eq!(seen, there);
    }
    assert!(there.iter().any(|(_, found)| *found) && there.iter().any(|(_, found)| !found));
}

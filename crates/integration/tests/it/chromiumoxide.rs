//! Against a real Chromium, on pages served on loopback.

#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod browser;
mod engine;
mod relay;

use crate::corpus;
use crate::recording::{Recording, summary};
use browser::Chromium;
use chromiumoxide::error::CdpError;
use relay::Relay;
use shop_site::{SiteServer, Version};
use std::time::Duration;
use telemetry_integration::{CdpObserver, CdpStrategies, ObserveElement, ObservePage};
use telemetry_models::{AttemptOutcome, Outcome, StrategyKind};

#[tokio::test]
async fn each_outcome_of_a_lookup_is_recorded_as_what_it_is() {
    let Some(chromium) = Chromium::start("each_outcome_of_a_lookup_is_recorded_as_what_it_is")
    else {
        return;
    };
    let site = SiteServer::start().await.unwrap();
    let recording = Recording::start();
    let telemetry = CdpObserver::new(recording.collector.clone());
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap().observed(&telemetry);

    telemetry.selector("shop.name", CdpStrategies::css("h1.product-name"));
    let title = telemetry
        .selector("shop.title", CdpStrategies::css("h1.product-name").or_xpath("//article/h1"));
    let items =
        telemetry.selector("shop.items", CdpStrategies::xpath("//table//blink").or_css("tr"));
    let badge =
        telemetry.selector("shop.badge", CdpStrategies::css(".voucher").or_css("blink").optional());
    let refused = telemetry.selector("shop.refused", CdpStrategies::css("h1[[").or_css("p:::"));

    page.goto(format!("{}/product/iron-teapot", site.base_url())).await.unwrap();
    let found = page.find_element("article").await.unwrap();
    assert!(page.find_element(".nowhere").await.is_err());
    assert_eq!(page.find_elements("table tr").await.unwrap().len(), 3);
    assert!(page.find_elements(".nowhere").await.unwrap().is_empty());
    assert!(page.find_elements("h1[[").await.is_err());
    page.find_xpath("//article//h1").await.unwrap();
    assert!(page.find_xpath("//blink").await.is_err());
    assert_eq!(page.find_xpaths("//table//tr").await.unwrap().len(), 3);
    assert!(page.find_xpaths("//blink").await.is_err());
    assert!(page.find_element("h1.product-name").await.is_err());
    page.find(&title).await.unwrap();
    assert_eq!(page.find_all(&items).await.unwrap().len(), 3);
    assert!(page.find(&badge).await.is_err());
    assert!(page.find_all(&badge).await.unwrap().is_empty());
    assert!(page.find(&refused).await.is_err());
    assert!(page.find_all(&refused).await.is_err());
    // Page lookups ask for the document anew, which makes the browser forget older node ids.
    assert!(found.observed(&page).find_element("h1").await.is_err());
    let article = page.find_element("article.product").await.unwrap();
    let below = article.observed(&page);
    below.find_element("h1").await.unwrap();
    assert!(below.find_element(".nowhere").await.is_err());
    assert_eq!(below.find_elements("tr").await.unwrap().len(), 3);

    use AttemptOutcome as A;
    let one = |name: &str, outcome, elements, attempt| {
        (name.to_owned(), outcome, elements, vec![attempt])
    };
    let found = |name: &str, elements| one(name, Outcome::Success, Some(elements), A::Accepted);
    let absent = |name: &str| one(name, Outcome::NotFound, Some(0), A::Empty);
    let expected = [
        found("article", 1),
        absent(".nowhere"),
        found("table tr", 3),
        absent(".nowhere"),
        one("h1[[", Outcome::InvalidSelector, None, A::InvalidSelector),
        found("//article//h1", 1),
        absent("//blink"),
        found("//table//tr", 3),
        absent("//blink"),
        // By text, under the name that text was given.
        absent("shop.name"),
        ("shop.title".into(), Outcome::Success, Some(1), vec![A::Empty, A::Accepted]),
        ("shop.items".into(), Outcome::Success, Some(3), vec![A::Empty, A::Accepted]),
        ("shop.badge".into(), Outcome::ExpectedAbsent, Some(0), vec![A::Empty, A::Empty]),
        ("shop.badge".into(), Outcome::ExpectedAbsent, Some(0), vec![A::Empty, A::Empty]),
        ("shop.refused".into(), Outcome::InvalidSelector, None, vec![A::InvalidSelector; 2]),
        ("shop.refused".into(), Outcome::InvalidSelector, None, vec![A::InvalidSelector; 2]),
        absent("h1"),
        found("article.product", 1),
        found("h1", 1),
        absent(".nowhere"),
        found("tr", 3),
    ];
    let events = recording.events();
    for (event, expected) in events.iter().zip(&expected) {
        assert_eq!(summary(event), *expected);
    }
    assert_eq!(events.len(), expected.len());
    let texts: Vec<_> =
        events[10].attempts.iter().map(|it| (&it.kind, it.text.as_deref())).collect();
    assert_eq!(
        texts,
        [
            (&StrategyKind::Css, Some("h1.product-name")),
            (&StrategyKind::XPath, Some("//article/h1"))
        ]
    );
    let template = events[0].page.as_ref().unwrap().url_template.as_deref().unwrap();
    assert!(template.ends_with("/product/iron-teapot"), "{template}");
    assert_eq!(events[16].error.as_ref().unwrap().kind.as_ref(), "not_found_or_detached");

    session.end().await;
    site.stop().await;
}

#[tokio::test]
async fn faults_of_the_environment_are_not_the_selectors() {
    let Some(mut chromium) = Chromium::start("faults_of_the_environment_are_not_the_selectors")
    else {
        return;
    };
    let site = SiteServer::start().await.unwrap();
    let recording = Recording::start();
    let telemetry = CdpObserver::new(recording.collector.clone());
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap().observed(&telemetry);

    // A port nobody listens on: the listener is gone when the browser calls.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(page.goto(format!("http://{closed}/")).await.is_err());
    assert!(page.find_element("h1.product-title").await.is_err());
    page.goto(format!("{}/product/iron-teapot", site.base_url())).await.unwrap();
    page.find_element("h1.product-title").await.unwrap();
    let given_up =
        tokio::time::timeout(Duration::ZERO, page.find_element("h1.product-title")).await;
    assert!(given_up.is_err());
    chromium.kill();
    let gone = page.find_element("h1.product-title").await.unwrap_err();
    assert!(!matches!(gone, CdpError::Timeout), "{gone}");

    let events = recording.events();
    let outcomes: Vec<_> = events.iter().map(|event| event.outcome).collect();
    assert_eq!(
        outcomes,
        [Outcome::NavigationFailed, Outcome::Success, Outcome::Cancelled, Outcome::TargetClosed]
    );
    session.end().await;
    site.stop().await;
}

/// What both sides of the comparison do; the names are the engine's own.
macro_rules! script {
    ($page:ident, $site:ident, $fall_back:expr) => {{
        $page.goto(format!("{}/product/iron-teapot", $site.base_url())).await.unwrap();
        let _ = $page.find_element("h1.product-title").await.unwrap();
        assert!($page.find_element(".nowhere").await.is_err());
        assert_eq!($page.find_elements("table tr").await.unwrap().len(), 3);
        assert!($page.find_elements(".nowhere").await.unwrap().is_empty());
        let _ = $page.find_xpath("//h1").await.unwrap();
        assert!($page.find_xpath("//blink").await.is_err());
        assert_eq!($page.find_xpaths("//table//tr").await.unwrap().len(), 3);
        assert!($page.find_elements("h1[[").await.is_err());
        $fall_back;
        $page.goto(format!("{}/category/teapots", $site.base_url())).await.unwrap();
        assert_eq!($page.find_elements("li.card").await.unwrap().len(), 5);
        let list = $page.find_element("ul.grid").await.unwrap();
        let _ = list.find_element("li.card").await.unwrap();
        assert!(list.find_element(".nowhere").await.is_err());
        assert_eq!(list.find_elements("li").await.unwrap().len(), 5);
    }};
}

#[tokio::test]
async fn nothing_extra_is_on_the_wire() {
    let name = "nothing_extra_is_on_the_wire";
    let site = SiteServer::start().await.unwrap();
    let mut sent = Vec::new();
    for observed in [false, false, true] {
        let Some(chromium) = Chromium::start(name) else { return };
        let relay = Relay::start(chromium.address()).await;
        let session = chromium.connect(relay.address()).await;
        let page = session.browser.new_page("about:blank").await.unwrap();
        if observed {
            let recording = Recording::start();
            let telemetry = CdpObserver::new(recording.collector.clone());
            let title =
                telemetry.selector("title", CdpStrategies::css(".gone").or_xpath("//article/h1"));
            let page = page.observed(&telemetry);
            script!(page, site, page.find(&title).await.unwrap());
            assert!(recording.events().len() > 10);
        } else {
            script!(
                page,
                site,
                match page.find_element(".gone").await {
                    Ok(element) => element,
                    Err(_) => page.find_xpath("//article/h1").await.unwrap(),
                }
            );
        }
        session.end().await;
        sent.push(relay.sent());
    }
    assert_eq!(sent[0], sent[1], "the script itself sends the same every time");
    assert_eq!(sent[1], sent[2], "with telemetry it still does");
    assert!(sent[0].len() > 60, "the relay saw {} messages", sent[0].len());
    eprintln!("{name}: {} messages with telemetry and without", sent[2].len());
    site.stop().await;
}

#[tokio::test]
async fn a_redesign_shows_as_a_fallback() {
    let Some(chromium) = Chromium::start("a_redesign_shows_as_a_fallback") else { return };
    let site = SiteServer::start().await.unwrap();
    let recording = Recording::start();
    let telemetry = CdpObserver::new(recording.collector.clone());
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap().observed(&telemetry);
    let rating = telemetry.selector(
        "shop.product.rating",
        CdpStrategies::css("#rating .score").or_css("[itemprop=ratingValue]"),
    );
    for version in [Version::V1, Version::V2] {
        site.switch_to(version);
        page.goto(format!("{}/product/iron-teapot", site.base_url())).await.unwrap();
        page.find(&rating).await.unwrap();
    }
    let depths: Vec<_> = recording.events().iter().map(|it| it.fallback_depth()).collect();
    assert_eq!(depths, [Some(0), Some(1)]);
    session.end().await;
    site.stop().await;
}

#[tokio::test]
async fn on_pages_of_real_sites_what_is_recorded_is_what_is_there() {
    let test = "chromiumoxide: pages of real sites";
    let Some(pages) = corpus::Pages::serve(test) else { return };
    let Some(chromium) = Chromium::start(test) else { return };
    let recording = Recording::start();
    let telemetry = CdpObserver::new(recording.collector.clone());
    let session = chromium.connect(chromium.address()).await;
    let page = session.browser.new_page("about:blank").await.unwrap().observed(&telemetry);
    let mut counted = Vec::new();
    for url in &pages.urls {
        page.goto(url).await.unwrap();
        for selector in corpus::SELECTORS {
            page.find_elements(selector).await.unwrap();
            let script = format!("(() => {{ {} }})()", corpus::count(selector));
            let count: u64 = page.evaluate(script).await.unwrap().into_value().unwrap();
            counted.push((selector, count));
        }
    }
    session.end().await;
    corpus::compare(&recording, "chromiumoxide", &counted);
}

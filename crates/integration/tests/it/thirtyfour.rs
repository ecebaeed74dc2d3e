//! `thirtyfour` against a real ChromeDriver.

use crate::corpus;
use crate::recording::Recording;
use crate::webdriver::{Chromedriver, Proxy, row};
use futures_util::FutureExt;
use shop_site::{SiteServer, Version};
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_integration::{NamedQuery, ObservedHttpClient};
use telemetry_models::{AttemptOutcome as A, Outcome as O, StrategyKind};
use thirtyfour::prelude::*;

/// `thirtyfour`'s usual client. The workspace builds `reqwest` without a TLS provider of its own.
fn http() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

struct Scene {
    // First: the session ends before its driver.
    driver: WebDriver,
    observed: ObservedHttpClient<Collector>,
    recording: Recording,
    site: SiteServer,
    _chromedriver: Chromedriver,
}

impl Scene {
    async fn open(test: &str) -> Option<Self> {
        let chromedriver = Chromedriver::start(test)?;
        let recording = Recording::start();
        let observed = ObservedHttpClient::new(http(), recording.collector.clone());
        let capabilities = Capabilities::from(chromedriver.capabilities());
        let driver = WebDriver::builder(chromedriver.url(), capabilities).client(observed.clone());
        let driver = driver.await.unwrap();
        let site = SiteServer::start().await.unwrap();
        driver.goto(site.base_url()).await.unwrap();
        Some(Self { driver, observed, recording, site, _chromedriver: chromedriver })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn each_lookup_is_recorded_for_what_it_came_to() {
    let Some(scene) = Scene::open("thirtyfour: each lookup").await else { return };
    let driver = &scene.driver;
    driver.find(By::Css("h1")).await.unwrap();
    driver.find(By::Css(".gone")).await.unwrap_err();
    assert_eq!(driver.find_all(By::ClassName("price")).await.unwrap().len(), 3);
    assert!(driver.find_all(By::XPath("//video")).await.unwrap().is_empty());
    driver.find(By::Css("h1[[")).await.unwrap_err();
    driver.find(By::LinkText("Glass teapot")).await.unwrap();
    let list = driver.find(By::Css("ul.grid")).await.unwrap();
    list.find(By::Css("li")).await.unwrap();
    driver.execute("arguments[0].remove()", [list.to_json().unwrap()]).await.unwrap();
    list.find_all(By::Css("a")).await.unwrap_err();
    driver.new_tab().await.unwrap();
    driver.close_window().await.unwrap();
    driver.find(By::Css("body")).await.unwrap_err();

    driver.clone().quit().await.unwrap();

    let events = scene.recording.events();
    let rows: Vec<_> = events.iter().map(row).collect();
    assert_eq!(
        rows,
        [
            ("h1", O::Success, vec![A::Accepted], Some(1)),
            (".gone", O::NotFound, vec![A::Empty], Some(0)),
            (".price", O::Success, vec![A::Accepted], Some(3)),
            ("//video", O::NotFound, vec![A::Empty], Some(0)),
            ("h1[[", O::InvalidSelector, vec![A::InvalidSelector], None),
            ("Glass teapot", O::Success, vec![A::Accepted], Some(1)),
            ("ul.grid", O::Success, vec![A::Accepted], Some(1)),
            ("li", O::Success, vec![A::Accepted], Some(1)),
            ("a", O::EngineError, vec![A::Detached], None),
            ("body", O::TargetClosed, vec![A::Error], None),
        ]
    );
    assert!(events.iter().all(|event| event.engine.as_deref() == Some("thirtyfour")));
    assert!(events.iter().all(|event| event.attempts[0].duration.is_some()));
    let kinds: Vec<_> = events.iter().map(|event| event.attempts[0].kind.as_str()).collect();
    assert_eq!(kinds[2..6], ["css", "xpath", "css", "link_text"]);
    let errors: Vec<_> =
        events.iter().filter_map(|event| Some(event.error.as_ref()?.kind.to_string())).collect();
    assert_eq!(
        errors,
        ["not_found", "not_found", "invalid_selector", "stale_element_reference", "target_closed"]
    );
    let page = events[0].page.as_ref().unwrap();
    assert_eq!(page.url.as_deref().unwrap().trim_end_matches('/'), scene.site.base_url());
    assert!(page.session.is_some());
    assert!(events[9].page.is_none(), "the window that is left is not known");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_alternatives_of_a_query_are_one_operation() {
    let Some(scene) = Scene::open("thirtyfour: alternatives").await else { return };
    let (driver, observed) = (&scene.driver, &scene.observed);
    driver.goto(format!("{}/product/glass-teapot", scene.site.base_url())).await.unwrap();
    let named = |name, by| NamedQuery::new(name, by).unwrap();

    let title = named("shop.title", By::Css("h2.title")).or(By::XPath("//main//h1"));
    assert_eq!(observed.first(driver, &title).await.unwrap().text().await.unwrap(), "Glass teapot");

    let sale = named("shop.sale", By::Css(".sale")).or(By::Id("sale"));
    let query = sale.query(driver).nowait();
    observed.operation(driver, &sale, query.first()).await.unwrap_err();
    let sale = sale.optional();
    assert!(!observed.operation(driver, &sale, query.exists()).await.unwrap());

    let price = named("shop.price", By::Css("#rating span")).or(By::Css(".buy .price"));
    let root = driver.find(By::Css("article")).await.unwrap();
    let query = root.query(By::Css("#rating span")).with_text("£31.50");
    let query = query.or(By::Css(".buy .price")).nowait();
    observed.operation(driver, &price, query.first()).await.unwrap();

    let cell = named("shop.cell", By::Css("td"));
    let query = cell.query(driver).nowait();
    observed.operation(driver, &cell, query.single()).await.unwrap_err();

    let any = named("shop.any", By::Css("h1")).or(By::Css("h2"));
    assert_eq!(observed.operation(driver, &any, any.query(driver).any()).await.unwrap().len(), 2);

    let other = observed.operation(driver, &any, async {
        driver.find(By::Css("table.specs")).await?;
        any.query(driver).first().await
    });
    other.await.unwrap();

    let (both, too) = tokio::join!(observed.first(driver, &title), observed.first(driver, &any));
    both.and(too).unwrap();

    driver.clone().quit().await.unwrap();

    let events = scene.recording.events();
    let rows: Vec<_> = events.iter().map(row).collect();
    let mut ends = rows[8..].to_vec();
    ends.sort_by_key(|row| row.0);
    assert_eq!(
        rows[..8],
        [
            ("shop.title", O::Success, vec![A::Empty, A::Accepted], Some(1)),
            ("shop.sale", O::NotFound, vec![A::Empty, A::Empty], Some(0)),
            ("shop.sale", O::ExpectedAbsent, vec![A::Empty, A::Empty], Some(0)),
            ("article", O::Success, vec![A::Accepted], Some(1)),
            ("shop.price", O::Success, vec![A::ValidationFailed, A::Accepted], Some(1)),
            ("shop.cell", O::Ambiguous, vec![A::Ambiguous], Some(3)),
            ("shop.any", O::Success, vec![A::Accepted, A::Accepted], Some(2)),
            ("table.specs", O::Success, vec![A::Accepted], Some(1)),
        ]
    );
    assert_eq!(
        ends,
        [
            ("shop.any", O::Success, vec![A::Accepted], Some(1)),
            ("shop.any", O::Success, vec![A::Accepted], Some(1)),
            ("shop.title", O::Success, vec![A::Empty, A::Accepted], Some(1)),
        ]
    );
    let title = &events[0];
    assert_eq!((title.fallback_depth(), title.selector_version), (Some(1), Some(1)));
    assert_eq!(title.attempts[1].kind, StrategyKind::XPath);
    assert_eq!(title.attempts[1].text.as_deref(), Some("//main//h1"));
    assert!(events[6].attempts[1].shadow.is_some());
    assert!(title.page.as_ref().unwrap().url.as_ref().unwrap().ends_with("/product/glass-teapot"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn polling_giving_up_and_an_unreached_page_are_told_apart() {
    let Some(scene) = Scene::open("thirtyfour: giving up").await else { return };
    let (driver, observed) = (&scene.driver, &scene.observed);
    let late = NamedQuery::new("shop.late", By::Css("#gone")).unwrap().or(By::Css("#late"));
    driver
        .execute("setTimeout(() => document.querySelector('h1').id = 'late', 50)", Vec::new())
        .await
        .unwrap();
    let patient = late.query(driver).wait(Duration::from_secs(30), Duration::from_millis(20));
    observed.operation(driver, &late, patient.first()).await.unwrap();

    assert!(observed.first(driver, &late).now_or_never().is_none());
    assert!(driver.find(By::Css("h1")).now_or_never().is_none());

    driver.goto(Chromedriver::unreachable()).await.unwrap_err();
    driver.find(By::Css("h1.title")).await.unwrap_err();
    driver.back().await.unwrap();
    driver.current_url().await.unwrap();
    scene.site.switch_to(Version::V2);
    driver.goto(scene.site.base_url()).await.unwrap();
    driver.find(By::Css("h1.title")).await.unwrap_err();

    driver.clone().quit().await.unwrap();

    let events = scene.recording.events();
    let rows: Vec<_> = events.iter().map(row).collect();
    assert_eq!(
        rows,
        [
            ("shop.late", O::Success, vec![A::Empty, A::Accepted], Some(1)),
            ("shop.late", O::Cancelled, vec![], None),
            ("h1", O::Cancelled, vec![], None),
            ("h1.title", O::NavigationFailed, vec![A::Empty], None),
            ("h1.title", O::NotFound, vec![A::Empty], Some(0)),
        ]
    );
}

/// One session's commands, by clients that differ in nothing but who listens; `first` asks for the
/// same alternatives in its own way.
async fn script(
    client: impl thirtyfour::session::http::HttpClient,
    first: impl AsyncFn(&WebDriver) -> WebElement,
    proxy: &Proxy,
    driver: &Chromedriver,
    site: &str,
) {
    let capabilities = Capabilities::from(driver.capabilities());
    let driver = WebDriver::builder(proxy.url(), capabilities).client(client).await.unwrap();
    driver.goto(site).await.unwrap();
    driver.find(By::Css("h1")).await.unwrap().text().await.unwrap();
    driver.find(By::Css(".gone")).await.unwrap_err();
    let cards = driver.find_all(By::Css("li.card")).await.unwrap();
    cards[1].find(By::Css("a.name")).await.unwrap().click().await.unwrap();
    driver.current_url().await.unwrap();
    driver.find(By::XPath("//h1[")).await.unwrap_err();
    driver.query(By::Id("no")).or(By::Css("h1")).nowait().first().await.unwrap();
    first(&driver).await.text().await.unwrap();
    driver.query(By::Css("td")).with_text("Glass").nowait().first().await.unwrap();
    driver.back().await.unwrap();
    driver.quit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn observing_puts_nothing_extra_on_the_wire() {
    let Some(driver) = Chromedriver::start("thirtyfour: nothing extra") else { return };
    let site = SiteServer::start().await.unwrap();

    let without = Proxy::start(driver.port());
    let first = async |driver: &WebDriver| {
        let query = driver.query(By::Css("h2.title")).or(By::XPath("//main//h1"));
        query.first().await.unwrap()
    };
    script(http(), first, &without, &driver, &site.base_url()).await;

    let with = Proxy::start(driver.port());
    let recording = Recording::start();
    let observed = ObservedHttpClient::new(http(), recording.collector.clone());
    let title = NamedQuery::new("shop.title", By::Css("h2.title")).unwrap();
    let title = title.or(By::XPath("//main//h1"));
    let first = {
        let observed = observed.clone();
        async move |driver: &WebDriver| observed.first(driver, &title).await.unwrap()
    };
    script(observed, first, &with, &driver, &site.base_url()).await;

    let plain = without.messages();
    assert!(plain.len() > 12, "{plain:#?}");
    assert_eq!(plain, with.messages());
    assert_eq!(recording.events().len(), 9, "and every lookup was recorded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn on_pages_of_real_sites_what_is_recorded_is_what_is_there() {
    let Some(pages) = corpus::Pages::serve("thirtyfour: pages of real sites") else { return };
    let Some(scene) = Scene::open("thirtyfour: pages of real sites").await else { return };
    let mut counted = Vec::new();
    for url in &pages.urls {
        scene.driver.goto(url).await.unwrap();
        for selector in corpus::SELECTORS {
            scene.driver.find_all(By::Css(selector)).await.unwrap();
            let count = scene.driver.execute(corpus::count(selector), []).await.unwrap();
            counted.push((selector, count.json().as_u64().unwrap()));
        }
    }
    scene.driver.clone().quit().await.unwrap();
    corpus::compare(&scene.recording, "thirtyfour", &counted);
}

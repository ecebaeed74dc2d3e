//! `fantoccini` against a real ChromeDriver.

use crate::corpus;
use crate::recording::Recording;
use crate::webdriver::{Chromedriver, Proxy, row};
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::Value;
use shop_site::SiteServer;
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_integration::{NamedLocator, ObserveClient, ObservedClient};
use telemetry_models::{AttemptOutcome as A, Outcome as O, StrategyKind};

async fn connect(url: &str, driver: &Chromedriver) -> Client {
    let mut builder = ClientBuilder::new(HttpConnector::new());
    builder.capabilities(driver.capabilities()).connect(url).await.unwrap()
}

struct Scene {
    observed: ObservedClient<Collector>,
    recording: Recording,
    site: SiteServer,
    _chromedriver: Chromedriver,
}

impl Scene {
    async fn open(test: &str) -> Option<Self> {
        let chromedriver = Chromedriver::start(test)?;
        let recording = Recording::start();
        let client = connect(&chromedriver.url(), &chromedriver).await;
        let observed = client.observed(recording.collector.clone());
        let site = SiteServer::start().await.unwrap();
        observed.goto(&site.base_url()).await.unwrap();
        Some(Self { observed, recording, site, _chromedriver: chromedriver })
    }
}

#[tokio::test]
async fn each_lookup_is_recorded_for_what_it_came_to() {
    let Some(scene) = Scene::open("fantoccini: each lookup").await else { return };
    let page = &scene.observed;
    page.find(Locator::Css("h1")).await.unwrap();
    assert!(page.find(Locator::Css(".gone")).await.unwrap_err().is_no_such_element());
    assert_eq!(page.find_all(Locator::Css(".price")).await.unwrap().len(), 3);
    assert!(page.find_all(Locator::XPath("//video")).await.unwrap().is_empty());
    assert!(page.find(Locator::Css("h1[[")).await.unwrap_err().is_invalid_selector());
    page.find(Locator::LinkText("Glass teapot")).await.unwrap();
    let main = page.find(Locator::Id("content")).await.unwrap();
    page.within(&main).find_all(Locator::Css("li")).await.unwrap();
    let attach = "arguments[0].attachShadow({mode: 'open'}).innerHTML = '<b>deep</b>'";
    let host = page.find(Locator::Css("section.hero")).await.unwrap();
    page.execute(attach, vec![serde_json::to_value(&host).unwrap()]).await.unwrap();
    let shadow = host.shadow_root().await.unwrap();
    page.within_shadow(&shadow).find(Locator::Css("b")).await.unwrap();
    page.execute("arguments[0].remove()", vec![serde_json::to_value(&main).unwrap()])
        .await
        .unwrap();
    page.within(&main).find(Locator::Css("a")).await.unwrap_err();
    page.new_window(true).await.unwrap();
    page.close_window().await.unwrap();
    page.find(Locator::Css("body")).await.unwrap_err();

    page.clone().close().await.unwrap();

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
            ("content", O::Success, vec![A::Accepted], Some(1)),
            ("li", O::Success, vec![A::Accepted], Some(3)),
            ("section.hero", O::Success, vec![A::Accepted], Some(1)),
            ("b", O::Success, vec![A::Accepted], Some(1)),
            ("a", O::EngineError, vec![A::Detached], None),
            ("body", O::TargetClosed, vec![A::Error], None),
        ]
    );
    assert!(events.iter().all(|event| event.engine.as_deref() == Some("fantoccini")));
    assert!(events.iter().all(|event| event.attempts[0].duration.is_some()));
    let kinds: Vec<_> = events.iter().map(|event| event.attempts[0].kind.as_str()).collect();
    assert_eq!(kinds[2..7], ["css", "xpath", "css", "link_text", "id"]);
    let context = events[0].page.as_ref().unwrap();
    assert_eq!(context.url.as_deref().unwrap().trim_end_matches('/'), scene.site.base_url());
    assert!(context.session.is_some());
    assert!(events[11].page.is_none(), "the window that is left is not known");
}

#[tokio::test]
async fn several_locators_are_one_operation() {
    let Some(scene) = Scene::open("fantoccini: several locators").await else { return };
    let page = &scene.observed;
    page.goto("/product/glass-teapot").await.unwrap();
    let named = |name, locator| NamedLocator::new(name, locator).unwrap();

    let title = named("shop.title", Locator::Css("h2[[")).or(Locator::Css("h2.title"));
    let title = title.or(Locator::XPath("//main//h1"));
    assert_eq!(page.first(&title).await.unwrap().text().await.unwrap(), "Glass teapot");
    let sale = named("shop.sale", Locator::Css(".sale")).or(Locator::Id("sale"));
    assert!(page.first(&sale).await.unwrap_err().is_no_such_element());
    page.first(&sale.optional()).await.unwrap_err();
    let bad = named("shop.bad", Locator::XPath("//h1["));
    assert!(page.first(&bad).await.unwrap_err().is_invalid_selector());
    assert!(page.first(&title).now_or_never().is_none());

    let wait = || page.wait().every(Duration::from_millis(5));
    page.wait_for_element(wait(), Locator::Css("table")).await.unwrap();
    let impatient = wait().at_most(Duration::from_millis(10));
    page.wait_for_element(impatient, Locator::Css(".gone")).await.unwrap_err();

    page.goto(&Chromedriver::unreachable()).await.unwrap_err();
    page.find(Locator::Css("h1.title")).await.unwrap_err();

    page.clone().close().await.unwrap();

    let events = scene.recording.events();
    let rows: Vec<_> = events.iter().map(row).collect();
    assert_eq!(
        rows,
        [
            ("shop.title", O::Success, vec![A::InvalidSelector, A::Empty, A::Accepted], Some(1)),
            ("shop.sale", O::NotFound, vec![A::Empty, A::Empty], Some(0)),
            ("shop.sale", O::ExpectedAbsent, vec![A::Empty, A::Empty], Some(0)),
            ("shop.bad", O::InvalidSelector, vec![A::InvalidSelector], None),
            ("shop.title", O::Cancelled, vec![], None),
            ("table", O::Success, vec![A::Accepted], Some(1)),
            (".gone", O::Timeout, vec![A::Timeout], None),
            ("h1.title", O::NavigationFailed, vec![A::Empty], None),
        ]
    );
    let title = &events[0];
    assert_eq!((title.fallback_depth(), title.selector_version), (Some(2), Some(1)));
    assert_eq!(title.attempts[2].kind, StrategyKind::XPath);
    let url = title.page.as_ref().unwrap().url.as_deref().unwrap();
    assert_eq!(url, format!("{}/product/glass-teapot", scene.site.base_url()));
}

/// The same commands by a bare client and by an observed one: their methods share their names.
macro_rules! script {
    ($client:expr, $site:expr) => {{
        let client = $client;
        client.goto($site).await.unwrap();
        client.find(Locator::Css("h1")).await.unwrap().text().await.unwrap();
        client.find(Locator::Css(".gone")).await.unwrap_err();
        let names = client.find_all(Locator::Css("li.card a.name")).await.unwrap();
        names[1].click().await.unwrap();
        client.current_url().await.unwrap();
        client.find(Locator::XPath("//h1[")).await.unwrap_err();
        client.back().await.unwrap();
        client.find(Locator::LinkText("Contact")).await.unwrap().click().await.unwrap();
        client.execute("return document.title", Vec::<Value>::new()).await.unwrap();
        client.close().await.unwrap();
    }};
}

#[tokio::test]
async fn observing_puts_nothing_extra_on_the_wire() {
    let Some(driver) = Chromedriver::start("fantoccini: nothing extra") else { return };
    let site = SiteServer::start().await.unwrap();

    let without = Proxy::start(driver.port());
    script!(connect(&without.url(), &driver).await, &site.base_url());

    let with = Proxy::start(driver.port());
    let recording = Recording::start();
    let observed = connect(&with.url(), &driver).await.observed(recording.collector.clone());
    script!(observed, &site.base_url());

    let plain = without.messages();
    assert!(plain.len() > 12, "{plain:#?}");
    assert_eq!(plain, with.messages());
    assert_eq!(recording.events().len(), 5, "and every lookup was recorded");
}

#[tokio::test]
async fn several_locators_send_what_a_program_would_send_itself() {
    let Some(driver) = Chromedriver::start("fantoccini: several locators sent") else { return };
    let site = SiteServer::start().await.unwrap();
    let (gone, h1) = (Locator::Css(".gone"), Locator::Css("h1"));

    let without = Proxy::start(driver.port());
    let client = connect(&without.url(), &driver).await;
    client.goto(&site.base_url()).await.unwrap();
    client.find(gone).await.unwrap_err();
    client.find(h1).await.unwrap();
    client.close().await.unwrap();

    let with = Proxy::start(driver.port());
    let recording = Recording::start();
    let client = connect(&with.url(), &driver).await.observed(recording.collector.clone());
    client.goto(&site.base_url()).await.unwrap();
    client.first(&NamedLocator::new("shop.title", gone).unwrap().or(h1)).await.unwrap();
    client.close().await.unwrap();

    assert_eq!(without.messages(), with.messages());
}

#[tokio::test]
async fn on_pages_of_real_sites_what_is_recorded_is_what_is_there() {
    let Some(pages) = corpus::Pages::serve("fantoccini: pages of real sites") else { return };
    let Some(scene) = Scene::open("fantoccini: pages of real sites").await else { return };
    let mut counted = Vec::new();
    for url in &pages.urls {
        scene.observed.goto(url).await.unwrap();
        for selector in corpus::SELECTORS {
            scene.observed.find_all(Locator::Css(selector)).await.unwrap();
            let count = scene.observed.execute(&corpus::count(selector), Vec::new()).await.unwrap();
            counted.push((selector, count.as_u64().unwrap()));
        }
    }
    corpus::compare(&scene.recording, "fantoccini", &counted);
}

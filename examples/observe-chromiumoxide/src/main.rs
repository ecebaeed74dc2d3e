#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use anyhow::Context;
use chromiumoxide::{Browser, BrowserConfig};
use futures_util::StreamExt;
use shop_site::{SiteServer, Version};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{CdpObserver, CdpStrategies, ObservePage};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    let site = SiteServer::start().await?;

    let profile =
        std::env::temp_dir().join(format!("observe-chromiumoxide-{}", std::process::id()));
    let config = BrowserConfig::builder()
        .no_sandbox()
        .user_data_dir(&profile)
        .build()
        .map_err(|message| anyhow::anyhow!("{message}"))?;
    let (mut browser, mut handler) =
        Browser::launch(config).await.context("no Chromium that starts")?;
    let serving = tokio::spawn(async move { while let Some(Ok(())) = handler.next().await {} });

    let visited = visit(&browser, &site, CdpObserver::new(collector.clone())).await;

    browser.close().await?;
    browser.wait().await?;
    serving.await?;
    site.stop().await;
    std::fs::remove_dir_all(&profile)?;
    visited?;

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    for event in store.query(&Query::all())? {
        let event = event?;
        let depth = event.fallback_depth().map_or("-".to_owned(), |depth| depth.to_string());
        let selector = event.selector.as_str();
        println!("{selector:20}  {:10}  fallback depth {depth}", event.outcome.as_str());
    }
    Ok(())
}

async fn visit(
    browser: &Browser,
    site: &SiteServer,
    telemetry: CdpObserver<Collector>,
) -> anyhow::Result<()> {
    let rating = telemetry.selector(
        "shop.product.rating",
        CdpStrategies::css("#rating .score").or_css("[itemprop=ratingValue]"),
    );
    telemetry.selector("shop.product.stock", CdpStrategies::css(".stock-badge"));
    let page = browser.new_page("about:blank").await?.observed(&telemetry);
    for version in [Version::V1, Version::V2] {
        site.switch_to(version);
        page.goto(format!("{}/product/iron-teapot", site.base_url())).await?;
        let score = page.find(&rating).await?.inner_text().await?;
        // As it was before there was telemetry.
        let stock = page.find_element(".stock-badge").await;
        println!("rated {}, stock known: {}", score.unwrap_or_default(), stock.is_ok());
    }
    println!("\nrecorded:");
    Ok(())
}

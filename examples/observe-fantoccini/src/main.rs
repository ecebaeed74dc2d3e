#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use fantoccini::{ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use shop_site::{SiteServer, Version};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{NamedLocator, ObserveClient, ObservedClient};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::Event;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chromedriver = std::env::args().nth(1).unwrap_or("http://127.0.0.1:9515".to_owned());
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;

    let options = json!({ "args": ["--headless", "--no-sandbox"] });
    let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
    let client = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&chromedriver)
        .await?;
    let observed = client.observed(collector.clone());
    let visited = visit(&observed).await;
    observed.close().await?;
    visited?;

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    for event in store.query(&Query::all())? {
        print(&event?);
    }
    Ok(())
}

async fn visit(page: &ObservedClient<Collector>) -> anyhow::Result<()> {
    let rating = NamedLocator::new("shop.rating", Locator::Css("#rating .score"))?
        .or(Locator::Css("[itemprop=ratingValue]"));
    let site = SiteServer::start().await?;
    for version in [Version::V1, Version::V2] {
        site.switch_to(version);
        page.goto(&format!("{}/product/glass-teapot", site.base_url())).await?;
        page.find(Locator::Css("h1")).await?;
        if let Ok(found) = page.first(&rating).await {
            println!("{version:?}: {}", found.text().await?);
        }
    }
    site.stop().await;
    Ok(())
}

fn print(event: &Event) {
    let tried: Vec<String> = event
        .attempts
        .iter()
        .map(|attempt| format!("{} {}", attempt.text.as_deref().unwrap_or("-"), attempt.outcome))
        .collect();
    println!("{:<14} {:<10} {}", event.selector, event.outcome, tried.join(", "));
}

#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod driver;

use driver::Page;
use fantoccini::ClientBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use shop_site::{SiteServer, Version};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{SpanFields, TelemetryLayer};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::Outcome;
use tracing_subscriber::layer::SubscriberExt;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chromedriver = std::env::args().nth(1).unwrap_or("http://127.0.0.1:9515".to_owned());
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    let layer = TelemetryLayer::new(collector.clone())
        .fields(SpanFields { engine: Some("page-objects".into()), ..SpanFields::default() })
        .classify(|message| message.contains("timeout").then_some(Outcome::Timeout));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let options = json!({ "args": ["--headless", "--no-sandbox"] });
    let capabilities = [("goog:chromeOptions".to_owned(), options)].into_iter().collect();
    let browser = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&chromedriver)
        .await?;
    let page = Page { browser: browser.clone() };
    let visited = visit(&page).await;
    browser.close().await?;
    visited?;

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    println!("\nrecorded:");
    for event in store.query(&Query::all())? {
        let event = event?;
        let kind = event.primary_strategy().map_or("-", |kind| kind.as_str());
        let millis = event.duration().unwrap_or_default().as_millis();
        println!("{:14}  {kind:6}  {:8}  {millis} ms", event.selector, event.outcome);
    }
    Ok(())
}

async fn visit(page: &Page) -> anyhow::Result<()> {
    let site = SiteServer::start().await?;
    for version in [Version::V1, Version::V2] {
        site.switch_to(version);
        page.browser.goto(&format!("{}/product/glass-teapot", site.base_url())).await?;
        for selector in ["//h1", "#rating .score"] {
            match page.read(selector).await {
                Ok(text) => println!("{version:?}: {selector} is {text}"),
                Err(error) => println!("{version:?}: {selector}: {error}"),
            }
        }
    }
    site.stop().await;
    Ok(())
}

#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use shop_site::{SiteServer, Version};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{NamedQuery, ObservedHttpClient};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::Event;
use thirtyfour::prelude::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let chromedriver = std::env::args().nth(1).unwrap_or("http://127.0.0.1:9515".to_owned());
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;

    // This workspace builds reqwest without a TLS provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let observed = ObservedHttpClient::new(reqwest::Client::new(), collector.clone());
    let mut capabilities = DesiredCapabilities::chrome();
    capabilities.add_arg("--headless")?;
    capabilities.add_arg("--no-sandbox")?;
    let driver = WebDriver::builder(chromedriver, capabilities).client(observed.clone()).await?;
    driver.run_and_quit(|driver| visit(driver, observed)).await?;

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    for event in store.query(&Query::all())? {
        print(&event?);
    }
    Ok(())
}

async fn visit(driver: WebDriver, observed: ObservedHttpClient<Collector>) -> anyhow::Result<()> {
    let rating = NamedQuery::new("shop.rating", By::Css("#rating .score"))?
        .or(By::Css("[itemprop=ratingValue]"));
    let site = SiteServer::start().await?;
    for version in [Version::V1, Version::V2] {
        site.switch_to(version);
        driver.goto(format!("{}/product/glass-teapot", site.base_url())).await?;
        driver.find(By::Css("h1")).await?;
        let query = rating.query(&driver).nowait();
        let found = observed.operation(&driver, &rating, query.first_opt()).await?;
        if let Some(found) = found {
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

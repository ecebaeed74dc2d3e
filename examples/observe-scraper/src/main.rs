#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use scraper::{Html, Selector};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{ObservedSelector, ScraperObserver};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::PageContext;

const BEFORE: &str = "<article><h1>Iron teapot</h1><p class=price>£48.00</p>\
    <p class=stock>In stock</p><ul><li>0.8 l</li><li>1.2 kg</li></ul></article>";
const AFTER: &str = "<article><h1>Iron teapot</h1><div class=amount>£48.00</div>\
    <ul><li>0.8 l</li><li>1.2 kg</li></ul></article>";

fn main() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    let shop = Shop::new(ScraperObserver::new(collector.clone()))?;

    for (url, text) in [("https://shop.test/v1/p/7", BEFORE), ("https://shop.test/v2/p/7", AFTER)] {
        println!("{url}: {}", shop.read(url, text));
    }

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    println!("\nrecorded:");
    for event in store.query(&Query::all())? {
        let event = event?;
        let url = event.page.as_ref().and_then(|page| page.url.as_deref()).unwrap_or("-");
        let found = event.elements_found().map_or("-".to_owned(), |found| found.to_string());
        let selector = event.selector.as_str();
        println!("{url}  {selector:14}  {:15}  {found} found", event.outcome.as_str());
    }
    Ok(())
}

/// A scraper as anybody would write it.
struct Shop {
    telemetry: ScraperObserver<Collector>,
    title: ObservedSelector,
    price: ObservedSelector,
    stock: ObservedSelector,
    facts: ObservedSelector,
}

impl Shop {
    fn new(telemetry: ScraperObserver<Collector>) -> anyhow::Result<Self> {
        let css = |name: &str, text: &str| -> anyhow::Result<ObservedSelector> {
            let selector = Selector::parse(text)
                .map_err(|error| anyhow::anyhow!("the selector of {name}, {text:?}: {error}"))?;
            Ok(telemetry.selector(name, selector))
        };
        Ok(Self {
            title: css("shop.title", "article h1")?,
            price: css("shop.price", ".price")?,
            stock: css("shop.stock", ".stock")?.optional(),
            facts: css("shop.facts", "article li")?,
            telemetry,
        })
    }

    fn read(&self, url: &str, text: &str) -> String {
        let html = Html::parse_document(text);
        let page = Some(self.telemetry.enter(&PageContext::at(url)));
        let first = |selector: &ObservedSelector| {
            let mut found = self.telemetry.select(&html, page, selector);
            found.next().map_or_else(|| "?".to_owned(), |element| element.text().collect())
        };
        let facts = self.telemetry.select(&html, page, &self.facts).count();
        format!(
            "{}, {}, {}, {facts} facts",
            first(&self.title),
            first(&self.price),
            first(&self.stock)
        )
    }
}

#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod driver;

use driver::Page;
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::{SpanFields, TelemetryLayer};
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::Outcome;
use tracing_subscriber::layer::SubscriberExt;

fn main() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    let layer = TelemetryLayer::new(collector.clone())
        .fields(SpanFields { engine: Some("driver".into()), ..SpanFields::default() })
        .classify(|message| message.contains("timed out").then_some(Outcome::Timeout));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let page = Page { has: vec!["#buy", "//h1"] };
    for selector in ["#buy", "//h1", "#gone"] {
        match page.click(selector) {
            Ok(()) => println!("clicked {selector}"),
            Err(error) => println!("{error}"),
        }
    }

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    println!("\nrecorded:");
    for event in store.query(&Query::all())? {
        let event = event?;
        let kind = event.primary_strategy().map_or("-", |kind| kind.as_str());
        println!("{:6}  {kind:6}  {}", event.selector.as_str(), event.outcome);
    }
    Ok(())
}

#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

mod adapter;
mod settings_reader;

use adapter::ReaderEngine;
use settings_reader::{Lookup, SettingsReader};
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_integration::Instrumented;
use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query};
use telemetry_models::PageContext;

fn main() -> anyhow::Result<()> {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
    let engine = Instrumented::new(ReaderEngine(SettingsReader), collector.clone());
    let port = Lookup { name: "app.port".into(), keys: vec!["port".into(), "listen_port".into()] };

    let versions = [("v1", "port = 80"), ("v2", "listen_port = 80"), ("v3", "address = ::1")];
    for (version, text) in versions {
        let page = engine.enter(&PageContext::at(&format!("config://{version}/app")));
        engine.resolve(text, Some(page), &port);
    }

    let flushed = collector.flush(Duration::from_secs(5));
    anyhow::ensure!(flushed.complete, "the events were not stored: {flushed:?}");
    for event in store.query(&Query::all())? {
        let event = event?;
        let depth = event.fallback_depth().map_or("-".to_owned(), |depth| depth.to_string());
        let page = event.page.as_ref().and_then(|page| page.url.as_deref()).unwrap_or("-");
        println!("{page}  {}  {}  fallback depth {depth}", event.selector, event.outcome);
    }
    Ok(())
}

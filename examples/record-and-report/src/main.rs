#![doc = include_str!("../README.md")]
#![allow(clippy::print_stdout, reason = "a program for the terminal")]

use anyhow::{Result, ensure};
use cascade::{Cascade, Document, Selector, StrategyKind};
use std::time::Duration;
use telemetry_runtime::integration::CascadeEngine;
use telemetry_runtime::interfaces::{Clock, Query, ReportRenderer, SystemClock};
use telemetry_runtime::models::{AlertState, AlertTransition, PageContext};
use telemetry_runtime::reporting::{ReportBuilder, ReportRequest, TerminalRenderer};
use telemetry_runtime::storage::open_existing_read_only;
use telemetry_runtime::{Telemetry, TelemetryConfig};

const BEFORE: &str = "<h1 class=title>Iron teapot</h1><b class=price>48.00</b><i id=stock>7</i>";
/// The price is gone, and the title has another class.
const AFTER: &str = "<h1 class=headline>Iron teapot</h1><b class=cost>48.00</b><i id=stock>7</i>";
const VISITS: usize = 20;
const LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let mut config = TelemetryConfig::default();
    config.storage.path = format!("target/record-and-report/{}", std::process::id()).into();
    let path = config.storage.path.clone();
    let reporting = config.reporting.clone();
    let telemetry = Telemetry::builder(config).on_alert(announce).start()?;
    let engine = telemetry.observe(CascadeEngine::new(Cascade::default()));

    let selectors = [
        Selector::new("shop.product.title")
            .strategy(StrategyKind::Css, "h1.title")
            .strategy(StrategyKind::XPath, "//h1"),
        Selector::new("shop.product.price").strategy(StrategyKind::Css, "b.price"),
        Selector::new("shop.product.stock").strategy(StrategyKind::Css, "#stock"),
    ];
    for html in [BEFORE, AFTER] {
        let page = Document::parse(html);
        let context = engine.enter(&PageContext::at("https://shop.test/product/7?session=secret"));
        for selector in selectors.iter().cycle().take(VISITS * selectors.len()) {
            engine.resolve(&page, Some(context), selector);
        }
    }

    // Stores what was recorded and saves the alerts; any process may read both from here on.
    let ended = telemetry.shutdown(LIMIT);
    ensure!(ended.failures.is_empty(), "not everything was stored: {:?}", ended.failures);

    let store = open_existing_read_only(&path)?;
    let alerts = telemetry.alerts()?;
    let request = ReportRequest {
        query: Query::all(),
        alerts: &alerts,
        now: SystemClock::new().utc(),
        reproduce: None,
        ..ReportRequest::default()
    };
    let report = ReportBuilder::new(reporting)?.build(&*store, &request, &mut |_| {})?;
    println!("\n{}", TerminalRenderer::new().render(&report)?);
    println!("Every operation is in {}", path.display());
    Ok(())
}

/// Called on the pipeline thread, so it must not wait for anything slow.
fn announce(change: &AlertTransition) {
    let alert = &change.alert;
    if alert.state == AlertState::Firing {
        println!("alert ({}): {}", alert.severity, alert.summary);
    }
}

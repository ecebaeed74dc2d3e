//! How large the HTML file is, whether it grows with the events, and how soon it is drawn.

use super::browser;
use crate::bench::figures::{Bar, Figures, Table};
use anyhow::{Context, Result};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use telemetry_runtime::interfaces::{EventStore, MemoryStore, Query, ReportRenderer};
use telemetry_runtime::models::{Event, EventId, OperationKind, Outcome, SelectorName, Timestamp};
use telemetry_runtime::reporting::{HtmlRenderer, ReportBuilder, ReportRequest, ReportingConfig};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

const EVENTS: u64 = 150_000;

pub(super) fn measure(figures: &mut Figures) -> Result<()> {
    let mut table =
        Table::new("HTML of 300 selectors and 30 days", &["events", "bytes", "gzip -9"]);
    let mut sizes = Vec::new();
    let mut file = tempfile::Builder::new().suffix(".html").tempfile()?;
    for events in [EVENTS, 10 * EVENTS] {
        let html = html(events)?;
        let packed = gzip(html.as_bytes())?;
        table.rows.push(vec![events.to_string(), html.len().to_string(), packed.to_string()]);
        sizes.push((html.len(), packed));
        file.as_file_mut().set_len(0)?;
        std::io::Seek::rewind(file.as_file_mut())?;
        file.write_all(html.as_bytes())?;
    }
    file.flush()?;
    figures.tables.push(table);
    let [(small, _), (large, packed)] = sizes[..] else { anyhow::bail!("two sizes") };
    figures.bars.push(Bar::at_most("HTML", large as f64 / 1e3, 300.0, "kB"));
    figures.bars.push(Bar::at_most("HTML, gzipped", packed as f64 / 1e3, 90.0, "kB"));
    let growth = 100.0 * (large as f64 / small as f64 - 1.0);
    figures.bars.push(Bar::at_most("growth at ten times the events", growth, 5.0, "%"));
    figures.notes.push(million()?);
    match browser::drawn_ms(file.path()) {
        Ok(ms) => {
            figures.bars.push(Bar::at_most("drawn from disk in Chromium, median", ms, 400.0, "ms"));
        }
        Err(error) if std::env::var_os("CI").is_none() => {
            figures.notes.push(format!("not drawn: {error:#}"));
        }
        Err(error) => return Err(error),
    }
    Ok(())
}

fn html(events: u64) -> Result<String> {
    let store = MemoryStore::new();
    let generator = GeneratorConfig {
        events,
        selectors: 300,
        sites: 30,
        hours: 30 * 24,
        ..GeneratorConfig::default()
    };
    let mut stream = EventGenerator::new(7, generator);
    let mut last = Timestamp::MIN;
    loop {
        let batch: Vec<_> = stream.by_ref().take(4_096).collect();
        let Some(latest) = batch.last() else { break };
        last = last.max(latest.timestamp);
        store.append(&batch)?;
    }
    let request = ReportRequest { query: Query::all(), now: last, ..ReportRequest::default() };
    let report =
        ReportBuilder::new(ReportingConfig::default())?.build(&store, &request, &mut |_| {})?;
    Ok(HtmlRenderer::new().render(&report)?)
}

/// A store in which every event has a selector of its own.
fn million() -> Result<String> {
    const SELECTORS: u32 = 1_000_000;
    let store = MemoryStore::new();
    let begin = Timestamp::from_millis(1_767_225_600_000);
    for chunk in 0..SELECTORS / 10_000 {
        let events: Result<Vec<Event>> = (0..10_000)
            .map(|at| {
                let number = chunk * 10_000 + at;
                Ok(Event::new(
                    EventId::from_u128(number.into()),
                    SelectorName::new(format!("x.{number}"))?,
                    begin.saturating_add(Duration::from_millis(number.into())),
                    OperationKind::Resolution,
                    Outcome::Success,
                ))
            })
            .collect();
        store.append(&events?)?;
    }
    let begun = Instant::now();
    let now = begin.saturating_add(Duration::from_secs(3_600));
    let request = ReportRequest { query: Query::all(), now, ..ReportRequest::default() };
    let report =
        ReportBuilder::new(ReportingConfig::default())?.build(&store, &request, &mut |_| {})?;
    let html = HtmlRenderer::new().render(&report)?;
    Ok(format!(
        "a million selectors: {:.1} s, {} kB of HTML, {} of their events counted in the totals only",
        begun.elapsed().as_secs_f64(),
        html.len() / 1_000,
        report.data_quality.untracked_events
    ))
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut child = Command::new("gzip")
        .args(["-9", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("gzip cannot be started")?;
    let mut input = child.stdin.take().context("gzip has no input")?;
    let bytes = bytes.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output()?;
    writer.join().expect("writing does not panic")?;
    Ok(output.stdout.len())
}

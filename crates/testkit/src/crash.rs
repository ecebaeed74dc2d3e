//! Killing a writing process at any moment, and what must be there afterwards.

use crate::generator::{EventGenerator, GeneratorConfig};
use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::Duration;
use telemetry_interfaces::{EventStore, Query};
use telemetry_models::{Event, RunId};

const MARK: &str = "acknowledged ";

/// The events of one run of the writer, without end for practical purposes.
fn events(seed: u64) -> EventGenerator {
    EventGenerator::new(
        seed,
        GeneratorConfig {
            events: 10_000_000,
            selectors: 40,
            sites: 5,
            sessions: 8,
            run: run_name(seed).into(),
            ..GeneratorConfig::default()
        },
    )
}

fn run_name(seed: u64) -> String {
    format!("crash-{seed}")
}

/// Appends batches of 1 to 64 events until the process is killed, and says after each
/// acknowledgement how many events were acknowledged so far.
///
/// # Errors
/// When the store refuses, or nobody listens any more.
pub fn write_until_killed(
    store: &dyn EventStore,
    seed: u64,
    told: &mut dyn Write,
) -> io::Result<()> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut events = events(seed);
    let mut acknowledged = 0;
    loop {
        let batch: Vec<Event> = events.by_ref().take(rng.usize(1..=64)).collect();
        if batch.is_empty() {
            return Ok(());
        }
        acknowledged += store.append(&batch).map_err(io::Error::other)?.stored;
        writeln!(told, "{MARK}{acknowledged}")?;
        told.flush()?;
    }
}

/// Runs a writer, kills it `later` than its `acknowledgements`th acknowledgement, and gives the
/// number of events it said were acknowledged, those said between the decision and the kill included.
///
/// # Errors
/// When the writer cannot be run, or ends by itself.
pub fn run_and_kill(
    mut writer: Command,
    acknowledgements: u64,
    later: Duration,
) -> io::Result<u64> {
    let mut child = writer.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn()?;
    let output = child.stdout.take().ok_or_else(|| io::Error::other("the writer has no output"))?;
    let mut acknowledged = None;
    let mut left = acknowledgements.max(1);
    for line in BufReader::new(output).lines() {
        // The harness of the writer may print lines of its own; a killed one half a line.
        let line = line?;
        let Some((_, count)) = line.split_once(MARK) else { continue };
        let Ok(count) = count.parse() else { continue };
        acknowledged = acknowledged.max(Some(count));
        left = left.saturating_sub(1);
        if left == 0 {
            // Not to wait for something: the moment of the kill is to be any moment.
            std::thread::sleep(later);
            child.kill()?;
            left = u64::MAX;
        }
    }
    child.wait()?;
    match acknowledged {
        Some(acknowledged) if left > u64::MAX / 2 => Ok(acknowledged),
        _ => Err(io::Error::other("the writer ended before it was killed")),
    }
}

/// Holds a store against what a run of the writer had acknowledged; gives the events of that run
/// that are there.
///
/// # Errors
/// Says which event is missing or differs, or why the store cannot be read.
pub fn check(store: &dyn EventStore, seed: u64, acknowledged: u64) -> Result<u64, String> {
    let run = RunId::new(run_name(seed)).map_err(|error| error.to_string())?;
    let query = Query { run: Some(run), ..Query::all() };
    let mut found = HashMap::new();
    for event in store.query(&query).map_err(|error| error.to_string())? {
        let event = event.map_err(|error| error.to_string())?;
        if let Some(before) = found.insert(event.sequence, event) {
            return Err(format!("event {:?} is there twice", before.sequence));
        }
    }
    let there = found.len() as u64;
    if there < acknowledged {
        return Err(format!("{there} events are there, {acknowledged} were acknowledged"));
    }
    for (at, event) in (0..there).zip(events(seed)) {
        if found.get(&Some(at)) != Some(&event) {
            return Err(format!("event {at} of {acknowledged} acknowledged is missing or differs"));
        }
    }
    Ok(there)
}

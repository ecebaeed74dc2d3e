//! Checks JSON Lines of selector events: `validate-events [FILE | -]`.

use anyhow::Context;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::process::ExitCode;
use telemetry_models::{Outcome, json};

const SAMPLE: &str = include_str!("sample.jsonl");

fn main() -> anyhow::Result<ExitCode> {
    let out = io::stdout().lock();
    let bad = match std::env::args_os().nth(1) {
        None => {
            check(SAMPLE.as_bytes(), out).context("the sample")?;
            0
        }
        Some(dash) if dash == "-" => check(io::stdin().lock(), out).context("standard input")?,
        Some(path) => {
            let name = path.display();
            let file = File::open(&path)
                .with_context(|| format!("cannot open {name}; give a file of events, or -"))?;
            check(BufReader::new(file), out).with_context(|| format!("cannot read {name}"))?
        }
    };
    Ok(if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reports on every line; returns how many are bad. Blank lines do not count.
fn check(mut input: impl BufRead, mut out: impl Write) -> io::Result<u64> {
    let mut counts: BTreeMap<Outcome, u64> = BTreeMap::new();
    let mut bad = 0;
    let mut line = Vec::new();
    for number in 1u64.. {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            break;
        }
        let text = line.trim_ascii();
        if text.is_empty() {
            continue;
        }
        match json::from_slice(text) {
            Ok(event) => *counts.entry(event.outcome).or_default() += 1,
            Err(error) => {
                bad += 1;
                writeln!(out, "line {number}: {error}")?;
            }
        }
    }
    for (outcome, count) in &counts {
        writeln!(out, "{count:>8} {outcome}")?;
    }
    writeln!(out, "{:>8} valid, {bad} bad", counts.values().sum::<u64>())?;
    Ok(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_shows_valid_and_bad_lines() {
        let mut out = Vec::new();
        assert_eq!(check(SAMPLE.as_bytes(), &mut out).unwrap(), 3);
        let report = String::from_utf8(out).unwrap();
        for part in [
            "line 5: attempts[0].confidence: found 1.2",
            "line 6: performance_metrics.resolution_ms: found an unknown key, expected \
             `resolution_time_ms`",
            "line 7: found EOF while parsing a string",
            "2 success",
            "1 not_found",
            "3 valid, 3 bad",
        ] {
            assert!(report.contains(part), "{part:?} is missing in\n{report}");
        }
    }
}

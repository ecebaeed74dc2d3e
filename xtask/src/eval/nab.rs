//! `eval nab`: anomalies of bare series, scored as the Numenta Anomaly Benchmark does.

mod corpus;
mod score;

use anyhow::{Context, Result, bail};
use corpus::Series;
use score::Scored;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;
use telemetry_detection::{SeriesConfig, SeriesDetector};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder with `data/` and `windows.json` (default: `nab` of the corpora).
    #[arg(long, value_name = "DIR")]
    corpus: Option<PathBuf>,
    /// Write `timestamp,value,anomaly_score` for each series there.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Refractory spans that are chosen from on one half of the series.
const SPANS: [u64; 4] = [75, 100, 150, 250];

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let folder = match &arguments.corpus {
        Some(folder) => folder.clone(),
        None => crate::corpora::folder(workspace)?.join("nab"),
    };
    let series = corpus::read(&folder)?;
    if series.is_empty() {
        bail!("{} names no series", folder.join("windows.json").display());
    }
    let default = SeriesConfig::default();
    let began = Instant::now();
    let scores = detect(&series, default);
    let took = began.elapsed();
    if let Some(out) = &arguments.out {
        write(&series, &scores, out)?;
    }
    let all = score::Series::of(&series, &scores);
    let wanted = fixed(default.threshold);
    let everything: Vec<_> = all.iter().collect();
    let configured = score::score(&everything, Some(wanted));
    let best = score::score(&everything, None);
    println!("{} series, {} windows, standard profile", series.len(), configured.windows);
    let rows: usize = scores.iter().map(Vec::len).sum();
    let each = took.as_nanos() as f64 / rows.max(1) as f64;
    println!(
        "{each:.0} ns an update over {rows} rows; at most {} bytes a series",
        most_bytes(&series)
    );
    say("default configuration, its own threshold", &configured);
    say("default configuration, best threshold in hindsight", &best);

    let candidates: Vec<(u64, Vec<score::Series<'_>>)> = SPANS
        .iter()
        .map(|span| {
            let scores = detect(&series, SeriesConfig { refractory: *span, ..default });
            (*span, score::Series::of(&series, &scores))
        })
        .collect();
    let mut total = 0.0;
    for half in [0, 1] {
        let part = |all: &[score::Series<'_>], which: usize, threshold: Option<f64>| {
            let part: Vec<_> = all.iter().skip(which).step_by(2).collect();
            score::score(&part, threshold)
        };
        let chosen = candidates
            .iter()
            .map(|(span, all)| (span, all, part(all, half, None)))
            .max_by(|one, other| one.2.score.total_cmp(&other.2.score));
        let Some((span, all, here)) = chosen else { bail!("nothing to choose from") };
        let there = part(all, 1 - half, Some(here.threshold));
        total += there.score / 2.0;
        let (from, to) = if half == 0 { ("first", "second") } else { ("second", "first") };
        say(&format!("span {span} and threshold chosen on the {from} half: there"), &here);
        say(&format!("  held out, on the {to} half"), &there);
    }
    println!("held out, mean of both ways: {total:.2}");
    Ok(())
}

/// One detector a series, in order.
fn detect(series: &[Series], config: SeriesConfig) -> Vec<Vec<f64>> {
    series
        .iter()
        .map(|series| {
            let mut detector = SeriesDetector::new(config);
            let rows = series.seconds.iter().zip(&series.values);
            rows.map(|(at, value)| fixed(detector.step(*at, *value).alarm)).collect()
        })
        .collect()
}

/// The largest detector after its whole series.
fn most_bytes(series: &[Series]) -> usize {
    let bytes = series.iter().map(|series| {
        let mut detector = SeriesDetector::new(SeriesConfig::default());
        for (at, value) in series.seconds.iter().zip(&series.values) {
            detector.step(*at, *value);
        }
        detector.bytes()
    });
    bytes.max().unwrap_or(0)
}

/// A surprise brought into 0 to 1: one half is ten nats.
fn fixed(surprise: f64) -> f64 {
    surprise / (surprise + 10.0)
}

fn say(what: &str, scored: &Scored) {
    let Scored { score, threshold, found, windows, false_rows } = scored;
    println!(
        "{what}: {score:.2} (threshold {threshold:.4}, windows {found} of {windows}, false rows \
         {false_rows})"
    );
}

fn write(series: &[Series], scores: &[Vec<f64>], out: &Path) -> Result<()> {
    for (series, scores) in series.iter().zip(scores) {
        let path = out.join(&series.name);
        let mut text = String::from("timestamp,value,anomaly_score\n");
        for ((stamp, value), score) in series.stamps.iter().zip(&series.values).zip(scores) {
            writeln!(text, "{stamp},{value},{score}")?;
        }
        let cannot = || format!("cannot write {}", path.display());
        fs::create_dir_all(path.parent().unwrap_or(out)).with_context(cannot)?;
        fs::write(&path, text).with_context(cannot)?;
    }
    Ok(())
}

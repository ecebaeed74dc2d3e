//! `eval calibration`: whether the confidence of a real engine means what it says.

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use telemetry_detection::{CalibrationReport, ConfidenceCounts};

use crate::workspace::Workspace;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One JSON object a line (default: `calibration/scrapling-events.jsonl` of the corpora).
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// Bins of equal width.
    #[arg(long, default_value_t = 10)]
    bins: usize,
    /// Print the reports as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Deserialize)]
struct Row {
    strategies: Vec<Strategy>,
    /// 0 to 100.
    confidence: Option<f64>,
    exact: bool,
    near: bool,
    label: String,
}

#[derive(Deserialize)]
struct Strategy {
    name: String,
}

#[derive(Serialize)]
struct Group {
    strategy: String,
    label: String,
    truth: &'static str,
    report: CalibrationReport,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    let path = match &arguments.events {
        Some(path) => path.clone(),
        None => crate::corpora::folder(workspace)?.join("calibration/scrapling-events.jsonl"),
    };
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut groups: BTreeMap<(String, String, &str), ConfidenceCounts> = BTreeMap::new();
    let mut silent = 0_u64;
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}, line {}", path.display(), at + 1);
        let row: Row = serde_json::from_str(line).with_context(place)?;
        let Some(confidence) = row.confidence else {
            silent += 1;
            continue;
        };
        // The confidence is that of the last strategy tried.
        let strategy = row.strategies.last().map_or("none", |it| it.name.as_str());
        for (truth, right) in [("exact", row.exact), ("near", row.near)] {
            for label in [row.label.as_str(), "all"] {
                let key = (strategy.to_owned(), label.to_owned(), truth);
                if !groups.entry(key).or_default().add(confidence / 100.0, right) {
                    bail!("{}: confidence {confidence} is not from 0 to 100", place());
                }
            }
        }
    }
    let groups: Vec<Group> = groups
        .into_iter()
        .filter_map(|((strategy, label, truth), counts)| {
            let report = counts.report(arguments.bins)?;
            Some(Group { strategy, label, truth, report })
        })
        .collect();
    if groups.is_empty() {
        bail!("{} has no rows with a confidence", path.display());
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&groups)?);
        return Ok(());
    }
    for Group { strategy, label, truth, report } in &groups {
        let auc = report.roc_auc.map_or_else(|| "-".into(), |auc| format!("{auc:.12}"));
        println!(
            "{strategy}, {label}, right means {truth}: {} of {} right, ECE {:.12}, ROC AUC {auc}, \
             Brier {:.12}",
            report.right, report.count, report.expected_error, report.brier
        );
        for bin in &report.bins {
            println!(
                "  said {:.1}–{:.1}: {:4} results, said {:.3}, right {:.3}",
                bin.above, bin.up_to, bin.count, bin.mean_confidence, bin.share_right
            );
        }
    }
    println!("{silent} rows without a confidence");
    Ok(())
}

//! The error of quantiles, and whether it depends on how parts are merged.

use crate::bench::figures::{Bar, Figures, Table};
use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use std::time::Duration;
use telemetry_aggregation::DurationSketch;

const VALUES: usize = 1_000_000;
const PARTS: usize = 64;

pub(super) fn measure(figures: &mut Figures) -> Result<()> {
    let mut rng = Rng::with_seed(99);
    let mut table =
        Table::new("relative error of quantiles", &["distribution", "p50", "p95", "p99", "p99.99"]);
    let mut worst = 0.0f64;
    for name in ["lognormal", "two modes", "Pareto"] {
        let mut values: Vec<u64> = (0..VALUES).map(|_| nanos(name, &mut rng)).collect();
        let mut parts = vec![DurationSketch::new(); PARTS];
        for (at, value) in values.iter().enumerate() {
            parts[at % PARTS].add(Duration::from_nanos(*value));
        }
        let forwards = merged(parts.iter());
        let backwards = merged(parts.iter().rev());
        let mut pairs: Vec<DurationSketch> =
            parts.chunks(2).map(|pair| merged(pair.iter())).collect();
        rng.shuffle(&mut pairs);
        ensure!(forwards == backwards && forwards == merged(pairs.iter()), "the order matters");
        values.sort_unstable();
        let mut row = vec![name.to_owned()];
        for q in [0.5, 0.95, 0.99, 0.9999] {
            let truth = values[(q * (VALUES - 1) as f64) as usize] as f64;
            let found = forwards.quantile(q).context("no quantile")?.as_nanos() as f64;
            let error = (found / truth - 1.0).abs();
            worst = worst.max(error);
            row.push(format!("{:.3} %", error * 100.0));
        }
        table.rows.push(row);
    }
    figures.tables.push(table);
    figures.bars.push(Bar::at_most("quantile error up to p99.99", worst * 100.0, 1.0, "%"));
    figures.notes.push("the same sketch, bit for bit, in three orders of merging".into());
    Ok(())
}

fn merged<'a>(parts: impl Iterator<Item = &'a DurationSketch>) -> DurationSketch {
    parts.fold(DurationSketch::new(), |mut sum, part| {
        sum.merge(part);
        sum
    })
}

fn nanos(name: &str, rng: &mut Rng) -> u64 {
    let ms = match name {
        "lognormal" => 12.0 * (0.8 * super::changes::normal(rng)).exp(),
        "two modes" if rng.f64() < 0.9 => 3.0 + rng.f64(),
        "two modes" => 800.0 + 400.0 * rng.f64(),
        _ => 2.0 / rng.f64().max(1e-9).powf(0.7),
    };
    (ms * 1e6) as u64
}

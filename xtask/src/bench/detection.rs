//! What detectors cost an operation, and what they hold of a selector, beside the two windows with
//! thresholds that people use instead.

use super::figures::{Bar, Figures, Table};
use super::interval::median;
use anyhow::Result;
use std::collections::VecDeque;
use std::hint::black_box;
use std::time::Instant;
use telemetry_runtime::detection::{
    Budget, FrequencyDetector, LevelConfig, LevelDetector, MixDetector, Operation, RateConfig,
    RateDetector, SelectorDetectors, SeriesConfig, SeriesDetector, TrustDetector, Watched,
};
use telemetry_runtime::models::{Outcome, Timestamp};

const ROUNDS: usize = 15;
const SAMPLES: usize = 200_000;
const BUDGET: Budget = Budget { per_day: 5e-4, startup: 0.012 };

#[derive(Clone, Copy)]
struct Sample {
    at: Timestamp,
    bad: bool,
    value: f64,
    won: usize,
}

pub(super) fn run() -> Result<Figures> {
    let samples = samples();
    let spending = BUDGET.split(Watched::Duration);
    // Name, nanoseconds of each round, bytes.
    let mut rows: Vec<(&str, Vec<f64>, usize)> = Vec::new();
    let mut window = Window::default();
    let mut rate = RateDetector::default();
    let mut level = LevelDetector::default();
    let mut frequency = FrequencyDetector::default();
    let mut mix = MixDetector::default();
    let mut trust = TrustDetector::default();
    let mut series = SeriesDetector::new(SeriesConfig::default());
    let series_bytes = {
        // Full, as after weeks.
        (0..30_000_i64).for_each(|at| _ = series.step(at * 300, (at % 97) as f64));
        series.bytes()
    };
    let mut all = SelectorDetectors::default();
    let mut found = Vec::new();
    for round in 0..=ROUNDS {
        let mut at = 0;
        let mut measure = |name, bytes, work: &mut dyn FnMut(&Sample)| {
            let began = Instant::now();
            samples.iter().for_each(|sample| work(black_box(sample)));
            let nanos = began.elapsed().as_secs_f64() * 1e9 / SAMPLES as f64;
            if round == 0 {
                rows.push((name, Vec::new(), bytes));
            } else {
                rows[at].1.push(nanos);
            }
            at += 1;
        };
        let bytes = size_of::<Window>() + 320 * size_of::<(Timestamp, bool)>();
        measure("window of 5 min, share above 5 %", bytes, &mut |it| {
            black_box(window.is_above(it));
        });
        let config = RateConfig::default();
        measure("RateDetector", size_of::<RateDetector>(), &mut |it| {
            black_box(rate.observe(it.bad, it.at, spending, &config));
        });
        measure("LevelDetector", size_of::<LevelDetector>(), &mut |it| {
            black_box(level.observe(it.value, it.at, spending, &LevelConfig::DURATION));
        });
        measure("FrequencyDetector", size_of::<FrequencyDetector>(), &mut |it| {
            black_box(frequency.observe(it.at, spending));
        });
        measure("MixDetector", size_of::<MixDetector>(), &mut |it| {
            black_box(mix.observe(it.won, it.at, spending));
        });
        measure("TrustDetector", size_of::<TrustDetector>(), &mut |it| {
            black_box(trust.observe(0.95, !it.bad, it.at, spending));
        });
        measure("SelectorDetectors, all 13", size_of::<SelectorDetectors>(), &mut |it| {
            let mut operation = Operation::new(it.at, Outcome::Success);
            operation.duration_ms = Some(it.value.exp());
            operation.confidence = Some(0.9);
            operation.right = Some(!it.bad);
            operation.matches = Some(24);
            operation.won = Some(it.won as u32);
            all.observe(&operation, BUDGET, &mut found);
            found.clear();
        });
        // A value of an aggregated series comes every five minutes, not with every operation.
        let mut number = 3_000_000_i64 * (round as i64 + 1);
        measure("SeriesDetector (neighbours), one value in 100", series_bytes, &mut |it| {
            number += 1;
            if number % 100 == 0 {
                black_box(series.step(number * 3, it.value));
            }
        });
    }
    let mut table = Table::new("one operation", &["detector", "nanoseconds", "× window", "bytes"]);
    let mut figures = Figures::default();
    let base = median(&rows[0].1);
    for (at, (name, nanos, bytes)) in rows.iter().enumerate() {
        let each = median(nanos);
        table.rows.push(vec![
            (*name).to_owned(),
            format!("{each:.0}"),
            format!("{:.2}", each / base),
            bytes.to_string(),
        ]);
        let of_signal = (1..6).contains(&at);
        if of_signal {
            // Silence and bursts are two signals.
            let signals = if at == 3 { 2.0 } else { 1.0 };
            figures.bars.push(Bar::at_most(&format!("cost, {name}"), each / signals, 100.0, "ns"));
            let bytes = *bytes as f64 / signals;
            figures.bars.push(Bar::at_most(&format!("memory, {name}"), bytes, 512.0, "bytes"));
        }
    }
    let neighbours = median(&rows[7].1) * 100.0 / 1e3;
    figures.bars.push(Bar::at_most("cost, SeriesDetector", neighbours, 2.0, "µs"));
    let held = rows[7].2 as f64;
    figures.bars.push(Bar::at_most("memory, SeriesDetector", held, 16_384.0, "bytes"));
    figures.tables.push(table);
    Ok(figures)
}

fn samples() -> Vec<Sample> {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut seconds = 0.0;
    (0..SAMPLES)
        .map(|_| {
            seconds -= (1.0 - rng.f64()).ln();
            Sample {
                at: Timestamp::from_millis((seconds * 1000.0) as i64),
                bad: rng.f64() < 0.01,
                value: 5.0 + (0..6).map(|_| rng.f64() - 0.5).sum::<f64>() * 0.7,
                won: usize::from(rng.f64() < 0.02),
            }
        })
        .collect()
}

/// The named baseline.
#[derive(Default)]
struct Window {
    held: VecDeque<(Timestamp, bool)>,
    bad: usize,
}

impl Window {
    fn is_above(&mut self, sample: &Sample) -> bool {
        self.held.push_back((sample.at, sample.bad));
        self.bad += usize::from(sample.bad);
        while let Some((oldest, bad)) = self.held.front().copied()
            && sample.at.since(oldest).as_secs() > 300
        {
            self.held.pop_front();
            self.bad -= usize::from(bad);
        }
        self.held.len() >= 20 && self.bad * 20 > self.held.len()
    }
}

//! What evaluating rules costs: 50 rules, all of which cover every one of 1,000 selectors.

use super::figures::{Bar, Figures, Table};
use super::interval::median;
use anyhow::{Result, ensure};
use std::hint::black_box;
use std::time::{Duration, Instant};
use telemetry_runtime::alerting::{Against, AlertingConfig, Profile, Rule, ThresholdEngine};
use telemetry_runtime::interfaces::AlertEngine;
use telemetry_runtime::models::{
    Aggregate, AlertTransition, Attempt, AttemptOutcome, Comparison, Confidence, Event, EventId,
    OperationKind, Outcome, SelectorName, Signal, StrategyKind, Timestamp,
};

const SELECTORS: usize = 1_000;
const RULES: usize = 50;
/// Events of every selector before anything counts: windows and baselines are full then.
const WARM_UP: usize = 150;
const ROUNDS: usize = 7;
/// Events of every selector in a round.
const VISITS: usize = 40;
/// Share of operations that fail.
const FAULTS: f64 = 0.02;

pub(super) fn run() -> Result<Figures> {
    let mut table = Table::new(
        "one event, nanoseconds",
        &[
            "rules",
            "covering a selector",
            "evaluated",
            "beside copying the event",
            "bytes a selector",
            "allocations an event",
        ],
    );
    let mut figures = Figures::default();
    let copied = copying()?;
    for (name, rules, covering) in [
        ("the six of the default profile", Profile::Default.rules(), 6),
        ("50, every one for every selector", every_selector(), RULES),
        ("50, the default ones and 44 for one site section each", sections(), 7),
    ] {
        let Cost { nanos, bytes, allocations } = measure(rules)?;
        table.rows.push(vec![
            name.to_owned(),
            covering.to_string(),
            format!("{nanos:.0}"),
            format!("{:.2}", nanos / copied),
            format!("{bytes:.0}"),
            format!("{allocations:.2}"),
        ]);
        if covering != 6 {
            figures.bars.push(Bar::at_most(&format!("event, {name}"), nanos / 1e3, 1.0, "µs"));
            figures.bars.push(Bar::at_most(&format!("memory, {name}"), bytes, 4096.0, "bytes"));
        }
    }
    figures.tables.push(table);
    figures.notes.push(format!(
        "{SELECTORS} selectors in turn, {:.0} % of the operations fail; windows and baselines are \
         full before anything counts; the median of {ROUNDS} rounds; copying an event takes \
         {copied:.0} ns; only events that fail, and what follows them, allocate",
        FAULTS * 100.0
    ));
    Ok(figures)
}

struct Cost {
    /// Median of an event.
    nanos: f64,
    /// Held on the heap for a selector.
    bytes: f64,
    /// Of an event, those that fail included.
    allocations: f64,
}

fn measure(rules: Vec<Rule>) -> Result<Cost> {
    let config = AlertingConfig { profile: Profile::None, rules, ..AlertingConfig::default() };
    let mut random = fastrand::Rng::with_seed(7);
    let mut at = 0;
    let mut changes: Vec<AlertTransition> = Vec::new();
    let mut engine = None;
    let mut failed = None;
    let held = allocation_counter::measure(|| {
        let made = ThresholdEngine::new(&config).map_err(anyhow::Error::from);
        let warmed = made.and_then(|mut made| {
            for _ in 0..WARM_UP {
                made.observe(&events(&mut random, &mut at)?, &mut changes);
                changes = Vec::new();
            }
            Ok(made)
        });
        match warmed {
            Ok(made) => engine = Some(made),
            Err(error) => failed = Some(error),
        }
    });
    if let Some(error) = failed {
        return Err(error);
    }
    let mut engine = engine.expect("made, or the error was returned");
    ensure!(engine.series() == SELECTORS, "{} selectors are watched", engine.series());
    let mut nanos = Vec::new();
    for _ in 0..ROUNDS {
        let batches: Vec<_> =
            (0..VISITS).map(|_| events(&mut random, &mut at)).collect::<Result<_>>()?;
        let started = Instant::now();
        for batch in &batches {
            engine.observe(batch, &mut changes);
            changes.clear();
        }
        nanos.push(started.elapsed().as_nanos() as f64 / (VISITS * SELECTORS) as f64);
    }
    let batches: Vec<_> =
        (0..VISITS).map(|_| events(&mut random, &mut at)).collect::<Result<_>>()?;
    let taken = allocation_counter::measure(|| {
        for batch in &batches {
            engine.observe(batch, &mut changes);
            changes.clear();
        }
    });
    Ok(Cost {
        nanos: median(&nanos),
        bytes: held.bytes_current as f64 / SELECTORS as f64,
        allocations: taken.count_total as f64 / (VISITS * SELECTORS) as f64,
    })
}

/// Nanoseconds for a copy of an event: the scale of this machine.
fn copying() -> Result<f64> {
    let mut random = fastrand::Rng::with_seed(7);
    let batch = events(&mut random, &mut 0)?;
    let nanos: Vec<f64> = (0..ROUNDS * 10)
        .map(|_| {
            let started = Instant::now();
            for event in &batch {
                black_box(event.clone());
            }
            started.elapsed().as_nanos() as f64 / batch.len() as f64
        })
        .collect();
    Ok(median(&nanos))
}

/// One operation of every selector.
fn events(random: &mut fastrand::Rng, at: &mut usize) -> Result<Vec<Event>> {
    (0..SELECTORS)
        .map(|selector| {
            *at += 1;
            let fails = random.f64() < FAULTS;
            let outcome = if fails { Outcome::NotFound } else { Outcome::Success };
            let mut event = Event::new(
                EventId::from_u128(*at as u128),
                SelectorName::new(format!("section{}.selector{selector}", selector % 44))?,
                Timestamp::from_millis(*at as i64),
                OperationKind::Resolution,
                outcome,
            );
            let tried = if fails { AttemptOutcome::Empty } else { AttemptOutcome::Accepted };
            event.attempts = vec![Attempt {
                text: Some("span.price".into()),
                elements: Some(u32::from(!fails)),
                confidence: (!fails)
                    .then(|| Confidence::new(0.9 + random.f64() / 10.0))
                    .transpose()?,
                ..Attempt::new(StrategyKind::Css, tried)
            }];
            event.timing.total = Some(Duration::from_secs_f64(0.004 * (0.8 + 0.4 * random.f64())));
            Ok(event)
        })
        .collect()
}

/// Rules of every kind: shares, means and quantiles, fixed and against the selector's own past,
/// over 5 to 40 operations.
fn every_selector() -> Vec<Rule> {
    (0..RULES).map(|at| rule(at, "*")).collect()
}

fn sections() -> Vec<Rule> {
    let mut rules = Profile::Default.rules();
    rules.extend((0..RULES - rules.len()).map(|at| rule(at, &format!("section{at}.*"))));
    rules
}

fn rule(at: usize, selector: &str) -> Rule {
    let last = Some([5, 10, 20, 40][at % 4]);
    let id = format!("rule{at}");
    let rule = match at % 10 {
        0 => Rule::new(&id, Signal::ErrorRate, Comparison::AtLeast, 0.8),
        1 => Rule::new(&id, Signal::SuccessRate, Comparison::Below, 0.3),
        2 => Rule::new(&id, Signal::FallbackRate, Comparison::AtLeast, 0.5),
        3 => Rule::new(&id, Signal::DurationMs, Comparison::Above, 50.0),
        4 => Rule {
            aggregate: Some(Aggregate::P50),
            ..Rule::new(&id, Signal::DurationMs, Comparison::Above, 30.0)
        },
        5 => Rule::new(&id, Signal::Confidence, Comparison::Below, 0.5),
        6 => Rule::new(&id, Signal::MatchCount, Comparison::Above, 3.0),
        7 => Rule {
            against: Against::BaselineDelta,
            ..Rule::new(&id, Signal::ErrorRate, Comparison::AtLeast, 0.8)
        },
        8 => Rule {
            against: Against::BaselineRatio,
            aggregate: Some(Aggregate::P50),
            ..Rule::new(&id, Signal::DurationMs, Comparison::AtLeast, 3.0)
        },
        _ => Rule::new(&id, Signal::ZeroMatchRate, Comparison::AtLeast, 0.9),
    };
    let selector = selector.parse().expect("not blank");
    Rule { last, selector, ..rule }
}

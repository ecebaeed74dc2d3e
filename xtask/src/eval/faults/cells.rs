use super::naive::{Kind, Naive, WINDOWS};
use super::oracle::Oracle;
use super::series::Course;
use super::stream::{Fault, Stream};
use super::{Arguments, in_parallel};
use serde::Serialize;
use std::collections::BTreeMap;
use telemetry_runtime::detection::{Budget, Finding, SelectorDetectors, Step};

pub(crate) const RATES: [f64; 4] = [10.0, 1.0, 0.1, 0.01];
pub(crate) const LASTING: [(f64, &str); 3] =
    [(900.0, "15 min"), (3600.0, "1 h"), (f64::INFINITY, "for good")];
/// Days without a fault before it, by rate: the baseline is learned from nothing.
const HISTORY_DAYS: [f64; 4] = [0.25, 1.0, 4.0, 15.0];
/// Runs that the oracle's mean delay is measured with, before anything else.
const ORACLE_RUNS: u64 = 300;

/// Mean delays of the oracle after which it is not waited for any longer.
const HOPELESS: f64 = 100.0;

/// One kind of fault at one rate and length.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Cell {
    pub(crate) fault: &'static str,
    pub(crate) per_second: f64,
    pub(crate) lasts: &'static str,
    pub(crate) faults: u64,
    /// Found by the oracle before the fault ended.
    pub(crate) oracle_found: u64,
    pub(crate) oracle_mean_s: f64,
    /// The right signal alerted in time: within the greatest of a minute, three times the oracle's
    /// mean delay and three times its delay on this very fault (the load may be low just then), and
    /// before the fault ended.
    pub(crate) found: u64,
    /// Something alerted within that time.
    pub(crate) any: u64,
    /// The right signal alerted before the fault.
    pub(crate) early: u64,
    pub(crate) median_s: Option<f64>,
    pub(crate) p95_s: Option<f64>,
    /// Mean delay over that of the oracle, of runs in which both found a fault that stays.
    pub(crate) delay_ratio: Option<f64>,
    pub(crate) naive_found: [u64; WINDOWS.len()],
}

/// What came of one fault: seconds until something was noticed.
#[derive(Clone, Copy, Debug, Default)]
struct Run {
    oracle: Option<f64>,
    right: Option<f64>,
    any: Option<f64>,
    naive: [Option<f64>; WINDOWS.len()],
    early: bool,
}

/// All cells of one rate: each history is lived once, and goes on into every fault.
pub(crate) fn cells(which: usize, courses: &[Course], arguments: &Arguments) -> Vec<Cell> {
    let per_second = RATES[which];
    let budget = Budget { per_day: arguments.budget, startup: arguments.startup };
    let run_length = |fault: Fault| per_second * 86_400.0 / budget.split(fault.right()[0]).per_day;
    let mut faults: Vec<(&'static str, Fault)> = Fault::ALL.to_vec();
    faults.push(("silence", Fault::Silence));
    faults.retain(|(name, _)| arguments.fault.as_deref().is_none_or(|it| name.contains(it)));
    let oracles: Vec<(Oracle, f64)> = in_parallel("oracles", faults.len() as u64, |at| {
        let (_, fault) = faults[at as usize];
        let mut stream = Stream::new(&courses[0], per_second, arguments.seed + at);
        stream.timeouts = timeouts(fault);
        let oracle = Oracle::new(fault, run_length(fault), &stream);
        (oracle, mean_delay(oracle, fault, per_second, courses, arguments.seed))
    });
    let runs: Vec<Vec<Run>> =
        in_parallel(&format!("faults at {per_second}/s"), arguments.faults, |number| {
            one_history(number, which, courses, &faults, &oracles, budget, arguments)
        });
    let mut cells = Vec::new();
    for (at, (name, fault)) in faults.iter().enumerate() {
        for (lasts_s, lasts) in LASTING {
            let own = runs.iter().map(|runs| runs[at]);
            let mut cell = cell(own, oracles[at].1, lasts_s);
            (cell.fault, cell.per_second, cell.lasts) = (name, per_second, lasts);
            let known = fault.right().iter().any(|it| Kind::of(*it).is_some());
            if !known {
                cell.naive_found = [0; WINDOWS.len()];
            }
            cells.push(cell);
        }
    }
    cells
}

fn timeouts(fault: Fault) -> f64 {
    if let Fault::Timeouts(from, _) = fault { from } else { 0.0 }
}

fn mean_delay(oracle: Oracle, fault: Fault, per_second: f64, all: &[Course], seed: u64) -> f64 {
    let mut sum = 0.0;
    for run in 0..ORACLE_RUNS {
        let course = &all[run as usize % all.len()];
        let mut stream = Stream::new(course, per_second, seed + 7_000_000 + run);
        stream.timeouts = timeouts(fault);
        if fault == Fault::Silence {
            sum += silence(oracle, &mut stream);
            continue;
        }
        let (from, mut last) = (stream.seconds, stream.seconds);
        let mut oracle = oracle;
        loop {
            stream.advance();
            let sample = stream.sample(Some((fault, (stream.seconds - from) / 3600.0)));
            if oracle.step(&sample, (stream.seconds - last) / 3600.0) {
                break;
            }
            last = stream.seconds;
        }
        sum += stream.seconds - from;
    }
    sum / ORACLE_RUNS as f64
}

/// Seconds after which a procedure that knows the rate at each time is as sure of a silence.
fn silence(oracle: Oracle, stream: &mut Stream<'_>) -> f64 {
    let (from, mut due) = (stream.seconds, 0.0);
    while due < oracle.height() {
        let step = (0.02 / stream.per_second).min(60.0);
        due += stream.pace() * step;
        stream.seconds += step;
    }
    stream.seconds - from
}

fn one_history(
    number: u64,
    which: usize,
    courses: &[Course],
    faults: &[(&'static str, Fault)],
    oracles: &[(Oracle, f64)],
    budget: Budget,
    arguments: &Arguments,
) -> Vec<Run> {
    let course = &courses[number as usize % courses.len()];
    let mut lives = BTreeMap::new();
    let mut runs = Vec::new();
    for ((_, fault), (oracle, mean_s)) in faults.iter().zip(oracles) {
        let life = lives.entry(timeouts(*fault).to_bits()).or_insert_with(|| {
            let mut stream = Stream::new(course, RATES[which], arguments.seed + number);
            stream.timeouts = timeouts(*fault);
            history(stream, HISTORY_DAYS[which], budget)
        });
        runs.push(after(life, *fault, *oracle, *mean_s, budget));
    }
    runs
}

/// A selector that has worked for a while.
struct Life<'a> {
    stream: Stream<'a>,
    detectors: SelectorDetectors,
    naive: Vec<Naive>,
}

fn history(mut stream: Stream<'_>, days: f64, budget: Budget) -> Life<'_> {
    let mut detectors = SelectorDetectors::default();
    let mut found = Vec::new();
    let mut naive: Vec<Naive> = Vec::new();
    for window in WINDOWS {
        naive.extend(Kind::ALL.map(|kind| Naive::new(kind, window)));
    }
    let from = stream.seconds;
    let until = from + days * 86_400.0;
    while stream.seconds < until {
        stream.advance();
        let operation = stream.sample(None).operation;
        detectors.observe(&operation, budget, &mut found);
        found.clear();
        // What is usual is known well enough from the last hour of many operations.
        if until - stream.seconds < 3600.0_f64.max(100.0 / stream.per_second) {
            naive.iter_mut().for_each(|it| _ = it.fires(stream.seconds, &operation));
        }
    }
    Life { stream, detectors, naive }
}

fn after(life: &Life<'_>, fault: Fault, oracle: Oracle, mean_s: f64, budget: Budget) -> Run {
    let mut stream = life.stream.clone();
    let mut detectors = life.detectors.clone();
    let mut oracle = oracle;
    let mut run = Run {
        early: fault.right().iter().any(|watched| detectors.is_open(*watched)),
        ..Run::default()
    };
    let from = stream.seconds;
    if fault == Fault::Silence {
        run.right = detectors.silent_after(budget).map(|after| after.as_secs_f64());
        (run.any, run.oracle) = (run.right, Some(silence(oracle, &mut stream)));
        return run;
    }
    let right: Vec<Kind> = fault.right().iter().filter_map(|it| Kind::of(*it)).collect();
    let mut naive = life.naive.clone();
    let mut found: Vec<Finding> = Vec::new();
    let longest = (3.0 * mean_s).max(60.0);
    let mut last = from;
    while run.right.is_none() || run.oracle.is_none() {
        stream.advance();
        let after_s = stream.seconds - from;
        // The load may be so low that the oracle is late: what counts is its delay then.
        let limit = run.oracle.map_or(HOPELESS * mean_s, |own| 3.0 * own);
        if after_s > longest.max(limit) {
            break;
        }
        let sample = stream.sample(Some((fault, after_s / 3600.0)));
        if run.oracle.is_none() && oracle.step(&sample, (stream.seconds - last) / 3600.0) {
            run.oracle = Some(after_s);
        }
        last = stream.seconds;
        detectors.observe(&sample.operation, budget, &mut found);
        for finding in found.drain(..).filter(|it| matches!(it.step, Step::Began(_))) {
            run.any.get_or_insert(after_s);
            if fault.right().contains(&finding.watched) {
                run.right.get_or_insert(after_s);
            }
        }
        for (at, it) in naive.iter_mut().enumerate() {
            let window = at / Kind::ALL.len();
            if run.naive[window].is_none()
                && right.contains(&Kind::ALL[at % Kind::ALL.len()])
                && it.fires(stream.seconds, &sample.operation)
            {
                run.naive[window] = Some(after_s);
            }
        }
    }
    run
}

fn cell(runs: impl Iterator<Item = Run>, mean_s: f64, lasts_s: f64) -> Cell {
    let mut cell = Cell { oracle_mean_s: mean_s, ..Cell::default() };
    let (mut delays, mut own, mut best) = (Vec::new(), 0.0, 0.0);
    for run in runs {
        cell.faults += 1;
        cell.early += u64::from(run.early);
        let limit = run.oracle.map_or(0.0, |own| 3.0 * own).max(3.0 * mean_s).max(60.0);
        let within = |at: Option<f64>| at.is_some_and(|at| at <= limit.min(lasts_s));
        cell.oracle_found += u64::from(within(run.oracle));
        cell.found += u64::from(within(run.right));
        cell.any += u64::from(within(run.any));
        for (count, at) in cell.naive_found.iter_mut().zip(run.naive) {
            *count += u64::from(within(at));
        }
        if let (Some(right), Some(oracle)) = (run.right, run.oracle) {
            own += right;
            best += oracle;
        }
        delays.extend(run.right.filter(|at| *at <= lasts_s));
    }
    delays.sort_by(f64::total_cmp);
    let quantile = |q: f64| delays.get((q * delays.len() as f64) as usize).copied();
    (cell.median_s, cell.p95_s) = (quantile(0.5), quantile(0.95));
    cell.delay_ratio = (lasts_s.is_infinite() && best > 0.0).then(|| own / best);
    cell
}

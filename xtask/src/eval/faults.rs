//! Faults injected into streams of operations, and days without any.

mod cells;
mod clean;
mod naive;
mod oracle;
mod promise;
mod series;
mod stream;

use crate::workspace::Workspace;
use anyhow::{Result, bail, ensure};
use cells::{Cell, RATES};
use clean::{CLASSES, Clean};
use indicatif::{ProgressBar, ProgressStyle};
use naive::WINDOWS;
use promise::Promise;
use serde::Serialize;
use series::{Course, REPORTED, TUNING};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Faults in each cell
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    faults: u64,
    /// Selector-days without a fault
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    clean_days: u64,
    /// False alarms a day allowed for each selector
    #[arg(long, default_value_t = 0.002, value_parser = budget)]
    budget: f64,
    /// False alarms allowed once for each new selector
    #[arg(long, default_value_t = 0.012, value_parser = budget)]
    startup: f64,
    /// Runs of each detector that starts from nothing
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    runs: u64,
    /// Seed of everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Series that load follows, as in realTraffic/occupancy_6005.csv [default: those kept for
    /// reporting]
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    series: Vec<String>,
    /// The series and seeds that the detectors were designed on, instead of those kept for reporting
    #[arg(long, conflicts_with_all = ["series", "seed"])]
    tuning: bool,
    /// Part to run: faults, clean or promise
    #[arg(long, value_name = "PART", value_parser = ["faults", "clean", "promise"])]
    only: Option<String>,
    /// Faults to inject: those whose name contains this, as in "duration" [default: all]
    #[arg(long, value_name = "TEXT")]
    fault: Option<String>,
    /// Calls a second: 10, 1, 0.1 or 0.01 [default: all]
    #[arg(long, value_name = "RATE", value_parser = ["10", "1", "0.1", "0.01"])]
    rate: Option<String>,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

fn budget(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 10.0 => Ok(value),
        _ => Err("expected a number above 0, at most 10".into()),
    }
}

#[derive(Serialize)]
struct Figures {
    series: Vec<String>,
    seed: u64,
    cells: Vec<Cell>,
    clean: Vec<Clean>,
    promises: Vec<Promise>,
}

pub(crate) fn run(workspace: &Workspace, arguments: &mut Arguments) -> Result<()> {
    if arguments.tuning {
        arguments.seed = 500_000_000;
        arguments.series = TUNING.map(String::from).into();
    } else if arguments.series.is_empty() {
        arguments.series = REPORTED.map(String::from).into();
    }
    let courses: Vec<Course> =
        arguments.series.iter().map(|name| Course::read(workspace, name)).collect::<Result<_>>()?;
    let wanted = |part| arguments.only.as_deref().is_none_or(|only| only == part);
    let mut figures = Figures {
        series: arguments.series.clone(),
        seed: arguments.seed,
        cells: Vec::new(),
        clean: Vec::new(),
        promises: Vec::new(),
    };
    if wanted("faults") {
        for which in (0..RATES.len()).filter(|it| arguments.has_rate(RATES[*it])) {
            figures.cells.extend(cells::cells(which, &courses, arguments));
        }
    }
    if wanted("clean") {
        for class in (0..CLASSES.len()).filter(|it| arguments.has_rate(CLASSES[*it].0)) {
            figures.clean.push(clean::clean(class, &courses, arguments));
        }
    }
    if wanted("promise") {
        figures.promises = promise::promises(arguments.runs, arguments.seed);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&figures)?);
    } else {
        print(&figures);
    }
    verdict(&figures)
}

impl Arguments {
    fn has_rate(&self, per_second: f64) -> bool {
        self.rate.as_deref().is_none_or(|rate| rate.parse() == Ok(per_second))
    }
}

/// Runs `0..count` on all processors, and shows how far it is; results in order.
fn in_parallel<T: Send>(what: &str, count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let style =
        ProgressStyle::with_template("{msg:24} {bar:30} {pos}/{len}, {elapsed}, {eta} left")
            .expect("a constant template");
    let bar = ProgressBar::new(count).with_style(style).with_message(what.to_owned());
    let next = AtomicU64::new(0);
    let done = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let result = work(number);
                    done.lock().expect("no worker panics").push((number, result));
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut done = done.into_inner().expect("no worker panics");
    done.sort_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

impl Cell {
    /// Whether the procedure that knows the fault finds 99 % of them in time.
    fn can_be_found(&self) -> bool {
        self.oracle_found * 100 >= self.faults * 99
    }

    fn is_found(&self) -> bool {
        self.found * 100 >= self.faults * 99
    }
}

/// What must hold.
fn verdict(figures: &Figures) -> Result<()> {
    let mut missed = Vec::new();
    for cell in figures.cells.iter().filter(|it| it.can_be_found() && !it.is_found()) {
        missed.push(format!("{} at {}/s for {}", cell.fault, cell.per_second, cell.lasts));
    }
    let slow = |it: &&Cell| {
        it.fault == "success 99 -> 90 %" && it.delay_ratio.is_some_and(|ratio| ratio > 1.4)
    };
    for cell in figures.cells.iter().filter(slow) {
        missed.push(format!("delay of {} at {}/s", cell.fault, cell.per_second));
    }
    let (alarms, days) =
        (sum(&figures.clean, |it| it.alarms as f64), sum(&figures.clean, |it| it.days));
    if alarms > 0.01 * days {
        missed.push(format!("{alarms} false alarms in {days} selector-days"));
    }
    for it in figures.promises.iter().filter(|it| it.measured as f64 > it.allowed) {
        missed.push(format!("{}: {} false alarms, {:.0} allowed", it.of, it.measured, it.allowed));
    }
    ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    if figures.cells.is_empty() && figures.clean.is_empty() && figures.promises.is_empty() {
        bail!("nothing was evaluated");
    }
    Ok(())
}

fn sum(all: &[Clean], of: impl Fn(&Clean) -> f64) -> f64 {
    all.iter().map(of).sum()
}

fn print(figures: &Figures) {
    println!("load follows {}; seed {}", figures.series.join(", "), figures.seed);
    if !figures.cells.is_empty() {
        println!(
            "\n{:<25} {:>7} {:<8} {:>7}  {:<22} {:>9} {:>9} {:>8} {:>5}  {:>7} {:>9}",
            "fault",
            "calls/s",
            "lasts",
            "oracle",
            "found (95 % interval)",
            "median s",
            "p95 s",
            "÷ oracle",
            "early",
            WINDOWS[0].2,
            WINDOWS[1].2
        );
    }
    for it in &figures.cells {
        let (low, high) = wilson(it.found, it.faults);
        let found = format!("{:5.1} % ({low:.1}..{high:.1})", percent(it.found, it.faults));
        let miss = if it.can_be_found() && !it.is_found() { " MISSED" } else { "" };
        println!(
            "{:<25} {:>7} {:<8} {:>5.1} %  {found:<22} {:>9} {:>9} {:>8} {:>5}  {:>5.0} % {:>7.0} %{miss}",
            it.fault,
            it.per_second,
            it.lasts,
            percent(it.oracle_found, it.faults),
            number(it.median_s, 1),
            number(it.p95_s, 1),
            number(it.delay_ratio, 2),
            it.early,
            percent(it.naive_found[0], it.faults),
            percent(it.naive_found[1], it.faults),
        );
    }
    let can = figures.cells.iter().filter(|it| it.can_be_found());
    let (can, found) = (can.clone().count(), can.filter(|it| it.is_found()).count());
    if can > 0 {
        println!("cells in which the oracle finds 99 %: {can}; found 99 % there: {found}");
    }
    if !figures.clean.is_empty() {
        println!(
            "\nno fault: false alarms a selector-day (allowed), of {}, of {}",
            WINDOWS[0].2, WINDOWS[1].2
        );
    }
    for it in &figures.clean {
        let a_day = |alarms: u64| alarms as f64 / it.days;
        println!(
            "{:>8.4}/s {:>6} days {:>4} alarms {:.5} ({:.5})  {:>8.3} {:>8.3}  {:?} labelled {}",
            it.per_second,
            it.days,
            it.alarms,
            a_day(it.alarms),
            it.allowed / it.days,
            a_day(it.naive_alarms[0]),
            a_day(it.naive_alarms[1]),
            it.by_signal,
            it.labelled,
        );
    }
    if !figures.clean.is_empty() {
        let days = sum(&figures.clean, |it| it.days);
        let naive = |at: usize| sum(&figures.clean, |it| it.naive_alarms[at] as f64) / days;
        println!(
            "all {days} selector-days: {:.5} false alarms a selector-day, {:.5} promised; {} {:.1}, {} {:.1}",
            sum(&figures.clean, |it| it.alarms as f64) / days,
            sum(&figures.clean, |it| it.allowed) / days,
            WINDOWS[0].2,
            naive(0),
            WINDOWS[1].2,
            naive(1),
        );
    }
    if !figures.promises.is_empty() {
        println!("\nbaseline learned from nothing: runs, false alarms allowed, measured, ratio");
    }
    for it in &figures.promises {
        let ratio = it.measured as f64 / it.allowed;
        println!("{:<26} {:>6} {:>6.0} {:>6} {ratio:.2}", it.of, it.runs, it.allowed, it.measured);
    }
}

fn number(value: Option<f64>, digits: usize) -> String {
    value.map_or("-".into(), |value| format!("{value:.digits$}"))
}

fn percent(part: u64, all: u64) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

/// Wilson's 95 % interval, in percent.
fn wilson(part: u64, all: u64) -> (f64, f64) {
    let (n, z2) = (all as f64, 1.96_f64 * 1.96);
    let p = part as f64 / n;
    let middle = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = (z2 * (p * (1.0 - p) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
    (100.0 * (middle - half), 100.0 * (middle + half))
}

//! Random rules on random series, held against `promtool test rules`.

mod case;
mod promtool;

use anyhow::{Context, Result, ensure};
use case::{Case, INTERVAL, State};
use std::process::Command;

/// Cases in one file for promtool.
const BATCH: usize = 250;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Rules, each with a series of its own
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    cases: u64,
    /// Seed of rules and series
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// What the cases did, so that agreement on nothing does not pass for agreement.
#[derive(Default)]
struct Seen {
    instants: usize,
    pending: usize,
    firing: usize,
    kept: usize,
    fired: usize,
    ended: usize,
}

/// Compares the state of every alert at every evaluation; an error when any differs.
///
/// # Errors
/// When promtool is absent, or disagrees.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let version = Command::new("promtool")
        .arg("--version")
        .output()
        .context("promtool is not installed; it comes with the Debian package prometheus")?;
    let version = String::from_utf8_lossy(&version.stdout).lines().next().unwrap_or("").to_owned();
    let mut random = fastrand::Rng::with_seed(arguments.seed);
    let folder = tempfile::tempdir()?;
    let (mut left, mut seen, mut differing) =
        (arguments.cases as usize, Seen::default(), Vec::new());
    let mut control = false;
    while left > 0 {
        let count = left.min(BATCH);
        left -= count;
        let cases: Vec<Case> = (0..count).map(|_| Case::random(&mut random)).collect();
        let mut states = cases.iter().map(Case::states).collect::<Result<Vec<_>>>()?;
        states.iter().for_each(|it| seen.count(it));
        if let Some(difference) = promtool::differs(folder.path(), &cases, &states)? {
            differing.push(difference);
        }
        // A comparison that finds no error in a wrong answer shows nothing.
        if !control {
            let wrong = &mut states[0][case::STEPS / 2];
            *wrong = if *wrong == State::None { State::Firing } else { State::None };
            control = promtool::differs(folder.path(), &cases, &states)?.is_some();
            ensure!(control, "promtool does not notice a state that is wrong on purpose");
        }
    }
    println!("{} cases against {version}", arguments.cases);
    println!(
        "  {} states compared, every {} s: {} pending, {} firing, {} kept firing",
        seen.instants,
        INTERVAL.as_secs(),
        seen.pending,
        seen.firing,
        seen.kept
    );
    println!("  {} cases fired, {} of them ended", seen.fired, seen.ended);
    println!("  a state that was wrong on purpose was noticed");
    println!("  files of {BATCH} cases with differences: {}", differing.len());
    if let Some(first) = differing.first() {
        println!("{first}");
    }
    ensure!(differing.is_empty(), "promtool disagrees");
    Ok(())
}

impl Seen {
    fn count(&mut self, states: &[State]) {
        let count = |wanted| states.iter().filter(|state| **state == wanted).count();
        self.instants += states.len();
        self.pending += count(State::Pending);
        self.firing += count(State::Firing);
        self.kept += count(State::Kept);
        let fires = |state: &State| matches!(state, State::Firing | State::Kept);
        let first = states.iter().position(fires);
        self.fired += usize::from(first.is_some());
        self.ended += usize::from(first.is_some_and(|at| states[at..].iter().any(|it| !fires(it))));
    }
}

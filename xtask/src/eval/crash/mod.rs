//! What a store survives: losses of power on a simulated disk, kills of real processes, damage.

mod damage;
mod kills;
mod simulated;

pub(crate) use kills::{Writer, write};

use anyhow::Result;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Losses of power on the simulated disk, at least
    #[arg(long, default_value_t = 100_000)]
    points: u64,
    /// Processes to kill; every other one records through collector, pipeline and alerting
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    runs: u64,
    /// Seed of workloads, faults, losses and moments
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Only this part
    #[arg(long)]
    only: Option<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Part {
    /// Losses of power and faults on the simulated disk
    Simulated,
    /// Every single bit of a small store flipped, every file cut at every length
    Damage,
    /// Real processes killed
    Kills,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let wanted = |part| arguments.only.is_none_or(|only| only == part);
    println!("seed                    {:>8}", arguments.seed);
    if wanted(Part::Simulated) {
        simulated::run(arguments.points, arguments.seed)?;
    }
    if wanted(Part::Damage) {
        damage::run(arguments.seed)?;
    }
    if wanted(Part::Kills) {
        kills::run(arguments.runs, arguments.seed)?;
    }
    Ok(())
}

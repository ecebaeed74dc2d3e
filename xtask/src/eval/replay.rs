//! `eval replay`: whether recommendations save what they promise, on operations nobody fitted them
//! to.
//!
//! Fleets are simulated with what makes the task hard: strategies that fail together, drift within
//! the period, a first strategy that dies, matches of the wrong element, and probes of only a few
//! per cent of the operations. Time is split in three. The first two parts go through recording
//! form, store and report as a user's would; the third is untouched, and because the simulation
//! knows what every strategy would have done there, what a recommended order really saves is known
//! as well. Null fleets have nothing to gain.

mod corpus;
mod figures;
mod real;
mod world;

use crate::workspace::Workspace;
use anyhow::{Result, ensure};
use figures::{Figures, Fleet};
use std::collections::BTreeMap;
use telemetry_runtime::interfaces::{EventStore, MemoryStore, Query};
use telemetry_runtime::models::Timestamp;
use telemetry_runtime::models::report::{Report, ReportKind};
use telemetry_runtime::reporting::{ReportBuilder, ReportRequest, ReportingConfig, Source};
use world::{Selector, World};

/// Where the untouched part begins, as a share of the time.
const TEST_FROM: f64 = 0.75;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Fleets with something to gain, and as many null fleets, each from a seed of its own
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u64).range(2..=1_000))]
    fleets: u64,
    /// First seed
    #[arg(long, default_value_t = 1_000)]
    seed: u64,
    /// Share of the operations that are probed
    #[arg(long, default_value_t = 0.02)]
    probes: f64,
    /// Evaluate a store of real operations instead: recommendations of its first three quarters
    /// against replay on the last
    #[arg(long, value_name = "DIR", conflicts_with = "drift")]
    store: Option<std::path::PathBuf>,
    /// Evaluate the drift corpus instead, resolved by the multi-strategy engine with probes
    #[arg(long)]
    drift: bool,
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(workspace: &Workspace, arguments: &Arguments) -> Result<()> {
    ensure!(
        arguments.probes > 0.0 && arguments.probes <= 1.0,
        "--probes is {}, allowed is above 0 to 1",
        arguments.probes
    );
    let mut figures = Figures::default();
    if let Some(store) = &arguments.store {
        let store = telemetry_runtime::storage::open_existing_read_only(store)?;
        figures.real = Some(real::replayed(&*store)?);
        return figures.print(arguments.json);
    }
    if arguments.drift {
        figures.real = Some(real::replayed(&corpus::resolved(workspace)?)?);
        return figures.print(arguments.json);
    }
    for at in 0..arguments.fleets {
        figures.gaining.push(fleet(arguments.seed + at, arguments.probes, false)?);
        figures.null.push(fleet(arguments.seed + 100_000 + at, arguments.probes, true)?);
    }
    figures.print(arguments.json)?;
    ensure!(figures.holds(), "a bar is missed");
    Ok(())
}

fn fleet(seed: u64, probes: f64, null: bool) -> Result<Fleet> {
    let world = World::new(seed, probes, null)?;
    let store = MemoryStore::new();
    let cut = world.time(TEST_FROM);
    let mut events = world.events(0.0..TEST_FROM);
    events.sort_by_key(|event| event.timestamp);
    store.append(&events)?;
    let report = report(&store, cut)?;
    Ok(score(&world, &report))
}

fn report(store: &dyn EventStore, to: Timestamp) -> Result<Report> {
    let config = ReportingConfig { max_recommendations: 1_000, ..ReportingConfig::default() };
    let request = ReportRequest {
        query: Query { to: Some(to), ..Query::all() },
        now: to,
        kind: ReportKind::Recommendations,
        source: Source::Events,
        ..ReportRequest::default()
    };
    Ok(ReportBuilder::new(config)?.build(store, &request, &mut |_| {})?)
}

/// What each recommended order does with every operation of the untouched part.
fn score(world: &World, report: &Report) -> Fleet {
    let mut fleet = Fleet { selectors: world.selectors.len() as u64, ..Fleet::default() };
    let cards: Vec<_> = report.recommendations.iter().flat_map(|it| &it.cards).collect();
    let by_name: BTreeMap<&str, _> = cards
        .iter()
        .filter(|card| !card.order.is_empty())
        .map(|card| (card.selector.as_str(), *card))
        .collect();
    for selector in &world.selectors {
        let test = world.test(selector, TEST_FROM);
        let present: f64 = test.iter().map(|it| it.run(&Selector::PRESENT).0).sum();
        fleet.present_ms += present;
        let Some(card) = by_name.get(selector.name.as_str()) else { continue };
        let order: Vec<usize> = card
            .order
            .iter()
            .filter_map(|it| selector.strategy(&it.kind, it.text.as_deref()))
            .collect();
        let changed: f64 = test.iter().map(|it| it.run(&order).0).sum();
        let lost = |order: &[usize]| test.iter().filter(|it| !it.run(order).1).count() as f64;
        let harm = (lost(&order) - lost(&Selector::PRESENT)) / test.len() as f64;
        fleet.advised += 1;
        fleet.predicted_ms += card.saving_share.unwrap_or(0.0) * present;
        fleet.realised_ms += present - changed;
        // Slower, or success below what may be lost.
        fleet.harmful += u64::from(changed > present || harm > world::HARM);
        fleet.coverage += card.coverage.map_or(0.0, |it| it.share);
        fleet.probed += card.success_effect.map_or(0, |_| card.n);
    }
    fleet
}

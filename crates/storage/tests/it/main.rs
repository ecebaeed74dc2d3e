//! Event stores and state, through their public behaviour.

#![allow(clippy::unwrap_used, reason = "tests end at the first surprise")]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

#[cfg(feature = "segment")]
mod cap;
#[cfg(feature = "segment")]
mod compact;
mod configuration;
#[cfg(any(feature = "segment", feature = "json"))]
mod conformance;
#[cfg(feature = "segment")]
mod crash;
#[cfg(feature = "segment")]
mod damage;
#[cfg(feature = "json")]
mod days;
#[cfg(feature = "segment")]
mod disk;
#[cfg(all(feature = "segment", feature = "json"))]
mod durability;
#[cfg(feature = "segment")]
mod golden;
#[cfg(all(feature = "segment", feature = "rollup"))]
mod hostile;
#[cfg(feature = "json")]
mod lines;
#[cfg(all(feature = "segment", feature = "json"))]
mod mending;
#[cfg(feature = "segment")]
mod opening;
#[cfg(feature = "segment")]
mod parts;
#[cfg(all(feature = "segment", feature = "json", feature = "rollup"))]
mod real_disk;
#[cfg(feature = "segment")]
mod refusals;
#[cfg(all(feature = "segment", feature = "json", feature = "rollup"))]
mod rollups;
#[cfg(all(feature = "segment", feature = "json"))]
mod simulated;
#[cfg(feature = "state")]
mod state;
#[cfg(feature = "segment")]
mod together;
#[cfg(feature = "parquet")]
mod warm;

#[cfg(any(feature = "segment", feature = "json"))]
fn events(count: u64) -> Vec<telemetry_models::Event> {
    let config = telemetry_testkit::GeneratorConfig {
        events: count,
        selectors: 12,
        sites: 3,
        sessions: 2,
        error_share: 0.2,
        ..Default::default()
    };
    telemetry_testkit::EventGenerator::new(5, config).collect()
}

#[cfg(any(feature = "segment", feature = "json"))]
fn all(store: &dyn telemetry_interfaces::EventStore) -> Vec<telemetry_models::Event> {
    store.query(&telemetry_interfaces::Query::all()).unwrap().map(Result::unwrap).collect()
}

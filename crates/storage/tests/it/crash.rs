use std::path::PathBuf;
use std::process::Command;
use telemetry_interfaces::{Durability, Maintenance, VerifyLevel};
use telemetry_storage::{SegmentStore, StorageConfig};
use telemetry_testkit::crash;

const STORE: &str = "STORAGE_CRASH_STORE";
const SEED: &str = "STORAGE_CRASH_SEED";
const RUNS: &str = "STORAGE_CRASH_RUNS";

fn config(path: impl Into<PathBuf>) -> StorageConfig {
    StorageConfig {
        durability: Durability::Batch,
        // Small, so that writers are killed while they seal, too.
        segment_bytes: 24 << 10,
        ..StorageConfig::at(path)
    }
}

/// The process that is killed; does nothing when it runs as one of the tests.
#[test]
fn writer() {
    let (Some(store), Ok(seed)) = (std::env::var_os(STORE), std::env::var(SEED)) else { return };
    let store = SegmentStore::open(&config(store)).unwrap();
    let told = &mut std::io::stdout();
    crash::write_until_killed(&store, seed.parse().unwrap(), told).unwrap();
}

/// Writers are killed at a random moment, ten over each store: every acknowledged event is there
/// and equal, and after recovery nothing is damaged.
#[test]
fn killed_writers_lose_nothing_they_acknowledged() {
    let runs: u64 = std::env::var(RUNS).map_or(50, |runs| runs.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut rng = fastrand::Rng::with_seed(3);
    let mut acknowledged = Vec::new();
    for seed in 0..runs {
        let store = directory.path().join((seed / 10).to_string());
        let mut writer = Command::new(std::env::current_exe().unwrap());
        writer.args(["crash::writer", "--exact", "--nocapture", "--quiet"]);
        writer.env(STORE, &store).env(SEED, seed.to_string());
        let moment = std::time::Duration::from_micros(rng.u64(0..3_000));
        acknowledged.push(crash::run_and_kill(writer, rng.u64(1..40), moment).unwrap());
        let recovered = SegmentStore::open(&config(&store)).unwrap();
        assert_eq!(recovered.recovery().damage, []);
        let report = recovered.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, [], "run {seed}");
        crash::check(&recovered, seed, acknowledged[seed as usize]).unwrap();
    }
    for (seed, acknowledged) in (0..).zip(acknowledged) {
        let reader = directory.path().join((seed / 10u64).to_string());
        let reader = SegmentStore::open_read_only(&reader).unwrap();
        crash::check(&reader, seed, acknowledged).unwrap();
        if seed % 10 == 0 {
            let report = reader.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
            assert_eq!(report.damage, [], "run {seed}");
        }
    }
}

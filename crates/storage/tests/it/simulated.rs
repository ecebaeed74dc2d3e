//! Losses of power, faults and kills on a simulated disk; `cargo xtask eval crash` does the same
//! more often.

use telemetry_interfaces::Durability;
use telemetry_storage::{JsonStore, SegmentStore, StorageConfig};
use telemetry_testkit::simulation::{Effort, Kind, Subject, Tally, simulate};

fn config(path: &std::path::Path, kind: Kind) -> StorageConfig {
    StorageConfig {
        durability: Durability::Batch,
        segment_bytes: if kind == Kind::Append { 1 << 20 } else { 4096 },
        // A thread of its own would make runs differ from each other.
        compact_in_background: false,
        ..StorageConfig::at(path)
    }
}

fn segment() -> Subject {
    Subject {
        name: "segment",
        open: Box::new(|disk, path, kind| {
            Ok(Box::new(SegmentStore::open_on(disk, &config(path, kind))?))
        }),
        open_reader: Box::new(|disk, path, _| {
            Ok(Box::new(SegmentStore::open_read_only_on(disk, path)?))
        }),
        keeps_torn: false,
        kinds: Kind::ALL.to_vec(),
    }
}

fn json() -> Subject {
    Subject {
        name: "json",
        open: Box::new(|disk, path, kind| {
            Ok(Box::new(JsonStore::open_on(disk, &config(path, kind))?))
        }),
        open_reader: Box::new(|disk, path, _| {
            Ok(Box::new(JsonStore::open_read_only_on(disk, path)?))
        }),
        keeps_torn: true,
        kinds: vec![Kind::Append, Kind::Recover],
    }
}

fn holds(subject: &Subject) {
    let seeds: u64 = std::env::var("STORAGE_SIMULATED_SEEDS").map_or(4, |it| it.parse().unwrap());
    let mut tally = Tally::default();
    let mut faults = Vec::new();
    for kind in &subject.kinds {
        for seed in 0..seeds {
            match simulate(subject, *kind, seed, Effort::LITTLE) {
                Ok(one) => tally.add(&one),
                Err(fault) => faults.push(fault),
            }
        }
    }
    assert!(faults.is_empty(), "{} of them:\n{}", faults.len(), faults.join("\n"));
    assert!(tally.points > 25 * seeds && tally.faulty_runs > seeds);
}

#[test]
fn segments_lose_nothing() {
    holds(&segment());
}

#[test]
fn json_lines_lose_nothing() {
    holds(&json());
}

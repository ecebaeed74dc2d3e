//! Losses of power, faults and kills on a simulated disk; `cargo xtask eval crash` does the same
//! more often.

use std::sync::Arc;
use telemetry_interfaces::{Durability, Error, ErrorKind, Query, VerifyLevel};
use telemetry_models::Event;
use telemetry_storage::{JsonStore, SegmentStore, StorageConfig};
use telemetry_testkit::disk::{Fault, FaultKind, Loss, SimDisk};
use telemetry_testkit::simulation::{Effort, Kind, Subject, Tally, simulate, store_path};

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
    // Needs the feature `parquet`.
    let kinds =
        Kind::ALL.into_iter().filter(|it| cfg!(feature = "parquet") || *it != Kind::Convert);
    Subject {
        name: "segment",
        open: Box::new(|disk, path, kind| {
            Ok(Box::new(SegmentStore::open_on(disk, &config(path, kind))?))
        }),
        open_reader: Box::new(|disk, path, _| {
            Ok(Box::new(SegmentStore::open_read_only_on(disk, path)?))
        }),
        keeps_torn: false,
        kinds: kinds.collect(),
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
        kinds: vec![Kind::Append, Kind::Recover, Kind::RollUp, Kind::Compact],
    }
}

fn holds(subject: &Subject) {
    let seeds: u64 = std::env::var("STORAGE_SIMULATED_SEEDS").map_or(2, |it| it.parse().unwrap());
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

/// A sync fails, and the write cannot be taken back either: the kernel shows the next program what
/// is not on the disk and never will be. What that program acknowledges must be there all the same.
#[test]
fn what_a_failed_sync_forgot_is_not_taken_for_stored() {
    for subject in [segment(), json()] {
        let disk = SimDisk::new(std::path::Path::new("/simulated"), 1);
        let open = |disk: &SimDisk| {
            (subject.open)(Arc::new(disk.clone()), &store_path(), Kind::Append).unwrap()
        };
        let events = crate::events(6);
        let store = open(&disk);
        store.append(&events[..3]).unwrap();
        // The write works; its sync and the cutting back do not.
        disk.fail(Some(Fault { kind: FaultKind::Io, at: 1, times: 2 }));
        let error = store.append(&events[3..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        drop(store);
        disk.fail(None);
        let store = open(&disk);
        let ack = store.append(&events).unwrap();
        assert_eq!(ack.stored + ack.duplicates, 6);
        let after = SimDisk::after(&disk.moment(), Loss::Unsynced, 2);
        assert_eq!(crate::all(&*open(&after)).len(), 6, "{}", subject.name);
        store.close().unwrap();
        let after = SimDisk::after(&disk.moment(), Loss::Unsynced, 3);
        let store = open(&after);
        assert!(store.recovered().is_clean(), "{}: {}", subject.name, store.recovered());
        assert_eq!(crate::all(&*store).len(), 6, "{}", subject.name);
    }
}

/// A read that fails once: whatever asks says that the disk refused, and not that something is damaged;
/// what is answered all the same is right.
#[test]
fn what_cannot_be_read_at_this_moment_is_not_called_damaged() {
    for subject in [segment(), json()] {
        let kind = Kind::Compact;
        let disk = SimDisk::new(std::path::Path::new("/simulated"), 4);
        let open =
            |disk: &SimDisk| (subject.open)(Arc::new(disk.clone()), &store_path(), kind).unwrap();
        let whole = crate::events(30);
        let store = open(&disk);
        for batch in whole.chunks(8) {
            store.append(batch).unwrap();
        }
        store.close().unwrap();
        drop(store);
        let store = open(&disk);
        store.compact(&mut |_, _| {}).unwrap();
        if cfg!(feature = "parquet") && subject.name == "segment" {
            store.convert(None, &mut |_, _| {}).unwrap();
        }
        if let Some(rollups) = store.rollups() {
            rollups.roll_up(&mut |_, _| {}).unwrap();
        }
        store.close().unwrap();
        drop(store);
        let moment = disk.moment();
        let (mut at, mut tried, mut refused) = (0, 0, 0);
        loop {
            let disk = SimDisk::after(&moment, Loss::Nothing, 0);
            disk.fail(Some(Fault { kind: FaultKind::Read, at, times: 1 }));
            let asked = ask(&subject, &disk, &whole[7]);
            if disk.calls().1 <= at {
                break;
            }
            for (what, error) in asked {
                refused += 1;
                assert_eq!(error.kind(), ErrorKind::Unavailable, "look {at}, {what}: {error}");
            }
            tried += 1;
            // One look in several of a store that takes some hundred.
            at += if subject.name == "segment" { 23 } else { 5 };
        }
        assert!(tried > 8 && refused >= tried / 2, "{}: {refused} of {tried}", subject.name);
    }
}

/// Everything a reader can ask; gives the errors.
fn ask(subject: &Subject, disk: &SimDisk, one: &Event) -> Vec<(&'static str, Error)> {
    let mut errors = Vec::new();
    let disk = Arc::new(disk.clone());
    let store = match (subject.open_reader)(disk, &store_path(), Kind::Compact) {
        Ok(store) => store,
        Err(error) => return vec![("opening", error)],
    };
    let by_id = Query { event: Some(one.id.clone()), ..Query::all() };
    for query in [Query::all(), by_id] {
        match store.query(&query) {
            Ok(answer) => errors.extend(answer.filter_map(Result::err).map(|it| ("query", it))),
            Err(error) => errors.push(("query", error)),
        }
    }
    errors.extend(store.stats().err().map(|it| ("stats", it)));
    errors.extend(store.ledgers().err().map(|it| ("ledgers", it)));
    match store.verify(VerifyLevel::Deep, &mut |_, _| {}) {
        Ok(report) => assert_eq!(report.damage, []),
        Err(error) => errors.push(("verify", error)),
    }
    errors
}

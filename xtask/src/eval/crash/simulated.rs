use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Instant;
use telemetry_runtime::interfaces::Durability;
use telemetry_runtime::storage::{JsonStore, SegmentStore, StorageConfig};
use telemetry_testkit::simulation::{Effort, Kind, Subject, Tally, simulate};

/// Faults that are printed; more of them say the same.
const SHOWN: usize = 10;

fn config(path: &Path, kind: Kind) -> StorageConfig {
    StorageConfig {
        durability: Durability::Batch,
        // Small, so that a few events fill several files.
        segment_bytes: if kind == Kind::Append { 1 << 20 } else { 4096 },
        // A thread of its own would make calls that no seed reproduces.
        compact_in_background: false,
        ..StorageConfig::at(path)
    }
}

fn subjects() -> [Subject; 2] {
    let segment = Subject {
        name: "segment",
        open: Box::new(|disk, path, kind| {
            Ok(Box::new(SegmentStore::open_on(disk, &config(path, kind))?))
        }),
        open_reader: Box::new(|disk, path, _| {
            Ok(Box::new(SegmentStore::open_read_only_on(disk, path)?))
        }),
        keeps_torn: false,
        kinds: Kind::ALL.to_vec(),
    };
    let json = Subject {
        name: "json",
        open: Box::new(|disk, path, kind| {
            Ok(Box::new(JsonStore::open_on(disk, &config(path, kind))?))
        }),
        open_reader: Box::new(|disk, path, _| {
            Ok(Box::new(JsonStore::open_read_only_on(disk, path)?))
        }),
        keeps_torn: true,
        kinds: vec![Kind::Append, Kind::Recover, Kind::RollUp, Kind::Compact],
    };
    [segment, json]
}

/// What one seed of every kind of workload over every store gave.
struct Outcome {
    tallies: Vec<Tally>,
    faults: Vec<String>,
}

fn one(subjects: &[Subject], seed: u64) -> Outcome {
    let mut outcome = Outcome { tallies: Vec::new(), faults: Vec::new() };
    for subject in subjects {
        let mut tally = Tally::default();
        for kind in &subject.kinds {
            match simulate(subject, *kind, seed, Effort::FULL) {
                Ok(one) => tally.add(&one),
                Err(fault) => outcome.faults.push(fault),
            }
        }
        outcome.tallies.push(tally);
    }
    outcome
}

/// Seed after seed of every kind of workload over every store, until there are enough points; as
/// many seeds at once as there are processors. What is counted depends on the arguments alone.
pub(super) fn run(points: u64, first: u64) -> Result<()> {
    let subjects = subjects();
    let began = Instant::now();
    let next = AtomicU64::new(first);
    let enough = AtomicBool::new(false);
    let (tell, told) = mpsc::channel();
    let mut tallies = [Tally::default(), Tally::default()];
    let mut faults = Vec::new();
    let mut seed = first;
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (tell, next, enough, subjects) = (tell.clone(), &next, &enough, &subjects);
            scope.spawn(move || {
                while !enough.load(Ordering::SeqCst) {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if tell.send((seed, one(subjects, seed))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(tell);
        let mut waiting = BTreeMap::new();
        for (its, outcome) in told {
            waiting.insert(its, outcome);
            // In the order of the seeds, whichever thread was faster.
            while !enough.load(Ordering::SeqCst)
                && let Some(outcome) = waiting.remove(&seed)
            {
                for (tally, one) in tallies.iter_mut().zip(&outcome.tallies) {
                    tally.add(one);
                }
                faults.extend(outcome.faults);
                seed += 1;
                let done = tallies.iter().map(|it| it.points).sum::<u64>() >= points;
                enough.store(done || faults.len() >= SHOWN, Ordering::SeqCst);
            }
        }
    });
    for (subject, tally) in subjects.iter().zip(&tallies) {
        println!("{} on the simulated disk, seeds {first} to {}", subject.name, seed - 1);
        let kinds = tally.by_kind.iter().map(|(kind, points)| format!("{kind} {points}"));
        let kinds: Vec<String> = kinds.collect();
        println!("  losses of power       {:>8}   {}", tally.points, kinds.join(", "));
        println!("  … during recovery     {:>8}", tally.in_recovery);
        println!(
            "  … after a fault       {:>8}   in {} runs",
            tally.after_fault, tally.faulty_runs
        );
        println!("  torn ends reported    {:>8}", tally.torn);
        println!("  calls refused         {:>8}   each with an error", tally.refusals);
        println!("  events to read back   {:>8}   over all losses", tally.acknowledged);
    }
    println!("seconds                 {:>8.1}", began.elapsed().as_secs_f64());
    println!("acknowledged and lost, wrong answers: workloads with one {}", faults.len());
    ensure!(faults.is_empty(), "did not hold:\n{}", faults.join("\n"));
    Ok(())
}

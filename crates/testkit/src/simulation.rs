//! Seeded workloads over a simulated disk, and what must hold after every loss of power.
//!
//! One run of a workload gives a moment for every call that changes the disk. What a loss of power
//! leaves of each moment is opened, asked and written to. Whatever the loss: every event that was
//! acknowledged with durability `batch` is read back equal; nothing is there that was never
//! appended, and nothing twice; the store opens, says what it set aside, takes appends, verifies;
//! and what it then acknowledges survives another loss at once.

mod check;
mod drive;
mod rollups;
mod workload;

pub use workload::Kind;

use crate::disk::{Fault, FaultKind, Loss, SimDisk};
use check::Check;
use fastrand::Rng;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use telemetry_storage::Store;
use telemetry_storage::disk::Disk;
use workload::Workload;

/// Opens a store for writing or for reading.
pub type Opener = Box<
    dyn Fn(Arc<dyn Disk>, &Path, Kind) -> telemetry_interfaces::Result<Box<dyn Store>>
        + Send
        + Sync,
>;

/// The store that is tested. Its durability must be `batch`, and it must not use threads of its
/// own: the same seed is to give the same calls.
pub struct Subject {
    /// Its name in messages.
    pub name: &'static str,
    /// Opens it for writing.
    pub open: Opener,
    /// Opens it for reading.
    pub open_reader: Opener,
    /// Whether what was torn stays where it is and is reported ever after, instead of being set
    /// aside.
    pub keeps_torn: bool,
    /// What kinds of workload there are for it.
    pub kinds: Vec<Kind>,
}

/// How much is tried for each seed.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Losses of power for each moment of a run without faults; each kind of loss at most once.
    pub losses: usize,
    /// Runs with a fault somewhere.
    pub faults: usize,
    /// Moments that are looked at in each of these.
    pub moments: usize,
    /// Moments within the recovery of a loss that are looked at, one loss in eight.
    pub recoveries: usize,
}

impl Effort {
    /// Everything once.
    pub const FULL: Self = Self { losses: 4, faults: 24, moments: 12, recoveries: 3 };
    /// A few of everything, for tests without optimisation.
    pub const LITTLE: Self = Self { losses: 1, faults: 3, moments: 3, recoveries: 1 };
}

/// What was tried, and that it held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Stores opened after a loss of power and held against the model.
    pub points: u64,
    /// Of those, by what was going on.
    pub by_kind: BTreeMap<&'static str, u64>,
    /// Of those, losses during a recovery from a loss.
    pub in_recovery: u64,
    /// Of those, after a fault in the same run.
    pub after_fault: u64,
    /// Runs with a fault.
    pub faulty_runs: u64,
    /// Calls that met a fault and were reported as an error.
    pub refusals: u64,
    /// Acknowledged events that had to be read back, over all points.
    pub acknowledged: u64,
    /// Points at which something torn was set aside and reported.
    pub torn: u64,
}

impl Tally {
    /// Adds another one.
    pub fn add(&mut self, other: &Self) {
        self.points += other.points;
        for (kind, points) in &other.by_kind {
            *self.by_kind.entry(kind).or_default() += points;
        }
        self.in_recovery += other.in_recovery;
        self.after_fault += other.after_fault;
        self.faulty_runs += other.faulty_runs;
        self.refusals += other.refusals;
        self.acknowledged += other.acknowledged;
        self.torn += other.torn;
    }
}

/// Where the store lies on the simulated disk.
pub fn store_path() -> PathBuf {
    root().join("data").join("store")
}

fn root() -> PathBuf {
    PathBuf::from("/simulated")
}

/// Runs one seed of one kind of workload, and everything that follows from it.
///
/// # Errors
/// Says what did not hold, and at which step of which seed.
pub fn simulate(subject: &Subject, kind: Kind, seed: u64, effort: Effort) -> Result<Tally, String> {
    let place = |what: &str| format!("{} {kind} --seed {seed}: {what}", subject.name);
    let mut rng = Rng::with_seed(seed ^ (kind as u64) << 56);
    let workload = Workload::new(kind, rng.u64(..));
    let mut tally = Tally::default();
    let disk_seed = rng.u64(..);

    let disk = SimDisk::new(&root(), disk_seed);
    disk.watch();
    let driven = drive::drive(subject, &workload, &disk, None).map_err(|e| place(&e))?;
    let moments = disk.moments();
    let (changes, looks) = disk.calls();
    for moment in &moments {
        let mut losses = Loss::ALL;
        rng.shuffle(&mut losses);
        for loss in losses.into_iter().take(effort.losses) {
            let seed = rng.u64(..);
            let mut check = Check::new(subject, kind, &driven.history, moment.note, &mut tally);
            let recoveries = if rng.u8(..8) == 0 { effort.recoveries } else { 0 };
            check
                .loss(moment, loss, seed, recoveries)
                .map_err(|e| place(&format!("call {}, {loss:?}: {e}", moment.call)))?;
        }
    }

    for _ in 0..effort.faults {
        let fault = draw(&mut rng, changes, looks);
        let disk = SimDisk::new(&root(), disk_seed);
        disk.watch();
        let place = |what: &str| place(&format!("{fault:?}: {what}"));
        let driven = drive::drive(subject, &workload, &disk, Some(fault)).map_err(|e| place(&e))?;
        tally.faulty_runs += 1;
        tally.refusals += driven.refusals;
        let mut moments = disk.moments();
        if fault.kind != FaultKind::Read {
            moments.retain(|moment| moment.call >= fault.at);
        }
        // The last one always: by then everything was tried again.
        let last = moments.pop();
        rng.shuffle(&mut moments);
        moments.truncate(effort.moments.saturating_sub(1));
        for moment in last.iter().chain(&moments) {
            let loss = Loss::ALL[rng.usize(..Loss::ALL.len())];
            let seed = rng.u64(..);
            let mut check = Check::new(subject, kind, &driven.history, moment.note, &mut tally);
            check
                .loss(moment, loss, seed, 0)
                .map_err(|e| place(&format!("call {}, {loss:?}: {e}", moment.call)))?;
            tally.after_fault += 1;
        }
    }
    Ok(tally)
}

fn draw(rng: &mut Rng, changes: u64, looks: u64) -> Fault {
    const KINDS: [FaultKind; 4] =
        [FaultKind::Io, FaultKind::Full, FaultKind::Read, FaultKind::Kill];
    let kind = KINDS[rng.usize(..KINDS.len())];
    let at = rng.u64(..if kind == FaultKind::Read { looks } else { changes }.max(1));
    let times = if kind == FaultKind::Kill { 1 } else { [1, 1, 2, 5, u64::MAX][rng.usize(..5)] };
    Fault { kind, at, times }
}

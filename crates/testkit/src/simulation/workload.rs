//! What a simulated program does.

use crate::generator::{EventGenerator, GeneratorConfig};
use fastrand::Rng;
use std::fmt;
use telemetry_models::Event;

/// What a workload is mainly about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Appends of batches to one file.
    Append,
    /// Appends that fill one file after the other.
    Seal,
    /// Programs that are killed, and others that go on.
    Recover,
    /// As filling files, and sorting and joining them.
    Compact,
    /// Rollups made and brought up to date between appends.
    RollUp,
    /// As sorting files, and moving their events to Parquet; for stores that can.
    Convert,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Append, Self::Seal, Self::Recover, Self::Compact, Self::RollUp, Self::Convert];

    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Append => "append",
            Self::Seal => "seal",
            Self::Recover => "recover",
            Self::Compact => "compact",
            Self::RollUp => "roll up",
            Self::Convert => "convert",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that the program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Appends the next so many events.
    Append(usize),
    /// Appends events that it has appended before: all are known.
    Again,
    Ledger,
    Flush,
    /// Sorts and joins files.
    Compact,
    /// Brings rollups up to date.
    RollUp,
    /// Sorts files, and moves their events to Parquet.
    Convert,
    /// Closes the store and opens it again.
    Reopen,
    /// Is killed; another program opens the store.
    Kill,
}

pub(super) struct Workload {
    pub(super) kind: Kind,
    pub(super) steps: Vec<Step>,
    /// In the order in which they are appended, with some to spare; keyed, sequences and
    /// timestamps out of order here and there.
    pub(super) events: Vec<Event>,
}

/// Events that are left for appending after the loss.
pub(super) const SPARE: usize = 3;

impl Workload {
    pub(super) fn new(kind: Kind, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let mut steps = Vec::new();
        for _ in 0..rng.usize(5..12) {
            let step = match (kind, rng.u8(..20)) {
                (Kind::Append | Kind::Compact | Kind::Convert, 0) | (Kind::Recover, 0..3) => {
                    Step::Reopen
                }
                (Kind::Append | Kind::Compact | Kind::Convert, 1)
                | (Kind::Seal | Kind::RollUp, 0)
                | (Kind::Recover, 3..8) => Step::Kill,
                (Kind::Compact, 2..8) | (Kind::Convert, 2..4) => Step::Compact,
                (Kind::Convert, 4..9) => Step::Convert,
                (Kind::RollUp, 1..8) => Step::RollUp,
                (_, 17) => Step::Again,
                (_, 18) => Step::Flush,
                (_, 19) => Step::Ledger,
                (Kind::Seal | Kind::Compact | Kind::Convert, _) => Step::Append(rng.usize(4..16)),
                _ => Step::Append(rng.usize(1..8)),
            };
            steps.push(step);
        }
        let appended: usize = steps.iter().map(|step| step.events()).sum();
        let config = GeneratorConfig {
            events: (appended + SPARE) as u64,
            selectors: 6,
            sites: 2,
            sessions: 2,
            hours: 48,
            error_share: 0.1,
            ..GeneratorConfig::default()
        };
        let mut events: Vec<Event> = EventGenerator::new(seed, config).collect();
        for _ in 0..events.len() / 6 {
            let (one, other) = (rng.usize(..events.len()), rng.usize(..events.len()));
            events.swap(one, other);
        }
        Self { kind, steps, events }
    }
}

impl Step {
    fn events(self) -> usize {
        match self {
            Self::Append(events) => events,
            _ => 0,
        }
    }
}

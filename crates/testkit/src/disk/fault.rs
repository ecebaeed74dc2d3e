//! Faults to be met on the way.

use std::io;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// A call that changes the disk fails (EIO). Of a write, a part may be there; a failed sync
    /// forgets what it was to write, as the kernel does.
    Io,
    /// The disk is full (ENOSPC): writes put down what fits; removing and cutting work.
    Full,
    /// A call that only looks fails (EIO).
    Read,
    /// The program is killed at a call that changes the disk; a part of a write may be there.
    Kill,
}

/// When something goes wrong, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What.
    pub kind: FaultKind,
    /// The first call it meets, counted from 0: of those that change the disk, or, for
    /// [`FaultKind::Read`], of those that only look.
    pub at: u64,
    /// How many calls in a row it meets.
    pub times: u64,
}

/// What a call does to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Needs space.
    Fill,
    /// Needs none: sync, rename, cut, remove.
    Change,
    /// Only looks.
    Look,
}

impl Fault {
    /// The error that a call meets, if it is its turn.
    pub(super) fn meets(&self, call: Call, number: u64) -> Option<io::Error> {
        if number < self.at || number - self.at >= self.times {
            return None;
        }
        match (self.kind, call) {
            (FaultKind::Io, Call::Fill | Call::Change) => {
                Some(io::Error::other("injected input/output error"))
            }
            (FaultKind::Kill, Call::Fill | Call::Change) => {
                Some(io::Error::other("the program was killed here"))
            }
            (FaultKind::Full, Call::Fill) => Some(io::ErrorKind::StorageFull.into()),
            (FaultKind::Read, Call::Look) => {
                Some(io::Error::other("injected input/output error while reading"))
            }
            _ => None,
        }
    }
}

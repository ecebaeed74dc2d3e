//! Recording, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod consumers;
mod correlation;
mod degradation;
mod detail;
mod endings;
mod ledger;
mod log;
mod meaning;
mod privacy;
mod sampling;
mod slow;
mod spool;
mod support;
mod tally;

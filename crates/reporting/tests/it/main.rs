//! Reports on hand-made events, through every format.
#![allow(clippy::unwrap_used)]

mod browser;
mod comparing;
mod drawn;
mod empty;
mod events;
mod findings;
mod formats;
mod hostile;
mod parts;
mod quality;
mod recommending;
mod schedule;
mod snapshots;
mod sources;

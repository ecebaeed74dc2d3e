//! Configuration and wiring, seen from outside.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod config;
mod health;
mod path;
mod privacy;
mod trouble;

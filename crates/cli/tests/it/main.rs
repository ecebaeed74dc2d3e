//! The binary, as a user meets it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod alerts;
mod anomalies;
mod bad_input;
mod basics;
mod check;
mod config;
mod delivery;
mod demo;
mod doctor;
mod query;
mod report;
mod schedule;
mod setup;
mod store;
mod tail;

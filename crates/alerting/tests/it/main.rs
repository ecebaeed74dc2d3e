#![allow(clippy::unwrap_used)]
#![allow(clippy::print_stderr, reason = "a skipped test says so")]

mod clock_jumps;
mod config;
mod defaults;
mod delivery;
mod detection;
mod handling;
mod restart;
mod retention;
mod rule_tests;
mod scene;
#[cfg(feature = "webhook")]
mod services;
mod silence_and_severity;
mod state_machine;
mod system;
mod thresholds;
#[cfg(feature = "webhook")]
mod webhook;

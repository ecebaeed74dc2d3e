#![allow(clippy::unwrap_used)]

mod clock_jumps;
mod config;
mod defaults;
mod delivery;
mod handling;
mod scene;
mod silence_and_severity;
#[cfg(feature = "webhook")]
mod services;
mod state_machine;
mod thresholds;
#[cfg(feature = "webhook")]
mod webhook;

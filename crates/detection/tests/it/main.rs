//! What detectors promise, counted, as their users meet it.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod calibration;
mod level;
mod methods;
mod rate;
mod selector;
mod series;
mod trust;

//! What detectors promise, counted.

mod rate;

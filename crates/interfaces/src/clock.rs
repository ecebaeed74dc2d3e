use std::fmt::Debug;
use std::time::{Duration, Instant, SystemTime};
use telemetry_models::Timestamp;

/// Where time comes from. Injected everywhere, so that tests and simulations own it.
pub trait Clock: Send + Sync + Debug {
    /// The calendar time. May jump in both directions.
    fn utc(&self) -> Timestamp;

    /// Time since a fixed but arbitrary moment. Never goes back.
    fn monotonic(&self) -> Duration;
}

/// The operating system's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    origin: Instant,
}

impl SystemClock {
    /// Starts the monotonic clock at zero.
    pub fn new() -> Self {
        Self { origin: Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    fn utc(&self) -> Timestamp {
        let nanos = match SystemTime::now().duration_since(SystemTime::UNIX_EPOCH) {
            Ok(after) => i64::try_from(after.as_nanos()).unwrap_or(i64::MAX),
            Err(before) => {
                i64::try_from(before.duration().as_nanos()).map_or(i64::MIN, |nanos| -nanos)
            }
        };
        Timestamp::from_nanos(nanos)
    }

    fn monotonic(&self) -> Duration {
        self.origin.elapsed()
    }
}

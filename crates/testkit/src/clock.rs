use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use telemetry_interfaces::Clock;
use telemetry_models::Timestamp;

/// A clock that moves only when it is told to.
#[derive(Debug)]
pub struct ManualClock {
    utc_nanos: AtomicI64,
    monotonic_nanos: AtomicU64,
}

impl ManualClock {
    /// Stands at `utc`; the monotonic time starts at one hour, so that subtractions have room.
    pub fn at(utc: Timestamp) -> Self {
        Self {
            utc_nanos: AtomicI64::new(utc.as_nanos()),
            monotonic_nanos: AtomicU64::new(3_600_000_000_000),
        }
    }

    /// Moves both times forward.
    pub fn advance(&self, by: Duration) {
        let nanos = u64::try_from(by.as_nanos()).expect("tests advance by less than 584 years");
        self.monotonic_nanos.fetch_add(nanos, Ordering::SeqCst);
        self.utc_nanos.fetch_add(nanos as i64, Ordering::SeqCst);
    }

    /// Sets the calendar time alone, as an operator or a time server would.
    pub fn jump(&self, to: Timestamp) {
        self.utc_nanos.store(to.as_nanos(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn utc(&self) -> Timestamp {
        Timestamp::from_nanos(self.utc_nanos.load(Ordering::SeqCst))
    }

    fn monotonic(&self) -> Duration {
        Duration::from_nanos(self.monotonic_nanos.load(Ordering::SeqCst))
    }
}

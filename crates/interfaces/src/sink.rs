use crate::{FlushReport, Ledger};
use std::time::Duration;
use telemetry_models::{Event, Timestamp};

/// Takes events. Synchronous, infallible, never blocking (unless the configured policy says so):
/// what cannot be kept is counted in the ledger.
pub trait EventSink: Send + Sync {
    /// Takes one event.
    fn record(&self, event: Event);

    /// Waits until everything recorded before the call is accounted for, at most `limit`.
    fn flush(&self, limit: Duration) -> FlushReport;

    /// Where every event went so far.
    fn ledger(&self) -> Ledger;
}

/// Takes everything and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopSink;

impl EventSink for NoopSink {
    fn record(&self, _event: Event) {}

    fn flush(&self, _limit: Duration) -> FlushReport {
        FlushReport { complete: true, elapsed: Duration::ZERO, ledger: self.ledger() }
    }

    fn ledger(&self) -> Ledger {
        Ledger {
            run: None,
            producer: None,
            at: Timestamp::default(),
            recorded: 0,
            stored: 0,
            spooled: 0,
            in_flight: 0,
            dropped: Default::default(),
        }
    }
}

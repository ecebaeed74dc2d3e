use crate::{Health, Ledger};
use std::time::Duration;
use telemetry_models::{Event, Timestamp};

/// Sees every event once, in the order the pipeline thread resolved it, after redaction and
/// validation: alerting, a live feed.
///
/// Runs on the pipeline thread, so it must not wait for disk or network; it hands such work on.
/// One that panics is not called again; recording goes on.
pub trait EventConsumer: Send {
    /// A short name for health and diagnostics.
    fn name(&self) -> &str;

    /// Takes a batch.
    fn consume(&mut self, batch: &[Event]);

    /// Called at least every 200 ms, also when nothing arrives; for what depends on time alone.
    fn tick(&mut self, now: Timestamp);

    /// Where every event went so far; called before each [`tick`](Self::tick).
    fn account(&mut self, ledger: &Ledger) {
        let _ = ledger;
    }

    /// How it is doing.
    fn health(&self) -> Health;

    /// No more events will come: finish, within `limit`.
    fn finish(&mut self, now: Timestamp, limit: Duration);
}

/// Takes everything and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoopConsumer;

impl EventConsumer for NoopConsumer {
    fn name(&self) -> &str {
        "noop"
    }
    fn consume(&mut self, _batch: &[Event]) {}
    fn tick(&mut self, _now: Timestamp) {}
    fn health(&self) -> Health {
        Health::healthy("does nothing")
    }
    fn finish(&mut self, _now: Timestamp, _limit: Duration) {}
}

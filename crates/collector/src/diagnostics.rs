use crate::ledger;
use crate::shared::Shared;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_interfaces::DropReason;
use telemetry_models::{Event, Invalid};
use tracing::Span;

/// Shortest time between two lines about the same trouble.
const QUIET: Duration = Duration::from_secs(10);

/// What the pipeline tells about itself: `tracing` events of the target `telemetry::collector`,
/// on the pipeline's thread alone, and a line per trouble and ten seconds at most.
#[derive(Debug, Default)]
pub(crate) struct Diagnostics {
    refused: Quiet,
    dropped: Quiet,
    known: BTreeMap<DropReason, u64>,
    forgotten: Quiet,
    forgotten_known: u64,
}

/// Says something, then holds its tongue for a while.
#[derive(Debug, Default)]
struct Quiet {
    last: Option<Duration>,
    held_back: u64,
}

impl Quiet {
    /// Whether it is time to speak, and how often it was not since the last time.
    fn may_speak(&mut self, now: Duration) -> Option<u64> {
        if self.last.is_some_and(|last| now.saturating_sub(last) < QUIET) {
            self.held_back += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.held_back))
    }
}

/// What everything on the pipeline's thread is logged in: consumers and stores too say which run
/// they speak of.
pub(crate) fn span(shared: &Shared) -> Span {
    // At the highest level, so that a filter that shows warnings shows whose they are.
    tracing::error_span!(
        target: "telemetry::collector", "pipeline",
        run = %shared.run, producer = %shared.producer
    )
}

impl Diagnostics {
    pub(crate) fn started(&self, shared: &Shared) {
        tracing::info!(
            target: "telemetry::collector",
            run = %shared.run, producer = %shared.producer, "recording begins"
        );
    }

    pub(crate) fn ended(&mut self, complete: bool, shared: &Shared) {
        self.dropped.last = None;
        self.losses(shared);
        let ledger = shared.ledger();
        tracing::info!(
            target: "telemetry::collector",
            run = %shared.run, producer = %shared.producer, complete,
            recorded = ledger.recorded, stored = ledger.stored, spooled = ledger.spooled,
            dropped = ledger.dropped_total(), "recording ends"
        );
    }

    /// An event did not pass validation.
    pub(crate) fn refused(&mut self, event: &Event, invalid: &Invalid, shared: &Shared) {
        if let Some(held_back) = self.refused.may_speak(shared.time.monotonic()) {
            tracing::warn!(
                target: "telemetry::collector",
                run = %shared.run, producer = %shared.producer,
                event = %event.id,
                correlation_id = event.correlation_id.as_ref().map(tracing::field::display),
                selector = %event.selector, %invalid, held_back,
                "TEL-003 an event was refused"
            );
        }
    }

    /// A consumer panicked; it is told once, because the consumer is not called again.
    pub(crate) fn consumer_failed(&self, consumer: &str, reason: &str, shared: &Shared) {
        tracing::error!(
            target: "telemetry::collector",
            run = %shared.run, producer = %shared.producer, consumer, reason,
            "TEL-005 a consumer failed"
        );
    }

    /// Says how many events came without the page they were recorded with.
    pub(crate) fn pages(&mut self, shared: &Shared) {
        let now = shared.counts.pages_forgotten.load(std::sync::atomic::Ordering::Relaxed);
        if now == self.forgotten_known
            || self.forgotten.may_speak(shared.time.monotonic()).is_none()
        {
            return;
        }
        tracing::warn!(
            target: "telemetry::collector",
            run = %shared.run, producer = %shared.producer, events = now - self.forgotten_known,
            "TEL-002 events lost their page: its handle is older than 65536 later pages; ask for it again"
        );
        self.forgotten_known = now;
    }

    /// Says what was given up since the last time it said so.
    pub(crate) fn losses(&mut self, shared: &Shared) {
        let now = shared.counts.fates().dropped;
        // What sampling leaves out was asked for, and what was refused has its own line.
        let told =
            |reason: &DropReason| !matches!(reason, DropReason::Sampled | DropReason::Invalid);
        let grown: Vec<(DropReason, u64)> = now
            .iter()
            .filter(|(reason, _)| told(reason))
            .map(|(reason, events)| {
                (*reason, events - self.known.get(reason).copied().unwrap_or_default())
            })
            .filter(|(_, events)| *events > 0)
            .collect();
        if grown.is_empty() {
            return;
        }
        if self.dropped.may_speak(shared.time.monotonic()).is_none() {
            return;
        }
        let reasons: Vec<String> = grown
            .iter()
            .map(|(reason, events)| format!("{events} {}", ledger::word(*reason)))
            .collect();
        let events: u64 = grown.iter().map(|(_, events)| events).sum();
        tracing::warn!(
            target: "telemetry::collector",
            run = %shared.run, producer = %shared.producer,
            events, reasons = reasons.join(", "), "TEL-002 events were dropped"
        );
        self.known = now;
    }
}

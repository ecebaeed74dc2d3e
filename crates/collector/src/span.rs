use crate::cold::{Cold, ColdError, Excerpt, KIND_BYTES, MESSAGE_BYTES};
use crate::facts::{Facts, STACK_BYTES};
use crate::record::Record;
use crate::shard;
use std::mem::ManuallyDrop;
use std::time::Duration;
use telemetry_interfaces::{AttemptRecord, OperationObserver, Phase};
use telemetry_models::{Confidence, CorrelationId, Outcome};

/// One operation while it runs. Finish it with its outcome; dropping it unfinished records
/// `cancelled`, or `panicked` while its thread panics.
///
/// `Send`: it may begin on one thread and end on another, and live across an `.await`. Nothing in
/// it allocates unless an error, a shadow probe, an attribute, a textual correlation id, a fifth
/// attempt, or one of phases, retries, counters, drift and the like is reported.
#[derive(Debug)]
#[must_use = "a span records when it is finished or dropped"]
pub struct OperationSpan {
    record: Record,
    cold: Option<Box<Cold>>,
    /// The collector's id; 0 when nothing is recorded, or no more.
    collector: u32,
}

impl OperationSpan {
    /// Begins; `collector` 0 records nothing.
    #[inline(always)]
    pub(crate) fn new(collector: u32, record: Record, cold: Option<Box<Cold>>) -> Self {
        Self { record, cold, collector }
    }

    /// Ties the operation to other events of the same piece of work.
    pub fn correlate(&mut self, id: &CorrelationId) {
        match id.as_u128() {
            Some(bits) if bits != 0 => self.record.set_correlation(bits),
            _ => self.cold().correlation = Some(id.clone()),
        }
    }

    /// Adds an attribute. The same key given twice keeps the later value.
    pub fn attribute(&mut self, key: &str, value: &str) {
        let pair = (key.into(), Excerpt::new(value, MESSAGE_BYTES));
        self.cold().attributes.push(pair);
    }

    #[cold]
    fn cold(&mut self) -> &mut Cold {
        self.cold.get_or_insert_default()
    }

    /// What goes with the record; `None` when nothing is recorded.
    fn facts(&mut self) -> Option<&mut Facts> {
        (self.collector != 0).then(|| &mut self.cold().facts)
    }
}

impl OperationObserver for OperationSpan {
    #[inline]
    fn elapsed(&self) -> Option<std::time::Duration> {
        if self.collector == 0 {
            return None;
        }
        shard::since(self.collector, self.record.start())
    }

    #[inline(always)]
    fn attempt(&mut self, attempt: AttemptRecord) {
        if self.collector == 0 {
            return;
        }
        let spilled = self.cold.as_ref().is_some_and(|cold| !cold.attempts.is_empty());
        if spilled || !self.record.push(attempt) {
            self.cold = Some(spill(self.cold.take(), attempt));
        }
    }

    #[inline]
    fn confidence(&mut self, confidence: Confidence) {
        self.record.set_confidence(confidence);
    }

    #[inline]
    fn elements(&mut self, elements: u32) {
        self.record.set_elements(elements);
    }

    #[inline]
    fn validation(&mut self, passed: bool) {
        self.record.set_validation(passed);
    }

    fn error(&mut self, kind: &str, message: &str) {
        let error = ColdError {
            kind: Excerpt::new(kind, KIND_BYTES),
            message: Excerpt::new(message, MESSAGE_BYTES),
        };
        self.cold().error = Some(error);
    }

    fn phase(&mut self, phase: Phase, elapsed: Duration) {
        if let Some(facts) = self.facts() {
            facts.add_phase(phase, elapsed);
        }
    }

    fn retries(&mut self, retries: u32) {
        if let Some(facts) = self.facts() {
            facts.retries = Some(retries);
        }
    }

    fn confidence_component(&mut self, component: &str, value: Confidence) {
        if let Some(facts) = self.facts() {
            facts.components.push((Excerpt::new(component, KIND_BYTES), value));
        }
    }

    fn dom_operations(&mut self, operations: u32) {
        if let Some(facts) = self.facts() {
            facts.dom_operations = Some(operations);
        }
    }

    fn network_requests(&mut self, requests: u32) {
        if let Some(facts) = self.facts() {
            facts.network_requests = Some(requests);
        }
    }

    fn snapshot(&mut self, reference: &str) {
        if let Some(facts) = self.facts() {
            facts.snapshot = Some(Excerpt::new(reference, MESSAGE_BYTES));
        }
    }

    fn drift(&mut self, detected: bool) {
        if let Some(facts) = self.facts() {
            facts.drift = Some(detected);
        }
    }

    fn stack(&mut self, stack: &str) {
        if let Some(facts) = self.facts() {
            facts.stack = Some(Excerpt::new(stack, STACK_BYTES));
        }
    }

    #[inline(always)]
    fn finish(self, outcome: Outcome) {
        // Nothing is left to do for a drop.
        let mut this = ManuallyDrop::new(self);
        let cold = this.cold.take();
        if this.collector != 0 {
            this.record.set_outcome(outcome);
            shard::record(this.collector, this.record, cold);
        }
    }
}

impl Drop for OperationSpan {
    #[inline(always)]
    fn drop(&mut self) {
        if self.collector != 0 {
            abandon(self.collector, self.record, self.cold.take());
        }
    }
}

// What is out of line takes values: as long as nobody takes its address, a span that begins and
// ends in one function stays in registers. Otherwise it is copied as a whole at each move, in loads
// that are wider than the stores just made and wait for them.

#[cold]
#[inline(never)]
fn abandon(collector: u32, mut record: Record, cold: Option<Box<Cold>>) {
    let panicking = std::thread::panicking();
    record.set_outcome(if panicking { Outcome::Panicked } else { Outcome::Cancelled });
    shard::record(collector, record, cold);
}

/// Of another calling convention because that one does not unwind: a span that could be dropped by
/// an unwinding call would have an address.
#[cold]
#[inline(never)]
#[allow(improper_ctypes_definitions, reason = "only Rust calls it")]
extern "C" fn spill(cold: Option<Box<Cold>>, attempt: AttemptRecord) -> Box<Cold> {
    let mut cold = cold.unwrap_or_default();
    cold.attempts.push(attempt);
    cold
}

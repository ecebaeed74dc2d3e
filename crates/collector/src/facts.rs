//! What an engine tells beyond its attempts, and where an event keeps it.
//!
//! | told | kept as |
//! |---|---|
//! | phase `locate` | `timing.resolution` |
//! | phases `validate`, `act` | attributes `phase.validate_ms`, `phase.act_ms`: milliseconds with a fraction |
//! | retries | `error.retry_attempts`; of an operation without an error the attribute `retries` |
//! | confidence component | attribute `confidence.<component>`, 0 to 1 |
//! | operations on the document, requests | `resources.dom_operations`, `resources.network_requests` |
//! | snapshot | attribute `snapshot` |
//! | drift | `quality.drift_detected` |
//! | stack | `error.stack` |

use crate::cold::Excerpt;
use crate::privacy::Privacy;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Phase;
use telemetry_models::{Confidence, Event};

#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) locate: Option<Duration>,
    pub(crate) validate: Option<Duration>,
    pub(crate) act: Option<Duration>,
    pub(crate) retries: Option<u32>,
    pub(crate) components: Vec<(Excerpt, Confidence)>,
    pub(crate) dom_operations: Option<u32>,
    pub(crate) network_requests: Option<u32>,
    pub(crate) snapshot: Option<Excerpt>,
    pub(crate) drift: Option<bool>,
    pub(crate) stack: Option<Excerpt>,
}

/// Longest stack that is kept, in bytes.
pub(crate) const STACK_BYTES: usize = 16_384;

impl Facts {
    /// Whether nothing speaks against a plain success.
    pub(crate) fn are_ordinary(&self) -> bool {
        self.drift != Some(true) && self.retries.is_none_or(|retries| retries == 0)
    }

    pub(crate) fn add_phase(&mut self, phase: Phase, elapsed: Duration) {
        let total = match phase {
            Phase::Locate => &mut self.locate,
            Phase::Validate => &mut self.validate,
            Phase::Act => &mut self.act,
        };
        *total = Some(total.unwrap_or_default().saturating_add(elapsed));
    }

    /// Adds the facts to an event whose error, attributes, timing and quality are set already.
    pub(crate) fn apply(self, event: &mut Event, privacy: &Privacy) {
        event.timing.resolution = self.locate.or(event.timing.resolution);
        event.resources.dom_operations = self.dom_operations;
        event.resources.network_requests = self.network_requests;
        event.quality.drift_detected = self.drift;
        let recovered = event.outcome.is_success();
        let mut retries = self.retries;
        if let Some(error) = &mut event.error {
            error.retry_attempts = retries.take();
            error.recovery_successful = recovered.then_some(true);
            error.stack = self.stack.map(|stack| privacy.excerpt(&stack));
        }
        let mut keep = |key: &str, value: String| {
            let (key, value) = privacy
                .attribute(key, &value)
                .unwrap_or_else(|| (Arc::from(key), Arc::from(value)));
            event.attributes.insert(key, value);
        };
        for (key, time) in [("phase.validate_ms", self.validate), ("phase.act_ms", self.act)] {
            if let Some(time) = time {
                keep(key, (time.as_nanos() as f64 / 1e6).to_string());
            }
        }
        if let Some(retries) = retries {
            keep("retries", retries.to_string());
        }
        for (component, value) in self.components {
            let component = privacy.excerpt(&component);
            keep(&format!("confidence.{component}"), value.get().to_string());
        }
        if let Some(snapshot) = self.snapshot {
            event.attributes.insert("snapshot".into(), privacy.excerpt(&snapshot));
        }
    }
}

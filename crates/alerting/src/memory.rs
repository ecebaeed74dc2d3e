//! What the engine has learned, in a form that can be kept.

use crate::Rule;
use crate::slot::Slot;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_aggregation::Sample;
use telemetry_interfaces::{Learned, Result};
use telemetry_models::{LastGood, SelectorName, StrategyKind, Timestamp};

/// What was learned of one selector on one site: so that a program that runs for a minute every
/// night still knows what used to be normal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesMemory {
    /// The selector.
    pub selector: SelectorName,
    /// Host and port, when known.
    pub site: Option<Arc<str>>,
    /// Newest version of the selector's definition.
    pub version: Option<u32>,
    /// By rule id.
    pub rules: BTreeMap<Arc<str>, RuleMemory>,
}

/// What one rule has learned: values, oldest first, and the last operation that was all right.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleMemory {
    /// Samples in the window; empty when the window is by time.
    pub window: Vec<f64>,
    /// Samples that left it.
    pub past: Vec<f64>,
    /// The last operation that was all right, and how many were until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// Kind and text of the strategy that won then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<(StrategyKind, Option<Arc<str>>)>,
}

impl SeriesMemory {
    /// The document it is kept as.
    pub(crate) fn to_learned(&self) -> Option<Learned> {
        let key = format!("{} {}", self.selector, self.site.as_deref().unwrap_or_default());
        match serde_json::to_string(self) {
            Ok(value) => Some(Learned { key, value }),
            Err(error) => {
                tracing::error!(key, %error, "cannot be written as JSON");
                None
            }
        }
    }

    pub(crate) fn from_learned(learned: &Learned) -> Result<Self> {
        crate::book::read(crate::outbox::LEARNED, &learned.key, &learned.value)
    }
}

pub(crate) fn of(slot: &Slot) -> RuleMemory {
    let by_count = slot.window.limits().within.is_none();
    let (last_good, winner) = slot.trail.remember().unzip();
    RuleMemory {
        window: slot.window.samples().filter(|_| by_count).map(|it| it.value).collect(),
        past: slot.past.samples().collect(),
        last_good,
        winner: winner.flatten(),
    }
}

pub(crate) fn into(slot: &mut Slot, rule: &Rule, memory: &RuleMemory, at: Timestamp) {
    let capacity = crate::slot::capacity(rule);
    if let Some(good) = &memory.last_good {
        slot.trail.recall(good, memory.winner.as_ref());
    }
    for value in &memory.past {
        slot.past.push(*value, capacity);
    }
    if rule.within.is_none() {
        for value in &memory.window {
            if let Some(left) = slot.window.push(Sample { at, value: *value }) {
                slot.past.push(left.value, capacity);
            }
        }
    }
}

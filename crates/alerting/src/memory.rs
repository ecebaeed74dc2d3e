//! What the engine has learned, in a form that can be kept.

use crate::series::{Moment, Series};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{Learned, Result};
use telemetry_models::{LastGood, SelectorName, StrategyKind, Timestamp};

/// What is learned of a selector is worth saving so long after it began to change.
const LEARNED_EVERY: Duration = Duration::from_secs(60);

/// Selectors that learned something, in the order in which they began to.
#[derive(Debug, Default)]
pub(crate) struct Learning {
    /// Each with whole seconds since `begun`.
    queue: VecDeque<(u32, u32)>,
    begun: Option<Timestamp>,
}

impl Learning {
    pub(crate) fn push(&mut self, now: Timestamp, at: usize) {
        let begun = *self.begun.get_or_insert(now);
        self.queue.push_back((at as u32, seconds(begun, now)));
    }

    /// The first that is worth saving.
    pub(crate) fn pop(&mut self, now: Timestamp) -> Option<usize> {
        let now = seconds(self.begun?, now);
        let (at, since) = *self.queue.front()?;
        if u64::from(now.saturating_sub(since)) < LEARNED_EVERY.as_secs() {
            return None;
        }
        self.queue.pop_front();
        Some(at as usize)
    }
}

fn seconds(begun: Timestamp, now: Timestamp) -> u32 {
    u32::try_from(now.since(begun).as_secs()).unwrap_or(u32::MAX)
}

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
    /// By signal, and attributes where rules look at some: the samples that windows and baselines reach back to, oldest first.
    #[serde(default)]
    pub signals: BTreeMap<Arc<str>, Vec<f64>>,
    /// By rule id.
    #[serde(default)]
    pub rules: BTreeMap<Arc<str>, RuleMemory>,
}

/// What one rule has learned that is not simply what the signal's samples tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleMemory {
    /// Samples in the window, when that is less than the rule's window could hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<u64>,
    /// Samples of its own baseline, oldest first, when they are not those before the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<Vec<f64>>,
    /// The last operation that was all right, and how many were until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_good: Option<LastGood>,
    /// Kind and text of the strategy that won then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<(StrategyKind, Option<Arc<str>>)>,
}

impl SeriesMemory {
    /// What is known of a selector.
    pub(crate) fn of(series: &Series) -> Self {
        let plan = &series.plan;
        let mut signals = BTreeMap::new();
        for (of, feed) in plan.feeds.iter().zip(&series.feeds) {
            let samples = feed.values(feed.first(of.depth)..feed.total()).collect();
            signals.insert(of.key().into(), samples);
        }
        let mut rules: BTreeMap<Arc<str>, RuleMemory> = BTreeMap::new();
        for (of, trail) in plan.trails.iter().zip(&series.trails) {
            let rule = of.entries.first().and_then(|at| plan.entries.get(usize::from(*at)));
            if let (Some(it), Some((last_good, winner))) = (rule, trail.remember(series.latest())) {
                let memory = rules.entry(Arc::clone(&it.rule.id)).or_default();
                (memory.last_good, memory.winner) = (Some(last_good), winner);
            }
        }
        for slot in &series.slots {
            let it = &plan.entries[usize::from(slot.entry)];
            let total = series.feeds[usize::from(it.feed)].total();
            let memory = rules.entry(Arc::clone(&it.rule.id)).or_default();
            memory.window = (slot.from > 0).then(|| total - slot.from);
            memory.past = slot.past.as_ref().map(|past| past.samples().collect());
        }
        let (selector, site) = (series.selector.clone(), series.site.clone());
        Self { selector, site, version: series.version, signals, rules }
    }

    /// Hands it to a selector about which nothing is known yet.
    pub(crate) fn into(self, series: &mut Series, moment: Moment) {
        let plan = Arc::clone(&series.plan);
        series.version = self.version;
        for (at, of) in plan.feeds.iter().enumerate() {
            if let Some(samples) = self.signals.get(of.key().as_str()) {
                series.recall(at, samples);
            }
        }
        for (id, memory) in &self.rules {
            let Some(entry) = plan.entry(id) else { continue };
            if let Some(good) = &memory.last_good {
                let trail = usize::from(plan.entries[usize::from(entry)].trail);
                series.trails[trail].recall(good, memory.winner.as_ref());
            }
            if memory.window.is_some() || memory.past.is_some() {
                series.with_slot(entry, moment, |slot, case| {
                    slot.recall(memory.window, memory.past.as_deref(), case);
                });
            }
        }
    }

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

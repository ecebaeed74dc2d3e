use crate::member::Member;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{AlertId, Timestamp};

/// Alerts that come and go.
#[derive(Debug)]
pub(crate) struct Flapping {
    firings: u32,
    within: Duration,
    /// When an alert of a fingerprint fired lately, oldest first.
    seen: HashMap<Arc<str>, Vec<Timestamp>>,
    /// The alert with which each began to flap.
    flapping: HashMap<Arc<str>, AlertId>,
}

impl Flapping {
    pub(crate) fn new(firings: u32, within: Duration) -> Self {
        Self { firings, within, seen: HashMap::new(), flapping: HashMap::new() }
    }

    /// An alert fires.
    pub(crate) fn fired(&mut self, fingerprint: &Arc<str>, id: &AlertId, now: Timestamp) {
        if self.firings == 0 {
            return;
        }
        let seen = self.seen.entry(Arc::clone(fingerprint)).or_default();
        seen.retain(|at| now.since(*at) <= self.within);
        seen.push(now);
        if seen.len() > self.firings as usize {
            seen.remove(0);
        }
        if seen.len() >= self.firings as usize {
            self.flapping.entry(Arc::clone(fingerprint)).or_insert_with(|| id.clone());
        }
    }

    /// Whether this is the alert with which it began: the one that is told.
    pub(crate) fn begins_with(&self, member: &Member) -> bool {
        self.flapping.get(&member.fingerprint) == Some(&member.id)
    }

    /// Whether nothing is told of an alert until it is calm.
    pub(crate) fn holds(&self, member: &Member, told: bool) -> bool {
        let first = self.flapping.get(&member.fingerprint);
        first.is_some_and(|first| told || *first != member.id)
    }

    /// Forgets what was calm for long enough.
    pub(crate) fn calm(&mut self, now: Timestamp) {
        let within = self.within;
        self.seen.retain(|_, seen| seen.last().is_some_and(|at| now.since(*at) <= within));
        let seen = &self.seen;
        self.flapping.retain(|it, _| seen.contains_key(it));
    }
}

use crate::member::Member;
use hashbrown::HashTable;
use std::collections::HashMap;
use std::time::Duration;
use telemetry_models::{AlertId, Timestamp};

/// Alerts that come and go.
#[derive(Debug)]
pub(crate) struct Flapping {
    firings: u32,
    within: Duration,
    /// When an alert of a fingerprint fired last.
    last: HashTable<Fired>,
    /// When else those did that fired more than once lately, oldest first.
    earlier: HashMap<u64, Vec<Timestamp>>,
    /// The alert with which each began to flap.
    flapping: HashMap<u64, AlertId>,
}

/// Fingerprint and time, in 16 bytes for each of many.
#[derive(Clone, Copy, Debug)]
struct Fired(u64, Timestamp);

impl Flapping {
    pub(crate) fn new(firings: u32, within: Duration) -> Self {
        let (last, earlier, flapping) = (HashTable::new(), HashMap::new(), HashMap::new());
        Self { firings, within, last, earlier, flapping }
    }

    /// An alert fires.
    pub(crate) fn fired(&mut self, member: &Member, now: Timestamp) {
        if self.firings == 0 {
            return;
        }
        let (print, mut firings) = (member.print, 1);
        // A fingerprint is a hash already.
        match self.last.find_mut(print, |it| it.0 == print) {
            Some(last) => {
                let earlier = self.earlier.entry(print).or_default();
                earlier.push(std::mem::replace(&mut last.1, now));
                earlier.retain(|at| now.since(*at) <= self.within);
                let most = self.firings as usize - 1;
                earlier.drain(..earlier.len().saturating_sub(most));
                firings += earlier.len();
            }
            None => drop(self.last.insert_unique(print, Fired(print, now), |it| it.0)),
        }
        if firings >= self.firings as usize {
            self.flapping.entry(print).or_insert_with(|| member.id());
        }
    }

    /// Whether this is the alert with which it began: the one that is told.
    pub(crate) fn begins_with(&self, member: &Member) -> bool {
        self.flapping.get(&member.print) == Some(&member.id())
    }

    /// Whether nothing is told of an alert until it is calm.
    pub(crate) fn holds(&self, member: &Member, told: bool) -> bool {
        let first = self.flapping.get(&member.print);
        first.is_some_and(|first| told || *first != member.id())
    }

    /// Forgets what was calm for long enough.
    pub(crate) fn calm(&mut self, now: Timestamp) {
        let (within, earlier, flapping) = (self.within, &mut self.earlier, &mut self.flapping);
        self.last.retain(|Fired(print, at)| {
            let lately = now.since(*at) <= within;
            if !lately {
                earlier.remove(print);
                flapping.remove(print);
            }
            lately
        });
    }
}

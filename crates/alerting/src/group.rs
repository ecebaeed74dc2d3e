use crate::member::Member;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{AlertId, Severity, Timestamp};

/// After so long half as many alerts count as told lately.
const HALF_LIFE: Duration = Duration::from_secs(75);
/// So many alerts told lately make news wait as long as the first did, twice as many twice as long.
const UNHURRIED: f64 = 5.0;
/// One telling makes the next wait at most so many times as long as the first did.
const LONGEST_AT_ONCE: f64 = 30.0;

/// What a channel was told of one group of alerts, and what it is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) entries: BTreeMap<AlertId, Entry>,
    /// Entries with news.
    pub(crate) fresh: BTreeSet<AlertId>,
    pub(crate) ready_at: Option<Timestamp>,
    pub(crate) told_at: Option<Timestamp>,
    pub(crate) spacing: Duration,
    /// Alerts told lately: half as many after each [`HALF_LIFE`].
    pub(crate) lately: f64,
    pub(crate) repeats: u32,
    /// Whether something critical is new.
    pub(crate) urgent: bool,
}

/// An alert of a group.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) member: Arc<Member>,
    /// The severity the channel was told.
    pub(crate) told: Option<Severity>,
}

impl Entry {
    /// Whether there is anything to tell.
    pub(crate) fn has_news(&self) -> bool {
        match (self.member.open, self.told) {
            (true, Some(told)) => self.member.severity > told,
            (true, None) | (false, Some(_)) => true,
            (false, None) => false,
        }
    }
}

/// A group's row in the state store: what was told.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct GroupRow {
    pub(crate) told_at: Option<Timestamp>,
    pub(crate) spacing_ms: u64,
    #[serde(default)]
    pub(crate) lately: f64,
    pub(crate) repeats: u32,
    pub(crate) told: BTreeMap<AlertId, Severity>,
}

impl Group {
    pub(crate) fn row(&self) -> Option<GroupRow> {
        let told: BTreeMap<_, _> =
            self.entries.iter().filter_map(|(id, entry)| Some((id.clone(), entry.told?))).collect();
        (!told.is_empty()).then(|| GroupRow {
            told_at: self.told_at,
            spacing_ms: u64::try_from(self.spacing.as_millis()).unwrap_or(u64::MAX),
            lately: self.lately,
            repeats: self.repeats,
            told,
        })
    }

    /// Takes an alert as it is now.
    pub(crate) fn put(&mut self, member: Arc<Member>, ready_at: Timestamp) {
        let id = member.id.clone();
        let entry = self
            .entries
            .entry(id.clone())
            .or_insert_with(|| Entry { member: Arc::clone(&member), told: None });
        if member.heartbeat.is_some() {
            entry.told = None;
        }
        entry.member = member;
        if entry.has_news() {
            self.urgent |= entry.member.open && entry.member.severity == Severity::Critical;
            self.fresh.insert(id);
            self.ready_at.get_or_insert(ready_at);
        } else {
            self.fresh.remove(&id);
            if entry.told.is_none() {
                self.entries.remove(&id);
            }
        }
        if self.fresh.is_empty() {
            self.ready_at = None;
        }
    }

    /// Whether what is new may be told.
    pub(crate) fn is_due(&self, now: Timestamp) -> bool {
        if self.ready_at.is_none_or(|ready| now < ready) {
            return false;
        }
        let rested = |told: Timestamp| now >= told.saturating_add(self.spacing);
        let critical = |entry: &Entry| entry.told == Some(Severity::Critical);
        self.told_at.is_none_or(rested) || (self.urgent && !self.entries.values().any(critical))
    }

    /// Notes that the channel is told of so many alerts now. The more it was told lately, the longer
    /// further news wait: ten alerts in a few minutes are told as they come, hundreds are not, and a
    /// group that stays busy is told of less and less often.
    pub(crate) fn told(
        &mut self,
        now: Timestamp,
        alerts: usize,
        first: Duration,
        longest: Duration,
    ) {
        let passed = self.told_at.map_or(Duration::MAX, |told| now.since(told));
        let half_lives = passed.as_secs_f64() / HALF_LIFE.min(longest).as_secs_f64().max(1e-3);
        self.lately = self.lately * (-half_lives).exp2() + alerts as f64;
        let spacing = first.mul_f64((self.lately / UNHURRIED).min(LONGEST_AT_ONCE));
        let busy = self.lately > 2.0 * UNHURRIED && passed < self.spacing.saturating_mul(4);
        self.spacing = if busy { spacing.max(self.spacing * 2) } else { spacing }.min(longest);
        self.told_at = Some(now);
        self.ready_at = None;
        self.urgent = false;
        self.fresh.clear();
    }

    pub(crate) fn open_and_told(&self) -> u64 {
        self.entries.values().filter(|it| it.member.open && it.told.is_some()).count() as u64
    }
}

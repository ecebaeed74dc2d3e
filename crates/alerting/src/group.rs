use crate::member::Member;
use crate::roster::{Roster, Seat};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
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
    /// The alerts, each with the severity the channel was told.
    pub(crate) entries: BTreeMap<Seat, Option<Severity>>,
    /// Those with news.
    pub(crate) fresh: BTreeSet<Seat>,
    pub(crate) ready_at: Option<Timestamp>,
    pub(crate) told_at: Option<Timestamp>,
    pub(crate) spacing: Duration,
    /// Alerts told lately: half as many after each [`HALF_LIFE`].
    pub(crate) lately: f64,
    pub(crate) repeats: u32,
    /// Whether something critical is new.
    pub(crate) urgent: bool,
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
    pub(crate) fn row(&self, roster: &Roster) -> Option<GroupRow> {
        let told = self.entries.iter().filter_map(|(seat, told)| {
            let member = roster.get(*seat)?;
            Some((member.id(), (*told)?))
        });
        let told: BTreeMap<_, _> = told.collect();
        (!told.is_empty()).then(|| GroupRow {
            told_at: self.told_at,
            spacing_ms: u64::try_from(self.spacing.as_millis()).unwrap_or(u64::MAX),
            lately: self.lately,
            repeats: self.repeats,
            told,
        })
    }

    /// Takes an alert as it is now.
    pub(crate) fn put(&mut self, seat: Seat, member: &Member, ready_at: Timestamp) {
        let told = self.entries.entry(seat).or_default();
        if member.heartbeat().is_some() {
            *told = None;
        }
        if member.is_news(*told) {
            self.urgent |= member.open && member.severity == Severity::Critical;
            self.fresh.insert(seat);
            self.ready_at.get_or_insert(ready_at);
        } else {
            self.fresh.remove(&seat);
            if told.is_none() {
                self.entries.remove(&seat);
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
        let critical = |told: &Option<Severity>| *told == Some(Severity::Critical);
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

    pub(crate) fn open_and_told(&self, roster: &Roster) -> u64 {
        let open = |seat: &Seat| roster.get(*seat).is_some_and(|it| it.open);
        self.entries.iter().filter(|(seat, told)| told.is_some() && open(seat)).count() as u64
    }
}

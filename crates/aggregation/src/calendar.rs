use crate::{CoarseHistogram, EventFacts};
use std::collections::BTreeMap;
use telemetry_models::{Event, Outcome, Timestamp};

const NANOS_PER_DAY: i64 = 86_400_000_000_000;

/// How things went by UTC day, for trends with a weekly rhythm and for maps of sites and days.
///
/// Holds the latest [`Calendar::MAX_DAYS`] days. Merging is exact and order-free.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    days: BTreeMap<i64, Day>,
}

/// One UTC day.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// Operations of any outcome.
    pub operations: u64,
    /// Operations that tested the selector.
    pub verdicts: u64,
    /// Operations that succeeded.
    pub successes: u64,
    /// Durations of successful operations.
    pub durations: CoarseHistogram,
}

impl Calendar {
    /// The most days it has: a year and a month.
    pub const MAX_DAYS: usize = 400;

    /// Adds an event to the day of its timestamp.
    pub fn add(&mut self, event: &Event) {
        self.add_known(event, &EventFacts::of(event));
    }

    /// [`add`](Self::add), with what was worked out of the event before.
    pub fn add_known(&mut self, event: &Event, facts: &EventFacts) {
        let day = event.timestamp.as_nanos().div_euclid(NANOS_PER_DAY);
        let Some(day) = self.day(day) else { return };
        day.operations += 1;
        day.verdicts += u64::from(event.outcome.is_verdict());
        if event.outcome == Outcome::Success {
            day.successes += 1;
            if let Some(bin) = facts.coarse_bin {
                day.durations.add_to_bin(bin);
            }
        }
    }

    /// Adds everything another holds.
    pub fn merge(&mut self, other: &Self) {
        for (at, day) in &other.days {
            let Some(own) = self.day(*at) else { continue };
            own.operations += day.operations;
            own.verdicts += day.verdicts;
            own.successes += day.successes;
            own.durations.merge(&day.durations);
        }
    }

    /// Adds what happened on the day that holds a moment.
    pub fn add_bucket(&mut self, at: Timestamp, bucket: &crate::Bucket) {
        let day = at.as_nanos().div_euclid(NANOS_PER_DAY);
        let Some(day) = self.day(day) else { return };
        day.operations += bucket.operations;
        day.verdicts += bucket.verdicts;
        day.successes += bucket.successes;
        day.durations.merge(&bucket.durations);
    }

    /// Number of the first and last day, since 1970.
    pub fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.days.first_key_value()?.0, *self.days.last_key_value()?.0))
    }

    /// A day by its number since 1970.
    pub fn get(&self, day: i64) -> Option<&Day> {
        self.days.get(&day)
    }

    /// Midnight, at which a day begins.
    pub fn start_of(day: i64) -> Timestamp {
        Timestamp::from_nanos(day.saturating_mul(NANOS_PER_DAY))
    }

    fn day(&mut self, day: i64) -> Option<&mut Day> {
        let full = self.days.len() >= Self::MAX_DAYS && !self.days.contains_key(&day);
        if full {
            if self.days.first_key_value().is_some_and(|(first, _)| day < *first) {
                return None;
            }
            self.days.pop_first();
        }
        Some(self.days.entry(day).or_default())
    }
}

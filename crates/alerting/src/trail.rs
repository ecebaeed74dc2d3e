use std::collections::VecDeque;
use std::sync::Arc;
use telemetry_models::{Attempt, Event, EventId, LastGood, Outcome, StrategyKind, Timestamp};

/// Bad operations remembered in one window; from there on the middle ones are forgotten.
const MAX_BAD: usize = 16;

/// What a rule has seen of a selector's operations: the last good one, the bad ones in the window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    seen: u64,
    good_count: u64,
    good: Option<Good>,
    bad: VecDeque<Bad>,
    latest: Option<Box<Scene>>,
}

/// Kind and text of a strategy.
pub(crate) type Winner = (StrategyKind, Option<Arc<str>>);

#[derive(Clone, Debug)]
pub(crate) struct Good {
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
    pub(crate) value: Option<f64>,
    pub(crate) winner: Option<Winner>,
}

#[derive(Clone, Debug)]
pub(crate) struct Bad {
    number: u64,
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
    pub(crate) outcome: Outcome,
    before: Option<(Good, u64)>,
}

/// The latest bad operation, as far as it explains something.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) url: Option<Arc<str>>,
    pub(crate) template: Option<Arc<str>>,
}

impl Trail {
    pub(crate) fn good(&mut self, event: &Event) {
        self.seen += 1;
        self.good_count += 1;
        self.good = Some(Good {
            at: event.timestamp,
            event: event.id.clone(),
            value: None,
            winner: event.accepted().map(|it| (it.kind.clone(), it.text.clone())),
        });
    }

    /// `remember` is off while an alert is open: its evidence stays what made it fire. `before` is
    /// the window's value until now: the last good operation's, when that was just before.
    pub(crate) fn bad(&mut self, event: &Event, remember: bool, before: Option<f64>) {
        self.seen += 1;
        if let Some(good) = self.good.as_mut().filter(|good| good.value.is_none()) {
            good.value = before;
        }
        if !remember {
            return;
        }
        if self.bad.len() >= MAX_BAD {
            self.bad.remove(MAX_BAD / 2);
        }
        self.bad.push_back(Bad {
            number: self.seen,
            at: event.timestamp,
            event: event.id.clone(),
            outcome: event.outcome,
            before: self.good.clone().map(|good| (good, self.good_count)),
        });
        self.latest = Some(Box::new(Scene {
            attempts: event.attempts.clone(),
            url: event.page.as_ref().and_then(|page| page.url.clone()),
            template: event.page.as_ref().and_then(|page| page.url_template.clone()),
        }));
    }

    /// Forgets bad operations that left a window of `held` operations.
    pub(crate) fn keep(&mut self, held: usize) {
        let left = self.seen.saturating_sub(held as u64);
        while self.bad.front().is_some_and(|bad| bad.number <= left) {
            self.bad.pop_front();
        }
        if self.bad.is_empty() {
            self.latest = None;
        }
    }

    /// Forgets the bad operations.
    pub(crate) fn clear(&mut self) {
        self.bad.clear();
        self.latest = None;
    }

    pub(crate) fn bad_ones(&self) -> &VecDeque<Bad> {
        &self.bad
    }

    pub(crate) fn scene(&self) -> Option<&Scene> {
        self.latest.as_deref()
    }

    /// When the run of evidence began; without any, the last good operation.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.bad.front().map(|bad| bad.at).or_else(|| self.good.as_ref().map(|good| good.at))
    }

    /// The last good operation before the run of evidence, and how many were good until then.
    pub(crate) fn before(&self) -> Option<(&Good, u64)> {
        match self.bad.front() {
            Some(bad) => bad.before.as_ref().map(|(good, count)| (good, *count)),
            None => self.good.as_ref().map(|good| (good, self.good_count)),
        }
    }

    /// The last good operation and its winner, for a later run.
    pub(crate) fn remember(&self) -> Option<(LastGood, Option<Winner>)> {
        let good = self.good.as_ref()?;
        let last = LastGood {
            at: good.at,
            event: good.event.clone(),
            value: good.value,
            count: self.good_count,
        };
        Some((last, good.winner.clone()))
    }

    /// Takes over the last good operation of an earlier run.
    pub(crate) fn recall(&mut self, last: &LastGood, winner: Option<&Winner>) {
        self.good_count = last.count;
        self.good = Some(Good {
            at: last.at,
            event: last.event.clone(),
            value: last.value,
            winner: winner.cloned(),
        });
    }

    pub(crate) fn last_good(&self, usual: Option<f64>) -> Option<LastGood> {
        let (good, count) = self.before()?;
        Some(LastGood {
            at: good.at,
            event: good.event.clone(),
            value: usual.or(good.value),
            count,
        })
    }
}

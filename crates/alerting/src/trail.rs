use std::collections::VecDeque;
use std::sync::Arc;
use telemetry_models::{Attempt, Event, EventId, LastGood, Outcome, StrategyKind, Timestamp};

/// Bad operations remembered in one window; from there on the middle ones are forgotten.
const MAX_BAD: usize = 16;

/// What was seen of a selector's operations as some rules judge them: the last good one, and the
/// bad ones as far back as a window reaches.
///
/// As long as the latest operation is the last good one, nothing is copied: the selector's latest
/// operation is written down once for all rules.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trail {
    good_count: u64,
    /// The operation that was good last, counted over the selector's operations; 0 for none.
    good_at: u64,
    more: Option<Box<More>>,
}

#[derive(Clone, Debug, Default)]
struct More {
    /// The last good operation, when it is not the latest one.
    good: Option<Arc<Operation>>,
    /// What it was that a run of bad operations followed.
    before: Option<(u64, Arc<Before>)>,
    bad: VecDeque<Bad>,
    scene: Option<Arc<Scene>>,
}

/// Kind and text of a strategy.
pub(crate) type Winner = (StrategyKind, Option<Arc<str>>);

/// An operation, as far as it is told of later.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
    pub(crate) winner: Option<Winner>,
}

impl Operation {
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            at: event.timestamp,
            event: event.id.clone(),
            winner: event.accepted().map(|it| (it.kind.clone(), it.text.clone())),
        }
    }

    /// Becomes another operation; what stays the same is not copied.
    pub(crate) fn become_that(&mut self, event: &Event) {
        self.at = event.timestamp;
        self.event.clone_from(&event.id);
        match (event.accepted(), &self.winner) {
            (Some(won), Some((kind, text))) if *kind == won.kind && *text == won.text => {}
            (won, _) => self.winner = won.map(|it| (it.kind.clone(), it.text.clone())),
        }
    }
}

/// The last good operation before a run of bad ones.
#[derive(Clone, Debug)]
pub(crate) struct Before {
    good: Arc<Operation>,
    /// Good ones until then.
    count: u64,
    /// The window's value at that time, for each rule of the trail; NaN for none.
    values: Box<[f64]>,
}

#[derive(Clone, Debug)]
pub(crate) struct Bad {
    /// The sample's number.
    number: u64,
    pub(crate) at: Timestamp,
    pub(crate) event: EventId,
    pub(crate) outcome: Outcome,
    before: Option<Arc<Before>>,
}

/// The latest bad operation, as far as it explains something.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) url: Option<Arc<str>>,
    pub(crate) template: Option<Arc<str>>,
}

impl Scene {
    pub(crate) fn of(event: &Event) -> Self {
        Self {
            attempts: event.attempts.clone(),
            url: event.page.as_ref().and_then(|page| page.url.clone()),
            template: event.page.as_ref().and_then(|page| page.url_template.clone()),
        }
    }
}

impl Trail {
    /// Operation `number` of the selector is good; it will be the latest one.
    pub(crate) fn good(&mut self, number: u64, reached: u64) {
        self.good_count += 1;
        self.good_at = number;
        if self.more.is_some() {
            self.forget(reached);
        }
    }

    /// The latest operation will not be the latest any more, and the next is not a good one.
    pub(crate) fn leave(&mut self, latest_number: u64, latest: Option<&Arc<Operation>>) {
        if self.good_at == latest_number
            && let Some(latest) = latest
        {
            self.more.get_or_insert_default().good = Some(Arc::clone(latest));
        }
    }

    /// An operation is bad: sample `number` of its signal. Call [`leave`](Self::leave) before.
    pub(crate) fn bad(
        &mut self,
        number: u64,
        event: &Event,
        scene: &Arc<Scene>,
        values: impl FnOnce() -> Box<[f64]>,
    ) {
        let (count, good_at) = (self.good_count, self.good_at);
        let more = self.more.get_or_insert_default();
        if let Some(good) = &more.good
            && more.before.as_ref().is_none_or(|(at, _)| *at != good_at)
        {
            let before = Before { good: Arc::clone(good), count, values: values() };
            more.before = Some((good_at, Arc::new(before)));
        }
        if more.bad.len() >= MAX_BAD {
            more.bad.remove(MAX_BAD / 2);
        } else if more.bad.len() == more.bad.capacity() {
            more.bad.reserve_exact(more.bad.len().max(1));
        }
        more.bad.push_back(Bad {
            number,
            at: event.timestamp,
            event: event.id.clone(),
            outcome: event.outcome,
            before: more.before.as_ref().map(|(_, before)| Arc::clone(before)),
        });
        more.scene = Some(Arc::clone(scene));
    }

    /// Forgets bad operations below a number.
    pub(crate) fn forget(&mut self, reached: u64) {
        let Some(more) = &mut self.more else { return };
        while more.bad.front().is_some_and(|bad| bad.number < reached) {
            more.bad.pop_front();
        }
        if more.bad.is_empty() {
            (more.bad, more.scene) = (VecDeque::new(), None);
        }
    }

    /// Lets go of what repeats the latest operation, which is a good one.
    pub(crate) fn tidy(&mut self, latest_number: u64) {
        if self.good_at == latest_number && self.more.as_ref().is_some_and(|it| it.bad.is_empty()) {
            self.more = None;
        }
    }

    /// Whether operation `number` of the selector is the last good one.
    pub(crate) fn is_good(&self, number: u64) -> bool {
        self.good_at == number
    }

    /// Forgets every bad operation, and what was before them.
    pub(crate) fn settle(&mut self) {
        self.clear();
        if let Some(more) = &mut self.more {
            more.before = None;
            if more.good.is_none() {
                self.more = None;
            }
        }
    }

    /// Forgets every bad operation.
    pub(crate) fn clear(&mut self) {
        self.forget(u64::MAX);
    }

    /// Takes over the last good operation of an earlier run.
    pub(crate) fn recall(&mut self, last: &LastGood, winner: Option<&Winner>) {
        if self.good_at != 0 || self.good_count != 0 {
            return;
        }
        self.good_count = last.count;
        let good = Operation { at: last.at, event: last.event.clone(), winner: winner.cloned() };
        self.more.get_or_insert_default().good = Some(Arc::new(good));
    }

    /// The last good operation and its winner, for a later run.
    pub(crate) fn remember(
        &self,
        latest: (u64, Option<&Arc<Operation>>),
    ) -> Option<(LastGood, Option<Winner>)> {
        let good = self.last_good(latest)?;
        let last = LastGood {
            at: good.at,
            event: good.event.clone(),
            value: None,
            count: self.good_count,
        };
        Some((last, good.winner.clone()))
    }

    fn last_good<'a>(
        &'a self,
        (number, latest): (u64, Option<&'a Arc<Operation>>),
    ) -> Option<&'a Arc<Operation>> {
        if self.good_at == number && number > 0 {
            return latest;
        }
        self.more.as_ref()?.good.as_ref()
    }

    /// What one rule sees of it: bad operations from sample `start` on; the rule is the `rule`th of
    /// the trail.
    pub(crate) fn view<'a>(
        &'a self,
        start: u64,
        rule: usize,
        latest: (u64, Option<&'a Arc<Operation>>),
    ) -> View<'a> {
        let bad = self.more.iter().flat_map(|more| &more.bad);
        let bad: Vec<&Bad> = bad.filter(|bad| bad.number >= start).collect();
        let scene = self.more.as_ref().and_then(|more| more.scene.as_deref());
        View {
            scene: scene.filter(|_| !bad.is_empty()),
            bad,
            good: self.last_good(latest),
            good_count: self.good_count,
            rule,
        }
    }
}

/// What one rule sees of a trail.
pub(crate) struct View<'a> {
    bad: Vec<&'a Bad>,
    scene: Option<&'a Scene>,
    good: Option<&'a Arc<Operation>>,
    good_count: u64,
    rule: usize,
}

impl View<'_> {
    pub(crate) fn bad(&self) -> &[&Bad] {
        &self.bad
    }

    pub(crate) fn scene(&self) -> Option<&Scene> {
        self.scene
    }

    /// When the run of evidence began; without any, the last good operation.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.bad.first().map(|bad| bad.at).or_else(|| self.good.map(|good| good.at))
    }

    /// What won in the last good operation before the run of evidence.
    pub(crate) fn winner_before(&self) -> Option<&Winner> {
        match self.bad.first() {
            Some(bad) => bad.before.as_ref()?.good.winner.as_ref(),
            None => self.good?.winner.as_ref(),
        }
    }

    /// The last good operation before the run of evidence; `usual` is what its value should be.
    pub(crate) fn last_good(&self, usual: Option<f64>) -> Option<LastGood> {
        let (good, count, value) = match self.bad.first() {
            Some(bad) => {
                let before = bad.before.as_ref()?;
                (
                    &before.good,
                    before.count,
                    before.values.get(self.rule).copied().filter(|it| !it.is_nan()),
                )
            }
            None => (self.good?, self.good_count, None),
        };
        Some(LastGood { at: good.at, event: good.event.clone(), value: usual.or(value), count })
    }
}

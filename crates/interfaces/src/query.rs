use crate::{Continuation, Parts, SelectorPattern};
use std::sync::Arc;
use telemetry_models::{CorrelationId, Event, EventId, Outcome, RunId, StrategyKind, Timestamp};

/// Which end of time a query begins at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// By timestamp, earliest first.
    #[default]
    OldestFirst,
    /// By timestamp, latest first.
    NewestFirst,
    /// Whatever is cheapest: for questions whose answer does not depend on it. With
    /// [`Query::after`] it is the oldest first.
    Any,
}

/// Which events. Every condition that is set must hold; the default covers all events.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Query {
    /// Selectors, by name.
    pub selector: Option<SelectorPattern>,
    /// Site: host and port, without `www.`.
    pub site: Option<Arc<str>>,
    /// Timestamp at or after this.
    pub from: Option<Timestamp>,
    /// Timestamp before this.
    pub to: Option<Timestamp>,
    /// Outcome is one of these; empty means any.
    pub outcomes: Vec<Outcome>,
    /// Some attempt used this strategy.
    pub strategy: Option<StrategyKind>,
    /// Belongs to this piece of work.
    pub correlation: Option<CorrelationId>,
    /// Is this event.
    pub event: Option<EventId>,
    /// Belongs to this run.
    pub run: Option<RunId>,
    /// Order of the answer.
    pub order: Order,
    /// At most so many events.
    pub limit: Option<usize>,
    /// Go on where an earlier answer to the same query was left off.
    pub after: Option<Continuation>,
    /// What of each event to give.
    pub parts: Parts,
}

impl Query {
    /// All events, oldest first.
    pub fn all() -> Self {
        Self::default()
    }

    /// The parts that are needed to judge and to give an event.
    pub fn parts_needed(&self) -> Parts {
        let mut parts = self.parts;
        let conditions = [
            (self.site.is_some(), Parts::PAGE),
            (self.strategy.is_some(), Parts::ATTEMPTS),
            (self.correlation.is_some(), Parts::CORRELATION),
            (self.run.is_some(), Parts::ORIGIN),
        ];
        for (_, part) in conditions.into_iter().filter(|(asked, _)| *asked) {
            parts = parts | part;
        }
        parts
    }

    /// Whether an event meets every condition (order and limit aside).
    pub fn matches(&self, event: &Event) -> bool {
        self.covers_time(event.timestamp)
            && self.selector.as_ref().is_none_or(|it| it.matches(event.selector.as_str()))
            && (self.outcomes.is_empty() || self.outcomes.contains(&event.outcome))
            && self.site.as_ref().is_none_or(|it| event.site() == Some(it))
            && self.strategy.as_ref().is_none_or(|it| event.attempts.iter().any(|a| a.kind == *it))
            && self.correlation.as_ref().is_none_or(|it| event.correlation_id.as_ref() == Some(it))
            && self.event.as_ref().is_none_or(|it| event.id == *it)
            && self.run.as_ref().is_none_or(|it| event.run.as_ref() == Some(it))
    }

    /// Whether a timestamp lies in the range.
    pub fn covers_time(&self, at: Timestamp) -> bool {
        self.from.is_none_or(|from| at >= from) && self.to.is_none_or(|to| at < to)
    }

    /// Whether the range and a block's first and last timestamp have anything in common.
    pub fn overlaps(&self, first: Timestamp, last: Timestamp) -> bool {
        self.from.is_none_or(|from| last >= from) && self.to.is_none_or(|to| first < to)
    }
}

use crate::{Result, SelectorPattern};
use serde::Serialize;
use std::sync::Arc;
use telemetry_models::Timestamp;
use telemetry_models::rollup::{Rollup, RollupPeriod};

/// Which rollups. Every condition that is set must hold.
#[derive(Clone, Debug, PartialEq)]
pub struct RollupQuery {
    /// Of hours, days or months.
    pub period: RollupPeriod,
    /// Selectors, by name.
    pub selector: Option<SelectorPattern>,
    /// Site: host and port, without `www.`.
    pub site: Option<Arc<str>>,
    /// The period begins at or after this.
    pub from: Option<Timestamp>,
    /// The period begins before this.
    pub to: Option<Timestamp>,
}

impl RollupQuery {
    /// All rollups of one kind of period.
    pub fn all(period: RollupPeriod) -> Self {
        Self { period, selector: None, site: None, from: None, to: None }
    }

    /// Whether a period's start lies in the range.
    pub fn covers(&self, start: Timestamp) -> bool {
        self.from.is_none_or(|from| start >= from) && self.to.is_none_or(|to| start < to)
    }

    /// Whether a rollup meets every condition.
    pub fn matches(&self, rollup: &Rollup) -> bool {
        rollup.period == self.period
            && self.covers(rollup.start)
            && self.selector.as_ref().is_none_or(|it| it.matches(rollup.selector.as_str()))
            && (self.site.is_none() || self.site == rollup.site)
    }
}

/// A stream of rollups, by selector, site and start within each file. Damage shows as an error
/// item; what follows it is still delivered.
pub type RollupIter<'a> = Box<dyn Iterator<Item = Result<Rollup>> + Send + 'a>;

/// The answer to a [`RollupQuery`].
pub struct RollupAnswer<'a> {
    /// The rollups.
    pub rollups: RollupIter<'a>,
    /// Starts of the UTC days whose rollups are absent or older than the events: events arrived
    /// since. Whoever needs these days exactly reads their events, and leaves their rollups out.
    pub stale_days: Vec<Timestamp>,
}

impl std::fmt::Debug for RollupAnswer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RollupAnswer").field("stale_days", &self.stale_days).finish()
    }
}

/// Keeps rollups beside a store's events. They outlive the events.
pub trait RollupStore: Send + Sync {
    /// The rollups that meet the query. One selector and site may come several times with
    /// different starts, never twice with the same.
    ///
    /// # Errors
    /// When the rollups cannot be read at all.
    fn query_rollups(&self, query: &RollupQuery) -> Result<RollupAnswer<'_>>;

    /// Brings the rollups of every stale day up to date: durable on return. Harmless when called
    /// again, and when events were stored twice: what a day's rollups already hold is known by
    /// run, producer and sequence. `progress` is called with days done and days in all.
    ///
    /// # Errors
    /// `Unavailable` when another process is at it; otherwise when events cannot be read or
    /// rollups cannot be written. Rollups that were there before are untouched then.
    fn roll_up(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<RollUpReport>;
}

/// What [`RollupStore::roll_up`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RollUpReport {
    /// UTC days (`YYYY-MM-DD`) that were computed anew or added to.
    pub days: Vec<String>,
    /// Days that were up to date.
    pub unchanged: u64,
    /// Events that were read.
    pub events: u64,
    /// Events among them that the rollups already held.
    pub known: u64,
    /// Bytes of all rollups on disk.
    pub bytes: u64,
    /// Damage met while reading events: what it held is in no rollup.
    pub damage: Vec<String>,
}

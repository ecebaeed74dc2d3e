//! Rollups beside the events.

use super::{SegmentStore, Shared};
use crate::rollup;
use std::sync::atomic::Ordering;
use telemetry_interfaces::{
    DayStats, EventIter, Query, Result, RollUpReport, RollupAnswer, RollupQuery, RollupStore,
};

impl rollup::Events for Shared {
    fn days(&self) -> Result<Vec<DayStats>> {
        Ok(self.days_stored())
    }

    fn events(&self, query: &Query) -> Result<EventIter<'_>> {
        Ok(Box::new(self.plan(query)?))
    }
}

impl Shared {
    /// Rolls up days that have ended.
    pub(super) fn roll_up_in_background(&self) -> Result<()> {
        let stop = || self.closing.load(Ordering::SeqCst);
        rollup::roll_up_ended(&*self.disk, &self.path, self, &stop)
    }
}

impl RollupStore for SegmentStore {
    fn query_rollups(&self, query: &RollupQuery) -> Result<RollupAnswer<'_>> {
        self.shared.refresh()?;
        let days = self.shared.days_stored();
        rollup::answer(&*self.shared.disk, &self.shared.path, &days, query)
    }

    fn roll_up(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<RollUpReport> {
        rollup::roll_up(&*self.shared.disk, &self.shared.path, self, progress)
    }
}

//! Rollups beside the events.

use super::SegmentStore;
use crate::rollup;
use telemetry_interfaces::{
    EventStore, Result, RollUpReport, RollupAnswer, RollupQuery, RollupStore,
};

impl RollupStore for SegmentStore {
    fn query_rollups(&self, query: &RollupQuery) -> Result<RollupAnswer<'_>> {
        let days = self.stats()?.days;
        rollup::answer(&*self.shared.disk, &self.shared.path, &days, query)
    }

    fn roll_up(&self, progress: &mut dyn FnMut(u64, u64)) -> Result<RollUpReport> {
        rollup::roll_up(&*self.shared.disk, &self.shared.path, self, progress)
    }
}

use telemetry_runtime::interfaces::{
    Ack, Capabilities, Durability, EventIter, EventStore, Ledger, MemoryStore, Query, Result,
    StoreStats,
};
use telemetry_runtime::models::Event;

/// Takes every event and keeps none, as the exporters of the libraries compared with do.
#[derive(Debug, Default)]
pub(super) struct Discard;

impl EventStore for Discard {
    fn backend(&self) -> &'static str {
        "discard"
    }
    fn capabilities(&self) -> Capabilities {
        MemoryStore::new().capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<Ack> {
        let stored = batch.len() as u64;
        Ok(Ack { stored, duplicates: 0, durability: Durability::None })
    }
    fn append_ledger(&self, _ledger: &Ledger) -> Result<()> {
        Ok(())
    }
    fn ledgers(&self) -> Result<Vec<Ledger>> {
        Ok(Vec::new())
    }
    fn flush(&self) -> Result<()> {
        Ok(())
    }
    fn query(&self, _query: &Query) -> Result<EventIter<'_>> {
        Ok(Box::new(std::iter::empty()))
    }
    fn stats(&self) -> Result<StoreStats> {
        MemoryStore::new().stats()
    }
    fn close(&self) -> Result<()> {
        Ok(())
    }
}

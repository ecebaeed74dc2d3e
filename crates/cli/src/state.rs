use std::path::Path;
use std::sync::Arc;
use telemetry_runtime::alerting::AlertBook;
use telemetry_runtime::interfaces::Result;
use telemetry_runtime::storage::SqliteState;

/// The alerts of a store; `None` when nothing ever kept any. Makes nothing, writes nothing.
///
/// # Errors
/// TEL-001 or TEL-007 when the state is there and cannot be read.
pub(crate) fn book(store: &Path) -> Result<Option<AlertBook>> {
    let state = SqliteState::open_read_only(store)?;
    Ok(state.map(|state| AlertBook::new(Arc::new(state))))
}

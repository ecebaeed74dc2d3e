use std::path::Path;
use std::sync::Arc;
use telemetry_runtime::alerting::AlertBook;
use telemetry_runtime::interfaces::{Code, Error, ErrorKind, Result};
use telemetry_runtime::storage::SqliteState;

/// The alerts of a store; `None` when nothing ever kept any. Makes nothing, writes nothing.
///
/// # Errors
/// TEL-001 or TEL-007 when the state is there and cannot be read.
pub(crate) fn book(store: &Path) -> Result<Option<AlertBook>> {
    let state = SqliteState::open_read_only(store)?;
    Ok(state.map(|state| AlertBook::new(Arc::new(state))))
}

/// The alerts of a store, to have something done with them.
///
/// # Errors
/// TEL-001 when there is no state to write to, or it cannot be opened.
pub(crate) fn writable_book(store: &Path) -> Result<AlertBook> {
    if SqliteState::open_read_only(store)?.is_none() {
        let message = "there is no state beside the store, so there are no alerts";
        return Err(Error::new(ErrorKind::NotFound, Code::StorageUnavailable, message)
            .with("store", store.display())
            .cure("name the store with --store DIR"));
    }
    Ok(AlertBook::new(Arc::new(SqliteState::open(store)?)))
}

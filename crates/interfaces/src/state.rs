use crate::Result;

/// Small state that changes in place: alerts, silences, the notification outbox, schedules.
///
/// A collection holds values by key. Values are JSON texts, so that a person can read the
/// database. Every implementation is durable when `commit` returns, or says that it is not in its
/// documentation.
pub trait StateStore: Send + Sync {
    /// One value.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn load(&self, collection: &str, key: &str) -> Result<Option<String>>;

    /// All values of a collection, ordered by key.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn list(&self, collection: &str) -> Result<Vec<(String, String)>>;

    /// The first `limit` keys of a collection that come before `before`, in order.
    ///
    /// # Errors
    /// When the state cannot be read.
    fn keys_before(&self, collection: &str, before: &str, limit: usize) -> Result<Vec<String>> {
        let keys = self.list(collection)?.into_iter().map(|(key, _)| key);
        Ok(keys.take_while(|key| &**key < before).take(limit).collect())
    }

    /// Makes all changes, or none.
    ///
    /// # Errors
    /// When the state cannot be written; nothing was changed then.
    fn commit(&self, changes: &[StateChange]) -> Result<()>;
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StateChange {
    /// Sets a value.
    Put {
        /// The collection.
        collection: String,
        /// The key within it.
        key: String,
        /// The value, a JSON text.
        value: String,
    },
    /// Removes a value; nothing happens when it is not there.
    Remove {
        /// The collection.
        collection: String,
        /// The key within it.
        key: String,
    },
}

impl StateChange {
    /// Sets a value.
    pub fn put(collection: &str, key: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Put { collection: collection.into(), key: key.into(), value: value.into() }
    }

    /// Removes a value.
    pub fn remove(collection: &str, key: impl Into<String>) -> Self {
        Self::Remove { collection: collection.into(), key: key.into() }
    }
}

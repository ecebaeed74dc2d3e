use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_interfaces::{
    Code, Component, DefinitionVersions, Error, ErrorKind, Health, MemoryVersions, Result,
    StateChange, StateStore,
};
use telemetry_models::{SelectorDefinition, SelectorName, StrategyDefinition};

/// Collection of the state: by the selector's name, the definition that was used last.
const COLLECTION: &str = "definitions";
/// How long a drop without a shutdown waits for the last changes to be written.
const DROP_LIMIT: Duration = Duration::from_secs(5);

/// A row of the collection, as JSON.
#[derive(Serialize, Deserialize)]
struct Row {
    version: u32,
    strategies: Vec<StrategyDefinition>,
}

/// Versions of definitions that outlive the process. It answers from memory; a thread of its own
/// writes what changed into the state. Names and texts are kept as events bear them: without
/// secrets, and pseudonymous where that is asked for.
pub(crate) struct StoredVersions {
    known: MemoryVersions,
    collector: Collector,
    writer: Sender<Task>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// Why the last write failed.
    failure: Arc<Mutex<Option<String>>>,
}

enum Task {
    Keep(SelectorDefinition),
    /// Answers when everything before it is written.
    Flush(Sender<Result<()>>),
    End,
}

impl StoredVersions {
    /// Loads what is known and starts the writer.
    ///
    /// # Errors
    /// When the state or one of its rows cannot be read, or no thread can be started.
    pub(crate) fn start(state: Arc<dyn StateStore>, collector: Collector) -> Result<Self> {
        let known = MemoryVersions::new();
        for (key, json) in state.list(COLLECTION)? {
            known.learn(read(&key, &json)?);
        }
        let (writer, tasks) = channel();
        let failure = Arc::new(Mutex::new(None));
        let failed = Arc::clone(&failure);
        let thread = std::thread::Builder::new()
            .name("telemetry-definitions".into())
            .spawn(move || write(&*state, &tasks, &failed))
            .map_err(|error| {
                let message = "the thread that keeps definitions cannot be started";
                Error::new(ErrorKind::Unavailable, Code::Processing, message).source(error)
            })?;
        Ok(Self { known, collector, writer, thread: Mutex::new(Some(thread)), failure })
    }

    /// Waits until every change so far is written, at most `limit`.
    ///
    /// # Errors
    /// When a change could not be written, or not within the limit; it is tried again with the
    /// next change or flush.
    pub(crate) fn flush(&self, limit: Duration) -> Result<()> {
        let (done, written) = channel();
        if self.writer.send(Task::Flush(done)).is_err() {
            return Ok(());
        }
        match written.recv_timeout(limit) {
            Ok(result) => result,
            Err(RecvTimeoutError::Disconnected) => Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                let message = format!("the definitions in use were not written within {limit:?}");
                Err(Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, message)
                    .cure("give shutdown more time, or see why the disk is slow"))
            }
        }
    }
}

impl DefinitionVersions for StoredVersions {
    fn version_of(&self, definition: &SelectorDefinition) -> u32 {
        let mut kept = self.collector.privacy().definition(definition);
        let (version, news) = self.known.settle(&kept);
        if news {
            kept.version = version;
            // Without a writer the process is ending, and the next one counts from what is kept.
            drop(self.writer.send(Task::Keep(kept)));
        }
        version
    }
}

impl Component for StoredVersions {
    fn name(&self) -> &str {
        "definitions"
    }

    fn start(&self) -> Result<()> {
        Ok(())
    }

    fn health(&self) -> Health {
        match &*self.failure.lock() {
            None => Health::healthy("versions of definitions are kept"),
            Some(failure) => Health::degraded(
                Code::StorageUnavailable,
                format!("versions of definitions are not kept: {failure}"),
            ),
        }
    }

    fn drain(&self, limit: Duration) -> Result<()> {
        self.flush(limit)
    }

    fn shutdown(&self) -> Result<()> {
        if let Some(thread) = self.thread.lock().take() {
            // The thread may be waiting for a disk: it is told to end, not waited for.
            drop(self.writer.send(Task::End));
            drop(thread);
        }
        Ok(())
    }
}

impl Drop for StoredVersions {
    fn drop(&mut self) {
        // A failure has nobody to go to; health told it while there was someone to ask.
        drop(self.flush(DROP_LIMIT));
        drop(self.writer.send(Task::End));
    }
}

/// Writes changes as they come, all that wait at once. What cannot be written is kept for the next
/// time.
fn write(state: &dyn StateStore, tasks: &Receiver<Task>, failure: &Mutex<Option<String>>) {
    let mut waiting = BTreeMap::new();
    let mut ending = false;
    while !ending {
        let Ok(first) = tasks.recv() else { return };
        let mut flushes = Vec::new();
        for task in std::iter::once(first).chain(tasks.try_iter()) {
            match task {
                Task::Keep(definition) => {
                    waiting.insert(definition.name.clone(), row(definition));
                }
                Task::Flush(done) => flushes.push(done),
                Task::End => ending = true,
            }
        }
        let changes: Vec<StateChange> = waiting.values().cloned().collect();
        let result = if changes.is_empty() { Ok(()) } else { state.commit(&changes) };
        *failure.lock() = result.as_ref().err().map(ToString::to_string);
        if result.is_ok() {
            waiting.clear();
        }
        let mut result = Some(result);
        for done in flushes {
            let answer = result.take().unwrap_or_else(|| match &*failure.lock() {
                None => Ok(()),
                Some(failure) => Err(Error::new(
                    ErrorKind::Unavailable,
                    Code::StorageUnavailable,
                    failure.clone(),
                )),
            });
            // Who no longer waits needs no answer.
            drop(done.send(answer));
        }
    }
}

fn row(definition: SelectorDefinition) -> StateChange {
    let SelectorDefinition { name, version, strategies } = definition;
    let json = serde_json::to_string(&Row { version, strategies })
        .expect("a number and texts are always JSON");
    StateChange::put(COLLECTION, name.as_str(), json)
}

fn read(key: &str, json: &str) -> Result<SelectorDefinition> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        let message = "a row of the definitions in use is not readable";
        Error::new(ErrorKind::Corrupt, Code::Corruption, message)
            .with("collection", COLLECTION)
            .with("key", key)
            .source(error)
            .cure("restore the state from a backup, or remove the row: its versions begin anew")
    };
    let row: Row = serde_json::from_str(json).map_err(|error| unreadable(error.into()))?;
    let name = SelectorName::new(key).map_err(|error| unreadable(error.into()))?;
    Ok(SelectorDefinition { name, version: row.version, strategies: row.strategies })
}

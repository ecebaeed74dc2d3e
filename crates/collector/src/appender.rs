//! The thread that calls the store. A store may take its time, hang or panic; whoever hands it
//! something here decides for itself how long to wait for the answer.

use crate::consumers::text;
use crate::diagnostics;
use crate::shared::Shared;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::JoinHandle;
use telemetry_interfaces::{Code, Error, ErrorKind, EventStore, Ledger, Result};
use telemetry_models::Event;

/// What the store is asked for.
#[derive(Debug)]
pub(crate) enum Job {
    Append(Arc<Vec<Event>>),
    /// Appends ledgers until one is not taken.
    Ledgers(Vec<Ledger>),
    Flush,
}

/// What it said.
#[derive(Debug)]
pub(crate) enum Answer {
    Appended(Fate, Option<Error>),
    /// Of the ledgers, so many were taken.
    Ledgers(usize, Option<Error>),
    Flushed(Option<Error>),
}

/// How a batch fared.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fate {
    /// Every event is stored or refused for good.
    Settled { stored: u64, refused: u64 },
    /// The store takes nothing: only the first `done` events are settled.
    Stopped { done: usize, stored: u64, refused: u64 },
}

/// One job at a time; the next is handed over when the answer to the last has been taken.
#[derive(Debug)]
pub(crate) struct Appender {
    jobs: Option<Sender<Job>>,
    answers: Receiver<Answer>,
    /// Keeps `answers` connected, so that a receiver of it waits instead of spinning.
    _open: Sender<Answer>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Appender {
    /// Starts the thread.
    pub(crate) fn start(store: Arc<dyn EventStore>, shared: &Arc<Shared>) -> Result<Self> {
        let (jobs, taken) = bounded::<Job>(1);
        let (say, answers) = bounded(1);
        let open = say.clone();
        let shared = Arc::clone(shared);
        let work = move || {
            let _log = diagnostics::span(&shared).entered();
            drop(shared);
            for job in taken {
                // Nobody waits for the answer once the pipeline has ended.
                let _ = say.send(answer(&*store, job));
            }
        };
        let thread = std::thread::Builder::new()
            .name("telemetry-store".into())
            .spawn(work)
            .map_err(|error| {
                let message = "the store's thread cannot be started";
                Error::new(ErrorKind::Unavailable, Code::Processing, message).source(error)
            })?;
        let thread = Some(thread);
        Ok(Self { jobs: Some(jobs), answers, _open: open, thread, busy: false })
    }

    /// Hands a job over. Only when the last one was answered.
    pub(crate) fn submit(&mut self, job: Job) {
        self.busy = true;
        if let Some(jobs) = &self.jobs {
            // The channel has a place for it, and the thread lives as long as the channel.
            let _ = jobs.try_send(job);
        }
    }

    /// Where the answers arrive; each is to be made known by [`answered`](Self::answered).
    pub(crate) fn answers(&self) -> &Receiver<Answer> {
        &self.answers
    }

    pub(crate) fn answered(&mut self) {
        self.busy = false;
    }
}

impl Drop for Appender {
    /// Waits for the thread, which holds the store, unless the store hangs.
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take().filter(|_| !self.busy) {
            // It catches what a store does, and has nothing else to fail at.
            let _ = thread.join();
        }
    }
}

fn answer(store: &dyn EventStore, job: Job) -> Answer {
    match job {
        Job::Append(batch) => {
            let (fate, error) = append(store, &batch);
            Answer::Appended(fate, error)
        }
        Job::Ledgers(ledgers) => {
            for (taken, ledger) in ledgers.iter().enumerate() {
                match guarded("append_ledger", || store.append_ledger(ledger)) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::Unsupported => {}
                    Err(error) => return Answer::Ledgers(taken, Some(error)),
                }
            }
            Answer::Ledgers(ledgers.len(), None)
        }
        Job::Flush => Answer::Flushed(guarded("flush", || store.flush()).err()),
    }
}

/// Appends a batch. When an event of it is refused, the others are not lost with it.
fn append(store: &dyn EventStore, batch: &[Event]) -> (Fate, Option<Error>) {
    let append = |batch| guarded("append", || store.append(batch));
    let refusal = match append(batch) {
        Ok(ack) => {
            return (Fate::Settled { stored: ack.stored + ack.duplicates, refused: 0 }, None);
        }
        Err(error) if error.kind() == ErrorKind::Invalid => error,
        Err(error) => return (Fate::Stopped { done: 0, stored: 0, refused: 0 }, Some(error)),
    };
    let (mut stored, mut refused) = (0, 0);
    for (done, event) in batch.iter().enumerate() {
        match append(std::slice::from_ref(event)) {
            Ok(ack) => stored += ack.stored + ack.duplicates,
            Err(error) if error.kind() == ErrorKind::Invalid => refused += 1,
            Err(error) => return (Fate::Stopped { done, stored, refused }, Some(error)),
        }
    }
    (Fate::Settled { stored, refused }, Some(refusal))
}

/// A store that panics is one that cannot be reached: what it did with the batch is not known, and
/// it recognises the events when they come again.
fn guarded<T>(call: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
        let message = format!("the store panicked in {call}: {}", text(&*panic));
        Err(Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, message)
            .cure("report it to the store's authors; its events wait and are tried again"))
    })
}

use crate::backlog::{Backlog, Oldest};
use crate::ledger::Waiting;
use crate::shared::Shared;
use crate::spool::Spool;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{DropReason, Error, ErrorKind, EventStore, Ledger};
use telemetry_models::Event;

/// How long to wait before a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the ledger goes to the store without anybody asking, when it has changed.
const LEDGER_EVERY: Duration = Duration::from_secs(60);

/// Hands events to the store in batches, and to the backlog while the store takes none.
///
/// A store may be slow: `append` then blocks the pipeline's thread, the queue fills, and the
/// policy for a full queue says what happens. The engine's threads never get here.
pub(crate) struct Writer {
    store: Arc<dyn EventStore>,
    batch: Vec<Event>,
    /// When the oldest event of the batch arrived.
    since: Option<Duration>,
    backlog: Backlog,
    next_try: Duration,
    /// What the store said last, until it takes events again.
    trouble: Option<String>,
    /// What the spool said last, until it takes events again.
    spool_trouble: Option<String>,
    /// Whether the spool still has to be looked through for what earlier processes left.
    unopened: bool,
    ledger_due: Duration,
    last_ledger: Option<Ledger>,
}

/// How a batch fared.
enum Fate {
    /// Every event is stored or refused for good.
    Settled { stored: u64, refused: u64 },
    /// The store takes nothing: only the first `done` events are settled.
    Stopped { done: usize, stored: u64, refused: u64 },
}

impl Writer {
    pub(crate) fn new(store: Arc<dyn EventStore>, shared: &Shared) -> Self {
        let config = &shared.config;
        let spool = config.spool_dir.clone().map(|dir| {
            Spool::new(dir, config.spool_bytes, shared.run.clone(), shared.producer.clone())
        });
        Self {
            store,
            batch: Vec::new(),
            since: None,
            backlog: Backlog::new(spool, config.backlog_events),
            next_try: Duration::ZERO,
            trouble: None,
            spool_trouble: None,
            unopened: true,
            ledger_due: shared.time.monotonic() + LEDGER_EVERY,
            last_ledger: None,
        }
    }

    /// Looks for what earlier processes left; it is replayed before anything new is stored.
    pub(crate) fn begin(&mut self, shared: &Shared) {
        match self.backlog.open() {
            Ok(()) => self.unopened = false,
            Err(error) => {
                // Somebody may hold it who is about to end.
                self.next_try = shared.time.monotonic() + RETRY;
                return self.report_spool(&error);
            }
        }
        self.spool_trouble = None;
        let (_, earlier) = self.backlog.waiting();
        if earlier > 0 {
            let place = self.backlog.place();
            tracing::info!(
                target: "telemetry::collector",
                "{earlier} events of earlier runs wait {place}; they are replayed now"
            );
        }
        self.settle_earlier();
        self.note(shared);
    }

    pub(crate) fn push(&mut self, events: Vec<Event>, shared: &Shared) {
        if events.is_empty() {
            return;
        }
        self.since.get_or_insert_with(|| shared.time.monotonic());
        self.batch.extend(events);
        while self.batch.len() >= shared.config.batch_events {
            let rest = self.batch.split_off(shared.config.batch_events);
            let full = std::mem::replace(&mut self.batch, rest);
            self.write(full, shared);
        }
    }

    /// Writes what has waited long enough, and some of what waits for the store.
    pub(crate) fn tick(&mut self, shared: &Shared) {
        let now = shared.time.monotonic();
        let due = self
            .since
            .is_some_and(|since| now.saturating_sub(since) >= shared.config.write_interval());
        if due {
            self.write_all(shared);
        }
        if self.unopened && now >= self.next_try {
            self.begin(shared);
        }
        if !self.backlog.is_empty() && now >= self.next_try {
            // One batch a turn: the queue is emptied in between.
            self.replay(shared);
        }
        if now >= self.ledger_due {
            self.ledger_due = now + LEDGER_EVERY;
            self.write_ledger(shared);
        }
    }

    /// Writes everything, also to a store that failed a moment ago, and flushes the store; at most
    /// `limit`. Whether everything is stored or counted as dropped.
    pub(crate) fn drain(&mut self, limit: Duration, shared: &Shared) -> bool {
        let started = shared.time.monotonic();
        self.next_try = Duration::ZERO;
        if self.unopened {
            self.begin(shared);
        }
        self.write_all(shared);
        while !self.backlog.is_empty() && self.replay(shared) {
            if shared.time.monotonic().saturating_sub(started) >= limit {
                break;
            }
        }
        if !self.backlog.is_empty() {
            self.backlog.settle();
        }
        self.write_ledger(shared);
        self.note(shared);
        match self.store.flush() {
            Ok(()) => self.backlog.is_empty(),
            Err(error) => {
                self.report(&error);
                self.note(shared);
                false
            }
        }
    }

    /// The process ends: what waits in memory only is lost.
    pub(crate) fn end(&mut self, shared: &Shared) {
        let lost = self.backlog.abandon_memory();
        if lost > 0 {
            let (spooled, _) = self.backlog.waiting();
            shared.counts.settle(|fates| {
                fates.spooled = spooled;
                fates.drop_events(DropReason::StoreFailed, lost);
            });
            self.backlog.save(|| shared.ledger());
            self.note(shared);
        }
    }

    fn write_all(&mut self, shared: &Shared) {
        let batch = std::mem::take(&mut self.batch);
        self.write(batch, shared);
    }

    fn write(&mut self, mut batch: Vec<Event>, shared: &Shared) {
        self.since = (!self.batch.is_empty()).then(|| shared.time.monotonic());
        if batch.is_empty() {
            return;
        }
        // What waits is older.
        if self.backlog.is_empty() {
            let (fate, error) = append(&*self.store, &batch);
            match &error {
                Some(error) => self.report(error),
                None => self.recovered(),
            }
            match fate {
                Fate::Settled { stored, refused } => {
                    return shared.counts.settle(|fates| {
                        fates.stored += stored;
                        fates.drop_events(DropReason::Invalid, refused);
                    });
                }
                Fate::Stopped { done, stored, refused } => {
                    self.next_try = shared.time.monotonic() + RETRY;
                    shared.counts.settle(|fates| {
                        fates.stored += stored;
                        fates.drop_events(DropReason::Invalid, refused);
                    });
                    batch.drain(..done);
                }
            }
        }
        self.keep(batch, shared);
    }

    /// Keeps events for later, as many as there is room for.
    fn keep(&mut self, events: Vec<Event>, shared: &Shared) {
        let (lost, trouble) = self.backlog.keep(events);
        match trouble {
            Some(error) => self.report_spool(&error),
            None => self.spool_trouble = None,
        }
        let (spooled, _) = self.backlog.waiting();
        shared.counts.settle(|fates| {
            fates.spooled = spooled;
            fates.drop_events(DropReason::StoreFailed, lost);
        });
        self.backlog.save(|| shared.ledger());
        self.note(shared);
    }

    /// Tries the oldest batch that waits. Whether the store took it.
    fn replay(&mut self, shared: &Shared) -> bool {
        let Oldest { events: oldest, ours } = self.backlog.peek(shared.config.batch_events);
        let events = oldest.len();
        let store = Arc::clone(&self.store);
        let (fate, error) = match events {
            0 => (Fate::Settled { stored: 0, refused: 0 }, None),
            _ => append(&*store, oldest),
        };
        if let Some(error) = error {
            self.report(&error);
        }
        let (done, stored, refused, settled) = match fate {
            Fate::Settled { stored, refused } => (events, stored, refused, true),
            Fate::Stopped { done, stored, refused } => (done, stored, refused, false),
        };
        self.backlog.commit(done, refused);
        let (spooled, _) = self.backlog.waiting();
        let damaged = self.backlog.take_lost();
        shared.counts.settle(|fates| {
            fates.spooled = spooled;
            fates.drop_events(DropReason::StoreFailed, damaged);
            if ours {
                fates.stored += stored;
                fates.drop_events(DropReason::Invalid, refused);
            }
        });
        self.backlog.save(|| shared.ledger());
        if settled {
            self.recovered();
            self.settle_earlier();
        } else {
            self.next_try = shared.time.monotonic() + RETRY;
        }
        self.note(shared);
        settled
    }

    /// Hands the ledger to the store if it has changed, or keeps it beside the waiting events.
    fn write_ledger(&mut self, shared: &Shared) {
        let ledger = shared.ledger();
        let changed = self
            .last_ledger
            .as_ref()
            .is_none_or(|last| Ledger { at: last.at, ..ledger.clone() } != *last);
        if !changed {
            return;
        }
        match self.store.append_ledger(&ledger) {
            Ok(()) => {
                self.last_ledger = Some(ledger.clone());
                self.settle_earlier();
                if self.backlog.is_empty() {
                    self.backlog.forget_ledger();
                } else {
                    self.backlog.save(|| ledger);
                }
            }
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => {
                self.report(&error);
                self.backlog.keep_ledger(&ledger);
            }
        }
    }

    /// Tells the store how earlier processes' events fared in the end.
    fn settle_earlier(&mut self) {
        let store = &self.store;
        self.backlog.settle_earlier(|ledger| match store.append_ledger(ledger) {
            Ok(()) => true,
            Err(error) => error.kind() == ErrorKind::Unsupported,
        });
    }

    /// Lets health know what waits.
    fn note(&self, shared: &Shared) {
        let (_, earlier) = self.backlog.waiting();
        let trouble = match (&self.trouble, &self.spool_trouble) {
            (Some(store), Some(spool)) => Some(format!("{store}; the spool said: {spool}")),
            (one, other) => one.clone().or_else(|| other.clone()),
        };
        shared.counts.set_waiting(Waiting { earlier, place: self.backlog.place(), trouble });
    }

    fn recovered(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(target: "telemetry::collector", "the store takes events again");
        }
    }

    /// Says once what is wrong, not for every batch.
    fn report(&mut self, error: &Error) {
        let text = error.to_string();
        if self.trouble.as_ref() != Some(&text) {
            tracing::warn!(target: "telemetry::collector", %error, "the store did not take events");
            self.trouble = Some(text);
        }
    }

    fn report_spool(&mut self, error: &Error) {
        let text = error.to_string();
        // The size in the message of a full spool changes; that it is full does not.
        if self.spool_trouble.is_none() {
            tracing::warn!(target: "telemetry::collector", %error, "the spool took no events");
        }
        self.spool_trouble = Some(text);
    }
}

/// Appends a batch. When an event of it is refused, the others are not lost with it.
fn append(store: &dyn EventStore, batch: &[Event]) -> (Fate, Option<Error>) {
    let refusal = match store.append(batch) {
        Ok(ack) => {
            return (Fate::Settled { stored: ack.stored + ack.duplicates, refused: 0 }, None);
        }
        Err(error) if error.kind() == ErrorKind::Invalid => error,
        Err(error) => return (Fate::Stopped { done: 0, stored: 0, refused: 0 }, Some(error)),
    };
    let (mut stored, mut refused) = (0, 0);
    for (done, event) in batch.iter().enumerate() {
        match store.append(std::slice::from_ref(event)) {
            Ok(ack) => stored += ack.stored + ack.duplicates,
            Err(error) if error.kind() == ErrorKind::Invalid => refused += 1,
            Err(error) => return (Fate::Stopped { done, stored, refused }, Some(error)),
        }
    }
    (Fate::Settled { stored, refused }, Some(refusal))
}

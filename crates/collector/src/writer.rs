use crate::appender::{Answer, Appender, Fate, Job};
use crate::backlog::{Backlog, Oldest};
use crate::config::BackPressure;
use crate::ledger::{Fates, Waiting};
use crate::shared::Shared;
use crate::spool::Spool;
use crossbeam_channel::Receiver;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{DropReason, Error, Ledger};
use telemetry_models::Event;

/// How long to wait before a store that failed is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How often the ledger goes to the store without anybody asking, when it has changed.
const LEDGER_EVERY: Duration = Duration::from_secs(60);
/// A store that has worked on one batch for so long is slow: the batch and what comes after it wait
/// in the backlog, and the pipeline goes on.
const SLOW: Duration = Duration::from_millis(200);
/// How long the pipeline waits for an answer before it looks at the queue again.
const LOOK: Duration = Duration::from_millis(10);
/// One that has not answered for so long may never answer: health says so, and nothing is held up
/// for it any more.
pub(crate) const STALLED: Duration = Duration::from_secs(2);

/// Hands events to the store in batches, one batch at a time, and to the backlog while the store
/// takes none or takes too long.
///
/// Order: a batch goes to the store only when nothing older waits. The batch that the store works
/// on is older than everything in the backlog, or is its beginning; it is settled before the next
/// is handed over.
pub(crate) struct Writer {
    appender: Appender,
    /// What the store works on.
    pending: Option<Pending>,
    batch: Vec<Event>,
    /// When the oldest event of the batch arrived.
    since: Option<Duration>,
    backlog: Backlog,
    next_try: Duration,
    /// Whether the last batch was not taken.
    failing: bool,
    /// Whether the last flush of the store succeeded.
    flushed: bool,
    /// What the store said last, until it takes events again.
    trouble: Option<String>,
    /// What the spool said last, until it takes events again.
    spool_trouble: Option<String>,
    /// Whether the spool still has to be looked through for what earlier processes left.
    unopened: bool,
    ledger_due: Duration,
    last_ledger: Option<Ledger>,
}

struct Pending {
    since: Duration,
    work: Work,
}

enum Work {
    Append {
        events: Arc<Vec<Event>>,
        /// How many of them are the beginning of the backlog too.
        kept: usize,
        /// Whether this producer recorded them.
        ours: bool,
    },
    /// Those of earlier processes, and then this one's.
    Ledgers {
        earlier: Vec<Ledger>,
        own: Option<Ledger>,
    },
    Flush,
}

impl Writer {
    pub(crate) fn new(appender: Appender, shared: &Shared) -> Self {
        let config = &shared.config;
        let spool = config.spool_dir.clone().map(|dir| {
            Spool::new(dir, config.spool_bytes, shared.run.clone(), shared.producer.clone())
        });
        Self {
            appender,
            pending: None,
            batch: Vec::new(),
            since: None,
            backlog: Backlog::new(spool, config.backlog_events),
            next_try: Duration::ZERO,
            failing: false,
            flushed: true,
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
        self.note(shared);
    }

    /// Where the store's answers arrive; each belongs to [`answered`](Self::answered).
    pub(crate) fn answers(&self) -> Receiver<Answer> {
        self.appender.answers().clone()
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
        self.collect(shared);
        let now = shared.time.monotonic();
        if self.age(now) >= SLOW {
            self.shelve(shared);
        }
        let due = self
            .since
            .is_some_and(|since| now.saturating_sub(since) >= shared.config.write_interval());
        if due {
            self.write_all(shared);
        }
        if self.pending.is_some() {
            return;
        }
        if now >= self.next_try {
            if self.unopened {
                self.begin(shared);
            }
            // One batch a turn: the queue is emptied in between.
            if self.submit_oldest(shared) || self.submit_ledgers(None, shared) {
                return;
            }
        }
        if now >= self.ledger_due {
            self.ledger_due = now + LEDGER_EVERY;
            let changed = self.changed_ledger(shared);
            self.submit_ledgers(changed, shared);
        }
    }

    /// Writes everything, also to a store that failed a moment ago, and flushes the store; at most
    /// `limit`. Whether everything is stored or counted as dropped.
    pub(crate) fn drain(&mut self, limit: Duration, shared: &Shared) -> bool {
        let started = shared.time.monotonic();
        let left = || limit.saturating_sub(shared.time.monotonic().saturating_sub(started));
        self.next_try = Duration::ZERO;
        self.failing = false;
        if self.unopened && self.pending.is_none() {
            self.begin(shared);
        }
        self.write_all(shared);
        loop {
            if self.pending.is_some() {
                if !self.wait(left(), shared) || self.failing {
                    break;
                }
            } else if left().is_zero() || !self.submit_oldest(shared) {
                break;
            }
        }
        self.shelve(shared);
        if !self.backlog.is_empty() {
            self.backlog.settle();
        }
        let changed = self.changed_ledger(shared);
        if self.pending.is_none() {
            if self.submit_ledgers(changed, shared) {
                self.wait(left(), shared);
            }
        } else if let Some(ledger) = changed {
            self.backlog.keep_ledger(&ledger);
        }
        self.note(shared);
        if self.pending.is_some() {
            return false;
        }
        self.submit(Work::Flush, shared);
        self.wait(left(), shared) && self.flushed && self.backlog.is_empty()
    }

    /// The process ends: what waits in memory only is lost.
    pub(crate) fn end(&mut self, shared: &Shared) {
        let unkept = match &self.pending {
            Some(Pending { work: Work::Append { events, kept, .. }, .. }) => events.len() - kept,
            _ => 0,
        };
        let lost = self.backlog.abandon_memory() + unkept as u64;
        if lost > 0 {
            self.count(shared, |fates| fates.drop_events(DropReason::StoreFailed, lost));
            self.backlog.save(|| shared.ledger());
            self.note(shared);
        }
    }

    /// Takes in what the store said.
    pub(crate) fn answered(&mut self, answer: Answer, shared: &Shared) {
        self.appender.answered();
        shared.counts.set_busy(None);
        match (self.pending.take().map(|it| it.work), answer) {
            (Some(Work::Append { events, kept, ours }), Answer::Appended(fate, error)) => {
                self.appended(&events, kept, ours, fate, error, shared);
            }
            (Some(Work::Ledgers { earlier, own }), Answer::Ledgers(taken, error)) => {
                self.ledgers_appended(&earlier, own, taken, error, shared);
            }
            (Some(Work::Flush), Answer::Flushed(error)) => {
                self.flushed = error.is_none();
                if let Some(error) = error {
                    self.report(&error);
                    self.note(shared);
                }
            }
            // Every answer is to what was asked last.
            _ => {}
        }
    }

    fn appended(
        &mut self,
        events: &[Event],
        kept: usize,
        ours: bool,
        fate: Fate,
        error: Option<Error>,
        shared: &Shared,
    ) {
        match &error {
            Some(error) => self.report(error),
            None => self.recovered(),
        }
        let (done, stored, refused) = match fate {
            Fate::Settled { stored, refused } => (events.len(), stored, refused),
            Fate::Stopped { done, stored, refused } => (done, stored, refused),
        };
        self.failing = matches!(fate, Fate::Stopped { .. });
        if self.failing {
            self.next_try = shared.time.monotonic() + RETRY;
        }
        if kept > 0 {
            self.backlog.commit(done.min(kept), refused);
        }
        // What is not in the backlog yet is older than whatever comes to it next.
        let rest = self.keep(events[done.max(kept)..].to_vec());
        self.count(shared, |fates| {
            if ours {
                fates.stored += stored;
                fates.drop_events(DropReason::Invalid, refused);
            }
            fates.drop_events(DropReason::StoreFailed, rest.len() as u64);
        });
        if kept > 0 || self.failing {
            self.backlog.save(|| shared.ledger());
        }
        self.note(shared);
    }

    fn ledgers_appended(
        &mut self,
        earlier: &[Ledger],
        own: Option<Ledger>,
        taken: usize,
        error: Option<Error>,
        shared: &Shared,
    ) {
        for ledger in earlier.iter().take(taken) {
            self.backlog.forget_earlier(ledger);
        }
        if let Some(ledger) = own {
            if taken > earlier.len() {
                self.last_ledger = Some(ledger);
                if self.backlog.is_empty() {
                    self.backlog.forget_ledger();
                } else {
                    // Events may have joined the backlog since.
                    self.backlog.save(|| shared.ledger());
                }
            } else {
                self.backlog.keep_ledger(&ledger);
            }
        }
        if let Some(error) = error {
            self.next_try = shared.time.monotonic() + RETRY;
            self.report(&error);
            self.note(shared);
        }
    }

    fn write_all(&mut self, shared: &Shared) {
        let batch = std::mem::take(&mut self.batch);
        self.write(batch, shared);
    }

    fn write(&mut self, batch: Vec<Event>, shared: &Shared) {
        self.since = (!self.batch.is_empty()).then(|| shared.time.monotonic());
        if batch.is_empty() {
            return;
        }
        self.collect(shared);
        if self.backlog.is_empty() {
            self.wait_while_quick(shared);
        }
        let mut rest = batch;
        loop {
            // What waits is older.
            if self.backlog.is_empty() && self.pending.is_none() {
                let events = Arc::new(rest);
                return self.submit(Work::Append { events, kept: 0, ours: true }, shared);
            }
            self.shelve(shared);
            if !self.overhangs() {
                rest = self.keep(rest);
                self.count(shared, |_| {});
                self.backlog.save(|| shared.ledger());
            }
            if rest.is_empty() {
                break;
            }
            if !self.make_room(shared) {
                let lost = rest.len() as u64;
                self.count(shared, |fates| fates.drop_events(DropReason::StoreFailed, lost));
                self.backlog.save(|| shared.ledger());
                break;
            }
        }
        self.note(shared);
    }

    /// Gives the store a moment to finish what it works on, as long as the queue does not fill
    /// meanwhile. Where the engine's threads are to wait for a full queue, it may.
    fn wait_while_quick(&mut self, shared: &Shared) {
        let may_fill = matches!(shared.config.back_pressure, BackPressure::BlockMs(_));
        let mut waited = Duration::ZERO;
        while self.pending.is_some()
            && waited.max(self.age(shared.time.monotonic())) < SLOW
            && (may_fill || shared.data.len() * 2 < shared.config.queue_chunks())
        {
            if !self.wait(LOOK, shared) {
                waited += LOOK;
            }
        }
    }

    /// Keeps in the backlog, too, what the store has worked on for too long: it outlives the
    /// process there, and goes when the store has it.
    fn shelve(&mut self, shared: &Shared) {
        let Some(Pending { work: Work::Append { events, kept, .. }, .. }) = &mut self.pending
        else {
            return;
        };
        if *kept == events.len() {
            return;
        }
        let (events, before) = (Arc::clone(events), *kept);
        let left = self.keep(events[before..].to_vec()).len();
        if let Some(Pending { work: Work::Append { kept, .. }, .. }) = &mut self.pending {
            *kept = events.len() - left;
        }
        self.count(shared, |_| {});
        self.backlog.save(|| shared.ledger());
        self.note(shared);
    }

    /// Whether the store works on something that the backlog had no room for: nothing may be kept
    /// before it.
    fn overhangs(&self) -> bool {
        match &self.pending {
            Some(Pending { work: Work::Append { events, kept, .. }, .. }) => *kept < events.len(),
            _ => false,
        }
    }

    /// Keeps events for later, as many as there is room for; the rest.
    fn keep(&mut self, events: Vec<Event>) -> Vec<Event> {
        if events.is_empty() {
            return events;
        }
        let (rest, trouble) = self.backlog.keep(events);
        match trouble {
            Some(error) => self.report_spool(&error),
            None if self.backlog.is_in_files() => self.spool_trouble = None,
            None => {}
        }
        rest
    }

    /// Waits until a store that works, though slowly, has taken something. Whether it has.
    fn make_room(&mut self, shared: &Shared) -> bool {
        if self.failing || self.pending.is_none() && !self.submit_oldest(shared) {
            return false;
        }
        let left = STALLED.saturating_sub(self.age(shared.time.monotonic()));
        self.wait(left, shared)
    }

    /// Takes the store's answer if it is there.
    fn collect(&mut self, shared: &Shared) {
        if let Ok(answer) = self.appender.answers().try_recv() {
            self.answered(answer, shared);
        }
    }

    /// Waits for the store's answer. Whether it came.
    fn wait(&mut self, limit: Duration, shared: &Shared) -> bool {
        let answer = self.appender.answers().recv_timeout(limit);
        match answer {
            Ok(answer) => {
                self.answered(answer, shared);
                true
            }
            Err(_) => false,
        }
    }

    /// How long the store has worked on what it has.
    fn age(&self, now: Duration) -> Duration {
        self.pending.as_ref().map_or(Duration::ZERO, |it| now.saturating_sub(it.since))
    }

    fn submit(&mut self, work: Work, shared: &Shared) {
        let job = match &work {
            Work::Append { events, .. } => Job::Append(Arc::clone(events)),
            Work::Ledgers { earlier, own } => {
                Job::Ledgers(earlier.iter().chain(own).cloned().collect())
            }
            Work::Flush => Job::Flush,
        };
        let since = shared.time.monotonic();
        self.pending = Some(Pending { since, work });
        shared.counts.set_busy(Some(since));
        self.appender.submit(job);
    }

    /// Hands the oldest batch that waits to the store, which must not be at work. Whether there was
    /// one.
    fn submit_oldest(&mut self, shared: &Shared) -> bool {
        if self.backlog.is_empty() {
            return false;
        }
        let Oldest { events, ours } = self.backlog.peek(shared.config.batch_events);
        let events = Arc::new(events.to_vec());
        if events.is_empty() {
            // What waited was damaged.
            self.count(shared, |_| {});
            self.backlog.save(|| shared.ledger());
            self.note(shared);
            return false;
        }
        self.submit(Work::Append { kept: events.len(), events, ours }, shared);
        true
    }

    /// Tells the store how earlier processes' events fared in the end, and `own`. Whether there was
    /// anything to tell.
    fn submit_ledgers(&mut self, own: Option<Ledger>, shared: &Shared) -> bool {
        let earlier = self.backlog.earlier_ledgers();
        if earlier.is_empty() && own.is_none() {
            return false;
        }
        self.submit(Work::Ledgers { earlier, own }, shared);
        true
    }

    /// The ledger, unless the store has it already.
    fn changed_ledger(&self, shared: &Shared) -> Option<Ledger> {
        let ledger = shared.ledger();
        self.last_ledger
            .as_ref()
            .is_none_or(|last| Ledger { at: last.at, ..ledger.clone() } != *last)
            .then_some(ledger)
    }

    /// Counts what waits now, and whatever else became of events.
    fn count(&mut self, shared: &Shared, change: impl FnOnce(&mut Fates)) {
        let (spooled, _) = self.backlog.waiting();
        let damaged = self.backlog.take_lost();
        shared.counts.settle(|fates| {
            fates.spooled = spooled;
            fates.drop_events(DropReason::StoreFailed, damaged);
            change(fates);
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

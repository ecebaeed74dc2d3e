use crate::channel::{Channel, Delivery, RetryPolicy, deliver};
use crate::message::Message;
use crate::outbox::{
    ALERTS, CHANNELS, CLOSED, ChannelRecord, DEAD_LETTERS, GROUPS, Intent, OUTBOX, REQUESTS,
    learned_by,
};
use crate::post::{Look, Post};
use crate::requests::{Requested, Requests};
use crate::retention::{Retention, closed_key};
use crate::silence::{Silence, SilenceBook};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;
use telemetry_interfaces::{Clock, Learned, Notification, StateChange, StateStore};
use telemetry_models::{Alert, AlertId, AlertState, AlertTransition, Timestamp};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, timeout, timeout_at};

/// Works taken together into one commit.
const MAX_BATCH: usize = 512;
/// A state store that refused is asked again so often.
const SAVE_AGAIN: Duration = Duration::from_secs(1);
/// While something waits to be told, the time is looked at so often.
const LOOK: Duration = Duration::from_millis(100);
/// While something that was told is open, the time is looked at so often: it may be due again.
const LOOK_FOR_REPEATS: Duration = Duration::from_secs(1);
/// Silences are read so often.
const SILENCES: Duration = Duration::from_secs(1);
/// So many changes wait in memory for the dispatcher before the pipeline waits a moment for it.
const HELD: usize = 512;
/// So many notifications wait in memory for a channel; further news wait in their groups.
const QUEUE: usize = 64;

/// What the dispatcher is asked to do, and what its channels report.
pub(crate) enum Work {
    Changes(Vec<AlertTransition>),
    /// What the engine of this name has learned.
    Learned(String, Vec<Learned>),
    /// What came of something that somebody asked for.
    Requested(Requested),
    Delivered(Delivery),
    SaveAgain,
    /// Time has passed.
    Look,
    /// Finish what is under way within the limit, then end.
    Finish(Duration),
    /// Save what was decided, then end.
    Stop,
}

impl From<Delivery> for Work {
    fn from(delivery: Delivery) -> Self {
        Self::Delivered(delivery)
    }
}

/// Figures the dispatcher's thread keeps for others to read.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    /// Works handed over and not yet taken.
    pub(crate) waiting: AtomicU64,
    held: Mutex<HandedOver>,
    room: Condvar,
    /// Notifications under way.
    pub(crate) under_way: AtomicU64,
    /// Notifications accepted.
    pub(crate) sent: AtomicU64,
    /// Notifications given up.
    pub(crate) dead: AtomicU64,
    /// Changes of state that could not be saved yet.
    pub(crate) unsaved: AtomicU64,
    /// The latest trouble, in words.
    pub(crate) trouble: Mutex<Option<String>>,
}

/// Changes on their way to the dispatcher.
#[derive(Debug, Default)]
struct HandedOver {
    /// Not yet taken.
    held: usize,
    /// Taken since the start.
    taken: usize,
}

impl Figures {
    /// So many changes are about to be handed over.
    pub(crate) fn hand_over(&self, changes: usize) {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).held += changes;
    }

    /// Whether no more than [`HELD`] wait; waits for that as long as some are taken within each
    /// `limit`, of which at most ten pass.
    pub(crate) fn make_room(&self, limit: Duration) -> bool {
        let mut change = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if limit.is_zero() {
            return change.held <= HELD;
        }
        for _ in 0..10 {
            let taken = change.taken;
            let waited = self.room.wait_timeout_while(change, limit, |it| it.held > HELD);
            change = waited.unwrap_or_else(PoisonError::into_inner).0;
            if change.held <= HELD {
                return true;
            }
            if change.taken == taken {
                return false;
            }
        }
        false
    }

    fn taken(&self, changes: usize) {
        let mut change = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        change.held = change.held.saturating_sub(changes);
        change.taken = change.taken.wrapping_add(changes);
        if change.held <= HELD {
            self.room.notify_all();
        }
    }

    pub(crate) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_trouble(&self, text: String) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// Saves and announces what the engine decides, on a thread of its own.
///
/// The order is: alert and intents in one commit, then sending, then the receipt. A store that
/// fails does not silence alerts: they are sent, and saving is tried again.
pub(crate) struct Dispatcher {
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) channels: Vec<Channel>,
    pub(crate) retry: RetryPolicy,
    pub(crate) figures: Arc<Figures>,
    pub(crate) requests: Requests,
    pub(crate) post: Post,
    pub(crate) retention: Retention,
}

/// What is under way on the dispatcher's thread.
struct Desk {
    dispatcher: Dispatcher,
    queues: BTreeMap<String, UnboundedSender<Intent>>,
    /// By collection and key: of several changes of one row the last one counts, so that a store
    /// that stays away costs no more memory than there are rows.
    unsaved: BTreeMap<(String, String), StateChange>,
    to_send: Vec<Intent>,
    finish_by: Option<Instant>,
    stop: bool,
    /// Notifications a channel has not answered yet.
    waiting: BTreeMap<String, usize>,
    silences: Vec<Silence>,
    silences_at: Option<Duration>,
    /// Calendar and monotonic time of the start.
    begun: (Timestamp, Duration),
}

impl Dispatcher {
    /// Works until told to end. `left_over` was not sent by an earlier run.
    pub(crate) async fn run(
        self,
        mut inbox: UnboundedReceiver<Work>,
        reports: UnboundedSender<Work>,
        left_over: Vec<Intent>,
    ) {
        let mut queues = BTreeMap::new();
        for channel in &self.channels {
            let (queue, waiting) = unbounded_channel();
            queues.insert(channel.notifier.name().to_owned(), queue);
            tokio::spawn(deliver(channel.clone(), self.retry, waiting, reports.clone()));
        }
        tokio::spawn(self.requests.clone().watch());
        let begun = (self.clock.utc(), self.clock.monotonic());
        let mut desk = Desk {
            dispatcher: self,
            queues,
            unsaved: BTreeMap::new(),
            to_send: left_over,
            finish_by: None,
            stop: false,
            waiting: BTreeMap::new(),
            silences: Vec::new(),
            silences_at: None,
            begun,
        };
        desk.send();
        desk.tell().await;
        while !desk.is_done() {
            let Some(work) = desk.next(&mut inbox).await else { break };
            desk.take(work);
            for _ in 1..MAX_BATCH {
                let Ok(work) = inbox.try_recv() else { break };
                desk.take(work);
            }
            desk.tell().await;
        }
        desk.save();
    }
}

impl Desk {
    /// The next work; `None` when the time to finish is over.
    async fn next(&self, inbox: &mut UnboundedReceiver<Work>) -> Option<Work> {
        match self.finish_by {
            Some(by) => timeout_at(by, inbox.recv()).await.ok().flatten(),
            None if self.dispatcher.post.waits() => {
                timeout(LOOK, inbox.recv()).await.unwrap_or(Some(Work::Look))
            }
            None if self.unsaved.is_empty() && self.dispatcher.post.repeats() => {
                timeout(LOOK_FOR_REPEATS, inbox.recv()).await.unwrap_or(Some(Work::Look))
            }
            None if self.unsaved.is_empty() => inbox.recv().await,
            None => timeout(SAVE_AGAIN, inbox.recv()).await.unwrap_or(Some(Work::SaveAgain)),
        }
    }

    /// Tells what is due, in parts each of which is kept before it is sent, and all of it before the
    /// next change is taken: what is over by then would not be told.
    async fn tell(&mut self) {
        loop {
            self.plan();
            self.retain();
            self.save();
            self.send();
            // The channels live on this thread too: in a storm they must get a turn.
            tokio::task::yield_now().await;
            if !self.dispatcher.post.is_unfinished() {
                break;
            }
        }
    }

    fn is_done(&self) -> bool {
        let idle = |count: &AtomicU64| count.load(Ordering::Relaxed) == 0;
        let figures = self.figures();
        self.stop
            || (self.finish_by.is_some() && idle(&figures.under_way) && idle(&figures.waiting))
    }

    fn figures(&self) -> &Figures {
        &self.dispatcher.figures
    }

    fn take(&mut self, work: Work) {
        match work {
            Work::Changes(changes) => {
                self.figures().waiting.fetch_sub(1, Ordering::Relaxed);
                self.figures().taken(changes.len());
                for change in changes {
                    self.change(&change);
                }
            }
            Work::Learned(engine, learned) => {
                let collection = learned_by(&engine);
                for Learned { key, value } in learned {
                    let change = StateChange::put(&collection, key.clone(), value);
                    self.unsaved.insert((collection.clone(), key), change);
                }
            }
            Work::Requested(requested) => {
                for change in requested.changes {
                    self.change(&change);
                }
                if let Some(request) = requested.unclaimed
                    && let Some(change) = self.dispatcher.requests.on_kept(&request)
                {
                    self.change(&change);
                }
                self.remove(REQUESTS, &requested.key);
            }
            Work::Delivered(delivery) => self.delivered(delivery),
            Work::SaveAgain | Work::Look => {}
            Work::Finish(limit) => self.finish_by = Some(Instant::now() + limit),
            Work::Stop => self.stop = true,
        }
    }

    fn change(&mut self, change: &AlertTransition) {
        let id = change.alert.id.as_str();
        match change.alert.state {
            AlertState::Inactive => self.remove(ALERTS, id),
            _ => self.put(ALERTS, id, &change.alert),
        }
        if change.alert.state == AlertState::Closed {
            self.put(CLOSED, &closed_key(&change.alert), &());
        }
        let (now, utc) = self.time();
        let look = Look { now, utc, silences: &[], force: false, full: &[] };
        self.dispatcher.post.change(change, &look);
        if self.dispatcher.post.is_immediate() {
            self.plan();
        }
    }

    /// A time that never goes back, and what the calendar shows.
    fn time(&self) -> (Timestamp, Timestamp) {
        let clock = &self.dispatcher.clock;
        let passed = clock.monotonic().saturating_sub(self.begun.1);
        (self.begun.0.saturating_add(passed), clock.utc())
    }

    /// Decides what is told now. Intents and what is kept of their groups are saved in one commit.
    fn plan(&mut self) {
        self.read_silences();
        let (now, utc) = self.time();
        let full: Vec<String> = self
            .waiting
            .iter()
            .filter(|(_, count)| **count >= QUEUE)
            .map(|(name, _)| name.clone())
            .collect();
        let force = self.finish_by.is_some() || self.stop;
        let look = Look { now, utc, silences: &self.silences, force, full: &full };
        let plan = self.dispatcher.post.look(&look);
        for (key, row) in plan.kept {
            match row {
                Some(json) => self.put_json(GROUPS, &key, json),
                None => self.remove(GROUPS, &key),
            }
        }
        for message in plan.messages {
            self.announce(message, utc);
        }
    }

    /// Removes what has been over for long.
    fn retain(&mut self) {
        let Dispatcher { state, clock, retention, .. } = &mut self.dispatcher;
        match retention.over(&**state, clock.utc(), clock.monotonic()) {
            Ok(over) => over.iter().for_each(|(collection, key)| self.remove(collection, key)),
            Err(error) => tracing::warn!(%error, "what is over cannot be removed yet"),
        }
    }

    fn read_silences(&mut self) {
        let now = self.dispatcher.clock.monotonic();
        if self.silences_at.is_some_and(|at| now.saturating_sub(at) < SILENCES) {
            return;
        }
        self.silences_at = Some(now);
        match SilenceBook::new(Arc::clone(&self.dispatcher.state)).list() {
            Ok(silences) => self.silences = silences,
            Err(error) => tracing::warn!(%error, "silences cannot be read; the last ones hold"),
        }
    }

    /// An alert as it is now: from what is not saved yet, or from the state.
    fn alert(&self, id: &AlertId) -> Option<Alert> {
        let row = (ALERTS.to_owned(), id.as_str().to_owned());
        let json = match self.unsaved.get(&row) {
            Some(StateChange::Put { value, .. }) => value.clone(),
            Some(StateChange::Remove { .. }) => return None,
            None => match self.dispatcher.state.load(ALERTS, id.as_str()) {
                Ok(json) => json?,
                Err(error) => {
                    tracing::warn!(%error, alert = id.as_str(), "an alert cannot be read");
                    return None;
                }
            },
        };
        let alert = serde_json::from_str(&json);
        alert.inspect_err(|error| tracing::warn!(%error, alert = id.as_str(), "not an alert")).ok()
    }

    fn announce(&mut self, message: Message, at: Timestamp) {
        let alerts = message.shown.iter().filter_map(|id| self.alert(id)).collect();
        let Message { channel, key, kind, group, .. } = message;
        let notification = Notification { key, kind, at, alerts, group };
        let intent = Intent { channel, notification, error: None, tries: None };
        self.put(OUTBOX, &intent.row(), &intent);
        self.to_send.push(intent);
    }

    fn delivered(&mut self, delivery: Delivery) {
        let Delivery { mut intent, tries, result } = delivery;
        self.figures().under_way.fetch_sub(1, Ordering::Relaxed);
        if let Some(count) = self.waiting.get_mut(&intent.channel) {
            *count = count.saturating_sub(1);
        }
        self.remove(OUTBOX, &intent.row());
        match result {
            Ok(receipt) => {
                self.figures().sent.fetch_add(1, Ordering::Relaxed);
                let record = ChannelRecord {
                    key: intent.notification.key,
                    at: self.dispatcher.clock.utc(),
                    answer: receipt.answer,
                };
                self.put(CHANNELS, &intent.channel, &record);
            }
            Err(error) => {
                self.figures().dead.fetch_add(1, Ordering::Relaxed);
                let text = format!("channel {} gave up after {tries}: {error}", intent.channel);
                tracing::warn!(channel = intent.channel, tries, %error, "notification given up");
                self.figures().set_trouble(text);
                intent.error = Some(error.to_string());
                intent.tries = Some(tries);
                self.put(DEAD_LETTERS, &intent.row(), &intent);
            }
        }
    }

    fn put(&mut self, collection: &str, key: &str, value: &impl Serialize) {
        match serde_json::to_string(value) {
            Ok(json) => self.put_json(collection, key, json),
            Err(error) => {
                tracing::error!(collection, key, %error, "cannot be written as JSON");
                self.figures().set_trouble(format!("{collection}/{key}: {error}"));
            }
        }
    }

    fn put_json(&mut self, collection: &str, key: &str, json: String) {
        let row = (collection.to_owned(), key.to_owned());
        self.unsaved.insert(row, StateChange::put(collection, key, json));
    }

    fn remove(&mut self, collection: &str, key: &str) {
        let row = (collection.to_owned(), key.to_owned());
        self.unsaved.insert(row, StateChange::remove(collection, key));
    }

    fn save(&mut self) {
        if self.unsaved.is_empty() {
            return;
        }
        let (rows, changes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.unsaved).into_iter().unzip();
        if let Err(error) = self.dispatcher.state.commit(&changes) {
            tracing::warn!(%error, changes = changes.len(), "alert state not saved yet");
            self.figures().set_trouble(format!("alert state not saved yet: {error}"));
            self.unsaved = rows.into_iter().zip(changes).collect();
        }
        self.figures().unsaved.store(self.unsaved.len() as u64, Ordering::Relaxed);
    }

    fn send(&mut self) {
        for intent in std::mem::take(&mut self.to_send) {
            let Some(queue) = self.queues.get(&intent.channel) else {
                tracing::warn!(channel = intent.channel, "channel is gone, notification waits");
                continue;
            };
            self.figures().under_way.fetch_add(1, Ordering::Relaxed);
            *self.waiting.entry(intent.channel.clone()).or_default() += 1;
            if queue.send(intent).is_err() {
                self.figures().under_way.fetch_sub(1, Ordering::Relaxed);
                self.figures().set_trouble("a channel stopped working".to_owned());
            }
        }
    }
}

use crate::DeliveryConfig;
use crate::book::rows;
use crate::channel::{Channel, RetryPolicy};
use crate::config::KEEP_CLOSED;
use crate::dispatch::{Dispatcher, Figures, Work};
use crate::engine::end_of;
use crate::group::GroupRow;
use crate::outbox::{ALERTS, GROUPS, OUTBOX, learned_by};
use crate::post::{Post, Target};
use crate::requests::{Asked, Requested, Requests};
use crate::retention::{Retention, missing};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;
use telemetry_interfaces::{
    AlertEngine, Clock, Code, DropReason, Error, ErrorKind, EventConsumer, Health, Learned, Ledger,
    Result, StateStore, Vitals,
};
use telemetry_models::{Alert, AlertState, AlertTransition, Event, Timestamp};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

/// What one evaluation of time hands to the dispatcher of what was learned, in selectors x sites.
const LEARNED_AT_ONCE: usize = 256;
/// In a storm the pipeline waits for the dispatcher, so that what waits stays small; one that does
/// not get on for so long is not waited for.
const MAKE_ROOM: Duration = Duration::from_millis(500);
/// So many batches of changes not yet taken by the dispatcher are an overload.
const OVERLOAD: u64 = 1000;

type Hook = Box<dyn Fn(&AlertTransition) + Send>;

/// Turns events into alerts, keeps them, and tells the channels.
///
/// The engine runs on the pipeline thread; the state store and the channels are used on a thread of
/// the monitor's own, so the pipeline waits for neither disk nor network; only in a storm of
/// thousands of changes it waits a moment for that thread. On start, open alerts and
/// what was learned are taken over from the state store, and notifications that were not accepted
/// are sent again under their old key. What was learned of a selector is saved at the end, and
/// within a minute after it changed, for programs that are killed. Dropping the monitor saves what was decided and does not
/// wait for channels.
pub struct AlertMonitor {
    engines: Vec<Box<dyn AlertEngine>>,
    hooks: Vec<Hook>,
    /// Hooks that panicked and were taken out.
    hooks_lost: usize,
    changes: Vec<AlertTransition>,
    figures: Arc<Figures>,
    work: UnboundedSender<Work>,
    asked: mpsc::Receiver<Asked>,
    thread: Option<(JoinHandle<()>, mpsc::Receiver<()>)>,
    /// Whether the dispatcher did not keep up lately.
    stalled: bool,
    vitals: Vitals,
    /// The newest event's timestamp since the last tick.
    newest: Option<Timestamp>,
}

/// Collects what an [`AlertMonitor`] works with.
pub struct AlertMonitorBuilder {
    engines: Vec<Box<dyn AlertEngine>>,
    state: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    channels: Vec<Channel>,
    hooks: Vec<Hook>,
    retry: RetryPolicy,
    delivery: DeliveryConfig,
    keep_closed: Duration,
}

impl AlertMonitorBuilder {
    /// Adds an engine beside those that are there. Names must differ.
    #[must_use]
    pub fn engine(mut self, engine: impl AlertEngine + 'static) -> Self {
        self.engines.push(Box::new(engine));
        self
    }

    /// Adds a channel. Names must differ.
    #[must_use]
    pub fn channel(mut self, channel: Channel) -> Self {
        self.channels.push(channel);
        self
    }

    /// Adds channels, for instance those of [`channels`](crate::channels).
    #[must_use]
    pub fn channels(mut self, channels: impl IntoIterator<Item = Channel>) -> Self {
        self.channels.extend(channels);
        self
    }

    /// Calls back for every change of every alert, on the pipeline thread, in order: it must not
    /// wait. Changes of an earlier run are not repeated. One that panics is not called again.
    #[must_use]
    pub fn on_change(mut self, hook: impl Fn(&AlertTransition) + Send + 'static) -> Self {
        self.hooks.push(Box::new(hook));
        self
    }

    /// Sets how alerts become messages. Without it each change is announced at once and by itself.
    #[must_use]
    pub fn delivery(mut self, delivery: DeliveryConfig) -> Self {
        self.delivery = delivery;
        self
    }

    /// Sets how long alerts are kept after they were closed. Without it 30 days.
    #[must_use]
    pub fn keep_closed(mut self, keep: Duration) -> Self {
        self.keep_closed = keep;
        self
    }

    /// Sets how often and when a notification is sent again.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = retry;
        self
    }

    /// Takes over the state of an earlier run and begins.
    ///
    /// # Errors
    /// When two channels or engines have one name, the state cannot be read, or no thread can be
    /// started. A
    /// single row that cannot be read is logged, left as it is and does not stop the start.
    pub fn start(mut self) -> Result<AlertMonitor> {
        for (at, channel) in self.channels.iter().enumerate() {
            let name = channel.notifier.name();
            if self.channels[..at].iter().any(|other| other.notifier.name() == name) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    Code::Configuration,
                    format!("found two alert channels named {name:?}, expected unique names"),
                ));
            }
        }
        for (at, engine) in self.engines.iter().enumerate() {
            let name = engine.name();
            if self.engines[..at].iter().any(|other| other.name() == name) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    Code::Configuration,
                    format!("found two alert engines named {name:?}, expected unique names"),
                ));
            }
        }
        let mut changes = Vec::new();
        let now = self.clock.utc();
        for engine in &mut self.engines {
            engine.tick(now, &mut changes);
            let learned = self.state.list(&learned_by(engine.name()))?;
            let learned = learned.into_iter().map(|(key, value)| Learned { key, value }).collect();
            for error in engine.recall(learned) {
                tracing::warn!(%error, "row left alone");
            }
        }
        let alerts = readable(rows::<Alert>(&*self.state, ALERTS)?);
        let targets = self.channels.iter().map(|channel| Target {
            name: channel.name().to_owned(),
            min_severity: channel.min_severity,
            style: channel.style,
            shown: channel.shown,
        });
        let mut post = Post::new(&self.delivery, targets.collect())?;
        let unmarked = missing(&*self.state, &alerts)?;
        let marked = if unmarked.is_empty() { Ok(()) } else { self.state.commit(&unmarked) };
        if let Err(error) = marked {
            tracing::warn!(%error, "closed alerts of an earlier version are kept for now");
        }
        let known = alerts.iter().filter(|alert| alert.state != AlertState::Pending);
        post.recall(told(&*self.state)?, known);
        let mut others = alerts;
        for engine in &mut self.engines {
            others = engine.restore(others);
        }
        let live = |alert: &Alert| alert.state.is_open() || alert.state == AlertState::Pending;
        changes.extend(others.into_iter().filter(live).map(|alert| end_of(alert, now)));
        let left_over = readable(rows(&*self.state, OUTBOX)?);

        let figures = Arc::new(Figures::default());
        let (work, inbox) = unbounded_channel();
        let (ended, end) = mpsc::channel();
        let (to, asked) = mpsc::channel();
        let requests = Requests { state: Arc::clone(&self.state), to };
        let dispatcher = Dispatcher {
            state: self.state,
            clock: self.clock,
            channels: self.channels,
            retry: self.retry,
            figures: Arc::clone(&figures),
            requests,
            post,
            retention: Retention::new(self.keep_closed),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| cannot_start(error).with("part", "tokio runtime"))?;
        let reports = work.clone();
        let thread = std::thread::Builder::new()
            .name("telemetry-alerts".into())
            .spawn(move || {
                runtime.block_on(dispatcher.run(inbox, reports, left_over));
                runtime.shutdown_background();
                let _ = ended.send(());
            })
            .map_err(|error| cannot_start(error).with("part", "thread"))?;
        let mut monitor = AlertMonitor {
            engines: self.engines,
            hooks: self.hooks,
            hooks_lost: 0,
            changes,
            figures,
            work,
            asked,
            thread: Some((thread, end)),
            stalled: false,
            vitals: Vitals::default(),
            newest: None,
        };
        monitor.publish();
        Ok(monitor)
    }
}

fn cannot_start(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, Code::Processing, "the alert dispatcher cannot start")
        .source(error)
}

/// What channels were told by an earlier run; a row that cannot be read is logged and left alone.
fn told(state: &dyn StateStore) -> Result<Vec<(String, GroupRow)>> {
    let rows = state.list(GROUPS)?.into_iter().filter_map(|(key, json)| {
        let row = serde_json::from_str(&json);
        let row = row.inspect_err(|error| tracing::warn!(%error, key, "row left alone")).ok()?;
        Some((key, row))
    });
    Ok(rows.collect())
}

/// The rows that can be read; the others are logged and stay where they are.
fn readable<T>(rows: Vec<Result<T>>) -> Vec<T> {
    rows.into_iter()
        .filter_map(|row| row.inspect_err(|error| tracing::warn!(%error, "row left alone")).ok())
        .collect()
}

impl AlertMonitor {
    /// A monitor to be configured.
    pub fn builder(
        engine: impl AlertEngine + 'static,
        state: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
    ) -> AlertMonitorBuilder {
        AlertMonitorBuilder {
            engines: vec![Box::new(engine)],
            state,
            clock,
            channels: Vec::new(),
            hooks: Vec::new(),
            retry: RetryPolicy::default(),
            delivery: DeliveryConfig::immediate(),
            keep_closed: KEEP_CLOSED,
        }
    }

    /// Alerts that are pending, firing or recovering.
    pub fn open(&self) -> Vec<Alert> {
        self.engines.iter().flat_map(|engine| engine.open()).collect()
    }

    /// Notifications accepted and given up since the start.
    pub fn delivered(&self) -> (u64, u64) {
        let read = |figure: &std::sync::atomic::AtomicU64| figure.load(Ordering::Relaxed);
        (read(&self.figures.sent), read(&self.figures.dead))
    }

    fn take_vitals(&mut self, now: Timestamp) -> Vitals {
        let figure = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        Vitals {
            lag: self.newest.take().map(|newest| now.since(newest)),
            unwatched: self.engines.iter().map(|it| it.unwatched()).max().unwrap_or(0),
            given_up: figure(&self.figures.dead),
            behind: figure(&self.figures.waiting),
            ..self.vitals
        }
    }

    fn publish(&mut self) {
        if self.changes.is_empty() {
            return;
        }
        self.call_back();
        // As large as what it holds: in a storm thousands wait.
        let changes: Vec<_> = self.changes.drain(..).collect();
        self.figures.waiting.fetch_add(1, Ordering::Relaxed);
        self.figures.hand_over(changes.len());
        if self.work.send(Work::Changes(changes)).is_err() {
            self.figures.waiting.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        // Once the dispatcher did not make room in time, nothing waits for it before it did.
        let limit = if self.stalled { Duration::ZERO } else { MAKE_ROOM };
        self.stalled = !self.figures.make_room(limit);
    }

    fn call_back(&mut self) {
        let hooks = self.hooks.len();
        for change in &self.changes {
            self.hooks.retain(|hook| {
                let kept = catch_unwind(AssertUnwindSafe(|| hook(change))).is_ok();
                if !kept {
                    let alert = &change.alert;
                    tracing::error!(
                        alert = alert.id.as_str(),
                        rule = &*alert.rule,
                        "TEL-005 a hook panicked and is not called any more; alerting goes on"
                    );
                }
                kept
            });
        }
        self.hooks_lost += hooks - self.hooks.len();
    }

    /// Does what people asked for since the last tick.
    fn answer(&mut self) {
        while let Ok(asked) = self.asked.try_recv() {
            let (key, request) = match asked {
                Asked::Request(key, request) => (key, request),
                Asked::Adopt(alert) => {
                    let mut alerts = vec![*alert];
                    for engine in &mut self.engines {
                        alerts = engine.restore(alerts);
                    }
                    continue;
                }
            };
            let changes = &mut self.changes;
            let answer = self.engines.iter_mut().find_map(|it| it.handle(&request, changes));
            if let Some(Err(invalid)) = &answer {
                let alert = request.alert.as_str();
                tracing::warn!(alert, action = request.action.as_str(), %invalid, "not done");
            }
            self.call_back();
            let changes = std::mem::take(&mut self.changes);
            let unclaimed = answer.is_none().then_some(*request);
            // A dispatcher that ended shows in health; the request stays where it is.
            let _ = self.work.send(Work::Requested(Requested { key, changes, unclaimed }));
        }
    }
}

impl EventConsumer for AlertMonitor {
    fn name(&self) -> &str {
        "alerting"
    }

    fn account(&mut self, ledger: &Ledger) {
        let sampled = ledger.dropped.get(&DropReason::Sampled).copied().unwrap_or(0);
        self.vitals.lost = ledger.dropped_total().saturating_sub(sampled);
        self.vitals.spooled = ledger.spooled;
    }

    fn consume(&mut self, batch: &[Event]) {
        self.vitals.seen += batch.len() as u64;
        self.newest = self.newest.max(batch.iter().map(|event| event.timestamp).max());
        for engine in &mut self.engines {
            engine.observe(batch, &mut self.changes);
        }
        self.publish();
    }

    fn tick(&mut self, now: Timestamp) {
        let vitals = self.take_vitals(now);
        for engine in &mut self.engines {
            engine.vitals(&vitals);
            engine.tick(now, &mut self.changes);
        }
        self.publish();
        self.answer();
        for engine in &mut self.engines {
            let learned = engine.learned(false, LEARNED_AT_ONCE);
            if !learned.is_empty() {
                // A dispatcher that ended shows in health.
                let _ = self.work.send(Work::Learned(engine.name().to_owned(), learned));
            }
        }
    }

    fn health(&self) -> Health {
        let figure = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        let figures = &self.figures;
        let trouble = figures.trouble().map_or(String::new(), |text| format!("; {text}"));
        if self.work.is_closed() && self.thread.is_some() {
            return Health::failed(Code::Processing, format!("the dispatcher ended{trouble}"));
        }
        if figure(&figures.waiting) > OVERLOAD {
            let message = format!("{} batches of changes wait{trouble}", figure(&figures.waiting));
            return Health::degraded(Code::AlertOverload, message);
        }
        let watched = self.engines.iter().map(|engine| engine.watched()).max().unwrap_or(0);
        let unwatched = self.engines.iter().map(|engine| engine.unwatched()).max().unwrap_or(0);
        if unwatched > 0 {
            let message = format!(
                "{unwatched} events of selectors beyond the first {watched} were not watched; \
                 raise alerting.max_series"
            );
            return Health::degraded(Code::AlertOverload, message);
        }
        if figure(&figures.unsaved) > 0 {
            let message = format!("{} rows not saved yet{trouble}", figure(&figures.unsaved));
            return Health::degraded(Code::StorageUnavailable, message);
        }
        if self.hooks_lost > 0 {
            let message = format!(
                "{} hooks panicked and are not called any more; alerting goes on",
                self.hooks_lost
            );
            return Health::degraded(Code::Processing, message);
        }
        if figure(&figures.dead) > 0 {
            let message = format!("{} notifications given up{trouble}", figure(&figures.dead));
            return Health::degraded(Code::Processing, message);
        }
        Health::healthy(format!(
            "{} selectors watched, {} notifications sent, {} under way",
            watched,
            figure(&figures.sent),
            figure(&figures.under_way)
        ))
    }

    fn finish(&mut self, now: Timestamp, limit: Duration) {
        for engine in &mut self.engines {
            engine.tick(now, &mut self.changes);
        }
        self.publish();
        self.answer();
        let Some((thread, end)) = self.thread.take() else { return };
        for engine in &mut self.engines {
            let mut learned = engine.learned(true, usize::MAX).into_iter();
            loop {
                let part: Vec<_> = learned.by_ref().take(LEARNED_AT_ONCE).collect();
                if part.is_empty() {
                    break;
                }
                let _ = self.work.send(Work::Learned(engine.name().to_owned(), part));
            }
        }
        let _ = self.work.send(Work::Finish(limit));
        // The last commit may take a moment beyond the limit; a store that hangs is left behind.
        if end.recv_timeout(limit.saturating_add(Duration::from_secs(1))).is_ok() {
            let _ = thread.join();
        }
    }
}

impl Drop for AlertMonitor {
    fn drop(&mut self) {
        let Some((thread, end)) = self.thread.take() else { return };
        let _ = self.work.send(Work::Stop);
        if end.recv_timeout(Duration::from_secs(1)).is_ok() {
            let _ = thread.join();
        }
    }
}

use crate::appender::Appender;
use crate::config::CollectorConfig;
use crate::correlation;
use crate::ledger::{self, Counts};
use crate::pipeline::{Control, Pipeline};
use crate::privacy::Privacy;
use crate::recent;
use crate::record::Record;
use crate::registry::Registry;
use crate::rescued::Rescued;
use crate::sampling::Sampling;
use crate::shard::{self};
use crate::shared::Shared;
use crate::span::OperationSpan;
use crate::tally::{Key, Tally};
use crate::time::Time;
use crate::writer::STALLED;
use crossbeam_channel::{RecvTimeoutError, Sender, bounded, unbounded};
use parking_lot::Mutex;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use telemetry_interfaces::{
    Clock, Code, Error, ErrorKind, EventConsumer, EventSink, EventStore, FlushReport, Health,
    KeyProvider, Ledger, PageHandle, Result, SelectorHandle, SelectorObserver, SystemClock,
};
use telemetry_models::{Event, OperationKind, PageContext, ProducerId, RunId, SelectorDefinition};

/// How long the last handle waits for the pipeline when it is dropped without `shutdown`.
const DROP_LIMIT: Duration = Duration::from_secs(5);

/// Sets up a [`Collector`].
pub struct CollectorBuilder {
    config: CollectorConfig,
    clock: Option<Arc<dyn Clock>>,
    run: Option<RunId>,
    producer: Option<ProducerId>,
    consumers: Vec<Box<dyn EventConsumer>>,
    seed: Option<u64>,
    keys: Option<Arc<dyn KeyProvider>>,
}

impl CollectorBuilder {
    /// Replaces the processor's clock, for tests and simulations.
    #[must_use]
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Names the run; by default its start time and process id.
    #[must_use]
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Names the producer within the run; by default `main`.
    #[must_use]
    pub fn producer(mut self, producer: ProducerId) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Seeds the draws of sampling; by default another seed for each collector.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Replaces the source of the pseudonyms' key that the configuration names.
    #[must_use]
    pub fn keys(mut self, keys: Arc<dyn KeyProvider>) -> Self {
        self.keys = Some(keys);
        self
    }

    /// Adds something that sees every event, in the order added.
    #[must_use]
    pub fn consumer(mut self, consumer: Box<dyn EventConsumer>) -> Self {
        self.consumers.push(consumer);
        self
    }

    /// Starts the pipeline's thread and the one that calls the store.
    ///
    /// # Errors
    /// TEL-004 when the configuration is out of range, or pseudonyms are asked for and there is no
    /// key; TEL-005 when no thread can be started.
    pub fn start(self, store: Arc<dyn EventStore>) -> Result<Collector> {
        static NEXT_ID: AtomicU32 = AtomicU32::new(1);
        self.config.validate()?;
        let privacy = Privacy::new(&self.config.privacy, self.keys.as_deref())?;
        let time = match self.clock {
            Some(clock) => Time::Injected(clock),
            None => Time::hardware(Arc::new(SystemClock::new())),
        };
        let run = match self.run {
            Some(run) => privacy.run(run),
            None => RunId::new(format!("{}-{}", time.utc(), std::process::id()))?,
        };
        let producer = match self.producer {
            Some(producer) => privacy.producer(producer),
            None => ProducerId::new("main")?,
        };
        let chunks = self.config.queue_chunks();
        let (data, waiting) = bounded(chunks);
        let (recycle, recycled) = bounded(chunks);
        let (wake, woken) = bounded(1);
        let (control, orders) = unbounded();
        let sampling = Sampling::new(&self.config);
        let shared = Arc::new(Shared {
            id: NEXT_ID.fetch_add(1, Ordering::Relaxed),
            enabled: self.config.enabled,
            closed: AtomicBool::new(false),
            sampling,
            time,
            config: self.config,
            privacy,
            registry: Registry::default(),
            counts: Counts::default(),
            run,
            producer,
            data,
            waiting,
            wake,
            woken,
            recycle,
            recycled,
            works: AtomicU64::new(0),
            shards: Mutex::default(),
            rescued: Rescued::default(),
            tallies: Mutex::default(),
            ready: Mutex::default(),
            handing_on: AtomicUsize::new(0),
            consumers: Mutex::default(),
            broken: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            seed: self.seed.unwrap_or_else(|| RandomState::new().hash_one(0)),
        });
        let appender = Appender::start(store, &shared)?;
        let pipeline = Pipeline::new(Arc::clone(&shared), appender, self.consumers);
        let thread = std::thread::Builder::new()
            .name("telemetry-pipeline".into())
            .spawn(move || pipeline.run(&orders))
            .map_err(|error| {
                Error::new(
                    ErrorKind::Unavailable,
                    Code::Processing,
                    "the pipeline thread cannot be started",
                )
                .source(error)
            })?;
        shard::register(&shared);
        let ending =
            Ending { shared: Arc::clone(&shared), control, thread: Mutex::new(Some(thread)) };
        Ok(Collector { shared, ending: Arc::new(ending) })
    }
}

/// Records operations. Cheap to clone; all clones feed the same pipeline, which ends with
/// [`shutdown`](Self::shutdown) or with the last clone.
///
/// What a process recorded less than `sweep_ms + write_interval_ms` (50 ms) before `process::exit`,
/// an abort or a kill is lost: nothing can run any more to hand it on. While the store takes longer
/// than that for a batch, the batch in its hands and what was swept behind it are in memory only, up
/// to twice the 200 ms after which they go to the spool.
#[derive(Clone)]
pub struct Collector {
    shared: Arc<Shared>,
    ending: Arc<Ending>,
}

struct Ending {
    shared: Arc<Shared>,
    control: Sender<Control>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Collector {
    /// Begins to set one up.
    pub fn builder(config: CollectorConfig) -> CollectorBuilder {
        CollectorBuilder {
            config,
            clock: None,
            run: None,
            producer: None,
            consumers: Vec::new(),
            seed: None,
            keys: None,
        }
    }

    /// The run this collector records.
    pub fn run(&self) -> &RunId {
        &self.shared.run
    }

    /// The producer this collector is.
    pub fn producer(&self) -> &ProducerId {
        &self.shared.producer
    }

    /// Begins an operation. Costs one clock reading.
    #[inline(always)]
    pub fn span(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> OperationSpan {
        let shared = &*self.shared;
        if !shared.enabled {
            return OperationSpan::new(0, Record::new(0, 0, selector.0, None, operation), None);
        }
        let engine = shared.registry.engine_cached(shared.id, engine);
        let mut page = page.map(|page| page.0);
        let (mut bits, mut cold) = (0, None);
        if correlation::is_any() {
            let inherited = correlation::inherited(page, shared);
            (bits, cold, page) = (inherited.bits, inherited.cold, inherited.page);
        }
        let mut record = Record::new(shared.time.raw(), engine, selector.0, page, operation);
        record.set_correlation(bits);
        OperationSpan::new(shared.id, record, cold)
    }

    /// How names and texts are changed before they are recorded.
    pub fn privacy(&self) -> &Privacy {
        &self.shared.privacy
    }

    /// The number of the next piece of work.
    pub(crate) fn count_work(&self) -> u64 {
        self.shared.works.fetch_add(1, Ordering::Relaxed)
    }

    /// Begins to count operations that are too short to be recorded one by one.
    pub fn tally(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> Tally {
        let engine = self.shared.registry.engine_cached(self.shared.id, engine);
        let mut page = page.map(|page| page.0);
        if correlation::is_any() {
            page = correlation::inherited(page, &self.shared).page;
        }
        let key = Key { engine, selector: selector.0, page, operation };
        Tally::new(Arc::clone(&self.shared), key)
    }

    /// Whether the pipeline thread ended, by a panic, before it was asked to: nothing is recorded
    /// any more.
    pub fn has_broken_down(&self) -> bool {
        self.shared.is_broken()
    }

    /// How each consumer was doing at the last tick, in the order added; TEL-005 for one that
    /// panicked and is not called any more.
    pub fn consumers(&self) -> Vec<(String, Health)> {
        self.shared.consumers.lock().clone()
    }

    /// How recording and its consumers are doing, the worst of them: TEL-005 when the pipeline
    /// thread has ended, TEL-002 for a minute after events were lost, TEL-001 while some wait for
    /// the store or the store has not answered for two seconds.
    pub fn health(&self) -> Health {
        let own = self.own_health();
        let consumers = self.shared.consumers.lock();
        // Of equals the last counts, so the first is looked at last.
        match consumers.iter().rev().max_by_key(|(_, health)| health.status) {
            Some((name, health)) if health.status > own.status => {
                Health { message: format!("{name}: {}", health.message), ..health.clone() }
            }
            _ => own,
        }
    }

    fn own_health(&self) -> Health {
        let ledger = self.shared.ledger();
        if self.has_broken_down() {
            return Health::failed(
                Code::Processing,
                "the pipeline thread has ended; nothing is recorded any more",
            );
        }
        let mut message = String::new();
        let busy = self.shared.counts.busy_for(self.shared.time.monotonic());
        let stalled = busy >= STALLED;
        let waiting = self.shared.counts.waiting();
        let waits = ledger.spooled + waiting.earlier;
        if waits > 0 {
            message = format!("{waits} events wait for the store {}", waiting.place);
            if waiting.earlier > 0 {
                message += &format!("; {} of them are of earlier runs", waiting.earlier);
            }
            if let Some(trouble) = &waiting.trouble {
                message += &format!("; it said: {trouble}");
            }
        }
        if stalled {
            let seconds = busy.as_secs();
            message += if message.is_empty() { "" } else { "; " };
            message +=
                &format!("the store has worked on one call for {seconds} s without an answer");
        }
        if self.shared.counts.is_losing(self.shared.time.monotonic()) {
            let reasons: Vec<_> = ledger
                .dropped
                .iter()
                .map(|(reason, events)| format!("{events} {}", ledger::word(*reason)))
                .collect();
            let mut lost = format!("events are dropped; so far {}", reasons.join(", "));
            if !message.is_empty() {
                lost += &format!("; {message}");
            }
            return Health::degraded(Code::BufferOverflow, lost);
        }
        if !message.is_empty() {
            return Health::degraded(Code::StorageUnavailable, message);
        }
        Health::healthy(match ledger.dropped_total() {
            0 => format!("{} operations recorded", ledger.recorded),
            lost => format!("{} operations recorded, {lost} of them dropped", ledger.recorded),
        })
    }

    /// What the store or the spool said last, while they do not take events.
    pub fn trouble(&self) -> Option<String> {
        self.shared.counts.waiting().trouble
    }

    /// Operations that were recorded without their page because its handle was older than 65,536
    /// later pages; each bears the attribute `page.forgotten`.
    pub fn pages_forgotten(&self) -> u64 {
        self.shared.counts.pages_forgotten.load(Ordering::Relaxed)
    }

    /// Takes nothing more, processes what was taken, tells the consumers, flushes the store and
    /// ends the thread; at most `limit`. Harmless when called twice.
    pub fn shutdown(&self, limit: Duration) -> FlushReport {
        self.ending.end(limit)
    }
}

impl Ending {
    fn end(&self, limit: Duration) -> FlushReport {
        let started = self.shared.time.monotonic();
        let mut thread = self.thread.lock();
        let mut complete = true;
        if let Some(handle) = thread.take() {
            let (done, finished) = bounded(1);
            // What cannot be sent is dropped at once, so that nobody waits for its answer.
            let sent = self.control.send(Control::Shutdown { limit, done }).is_ok();
            let answer = finished.recv_timeout(limit);
            complete = sent && answer == Ok(true);
            // Also when something is left over: the thread holds the spool until it has ended.
            if answer != Err(RecvTimeoutError::Timeout) {
                complete &= handle.join().is_ok();
            }
        }
        self.shared.close();
        let ledger = self.shared.ledger();
        FlushReport {
            complete: complete
                && !self.shared.is_broken()
                && ledger.in_flight == 0
                && ledger.spooled == 0,
            elapsed: self.shared.time.monotonic().saturating_sub(started),
            ledger,
        }
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.end(DROP_LIMIT);
        shard::unregister(self.shared.id);
    }
}

impl SelectorObserver for Collector {
    type Operation = OperationSpan;

    fn selector(&self, definition: &SelectorDefinition) -> SelectorHandle {
        let shared = &*self.shared;
        let handle = recent::selector(shared.id, definition).unwrap_or_else(|| {
            let handle = shared.registry.selector(&shared.privacy.definition(definition));
            recent::remember_selector(shared.id, definition, handle);
            handle
        });
        SelectorHandle(handle)
    }

    fn page(&self, page: &PageContext) -> PageHandle {
        let known = recent::page(self.shared.id, page);
        if let Some(handle) = known.filter(|handle| self.shared.registry.keeps_page(*handle)) {
            return PageHandle(handle);
        }
        let handle = self.shared.registry.page(self.shared.privacy.page(page));
        recent::remember_page(self.shared.id, page, handle);
        PageHandle(handle)
    }

    #[inline]
    fn start(
        &self,
        engine: &str,
        selector: SelectorHandle,
        page: Option<PageHandle>,
        operation: OperationKind,
    ) -> OperationSpan {
        self.span(engine, selector, page, operation)
    }
}

impl EventSink for Collector {
    fn record(&self, event: Event) {
        shard::record_event(event, &self.shared);
    }

    fn flush(&self, limit: Duration) -> FlushReport {
        let started = self.shared.time.monotonic();
        let (done, finished) = bounded(1);
        let sent = self.ending.control.send(Control::Flush { limit, done }).is_ok();
        let complete = sent && finished.recv_timeout(limit).unwrap_or(false);
        FlushReport {
            complete,
            elapsed: self.shared.time.monotonic().saturating_sub(started),
            ledger: self.shared.ledger(),
        }
    }

    fn ledger(&self) -> Ledger {
        self.shared.ledger()
    }
}

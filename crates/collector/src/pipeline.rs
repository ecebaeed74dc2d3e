use crate::appender::Appender;
use crate::chunk::{Chunk, Ended};
use crate::consumers::Consumers;
use crate::diagnostics::{self, Diagnostics};
use crate::resolve::Resolver;
use crate::sampling::PROBABILITY;
use crate::shared::Shared;
use crate::tally;
use crate::writer::Writer;
use crossbeam_channel::{Receiver, Sender, select};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use telemetry_interfaces::{DropReason, EventConsumer};
use telemetry_models::{Event, Timestamp};

/// Longest time between two ticks of the consumers.
const TICK: Duration = Duration::from_millis(200);

/// What travels from the engine's threads to the pipeline.
#[derive(Debug)]
pub(crate) enum Message {
    /// A full chunk; what of it the sweep has not taken yet.
    Chunk(Arc<Chunk>),
    Records(Vec<Ended>),
    Events(Vec<Event>),
}

impl Message {
    pub(crate) fn events(&self) -> u64 {
        match self {
            Self::Chunk(chunk) => chunk.waiting() as u64,
            Self::Records(records) => records.len() as u64,
            Self::Events(events) => events.len() as u64,
        }
    }
}

/// What travels from the handles to the pipeline.
pub(crate) enum Control {
    Flush { limit: Duration, done: Sender<bool> },
    Shutdown { limit: Duration, done: Sender<bool> },
}

/// The consumer side: one thread that resolves, redacts, validates, shows the events to the
/// consumers and hands them to the store.
pub(crate) struct Pipeline {
    shared: Arc<Shared>,
    resolver: Resolver,
    writer: Writer,
    consumers: Consumers,
    diagnostics: Diagnostics,
    last_sweep: Duration,
    last_tick: Duration,
    /// When the tallies' window began.
    tallies_since: (Duration, Timestamp),
}

/// Counts what nobody will take any more when the pipeline ends, in whichever way it does.
struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.break_down();
        }
        self.0.end();
    }
}

impl Pipeline {
    pub(crate) fn new(
        shared: Arc<Shared>,
        appender: Appender,
        consumers: Vec<Box<dyn EventConsumer>>,
    ) -> Self {
        Self {
            resolver: Resolver::new(&shared),
            writer: Writer::new(appender, &shared),
            consumers: Consumers::new(consumers),
            diagnostics: Diagnostics::default(),
            last_sweep: Duration::ZERO,
            last_tick: Duration::ZERO,
            tallies_since: (shared.time.monotonic(), shared.time.utc()),
            shared,
        }
    }

    pub(crate) fn run(mut self, orders: &Receiver<Control>) {
        let _ending = Ending(Arc::clone(&self.shared));
        let _log = diagnostics::span(&self.shared).entered();
        self.diagnostics.started(&self.shared);
        self.consumers.show(&self.diagnostics, &self.shared);
        self.resolver.sample_process(&self.shared);
        self.writer.begin(&self.shared);
        let data = self.shared.waiting.clone();
        let woken = self.shared.woken.clone();
        let answers = self.writer.answers();
        let sweep = self.shared.config.sweep();
        loop {
            let mut order = None;
            match data.try_recv() {
                Ok(message) => {
                    self.process(message);
                    order = orders.try_recv().ok();
                }
                Err(_) => select! {
                    recv(woken) -> _ => {}
                    recv(answers) -> answer => {
                        if let Ok(answer) = answer {
                            self.writer.answered(answer, &self.shared);
                        }
                    }
                    recv(orders) -> received => match received {
                        Ok(received) => order = Some(received),
                        // Every handle is gone; the last one sends an order first, so nobody waits.
                        Err(_) => return,
                    },
                    default(sweep) => {}
                },
            }
            match order {
                Some(Control::Flush { limit, done }) => {
                    let complete = self.empty(limit);
                    self.tick();
                    // The handle may have stopped waiting.
                    let _ = done.send(complete);
                }
                Some(Control::Shutdown { limit, done }) => {
                    self.shared.close();
                    // A store that hangs leaves time to spool what it has.
                    let complete = self.empty(limit - limit / 8);
                    self.writer.end(&self.shared);
                    let now = self.shared.time.utc();
                    self.consumers.finish(now, limit, &self.diagnostics, &self.shared);
                    self.diagnostics.ended(complete, &self.shared);
                    let _ = done.send(complete);
                    return;
                }
                None => {}
            }
            let now = self.shared.time.monotonic();
            if now.saturating_sub(self.last_sweep) >= sweep {
                self.sweep();
            }
            if now.saturating_sub(self.last_tick) >= TICK {
                self.tick();
            }
            self.writer.tick(&self.shared);
        }
    }

    fn tick(&mut self) {
        self.last_tick = self.shared.time.monotonic();
        self.shared.counts.is_losing(self.last_tick);
        self.diagnostics.losses(&self.shared);
        self.diagnostics.pages(&self.shared);
        self.resolver.sample_process(&self.shared);
        let now = self.shared.time.utc();
        self.consumers.tick(now, &self.diagnostics, &self.shared);
    }

    /// Takes what lies in the threads' chunks, after what they handed on before.
    fn sweep(&mut self) {
        self.last_sweep = self.shared.time.monotonic();
        let shared = Arc::clone(&self.shared);
        while let Ok(message) = shared.waiting.try_recv() {
            self.process(message);
        }
        for shard in shared.shards() {
            let records = shard.take();
            if !records.is_empty() {
                self.process(Message::Records(records));
            }
        }
        let events = std::mem::take(&mut shared.ready.lock().events);
        if !events.is_empty() {
            self.process(Message::Events(events));
        }
        for message in shared.rescued.take() {
            self.process(message);
        }
        let window = self.last_sweep.saturating_sub(self.tallies_since.0);
        if window >= shared.config.tally_window() {
            self.take_tallies();
        }
    }

    /// Makes events of what was tallied since the last time.
    fn take_tallies(&mut self) {
        let shared = Arc::clone(&self.shared);
        let (since, begun) = self.tallies_since;
        self.tallies_since = (shared.time.monotonic(), shared.time.utc());
        let windows = tally::take_all(&shared.tallies);
        if windows.is_empty() {
            return;
        }
        let length = self.tallies_since.0.saturating_sub(since);
        let mut events = Vec::with_capacity(windows.len());
        shared.counts.born(windows.len() as u64);
        let unknown = windows.len();
        for ((key, outcome), window) in windows {
            if let Some(mut event) = self.resolver.window(key, outcome, begun, &shared) {
                event.attributes = window.attributes(length);
                events.push(event);
            }
        }
        let unknown = (unknown - events.len()) as u64;
        shared.counts.drop_events(DropReason::Invalid, unknown);
        self.deliver(events);
    }

    /// Processes everything recorded before the call and hands it to the store.
    fn empty(&mut self, limit: Duration) -> bool {
        let started = self.shared.time.monotonic();
        loop {
            self.sweep();
            if self.shared.handing_on.load(Ordering::Acquire) == 0 {
                // One more pass: a chunk may have reached the queue after the sweep looked there.
                self.sweep();
                break;
            }
            if self.shared.time.monotonic().saturating_sub(started) >= limit {
                return false;
            }
            std::thread::yield_now();
        }
        self.take_tallies();
        let left = limit.saturating_sub(self.shared.time.monotonic().saturating_sub(started));
        self.writer.drain(left, &self.shared)
    }

    fn process(&mut self, message: Message) {
        let shared = Arc::clone(&self.shared);
        let events = match message {
            Message::Chunk(mut chunk) => {
                let events = self.resolve(chunk.claim(), &shared);
                if let Some(own) = Arc::get_mut(&mut chunk) {
                    own.clear();
                    // A full return path only means that there are chunks enough.
                    let _ = shared.recycle.try_send(chunk);
                }
                events
            }
            Message::Records(records) => self.resolve(records, &shared),
            Message::Events(mut events) => {
                for event in &mut events {
                    shared.privacy.event(event);
                    self.resolver.place(event, &shared);
                }
                events
            }
        };
        self.deliver(events);
        shared.sampling.adapt(shared.waiting.len(), shared.config.queue_chunks());
    }

    /// Validates, shows to the consumers, hands to the store.
    fn deliver(&mut self, mut events: Vec<Event>) {
        let shared = Arc::clone(&self.shared);
        let taken = events.len();
        events.retain(|event| match event.validate() {
            Ok(()) => true,
            Err(invalid) => {
                self.diagnostics.refused(event, &invalid, &shared);
                false
            }
        });
        shared.counts.drop_events(DropReason::Invalid, (taken - events.len()) as u64);
        self.consumers.consume(&events, &self.diagnostics, &shared);
        self.writer.push(events, &shared);
    }

    fn resolve(&mut self, ended: Vec<Ended>, shared: &Shared) -> Vec<Event> {
        let anchor = shared.time.anchor();
        let mut events = Vec::with_capacity(ended.len());
        let mut unknown = 0;
        for Ended { record, cold } in ended {
            match self.resolver.event(&record, cold, anchor, shared) {
                Some(mut event) => {
                    if let Some(probability) = shared.sampling.probability(record.sampling()) {
                        event.attributes.insert(PROBABILITY.into(), probability);
                    }
                    events.push(event);
                }
                None => unknown += 1,
            }
        }
        shared.counts.drop_events(DropReason::Invalid, unknown);
        events
    }
}

use crate::chunk::{Chunk, Ended};
use crate::cold::Cold;
use crate::config::BackPressure;
use crate::pipeline::Message;
use crate::record::{End, Record};
use crate::sampling::{self, Draws};
use crate::shared::Shared;
use crossbeam_channel::{SendTimeoutError, TrySendError};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;
use telemetry_interfaces::DropReason;
use telemetry_models::Event;

/// What others see of one thread's recording.
#[derive(Debug)]
pub(crate) struct Shard {
    /// The chunk the thread writes into. Locked by the thread only when it begins another one.
    current: Mutex<Arc<Chunk>>,
    /// Operations that ended. Written by the thread alone, before it publishes the record.
    recorded: AtomicU64,
    /// Those of them that sampling left out.
    sampled: AtomicU64,
}

/// What ended in a shard since the collector started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardCounts {
    /// Operations.
    pub(crate) recorded: u64,
    /// Those of them that sampling left out.
    pub(crate) sampled: u64,
}

impl Shard {
    /// Takes what is there.
    pub(crate) fn take(&self) -> Vec<Ended> {
        let chunk = Arc::clone(&self.current.lock());
        if chunk.waiting() == 0 { Vec::new() } else { chunk.claim() }
    }

    pub(crate) fn counts(&self) -> ShardCounts {
        // Nothing is left out before it is counted.
        let sampled = self.sampled.load(Ordering::Acquire);
        ShardCounts { recorded: self.recorded.load(Ordering::Acquire), sampled }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.current.lock().waiting() == 0
    }
}

/// What a thread keeps of its recording for one collector.
#[derive(Debug)]
struct Producer {
    /// The collector's id, here so that finding it follows no pointer.
    id: u32,
    shared: Arc<Shared>,
    shard: Arc<Shard>,
    chunk: Arc<Chunk>,
    filled: usize,
    draws: Draws,
}

impl Producer {
    fn new(shared: Arc<Shared>) -> Self {
        let chunk = Arc::new(Chunk::new(shared.config.chunk_events));
        let shard = Arc::new(Shard {
            current: Mutex::new(Arc::clone(&chunk)),
            recorded: AtomicU64::new(0),
            sampled: AtomicU64::new(0),
        });
        let draws = Draws::new(shared.seed, shared.add_shard(&shard));
        Self { id: shared.id, shared, shard, chunk, filled: 0, draws }
    }

    /// Stamps the end and records. No lock, no read-modify-write of memory that others share:
    /// either would make the processor finish every store before it goes on.
    #[inline(always)]
    fn record(&mut self, record: &Record, cold: Option<Box<Cold>>) {
        let shared = &*self.shared;
        let mut end = End { at: shared.time.raw(), cold: cold.is_some(), sampling: 0 };
        if let Some(odds) = shared.sampling.odds()
            && sampling::is_plain(record, cold.as_deref())
        {
            if !self.draws.keeps(odds) {
                grow(&self.shard.recorded);
                return grow(&self.shard.sampled);
            }
            end.sampling = odds.mark;
        }
        grow(&self.shard.recorded);
        if shared.is_closed() {
            return shared.counts.drop_events(DropReason::Closed, 1);
        }
        if let Some(cold) = cold {
            self.chunk.push_cold(self.filled, cold);
        }
        let full = self.chunk.push(self.filled, record, &end);
        self.filled += 1;
        if full {
            self.begin_another();
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_another(&mut self) {
        let shared = &*self.shared;
        let empty = shared.recycled.try_recv();
        let empty = empty.unwrap_or_else(|_| Arc::new(Chunk::new(shared.config.chunk_events)));
        let full = std::mem::replace(&mut self.chunk, Arc::clone(&empty));
        self.filled = 0;
        // Counted before the chunk is out of the sweep's sight: whoever empties all shards
        // afterwards knows that it is still on its way to the queue.
        shared.handing_on.fetch_add(1, Ordering::AcqRel);
        *self.shard.current.lock() = empty;
        hand_on(Message::Chunk(full), shared);
    }
}

/// Adds one to a counter that only this thread writes.
#[inline(always)]
fn grow(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
}

/// Counts and hands on events that arrive whole.
pub(crate) fn record_event(event: Event, shared: &Shared) {
    let mut ready = shared.ready.lock();
    ready.recorded += 1;
    if shared.is_closed() {
        drop(ready);
        return shared.counts.drop_events(DropReason::Closed, 1);
    }
    ready.events.push(event);
    if ready.events.len() >= shared.config.chunk_events {
        let full = std::mem::take(&mut ready.events);
        shared.handing_on.fetch_add(1, Ordering::AcqRel);
        drop(ready);
        hand_on(Message::Events(full), shared);
    }
}

/// Waking a sleeping thread costs some microseconds, as much as recording hundreds of operations.
/// The pipeline looks for chunks by itself at every sweep, and is woken only when it has to come
/// earlier: when a quarter of the queue is taken.
#[cold]
#[inline(never)]
fn hand_on(full: Message, shared: &Shared) {
    offer(full, shared);
    if shared.data.len() >= (shared.config.queue_chunks() / 4).max(1) {
        // One ring is enough.
        let _ = shared.wake.try_send(());
    }
    shared.handing_on.fetch_sub(1, Ordering::AcqRel);
    // The pipeline may have ended after the offer began; then nobody else empties the queue.
    if shared.is_ended() {
        shared.reap();
    }
}

fn offer(full: Message, shared: &Shared) {
    match shared.config.back_pressure {
        BackPressure::DropNewest => match shared.data.try_send(full) {
            Ok(()) => {}
            Err(TrySendError::Full(lost)) => give_up(lost, DropReason::QueueFull, shared),
            Err(TrySendError::Disconnected(lost)) => give_up(lost, DropReason::Closed, shared),
        },
        BackPressure::DropOldest => {
            let mut message = full;
            loop {
                match shared.data.try_send(message) {
                    Ok(()) => return,
                    Err(TrySendError::Disconnected(lost)) => {
                        return give_up(lost, DropReason::Closed, shared);
                    }
                    Err(TrySendError::Full(newest)) => {
                        message = newest;
                        if let Ok(oldest) = shared.waiting.try_recv() {
                            give_up(oldest, DropReason::Displaced, shared);
                        }
                    }
                }
            }
        }
        BackPressure::BlockMs(limit) => {
            match shared.data.send_timeout(full, Duration::from_millis(limit)) {
                Ok(()) => {}
                Err(SendTimeoutError::Timeout(lost)) => {
                    give_up(lost, DropReason::QueueFull, shared);
                }
                Err(SendTimeoutError::Disconnected(lost)) => {
                    give_up(lost, DropReason::Closed, shared);
                }
            }
        }
        BackPressure::Adaptive => {
            match shared.data.try_send(full) {
                Ok(()) => {}
                Err(TrySendError::Full(lost)) => {
                    for lost in shared.rescued.keep(lost, shared.config.queue_events) {
                        give_up(lost, DropReason::QueueFull, shared);
                    }
                }
                Err(TrySendError::Disconnected(lost)) => give_up(lost, DropReason::Closed, shared),
            }
            shared.sampling.adapt(shared.data.len(), shared.config.queue_chunks());
        }
    }
}

/// Counts a message that will not be processed.
pub(crate) fn give_up(lost: Message, reason: DropReason, shared: &Shared) {
    let events = match lost {
        Message::Events(events) => events.len(),
        Message::Records(records) => records.len(),
        Message::Chunk(chunk) => chunk.claim().len(),
    };
    shared.counts.drop_events(reason, events as u64);
}

thread_local! {
    /// What this thread records for each collector it met; nearly always one. Collectors that were
    /// shut down are let go when the thread meets a new one.
    static PRODUCERS: RefCell<Vec<Producer>> = const { RefCell::new(Vec::new()) };
}

/// Every living collector, for spans that end on a thread that has not recorded before.
static COLLECTORS: Mutex<Vec<(u32, Weak<Shared>)>> = Mutex::new(Vec::new());

pub(crate) fn register(shared: &Arc<Shared>) {
    COLLECTORS.lock().push((shared.id, Arc::downgrade(shared)));
}

/// The last handle is gone: nobody can ask for the ledger any more.
pub(crate) fn unregister(id: u32) {
    COLLECTORS.lock().retain(|(of, _)| *of != id);
}

fn collector(id: u32) -> Option<Arc<Shared>> {
    COLLECTORS.lock().iter().find(|(of, _)| *of == id)?.1.upgrade()
}

/// Time since a clock reading of a collector; `None` when the collector is gone.
pub(crate) fn since(id: u32, start: u64) -> Option<Duration> {
    let elapsed = |shared: &Shared| shared.time.between(start, shared.time.raw());
    let here = PRODUCERS.try_with(|producers| {
        let producers = producers.try_borrow().ok()?;
        producers.iter().find(|it| it.id == id).map(|it| elapsed(&it.shared))
    });
    here.ok().flatten().or_else(|| collector(id).map(|shared| elapsed(&shared)))
}

/// Stamps the end and records into this thread's chunk for the collector. When the collector is
/// gone, so is the operation: there is no ledger left to count it in.
#[inline(never)]
pub(crate) fn record(id: u32, record: Record, cold: Option<Box<Cold>>) {
    let record = &record;
    let mut cold = Some(cold);
    let done = PRODUCERS.try_with(|producers| {
        let Ok(mut producers) = producers.try_borrow_mut() else { return false };
        if let Some(producer) = producers.iter_mut().find(|it| it.id == id) {
            producer.record(record, cold.take().flatten());
            return true;
        }
        record_first(&mut producers, id, record, cold.take().flatten());
        true
    });
    if !matches!(done, Ok(true)) {
        record_alone(id, record, cold.flatten());
    }
}

/// The thread's first operation for this collector.
#[cold]
fn record_first(producers: &mut Vec<Producer>, id: u32, record: &Record, cold: Option<Box<Cold>>) {
    let Some(shared) = collector(id) else { return };
    if shared.is_closed() {
        return shared.refuse(1);
    }
    producers.retain(|it| !it.shared.is_closed());
    let mut producer = Producer::new(shared);
    producer.record(record, cold);
    producers.push(producer);
}

/// The thread is ending and its storage is gone: a shard of its own for this one operation.
#[cold]
fn record_alone(id: u32, record: &Record, cold: Option<Box<Cold>>) {
    if let Some(shared) = collector(id) {
        Producer::new(shared).record(record, cold);
    }
}

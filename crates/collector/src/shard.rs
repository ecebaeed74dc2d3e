use crate::cold::Cold;
use crate::config::BackPressure;
use crate::pipeline::Message;
use crate::record::Record;
use crate::sampling::{self, Draws, Odds};
use crate::shared::Shared;
use crossbeam_channel::{SendTimeoutError, TrySendError};
use parking_lot::Mutex;
use std::cell::RefCell;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;
use telemetry_interfaces::DropReason;
use telemetry_models::Event;

/// One thread's chunk. The lock is taken by its own thread for each operation (uncontended) and
/// by the pipeline's sweep at most every few milliseconds.
#[derive(Debug)]
pub(crate) struct Shard {
    chunk: Mutex<Chunk>,
}

#[derive(Debug)]
struct Chunk {
    records: Vec<Record>,
    counts: ShardCounts,
    draws: Draws,
}

/// What ended in a shard since the collector started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ShardCounts {
    /// Operations.
    pub(crate) recorded: u64,
    /// Those of them that sampling left out.
    pub(crate) sampled: u64,
}

/// What is known of an operation only when it has ended.
struct End {
    at: u64,
    cold: u32,
    sampling: u8,
}

impl End {
    #[inline]
    fn of(&self, record: Record) -> Record {
        record.ended(self.at, self.cold, self.sampling)
    }
}

impl Shard {
    pub(crate) fn new(draws: Draws, capacity: usize) -> Self {
        let counts = ShardCounts::default();
        Self { chunk: Mutex::new(Chunk { records: Vec::with_capacity(capacity), counts, draws }) }
    }

    /// Adds a record, and hands the chunk on when it is full.
    #[inline]
    fn push(&self, record: &Record, end: End, shared: &Shared) {
        let mut chunk = self.chunk.lock();
        chunk.counts.recorded += 1;
        if shared.is_closed() {
            drop(chunk);
            return give_up(Message::Records(vec![end.of(*record)]), DropReason::Closed, shared);
        }
        // The copy reads the record in wide loads, which wait for narrow stores made a moment ago;
        // so what is known last is written to the copy.
        chunk.records.push(*record);
        if let Some(last) = chunk.records.last_mut() {
            *last = end.of(*last);
        }
        if chunk.records.len() >= shared.config.chunk_events {
            let full = std::mem::replace(&mut chunk.records, empty_chunk(shared));
            // Counted before the lock is let go: whoever empties all shards afterwards knows
            // that a chunk is still on its way to the queue.
            shared.handing_on.fetch_add(1, Ordering::AcqRel);
            drop(chunk);
            hand_on(Message::Records(full), shared);
        }
    }

    /// Takes what is there.
    pub(crate) fn take(&self, shared: &Shared) -> Vec<Record> {
        let mut chunk = self.chunk.lock();
        if chunk.records.is_empty() {
            return Vec::new();
        }
        std::mem::replace(&mut chunk.records, empty_chunk(shared))
    }

    /// Whether a plain success is to be recorded; otherwise it is counted here.
    fn draw(&self, odds: Odds) -> bool {
        let mut chunk = self.chunk.lock();
        let kept = chunk.draws.keeps(odds);
        if !kept {
            chunk.counts.recorded += 1;
            chunk.counts.sampled += 1;
        }
        kept
    }

    pub(crate) fn counts(&self) -> ShardCounts {
        self.chunk.lock().counts
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.chunk.lock().records.is_empty()
    }
}

fn empty_chunk(shared: &Shared) -> Vec<Record> {
    let recycled = shared.recycled.try_recv();
    recycled.unwrap_or_else(|_| Vec::with_capacity(shared.config.chunk_events))
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

/// Counts a message that will not be processed, and lets go of the cold parts it refers to.
pub(crate) fn give_up(lost: Message, reason: DropReason, shared: &Shared) {
    shared.counts.drop_events(reason, lost.events());
    if let Message::Records(records) = lost {
        let orphans: Vec<u32> =
            records.iter().map(|record| record.cold).filter(|key| *key != 0).collect();
        if !orphans.is_empty() {
            shared.orphaned.lock().extend(orphans);
        }
    }
}

type Shards = Vec<(Arc<Shared>, Arc<Shard>)>;

thread_local! {
    /// This thread's shard in each collector it recorded for; nearly always one. Collectors that
    /// were shut down are let go when the thread meets a new one.
    static SHARDS: RefCell<Shards> = const { RefCell::new(Vec::new()) };
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
    let here = SHARDS.try_with(|shards| {
        let shards = shards.try_borrow().ok()?;
        shards.iter().find(|(shared, _)| shared.id == id).map(|(shared, _)| elapsed(shared))
    });
    here.ok().flatten().or_else(|| collector(id).map(|shared| elapsed(&shared)))
}

/// Stamps the end and records into this thread's shard of the collector. When the collector is
/// gone, so is the operation: there is no ledger left to count it in.
#[inline]
pub(crate) fn record(id: u32, record: &Record, cold: Option<Box<Cold>>) {
    let mut cold = Some(cold);
    let done = SHARDS.try_with(|shards| {
        let Ok(mut shards) = shards.try_borrow_mut() else { return false };
        if let Some((shared, shard)) = shards.iter().find(|(shared, _)| shared.id == id) {
            record_in(shard, shared, record, cold.take().flatten());
            return true;
        }
        record_first(&mut shards, id, record, cold.take().flatten());
        true
    });
    if !matches!(done, Ok(true)) {
        record_alone(id, record, cold.flatten());
    }
}

/// The thread's first operation for this collector.
#[cold]
fn record_first(shards: &mut Shards, id: u32, record: &Record, cold: Option<Box<Cold>>) {
    let Some(shared) = collector(id) else { return };
    if shared.is_closed() {
        return shared.refuse(1);
    }
    shards.retain(|(shared, _)| !shared.is_closed());
    let shard = shared.add_shard();
    record_in(&shard, &shared, record, cold);
    shards.push((shared, shard));
}

/// The thread is ending and its storage is gone: a shard of its own for this one operation.
#[cold]
fn record_alone(id: u32, record: &Record, cold: Option<Box<Cold>>) {
    if let Some(shared) = collector(id) {
        record_in(&shared.add_shard(), &shared, record, cold);
    }
}

#[inline]
fn record_in(shard: &Shard, shared: &Shared, record: &Record, cold: Option<Box<Cold>>) {
    let mut end = End { at: shared.time.raw(), cold: 0, sampling: 0 };
    if let Some(odds) = shared.sampling.odds()
        && sampling::is_plain(record, cold.as_deref())
    {
        if !shard.draw(odds) {
            return;
        }
        end.sampling = odds.mark;
    }
    if let Some(cold) = cold {
        end.cold = shared.send_cold(cold);
    }
    shard.push(record, end, shared);
}

use crate::chunk::Chunk;
use crate::config::CollectorConfig;
use crate::ledger::{Counts, Fates};
use crate::pipeline::Message;
use crate::privacy::Privacy;
use crate::registry::Registry;
use crate::rescued::Rescued;
use crate::sampling::Sampling;
use crate::shard::{self, Shard, ShardCounts};
use crate::tally::{self};
use crate::time::Time;
use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
use telemetry_interfaces::{DropReason, Health, Ledger};
use telemetry_models::{Event, ProducerId, RunId};

/// What the engine's threads and the pipeline share.
///
/// What each operation looks at comes first, in cache lines of its own: nothing there is written
/// while operations are recorded, and a selection that used up the caches finds it in two.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct Shared {
    pub(crate) id: u32,
    /// Whether anything is recorded, as configured.
    pub(crate) enabled: bool,
    /// Nothing more is recorded.
    pub(crate) closed: AtomicBool,
    pub(crate) sampling: Sampling,
    pub(crate) time: Time,
    pub(crate) config: CollectorConfig,
    pub(crate) privacy: Privacy,
    pub(crate) registry: Registry,
    pub(crate) counts: Counts,
    pub(crate) run: RunId,
    pub(crate) producer: ProducerId,
    pub(crate) data: Sender<Message>,
    /// The other end of `data`: the pipeline takes from it, and so does a thread that has to
    /// displace the oldest chunk.
    pub(crate) waiting: Receiver<Message>,
    /// Lets the pipeline come before its next sweep; see `shard::hand_on`.
    pub(crate) wake: Sender<()>,
    pub(crate) woken: Receiver<()>,
    /// Emptied chunks on their way back to the threads.
    pub(crate) recycle: Sender<Arc<Chunk>>,
    pub(crate) recycled: Receiver<Arc<Chunk>>,
    /// Pieces of work that got a correlation id.
    pub(crate) works: AtomicU64,
    pub(crate) shards: Mutex<Shards>,
    /// What found the queue full and must not be lost.
    pub(crate) rescued: Rescued,
    pub(crate) tallies: Mutex<Vec<Arc<tally::Cell>>>,
    /// Events that arrived whole, through [`EventSink`].
    pub(crate) ready: Mutex<Ready>,
    /// Chunks taken out of a shard and not yet in the queue.
    pub(crate) handing_on: AtomicUsize,
    /// How each consumer was doing at the last tick.
    pub(crate) consumers: Mutex<Vec<(String, Health)>>,
    /// The pipeline thread panicked.
    pub(crate) broken: AtomicBool,
    /// Nothing more is processed.
    pub(crate) ended: AtomicBool,
    pub(crate) seed: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Shards {
    pub(crate) living: Vec<Arc<Shard>>,
    /// The counts of threads that ended.
    pub(crate) retired: ShardCounts,
    pub(crate) made: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Ready {
    pub(crate) events: Vec<Event>,
    pub(crate) recorded: u64,
}

impl Shared {
    #[inline]
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Remembers that the pipeline thread ended without being asked to.
    pub(crate) fn break_down(&self) {
        self.broken.store(true, Ordering::Release);
    }

    /// Ends processing: what still comes, and what lies about, is counted as closed.
    pub(crate) fn end(&self) {
        self.close();
        self.ended.store(true, Ordering::SeqCst);
        self.reap();
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.ended.load(Ordering::SeqCst)
    }

    /// Gives up what nobody will take any more.
    pub(crate) fn reap(&self) {
        let give_up = |message| shard::give_up(message, DropReason::Closed, self);
        while let Ok(message) = self.waiting.try_recv() {
            give_up(message);
        }
        for message in self.rescued.take() {
            give_up(message);
        }
        for shard in self.shards() {
            give_up(Message::Records(shard.take()));
        }
        give_up(Message::Events(std::mem::take(&mut self.ready.lock().events)));
        self.refuse(tally::take_all(&self.tallies).len() as u64);
    }

    /// Counts events that come too late.
    pub(crate) fn refuse(&self, events: u64) {
        self.counts.born(events);
        self.counts.drop_events(DropReason::Closed, events);
    }

    /// Takes in a thread's shard; its number.
    pub(crate) fn add_shard(&self, shard: &Arc<Shard>) -> u64 {
        let mut shards = self.shards.lock();
        shards.made += 1;
        shards.living.push(Arc::clone(shard));
        shards.made - 1
    }

    /// The shards of all threads. Those that are empty and whose thread ended leave their counts
    /// behind and go.
    pub(crate) fn shards(&self) -> Vec<Arc<Shard>> {
        let mut shards = self.shards.lock();
        let Shards { living, retired, .. } = &mut *shards;
        living.retain(|shard| {
            // Nobody can take a reference anew: the thread's was the only other one.
            let gone = Arc::strong_count(shard) == 1;
            // What the thread wrote before it let go is seen after that.
            fence(Ordering::Acquire);
            let goes = gone && shard.is_empty();
            if goes {
                let counts = shard.counts();
                retired.recorded += counts.recorded;
                retired.sampled += counts.sampled;
            }
            !goes
        });
        living.clone()
    }

    /// What ended in all shards, those of ended threads included.
    fn shard_counts(&self) -> ShardCounts {
        let shards = self.shards.lock();
        let mut sum = shards.retired;
        for shard in &shards.living {
            let counts = shard.counts();
            sum.recorded += counts.recorded;
            sum.sampled += counts.sampled;
        }
        sum
    }

    pub(crate) fn ledger(&self) -> Ledger {
        if self.is_ended() {
            // An operation that saw the collector open may have been published after the end.
            self.reap();
        }
        // Fates first, births last: a concurrent operation can only show as in flight.
        let mut fates = self.counts.fates();
        let shards = self.shard_counts();
        let recorded = shards.recorded + self.ready.lock().recorded + self.counts.outside();
        fates.drop_events(DropReason::Sampled, shards.sampled);
        let fated = fates.total();
        let Fates { stored, spooled, dropped } = fates;
        Ledger {
            run: Some(self.run.clone()),
            producer: Some(self.producer.clone()),
            at: self.time.utc(),
            recorded,
            stored,
            spooled,
            in_flight: recorded.saturating_sub(fated),
            dropped,
        }
    }
}

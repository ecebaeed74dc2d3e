use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use telemetry_interfaces::DropReason;

/// How long after a loss a collector counts as degraded.
const RECENT: Duration = Duration::from_secs(60);

/// What became of events after they left the shards. Written by the pipeline, and by an engine's
/// thread only when it has to drop.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Changed together, so that an event on its way from one fate to another has exactly one.
    fates: Mutex<Fates>,
    /// Operations that were recorded in no shard: windows of tallies, and what came too late.
    outside: AtomicU64,
    /// Events whose page was forgotten before they came.
    pub(crate) pages_forgotten: AtomicU64,
    watch: Mutex<Watch>,
    /// When the store was given what it works on, in nanoseconds of the monotonic clock plus one;
    /// 0 while it is idle.
    busy_since: AtomicU64,
    waiting: Mutex<Waiting>,
}

/// The fates an event can have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fates {
    pub(crate) stored: u64,
    pub(crate) spooled: u64,
    pub(crate) dropped: BTreeMap<DropReason, u64>,
}

/// Losses that nobody asked for.
#[derive(Debug, Default)]
struct Watch {
    seen: u64,
    last: Option<Duration>,
}

/// What waits for the store, for people.
#[derive(Clone, Debug, Default)]
pub(crate) struct Waiting {
    /// Events of earlier processes, which are in no count of this ledger.
    pub(crate) earlier: u64,
    /// Where everything waits.
    pub(crate) place: String,
    /// What the store said last.
    pub(crate) trouble: Option<String>,
}

impl Fates {
    pub(crate) fn drop_events(&mut self, reason: DropReason, events: u64) {
        if events > 0 {
            *self.dropped.entry(reason).or_default() += events;
        }
    }

    pub(crate) fn total(&self) -> u64 {
        self.stored + self.spooled + self.dropped.values().sum::<u64>()
    }
}

impl Counts {
    pub(crate) fn drop_events(&self, reason: DropReason, events: u64) {
        if events > 0 {
            self.fates.lock().drop_events(reason, events);
        }
    }

    pub(crate) fn settle(&self, change: impl FnOnce(&mut Fates)) {
        change(&mut self.fates.lock());
    }

    pub(crate) fn fates(&self) -> Fates {
        self.fates.lock().clone()
    }

    /// Counts events that are born outside the shards; before they get a fate.
    pub(crate) fn born(&self, events: u64) {
        self.outside.fetch_add(events, Ordering::AcqRel);
    }

    /// To be read after the fates.
    pub(crate) fn outside(&self) -> u64 {
        self.outside.load(Ordering::Acquire)
    }

    pub(crate) fn set_busy(&self, since: Option<Duration>) {
        let nanos = since.map_or(0, |it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX - 1) + 1);
        self.busy_since.store(nanos, Ordering::Release);
    }

    /// How long the store has worked on what it has.
    pub(crate) fn busy_for(&self, now: Duration) -> Duration {
        match self.busy_since.load(Ordering::Acquire) {
            0 => Duration::ZERO,
            since => now.saturating_sub(Duration::from_nanos(since - 1)),
        }
    }

    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        *self.waiting.lock() = waiting;
    }

    pub(crate) fn waiting(&self) -> Waiting {
        self.waiting.lock().clone()
    }

    /// Whether events were lost within the last minute, other than by sampling or after the end.
    pub(crate) fn is_losing(&self, now: Duration) -> bool {
        let fates = self.fates();
        let wanted = [DropReason::Sampled, DropReason::Closed];
        let lost: u64 = fates
            .dropped
            .iter()
            .filter(|(reason, _)| !wanted.contains(reason))
            .map(|(_, events)| events)
            .sum();
        let mut watch = self.watch.lock();
        if lost != watch.seen {
            *watch = Watch { seen: lost, last: Some(now) };
        }
        watch.last.is_some_and(|last| now.saturating_sub(last) < RECENT)
    }
}

/// The reason's word in a stored ledger.
pub(crate) fn word(reason: DropReason) -> &'static str {
    match reason {
        DropReason::QueueFull => "queue_full",
        DropReason::Displaced => "displaced",
        DropReason::Sampled => "sampled",
        DropReason::Invalid => "invalid",
        DropReason::StoreFailed => "store_failed",
        DropReason::Closed => "closed",
    }
}

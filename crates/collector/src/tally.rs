use crate::shared::Shared;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;
use telemetry_models::{OperationKind, Outcome};

/// Every so many operations one is timed.
const TIMED: u32 = 16;
/// Buckets of an octave.
const STEPS: usize = 4;
/// Octaves from 2² ns on; what takes longer than 2²⁸ ns (268 ms) counts into the last bucket.
const BUCKETS: usize = 26 * STEPS;
const OUTCOMES: usize = Outcome::ALL.len();

/// Counts operations that are too short to be recorded one by one (below about 2 µs): by outcome,
/// with a histogram of durations. Made by [`Collector::tally`](crate::Collector::tally).
///
/// An operation costs a few additions and, every sixteenth time, two clock readings; no
/// allocation, no lock. Each handle counts for itself, so a thread takes a clone of its own.
///
/// The pipeline makes one event for each selector (with page, engine and kind), outcome and window
/// of `tally_ms`, all handles together. Its attributes:
///
/// | attribute | value |
/// |---|---|
/// | `tally.count` | operations that ended so in the window |
/// | `tally.window_ms` | length of the window, from the event's timestamp on |
/// | `tally.timed` | operations that were timed; the following are there when it is not 0 |
/// | `tally.timed_ns` | their durations, added up |
/// | `tally.histogram` | `lower:count` for each bucket that is not empty; `lower` in ns, four buckets an octave |
///
/// A process that is killed, or ends by `process::exit`, loses what was tallied in the window that
/// has not ended: up to `tally_ms` (1 s by default) and the time until the store has it.
///
/// The ledger counts such an event as one. The event has no duration of its own: nobody measured
/// one operation.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use telemetry_collector::{Collector, CollectorConfig};
/// # use telemetry_interfaces::{EventSink, EventStore, MemoryStore, Query, SelectorObserver};
/// # use telemetry_models::{OperationKind, Outcome, SelectorDefinition, SelectorName};
/// # let store = Arc::new(MemoryStore::new());
/// # let collector = Collector::builder(CollectorConfig::default()).start(store.clone())?;
/// # let name = SelectorName::new("shop.title")?;
/// # let title = collector.selector(&SelectorDefinition { name, version: 1, strategies: vec![] });
/// let mut tally = collector.tally("my-engine", title, None, OperationKind::Resolution);
/// for text in ["a", "", "b"] {
///     let begun = tally.start();
///     let outcome = if text.is_empty() { Outcome::NotFound } else { Outcome::Success };
///     tally.finish(begun, outcome);
/// }
/// collector.flush(Duration::from_secs(5));
/// let counts: Vec<_> = store
///     .query(&Query::all())?
///     .map(|event| event.map(|event| (event.outcome, event.attributes["tally.count"].to_string())))
///     .collect::<Result<_, _>>()?;
/// assert_eq!(counts, [(Outcome::Success, "2".into()), (Outcome::NotFound, "1".into())]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Tally {
    shared: Arc<Shared>,
    cell: Arc<Cell>,
    /// Operations until the next one is timed.
    untimed: u32,
}

/// The beginning of one counted operation.
#[derive(Clone, Copy, Debug)]
#[must_use = "an operation counts when it is finished"]
pub struct TallyStart(Option<u64>);

/// What a tally counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) engine: u16,
    pub(crate) selector: u32,
    pub(crate) page: Option<u32>,
    pub(crate) operation: OperationKind,
}

/// Counts of one handle: written by its thread alone, read by the pipeline, and only growing.
#[derive(Debug)]
pub(crate) struct Cell {
    pub(crate) key: Key,
    outcomes: [Counters; OUTCOMES],
    /// What was made into events already.
    taken: Mutex<Box<[Window; OUTCOMES]>>,
    /// The handle is gone.
    done: AtomicBool,
}

#[derive(Debug)]
struct Counters {
    count: AtomicU64,
    timed_ns: AtomicU64,
    buckets: [AtomicU32; BUCKETS],
}

/// What happened in a window, or up to a moment.
#[derive(Clone, Debug)]
pub(crate) struct Window {
    pub(crate) count: u64,
    timed_ns: u64,
    buckets: [u32; BUCKETS],
}

impl Tally {
    pub(crate) fn new(shared: Arc<Shared>, key: Key) -> Self {
        let cell = Arc::new(Cell {
            key,
            outcomes: std::array::from_fn(|_| Counters::default()),
            taken: Mutex::default(),
            done: AtomicBool::new(false),
        });
        if shared.config.enabled {
            shared.tallies.lock().push(Arc::clone(&cell));
        }
        Self { shared, cell, untimed: 0 }
    }

    /// Begins an operation.
    #[inline]
    pub fn start(&mut self) -> TallyStart {
        if self.untimed > 0 {
            self.untimed -= 1;
            return TallyStart(None);
        }
        self.untimed = TIMED - 1;
        TallyStart(Some(self.shared.time.raw()))
    }

    /// Counts an operation that has ended.
    #[inline]
    pub fn finish(&mut self, start: TallyStart, outcome: Outcome) {
        match start.0 {
            None => self.count(outcome),
            Some(start) => {
                let elapsed = self.shared.time.between(start, self.shared.time.raw());
                self.add(outcome, elapsed);
            }
        }
    }

    /// Counts an operation without a duration.
    #[inline]
    pub fn count(&mut self, outcome: Outcome) {
        grow(&self.cell.outcomes[outcome as usize].count, 1);
    }

    /// Counts an operation whose duration the caller has measured.
    pub fn add(&mut self, outcome: Outcome, elapsed: Duration) {
        let counters = &self.cell.outcomes[outcome as usize];
        let nanos = u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX);
        grow(&counters.timed_ns, nanos);
        let bucket = &counters.buckets[bucket(nanos)];
        bucket.store(bucket.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        grow(&counters.count, 1);
    }
}

/// A handle for another thread. It counts for itself and into the same events.
impl Clone for Tally {
    fn clone(&self) -> Self {
        Self::new(Arc::clone(&self.shared), self.cell.key)
    }
}

impl Drop for Tally {
    fn drop(&mut self) {
        self.cell.done.store(true, Ordering::Release);
        if self.shared.is_ended() {
            self.shared.refuse(self.cell.take().len() as u64);
        }
    }
}

/// Adds to a counter that only this thread writes.
#[inline]
fn grow(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

/// The bucket of a duration: below 4 ns the first.
fn bucket(nanos: u64) -> usize {
    let nanos = nanos.max(4);
    let octave = nanos.ilog2() as usize;
    let step = (nanos >> (octave - 2)) as usize & (STEPS - 1);
    ((octave - 2) * STEPS + step).min(BUCKETS - 1)
}

/// The shortest duration of a bucket, in nanoseconds.
fn lower(bucket: usize) -> u64 {
    ((STEPS + bucket % STEPS) as u64) << (bucket / STEPS)
}

impl Cell {
    pub(crate) fn is_done(&self) -> bool {
        self.done.load(Ordering::Acquire)
    }

    /// What was counted since the last call, by outcome.
    pub(crate) fn take(&self) -> Vec<(Outcome, Window)> {
        let mut taken = self.taken.lock();
        let mut windows = Vec::new();
        for ((outcome, counters), before) in
            Outcome::ALL.iter().zip(&self.outcomes).zip(taken.iter_mut())
        {
            let now = counters.read();
            let window = now.since(before);
            if window.count > 0 {
                windows.push((*outcome, window));
                *before = now;
            }
        }
        windows
    }
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            count: AtomicU64::new(0),
            timed_ns: AtomicU64::new(0),
            buckets: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }
}

impl Counters {
    fn read(&self) -> Window {
        let mut window = Window {
            count: self.count.load(Ordering::Relaxed),
            timed_ns: 0,
            buckets: [0; BUCKETS],
        };
        // Most outcomes never happen.
        if window.count > 0 {
            window.timed_ns = self.timed_ns.load(Ordering::Relaxed);
            window.buckets = std::array::from_fn(|at| self.buckets[at].load(Ordering::Relaxed));
        }
        window
    }
}

impl Default for Window {
    fn default() -> Self {
        Self { count: 0, timed_ns: 0, buckets: [0; BUCKETS] }
    }
}

impl Window {
    fn since(&self, before: &Self) -> Self {
        Self {
            count: self.count - before.count,
            timed_ns: self.timed_ns.wrapping_sub(before.timed_ns),
            buckets: std::array::from_fn(|at| self.buckets[at].wrapping_sub(before.buckets[at])),
        }
    }

    fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.timed_ns = self.timed_ns.wrapping_add(other.timed_ns);
        for (bucket, more) in self.buckets.iter_mut().zip(other.buckets) {
            *bucket = bucket.wrapping_add(more);
        }
    }

    /// The attributes of the window's event.
    pub(crate) fn attributes(&self, length: Duration) -> BTreeMap<Arc<str>, Arc<str>> {
        let mut attributes = BTreeMap::new();
        let mut set = |key: &str, value: String| attributes.insert(key.into(), value.into());
        set("tally.count", self.count.to_string());
        set("tally.window_ms", length.as_millis().to_string());
        let timed: u64 = self.buckets.iter().copied().map(u64::from).sum();
        if timed > 0 {
            set("tally.timed", timed.to_string());
            set("tally.timed_ns", self.timed_ns.to_string());
            let mut text = String::new();
            for (at, count) in self.buckets.iter().enumerate().filter(|(_, count)| **count > 0) {
                let space = if text.is_empty() { "" } else { " " };
                write!(text, "{space}{}:{count}", lower(at)).expect("a String takes every write");
            }
            set("tally.histogram", text);
        }
        attributes
    }
}

/// The windows of all handles, those of the same key and outcome together. Handles that are gone
/// are let go.
pub(crate) fn take_all(cells: &Mutex<Vec<Arc<Cell>>>) -> BTreeMap<(Key, Outcome), Window> {
    let mut windows = BTreeMap::<_, Window>::new();
    cells.lock().retain(|cell| {
        let done = cell.is_done();
        for (outcome, window) in cell.take() {
            windows.entry((cell.key, outcome)).or_default().add(&window);
        }
        !done
    });
    windows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_hold_what_they_say() {
        let mut before = 0;
        for nanos in (0..5_000).chain([1 << 20, (1 << 28) - 1, 1 << 28, u64::MAX]) {
            let at = bucket(nanos);
            assert!(at >= before, "{nanos}");
            assert!(lower(at) <= nanos.max(4), "{nanos}");
            if at < BUCKETS - 1 {
                assert!(nanos < lower(at + 1), "{nanos}");
            }
            before = at;
        }
        assert_eq!((lower(0), lower(1), lower(4), bucket(100)), (4, 5, 8, 18));
    }
}

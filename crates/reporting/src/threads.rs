//! Reading with several threads: each reads the events of its own selectors, and what only all of
//! them together tell is handed to the thread that started them, in the order of time.
//!
//! Which selectors belong together changes nothing in the report.

use crate::collect::Collected;
use crate::streams::{Step, Streams};
use std::collections::HashMap;
use std::iter::Peekable;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use telemetry_interfaces::{Divided, EventIter};
use telemetry_models::{Event, ProducerId, RunId, Timestamp};

/// Steps handed over at once, and batches on their way: so far may one thread be ahead of another,
/// a million events.
const BATCH: usize = 4_096;
const BATCHES: usize = 256;

/// Threads that read. More than two hardly help: the store's reading is shared by all.
pub(crate) const THREADS: usize = 2;

/// What a thread tells of its events, in the order of time.
#[derive(Default)]
struct Told {
    events: u64,
    /// Recorders that were not met before.
    fresh: Vec<(RunId, ProducerId)>,
    steps: Vec<Step>,
}

/// Reads an answer in parts.
pub(crate) fn read(
    Divided { parts, part_of }: Divided<'_>,
    now: Timestamp,
    max_rows: usize,
    collected: &mut Collected,
    progress: &mut dyn FnMut(u64),
) {
    // What was read before goes to where each selector is followed from now on.
    let mut others: Vec<Collected> = (1..parts.len())
        .map(|at| collected.part(|selector| part_of(selector.as_str()) == at))
        .collect();
    let mut streams = std::mem::take(&mut collected.streams);
    std::thread::scope(|scope| {
        let own = std::iter::once(&mut *collected).chain(&mut others);
        let (helpers, told): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .zip(own)
            .map(|(events, collected)| {
                let (send, receive) = sync_channel(BATCHES);
                let helper = scope.spawn(move || {
                    take_all(events, now, max_rows, collected, &send);
                });
                (helper, receive)
            })
            .unzip();
        follow(told, &mut streams, progress);
        for helper in helpers {
            if let Err(panic) = helper.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    collected.streams = streams;
    for other in others {
        collected.join(other);
    }
    collected.keep_first(max_rows);
}

fn take_all(
    events: EventIter<'_>,
    now: Timestamp,
    max_rows: usize,
    collected: &mut Collected,
    send: &SyncSender<Told>,
) {
    let mut known = Recorders::default();
    let mut told = Told::default();
    for item in events {
        match item {
            Ok(event) => {
                if let Some(step) = known.step(&event, &mut told.fresh) {
                    told.steps.push(step);
                }
                collected.add(&event, now, max_rows);
            }
            Err(error) => collected.damaged(&error),
        }
        told.events += 1;
        if told.events as usize == BATCH {
            let next = Told { steps: Vec::with_capacity(BATCH), ..Told::default() };
            // Nobody takes it only when the receiving thread panicked, which is told there.
            let _ = send.send(std::mem::replace(&mut told, next));
        }
    }
    let _ = send.send(told);
}

/// Recorders by number.
#[derive(Default)]
struct Recorders {
    numbers: HashMap<(RunId, ProducerId), u32>,
    latest: Option<(RunId, ProducerId, u32)>,
}

impl Recorders {
    fn step(&mut self, event: &Event, fresh: &mut Vec<(RunId, ProducerId)>) -> Option<Step> {
        let (run, producer) = (event.run.as_ref()?, event.producer.as_ref()?);
        let (at, sequence) = (event.timestamp, event.sequence?);
        let stream = match &self.latest {
            Some((its, and, number)) if its == run && and == producer => *number,
            _ => {
                let next = self.numbers.len() as u32;
                let key = (run.clone(), producer.clone());
                let number = *self.numbers.entry(key).or_insert(next);
                if number == next {
                    fresh.push((run.clone(), producer.clone()));
                }
                self.latest = Some((run.clone(), producer.clone(), number));
                number
            }
        };
        Some(Step { at, sequence, stream })
    }
}

/// The steps of one thread, as they come.
struct Steps {
    told: Receiver<Told>,
    events: u64,
    recorders: Vec<(RunId, ProducerId)>,
    batch: Peekable<std::vec::IntoIter<Step>>,
}

impl Steps {
    /// When the next step was; waits for the thread. `None` when it is done.
    fn next_at(&mut self) -> Option<Timestamp> {
        while self.batch.peek().is_none() {
            let told = self.told.recv().ok()?;
            self.events += told.events;
            self.recorders.extend(told.fresh);
            self.batch = told.steps.into_iter().peekable();
        }
        self.batch.peek().map(|step| step.at)
    }
}

/// Brings the steps of all threads into the order of time.
fn follow(told: Vec<Receiver<Told>>, streams: &mut Streams, progress: &mut dyn FnMut(u64)) {
    let mut threads: Vec<Steps> = told
        .into_iter()
        .map(|told| Steps {
            told,
            events: 0,
            recorders: Vec::new(),
            batch: Vec::new().into_iter().peekable(),
        })
        .collect();
    let mut read = 0;
    loop {
        let mut next: Option<(Timestamp, usize)> = None;
        // The first of those with the same time.
        for (at, thread) in threads.iter_mut().enumerate() {
            if let Some(time) = thread.next_at()
                && next.is_none_or(|(earliest, _)| time < earliest)
            {
                next = Some((time, at));
            }
        }
        let events = threads.iter().map(|it| it.events).sum();
        if events != read {
            read = events;
            progress(read);
        }
        let Some((_, at)) = next else { return };
        let thread = &mut threads[at];
        if let Some(step) = thread.batch.next()
            && let Some((run, producer)) = thread.recorders.get(step.stream as usize)
        {
            streams.add(run, producer, step.sequence, step.at);
        }
    }
}

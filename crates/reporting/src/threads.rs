//! Reading with two threads: one decodes, and takes a part of the selectors; the other takes the
//! rest. Which selectors belong to which depends on their names alone, so the report does not depend
//! on how the threads run.

use crate::collect::Collected;
use std::hash::BuildHasher;
use std::sync::mpsc::sync_channel;
use telemetry_interfaces::EventIter;
use telemetry_models::{Event, SelectorName, Timestamp};

/// Events handed over at once, and batches on their way.
const BATCH: usize = 1_024;
const BATCHES: usize = 8;
/// Part of the selectors that the decoding thread keeps, of 256.
const KEPT: u8 = 64;

/// Reads what is left of the events.
pub(crate) fn read(
    events: EventIter<'_>,
    now: Timestamp,
    max_rows: usize,
    collected: &mut Collected,
    progress: &mut dyn FnMut(u64),
) {
    let (send, receive) = sync_channel::<Vec<Event>>(BATCHES);
    // What was read so far goes to where each selector is followed from now on.
    let mut other = collected.part(|selector| !is_kept(selector));
    // The limit holds for both together.
    let room = max_rows.saturating_sub(collected.hot.len() + other.hot.len());
    let own_rows = collected.hot.len() + room * usize::from(KEPT) / 256;
    let other_rows = max_rows.saturating_sub(own_rows).max(other.hot.len());
    std::thread::scope(|scope| {
        let helper = scope.spawn(move || {
            for batch in receive {
                for event in &batch {
                    other.add(event, now, other_rows);
                }
            }
            other
        });
        let mut batch = Vec::with_capacity(BATCH);
        let mut read = 0u64;
        for item in events {
            read += 1;
            match item {
                Ok(event) => {
                    collected.streams.add(&event);
                    if is_kept(&event.selector) {
                        collected.add(&event, now, own_rows);
                    } else {
                        batch.push(event);
                    }
                }
                Err(error) => collected.damaged(&error),
            }
            if batch.len() == BATCH {
                let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH));
                // Nobody takes it only when the helper panicked, which joining it tells.
                let _ = send.send(full);
                progress(read);
            }
        }
        let _ = send.send(batch);
        drop(send);
        match helper.join() {
            Ok(other) => collected.join(other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    });
}

fn is_kept(selector: &SelectorName) -> bool {
    let hash = foldhash::fast::FixedState::with_seed(7).hash_one(selector.as_str());
    (hash >> 32) as u8 <= KEPT
}

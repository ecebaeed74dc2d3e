//! The file `state`: how far the oldest file was replayed, and the ledgers of the producers whose
//! events wait. A store that takes no events takes no ledger either.

use super::line;
use serde::{Deserialize, Serialize};
use std::io;
use std::path::Path;
use telemetry_interfaces::{DropReason, Ledger};
use telemetry_models::{ProducerId, RunId};

const FILE: &str = "state";
const BESIDE: &str = "state.tmp";

/// Who recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Stream {
    pub(super) run: RunId,
    pub(super) producer: ProducerId,
}

impl Stream {
    fn is_of(&self, ledger: &Ledger) -> bool {
        ledger.run.as_ref() == Some(&self.run) && ledger.producer.as_ref() == Some(&self.producer)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    /// Files with a smaller number were replayed whole.
    pub(super) file: u64,
    /// Where in that file the next event begins; 0 for its beginning.
    pub(super) offset: u64,
    /// At most one of each stream.
    ledgers: Vec<Ledger>,
}

impl State {
    /// Reads the state; an empty one when there is none. An unreadable one is reported: what was
    /// replayed already is then replayed again, and the store finds out that it knows the events.
    pub(super) fn read(dir: &Path) -> Self {
        let path = dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(_) => Vec::new(),
        };
        let state = bytes.strip_suffix(b"\n").and_then(line::read);
        state.and_then(|json| serde_json::from_slice(json).ok()).unwrap_or_else(|| {
            tracing::warn!(
                target: "telemetry::collector", file = %path.display(),
                "TEL-007 the spool's state is not readable; replay begins at the oldest event"
            );
            Self::default()
        })
    }

    /// Replaces the file in one step.
    pub(super) fn write(&self, dir: &Path) -> io::Result<()> {
        let mut text = Vec::with_capacity(512);
        line::write(&mut text, |out| {
            serde_json::to_writer(out, self).expect("a Vec takes it, and every key is a text");
        });
        let beside = dir.join(BESIDE);
        std::fs::write(&beside, text)?;
        std::fs::rename(&beside, dir.join(FILE))
    }

    pub(super) fn remove(dir: &Path) {
        super::remove(&dir.join(FILE));
    }

    /// Whether no ledger waits.
    pub(super) fn is_settled(&self) -> bool {
        self.ledgers.is_empty()
    }

    pub(super) fn set(&mut self, stream: &Stream, ledger: &Ledger) {
        self.forget(stream);
        self.ledgers.push(ledger.clone());
    }

    pub(super) fn forget(&mut self, stream: &Stream) {
        self.ledgers.retain(|ledger| !stream.is_of(ledger));
    }

    /// Moves events of an earlier producer from `spooled` to `stored`, or to `dropped` those that
    /// the store refused. What is more than it knew of was spooled between its last ledger and its
    /// end.
    pub(super) fn replayed(&mut self, stream: &Stream, events: u64, refused: u64) {
        let Some(ledger) = self.ledgers.iter_mut().find(|ledger| stream.is_of(ledger)) else {
            return;
        };
        let expected = events.min(ledger.spooled);
        let on_the_way = (events - expected).min(ledger.in_flight);
        ledger.spooled -= expected;
        ledger.in_flight -= on_the_way;
        ledger.recorded += events - expected - on_the_way;
        ledger.stored += events - refused;
        if refused > 0 {
            *ledger.dropped.entry(DropReason::Invalid).or_default() += refused;
        }
    }

    /// Nothing of other producers waits any more: what their ledgers still expect was damaged.
    pub(super) fn settle(&mut self, own: &Stream) {
        for ledger in self.ledgers.iter_mut().filter(|ledger| !own.is_of(ledger)) {
            let lost = std::mem::take(&mut ledger.spooled);
            if lost > 0 {
                *ledger.dropped.entry(DropReason::StoreFailed).or_default() += lost;
            }
        }
    }

    /// The ledgers of other producers.
    pub(super) fn earlier(&self, own: &Stream) -> Vec<Ledger> {
        self.ledgers.iter().filter(|ledger| !own.is_of(ledger)).cloned().collect()
    }

    pub(super) fn forget_earlier(&mut self, taken: &Ledger) {
        self.ledgers.retain(|ledger| ledger != taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_models::Timestamp;

    #[test]
    fn a_settled_ledger_balances() {
        let stream =
            |run: &str| Stream { run: run.parse().unwrap(), producer: "main".parse().unwrap() };
        let (earlier, own) = (stream("earlier"), stream("own"));
        for replayed in [0, 3, 10, 12, 40] {
            let ledger = Ledger {
                run: Some(earlier.run.clone()),
                producer: Some(earlier.producer.clone()),
                at: Timestamp::from_nanos(0),
                recorded: 100,
                stored: 85,
                spooled: 10,
                in_flight: 5,
                dropped: Default::default(),
            };
            let mut state = State { file: 1, offset: 0, ledgers: vec![ledger] };
            state.replayed(&earlier, replayed, replayed / 3);
            assert!(state.ledgers[0].balances());
            state.settle(&own);
            let ledger = &state.earlier(&own)[0];
            assert!(ledger.balances() && ledger.spooled == 0, "{ledger:?}");
            assert_eq!(ledger.stored, 85 + replayed - replayed / 3);
        }
    }
}

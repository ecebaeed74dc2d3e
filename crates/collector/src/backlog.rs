use crate::spool::Spool;
use std::collections::VecDeque;
use telemetry_interfaces::{Error, Ledger, Result};
use telemetry_models::Event;

/// Events the store did not take, oldest first: in the spool's files, and behind them in memory
/// when there is no spool or it takes no more. Bounded by `spool_bytes` and `backlog_events`.
#[derive(Debug)]
pub(crate) struct Backlog {
    spool: Option<Spool>,
    memory: VecDeque<Event>,
    most: usize,
    /// Whether what earlier processes left was found; before that nothing is put behind it.
    opened: bool,
}

/// Events to try next.
pub(crate) struct Oldest<'a> {
    pub(crate) events: &'a [Event],
    /// Whether this producer recorded them; otherwise an earlier process did.
    pub(crate) ours: bool,
}

impl Backlog {
    pub(crate) fn new(spool: Option<Spool>, most: usize) -> Self {
        Self { spool, memory: VecDeque::new(), most, opened: false }
    }

    /// Finds what earlier processes left.
    pub(crate) fn open(&mut self) -> Result<()> {
        self.spool.as_mut().map_or(Ok(()), Spool::open_existing)?;
        self.opened = true;
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.memory.is_empty() && self.spool.as_ref().is_none_or(Spool::is_empty)
    }

    /// Whether nothing waits in memory.
    pub(crate) fn is_in_files(&self) -> bool {
        self.memory.is_empty()
    }

    /// Waiting events: of this producer, and of earlier ones.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let (ours, earlier) = self.spool.as_ref().map_or((0, 0), Spool::waiting);
        (ours + self.memory.len() as u64, earlier)
    }

    /// Where they wait, for people.
    pub(crate) fn place(&self) -> String {
        let memory = self.memory.len();
        match &self.spool {
            Some(spool) if memory == 0 => {
                format!("in {} ({} bytes)", spool.dir().display(), spool.bytes())
            }
            Some(spool) => format!(
                "in {} ({} bytes), of which {memory} in memory",
                spool.dir().display(),
                spool.bytes()
            ),
            None => "in memory".into(),
        }
    }

    /// Keeps as many events as there is room for, the oldest first; those there was none for, and
    /// what is wrong with the spool.
    pub(crate) fn keep(&mut self, mut events: Vec<Event>) -> (Vec<Event>, Option<Error>) {
        let mut trouble = None;
        if self.memory.is_empty()
            && let Some(spool) = self.spool.as_mut().filter(|_| self.opened)
        {
            let (taken, result) = spool.push(&events);
            events.drain(..taken);
            trouble = result.err();
        }
        let room = self.most.saturating_sub(self.memory.len());
        let rest = events.split_off(room.min(events.len()));
        self.memory.extend(events);
        (rest, trouble)
    }

    /// Up to `most` of the oldest events; none when nothing that waited can be read.
    pub(crate) fn peek(&mut self, most: usize) -> Oldest<'_> {
        if let Some(spool) = self.spool.as_mut().filter(|spool| !spool.is_empty()) {
            // Looked at twice, because the first answer would be borrowed for too long.
            if !spool.peek(most).0.is_empty() {
                let (events, ours) = spool.peek(most);
                return Oldest { events, ours };
            }
        }
        let events = self.memory.make_contiguous();
        Oldest { events: &events[..events.len().min(most)], ours: true }
    }

    /// The oldest `events` are settled, of which the store refused `refused`.
    pub(crate) fn commit(&mut self, events: usize, mut refused: u64) {
        let mut left = events;
        while left > 0
            && let Some(spool) = self.spool.as_mut().filter(|spool| !spool.is_empty())
        {
            let some = spool.peek(left).0.len();
            if some == 0 {
                break;
            }
            spool.commit(some, std::mem::take(&mut refused));
            left -= some;
        }
        let in_memory = left.min(self.memory.len());
        self.memory.drain(..in_memory);
        // The rest was damaged meanwhile, but the store has it.
        if let Some(spool) = &mut self.spool {
            spool.not_lost((left - in_memory) as u64);
        }
    }

    /// This producer's events that were found damaged since the last call.
    pub(crate) fn take_lost(&mut self) -> u64 {
        self.spool.as_mut().map_or(0, Spool::take_lost)
    }

    /// Moves what waits in memory into files where there is room now, and brings the files to
    /// stable storage. Whether nothing waits in memory any more.
    pub(crate) fn settle(&mut self) -> bool {
        if let Some(spool) = &mut self.spool {
            if !self.memory.is_empty() {
                let (taken, _) = spool.push(self.memory.make_contiguous());
                self.memory.drain(..taken);
            }
            spool.sync();
        }
        self.memory.is_empty()
    }

    /// Gives up what waits in memory; how much that was.
    pub(crate) fn abandon_memory(&mut self) -> u64 {
        let lost = self.memory.len() as u64;
        self.memory.clear();
        lost
    }

    /// Writes down how far replay has come, and the ledger for a store that returns later.
    pub(crate) fn save(&mut self, ledger: impl FnOnce() -> Ledger) {
        if let Some(spool) = &mut self.spool {
            spool.save(&ledger());
        }
    }

    /// Keeps the ledger although no event may wait: the store did not take it.
    pub(crate) fn keep_ledger(&mut self, ledger: &Ledger) {
        if let Some(spool) = &mut self.spool {
            spool.keep_ledger(ledger);
        }
    }

    /// The store has this producer's ledger.
    pub(crate) fn forget_ledger(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.forget_ledger();
        }
    }

    /// The ledgers of earlier processes, once nothing of theirs waits.
    pub(crate) fn earlier_ledgers(&mut self) -> Vec<Ledger> {
        self.spool.as_mut().map_or_else(Vec::new, Spool::earlier_ledgers)
    }

    /// The store has this ledger of an earlier process.
    pub(crate) fn forget_earlier(&mut self, ledger: &Ledger) {
        if let Some(spool) = &mut self.spool {
            spool.forget_earlier(ledger);
        }
    }
}

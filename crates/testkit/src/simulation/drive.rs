//! Runs a workload as a program would: what fails is tried again, then the store is opened anew.

use super::workload::{Step, Workload};
use super::{Subject, store_path};
use crate::disk::{Fault, FaultKind, SimDisk};
use std::collections::BTreeSet;
use std::sync::Arc;
use telemetry_interfaces::{Error, ErrorKind, HealthStatus, Ledger, Query};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::Store;

/// What was appended and acknowledged, by the marks that the disk's moments carry.
#[derive(Clone, Debug)]
pub(super) struct History {
    pub(super) events: Vec<Event>,
    marks: Vec<Mark>,
}

/// How far a program was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Mark {
    /// Events that were given to the store, acknowledged or not: the first so many.
    pub(super) offered: usize,
    /// Events that it acknowledged.
    pub(super) acknowledged: usize,
    /// The same of ledgers, which are numbered from 1.
    pub(super) ledger_offered: u64,
    pub(super) ledger_acknowledged: u64,
}

impl History {
    pub(super) fn mark(&self, note: usize) -> Mark {
        self.marks[note]
    }
}

pub(super) struct Driven {
    pub(super) history: History,
    /// Calls of the store that ended in an error.
    pub(super) refusals: u64,
}

/// The ledger of a number.
pub(super) fn ledger(number: u64) -> Ledger {
    Ledger {
        run: None,
        producer: None,
        at: Timestamp::from_millis(1_767_225_600_000 + number as i64),
        recorded: number,
        stored: number,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    }
}

struct Driver<'a> {
    subject: &'a Subject,
    workload: &'a Workload,
    disk: SimDisk,
    store: Option<Box<dyn Store>>,
    history: History,
    now: Mark,
    fault: Option<Fault>,
    refusals: u64,
    /// Whether events that were not acknowledged may be there all the same.
    doubt: bool,
}

/// How often something is tried again before the fault is taken away.
const TRIES: usize = 4;

/// The fault counts from the first call on. After it is over, or at the end, everything that was
/// begun is completed.
pub(super) fn drive(
    subject: &Subject,
    workload: &Workload,
    disk: &SimDisk,
    fault: Option<Fault>,
) -> Result<Driven, String> {
    disk.fail(fault);
    let mut driver = Driver {
        subject,
        workload,
        disk: disk.clone(),
        store: None,
        history: History { events: workload.events.clone(), marks: vec![Mark::default()] },
        now: Mark::default(),
        fault,
        refusals: 0,
        doubt: false,
    };
    for step in &workload.steps {
        driver.step(*step).map_err(|what| format!("{step:?}: {what}"))?;
    }
    driver.with_store("close", |store, _| store.close())?;
    Ok(Driven { history: driver.history, refusals: driver.refusals })
}

impl Driver<'_> {
    fn step(&mut self, step: Step) -> Result<(), String> {
        match step {
            Step::Append(events) => {
                self.now.offered = self.now.acknowledged + events;
                self.note();
                let range = self.now.acknowledged..self.now.offered;
                self.append(range)?;
                self.now.acknowledged = self.now.offered;
                self.note();
            }
            Step::Again => {
                let from = self.now.acknowledged.saturating_sub(3);
                self.append(from..self.now.acknowledged)?;
            }
            Step::Ledger => {
                self.now.ledger_offered += 1;
                self.note();
                let ledger = ledger(self.now.ledger_offered);
                self.with_store("append a ledger", |store, _| store.append_ledger(&ledger))?;
                self.now.ledger_acknowledged = self.now.ledger_offered;
                self.note();
            }
            Step::Flush => self.with_store("flush", |store, _| store.flush())?,
            Step::Compact => {
                self.with_store("compact", |store, _| store.compact(&mut |_, _| {}).map(|_| ()))?
            }
            Step::RollUp => self.with_store("roll up", |store, _| {
                let Some(rollups) = store.rollups() else { return Ok(()) };
                rollups.roll_up(&mut |_, _| {}).map(|_| ())
            })?,
            Step::Convert => self.with_store("convert", |store, _| {
                store.compact(&mut |_, _| {})?;
                store.convert(None, &mut |_, _| {}).map(|_| ())
            })?,
            Step::Reopen => {
                self.with_store("close", |store, _| store.close())?;
                self.store = None;
            }
            Step::Kill => {
                self.disk = self.disk.kill();
                // Its files and its lock are gone with the program: what it does at its end fails.
                self.store = None;
                self.doubt = true;
            }
        }
        Ok(())
    }

    fn note(&mut self) {
        self.history.marks.push(self.now);
        self.disk.note(self.history.marks.len() - 1);
    }

    fn append(&mut self, range: std::ops::Range<usize>) -> Result<(), String> {
        let batch: Vec<Event> = self.workload.events[range].to_vec();
        self.with_store("append", |store, doubt| {
            let ack = store.append(&batch)?;
            let all = ack.stored + ack.duplicates == batch.len() as u64;
            let known = doubt || ack.duplicates == 0 || ack.stored == 0;
            if all && known {
                return Ok(());
            }
            Err(Error::new(
                ErrorKind::Internal,
                telemetry_interfaces::Code::Processing,
                format!("a batch of {} was acknowledged as {ack:?}", batch.len()),
            ))
        })?;
        self.agrees(self.now.offered)
    }

    /// Does something with an open store until it works.
    fn with_store(
        &mut self,
        doing: &str,
        work: impl Fn(&dyn Store, bool) -> telemetry_interfaces::Result<()>,
    ) -> Result<(), String> {
        let mut attempt = 0;
        loop {
            if attempt == TRIES && self.fault.take().is_some() {
                self.disk.fail(None);
            }
            let error = match self.store.take() {
                None => match self.open() {
                    Ok(store) => {
                        self.store = Some(store);
                        continue;
                    }
                    Err(error) => error,
                },
                Some(store) => match work(&*store, self.doubt) {
                    Ok(()) => {
                        self.store = Some(store);
                        return Ok(());
                    }
                    Err(error) => {
                        // A store that takes nothing more is closed and opened again.
                        let closed = error.kind() == ErrorKind::Closed;
                        // Nor does one that could not take a failed write back.
                        self.doubt |= closed || store.health().status == HealthStatus::Failed;
                        self.store = (!closed && attempt % 2 == 0).then_some(store);
                        error
                    }
                },
            };
            attempt += 1;
            self.refusals += 1;
            if let Some(next) = self.disk.next_program() {
                self.disk = next;
                self.store = None;
                self.doubt = true;
                continue;
            }
            // Nothing is damaged here: what cannot be read at this moment is not called so.
            let expected = matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Closed);
            if !expected || self.fault.is_none() && attempt > TRIES {
                return Err(format!("cannot {doing} ({:?}): {error}", error.kind()));
            }
            if self.store.is_some() && !self.doubt {
                self.agrees(self.now.acknowledged)?;
            }
        }
    }

    fn open(&self) -> telemetry_interfaces::Result<Box<dyn Store>> {
        (self.subject.open)(Arc::new(self.disk.clone()), &store_path(), self.workload.kind)
    }

    /// The open store has the first so many events, and no other.
    fn agrees(&self, count: usize) -> Result<(), String> {
        let Some(store) = &self.store else { return Ok(()) };
        // Where torn lines stay, answers with and without read errors look alike.
        let reading_fails = self.fault.is_some_and(|it| it.kind == FaultKind::Read);
        if reading_fails && self.subject.keeps_torn {
            return Ok(());
        }
        let found: Result<Vec<Event>, Error> = store.query(&Query::all()).and_then(|answer| {
            answer.filter(|item| item.is_ok() || !self.subject.keeps_torn).collect()
        });
        let found = match found {
            Ok(found) => found,
            Err(_) if reading_fails => return Ok(()),
            Err(error) => return Err(format!("the open store cannot be read: {error}")),
        };
        let ids: BTreeSet<_> = found.iter().map(|event| event.sequence).collect();
        let wanted: BTreeSet<_> =
            self.workload.events[..count].iter().map(|event| event.sequence).collect();
        if found.len() != count || ids != wanted {
            return Err(format!("the open store has {} events instead of {count}", found.len()));
        }
        Ok(())
    }
}

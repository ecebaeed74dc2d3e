//! Holds what a loss of power left against what was acknowledged.

use super::drive::{History, Mark, ledger};
use super::workload::{Kind, SPARE};
use super::{Subject, Tally, rollups, store_path};
use crate::disk::{Loss, Moment, SimDisk};
use std::collections::HashMap;
use std::sync::Arc;
use telemetry_interfaces::{ErrorKind, EventStore, Query, SelectorPattern, VerifyLevel};
use telemetry_models::{Event, Outcome};
use telemetry_storage::Store;

pub(super) struct Check<'a> {
    subject: &'a Subject,
    kind: Kind,
    history: &'a History,
    mark: Mark,
    tally: &'a mut Tally,
}

impl<'a> Check<'a> {
    pub(super) fn new(
        subject: &'a Subject,
        kind: Kind,
        history: &'a History,
        note: usize,
        tally: &'a mut Tally,
    ) -> Self {
        Self { subject, kind, history, mark: history.mark(note), tally }
    }

    /// A loss of power at a moment; then, in as many moments of the recovery, another one.
    pub(super) fn loss(
        &mut self,
        moment: &Moment,
        loss: Loss,
        seed: u64,
        recoveries: usize,
    ) -> Result<(), String> {
        self.tally.points += 1;
        self.tally.acknowledged += self.mark.acknowledged as u64;
        *self.tally.by_kind.entry(self.kind.as_str()).or_default() += 1;
        let disk = SimDisk::after(moment, loss, seed);
        let reader = self.reader(&disk)?;
        if recoveries > 0 {
            disk.watch();
        }
        let store = (self.subject.open)(Arc::new(disk.clone()), &store_path(), self.kind)
            .map_err(|error| format!("the store does not open: {error}"))?;
        if recoveries > 0 {
            self.in_recovery(&disk, seed, recoveries)?;
        }
        let recovered = store.recovered();
        self.tally.torn += u64::from(!recovered.torn.is_empty());
        if !recovered.damage.is_empty() && !self.subject.keeps_torn {
            return Err(format!("recovery reports damage: {:?}", recovered.damage));
        }
        if let (Some(error), true) = (reader, recovered.is_clean()) {
            return Err(format!("a reader met what recovery does not report: {error}"));
        }
        let found =
            self.events(&*store, "after recovery", self.mark.acknowledged, self.mark.offered)?;
        if self.kind == Kind::RollUp {
            rollups::check(&*store, &found)?;
        }
        self.ledger(&*store)?;
        self.goes_on(&disk, &*store)
    }

    /// Asks before anybody recovers; gives the first error item.
    fn reader(&self, disk: &SimDisk) -> Result<Option<String>, String> {
        let opened = (self.subject.open_reader)(Arc::new(disk.clone()), &store_path(), self.kind);
        let reader = match opened {
            Ok(reader) => reader,
            Err(error) if self.mark.acknowledged == 0 && error.kind() != ErrorKind::Internal => {
                return Ok(None);
            }
            Err(error) => return Err(format!("a reader cannot open the store: {error}")),
        };
        let mut fault = None;
        let mut found = Vec::new();
        let answer = reader.query(&Query::all());
        for item in answer.map_err(|error| format!("a reader cannot ask: {error}"))? {
            match item {
                Ok(event) => found.push(event),
                Err(error) => fault = fault.or(Some(error.to_string())),
            }
        }
        let (least, most) = (self.mark.acknowledged, self.mark.offered);
        self.compare(&found, least, most).map_err(|what| format!("to a reader {what}"))?;
        Ok(fault)
    }

    fn in_recovery(&mut self, disk: &SimDisk, seed: u64, most: usize) -> Result<(), String> {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut moments = disk.moments();
        rng.shuffle(&mut moments);
        for moment in moments.iter().take(most) {
            let loss = Loss::ALL[rng.usize(..Loss::ALL.len())];
            self.tally.in_recovery += 1;
            self.loss(moment, loss, rng.u64(..), 0).map_err(|what| {
                format!("then in recovery, call {}, {loss:?}: {what}", moment.call)
            })?;
        }
        Ok(())
    }

    /// The store takes what was in doubt and more, verifies, and loses none of it.
    fn goes_on(&self, disk: &SimDisk, store: &dyn Store) -> Result<(), String> {
        let all = (self.mark.offered + SPARE).min(self.history.events.len());
        let batch = &self.history.events[self.mark.acknowledged..all];
        let ack = store.append(batch).map_err(|error| format!("it takes no append: {error}"))?;
        if ack.stored + ack.duplicates != batch.len() as u64 {
            return Err(format!("a batch of {} was acknowledged as {ack:?}", batch.len()));
        }
        let moment = disk.moment();
        self.events(store, "after another append", all, all)?;
        let report = store
            .verify(VerifyLevel::Deep, &mut |_, _| {})
            .map_err(|error| format!("it cannot be verified: {error}"))?;
        let clean = report.is_clean() || self.subject.keeps_torn;
        if !clean || report.events != all as u64 {
            let (events, damage) = (report.events, report.damage);
            return Err(format!("verify counts {events} of {all} events, damage {damage:?}"));
        }
        let stats = store.stats().map_err(|error| format!("no statistics: {error}"))?;
        let clean = stats.damage.is_empty() || self.subject.keeps_torn;
        if stats.events != all as u64 || !clean {
            return Err(format!("statistics of {all} events say {stats:?}"));
        }
        store.close().map_err(|error| format!("it does not close: {error}"))?;
        for (when, moment) in [("its acknowledgement", moment), ("its end", disk.moment())] {
            let disk = SimDisk::after(&moment, Loss::Unsynced, 0);
            let reader = (self.subject.open_reader)(Arc::new(disk), &store_path(), self.kind)
                .map_err(|error| format!("after {when} and a loss: {error}"))?;
            self.events(&*reader, &format!("after {when} and a loss"), all, all)?;
        }
        Ok(())
    }

    /// All events and two selections of them.
    fn events(
        &self,
        store: &dyn EventStore,
        when: &str,
        least: usize,
        most: usize,
    ) -> Result<Vec<Event>, String> {
        let ask = |query: &Query| {
            let answer = store.query(query).map_err(|error| format!("{when}: {error}"))?;
            let kept = |item: &Result<Event, _>| item.is_ok() || !self.subject.keeps_torn;
            let found: Result<Vec<Event>, _> = answer.filter(kept).collect();
            found.map_err(|error| format!("{when}: {error}"))
        };
        let found = ask(&Query::all())?;
        self.compare(&found, least, most).map_err(|what| format!("{when} {what}"))?;
        let Some(one) = self.history.events.first() else { return Ok(found) };
        let by_selector = Query {
            selector: SelectorPattern::new(one.selector.as_str()).ok(),
            from: Some(one.timestamp),
            ..Query::all()
        };
        let by_outcome = Query { outcomes: vec![Outcome::NotFound], ..Query::all() };
        for query in [by_selector, by_outcome] {
            let wanted: Vec<&Event> = found.iter().filter(|event| query.matches(event)).collect();
            if !ask(&query)?.iter().eq(wanted.iter().copied()) {
                return Err(format!("{when} the answer to {query:?} is wrong"));
            }
        }
        Ok(found)
    }

    fn compare(&self, found: &[Event], least: usize, most: usize) -> Result<(), String> {
        if !found.is_sorted_by_key(|event| event.timestamp) {
            return Err("events are out of order".into());
        }
        let mut by_sequence = HashMap::new();
        for event in found {
            if by_sequence.insert(event.sequence, event).is_some() {
                return Err(format!("event {:?} is there twice", event.sequence));
            }
        }
        for (at, event) in self.history.events[..most].iter().enumerate() {
            match by_sequence.remove(&event.sequence) {
                Some(found) if found == event => {}
                Some(_) => return Err(format!("event {at} is not what was appended")),
                None if at < least => {
                    return Err(format!("event {at} of {least} acknowledged ones is lost"));
                }
                None => {}
            }
        }
        match by_sequence.keys().next() {
            Some(sequence) => Err(format!("event {sequence:?} was never appended")),
            None => Ok(()),
        }
    }

    fn ledger(&self, store: &dyn EventStore) -> Result<(), String> {
        let found = store.ledgers().map_err(|error| format!("no ledgers: {error}"))?;
        let number = found.first().map_or(0, |it| it.recorded);
        let range = self.mark.ledger_acknowledged..=self.mark.ledger_offered;
        let equal = number == 0 || found == [ledger(number)];
        if range.contains(&number) && equal {
            Ok(())
        } else {
            Err(format!("the ledgers are {found:?}, expected number {range:?}"))
        }
    }
}

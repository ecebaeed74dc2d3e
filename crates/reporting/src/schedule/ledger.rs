use super::{CatchUp, Schedule};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result, StateChange, StateStore};
use telemetry_models::Timestamp;

const COLLECTION: &str = "report_schedules";
const VERSION: u32 = 1;
/// Reports that are made up for at once.
const MOST_MADE_UP: usize = 100;
/// With `catch_up = "none"`, how late a report may be.
const GRACE: Duration = Duration::from_secs(600);
/// Tries of one report.
const TRIES: u32 = 3;
/// Due times that are counted one by one.
const MOST_COUNTED: u64 = 10_000;

/// Says which reports are due, and keeps in the state store what became of them, so that none is
/// made twice or forgotten over a restart. One process at a time should use it.
pub struct Scheduler<'a> {
    schedules: &'a [Schedule],
    state: &'a dyn StateStore,
}

/// A report to be made.
#[derive(Clone, Debug)]
pub struct Due<'a> {
    /// For this schedule.
    pub schedule: &'a Schedule,
    /// The time it was due.
    pub at: Timestamp,
    /// How often it was tried before.
    pub tries: u32,
    /// Reports before it that fell due and are not made.
    pub missed: u64,
}

/// What is known of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    version: u32,
    /// When it was first seen; what was due before is not made.
    pub since: Timestamp,
    /// The last due time that is dealt with.
    pub done: Option<Timestamp>,
    /// Tries of the one after that failed.
    pub tries: u32,
    /// The last try.
    pub last: Option<LastRun>,
    /// When a report was last made and delivered.
    pub succeeded: Option<Timestamp>,
}

/// One try of one report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LastRun {
    /// The time it was due.
    pub due: Timestamp,
    /// When it was tried.
    pub ran: Timestamp,
    /// How it went.
    pub outcome: RunOutcome,
    /// What was wrong; empty when nothing was.
    pub detail: String,
    /// Files that were written.
    pub files: Vec<String>,
    /// Reports before it that fell due and were not made.
    pub missed: u64,
}

/// How a try went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunOutcome {
    /// The report was made and, where asked, delivered.
    Made,
    /// It was made and not delivered everywhere.
    Undelivered,
    /// It was not made.
    Failed,
}

impl<'a> Scheduler<'a> {
    /// Of schedules whose names differ.
    pub fn new(schedules: &'a [Schedule], state: &'a dyn StateStore) -> Self {
        Self { schedules, state }
    }

    /// What is known of a schedule; `None` when it was never looked at.
    ///
    /// # Errors
    /// When the state cannot be read; TEL-007 when it was written by a newer version.
    pub fn entry(&self, name: &str) -> Result<Option<Entry>> {
        let Some(text) = self.state.load(COLLECTION, name)? else { return Ok(None) };
        let unreadable = |message: &str| {
            Error::new(ErrorKind::Corrupt, Code::Corruption, message)
                .with("schedule", name)
                .cure("remove the row of `report_schedules` in state.db to begin anew")
        };
        let entry: Entry = serde_json::from_str(&text).map_err(|error| {
            unreadable("what is known of a schedule is unreadable").source(error)
        })?;
        if entry.version > VERSION {
            return Err(unreadable("what is known of a schedule was written by a newer version"));
        }
        Ok(Some(entry))
    }

    /// The reports that are due, oldest first for each schedule. A schedule that was never seen
    /// before is noted; its first report is the next one due (with `once`, the one due).
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub fn due(&self, now: Timestamp) -> Result<Vec<Due<'a>>> {
        let mut found = Vec::new();
        for schedule in self.schedules {
            let entry = match self.entry(&schedule.name)? {
                Some(entry) => entry,
                None => self.begin(schedule, now)?,
            };
            self.of(schedule, &entry, now, &mut found)?;
        }
        Ok(found)
    }

    fn begin(&self, schedule: &Schedule, now: Timestamp) -> Result<Entry> {
        let since = match schedule.when {
            super::When::Once(_) => Timestamp::MIN,
            _ => now,
        };
        let entry =
            Entry { version: VERSION, since, done: None, tries: 0, last: None, succeeded: None };
        self.put(&schedule.name, &entry)?;
        Ok(entry)
    }

    fn of(
        &self,
        schedule: &'a Schedule,
        entry: &Entry,
        now: Timestamp,
        found: &mut Vec<Due<'a>>,
    ) -> Result<()> {
        let Some(last) = schedule.when.last_until(now) else { return Ok(()) };
        let next = schedule.when.next_after(now).unwrap_or(Timestamp::MAX);
        let mut base = entry.done.map_or(entry.since, |done| done.max(entry.since));
        if base >= next {
            // The clock was set back behind a report already made: go on from here.
            base = last;
            self.put(&schedule.name, &Entry { since: last, done: Some(last), ..entry.clone() })?;
        }
        if last <= base || !may_try_again(entry, now) {
            return Ok(());
        }
        let mut times = vec![last];
        let mut missed = 0;
        let mut at = last;
        while let Some(earlier) =
            schedule.when.last_until(at.saturating_sub(Duration::from_nanos(1)))
        {
            if earlier <= base || missed >= MOST_COUNTED {
                break;
            }
            match schedule.catch_up {
                CatchUp::All if times.len() < MOST_MADE_UP => times.push(earlier),
                _ => missed += 1,
            }
            at = earlier;
        }
        if schedule.catch_up == CatchUp::None && now.since(last) > GRACE {
            let passed = LastRun {
                due: last,
                ran: now,
                outcome: RunOutcome::Failed,
                detail: "too late: nothing ran when it was due".into(),
                files: Vec::new(),
                missed: missed + 1,
            };
            let entry = Entry { done: Some(last), tries: 0, last: Some(passed), ..entry.clone() };
            return self.put(&schedule.name, &entry);
        }
        for (nth, at) in times.into_iter().rev().enumerate() {
            let first = nth == 0;
            found.push(Due {
                schedule,
                at,
                tries: if first { entry.tries } else { 0 },
                missed: if first { missed } else { 0 },
            });
        }
        Ok(())
    }

    /// Keeps how a try went. A report that failed, or was not delivered, is due again after one
    /// minute and then after four, three tries in all.
    ///
    /// # Errors
    /// When the state cannot be written; the report is due again then.
    pub fn record(&self, due: &Due<'_>, run: LastRun) -> Result<()> {
        let name = &due.schedule.name;
        let before = match self.entry(name)? {
            Some(entry) => entry,
            None => self.begin(due.schedule, run.ran)?,
        };
        let made = run.outcome == RunOutcome::Made;
        let tries = due.tries + 1;
        let settled = made || tries >= TRIES;
        self.put(
            name,
            &Entry {
                done: if settled { Some(due.at) } else { before.done },
                tries: if settled { 0 } else { tries },
                succeeded: if made { Some(run.ran) } else { before.succeeded },
                last: Some(run),
                ..before
            },
        )
    }

    /// When the next report is due, or one that failed is tried again; `None` for never.
    ///
    /// # Errors
    /// When the state cannot be read.
    pub fn next(&self, now: Timestamp) -> Result<Option<Timestamp>> {
        let mut next: Option<Timestamp> = None;
        let mut earlier = |time: Timestamp| next = Some(next.map_or(time, |it| it.min(time)));
        for schedule in self.schedules {
            if let Some(time) = schedule.when.next_after(now) {
                earlier(time);
            }
            if let Some(time) = self.entry(&schedule.name)?.and_then(|entry| try_again_at(&entry)) {
                earlier(time.max(now));
            }
        }
        Ok(next)
    }

    fn put(&self, name: &str, entry: &Entry) -> Result<()> {
        let value = serde_json::to_string(entry).map_err(|error| {
            Error::new(ErrorKind::Internal, Code::Processing, "a schedule's state is not JSON")
                .source(error)
        })?;
        let (collection, key) = (COLLECTION.to_owned(), name.to_owned());
        self.state.commit(&[StateChange::Put { collection, key, value }])
    }
}

fn try_again_at(entry: &Entry) -> Option<Timestamp> {
    let last = entry.last.as_ref().filter(|_| entry.tries > 0)?;
    let pause = Duration::from_secs(60) * 4_u32.pow(entry.tries.saturating_sub(1).min(3));
    Some(last.ran.saturating_add(pause))
}

fn may_try_again(entry: &Entry, now: Timestamp) -> bool {
    let last = entry.last.as_ref().map(|last| last.ran);
    // A try in the future is a clock that was set back.
    try_again_at(entry).is_none_or(|at| at <= now) || last.is_some_and(|last| last > now)
}

//! Events that the store did not take, in local files until it does.
//!
//! A spool is a directory:
//!
//! | file | content |
//! |---|---|
//! | `00000001.jsonl`, … | a header line, then one event a line, append-only; replayed in the order of the numbers, removed once replayed |
//! | `state` | how far the oldest file was replayed, and the ledgers of producers whose events are here; replaced in one step |
//! | `LOCK` | held by the one process that uses the spool |
//!
//! Every line carries its CRC-32C (see [`line`]). A file is never appended to by a later process,
//! so the unfinished line a crash leaves is always the last of its file.

mod line;
mod read;
mod state;

use crate::spool::read::Reader;
use crate::spool::state::{State, Stream};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use telemetry_interfaces::{Code, Error, ErrorKind, Ledger, Result};
use telemetry_models::{Event, ProducerId, RunId, json};

const FORMAT: &str = "telemetry-spool";
const VERSION: u32 = 1;
const SUFFIX: &str = ".jsonl";
/// How the name of a file ends that cannot be read and was set aside.
const UNREADABLE: &str = "unreadable";
const LOCK: &str = "LOCK";
const LARGEST_FILE: u64 = 8 << 20;
const SMALLEST_FILE: u64 = 16 << 10;

/// Bounded files of waiting events, oldest first.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: PathBuf,
    /// Bytes all files together may take.
    limit: u64,
    /// Held while the spool is in use; `None` until it is opened.
    lock: Option<File>,
    files: VecDeque<SpoolFile>,
    next_number: u64,
    /// The last of `files`, while it may grow.
    writer: Option<File>,
    /// Of the first of `files`.
    reader: Option<Reader>,
    own: Stream,
    state: State,
    /// Whether there is a file of the state.
    state_kept: bool,
    /// Replayed files that go once the state says so.
    replayed: Vec<PathBuf>,
    /// Bytes of files that were set aside because they cannot be read. They are in the directory and
    /// count towards the limit until somebody takes them away.
    unreadable: u64,
    /// Whether an event found no room. A smaller one behind it might, but what is lost is the
    /// newest; until a file goes, nothing is taken.
    full: bool,
    /// Events of this producer that were damaged since last asked.
    lost: u64,
}

#[derive(Debug)]
struct SpoolFile {
    number: u64,
    /// Where the next event to replay begins.
    from: u64,
    /// Where the last whole line ends.
    end: u64,
    /// Events that wait in it.
    events: u64,
    /// Whether this producer wrote it.
    ours: bool,
    /// Which earlier producer wrote it, where that is readable.
    earlier: Option<Stream>,
}

/// The first line of a file.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    format: String,
    version: u32,
    #[serde(flatten)]
    stream: Stream,
}

impl Spool {
    pub(crate) fn new(dir: PathBuf, limit: u64, run: RunId, producer: ProducerId) -> Self {
        Self {
            dir,
            limit,
            lock: None,
            files: VecDeque::new(),
            next_number: 1,
            writer: None,
            reader: None,
            own: Stream { run, producer },
            state: State::default(),
            state_kept: false,
            replayed: Vec::new(),
            unreadable: 0,
            full: false,
            lost: 0,
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Opens what an earlier process left; nothing is made when there is nothing.
    pub(crate) fn open_existing(&mut self) -> Result<()> {
        if self.dir.is_dir() { self.open() } else { Ok(()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.files.iter().all(|file| file.events == 0)
    }

    /// Waiting events: of this producer, and of earlier ones.
    pub(crate) fn waiting(&self) -> (u64, u64) {
        let (ours, earlier): (Vec<_>, Vec<_>) = self.files.iter().partition(|file| file.ours);
        let sum = |files: Vec<&SpoolFile>| files.iter().map(|file| file.events).sum();
        (sum(ours), sum(earlier))
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.end).sum::<u64>() + self.unreadable
    }

    /// Appends as many events as there is room for; how many, and why not more.
    pub(crate) fn push(&mut self, events: &[Event]) -> (usize, Result<()>) {
        if let Err(error) = self.open() {
            return (0, Err(error));
        }
        if self.full {
            return (0, Err(self.full()));
        }
        let (mut done, mut in_block) = (0, 0);
        let mut block = Vec::new();
        for event in events {
            let before = block.len();
            line::write(&mut block, |out| json::write_to(event, out));
            if self.bytes() + block.len() as u64 > self.limit {
                self.full = true;
                block.truncate(before);
                let written = self.write(&block, in_block);
                done += if written.is_ok() { in_block } else { 0 };
                return (done, written.and_then(|()| Err(self.full())));
            }
            in_block += 1;
            let begun = self.files.back().filter(|_| self.writer.is_some());
            if begun.map_or(0, |file| file.end) + block.len() as u64 >= self.file_limit() {
                if let Err(error) = self.write(&block, in_block) {
                    return (done, Err(error));
                }
                done += in_block;
                in_block = 0;
                block.clear();
                self.sync();
                self.writer = None;
            }
        }
        match self.write(&block, in_block) {
            Ok(()) => (done + in_block, Ok(())),
            Err(error) => (done, Err(error)),
        }
    }

    /// Up to `most` of the oldest events, and whether they are this producer's. Empty when there
    /// is none that can be read; files without any are removed.
    pub(crate) fn peek(&mut self, most: usize) -> (&[Event], bool) {
        while let Some(front) = self.files.front() {
            let (number, from, end) = (front.number, front.from, front.end);
            if self.reader.is_none() {
                match Reader::open(&self.path(number), from) {
                    Ok(reader) => self.reader = Some(reader),
                    Err(error) => {
                        self.set_aside(&error);
                        continue;
                    }
                }
            }
            match self.reader.as_mut().map(|reader| reader.fill(most, end)) {
                Some(Ok(0)) | None => self.finish_front(),
                Some(Ok(_)) => break,
                Some(Err(error)) => self.set_aside(&error),
            }
        }
        let ours = self.files.front().is_some_and(|file| file.ours);
        let ahead = self.reader.as_ref().map_or(&[][..], Reader::ahead);
        (&ahead[..ahead.len().min(most)], ours)
    }

    /// The first `events` of what was peeked are settled, of which the store refused `refused` for
    /// good. Holds beyond the process from the next [`save`](Self::save) on.
    pub(crate) fn commit(&mut self, events: usize, refused: u64) {
        let (Some(front), Some(reader)) = (self.files.front_mut(), &mut self.reader) else {
            return;
        };
        if let Some(stream) = &front.earlier {
            self.state.replayed(stream, events as u64, refused);
        }
        front.from = reader.settle(events);
        front.events = front.events.saturating_sub(events as u64);
        if front.from >= front.end {
            self.finish_front();
        }
    }

    /// Writes down how far replay has come and what this producer's ledger is.
    pub(crate) fn save(&mut self, ledger: &Ledger) {
        if self.lock.is_none() {
            return;
        }
        self.state.set(&self.own, ledger);
        self.save_state();
    }

    /// The same, also when no event waits.
    pub(crate) fn keep_ledger(&mut self, ledger: &Ledger) {
        // Without a spool nobody misses more than the ledger.
        if self.open().is_ok() {
            self.save(ledger);
        }
    }

    fn save_state(&mut self) {
        (self.state.file, self.state.offset) =
            self.files.front().map_or((self.next_number, 0), |file| (file.number, file.from));
        self.state_kept = true;
        if let Err(error) = self.state.write(&self.dir) {
            self.report("the spool's state cannot be written", &self.dir, &error);
        }
        for file in self.replayed.drain(..) {
            remove(&file);
        }
    }

    /// This producer's events that were found damaged since the last call.
    pub(crate) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Of what was found damaged, so many events are not lost after all.
    pub(crate) fn not_lost(&mut self, events: u64) {
        self.lost = self.lost.saturating_sub(events);
    }

    /// Brings what was written to stable storage.
    pub(crate) fn sync(&mut self) {
        if let Some(writer) = &self.writer
            && let Err(error) = writer.sync_data()
        {
            self.report("the spool cannot be brought to stable storage", &self.dir, &error);
            self.writer = None;
        }
    }

    /// The store has this producer's ledger.
    pub(crate) fn forget_ledger(&mut self) {
        if !self.state_kept {
            return;
        }
        self.state.forget(&self.own);
        if self.files.is_empty() && self.state.is_settled() {
            self.replayed.drain(..).for_each(|file| remove(&file));
            State::remove(&self.dir);
            self.state_kept = false;
        } else {
            self.save_state();
        }
    }

    /// The ledgers of earlier producers, once nothing of theirs waits.
    pub(crate) fn earlier_ledgers(&mut self) -> Vec<Ledger> {
        if self.files.iter().any(|file| !file.ours) {
            return Vec::new();
        }
        self.state.settle(&self.own);
        self.state.earlier(&self.own)
    }

    /// The store has this ledger of an earlier producer.
    pub(crate) fn forget_earlier(&mut self, ledger: &Ledger) {
        self.state.forget_earlier(ledger);
        self.save_state();
    }

    fn file_limit(&self) -> u64 {
        (self.limit / 8).clamp(SMALLEST_FILE, LARGEST_FILE)
    }

    fn path(&self, number: u64) -> PathBuf {
        self.dir.join(format!("{number:08}{SUFFIX}"))
    }

    fn open(&mut self) -> Result<()> {
        if self.lock.is_some() {
            return Ok(());
        }
        let failed = |doing: &str, path: &Path, error| {
            Error::new(ErrorKind::Unavailable, Code::StorageUnavailable, format!("cannot {doing}"))
                .with("path", path.display())
                .source(error)
                .cure("name a directory this user may write with collector.spool_dir")
        };
        std::fs::create_dir_all(&self.dir)
            .map_err(|error| failed("make the spool", &self.dir, error))?;
        let path = self.dir.join(LOCK);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|error| failed("open the spool's lock", &path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    Code::StorageUnavailable,
                    "another collector uses the spool",
                )
                .with("path", self.dir.display())
                .cure("give each collector a collector.spool_dir of its own"));
            }
            Err(TryLockError::Error(error)) => return Err(failed("lock the spool", &path, error)),
        }
        self.load().map_err(|error| failed("list the spool", &self.dir, error))?;
        self.lock = Some(lock);
        Ok(())
    }

    /// Finds the files of earlier processes.
    fn load(&mut self) -> io::Result<()> {
        let mut numbers = Vec::new();
        let mut aside: u64 = 0;
        for entry in std::fs::read_dir(&self.dir)? {
            let entry = entry?;
            let name = entry.file_name();
            if Path::new(&name).extension().is_some_and(|it| it == UNREADABLE) {
                self.unreadable += entry.metadata()?.len();
                let number = Path::new(&name).file_stem().and_then(|it| it.to_str()?.parse().ok());
                aside = aside.max(number.filter(|it| *it < u64::MAX / 2).unwrap_or(0));
            }
            let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX)?.parse().ok());
            numbers.extend(number.filter(|number: &u64| *number < u64::MAX));
        }
        numbers.sort_unstable();
        self.files.clear();
        self.state = State::read(&self.dir);
        self.state_kept = self.state != State::default();
        self.next_number =
            numbers.last().map_or(1, |last| last + 1).max(self.state.file).max(aside + 1);
        for number in numbers {
            let path = self.path(number);
            let from = if number == self.state.file { self.state.offset } else { 0 };
            match read::survey(&path, from) {
                // Its process ended before it could be removed.
                _ if number < self.state.file => remove(&path),
                Ok(found) if found.events == 0 => remove(&path),
                Ok(found) => self.files.push_back(SpoolFile {
                    number,
                    from: found.from,
                    end: found.end,
                    events: found.events,
                    ours: false,
                    earlier: found.stream,
                }),
                Err(error) => self.report("a spool file is left alone", &path, &error),
            }
        }
        Ok(())
    }

    fn write(&mut self, block: &[u8], events: usize) -> Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        let failed = |path: &Path, error| {
            Error::new(
                ErrorKind::Unavailable,
                Code::StorageUnavailable,
                "the spool cannot be written",
            )
            .with("file", path.display())
            .source(error)
        };
        if self.writer.is_none() {
            let number = self.next_number;
            let path = self.path(number);
            let open = OpenOptions::new().create_new(true).append(true).open(&path);
            let mut file = open.map_err(|error| failed(&path, error))?;
            self.next_number += 1;
            let mut header = Vec::new();
            line::write(&mut header, |out| {
                let (format, version) = (FORMAT.to_owned(), VERSION);
                serde_json::to_writer(out, &Header { format, version, stream: self.own.clone() })
                    .expect("a Vec takes every write, and every key is a text");
            });
            if let Err(error) = file.write_all(&header) {
                remove(&path);
                return Err(failed(&path, error));
            }
            let end = header.len() as u64;
            let begun = SpoolFile { number, from: end, end, events: 0, ours: true, earlier: None };
            self.files.push_back(begun);
            self.writer = Some(file);
        }
        let (Some(file), Some(last)) = (&mut self.writer, self.files.back_mut()) else {
            return Ok(());
        };
        if let Err(error) = file.write_all(block) {
            // What was written of the block must not be read; a later process may read it when
            // the cut fails too, and the store then finds out that it knows the events.
            let cut = file.set_len(last.end);
            let number = last.number;
            self.writer = None;
            let path = self.path(number);
            if let Err(error) = cut {
                self.report("a spool file has a torn end", &path, &error);
            }
            return Err(failed(&path, error));
        }
        last.end += block.len() as u64;
        last.events += events as u64;
        Ok(())
    }

    fn full(&self) -> Error {
        let message = format!("the spool holds {} of {} bytes", self.bytes(), self.limit);
        Error::new(ErrorKind::Unavailable, Code::BufferOverflow, message)
            .with("path", self.dir.display())
            .cure("see why the store takes nothing, or raise collector.spool_bytes")
    }

    /// The oldest file was replayed: what it should still hold was damaged.
    fn finish_front(&mut self) {
        let Some(front) = self.take_front() else { return };
        let path = self.path(front.number);
        if front.events > 0 {
            tracing::warn!(
                target: "telemetry::collector", file = %path.display(), events = front.events,
                "TEL-007 events in the spool were damaged and are lost"
            );
        }
        self.replayed.push(path);
    }

    /// The oldest file cannot be read: it stays for whoever can, under a name that is not
    /// replayed, so that what is counted as lost is not stored later.
    fn set_aside(&mut self, error: &io::Error) {
        let Some(front) = self.take_front() else { return };
        let path = self.path(front.number);
        self.report("a spool file cannot be read and is set aside", &path, error);
        self.unreadable += std::fs::metadata(&path).map_or(front.end, |it| it.len());
        if let Err(error) = std::fs::rename(&path, path.with_extension(UNREADABLE)) {
            self.report("a spool file cannot be renamed", &path, &error);
        }
    }

    fn take_front(&mut self) -> Option<SpoolFile> {
        let front = self.files.pop_front()?;
        self.full = false;
        self.reader = None;
        if self.files.is_empty() {
            self.writer = None;
        }
        self.lost += if front.ours { front.events } else { 0 };
        Some(front)
    }

    fn report(&self, what: &str, file: &Path, error: &io::Error) {
        tracing::warn!(
            target: "telemetry::collector", file = %file.display(), %error, "TEL-001 {what}"
        );
    }
}

/// Removes a file that is needed no more. One that stays is replayed again, which does no harm.
pub(crate) fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::warn!(
            target: "telemetry::collector", file = %path.display(), %error,
            "TEL-001 a file of the spool cannot be removed"
        ),
        _ => {}
    }
}

//! Reading spool files: what earlier processes left, and what this one wrote.

use super::state::Stream;
use super::{FORMAT, Header, VERSION, line};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;
use telemetry_models::{Event, json};

/// Longest line that is believed; a longer one is damage.
const LONGEST_LINE: u64 = 16 << 20;

/// Events of a file ahead of the position that was settled.
#[derive(Debug)]
pub(super) struct Reader {
    file: BufReader<File>,
    /// Where the next line begins.
    at: u64,
    ahead: Vec<Event>,
    /// Where the line of each of `ahead` ends.
    ends: VecDeque<u64>,
    settled: u64,
}

impl Reader {
    pub(super) fn open(path: &Path, from: u64) -> io::Result<Self> {
        let mut file = BufReader::new(File::open(path)?);
        file.seek(SeekFrom::Start(from))?;
        Ok(Self { file, at: from, ahead: Vec::new(), ends: VecDeque::new(), settled: from })
    }

    /// Reads on until `most` events lie ahead or the file's lines end; how many lie ahead.
    pub(super) fn fill(&mut self, most: usize, end: u64) -> io::Result<usize> {
        let mut text = Vec::new();
        while self.ahead.len() < most && self.at < end {
            text.clear();
            let left = (end - self.at).min(LONGEST_LINE);
            let read = (&mut self.file).take(left).read_until(b'\n', &mut text)? as u64;
            if read == 0 {
                return Err(io::Error::new(
                    io::ErrorKind::UnexpectedEof,
                    format!("the file ends at byte {}, expected {end}", self.at),
                ));
            }
            self.at += read;
            let event = text
                .strip_suffix(b"\n")
                .and_then(line::read)
                .and_then(|json| json::from_slice(json).ok());
            if let Some(event) = event {
                self.ahead.push(event);
                self.ends.push_back(self.at);
            }
        }
        Ok(self.ahead.len())
    }

    pub(super) fn ahead(&self) -> &[Event] {
        &self.ahead
    }

    /// The first `events` are done; where the next begins.
    pub(super) fn settle(&mut self, events: usize) -> u64 {
        self.ahead.drain(..events);
        if let Some(end) = self.ends.drain(..events).next_back() {
            self.settled = end;
        }
        self.settled
    }
}

/// What a file holds.
#[derive(Debug)]
pub(super) struct Survey {
    pub(super) from: u64,
    pub(super) end: u64,
    pub(super) events: u64,
    /// Who wrote it; `None` when that is not readable.
    pub(super) stream: Option<Stream>,
}

/// Counts the whole lines of an earlier process's file from `from`, or from its beginning when
/// that is 0. An unfinished line at the end is reported: its process ended while writing it.
pub(super) fn survey(path: &Path, from: u64) -> io::Result<Survey> {
    let mut file = BufReader::new(File::open(path)?);
    let length = file.get_ref().metadata()?.len();
    let mut header = Vec::new();
    (&mut file).take(LONGEST_LINE).read_until(b'\n', &mut header)?;
    let start = header.len() as u64;
    let readable = header.strip_suffix(b"\n").and_then(line::read);
    let known: Option<Header> = readable.and_then(|json| serde_json::from_slice(json).ok());
    match &known {
        Some(known) if known.format == FORMAT && known.version <= VERSION => {}
        None if readable.is_none() => {}
        _ => {
            let header = String::from_utf8_lossy(&header);
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("its first line is {header:?}, expected {FORMAT} of version {VERSION}"),
            ));
        }
    }
    let from = if (start..=length).contains(&from) { from } else { start };
    file.seek(SeekFrom::Start(from))?;
    let (mut at, mut end, mut events) = (from, from, 0);
    loop {
        let block = file.fill_buf()?;
        if block.is_empty() {
            break;
        }
        for (index, _) in block.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
            end = at + index as u64 + 1;
            events += 1;
        }
        let read = block.len();
        at += read as u64;
        file.consume(read);
    }
    if end < at {
        tracing::warn!(
            target: "telemetry::collector",
            file = %path.display(), offset = end, bytes = at - end,
            "TEL-007 the last line of a spool file is unfinished; it is left out"
        );
    }
    Ok(Survey { from, end, events, stream: known.map(|known| known.stream) })
}

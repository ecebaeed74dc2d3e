//! Lines of a file, with their places.

use crate::disk::DiskFile;
use std::io;
use std::sync::Arc;

/// A line without its newline.
#[derive(Debug)]
pub(super) struct Line {
    /// From 1.
    pub(super) number: u64,
    /// Of its first byte.
    pub(super) offset: u64,
    pub(super) bytes: Vec<u8>,
    /// Whether a newline follows.
    pub(super) ended: bool,
}

/// Reads lines one after the other, from one place in the file to another.
#[derive(Debug)]
pub(super) struct Lines {
    file: Arc<dyn DiskFile>,
    end: u64,
    /// Read up to here.
    at: u64,
    buffer: Vec<u8>,
    used: usize,
    number: u64,
}

impl Lines {
    pub(super) fn new(file: Arc<dyn DiskFile>, start: u64, end: u64) -> Self {
        Self { file, end, at: start, buffer: Vec::new(), used: 0, number: 0 }
    }

    /// The next line; empty ones are passed over.
    pub(super) fn next(&mut self) -> io::Result<Option<Line>> {
        loop {
            let Some(line) = self.read()? else { return Ok(None) };
            if !line.bytes.trim_ascii().is_empty() {
                return Ok(Some(line));
            }
        }
    }

    fn read(&mut self) -> io::Result<Option<Line>> {
        let mut searched = 0;
        let length = loop {
            let rest = &self.buffer[self.used..];
            match rest[searched..].iter().position(|byte| *byte == b'\n') {
                Some(at) => break Some(searched + at),
                None => searched = rest.len(),
            }
            if !self.fill()? {
                break None;
            }
        };
        let rest = self.buffer.len() - self.used;
        if length.is_none() && rest == 0 {
            return Ok(None);
        }
        let offset = self.at - rest as u64;
        let from = self.used;
        let to = from + length.unwrap_or(rest);
        let bytes = self.buffer[from..to].to_vec();
        self.used = to + usize::from(length.is_some());
        self.number += 1;
        Ok(Some(Line { number: self.number, offset, bytes, ended: length.is_some() }))
    }

    /// Reads more; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        const CHUNK: u64 = 256 << 10;
        let wanted = CHUNK.min(self.end - self.at) as usize;
        self.buffer.drain(..self.used);
        self.used = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + wanted, 0);
        let mut read = 0;
        while read < wanted {
            match self.file.read_at(&mut self.buffer[kept + read..], self.at + read as u64) {
                Ok(0) => break,
                Ok(more) => read += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.buffer.truncate(kept + read);
        self.at += read as u64;
        if read < wanted {
            // Cut shorter since it was measured.
            self.end = self.at;
        }
        Ok(read > 0)
    }
}

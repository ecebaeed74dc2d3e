//! The files of events: what they are called, and how each is read.

use super::compressed::Compressed;
use super::lines::Lines;
use super::{DIRECTORY, Shared, original};
use crate::disk::{self, Disk, DiskFile, OpenMode};
use crate::fault;
use std::io;
use std::path::Path;
use std::sync::Arc;
use telemetry_interfaces::{Damage, Result};

/// How often the directory is listed again when a file goes under our eyes.
const LOOKS: usize = 20;

/// What a day's file holds; of one day, what was appended first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// An array, as the original Python system wrote it.
    Original,
    /// The same through gzip.
    OriginalGzip,
    /// Lines of a day that was closed, compressed.
    Compressed,
    /// Lines.
    Lines,
}

impl Form {
    const ALL: [Self; 4] = [Self::Original, Self::OriginalGzip, Self::Compressed, Self::Lines];

    const fn ending(self) -> &'static str {
        match self {
            Self::Original => ".json",
            Self::OriginalGzip => ".json.gz",
            Self::Compressed => ".jsonl.zst",
            Self::Lines => ".jsonl",
        }
    }

    pub(super) const fn tier(self) -> &'static str {
        match self {
            Self::Original | Self::OriginalGzip => "original",
            Self::Compressed => "compressed",
            Self::Lines => "lines",
        }
    }

    /// The name of a day's file of this form.
    pub(super) fn file(self, day: &str) -> String {
        format!("{day}{}", self.ending())
    }
}

/// Day and form of a file of events, or `None` for any other file.
pub(super) fn form_of(name: &str) -> Option<(&str, Form)> {
    Form::ALL.into_iter().find_map(|form| {
        let day = name.strip_suffix(form.ending())?;
        let digits = [0, 1, 2, 3, 5, 6, 8, 9];
        let bytes = day.as_bytes();
        let is_day = bytes.len() == 10
            && digits.iter().all(|at| bytes[*at].is_ascii_digit())
            && bytes[4] == b'-'
            && bytes[7] == b'-';
        is_day.then_some((day, form))
    })
}

/// The day of a file that is appended to, or `None` for any other file.
pub(super) fn day_of(name: &str) -> Option<&str> {
    form_of(name).filter(|(_, form)| *form == Form::Lines).map(|(day, _)| day)
}

/// One file of events, as far as it goes at this moment. A day may have several.
#[derive(Debug)]
pub(super) struct Day {
    /// `YYYY-MM-DD`.
    pub(super) day: String,
    pub(super) form: Form,
    /// Its lines, uncompressed.
    pub(super) file: Arc<dyn DiskFile>,
    /// Lines before this are in the compressed file.
    pub(super) start: u64,
    /// Where its lines end.
    pub(super) size: u64,
    /// Bytes on disk.
    pub(super) bytes: u64,
    /// The same as `file`, when that is compressed.
    pub(super) packed: Option<Arc<Compressed>>,
    /// Why nothing of it can be read.
    unreadable: Option<String>,
}

impl Day {
    /// The file, relative to the store.
    pub(super) fn name(&self) -> String {
        format!("{DIRECTORY}/{}", self.form.file(&self.day))
    }

    pub(super) fn lines(&self) -> Lines {
        Lines::new(Arc::clone(&self.file), self.start, self.size)
    }

    /// What of its lines cannot be read, as far as they were read. A line that is no event is not
    /// among it.
    pub(super) fn damage(&self) -> Vec<Damage> {
        let whole = self.unreadable.as_ref().map(|what| (0, self.bytes, what.as_str()));
        let frames = self.packed.iter().flat_map(|it| it.damage());
        let damage = |(offset, length, what): (u64, u64, &str)| Damage {
            file: self.name(),
            offset,
            length: Some(length),
            events: None,
            what: if length > 0 { format!("{what}, {length} bytes") } else { what.to_owned() },
        };
        whole.into_iter().chain(frames).map(damage).collect()
    }

    fn open(disk: &dyn Disk, store: &Path, day: &str, form: Form) -> io::Result<Self> {
        let path = store.join(DIRECTORY).join(form.file(day));
        let stored = disk.open(&path, OpenMode::Read)?;
        let bytes = stored.size()?;
        let (mut packed, mut unreadable) = (None, None);
        let opened: io::Result<Arc<dyn DiskFile>> = match form {
            Form::Lines => Ok(stored),
            Form::Compressed => Compressed::open(stored).map(|file| {
                let file = Arc::new(file);
                packed = Some(Arc::clone(&file));
                file as Arc<dyn DiskFile>
            }),
            Form::Original | Form::OriginalGzip => {
                let content = disk::read_exact(&*stored, 0, bytes as usize)?;
                let lines = original::as_lines(content, form == Form::OriginalGzip);
                lines.map(|it| Arc::new(it) as Arc<dyn DiskFile>)
            }
        };
        let file = match opened {
            // Other days are read all the same.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                unreadable = Some(error.to_string());
                Arc::new(original::Text::default())
            }
            opened => opened?,
        };
        let size = file.size()?;
        let day = day.to_owned();
        Ok(Self { day, form, file, start: 0, size, bytes, packed, unreadable })
    }
}

impl Shared {
    /// The files of events, earliest day first. No append is half done in what they show.
    pub(super) fn days(&self) -> Result<Vec<Day>> {
        let _writer = self.writer();
        let directory = self.path.join(DIRECTORY);
        for _ in 0..LOOKS {
            let names = match self.disk.list(&directory) {
                Ok(names) => names,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(fault::io("list", &directory, error)),
            };
            let mut found: Vec<(&str, Form)> =
                names.iter().filter_map(|name| form_of(name)).collect();
            found.sort_unstable();
            match self.open_days(&found) {
                // Compressed, and removed, since it was listed.
                Err((_, error)) if error.kind() == io::ErrorKind::NotFound => {}
                Err((name, error)) => {
                    return Err(fault::io("open", &directory.join(name), error));
                }
                Ok(days) => return Ok(days),
            }
        }
        let gone = io::Error::new(io::ErrorKind::NotFound, "a file was removed again and again");
        Err(fault::io("open the files of", &directory, gone))
    }

    fn open_days(&self, found: &[(&str, Form)]) -> Result<Vec<Day>, (String, io::Error)> {
        let mut days: Vec<Day> = Vec::new();
        for &(day, form) in found {
            let failed = |error| (form.file(day), error);
            let mut opened = Day::open(&*self.disk, &self.path, day, form).map_err(failed)?;
            let before = days.last().filter(|it| it.day == day && it.form == Form::Compressed);
            if let Some(packed) = before.and_then(|it| it.packed.as_ref())
                && form == Form::Lines
            {
                opened.start = packed.covers(&*opened.file, opened.size).map_err(failed)?;
            }
            days.push(opened);
        }
        Ok(days)
    }
}

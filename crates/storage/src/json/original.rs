//! Day files of the original Python system: `events/YYYY-MM-DD.json` or `.json.gz`, an array of
//! events each. They are read, and never written.

use super::DIRECTORY;
use super::days::{Form, form_of};
use crate::disk::{Disk, DiskFile};
use serde_json::value::RawValue;
use std::io::{self, Read};
use std::path::Path;

/// No day of the original was larger; a bomb is.
const MOST: u64 = 4 << 30;

/// Whether a directory that is no store holds day files of the original.
pub(super) fn is_there(disk: &dyn Disk, store: &Path) -> bool {
    let original = |name: &String| {
        form_of(name).is_some_and(|(_, it)| matches!(it, Form::Original | Form::OriginalGzip))
    };
    disk.list(&store.join(DIRECTORY)).is_ok_and(|names| names.iter().any(original))
}

/// The events of a day, a line each. What is no array becomes one line, which is reported as
/// damage where lines are read: never an empty day.
pub(super) fn as_lines(content: Vec<u8>, is_packed: bool) -> io::Result<Text> {
    let content = if is_packed {
        let mut text = Vec::new();
        flate2::read::MultiGzDecoder::new(&content[..])
            .take(MOST)
            .read_to_end(&mut text)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        text
    } else {
        content
    };
    let lines = match serde_json::from_slice::<Vec<&RawValue>>(&content) {
        Ok(events) => {
            let mut lines = Vec::with_capacity(content.len());
            for event in events {
                one_line(event.get().as_bytes(), &mut lines);
            }
            lines
        }
        Err(_) => {
            let mut lines = Vec::new();
            one_line(&content, &mut lines);
            lines
        }
    };
    Ok(Text(lines))
}

/// A line break within a JSON text stands between its tokens only.
fn one_line(text: &[u8], into: &mut Vec<u8>) {
    into.extend(text.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
    into.push(b'\n');
}

/// A text that is read like a file.
#[derive(Debug, Default)]
pub(super) struct Text(Vec<u8>);

impl DiskFile for Text {
    fn size(&self) -> io::Result<u64> {
        Ok(self.0.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        let length = buffer.len().min(self.0.len() - from);
        buffer[..length].copy_from_slice(&self.0[from..from + length]);
        Ok(length)
    }

    fn append(&self, _bytes: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn truncate(&self, _length: u64) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

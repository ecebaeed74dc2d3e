//! Parquet files, through the store's disk.

use super::events::{Columns, Fault, columns_of};
use super::{ROW_GROUP, batch};
use crate::codec::WarmSumsV3;
use crate::disk::{self, DiskFile};
use arrow_array::BooleanArray;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::schema::types::ColumnPath;
use std::sync::{Arc, Mutex, PoisonError};
use telemetry_interfaces::Parts;
use telemetry_models::{Event, Outcome, Timestamp};

const LEVEL: i32 = 3;

/// A file of events, sorted by selector and time; each with its place among those of the same time.
pub(crate) fn encode(rows: &[(&Event, u32)]) -> Result<Vec<u8>, Fault> {
    let schema = batch::schema();
    let sorted = ["selector", "timestamp", "tie"].map(|name| SortingColumn {
        column_idx: schema.index_of(name).map_or(0, |at| at as i32),
        descending: false,
        nulls_first: false,
    });
    let level = ZstdLevel::try_new(LEVEL).map_err(fault)?;
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .set_sorting_columns(Some(sorted.to_vec()))
        .set_created_by("selector telemetry".into());
    // Values that hardly repeat: a dictionary of them is the values once more.
    for name in ["timestamp", "resolution_ns", "strategies_ns", "total_ns", "sequence"] {
        let path = ColumnPath::from(name);
        properties = properties
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    properties = properties.set_column_dictionary_enabled(ColumnPath::from("event_id"), false);
    let mut file = Vec::new();
    let mut writer =
        ArrowWriter::try_new(&mut file, schema, Some(properties.build())).map_err(fault)?;
    for rows in rows.chunks(ROW_GROUP) {
        let rows = batch::of(rows).map_err(|error| error.to_string())?;
        writer.write(&rows).map_err(fault)?;
        writer.flush().map_err(fault)?;
    }
    writer.close().map_err(fault)?;
    Ok(file)
}

/// What readers of each row group of a file hold its bytes against.
pub(crate) fn sums(file: &[u8]) -> Result<Vec<WarmSumsV3>, Fault> {
    let bytes = Bytes::copy_from_slice(file);
    let metadata = ArrowReaderMetadata::load(&bytes, ArrowReaderOptions::new()).map_err(fault)?;
    let mut groups = Vec::new();
    let mut end = 0;
    for group in metadata.metadata().row_groups() {
        let columns = group.columns().iter().map(|it| it.byte_range());
        let (from, to) = columns
            .fold((u64::MAX, 0), |(from, to), (at, length)| (from.min(at), to.max(at + length)));
        groups.push(summed(file, from, to)?);
        end = end.max(to);
    }
    let tail = summed(file, end, file.len() as u64)?;
    Ok(groups.into_iter().map(|group| WarmSumsV3 { group, tail }).collect())
}

fn summed(file: &[u8], from: u64, to: u64) -> Result<(u64, u64, [u8; 32]), Fault> {
    let bytes = file.get(from as usize..to as usize);
    let bytes = bytes.ok_or("a row group lies outside the file")?;
    Ok((from, to - from, *blake3::hash(bytes).as_bytes()))
}

/// Whether a part of a file is what it was.
pub(crate) fn matches(
    file: &dyn DiskFile,
    (from, length, hash): (u64, u64, [u8; 32]),
) -> std::io::Result<bool> {
    let mut hasher = blake3::Hasher::new();
    let (mut at, end) = (from, from.saturating_add(length));
    while at < end {
        let piece = match disk::read_exact(file, at, (end - at).min(1 << 20) as usize) {
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(false),
            piece => piece?,
        };
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    Ok(hasher.finalize() == hash)
}

fn fault(error: ParquetError) -> Fault {
    error.to_string()
}

/// Why a file could not be read.
#[derive(Debug)]
pub(crate) enum Unread {
    /// It is not what was written.
    Damage(Fault),
    /// It may be: the disk refused.
    Io(std::io::Error),
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl std::fmt::Display for Unread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damage(what) => f.write_str(what),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// A file that is read.
#[derive(Clone)]
pub(crate) struct ParquetFile {
    chunks: Chunks,
    metadata: ArrowReaderMetadata,
}

/// Which rows of a row group, as far as the key columns tell.
pub(crate) type Wanted<'w> = &'w dyn Fn(Timestamp, &str, Outcome) -> bool;

impl ParquetFile {
    pub(crate) fn open(file: Arc<dyn DiskFile>) -> Result<Self, Unread> {
        let chunks = Chunks { length: file.size()?, file, refused: Arc::default() };
        let metadata = ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new());
        let metadata = metadata.map_err(|error| chunks.unread(fault(error)))?;
        Ok(Self { chunks, metadata })
    }

    pub(crate) fn disk_file(&self) -> Arc<dyn DiskFile> {
        Arc::clone(&self.chunks.file)
    }

    /// The wanted events of a row group: timestamp in ns, place among those of the same time, event.
    pub(crate) fn read(
        &self,
        row_group: usize,
        parts: Parts,
        wanted: Wanted<'_>,
    ) -> Result<Vec<(i64, u64, Event)>, Unread> {
        self.rows(row_group, parts, wanted).map_err(|what| self.chunks.unread(what))
    }

    fn rows(
        &self,
        row_group: usize,
        parts: Parts,
        wanted: Wanted<'_>,
    ) -> Result<Vec<(i64, u64, Event)>, Fault> {
        let rows = match self.metadata.metadata().row_groups().get(row_group) {
            Some(group) => usize::try_from(group.num_rows()).map_err(|it| it.to_string())?,
            None => return Err(format!("there is no row group {row_group}")),
        };
        if rows > 1 << 24 {
            return Err(format!("a row group of {rows} rows"));
        }
        let keys = ["selector", "timestamp", "tie", "outcome"];
        let mut chosen = vec![false; rows];
        let mut places = Vec::new();
        let mut at = 0;
        for batch in self.reader(row_group, &keys, rows, None)? {
            let batch = batch.map_err(|error| error.to_string())?;
            let columns = Columns::new(&batch);
            for row in 0..batch.num_rows() {
                let (time, tie, selector, outcome) = columns.key(row)?;
                if wanted(Timestamp::from_nanos(time), selector, outcome) {
                    *chosen.get_mut(at).ok_or("more rows than there are")? = true;
                    places.push((time, u64::from(tie)));
                }
                at += 1;
            }
        }
        if places.is_empty() {
            return Ok(Vec::new());
        }
        let selection = RowSelection::from_filters(&[BooleanArray::from(chosen)]);
        let mut places = places.into_iter();
        let mut events = Vec::with_capacity(places.len());
        for batch in self.reader(row_group, &columns_of(parts), rows, Some(selection))? {
            let batch = batch.map_err(|error| error.to_string())?;
            let mut columns = Columns::new(&batch);
            for row in 0..batch.num_rows() {
                let (at, tie) = places.next().ok_or("more rows than were chosen")?;
                events.push((at, tie, columns.event(row)?));
            }
        }
        Ok(events)
    }

    fn reader(
        &self,
        row_group: usize,
        columns: &[&str],
        rows: usize,
        selection: Option<RowSelection>,
    ) -> Result<parquet::arrow::arrow_reader::ParquetRecordBatchReader, Fault> {
        let schema = self.metadata.schema();
        let roots = columns.iter().filter_map(|name| schema.index_of(name).ok());
        let mask = ProjectionMask::roots(self.metadata.parquet_schema(), roots);
        let mut builder = ParquetRecordBatchReaderBuilder::new_with_metadata(
            self.chunks.clone(),
            self.metadata.clone(),
        )
        .with_row_groups(vec![row_group])
        .with_batch_size(rows.clamp(1, ROW_GROUP))
        .with_projection(mask);
        if let Some(selection) = selection {
            builder = builder.with_row_selection(selection);
        }
        builder.build().map_err(fault)
    }
}

/// The bytes of a file, for the reader.
#[derive(Clone, Debug)]
struct Chunks {
    file: Arc<dyn DiskFile>,
    length: u64,
    /// What the disk said last, when it refused: the reader of Parquet tells it in words.
    refused: Arc<Mutex<Option<std::io::Error>>>,
}

impl Chunks {
    /// Why reading ended with an error.
    fn unread(&self, what: Fault) -> Unread {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        refused.map_or(Unread::Damage(what), Unread::Io)
    }

    /// Takes note of a refusal. A file that ends too early is damaged.
    fn note<T>(&self, read: std::io::Result<T>) -> std::io::Result<T> {
        read.map_err(|error| {
            let kind = error.kind();
            if kind != std::io::ErrorKind::UnexpectedEof {
                let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *refused = Some(error);
            }
            kind.into()
        })
    }
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = Piece;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Piece> {
        Ok(Piece { chunks: self.clone(), at: start })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let beyond = start.checked_add(length as u64).is_none_or(|end| end > self.length);
        if beyond {
            return Err(ParquetError::EOF("a column lies beyond the end of the file".into()));
        }
        let bytes = self.note(disk::read_exact(&*self.file, start, length));
        bytes.map(Bytes::from).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// A file from a place on.
#[derive(Debug)]
pub(crate) struct Piece {
    chunks: Chunks,
    at: u64,
}

impl std::io::Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let chunks = &self.chunks;
        let room = usize::try_from(chunks.length.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(room);
        let read = chunks.note(chunks.file.read_at(&mut buffer[..length], self.at))?;
        self.at += read as u64;
        Ok(read)
    }
}

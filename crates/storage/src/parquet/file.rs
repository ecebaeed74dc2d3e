//! Parquet files, through the store's disk.

use super::events::{Columns, Fault, columns_of};
use super::{ROW_GROUP, batch};
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
use std::sync::Arc;
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

fn fault(error: ParquetError) -> Fault {
    error.to_string()
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
    pub(crate) fn open(file: Arc<dyn DiskFile>) -> Result<Self, Fault> {
        let length = file.size().map_err(|error| error.to_string())?;
        let chunks = Chunks { file, length };
        let metadata = ArrowReaderMetadata::load(&chunks, ArrowReaderOptions::new());
        Ok(Self { chunks, metadata: metadata.map_err(fault)? })
    }

    /// The wanted events of a row group: timestamp in ns, place among those of the same time, event.
    pub(crate) fn read(
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
}

impl Length for Chunks {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Chunks {
    type T = Piece;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Piece> {
        Ok(Piece { file: Arc::clone(&self.file), at: start, end: self.length })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        let beyond = start.checked_add(length as u64).is_none_or(|end| end > self.length);
        if beyond {
            return Err(ParquetError::EOF("a column lies beyond the end of the file".into()));
        }
        let bytes = disk::read_exact(&*self.file, start, length);
        bytes.map(Bytes::from).map_err(|error| ParquetError::External(Box::new(error)))
    }
}

/// A file from a place on.
#[derive(Debug)]
pub(crate) struct Piece {
    file: Arc<dyn DiskFile>,
    at: u64,
    end: u64,
}

impl std::io::Read for Piece {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let room = usize::try_from(self.end.saturating_sub(self.at)).unwrap_or(usize::MAX);
        let length = buffer.len().min(room);
        let read = self.file.read_at(&mut buffer[..length], self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

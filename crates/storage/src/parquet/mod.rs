//! Events as Parquet: the only place that knows arrow. `docs/specs/parquet.md` lists the columns.

mod batch;
mod events;
mod file;

pub(crate) use file::{ParquetFile, Unread, encode, matches, sums};

pub(crate) use crate::marker::PARQUET as DIRECTORY;

/// Rows of a row group: what a reader of one selector looks at, at least.
pub(crate) const ROW_GROUP: usize = 16_384;

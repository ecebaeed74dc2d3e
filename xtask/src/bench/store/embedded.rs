//! Stores that keep rows: what a program would take that does not want a store of its own.

use super::row;
use super::stream::total;
use anyhow::Result;
use redb::{ReadableDatabase, ReadableTable};
use rusqlite::Connection;
use std::fs;
use std::path::{Path, PathBuf};
use telemetry_runtime::models::{Event, Timestamp};

/// A store of rows with an index by selector and time.
pub(super) trait Embedded {
    /// Takes a batch, on stable storage when it returns.
    fn append(&mut self, batch: &[Event]) -> Result<()>;

    /// Events of a selector in a time, and the sum of their total times in ns.
    fn hour(&self, selector: &str, from: Timestamp, to: Timestamp) -> Result<(u64, u64)>;

    /// Decodes all events, and counts them.
    fn scan(&self) -> Result<u64>;

    /// Bytes on disk.
    fn bytes(&self) -> Result<u64>;
}

/// SQLite in WAL mode with `synchronous = FULL`.
pub(super) struct Sqlite {
    connection: Connection,
    path: PathBuf,
}

impl Sqlite {
    pub(super) fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)?;
        let connection = Connection::open(path.join("events.db"))?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE events (
                 sequence INTEGER PRIMARY KEY, selector TEXT NOT NULL, at INTEGER NOT NULL,
                 event BLOB NOT NULL
             );
             CREATE INDEX by_selector ON events (selector, at);",
        )?;
        Ok(Self { connection, path: path.to_owned() })
    }
}

impl Embedded for Sqlite {
    fn append(&mut self, batch: &[Event]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO events (selector, at, event) VALUES (?1, ?2, ?3)")?;
            for event in batch {
                let at = event.timestamp.as_nanos();
                insert.execute((event.selector.as_str(), at, row::to_bytes(event)?))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn hour(&self, selector: &str, from: Timestamp, to: Timestamp) -> Result<(u64, u64)> {
        let mut select = self.connection.prepare_cached(
            "SELECT event FROM events WHERE selector = ?1 AND at >= ?2 AND at < ?3 ORDER BY at",
        )?;
        let mut rows = select.query((selector, from.as_nanos(), to.as_nanos()))?;
        let mut answer = (0, 0);
        while let Some(row) = rows.next()? {
            let event = row::from_bytes(row.get_ref(0)?.as_blob()?)?;
            answer.0 += 1;
            answer.1 += total(&event);
        }
        Ok(answer)
    }

    fn scan(&self) -> Result<u64> {
        let mut select = self.connection.prepare("SELECT event FROM events ORDER BY sequence")?;
        let mut rows = select.query(())?;
        let mut read = 0;
        while let Some(row) = rows.next()? {
            std::hint::black_box(row::from_bytes(row.get_ref(0)?.as_blob()?)?);
            read += 1;
        }
        Ok(read)
    }

    fn bytes(&self) -> Result<u64> {
        let truncated = "PRAGMA wal_checkpoint(TRUNCATE)";
        self.connection.query_row(truncated, (), |_| Ok(()))?;
        directory(&self.path)
    }
}

const EVENTS: redb::TableDefinition<'_, u64, &[u8]> = redb::TableDefinition::new("events");
const BY_SELECTOR: redb::TableDefinition<'_, (&str, i64, u64), ()> =
    redb::TableDefinition::new("by selector");

/// redb with its default durability: every commit is synced.
pub(super) struct Redb {
    database: redb::Database,
    path: PathBuf,
    next: u64,
}

impl Redb {
    pub(super) fn create(path: &Path) -> Result<Self> {
        fs::create_dir_all(path)?;
        let database = redb::Database::create(path.join("events.redb"))?;
        Ok(Self { database, path: path.to_owned(), next: 0 })
    }
}

impl Embedded for Redb {
    fn append(&mut self, batch: &[Event]) -> Result<()> {
        let transaction = self.database.begin_write()?;
        {
            let mut events = transaction.open_table(EVENTS)?;
            let mut by_selector = transaction.open_table(BY_SELECTOR)?;
            for event in batch {
                events.insert(self.next, &row::to_bytes(event)?[..])?;
                let key = (event.selector.as_str(), event.timestamp.as_nanos(), self.next);
                by_selector.insert(key, ())?;
                self.next += 1;
            }
        }
        Ok(transaction.commit()?)
    }

    fn hour(&self, selector: &str, from: Timestamp, to: Timestamp) -> Result<(u64, u64)> {
        let transaction = self.database.begin_read()?;
        let events = transaction.open_table(EVENTS)?;
        let by_selector = transaction.open_table(BY_SELECTOR)?;
        let keys = (selector, from.as_nanos(), 0)..(selector, to.as_nanos(), 0);
        let mut answer = (0, 0);
        for key in by_selector.range(keys)? {
            let (key, _) = key?;
            if let Some(bytes) = events.get(key.value().2)? {
                answer.0 += 1;
                answer.1 += total(&row::from_bytes(bytes.value())?);
            }
        }
        Ok(answer)
    }

    fn scan(&self) -> Result<u64> {
        let transaction = self.database.begin_read()?;
        let mut read = 0;
        for entry in transaction.open_table(EVENTS)?.iter()? {
            std::hint::black_box(row::from_bytes(entry?.1.value())?);
            read += 1;
        }
        Ok(read)
    }

    fn bytes(&self) -> Result<u64> {
        directory(&self.path)
    }
}

fn directory(path: &Path) -> Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(path)? {
        sum += entry?.metadata()?.len();
    }
    Ok(sum)
}

use crate::fault;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use telemetry_interfaces::{Code, Error, ErrorKind, Result, StateChange, StateStore};

const FILE: &str = "state.db";
/// SQLite's `user_version` of the tables below.
const VERSION: i64 = 1;
/// How long a statement waits for another process's transaction.
const BUSY: Duration = Duration::from_secs(5);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS state (
        collection TEXT NOT NULL,
        key TEXT NOT NULL,
        value TEXT NOT NULL,
        updated_at TEXT NOT NULL,
        PRIMARY KEY (collection, key)
    ) STRICT, WITHOUT ROWID;
";

/// Small state in `<store>/state.db`: SQLite in WAL mode with `synchronous = FULL`, so that what
/// is committed survives a loss of power. Several processes may use it at once; each waits up to
/// five seconds for the others.
#[derive(Debug)]
pub struct SqliteState {
    path: PathBuf,
    /// Protects the one connection.
    connection: Mutex<Link>,
    read_only: bool,
}

/// A connection, and what it rests on.
#[derive(Debug)]
struct Link {
    connection: Connection,
    /// Of the files when they were taken for unchanging; `None` for a connection with locks.
    still: Option<Stamp>,
}

/// What tells that somebody wrote: lengths and time of change of the database, length of its log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    changed: Option<SystemTime>,
    log: u64,
}

impl Stamp {
    fn of(path: &Path) -> std::io::Result<Self> {
        let data = std::fs::metadata(path)?;
        let log = match std::fs::metadata(beside(path, "-wal")) {
            Ok(log) => log.len(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(error),
        };
        Ok(Self { length: data.len(), changed: data.modified().ok(), log })
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

impl SqliteState {
    /// Opens the state of a store; makes directory and database when they are absent.
    ///
    /// # Errors
    /// TEL-001 when the database cannot be opened or was written by a newer version.
    pub fn open(store: &Path) -> Result<Self> {
        std::fs::create_dir_all(store)
            .map_err(|error| fault::io("make the store's directory", store, error))?;
        let path = store.join(FILE);
        let connection = Connection::open(&path).map_err(|error| failed("open", &path, error))?;
        let link = Link { connection, still: None };
        let state = Self { path, connection: Mutex::new(link), read_only: false };
        state.set_up()?;
        Ok(state)
    }

    /// Opens the state of a store for reading, without making anything. `None` when there is no
    /// state yet.
    ///
    /// A database that nobody has open (it has no log, or an empty one) is read without locks and
    /// without files of SQLite's own beside it, so that a directory that this user may not write
    /// will do; when it turns out to be written meanwhile, it is read again, with locks.
    ///
    /// # Errors
    /// TEL-001 when the database cannot be opened or was written by a newer version; TEL-007 when
    /// it is damaged.
    pub fn open_read_only(store: &Path) -> Result<Option<Self>> {
        let path = store.join(FILE);
        if !path.try_exists().map_err(|error| fault::io("look at the state", &path, error))? {
            return Ok(None);
        }
        let link = Link::for_reading(&path)?;
        let state = Self { path, connection: Mutex::new(link), read_only: true };
        let version = state.read(version)?;
        state.known(version)?;
        Ok((version != 0).then_some(state))
    }

    /// Reads; once more when the files changed under a connection without locks.
    fn read<T>(&self, work: impl Fn(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let mut link = self.lock();
        let found = work(&link.connection);
        let Some(before) = link.still else {
            return found.map_err(|error| self.failed("read", error));
        };
        let now = Stamp::of(&self.path);
        if now.map_err(|error| fault::io("look at the state", &self.path, error))? == before {
            return found.map_err(|error| self.failed("read", error));
        }
        let connection = with_locks(&self.path)?;
        *link = Link { connection, still: None };
        work(&link.connection).map_err(|error| self.failed("read", error))
    }

    fn set_up(&self) -> Result<()> {
        let connection = &mut self.lock().connection;
        let failed = |error| self.failed("prepare", error);
        connection.busy_timeout(BUSY).map_err(failed)?;
        self.known(version(connection).map_err(|error| self.failed("read", error))?)?;
        // A row of more than a quarter of a page takes pages of its own; a row of an alert has 1 to
        // 2 KB. A database that exists keeps the size it was made with.
        connection.pragma_update(None, "page_size", 8192).map_err(failed)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(failed)?;
        transaction.execute_batch(TABLES).map_err(failed)?;
        transaction.pragma_update(None, "user_version", VERSION).map_err(failed)?;
        transaction.commit().map_err(failed)
    }

    /// Refuses tables of a newer version.
    fn known(&self, version: i64) -> Result<()> {
        if version > VERSION {
            let found = u64::try_from(version).unwrap_or(u64::MAX);
            return Err(fault::newer(&self.path, found, VERSION.unsigned_abs()));
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed(&self, doing: &str, error: rusqlite::Error) -> Error {
        failed(doing, &self.path, error)
    }
}

impl Link {
    /// Without locks while nobody has the database open, with them otherwise.
    fn for_reading(path: &Path) -> Result<Self> {
        // Before opening: what is written from here on shows.
        let still = Stamp::of(path);
        let still = still.map_err(|error| fault::io("look at the state", path, error))?;
        if still.log > 0 {
            return Ok(Self { connection: with_locks(path)?, still: None });
        }
        let Some(uri) = unchanging(path) else {
            return Ok(Self { connection: with_locks(path)?, still: None });
        };
        let flags = READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let opened = Connection::open_with_flags(uri, flags);
        let connection = opened.map_err(|error| failed("open", path, error))?;
        Ok(Self { connection, still: Some(still) })
    }
}

const READ_ONLY: OpenFlags =
    OpenFlags::SQLITE_OPEN_READ_ONLY.union(OpenFlags::SQLITE_OPEN_NO_MUTEX);

fn with_locks(path: &Path) -> Result<Connection> {
    let opened = Connection::open_with_flags(path, READ_ONLY);
    let connection = opened.map_err(|error| failed("open", path, error))?;
    connection.busy_timeout(BUSY).map_err(|error| failed("open", path, error))?;
    Ok(connection)
}

/// The path as SQLite's URI for a file that does not change
/// (<https://www.sqlite.org/uri.html>); `None` for a path that is not UTF-8, or not of a form
/// that is the same everywhere.
fn unchanging(path: &Path) -> Option<String> {
    let text = path.to_str().filter(|text| cfg!(unix) && !text.is_empty())?;
    let mut uri = String::from(if text.starts_with('/') { "file://" } else { "file:" });
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                uri.push(char::from(byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    Some(uri + "?immutable=1")
}

/// The version of the tables, 0 when there are none.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn failed(doing: &str, path: &Path, error: rusqlite::Error) -> Error {
    use rusqlite::ErrorCode;
    let (kind, code, cure) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => (
            ErrorKind::Corrupt,
            Code::Corruption,
            "restore state.db from a backup, or move it away to begin with empty state",
        ),
        Some(ErrorCode::PermissionDenied | ErrorCode::ReadOnly | ErrorCode::CannotOpen) => (
            ErrorKind::Denied,
            Code::StorageUnavailable,
            "allow this user to read state.db and what SQLite keeps beside it (state.db-wal, \
             state.db-shm), and to write them when recording",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            ErrorKind::Unavailable,
            Code::StorageUnavailable,
            "another process holds the state; try again",
        ),
        Some(ErrorCode::DiskFull) => {
            (ErrorKind::Unavailable, Code::StorageUnavailable, "free disk space, then try again")
        }
        _ => (ErrorKind::Unavailable, Code::StorageUnavailable, "try again"),
    };
    Error::new(kind, code, format!("cannot {doing} the state"))
        .with("path", path.display())
        .source(error)
        .cure(cure)
}

impl StateStore for SqliteState {
    fn load(&self, collection: &str, key: &str) -> Result<Option<String>> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT value FROM state WHERE collection = ?1 AND key = ?2")
                .and_then(|mut it| it.query_row([collection, key], |row| row.get(0)).optional())
        })
    }

    fn list(&self, collection: &str) -> Result<Vec<(String, String)>> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT key, value FROM state WHERE collection = ?1 ORDER BY key")
                .and_then(|mut it| {
                    it.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
                })
        })
    }

    fn keys_before(&self, collection: &str, before: &str, limit: usize) -> Result<Vec<String>> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT key FROM state WHERE collection = ?1 AND key < ?2
                     ORDER BY key LIMIT ?3",
                )
                .and_then(|mut it| {
                    it.query_map(params![collection, before, limit], |row| row.get(0))?.collect()
                })
        })
    }

    fn commit(&self, changes: &[StateChange]) -> Result<()> {
        if self.read_only {
            return Err(Error::new(
                ErrorKind::Denied,
                Code::StorageUnavailable,
                "the state was opened for reading only",
            )
            .with("path", self.path.display()));
        }
        let connection = &mut self.lock().connection;
        let failed = |error| self.failed("write", error);
        let begun = connection.transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(failed)?;
        for change in changes {
            match change {
                StateChange::Put { collection, key, value } => transaction
                    .prepare_cached(
                        "INSERT INTO state (collection, key, value, updated_at)
                         VALUES (?1, ?2, ?3, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
                         ON CONFLICT (collection, key) DO UPDATE
                         SET value = excluded.value, updated_at = excluded.updated_at",
                    )
                    .and_then(|mut it| it.execute(params![collection, key, value])),
                StateChange::Remove { collection, key } => transaction
                    .prepare_cached("DELETE FROM state WHERE collection = ?1 AND key = ?2")
                    .and_then(|mut it| it.execute(params![collection, key])),
            }
            .map_err(failed)?;
        }
        transaction.commit().map_err(failed)
    }
}

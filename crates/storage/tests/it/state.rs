use telemetry_interfaces::{Code, ErrorKind, StateChange, StateStore};
use telemetry_storage::SqliteState;

#[test]
fn changes_are_kept_by_collection() {
    let directory = tempfile::tempdir().unwrap();
    let state = SqliteState::open(directory.path()).unwrap();
    state
        .commit(&[
            StateChange::put("alerts", "b", "{}"),
            StateChange::put("alerts", "a", "[1]"),
            StateChange::put("silences", "a", "null"),
        ])
        .unwrap();
    state
        .commit(&[
            StateChange::put("alerts", "a", "[2]"),
            StateChange::Remove { collection: "silences".into(), key: "a".into() },
            StateChange::Remove { collection: "silences".into(), key: "never".into() },
        ])
        .unwrap();
    drop(state);
    let state = SqliteState::open(directory.path()).unwrap();
    let listed = state.list("alerts").unwrap();
    assert_eq!(listed, [("a".into(), "[2]".into()), ("b".into(), "{}".into())]);
    assert_eq!(state.list("silences").unwrap(), []);
    assert_eq!(state.load("alerts", "b").unwrap().as_deref(), Some("{}"));
    assert_eq!(state.load("alerts", "c").unwrap(), None);
}

#[test]
fn readers_make_nothing_and_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    assert!(SqliteState::open_read_only(directory.path()).unwrap().is_none());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    let writer = SqliteState::open(directory.path()).unwrap();
    let reader = SqliteState::open_read_only(directory.path()).unwrap().unwrap();
    writer.commit(&[StateChange::put("alerts", "a", "1")]).unwrap();
    assert_eq!(reader.load("alerts", "a").unwrap().as_deref(), Some("1"));
    let error = reader.commit(&[StateChange::put("alerts", "a", "2")]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Denied);
}

#[test]
fn a_newer_version_and_garbage_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteState::open(directory.path()).unwrap());
    let path = directory.path().join("state.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 9).unwrap();
    drop(connection);
    let error = SqliteState::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("version 9"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(SqliteState::open_read_only(directory.path()).is_err());

    std::fs::write(&path, "this is no database, whatever its name says; not at all".repeat(40))
        .unwrap();
    let error = SqliteState::open(directory.path()).unwrap_err();
    assert_eq!((error.kind(), error.code()), (ErrorKind::Corrupt, Code::Corruption), "{error}");
}

fn names(directory: &std::path::Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(directory).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Nothing of SQLite's appears beside a database at rest, so a directory that may not be written
/// will do, whatever its name.
#[test]
#[cfg(unix)]
fn reading_a_state_at_rest_needs_no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("a store? 100% #1 ü");
    let writer = SqliteState::open(&store).unwrap();
    writer.commit(&[StateChange::put("alerts", "a", "1")]).unwrap();
    drop(writer);
    let before = names(&store);
    assert_eq!(before, ["state.db"]);
    let reader = SqliteState::open_read_only(&store).unwrap().unwrap();
    assert_eq!(reader.load("alerts", "a").unwrap().as_deref(), Some("1"));
    assert_eq!(reader.list("alerts").unwrap().len(), 1);
    assert_eq!(names(&store), before);
}

#[test]
fn a_reader_opened_at_rest_sees_what_is_written_later() {
    let directory = tempfile::tempdir().unwrap();
    drop(SqliteState::open(directory.path()).unwrap());
    let reader = SqliteState::open_read_only(directory.path()).unwrap().unwrap();
    assert_eq!(reader.list("alerts").unwrap(), []);
    let writer = SqliteState::open(directory.path()).unwrap();
    writer.commit(&[StateChange::put("alerts", "a", "1")]).unwrap();
    assert_eq!(reader.load("alerts", "a").unwrap().as_deref(), Some("1"));
    writer.commit(&[StateChange::put("alerts", "a", "2")]).unwrap();
    drop(writer);
    assert_eq!(reader.load("alerts", "a").unwrap().as_deref(), Some("2"));
}

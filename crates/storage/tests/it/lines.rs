use crate::{all, events};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use telemetry_interfaces::{Code, EventStore, Maintenance, Query, VerifyLevel};
use telemetry_storage::{Backend, JsonStore, StorageConfig};

fn config(path: &Path) -> StorageConfig {
    StorageConfig { backend: Backend::Json, ..StorageConfig::at(path) }
}

fn first_day(store: &Path) -> PathBuf {
    let mut days: Vec<_> =
        fs::read_dir(store.join("events")).unwrap().map(|it| it.unwrap().path()).collect();
    days.sort();
    days.remove(0)
}

#[test]
fn one_line_an_event_one_file_a_day() {
    let directory = tempfile::tempdir().unwrap();
    let store = JsonStore::open(&config(directory.path())).unwrap();
    let mut some = events(4);
    some[3].timestamp = "2026-02-03T23:59:59.999999999Z".parse().unwrap();
    store.append(&some).unwrap();
    let text = fs::read_to_string(directory.path().join("events/2026-02-03.jsonl")).unwrap();
    assert_eq!(text, format!("{}\n", telemetry_models::json::to_string(&some[3])));
    assert_eq!(all(&store), some);
}

#[test]
fn a_bad_line_is_named_and_the_rest_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let some = events(6);
    {
        let store = JsonStore::open(&config(directory.path())).unwrap();
        store.append(&some[..3]).unwrap();
    }
    let day = first_day(directory.path());
    let offset = fs::metadata(&day).unwrap().len();
    let mut file = fs::OpenOptions::new().append(true).open(&day).unwrap();
    file.write_all(b"\xff\xfe not text\n{\"half\": \n").unwrap();
    let store = JsonStore::open(&config(directory.path())).unwrap();
    store.append(&some[3..]).unwrap();
    let (found, errors): (Vec<_>, Vec<_>) =
        store.query(&Query::all()).unwrap().partition(Result::is_ok);
    assert_eq!(found.into_iter().map(Result::unwrap).collect::<Vec<_>>(), some);
    let errors: Vec<_> = errors.into_iter().map(Result::unwrap_err).collect();
    assert_eq!(errors.len(), 2);
    assert!(errors.iter().all(|error| error.code() == Code::Corruption));
    let text = errors[0].to_string();
    assert!(text.contains("line: 4") && text.contains(&format!("offset: {offset}")), "{text}");
    assert!(text.contains("events/2026-01-01.jsonl") && text.contains("correct"), "{text}");
    let report = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert_eq!((report.damage.len(), report.events), (2, 6));
    assert_eq!(store.recovered().damage.len(), 2);
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.damage.len()), (6, 2));
    assert_eq!(stats.damage[0].offset, offset);
}

#[test]
fn a_torn_line_is_kept_and_the_next_begins_afresh() {
    let directory = tempfile::tempdir().unwrap();
    let some = events(4);
    {
        let store = JsonStore::open(&config(directory.path())).unwrap();
        store.append(&some[..3]).unwrap();
    }
    let day = first_day(directory.path());
    let bytes = fs::read(&day).unwrap();
    let torn = &bytes[..bytes.len() - 40];
    fs::write(&day, torn).unwrap();
    let store = JsonStore::open(&config(directory.path())).unwrap();
    let recovered = store.recovered();
    assert_eq!((recovered.torn.len(), recovered.damage.len()), (1, 0), "{recovered:?}");
    assert!(recovered.torn_bytes() > 0 && recovered.torn[0].file.starts_with("events/"));
    assert_eq!(store.append(&some).unwrap().duplicates, 2);
    let after = fs::read(&day).unwrap();
    assert_eq!(after[..torn.len()], *torn);
    assert_eq!(after[torn.len()], b'\n');
    let found: Vec<_> = store.query(&Query::all()).unwrap().filter_map(Result::ok).collect();
    assert_eq!(found, some);
    assert_eq!(store.query(&Query::all()).unwrap().filter(Result::is_err).count(), 1);
}

#[test]
fn a_last_line_without_its_newline_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let some = events(3);
    {
        let store = JsonStore::open(&config(directory.path())).unwrap();
        store.append(&some).unwrap();
    }
    let day = first_day(directory.path());
    let bytes = fs::read(&day).unwrap();
    fs::write(&day, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(all(&JsonStore::open_read_only(directory.path()).unwrap()), some);
}

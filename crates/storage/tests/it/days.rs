//! Days that were closed, and those of the original system.

use crate::{all, events};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use telemetry_interfaces::{Code, EventStore, Maintenance, Order, Query, VerifyLevel};
use telemetry_models::{Event, Outcome, Timestamp, json};
use telemetry_storage::{Backend, JsonStore, StorageConfig, open_existing_read_only};

fn config(path: &Path) -> StorageConfig {
    StorageConfig { backend: Backend::Json, ..StorageConfig::at(path) }
}

fn files(store: &Path) -> Vec<String> {
    let listed = fs::read_dir(store.join("events")).unwrap();
    let mut names: Vec<_> =
        listed.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Some events on each of three days.
fn three_days() -> Vec<Event> {
    let mut some = events(90);
    for (at, event) in some.iter_mut().enumerate() {
        let day: Timestamp = format!("2026-02-0{}T00:00:00Z", 1 + at / 30).parse().unwrap();
        event.timestamp = Timestamp::from_nanos(day.as_nanos() + at as i64 * 1_000_000_007);
    }
    some
}

fn compressed(path: &Path, some: &[Event]) -> PathBuf {
    let store = JsonStore::open(&config(path)).unwrap();
    store.append(some).unwrap();
    let report = store.compact(&mut |_, _| {}).unwrap();
    assert_eq!((report.made, report.events), (2, 60));
    store.close().unwrap();
    path.join("events/2026-02-01.jsonl.zst")
}

#[test]
fn closed_days_are_compressed_and_answer_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let some = three_days();
    let first = compressed(directory.path(), &some);
    let expected = ["2026-02-01.jsonl.zst", "2026-02-02.jsonl.zst", "2026-02-03.jsonl"];
    assert_eq!(files(directory.path()), expected);
    let store = JsonStore::open(&config(directory.path())).unwrap();
    assert_eq!(all(&store), some);
    // What comes late lies beside, and is known when it comes twice.
    let mut late = some[3].clone();
    late.sequence = Some(1_000);
    late.timestamp = some[7].timestamp;
    assert_eq!(store.append(&[late.clone(), some[5].clone()]).unwrap().duplicates, 1);
    let mut with_late = some.clone();
    with_late.insert(8, late);
    assert_eq!(all(&store), with_late);
    let newest = Query { order: Order::NewestFirst, ..Query::all() };
    let reversed: Vec<_> = store.query(&newest).unwrap().map(Result::unwrap).collect();
    assert!(reversed.iter().eq(with_late.iter().rev()));
    // Compressed again, with what came late.
    store.compact(&mut |_, _| {}).unwrap();
    assert_eq!(files(directory.path()), expected);
    assert_eq!(all(&store), with_late);
    let stats = store.stats().unwrap();
    assert_eq!((stats.events, stats.files), (91, 3));
    assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
    let plain: u64 = with_late[..31].iter().map(|it| json::to_string(it).len() as u64 + 1).sum();
    assert!(fs::metadata(&first).unwrap().len() * 3 < plain, "hardly compressed");
}

/// A kill between the new file and the removal of the old one leaves both.
#[test]
fn an_interrupted_removal_shows_nothing_twice() {
    let directory = tempfile::tempdir().unwrap();
    let some = three_days();
    let lines: String = some[..30].iter().map(|event| json::to_string(event) + "\n").collect();
    compressed(directory.path(), &some);
    let left = directory.path().join("events/2026-02-01.jsonl");
    fs::write(&left, &lines).unwrap();
    let reader = JsonStore::open_read_only(directory.path()).unwrap();
    assert_eq!(all(&reader), some);
    assert_eq!(reader.stats().unwrap().events, 90);
    let store = JsonStore::open(&config(directory.path())).unwrap();
    let mut late = some[3].clone();
    late.sequence = Some(1_000);
    store.append(std::slice::from_ref(&late)).unwrap();
    let mut with_late = some;
    with_late.insert(4, late);
    assert_eq!(all(&store), with_late);
    for _ in 0..2 {
        store.compact(&mut |_, _| {}).unwrap();
        assert_eq!(all(&store), with_late);
        assert_eq!(all(&reader), with_late);
    }
    assert!(!left.exists());
}

#[test]
fn zstd_and_jq_read_a_compressed_day() {
    let needed = ["zstd", "jq"];
    for tool in needed {
        if Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "{tool} is needed");
            println!("skipped: {tool} is not installed");
            return;
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let some = three_days();
    let path = compressed(directory.path(), &some);
    let unpacked = Command::new("zstd").args(["-dcq"]).arg(&path).output().unwrap();
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    let lines = directory.path().join("lines");
    fs::write(&lines, &unpacked.stdout).unwrap();
    let ids = Command::new("jq").args(["-r", ".event_id"]).arg(&lines).output().unwrap();
    let expected: String = some[..30].iter().map(|event| format!("{}\n", event.id)).collect();
    assert_eq!(String::from_utf8(ids.stdout).unwrap(), expected);
    // And what zstd compressed is read.
    fs::write(directory.path().join("events/2026-01-31.jsonl"), "").unwrap();
    fs::remove_file(directory.path().join("events/2026-01-31.jsonl")).unwrap();
    let by_hand = Command::new("zstd").args(["-qf"]).arg(&lines).arg("-o").arg(&path).output();
    assert!(by_hand.unwrap().status.success());
    assert_eq!(all(&*open_existing_read_only(directory.path()).unwrap()), some);
}

#[test]
fn a_damaged_frame_is_named_and_other_days_are_read() {
    let directory = tempfile::tempdir().unwrap();
    let some = three_days();
    let path = compressed(directory.path(), &some);
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, bytes).unwrap();
    let store = JsonStore::open_read_only(directory.path()).unwrap();
    let (found, errors): (Vec<_>, Vec<_>) =
        store.query(&Query::all()).unwrap().partition(Result::is_ok);
    let found: Vec<_> = found.into_iter().map(Result::unwrap).collect();
    assert_eq!(found, some[30..]);
    let error = errors.into_iter().next().unwrap().unwrap_err();
    assert_eq!(error.code(), Code::Corruption);
    assert!(error.to_string().contains("damaged") || format!("{error:?}").contains("02-01"));
}

/// Many events of one day, and one of the next, so that the first day can be compressed.
fn one_long_day(path: &Path) -> (Vec<Event>, PathBuf) {
    let mut some = events(6_000);
    let day: Timestamp = "2026-02-01T00:00:00Z".parse().unwrap();
    for (at, event) in some.iter_mut().enumerate() {
        event.timestamp = Timestamp::from_nanos(day.as_nanos() + at as i64 * 1_000_003);
    }
    some.last_mut().unwrap().timestamp = "2026-02-02T00:00:00Z".parse().unwrap();
    let store = JsonStore::open(&config(path)).unwrap();
    store.append(&some).unwrap();
    assert_eq!(store.compact(&mut |_, _| {}).unwrap().made, 1);
    store.close().unwrap();
    (some, path.join("events/2026-02-01.jsonl.zst"))
}

fn readable(store: &JsonStore) -> (Vec<Event>, Vec<String>) {
    let (found, errors): (Vec<_>, Vec<_>) =
        store.query(&Query::all()).unwrap().partition(Result::is_ok);
    let errors = errors.into_iter().map(|it| it.unwrap_err().to_string());
    (found.into_iter().map(Result::unwrap).collect(), errors.collect())
}

/// A frame costs its own lines: those before and behind it are read, and stay when it is taken out.
#[test]
fn a_damaged_frame_costs_its_lines() {
    let directory = tempfile::tempdir().unwrap();
    let (some, path) = one_long_day(directory.path());
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    fs::write(&path, &bytes).unwrap();
    let reader = JsonStore::open_read_only(directory.path()).unwrap();
    let (found, errors) = readable(&reader);
    let lost = some.len() - found.len();
    assert!((100..2_000).contains(&lost), "{lost} events of a frame of 1 MiB");
    let first = some.iter().position(|it| !found.contains(it)).unwrap();
    assert!(first > 0 && found == [&some[..first], &some[first + lost..]].concat());
    assert!(errors.len() == 1 && errors[0].contains("2026-02-01.jsonl.zst"), "{errors:?}");
    let damage = reader.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap().damage;
    assert!(damage.len() == 1 && damage[0].what.contains("frame"), "{damage:?}");
    assert_eq!(reader.stats().unwrap().damage.len(), 1);
    let store = JsonStore::open(&config(directory.path())).unwrap();
    assert_eq!(store.recovered().damage.len(), 1);
    // What comes late is not compressed together with what is lost.
    let mut late = some[first].clone();
    late.sequence = Some(1_000_000);
    store.append(&[late]).unwrap();
    assert!(store.compact(&mut |_, _| {}).is_err());
    let report = store.quarantine(&mut |_, _| {}).unwrap();
    let file = &report.files[0];
    assert_eq!((report.files.len(), file.kept as usize), (1, some.len() - lost - 1));
    assert!(fs::read(directory.path().join(file.moved_to.as_ref().unwrap())).unwrap() == bytes);
    assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
    drop(store);
    let store = JsonStore::open(&config(directory.path())).unwrap();
    assert!(store.recovered().is_clean());
    assert_eq!(store.append(&some).unwrap().stored as usize, lost);
    store.compact(&mut |_, _| {}).unwrap();
    assert_eq!(readable(&store).0.len(), some.len() + 1);
}

/// Lines are found without the table of frames, and that it is damaged is said.
#[test]
fn a_damaged_table_of_frames_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (some, path) = one_long_day(directory.path());
    let bytes = fs::read(&path).unwrap();
    // From the end: magic, descriptor, number of frames, sizes and lengths.
    for back in [1, 5, 6, 10, 13, 14, 18, 22] {
        let mut bytes = bytes.clone();
        let at = bytes.len() - back;
        bytes[at] ^= 1;
        fs::write(&path, bytes).unwrap();
        let reader = JsonStore::open_read_only(directory.path()).unwrap();
        let (found, errors) = readable(&reader);
        assert!(found == some, "{back} bytes from the end: {} events", found.len());
        let clean = reader.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap().is_clean();
        // Bits of the descriptor that mean nothing change nothing.
        assert_eq!((errors.is_empty(), clean), (back == 5, back == 5), "{back}: {errors:?}");
    }
    let mut cut = bytes.clone();
    cut.truncate(bytes.len() - 20);
    fs::write(&path, cut).unwrap();
    let store = JsonStore::open(&config(directory.path())).unwrap();
    assert!(readable(&store).0 == some);
    assert_eq!(store.quarantine(&mut |_, _| {}).unwrap().files[0].lost, Some(0));
    assert!(readable(&store) == (some, Vec::new()));
}

/// A file that is none of ours under the name of a day is named, and hides no other day.
#[test]
fn a_day_that_cannot_be_read_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let some = three_days();
    let path = compressed(directory.path(), &some);
    fs::write(&path, "not what it was").unwrap();
    for store in [
        JsonStore::open_read_only(directory.path()).unwrap(),
        JsonStore::open(&config(directory.path())).unwrap(),
    ] {
        let (found, errors) = readable(&store);
        assert!(found == some[30..]);
        assert!(errors.len() == 1 && errors[0].contains("2026-02-01.jsonl.zst"), "{errors:?}");
        assert_eq!(store.stats().unwrap().damage.len(), 1);
        assert!(!store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap().is_clean());
    }
    let store = JsonStore::open(&config(directory.path())).unwrap();
    assert_eq!(store.quarantine(&mut |_, _| {}).unwrap().files.len(), 1);
    assert!(readable(&store) == (some[30..].to_vec(), Vec::new()) && !path.exists());
}

/// As Python's `json.dumps(events, indent=2, default=str)` writes it.
const ORIGINAL: &str = r#"[
  {
    "event_id": "evt-1",
    "correlation_id": "visit-1",
    "selector_name": "shop.title",
    "timestamp": "2024-03-09 10:00:00.250000",
    "operation_type": "resolution",
    "performance_metrics": {
      "resolution_time_ms": 12.5,
      "total_duration_ms": 20.0
    },
    "quality_metrics": {
      "confidence_score": 0.9,
      "success": true,
      "elements_found": 1
    },
    "strategy_metrics": {
      "primary_strategy": "css",
      "strategy_execution_order": ["css"]
    },
    "error_data": null,
    "context_data": null
  },
  {
    "event_id": "evt-2",
    "correlation_id": "visit-1",
    "selector_name": "shop.price",
    "timestamp": "2024-03-09 10:00:01",
    "operation_type": "resolution",
    "performance_metrics": {},
    "quality_metrics": {"success": false, "elements_found": 0},
    "error_data": {"error_type": "not_found", "error_message": "nothing\nmatched"}
  }
]"#;

#[test]
fn the_original_systems_day_files_are_read_where_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let days = directory.path().join("events");
    fs::create_dir(&days).unwrap();
    fs::create_dir(directory.path().join("indexes")).unwrap();
    fs::write(days.join("2024-03-09.json"), ORIGINAL).unwrap();
    let store = open_existing_read_only(directory.path()).unwrap();
    let found = all(&*store);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].timestamp, "2024-03-09T10:00:00.25Z".parse().unwrap());
    assert_eq!((found[0].selector.as_str(), found[1].outcome), ("shop.title", Outcome::NotFound));
    let message = found[1].error.as_ref().and_then(|it| it.message.as_deref());
    assert_eq!(message, Some("nothing\nmatched"));
    assert_eq!(store.stats().unwrap().events, 2);
    // A half-written day is not an empty one.
    fs::write(days.join("2024-03-10.json"), &ORIGINAL[..700]).unwrap();
    let store = open_existing_read_only(directory.path()).unwrap();
    let (found, errors): (Vec<_>, Vec<_>) =
        store.query(&Query::all()).unwrap().partition(Result::is_ok);
    assert_eq!((found.len(), errors.len()), (2, 1));
    assert_eq!(fs::read_to_string(days.join("2024-03-09.json")).unwrap(), ORIGINAL);
}

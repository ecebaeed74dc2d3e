//! What only a real file system shows.

use crate::{all, events};
use std::path::{Path, PathBuf};
use std::process::Command;
use telemetry_interfaces::{Durability, ErrorKind, Order, Query, VerifyLevel};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::{Backend, StorageConfig, Store, open, open_existing_read_only};

const SMALL: &str = "STORAGE_SMALL_DISK";
const BACKENDS: [Backend; 2] = [Backend::Segment, Backend::Json];

fn config(path: &Path, backend: Backend) -> StorageConfig {
    StorageConfig {
        backend,
        durability: Durability::Batch,
        segment_bytes: 16 << 10,
        compact_in_background: false,
        ..StorageConfig::at(path)
    }
}

/// What runs on the small disk; does nothing when it runs as one of the tests.
#[test]
fn on_a_disk_of_one_mebibyte() {
    let Some(disk) = std::env::var_os(SMALL).map(PathBuf::from) else { return };
    for backend in BACKENDS {
        let path = disk.join(backend.as_str());
        let filler = disk.join("filler");
        std::fs::write(&filler, vec![7; 600 << 10]).unwrap();
        let store = open(&config(&path, backend)).unwrap();
        let events = events(20_000);
        let mut batches = events.chunks(50);
        let mut kept = 0;
        let refused = loop {
            let batch = batches.next().expect("the disk is full before the events are stored");
            match store.append(batch) {
                Ok(ack) => kept += ack.stored as usize,
                Err(error) => break (batch, error),
            }
        };
        let (batch, error) = refused;
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.to_string().contains("free disk space"), "{error}");
        assert!(kept > 100);
        let sequences = |store: &dyn Store| -> Vec<Option<u64>> {
            let mut found: Vec<_> = all(store).iter().map(|event| event.sequence).collect();
            found.sort();
            found
        };
        let expected = |count: usize| -> Vec<Option<u64>> {
            let mut wanted: Vec<_> = events[..count].iter().map(|event| event.sequence).collect();
            wanted.sort();
            wanted
        };
        assert_eq!(sequences(&*store), expected(kept), "{backend}: what was acknowledged, no more");
        // Full for good, it is still full, and still readable from beside.
        assert_eq!(store.append(batch).unwrap_err().kind(), ErrorKind::Unavailable);
        let reader = open_existing_read_only(&path).unwrap();
        assert_eq!(sequences(&*reader), expected(kept), "{backend}");
        // With room again, the same store goes on, and the next program finds everything.
        std::fs::remove_file(&filler).unwrap();
        assert_eq!(store.append(batch).unwrap().stored as usize, batch.len());
        kept += batch.len();
        store.close().unwrap();
        let store = open(&config(&path, backend)).unwrap();
        assert!(store.recovered().is_clean(), "{}", store.recovered());
        assert_eq!(sequences(&*store), expected(kept));
        assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
        store.close().unwrap();
        std::fs::remove_dir_all(&path).unwrap();
    }
}

/// Mounts a file system of 1 MiB in a name space of its own and runs
/// [`on_a_disk_of_one_mebibyte`] on it. Where that cannot be done (not Linux, no `unshare`, name
/// spaces forbidden, as in many containers) there is nothing to run it on: the test says so by name
/// and counts as skipped, also in CI, because the environment and not the program lacks it.
#[test]
fn a_full_disk_loses_nothing_and_is_survived() {
    let disk = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=1m none \"$0\"";
    let isolated = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c", script]);
        command.arg(disk.path());
        command
    };
    if !isolated(mount).output().is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: a_full_disk_loses_nothing_and_is_survived: cannot mount a tmpfs here");
        return;
    }
    let script = format!("{mount} && exec \"$@\"");
    let mut command = isolated(&script);
    command.arg(std::env::current_exe().unwrap());
    command.args(["real_disk::on_a_disk_of_one_mebibyte", "--exact", "--nocapture"]);
    let ran = command.env(SMALL, disk.path()).output().unwrap();
    let text = String::from_utf8_lossy(&ran.stdout) + String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success() && text.contains("1 passed"), "{text}");
}

/// The clock of a host is set back ten years in the middle of a run: events keep the time they
/// were given, and are answered in the order of their times.
#[test]
fn a_clock_set_back_ten_years() {
    const TEN_YEARS_MS: i64 = 3653 * 86_400_000;
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let mut events = events(300);
        for event in &mut events[150..] {
            let at = event.timestamp.as_millis() - TEN_YEARS_MS;
            event.timestamp = Timestamp::from_millis(at);
        }
        let store = open(&config(directory.path(), backend)).unwrap();
        for batch in events.chunks(30) {
            assert_eq!(store.append(batch).unwrap().stored, 30);
        }
        let mut expected = events.clone();
        expected.sort_by_key(|event| event.timestamp);
        let check = |store: &dyn Store| {
            assert_eq!(all(store), expected);
            let cut = expected[150].timestamp;
            let ask = |query: Query| -> Vec<Event> {
                store.query(&query).unwrap().map(Result::unwrap).collect()
            };
            assert_eq!(ask(Query { to: Some(cut), ..Query::all() }), expected[..150]);
            assert_eq!(ask(Query { from: Some(cut), ..Query::all() }), expected[150..]);
            let newest = Query { order: Order::NewestFirst, limit: Some(1), ..Query::all() };
            assert_eq!(ask(newest)[0].timestamp, expected[299].timestamp);
            let stats = store.stats().unwrap();
            assert_eq!((stats.events, stats.first), (300, Some(expected[0].timestamp)));
        };
        check(&*store);
        store.rollups().unwrap().roll_up(&mut |_, _| {}).unwrap();
        if backend == Backend::Segment {
            store.compact(&mut |_, _| {}).unwrap();
            check(&*store);
        }
        store.close().unwrap();
        let store = open(&config(directory.path(), backend)).unwrap();
        check(&*store);
        assert_eq!(store.append(&events).unwrap().duplicates, 300);
        assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
    }
}

/// The second writer of a directory is told who has it; readers are not kept out.
#[test]
fn the_second_writer_is_refused() {
    for backend in BACKENDS {
        let directory = tempfile::tempdir().unwrap();
        let first = open(&config(directory.path(), backend)).unwrap();
        first.append(&events(20)).unwrap();
        let Err(error) = open(&config(directory.path(), backend)) else {
            panic!("{backend}: two writers");
        };
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        let text = error.to_string();
        let holder = format!("process {} already writes", std::process::id());
        assert!(text.contains(&holder) && text.contains("one writer at a time"), "{text}");
        first.append(&events(30)).unwrap();
        assert_eq!(all(&*open_existing_read_only(directory.path()).unwrap()).len(), 30);
        first.close().unwrap();
        assert_eq!(all(&*open(&config(directory.path(), backend)).unwrap()).len(), 30);
    }
}

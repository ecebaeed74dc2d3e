//! Sorting and joining segments changes files, and no answer.

use crate::disk::{Interrupting, TestDisk};
use crate::{all, events};
use std::fs;
use std::path::Path;
use std::sync::Arc;
use telemetry_interfaces::{
    ErrorKind, EventStore, Ledger, Maintenance, Order, Query, SelectorPattern, VerifyLevel,
};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::disk::Disk;
use telemetry_storage::{SegmentStore, StorageConfig};

fn config(path: &Path) -> StorageConfig {
    StorageConfig { compact_in_background: false, ..StorageConfig::at(path) }
}

/// Some events have the same time.
fn stream(count: u64) -> Vec<Event> {
    let mut stream = events(count);
    for (at, event) in stream.iter_mut().enumerate() {
        let millis = event.timestamp.as_millis() / 40_000 * 40_000;
        if at % 3 > 0 {
            event.timestamp = Timestamp::from_millis(millis);
        }
    }
    stream
}

fn segments(store: &Path) -> Vec<String> {
    let names = fs::read_dir(store.join("segments")).unwrap();
    let mut names: Vec<_> =
        names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn queries(some: &Event) -> Vec<Query> {
    let exact = SelectorPattern::exact(&some.selector);
    let conditions = [
        Query::all(),
        Query { selector: Some(exact), ..Query::all() },
        Query { site: some.site().map(Into::into), ..Query::all() },
        Query { event: Some(some.id.clone()), ..Query::all() },
        Query { correlation: some.correlation_id.clone(), ..Query::all() },
        Query { from: Some(some.timestamp), outcomes: vec![some.outcome], ..Query::all() },
        Query { strategy: Some(some.attempts[0].kind.clone()), limit: Some(7), ..Query::all() },
    ];
    let newest = |query: &Query| Query { order: Order::NewestFirst, ..query.clone() };
    conditions.iter().flat_map(|query| [query.clone(), newest(query)]).collect()
}

fn answers(store: &SegmentStore, queries: &[Query]) -> Vec<Vec<Event>> {
    let answer = |query| store.query(query).unwrap().map(Result::unwrap).collect();
    queries.iter().map(answer).collect()
}

#[test]
fn no_answer_changes_and_nothing_is_stored_twice() {
    let directory = tempfile::tempdir().unwrap();
    let stream = stream(3000);
    let ledger = Ledger {
        run: stream[0].run.clone(),
        producer: None,
        at: stream[0].timestamp,
        recorded: 9,
        stored: 9,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    };
    let queries = queries(&stream[1234]);
    let mut before = Vec::new();
    for part in stream.chunks(700) {
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        store.append_ledger(&ledger).unwrap();
        for batch in part.chunks(64) {
            store.append(batch).unwrap();
        }
        before = answers(&store, &queries);
    }
    assert_eq!(segments(directory.path()).len(), 5);
    let beside = SegmentStore::open_read_only(directory.path()).unwrap();
    let mut begun = beside.query(&Query::all()).unwrap();
    let first = begun.next().unwrap().unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    let stats = store.stats().unwrap();
    let report = store.compact(&mut |_, _| {}).unwrap();
    assert_eq!((report.replaced, report.made, report.events, report.damaged), (5, 1, 3000, 0));
    assert!(report.bytes_after < report.bytes_before);
    assert_eq!(segments(directory.path()), ["00000001-00000005.seg"]);
    let check = |store: &SegmentStore| {
        assert!(answers(store, &queries) == before);
        assert_eq!(store.ledgers().unwrap(), std::slice::from_ref(&ledger));
        let now = store.stats().unwrap();
        assert_eq!((now.events, &now.days), (stats.events, &stats.days));
        assert_eq!((&now.selectors, &now.sites), (&stats.selectors, &stats.sites));
        let report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert_eq!((report.damage, report.notes, report.events), (vec![], vec![], 3000));
    };
    check(&store);
    check(&beside);
    check(&SegmentStore::open_read_only(directory.path()).unwrap());
    // A query that began before goes on with what it saw.
    let rest: Vec<Event> = begun.map(Result::unwrap).collect();
    assert!(first == before[0][0] && rest == before[0][1..]);
    assert_eq!(store.append(&stream).unwrap().duplicates, 3000);
    drop(store);
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    assert!(store.recovery().is_clean());
    assert_eq!(store.append(&stream).unwrap().duplicates, 3000);
    check(&store);
    assert_eq!(store.compact(&mut |_, _| {}).unwrap().made, 0);
    // Sorted once more, with what came later.
    let mut later = stream[..5].to_vec();
    later.iter_mut().for_each(|event| event.sequence = event.sequence.map(|it| it + 100_000));
    store.append(&later).unwrap();
    drop(store);
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    let expected = all(&store);
    assert_eq!(store.compact(&mut |_, _| {}).unwrap().events, 3005);
    assert!(all(&store) == expected);
    assert_eq!(segments(directory.path()), ["00000001-00000006.seg"]);
}

/// Interrupted at any point, the files of before or of after count, never both.
#[test]
fn what_an_interrupted_compaction_left_is_tidied() {
    let directory = tempfile::tempdir().unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    store.append(&events(500)).unwrap();
    drop(store);
    let segments_in = directory.path().join("segments");
    let log = fs::read(segments_in.join("00000001.seg")).unwrap();
    let manifest = fs::read(directory.path().join("telemetry-store.json")).unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    let expected = all(&store);
    store.compact(&mut |_, _| {}).unwrap();
    drop(store);
    let sorted = "00000001-00000001.seg";
    let after = fs::read(directory.path().join("telemetry-store.json")).unwrap();
    let check = |left: &str| {
        assert!(all(&SegmentStore::open_read_only(directory.path()).unwrap()) == expected);
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert!(all(&store) == expected && store.recovery().is_clean());
        assert_eq!(segments(directory.path()), [left]);
        let report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert_eq!((report.damage, report.notes), (vec![], vec![]));
    };
    // The manifest was replaced, the log not yet removed.
    fs::write(segments_in.join("00000001.seg"), &log).unwrap();
    check(sorted);
    // The manifest was not replaced.
    let bytes = fs::read(segments_in.join(sorted)).unwrap();
    fs::write(segments_in.join("00000001.seg"), &log).unwrap();
    fs::write(directory.path().join("telemetry-store.json"), &manifest).unwrap();
    check("00000001.seg");
    // It was never finished.
    fs::write(segments_in.join("00000001-00000001.tmp"), &bytes[..bytes.len() / 2]).unwrap();
    check("00000001.seg");
    fs::write(segments_in.join(sorted), &bytes).unwrap();
    fs::write(directory.path().join("telemetry-store.json"), &after).unwrap();
    check(sorted);
}

#[test]
fn full_segments_are_sorted_in_the_background() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { segment_bytes: 8192, ..StorageConfig::at(directory.path()) };
    let store = SegmentStore::open(&config).unwrap();
    for batch in events(2000).chunks(50) {
        store.append(batch).unwrap();
    }
    let reader = SegmentStore::open_read_only(directory.path()).unwrap();
    let sorted = || segments(directory.path()).iter().any(|name| name.contains('-'));
    while !sorted() {
        std::thread::yield_now();
    }
    assert_eq!(all(&reader).len(), 2000);
    store.close().unwrap();
    assert_eq!(all(&reader), all(&store));
}

/// A segment that is replaced while others are checked is not missing.
#[test]
fn verify_is_right_while_segments_are_replaced() {
    for opened_by in ["the writer", "a reader"] {
        let directory = tempfile::tempdir().unwrap();
        for part in events(900).chunks(300) {
            let store = SegmentStore::open(&config(directory.path())).unwrap();
            store.append(part).unwrap();
        }
        let disk = Arc::new(Interrupting::default());
        let its = Arc::clone(&disk) as Arc<dyn Disk>;
        let writer =
            Arc::new(SegmentStore::open_on(Arc::clone(&its), &config(directory.path())).unwrap());
        let reader = SegmentStore::open_read_only_on(its, directory.path()).unwrap();
        let checked = if opened_by == "a reader" { &reader } else { &*writer };
        let compacting = Arc::clone(&writer);
        let happens = move || assert_eq!(compacting.compact(&mut |_, _| {}).unwrap().replaced, 3);
        *disk.at.lock().unwrap() = Some(("00000002.seg".into(), Box::new(happens)));
        let report = checked.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert_eq!((report.damage, report.events), (vec![], 900), "{opened_by}");
        assert!(disk.at.lock().unwrap().is_none(), "it was compacted meanwhile");
        assert_eq!(segments(directory.path()), ["00000001-00000003.seg"]);
    }
}

#[test]
fn damage_and_readers_are_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    store.append(&events(500)).unwrap();
    drop(store);
    let path = directory.path().join("segments/00000001.seg");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    assert!(store.compact(&mut |_, _| {}).is_err());
    assert_eq!(fs::read(&path).unwrap(), bytes);
    assert_eq!(segments(directory.path()), ["00000001.seg"]);
    drop(store);
    let reader = SegmentStore::open_read_only(directory.path()).unwrap();
    assert_eq!(reader.compact(&mut |_, _| {}).unwrap_err().kind(), ErrorKind::Denied);
}

/// More segments than a query holds open: those of the same process stay for it, and another process
/// is told to ask again, not that there is damage.
#[test]
fn a_query_over_hundreds_of_segments_outlives_their_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { segment_bytes: 4096, ..config(directory.path()) };
    let store = SegmentStore::open_on(TestDisk::without_sync(), &config).unwrap();
    let whole = events(9_000);
    for batch in whole.chunks(30) {
        store.append(batch).unwrap();
    }
    let files = segments(directory.path()).len();
    assert!(files > 280, "{files} segments");
    let reader = SegmentStore::open_read_only(directory.path()).unwrap();
    let mut beside = reader.query(&Query::all()).unwrap();
    let mut begun = store.query(&Query::all()).unwrap();
    let first = begun.next().unwrap().unwrap();
    assert_eq!(beside.next().unwrap().unwrap(), first);
    store.compact(&mut |_, _| {}).unwrap();
    assert!(segments(directory.path()).len() > files, "replaced, and still there");
    let rest: Vec<Event> = begun.by_ref().map(Result::unwrap).collect();
    assert!(first == whole[0] && rest == whole[1..]);
    drop(begun);
    store.append(&[]).unwrap();
    // The next compaction removes them, or the next program.
    store.close().unwrap();
    drop(store);
    let store = SegmentStore::open_on(TestDisk::without_sync(), &config).unwrap();
    let logs = segments(directory.path()).into_iter().filter(|name| !name.contains('-')).count();
    assert!(logs <= 1, "{logs} replaced segments are left");
    let mut found = 1;
    for item in beside {
        match item {
            Ok(event) => {
                let at = whole.iter().position(|it| *it == event).unwrap();
                assert!(at >= found, "in order");
                found = at + 1;
            }
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
        }
    }
    assert_eq!(all(&store), whole);
}

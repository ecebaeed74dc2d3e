//! Answers for several threads: what each of them is given.

use crate::events;
use std::path::Path;
use telemetry_interfaces::{EventStore, Maintenance, Order, Query, SelectorPattern};
use telemetry_storage::{SegmentStore, StorageConfig};
use telemetry_testkit::conformance::check_parts;

/// More than are read by one thread.
const EVENTS: u64 = 110_000;

fn filled(path: &Path) -> StorageConfig {
    let config = StorageConfig { compact_in_background: false, ..StorageConfig::at(path) };
    let store = SegmentStore::open(&config).unwrap();
    for batch in events(EVENTS).chunks(4_096) {
        store.append(batch).unwrap();
    }
    store.close().unwrap();
    config
}

#[test]
fn parts_are_the_whole_hot_and_sorted() {
    let directory = tempfile::tempdir().unwrap();
    let config = filled(directory.path());
    let store = SegmentStore::open(&config).unwrap();
    let newest = Query { order: Order::NewestFirst, ..Query::all() };
    for compacted in [false, true] {
        if compacted {
            store.compact(&mut |_, _| {}).unwrap();
        }
        assert_eq!(check_parts(&store, &Query::all(), 2), 2);
        assert_eq!(check_parts(&store, &newest, 3), 3);
        assert_eq!(check_parts(&store, &Query { limit: Some(5), ..Query::all() }, 2), 1);
        // Hardly any events: not worth a thread.
        let one = SelectorPattern::exact(&events(1)[0].selector);
        let few = Query {
            selector: Some(one),
            from: Some(events(EVENTS).pop().unwrap().timestamp),
            ..Query::all()
        };
        assert_eq!(check_parts(&store, &few, 2), 1);
    }
}

#[test]
fn damage_is_told_in_one_part() {
    let directory = tempfile::tempdir().unwrap();
    let config = filled(directory.path());
    let segments = std::fs::read_dir(directory.path().join("segments")).unwrap();
    let segment = segments.map(|it| it.unwrap().path()).min().unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let store = SegmentStore::open(&config).unwrap();
    let whole: Vec<String> = store
        .query(&Query::all())
        .unwrap()
        .filter_map(Result::err)
        .map(|it| it.to_string())
        .collect();
    assert_eq!(whole.len(), 1);
    let divided = store.query_parts(&Query::all(), 2).unwrap();
    assert_eq!(divided.parts.len(), 2);
    let parts: Vec<String> = divided
        .parts
        .into_iter()
        .flatten()
        .filter_map(Result::err)
        .map(|it| it.to_string())
        .collect();
    assert_eq!(parts, whole);
}

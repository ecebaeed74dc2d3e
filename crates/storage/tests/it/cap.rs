//! How many selectors a store tells apart.

use crate::{all, events};
use std::collections::BTreeSet;
use telemetry_interfaces::{EventStore, Maintenance, Query, SelectorPattern};
use telemetry_models::Event;
use telemetry_storage::{SegmentStore, StorageConfig};

#[test]
fn events_of_one_selector_too_many_are_kept_under_another_name_and_counted() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { max_selectors: 5, ..StorageConfig::at(directory.path()) };
    let some = events(400);
    let mut kept = BTreeSet::new();
    let expected: Vec<Event> = some
        .iter()
        .map(|event| {
            let mut event = event.clone();
            if kept.len() < 5 || kept.contains(&event.selector) {
                kept.insert(event.selector.clone());
            } else {
                event.attributes.insert("telemetry.selector".into(), event.selector.shared());
                event.selector = "__other__".parse().unwrap();
            }
            event
        })
        .collect();
    let others = expected.iter().filter(|it| it.selector.as_str() == "__other__").count();
    assert!(others > 0);
    // Known selectors stay known, also to the next program.
    for half in some.chunks(200) {
        let store = SegmentStore::open(&config).unwrap();
        for batch in half.chunks(30) {
            assert_eq!(store.append(batch).unwrap().stored, batch.len() as u64);
        }
        assert_eq!(store.append(&half[..30]).unwrap().duplicates, 30);
        store.close().unwrap();
    }
    let mut sorted = expected;
    sorted.sort_by_key(|event| event.timestamp);
    let store = SegmentStore::open(&config).unwrap();
    assert_eq!(all(&store), sorted);
    store.compact(&mut |_, _| {}).unwrap();
    assert_eq!(all(&store), sorted);
    let stats = store.stats().unwrap();
    assert_eq!((stats.capped, stats.selectors.len()), (others as u64, 6));
    let selector = Some(SelectorPattern::new("__other__").unwrap());
    let found = store.query(&Query { selector, ..Query::all() }).unwrap().map(Result::unwrap);
    assert!(found.count() == others);
}

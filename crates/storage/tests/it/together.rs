use crate::events;
use std::sync::atomic::{AtomicU64, Ordering};
use telemetry_interfaces::{EventStore, Query};
use telemetry_models::Timestamp;
use telemetry_storage::{SegmentStore, StorageConfig};

/// Readers see everything acknowledged before they ask, nothing with a hole in it, and no damage,
/// while a writer appends and seals.
#[test]
fn readers_see_a_prefix_while_a_writer_runs() {
    const ALL: u64 = 2000;
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { segment_bytes: 8192, ..StorageConfig::at(directory.path()) };
    let store = SegmentStore::open(&config).unwrap();
    let acknowledged = AtomicU64::new(0);
    let read = || {
        let reader = SegmentStore::open_read_only(&config.path).unwrap();
        loop {
            let least = acknowledged.load(Ordering::SeqCst);
            let mut found: Vec<u64> = reader
                .query(&Query::all())
                .unwrap()
                .map(|event| event.unwrap().sequence.unwrap())
                .collect();
            found.sort_unstable();
            assert!(found.len() as u64 >= least);
            assert!(found.iter().copied().eq(0..found.len() as u64));
            if least == ALL {
                return;
            }
        }
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read)];
        for batch in events(ALL).chunks(17) {
            store.append(batch).unwrap();
            acknowledged.fetch_add(batch.len() as u64, Ordering::SeqCst);
        }
        store.close().unwrap();
        for reader in readers {
            reader.join().unwrap();
        }
    });
}

/// A batch beyond a block's size becomes several blocks, and is still in order.
#[test]
fn a_batch_of_many_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let store = SegmentStore::open(&StorageConfig::at(directory.path())).unwrap();
    let mut some = events(1);
    let event = some.remove(0);
    let many: Vec<_> = (0..40_000u64)
        .map(|at| {
            let mut event = event.clone();
            event.sequence = Some(at);
            event.timestamp = Timestamp::from_nanos(((at * 7919) % 40_000) as i64);
            event
        })
        .collect();
    assert_eq!(store.append(&many).unwrap().stored, 40_000);
    let mut last = Timestamp::MIN;
    let mut count = 0;
    for event in store.query(&Query::all()).unwrap() {
        let at = event.unwrap().timestamp;
        assert!(at >= last);
        last = at;
        count += 1;
    }
    assert_eq!(count, 40_000);
}

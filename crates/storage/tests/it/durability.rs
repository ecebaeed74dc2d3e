//! What an acknowledgement is worth.

use crate::disk::{Faults, TestDisk};
use crate::{all, events};
use std::sync::atomic::Ordering;
use telemetry_interfaces::{Code, Durability, ErrorKind, EventStore, HealthStatus};
use telemetry_storage::{Backend, JsonStore, SegmentStore, StorageConfig};

fn stores(
    durability: Durability,
    sync_interval_ms: u64,
    check: impl Fn(Box<dyn EventStore>, &Faults, &StorageConfig),
) {
    for backend in [Backend::Segment, Backend::Json] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let config =
            StorageConfig { backend, durability, sync_interval_ms, ..StorageConfig::at(&path) };
        let (disk, faults) = TestDisk::faulty();
        let store: Box<dyn EventStore> = match backend {
            Backend::Json => Box::new(JsonStore::open_on(disk, &config).unwrap()),
            _ => Box::new(SegmentStore::open_on(disk, &config).unwrap()),
        };
        check(store, &faults, &config);
    }
}

#[test]
fn batch_syncs_before_it_acknowledges() {
    stores(Durability::Batch, 1000, |store, faults, _| {
        for batch in events(30).chunks(10) {
            let before = faults.syncs();
            let ack = store.append(batch).unwrap();
            assert_eq!(ack.durability, Durability::Batch);
            assert!(faults.syncs() > before);
        }
    });
}

#[test]
fn interval_syncs_by_itself() {
    stores(Durability::Interval, 1, |store, faults, _| {
        let before = faults.syncs();
        assert_eq!(store.append(&events(10)).unwrap().durability, Durability::Interval);
        let syncs = faults.syncs.lock().unwrap();
        let synced = faults.synced.wait_while(syncs, |syncs| *syncs == before).unwrap();
        assert!(*synced > before);
    });
}

#[test]
fn interval_waits_and_flush_does_not() {
    stores(Durability::Interval, 3_600_000, |store, faults, _| {
        // Begins the file, whose header is always durable before its content.
        store.append(&events(5)).unwrap();
        let before = faults.syncs();
        store.append(&events(10)).unwrap();
        assert_eq!(faults.syncs(), before);
        store.flush().unwrap();
        assert!(faults.syncs() > before);
    });
}

#[test]
fn a_failed_fsync_closes_the_store() {
    stores(Durability::Batch, 1000, |store, faults, config| {
        let some = events(20);
        store.append(&some[..10]).unwrap();
        assert_eq!(store.health().status, HealthStatus::Healthy);
        faults.fail_sync.store(true, Ordering::SeqCst);
        let error = store.append(&some[10..]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Closed, "{error}");
        let health = store.health();
        assert_eq!(health.status, HealthStatus::Failed);
        assert_eq!(health.code, Some(Code::StorageUnavailable));
        assert!(health.message.contains("fsync"), "{}", health.message);
        faults.fail_sync.store(false, Ordering::SeqCst);
        let again = store.append(&some[10..]).unwrap_err();
        assert_eq!(again.kind(), ErrorKind::Closed);
        assert!(again.to_string().contains("fsync") && again.to_string().contains("injected"));
        assert_eq!(store.flush().unwrap_err().kind(), ErrorKind::Closed);
        assert_eq!(all(&*store)[..10], some[..10]);
        assert_eq!(store.close().unwrap_err().kind(), ErrorKind::Closed);
        store.close().unwrap();
        let reopened = telemetry_storage::open(config).unwrap();
        reopened.append(&some).unwrap();
        assert_eq!(all(&*reopened), some);
    });
}

#[test]
fn a_full_disk_is_taken_back_and_tried_again() {
    stores(Durability::Batch, 1000, |store, faults, config| {
        let some = events(40);
        store.append(&some[..10]).unwrap();
        for room in [0, 1, 100, 700] {
            faults.room.store(room, Ordering::SeqCst);
            let error = store.append(&some[10..30]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            assert_eq!(all(&*store), some[..10]);
        }
        faults.room.store(u64::MAX, Ordering::SeqCst);
        assert_eq!(store.append(&some[10..30]).unwrap().stored, 20);
        store.close().unwrap();
        let reopened = telemetry_storage::open(config).unwrap();
        assert_eq!(all(&*reopened), some[..30]);
        let report = reopened.verify(telemetry_interfaces::VerifyLevel::Deep, &mut |_, _| {});
        assert_eq!(report.unwrap().damage, []);
    });
}

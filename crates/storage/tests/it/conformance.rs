use std::rc::Rc;
use telemetry_interfaces::EventStore;
use telemetry_storage::{Backend, StorageConfig, open, open_existing_read_only};
use telemetry_testkit::conformance::{Harness, event_store};

fn check(backend: Backend) {
    event_store(&|| {
        let directory = Rc::new(tempfile::tempdir().unwrap());
        let config = StorageConfig {
            backend,
            // Small, so that every workload has several segments.
            segment_bytes: 16 << 10,
            ..StorageConfig::at(directory.path().join("store"))
        };
        let persistent = backend != Backend::Memory;
        let (its, path) = (Rc::clone(&directory), config.path.clone());
        let open_reader = move || -> Box<dyn EventStore> {
            let _kept = &its;
            open_existing_read_only(&path).unwrap()
        };
        Harness {
            open: Box::new(move || {
                let _kept = &directory;
                open(&config).unwrap()
            }),
            open_reader: persistent.then(|| Box::new(open_reader) as _),
        }
    });
}

#[test]
fn memory() {
    check(Backend::Memory);
}

#[cfg(feature = "segment")]
#[test]
fn segment() {
    check(Backend::Segment);
}

/// The segment store, compacted each time it is opened, asked through the same suite.
#[cfg(feature = "segment")]
#[test]
fn compacted() {
    event_store(&|| {
        let directory = Rc::new(tempfile::tempdir().unwrap());
        let config = StorageConfig {
            segment_bytes: 16 << 10,
            ..StorageConfig::at(directory.path().join("store"))
        };
        let path = config.path.clone();
        Harness {
            open: Box::new(move || {
                let _kept = &directory;
                let store = open(&config).unwrap();
                store.compact(&mut |_, _| {}).unwrap();
                store
            }),
            open_reader: Some(Box::new(move || open_existing_read_only(&path).unwrap())),
        }
    });
}

#[cfg(feature = "json")]
#[test]
fn json() {
    check(Backend::Json);
}

/// Days that are over are compressed each time the store is opened.
#[cfg(feature = "json")]
#[test]
fn json_compressed() {
    event_store(&|| {
        let directory = Rc::new(tempfile::tempdir().unwrap());
        let path = directory.path().join("store");
        let config = StorageConfig { backend: Backend::Json, ..StorageConfig::at(&path) };
        Harness {
            open: Box::new(move || {
                let _kept = &directory;
                let store = open(&config).unwrap();
                store.compact(&mut |_, _| {}).unwrap();
                store
            }),
            open_reader: Some(Box::new(move || open_existing_read_only(&path).unwrap())),
        }
    });
}

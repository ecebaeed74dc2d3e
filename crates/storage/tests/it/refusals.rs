//! What is not a store of ours is refused, and left as it is.

use crate::{all, events};
use std::fs;
use std::path::Path;
use telemetry_interfaces::{Code, Error, ErrorKind, EventStore, Maintenance, Query, VerifyLevel};
use telemetry_storage::{Backend, SegmentStore, StorageConfig, open, open_existing_read_only};

fn refused<T>(result: Result<T, Error>, kind: ErrorKind, code: Code, parts: &[&str]) {
    let error = match result {
        Ok(_) => panic!("expected a refusal with {parts:?}"),
        Err(error) => error,
    };
    let text = error.to_string();
    assert_eq!((error.kind(), error.code()), (kind, code), "{text}");
    for part in parts {
        assert!(text.contains(part), "{text:?} should name {part:?}");
    }
    assert!(error.what_to_do().is_some(), "{text}");
}

fn listing(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(path)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.file_type().unwrap().is_file())
        .map(|it| (it.file_name().into_string().unwrap(), fs::read(it.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_missing_store() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("nowhere");
    let parts = ["nowhere", "telemetry init", "--store"];
    let (kind, code) = (ErrorKind::NotFound, Code::StorageUnavailable);
    refused(open_existing_read_only(&path), kind, code, &parts);
    refused(SegmentStore::open_read_only(&path), kind, code, &parts);
    refused(open_existing_read_only(directory.path()), kind, code, &["telemetry init"]);
    assert!(!path.exists());
}

#[test]
fn a_directory_of_other_files() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.doc"), "mine").unwrap();
    let before = listing(directory.path());
    let (kind, code) = (ErrorKind::Invalid, Code::StorageUnavailable);
    for backend in [Backend::Segment, Backend::Json] {
        let config = StorageConfig { backend, ..StorageConfig::at(directory.path()) };
        refused(open(&config), kind, code, &["thesis.doc", "--store"]);
    }
    refused(open_existing_read_only(directory.path()), kind, code, &["thesis.doc"]);
    assert_eq!(listing(directory.path()), before);
}

#[test]
fn manifests_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let check = |text: &str, kind, code, parts: &[&str]| {
        fs::write(directory.path().join("telemetry-store.json"), text).unwrap();
        let before = listing(directory.path());
        refused(open(&StorageConfig::at(directory.path())), kind, code, parts);
        refused(open_existing_read_only(directory.path()), kind, code, parts);
        assert_eq!(listing(directory.path()), before);
    };
    check(
        r#"{"format": "telemetry-store", "version": 7, "backend": "quantum", "new": []}"#,
        ErrorKind::Unsupported,
        Code::StorageUnavailable,
        &["version 7", "newer", "telemetry-store.json"],
    );
    check(
        r#"{"format": "somebody-elses", "version": 1}"#,
        ErrorKind::Invalid,
        Code::StorageUnavailable,
        &["other files"],
    );
    check(
        "{\"format\": \"telemetry-store\",\n \"version\": 1, oops",
        ErrorKind::Corrupt,
        Code::Corruption,
        &["line: 2", "telemetry-store.json"],
    );
}

#[test]
fn another_backend() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { backend: Backend::Json, ..StorageConfig::at(directory.path()) };
    drop(open(&config).unwrap());
    let (kind, code) = (ErrorKind::Invalid, Code::StorageUnavailable);
    let parts = ["backend is json", "asked for was segment"];
    refused(open(&StorageConfig::at(directory.path())), kind, code, &parts);
    refused(SegmentStore::open_read_only(directory.path()), kind, code, &parts);
    assert_eq!(open_existing_read_only(directory.path()).unwrap().backend(), "json");
}

#[test]
fn a_second_writer() {
    let directory = tempfile::tempdir().unwrap();
    for backend in [Backend::Segment, Backend::Json] {
        let path = directory.path().join(backend.as_str());
        let config = StorageConfig { backend, ..StorageConfig::at(&path) };
        let first = open(&config).unwrap();
        first.append(&events(3)).unwrap();
        let me = format!("process {}", std::process::id());
        let (kind, code) = (ErrorKind::Unavailable, Code::StorageUnavailable);
        refused(open(&config), kind, code, &[&me, "one writer"]);
        assert_eq!(all(&*open_existing_read_only(&path).unwrap()).len(), 3);
        first.close().unwrap();
        let second = open(&config).unwrap();
        assert_eq!(second.append(&events(4)).unwrap().duplicates, 3);
    }
}

#[test]
fn a_segment_of_a_newer_version() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig::at(directory.path());
    let store = open(&config).unwrap();
    store.append(&events(3)).unwrap();
    store.close().unwrap();
    drop(store);
    let segment = directory.path().join("segments/00000001.seg");
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 9;
    // CRC-32C of the changed header, so that the version itself is believed.
    let crc = crc32c_of(&bytes[..20]);
    bytes[20..24].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).unwrap();
    // The other segments are read (`mending::a_segment_from_the_future_hides_no_other`); this one
    // is an error, also when the manifest names it, and stays as it is.
    let store = open(&config).unwrap();
    let reader = open_existing_read_only(directory.path()).unwrap();
    for store in [&store, &reader] {
        let error = store.query(&Query::all()).unwrap().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("00000001.seg") && error.contains("newer version"), "{error}");
        assert!(!store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
    }
    store.append(&events(6)[3..]).unwrap();
    store.compact(&mut |_, _| {}).unwrap();
    store.close().unwrap();
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

/// CRC-32C, bit by bit (RFC 3720, appendix B.4).
fn crc32c_of(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            crc >> 1 ^ (0x82f6_3b78 & 0u32.wrapping_sub(crc & 1))
        })
    })
}

#[test]
fn foreign_files_inside_are_noted_and_left() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig::at(directory.path());
    let store = SegmentStore::open(&config).unwrap();
    store.append(&events(3)).unwrap();
    fs::write(directory.path().join("segments/notes.txt"), "mine").unwrap();
    fs::write(directory.path().join("segments/1.seg"), "mine").unwrap();
    fs::write(directory.path().join("readme.md"), "mine").unwrap();
    drop(store);
    let store = SegmentStore::open(&config).unwrap();
    assert_eq!(all(&store), events(3));
    let report = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert!(report.is_clean());
    assert_eq!(report.notes.len(), 3, "{:?}", report.notes);
    assert_eq!(fs::read(directory.path().join("segments/1.seg")).unwrap(), b"mine");
}

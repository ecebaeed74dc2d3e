//! Damage is taken out of use, and a lost manifest is made anew.

use crate::{all, events};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use telemetry_interfaces::{
    Durability, ErrorKind, EventStore, Maintenance, QuarantineReport, Query, VerifyLevel,
};
use telemetry_models::Event;
use telemetry_storage::{Backend, JsonStore, SegmentStore, StorageConfig, rebuild};
use telemetry_testkit::disk::{Loss, SimDisk};

const MANIFEST: &str = "telemetry-store.json";

fn config(path: &Path) -> StorageConfig {
    StorageConfig {
        compact_in_background: false,
        durability: Durability::Batch,
        ..StorageConfig::at(path)
    }
}

/// Three segments of three blocks each; joined into one of several stripes' rows or not.
fn store_of(path: &Path, events: &[Event], compacted: bool) {
    for part in events.chunks(events.len() / 3) {
        let store = SegmentStore::open(&config(path)).unwrap();
        for batch in part.chunks(part.len() / 3) {
            store.append(batch).unwrap();
        }
    }
    if compacted {
        let store = SegmentStore::open(&config(path)).unwrap();
        assert_eq!(store.compact(&mut |_, _| {}).unwrap().made, 1);
    }
}

fn nothing(_: u64, _: u64) {}

fn blocks(segment: &[u8]) -> Vec<usize> {
    let begins = segment.windows(8).enumerate().filter(|(_, it)| it == b"\xf5TELBLK\n");
    begins.map(|(at, _)| at).collect()
}

fn readable(store: &dyn EventStore) -> Vec<Event> {
    store.query(&Query::all()).unwrap().filter_map(Result::ok).collect()
}

#[test]
fn what_can_be_read_of_a_damaged_segment_stays() {
    for (name, compacted) in
        [("segments/00000002.seg", false), ("segments/00000001-00000003.seg", true)]
    {
        let directory = tempfile::tempdir().unwrap();
        let whole = events(9000);
        store_of(directory.path(), &whole, compacted);
        let path = directory.path().join(name);
        let mut bytes = fs::read(&path).unwrap();
        let last = blocks(&bytes).len() - 2;
        let middle = blocks(&bytes)[last] + 200;
        bytes[middle] ^= 4;
        fs::write(&path, &bytes).unwrap();

        let store = SegmentStore::open(&config(directory.path())).unwrap();
        let kept = readable(&store);
        let lost = whole.len() - kept.len();
        assert!(lost > 0 && lost <= 4096, "{lost} events of one block are lost");
        let report = store.quarantine(&mut nothing).unwrap();
        assert_eq!(report.folder.as_deref(), Some("quarantine/0001"));
        let file = &report.files[0];
        assert_eq!((report.files.len(), file.file.as_str()), (1, name));
        assert_eq!(file.lost, Some(lost as u64));
        assert!(!file.damage.is_empty() && file.damage.iter().all(|it| it.file == name));
        let moved = directory.path().join(file.moved_to.as_ref().unwrap());
        assert!(fs::read(moved).unwrap() == bytes, "the file as it was is kept");
        let told = fs::read(directory.path().join("quarantine/0001/report.json")).unwrap();
        assert_eq!(serde_json::from_slice::<QuarantineReport>(&told).unwrap(), report);

        let check = |store: &SegmentStore| {
            assert!(all(store) == kept, "the same events, no error");
            let report = store.verify(VerifyLevel::Deep, &mut nothing).unwrap();
            assert_eq!((report.damage, report.events), (vec![], kept.len() as u64));
            assert!(report.notes[0].contains("taken out of use 1 times"), "{:?}", report.notes);
        };
        check(&store);
        check(&SegmentStore::open_read_only(directory.path()).unwrap());
        assert_eq!(store.quarantine(&mut nothing).unwrap(), QuarantineReport::default());
        drop(store);
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert!(store.recovery().is_clean());
        check(&store);
        // Whoever still has the lost events can store them again.
        assert_eq!(store.append(&whole).unwrap().stored, lost as u64);
        assert_eq!(all(&store).len(), whole.len());
    }
}

#[test]
fn a_missing_segment_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let whole = events(900);
    store_of(directory.path(), &whole, false);
    fs::remove_file(directory.path().join("segments/00000002.seg")).unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    assert!(!store.recovery().is_clean());
    let report = store.quarantine(&mut nothing).unwrap();
    assert_eq!((report.files[0].lost, report.files[0].moved_to.as_ref()), (Some(300), None));
    assert_eq!(all(&store).len(), 600);
    drop(store);
    assert!(SegmentStore::open(&config(directory.path())).unwrap().recovery().is_clean());
}

#[test]
fn bad_lines_are_taken_out() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { backend: Backend::Json, ..config(directory.path()) };
    let store = JsonStore::open(&config).unwrap();
    let whole = events(40);
    store.append(&whole).unwrap();
    drop(store);
    let day = format!("events/{}.jsonl", whole[0].timestamp.day());
    let mut text = fs::read(directory.path().join(&day)).unwrap();
    let lines = text.iter().filter(|it| **it == b'\n').count();
    text[3] = 0xff;
    fs::write(directory.path().join(&day), &text).unwrap();
    let store = JsonStore::open(&config).unwrap();
    let report = store.quarantine(&mut nothing).unwrap();
    let file = &report.files[0];
    assert_eq!((&file.file, file.kept, file.lost), (&day, lines as u64 - 1, Some(1)));
    assert!(fs::read(directory.path().join(file.moved_to.as_ref().unwrap())).unwrap() == text);
    assert_eq!(all(&store).len(), 39);
    assert!(store.verify(VerifyLevel::Deep, &mut nothing).unwrap().is_clean());
    drop(store);
    let store = JsonStore::open(&config).unwrap();
    assert_eq!(store.append(&whole).unwrap().stored, 1);
    assert!(all(&store).len() == 40);
}

/// Whenever power is lost while a segment is taken out of use, what could be read can be read.
#[test]
fn power_may_be_lost_while_damage_is_taken_out_of_use() {
    let root = Path::new("/simulated");
    let path = root.join("store");
    let whole = events(90);
    let open = |disk: &SimDisk| SegmentStore::open_on(Arc::new(disk.clone()), &config(&path));
    for compacted in [false, true] {
        let disk = SimDisk::new(root, 3);
        for part in whole.chunks(30) {
            let store = open(&disk).unwrap();
            for batch in part.chunks(10) {
                store.append(batch).unwrap();
            }
        }
        if compacted {
            open(&disk).unwrap().compact(&mut nothing).unwrap();
        }
        let (name, length) = disk
            .files()
            .into_iter()
            .rfind(|(it, _)| it.ends_with("00000002.seg"))
            .or_else(|| {
                disk.files().into_iter().find(|(it, _)| it.ends_with("00000001-00000003.seg"))
            })
            .unwrap();
        disk.flip(&name, length * 8 / 3);
        let store = open(&disk).unwrap();
        let keys = |events: &[Event]| -> BTreeSet<Option<u64>> {
            events.iter().map(|event| event.sequence).collect()
        };
        let kept = keys(&readable(&store));
        disk.watch();
        store.quarantine(&mut nothing).unwrap();
        for moment in disk.moments() {
            for loss in Loss::ALL {
                let after = SimDisk::after(&moment, loss, moment.call);
                let store = open(&after).unwrap();
                let place = format!("compacted {compacted}, call {}, {loss:?}", moment.call);
                assert_eq!(keys(&readable(&store)), kept, "{place}");
                // Done again, it ends as it should have.
                store.quarantine(&mut nothing).unwrap();
                assert_eq!(keys(&all(&store)), kept, "{place}");
                let report = store.verify(VerifyLevel::Deep, &mut nothing).unwrap();
                assert_eq!(report.damage, vec![], "{place}");
            }
        }
    }
}

#[test]
fn a_lost_manifest_is_made_anew() {
    for (compacted, manifest) in [(false, None), (true, None), (true, Some("{\"format\": \"tele"))]
    {
        let directory = tempfile::tempdir().unwrap();
        let whole = events(900);
        store_of(directory.path(), &whole, compacted);
        let marker = directory.path().join(MANIFEST);
        let before = fs::read_to_string(&marker).unwrap();
        let expected = all(&SegmentStore::open_read_only(directory.path()).unwrap());
        match manifest {
            Some(text) => fs::write(&marker, text).unwrap(),
            None => fs::remove_file(&marker).unwrap(),
        }
        for error in [
            SegmentStore::open(&config(directory.path())).unwrap_err(),
            SegmentStore::open_read_only(directory.path()).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("telemetry store rebuild"), "{error}");
        }
        let report = rebuild(directory.path(), &mut nothing).unwrap();
        assert_eq!((report.events, &report.damage), (900, &vec![]));
        assert_eq!(fs::read_to_string(&marker).unwrap(), before, "the manifest as it was");
        assert_eq!(report.kept.is_some(), manifest.is_some());
        if let (Some(kept), Some(text)) = (&report.kept, manifest) {
            assert_eq!(fs::read_to_string(directory.path().join(kept)).unwrap(), text);
        }
        assert!(all(&SegmentStore::open_read_only(directory.path()).unwrap()) == expected);
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert!(store.recovery().is_clean());
        assert_eq!(store.append(&whole).unwrap().duplicates, 900);
        assert!(store.verify(VerifyLevel::Deep, &mut nothing).unwrap().is_clean());
    }
}

/// Logs and the sorted segment made of them are there, as an interrupted compaction leaves them.
#[test]
fn of_two_files_that_hold_the_same_the_sound_one_counts() {
    for damaged in ["", "segments/00000001-00000003.seg", "segments/00000002.seg"] {
        let directory = tempfile::tempdir().unwrap();
        let (one, other) = (directory.path().join("one"), directory.path().join("other"));
        let whole = events(900);
        store_of(&one, &whole, false);
        store_of(&other, &whole, true);
        let sorted = "segments/00000001-00000003.seg";
        fs::copy(other.join(sorted), one.join(sorted)).unwrap();
        if !damaged.is_empty() {
            let mut bytes = fs::read(one.join(damaged)).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            fs::write(one.join(damaged), bytes).unwrap();
        }
        fs::remove_file(one.join(MANIFEST)).unwrap();
        let report = rebuild(&one, &mut nothing).unwrap();
        assert_eq!((report.events, report.damage), (900, vec![]), "{damaged}");
        let sorted_replaced = report.replaced == [sorted];
        assert_eq!(sorted_replaced, damaged == sorted, "{:?}", report.replaced);
        let store = SegmentStore::open(&config(&one)).unwrap();
        assert_eq!(all(&store).len(), 900);
        assert_eq!(store.append(&whole).unwrap().duplicates, 900);
    }
}

#[test]
fn what_a_killed_writer_left_open_is_recovered_after_the_rebuilding() {
    let root = Path::new("/simulated");
    let path = root.join("store");
    let disk = SimDisk::new(root, 3);
    let store = SegmentStore::open_on(Arc::new(disk.clone()), &config(&path)).unwrap();
    store.append(&events(30)).unwrap();
    let directory = tempfile::tempdir().unwrap();
    for (file, _) in disk.files() {
        let to = directory.path().join(file.strip_prefix(&path).unwrap());
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(to, disk.read(&file).unwrap()).unwrap();
    }
    fs::remove_file(directory.path().join(MANIFEST)).unwrap();
    let report = rebuild(directory.path(), &mut nothing).unwrap();
    assert_eq!((report.files, report.damage), (0, vec![]));
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    assert_eq!(all(&store).len(), 30);
    // Not while somebody writes.
    let error = rebuild(directory.path(), &mut nothing).unwrap_err();
    assert!(error.to_string().contains("already writes"), "{error}");
}

#[test]
fn nothing_is_made_anew_where_it_should_not_be() {
    let directory = tempfile::tempdir().unwrap();
    let kind = |path: &Path| rebuild(path, &mut nothing).unwrap_err().kind();
    assert_eq!(kind(&directory.path().join("nowhere")), ErrorKind::NotFound);
    fs::write(directory.path().join("thesis.txt"), "ten years").unwrap();
    assert_eq!(kind(directory.path()), ErrorKind::Invalid);
    let store = directory.path().join("store");
    store_of(&store, &events(9), false);
    let future = r#"{"format":"telemetry-store","version":9,"backend":"segment","shards":[]}"#;
    fs::write(store.join(MANIFEST), future).unwrap();
    assert_eq!(kind(&store), ErrorKind::Unsupported);
    assert_eq!(fs::read_to_string(store.join(MANIFEST)).unwrap(), future);
}

/// A segment of a later version is reported and left alone; the others are read and written.
#[test]
fn a_segment_from_the_future_hides_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let whole = events(90);
    store_of(directory.path(), &whole, false);
    let mut header = b"\x89TELSEG\n".to_vec();
    header.extend(9u32.to_le_bytes());
    header.extend(4u64.to_le_bytes());
    header.extend(crc32c::crc32c(&header).to_le_bytes());
    header.extend(b"what nobody can read yet".repeat(4));
    let path = directory.path().join("segments/00000004.seg");
    fs::write(&path, &header).unwrap();
    let check = |store: &SegmentStore| {
        let (found, errors): (Vec<_>, Vec<_>) =
            store.query(&Query::all()).unwrap().partition(Result::is_ok);
        assert_eq!(found.len(), 90);
        let error = errors.into_iter().next().unwrap().unwrap_err().to_string();
        assert!(error.contains("00000004.seg") && error.contains("newer version"), "{error}");
        let report = store.verify(VerifyLevel::Deep, &mut nothing).unwrap();
        assert_eq!(report.damage.len(), 1, "{:?}", report.damage);
        assert!(report.damage[0].what.contains("newer version"));
        assert!(!store.stats().unwrap().damage.is_empty());
    };
    check(&SegmentStore::open_read_only(directory.path()).unwrap());
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    check(&store);
    assert_eq!(store.append(&whole).unwrap().duplicates, 90);
    store.compact(&mut nothing).unwrap();
    assert_eq!(store.quarantine(&mut nothing).unwrap(), QuarantineReport::default());
    drop(store);
    rebuild(directory.path(), &mut nothing).unwrap();
    check(&SegmentStore::open(&config(directory.path())).unwrap());
    assert!(fs::read(&path).unwrap() == header, "not a byte was changed");
}

/// A file that only has the name of a segment is set aside, whole.
#[test]
fn garbage_with_the_name_of_a_segment_is_set_aside() {
    let directory = tempfile::tempdir().unwrap();
    store_of(directory.path(), &events(90), false);
    let garbage = "no segment at all ".repeat(9);
    fs::write(directory.path().join("segments/00000004.seg"), &garbage).unwrap();
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    let torn = &store.recovery().torn[0];
    assert_eq!((torn.offset, torn.bytes), (0, garbage.len() as u64));
    assert_eq!(fs::read_to_string(directory.path().join(&torn.saved_as)).unwrap(), garbage);
    assert_eq!(all(&store).len(), 90);
    assert!(store.verify(VerifyLevel::Deep, &mut nothing).unwrap().is_clean());
}

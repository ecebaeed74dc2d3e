use crate::disk::TestDisk;
use crate::{all, events};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use telemetry_interfaces::{
    Code, Error, EventStore, Ledger, Maintenance, Query, SelectorPattern, StoreStats, VerifyLevel,
};
use telemetry_models::Event;
use telemetry_storage::{SegmentStore, StorageConfig};
use telemetry_testkit::arbitrary_event;

const SEGMENT: &str = "segments/00000001.seg";
const SORTED: &str = "segments/00000001-00000001.seg";

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Everything a reader can ask, or that there was an error.
#[derive(Debug, PartialEq)]
struct Answers {
    events: Vec<Event>,
    some: Vec<Event>,
    ledgers: Vec<Ledger>,
    stats: StoreStats,
}

fn ask(store: &SegmentStore) -> Result<Answers, Error> {
    let some = Query { selector: Some(SelectorPattern::new("*title*").unwrap()), ..Query::all() };
    Ok(Answers {
        events: store.query(&Query::all())?.collect::<Result<_, _>>()?,
        some: store.query(&some)?.collect::<Result<_, _>>()?,
        ledgers: store.ledgers()?,
        stats: store.stats()?,
    })
}

fn damaged(store: &SegmentStore) -> bool {
    !store.verify(VerifyLevel::Deep, &mut |_, _| {}).is_ok_and(|report| report.is_clean())
}

fn ledger() -> Ledger {
    Ledger {
        run: None,
        producer: None,
        at: events(1)[0].timestamp,
        recorded: 3,
        stored: 3,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    }
}

/// Where blocks begin.
fn blocks(segment: &[u8]) -> Vec<usize> {
    let begins = segment.windows(8).enumerate().filter(|(_, it)| it == b"\xf5TELBLK\n");
    begins.map(|(at, _)| at).collect()
}

/// A small store of several blocks; left as a killed writer leaves it, or closed.
fn small_store(path: &Path, closed: bool) {
    let inner = path.with_extension("live");
    let store = SegmentStore::open(&StorageConfig::at(&inner)).unwrap();
    for batch in events(21).chunks(7) {
        store.append(batch).unwrap();
    }
    store.append_ledger(&ledger()).unwrap();
    if closed {
        store.close().unwrap();
    }
    copy(&inner, path);
}

/// Flips one bit in every byte of every file, and asks: the answer is the same, or there is an
/// error; and where the answers are the same, verify may still object, never the other way round.
fn flips(closed: bool, compacted: bool) {
    let directory = tempfile::tempdir().unwrap();
    let store = directory.path().join("store");
    small_store(&store, closed);
    if compacted {
        compact(&store);
    }
    let segment = if compacted { SORTED } else { SEGMENT };
    let expected = ask(&SegmentStore::open_read_only(&store).unwrap());
    let expected = expected.unwrap();
    let mut rng = fastrand::Rng::with_seed(11);
    let mut silent = 0;
    for file in [segment, "telemetry-store.json", "telemetry-store.summaries"] {
        let path = store.join(file);
        // Of what is not sealed nothing is remembered.
        let Ok(original) = fs::read(&path) else {
            assert!(!closed && file != segment, "{file}");
            continue;
        };
        for at in 0..original.len() {
            let mut bytes = original.clone();
            bytes[at] ^= 1 << rng.u8(..8);
            fs::write(&path, &bytes).unwrap();
            let Ok(reader) = SegmentStore::open_read_only(&store) else { continue };
            match ask(&reader) {
                Err(error) => {
                    assert!(damaged(&reader), "{file} byte {at}: {error}, but verify is clean");
                }
                Ok(answers) => {
                    assert!(answers == expected, "{file} byte {at} changed an answer silently");
                    silent += u64::from(file == "telemetry-store.json" && !damaged(&reader));
                    assert!(
                        file != segment || damaged(&reader),
                        "{file} byte {at}: verify found nothing"
                    );
                }
            }
        }
        fs::write(&path, &original).unwrap();
    }
    assert!(silent < 200, "{silent} flips of the manifest went unnoticed");
}

#[test]
fn a_flipped_bit_in_a_sealed_store_is_found_or_harmless() {
    flips(true, false);
}

#[test]
fn a_flipped_bit_in_an_unsealed_store_is_found_or_harmless() {
    flips(false, false);
}

#[test]
fn a_flipped_bit_in_a_compacted_store_is_found_or_harmless() {
    flips(true, true);
}

fn compact(store: &Path) {
    let writer = SegmentStore::open(&StorageConfig::at(store)).unwrap();
    assert_eq!(writer.compact(&mut |_, _| {}).unwrap().made, 1);
}

/// Cut anywhere, a store gives back whole blocks from the beginning, and the rest is set aside.
#[test]
fn truncated_anywhere_the_blocks_before_survive() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("store");
    small_store(&original, false);
    let bytes = fs::read(original.join(SEGMENT)).unwrap();
    let whole = all(&SegmentStore::open_read_only(&original).unwrap());
    let mut lengths = std::collections::BTreeSet::new();
    let last = blocks(&bytes)[2];
    for length in (0..last).step_by(5).chain(last..=bytes.len()) {
        let store = directory.path().join("cut");
        let _ = fs::remove_dir_all(&store);
        copy(&original, &store);
        fs::write(store.join(SEGMENT), &bytes[..length]).unwrap();
        let writer =
            SegmentStore::open_on(TestDisk::without_sync(), &StorageConfig::at(&store)).unwrap();
        let found = all(&writer);
        assert_eq!(found, whole[..found.len()], "cut at {length}");
        lengths.insert(found.len());
        let recovery = writer.recovery();
        assert_eq!(recovery.damage, []);
        let kept = recovery.torn.first().map_or(length, |torn| {
            let aside = fs::read(store.join(&torn.saved_as)).unwrap();
            assert_eq!(aside, bytes[torn.offset as usize..length]);
            assert_eq!(aside.len() as u64, torn.bytes);
            torn.offset as usize
        });
        if kept > 24 {
            assert_eq!(fs::read(store.join(SEGMENT)).unwrap()[..kept], bytes[..kept]);
        }
        let more = writer.append(&whole).unwrap();
        assert_eq!(more.stored as usize, whole.len() - found.len());
        assert_eq!(all(&writer), whole);
        let report = writer.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, []);
        assert_eq!(report.notes.len(), recovery.torn.len(), "{:?}", report.notes);
        for (note, torn) in report.notes.iter().zip(&recovery.torn) {
            assert!(note.contains(&format!("{} bytes", torn.bytes)), "{note}");
        }
        let torn: u64 = recovery.torn.iter().map(|it| it.bytes).sum();
        assert_eq!(writer.recovered().torn_bytes(), torn);
    }
    assert_eq!(lengths.into_iter().collect::<Vec<_>>(), [0, 7, 14, 21]);
}

/// A sealed segment knows its length: cut at any place, also between blocks, it says what is lost.
#[test]
fn a_truncated_sealed_segment_names_file_and_offset() {
    let directory = tempfile::tempdir().unwrap();
    let original = directory.path().join("store");
    small_store(&original, true);
    let bytes = fs::read(original.join(SEGMENT)).unwrap();
    let whole = all(&SegmentStore::open_read_only(&original).unwrap());
    let footer = blocks(&bytes)[4];
    for length in (0..bytes.len()).step_by(13) {
        fs::write(original.join(SEGMENT), &bytes[..length]).unwrap();
        let reader = SegmentStore::open_read_only(&original).unwrap();
        let (found, errors): (Vec<_>, Vec<_>) =
            reader.query(&Query::all()).unwrap().partition(Result::is_ok);
        let found: Vec<Event> = found.into_iter().map(Result::unwrap).collect();
        assert_eq!(found, whole[..found.len()]);
        assert_eq!(errors.is_empty(), length >= footer, "cut at {length}");
        let stats = reader.stats().unwrap();
        assert_eq!(stats.damage.is_empty(), length >= footer, "cut at {length}");
        assert!(stats.damage.iter().all(|it| it.file == SEGMENT && it.offset <= length as u64));
        for error in errors.into_iter().map(Result::unwrap_err) {
            assert_eq!(error.code(), Code::Corruption);
            let text = error.to_string();
            assert!(text.contains(SEGMENT) && text.contains("offset"), "{text}");
        }
        assert!(damaged(&reader));
        drop(reader);
        if length % 4 > 0 {
            continue;
        }
        let writer =
            SegmentStore::open_on(TestDisk::without_sync(), &StorageConfig::at(&original)).unwrap();
        assert_eq!(fs::read(original.join(SEGMENT)).unwrap().len(), length, "nothing was changed");
        assert!(!writer.recovery().is_clean());
    }
    fs::write(original.join(SEGMENT), &bytes).unwrap();
    assert_eq!(all(&SegmentStore::open_read_only(&original).unwrap()), whole);
    fs::remove_file(original.join(SEGMENT)).unwrap();
    let reader = SegmentStore::open_read_only(&original).unwrap();
    let error = reader.query(&Query::all()).unwrap().next().unwrap().unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

/// A damaged block in the middle costs that block, and is reported by everything that reads.
#[test]
fn a_damaged_block_costs_that_block() {
    for closed in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let store = directory.path().join("store");
        small_store(&store, closed);
        let whole = all(&SegmentStore::open_read_only(&store).unwrap());
        let mut bytes = fs::read(store.join(SEGMENT)).unwrap();
        let blocks = blocks(&bytes);
        bytes[blocks[1]..blocks[2]].fill(0);
        fs::write(store.join(SEGMENT), &bytes).unwrap();
        let check = |reader: &SegmentStore| {
            let (found, errors): (Vec<_>, Vec<_>) =
                reader.query(&Query::all()).unwrap().partition(Result::is_ok);
            let found: Vec<Event> = found.into_iter().map(Result::unwrap).collect();
            let expected: Vec<Event> = [&whole[..7], &whole[14..]].concat();
            assert_eq!(found, expected);
            let texts: Vec<String> =
                errors.into_iter().map(|error| error.unwrap_err().to_string()).collect();
            assert!(texts[0].contains(&format!("offset: {}", blocks[1])), "{texts:?}");
            assert!(damaged(reader));
        };
        check(&SegmentStore::open_read_only(&store).unwrap());
        let writer = SegmentStore::open(&StorageConfig::at(&store)).unwrap();
        assert_eq!(writer.recovery().damage.is_empty(), closed);
        check(&writer);
        drop(writer);
        check(&SegmentStore::open_read_only(&store).unwrap());
    }
}

/// Bytes that look like a block's beginning inside a body do not confuse recovery.
#[test]
fn a_magic_inside_a_text_is_no_block() {
    let directory = tempfile::tempdir().unwrap();
    let mut some = events(3);
    some[1].attributes.insert("magic".into(), "\u{f5}TELBLK\n".into());
    let store = SegmentStore::open(&StorageConfig::at(directory.path().join("a"))).unwrap();
    store.append(&some).unwrap();
    copy(&directory.path().join("a"), &directory.path().join("b"));
    let path = directory.path().join("b").join(SEGMENT);
    let mut bytes = fs::read(&path).unwrap();
    bytes.extend(b"\xf5TELBLK\n\xf5TELBLK\n");
    fs::write(&path, &bytes).unwrap();
    let again = SegmentStore::open(&StorageConfig::at(directory.path().join("b"))).unwrap();
    assert_eq!(again.recovery().torn[0].bytes, 16);
    assert_eq!(all(&again), some);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_events_come_back(batches in prop::collection::vec(prop::collection::vec(arbitrary_event(), 0..12), 1..5)) {
        let directory = tempfile::tempdir().unwrap();
        let config = StorageConfig { segment_bytes: 4096, ..StorageConfig::at(directory.path().join("s")) };
        let store = SegmentStore::open(&config).unwrap();
        let mut expected = Vec::new();
        for batch in &batches {
            prop_assert_eq!(store.append(batch).unwrap().stored, batch.len() as u64);
            expected.extend(batch.iter().cloned());
        }
        expected.sort_by_key(|event| event.timestamp);
        prop_assert_eq!(&all(&store), &expected);
        drop(store);
        let reader = SegmentStore::open_read_only(&config.path).unwrap();
        prop_assert_eq!(&all(&reader), &expected);
        let report = reader.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        prop_assert_eq!(report.damage, vec![]);
        prop_assert_eq!(report.events, expected.len() as u64);
    }
}

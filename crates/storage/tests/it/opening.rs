//! Opening reads what is remembered of sealed segments, and not the segments.

use crate::disk::TestDisk;
use crate::{all, events};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use telemetry_interfaces::{
    Error, EventStore, Ledger, Maintenance, Query, StoreStats, VerifyLevel,
};
use telemetry_models::Event;
use telemetry_storage::disk::{Disk, DiskFile, Locking, OpenMode, OsDisk};
use telemetry_storage::{SegmentStore, StorageConfig};

const SUMMARIES: &str = "telemetry-store.summaries";
const SEGMENTS: usize = 6;
const EACH: usize = 40;

/// Remembers which files were read, and how many were open.
#[derive(Clone, Debug, Default)]
struct Watching(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    read: BTreeSet<String>,
    open: usize,
    most_open: usize,
}

#[derive(Debug)]
struct Watched(Watching, PathBuf, Arc<dyn DiskFile>);

impl Watching {
    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Segments that were read since somebody asked.
    fn segments(&self) -> Vec<String> {
        let read = std::mem::take(&mut self.0.lock().unwrap().read);
        read.into_iter().filter(|it| it.ends_with(".seg")).collect()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.0.lock().unwrap().open -= 1;
    }
}

impl Disk for Watching {
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        OsDisk.list(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = OsDisk.open(path, mode)?;
        let mut seen = self.0.lock().unwrap();
        seen.open += 1;
        seen.most_open = seen.most_open.max(seen.open);
        Ok(Arc::new(Watched(self.clone(), path.to_owned(), file)))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        OsDisk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        OsDisk.remove(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        OsDisk.sync_dir(path)
    }
    fn lock(&self, path: &Path, holder: &str) -> io::Result<Locking> {
        OsDisk.lock(path, holder)
    }
    fn is_locked(&self, path: &Path) -> io::Result<bool> {
        OsDisk.is_locked(path)
    }
}

impl DiskFile for Watched {
    fn size(&self) -> io::Result<u64> {
        self.2.size()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let name = self.1.file_name().unwrap().to_string_lossy().into_owned();
        self.0.0.lock().unwrap().read.insert(name);
        self.2.read_at(buffer, offset)
    }
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.2.append(bytes)
    }
    fn truncate(&self, length: u64) -> io::Result<()> {
        self.2.truncate(length)
    }
    fn sync(&self) -> io::Result<()> {
        self.2.sync()
    }
}

fn config(path: &Path) -> StorageConfig {
    StorageConfig { compact_in_background: false, ..StorageConfig::at(path) }
}

fn ledger(stored: u64) -> Ledger {
    let event = &events(1)[0];
    Ledger {
        run: event.run.clone(),
        producer: event.producer.clone(),
        at: event.timestamp,
        recorded: stored,
        stored,
        spooled: 0,
        in_flight: 0,
        dropped: Default::default(),
    }
}

/// Sealed segments of so many events, each later than the one before.
fn store_of(path: &Path) -> Vec<Event> {
    let whole = events((SEGMENTS * EACH) as u64);
    for (at, part) in whole.chunks(EACH).enumerate() {
        let store = SegmentStore::open(&config(path)).unwrap();
        store.append(part).unwrap();
        store.append_ledger(&ledger(at as u64)).unwrap();
        store.close().unwrap();
    }
    whole
}

fn segment(path: &Path, number: usize) -> PathBuf {
    path.join(format!("segments/{number:08}.seg"))
}

fn answers(store: &SegmentStore) -> Result<(Vec<Event>, Vec<Ledger>, StoreStats), Error> {
    let events = store.query(&Query::all())?.collect::<Result<_, _>>()?;
    Ok((events, store.ledgers()?, store.stats()?))
}

#[test]
fn only_what_a_query_needs_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let whole = store_of(directory.path());
    let watching = Watching::default();
    let open: [&dyn Fn() -> SegmentStore; 2] =
        [&|| SegmentStore::open_on(watching.disk(), &config(directory.path())).unwrap(), &|| {
            SegmentStore::open_read_only_on(watching.disk(), directory.path()).unwrap()
        }];
    for open in open {
        let store = open();
        let stats = store.stats().unwrap();
        assert_eq!((stats.events as usize, stats.files as usize), (whole.len(), SEGMENTS));
        assert_eq!(store.ledgers().unwrap(), [ledger(SEGMENTS as u64 - 1)]);
        assert_eq!(watching.segments(), [""; 0], "nothing is asked of a segment's events");
        let third = &whole[2 * EACH..3 * EACH];
        let times = third.iter().map(|it| it.timestamp);
        let (from, to) = (times.clone().min(), times.max());
        let query = Query { from, to, ..Query::all() };
        assert!(store.query(&query).unwrap().map(Result::unwrap).eq(third[..EACH - 1].to_vec()));
        assert_eq!(watching.segments(), ["00000003.seg"]);
        assert_eq!(all(&store), whole);
        assert_eq!(watching.segments().len(), SEGMENTS);
    }
    // Whoever sends something again is known, and what he sent is looked up then.
    let store = open[0]();
    assert_eq!(store.append(&whole[EACH..3 * EACH]).unwrap().duplicates as usize, 2 * EACH);
    assert!(!watching.segments().is_empty());
    assert_eq!(store.append(&whole).unwrap().duplicates as usize, whole.len());
    assert!(watching.segments().is_empty(), "once");
}

/// A process may have a thousand files open, and a store more segments.
#[test]
fn a_query_over_many_segments_has_some_of_them_open() {
    let directory = tempfile::tempdir().unwrap();
    let config = StorageConfig { segment_bytes: 4096, ..config(directory.path()) };
    let store = SegmentStore::open_on(TestDisk::without_sync(), &config).unwrap();
    let whole = events(15_000);
    for batch in whole.chunks(30) {
        store.append(batch).unwrap();
    }
    drop(store);
    assert!(fs::read_dir(directory.path().join("segments")).unwrap().count() > 450);
    let watching = Watching::default();
    let reader = SegmentStore::open_read_only_on(watching.disk(), directory.path()).unwrap();
    assert_eq!(all(&reader), whole);
    let most = watching.0.lock().unwrap().most_open;
    assert!(most < 350, "{most} files open at once");
}

#[test]
fn without_what_is_remembered_the_answers_are_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let whole = store_of(directory.path());
    let summaries = directory.path().join(SUMMARIES);
    let expected = answers(&SegmentStore::open_read_only(directory.path()).unwrap()).unwrap();
    assert_eq!(expected.0, whole);
    let remembered = fs::read(&summaries).unwrap();
    let other = directory.path().join("other");
    store_of(&other);
    let foreign = fs::read(other.join(SUMMARIES)).unwrap();
    fs::remove_dir_all(&other).unwrap();
    let cases: [Option<Vec<u8>>; 6] = [
        None,
        Some(Vec::new()),
        Some(remembered[..remembered.len() / 2].to_vec()),
        Some([&b"garbage"[..], &remembered].concat()),
        Some(remembered.repeat(3)),
        Some([foreign, remembered.clone()].concat()),
    ];
    for (at, case) in cases.into_iter().enumerate() {
        match &case {
            Some(bytes) => fs::write(&summaries, bytes).unwrap(),
            None => fs::remove_file(&summaries).unwrap(),
        }
        let reader = SegmentStore::open_read_only(directory.path()).unwrap();
        assert!(answers(&reader).unwrap() == expected, "case {at}");
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert!(store.recovery().is_clean(), "case {at}");
        assert!(answers(&store).unwrap() == expected, "case {at}");
        assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
        assert_eq!(store.append(&whole).unwrap().duplicates as usize, whole.len(), "case {at}");
        drop(store);
        let watching = Watching::default();
        drop(SegmentStore::open_on(watching.disk(), &config(directory.path())).unwrap());
        assert_eq!(watching.segments(), [""; 0], "case {at}: remembered again");
    }
}

/// What is wrong with a segment is said at the opening or, at the latest, by whatever reads it.
#[test]
fn damage_is_found_at_first_use() {
    let directory = tempfile::tempdir().unwrap();
    let whole = store_of(directory.path());
    let path = segment(directory.path(), 3);
    let bytes = fs::read(&path).unwrap();
    let other = directory.path().join("other");
    let mut others = events((SEGMENTS * EACH) as u64);
    others.iter_mut().for_each(|event| event.quality.elements_found = Some(77));
    for part in others.chunks(EACH) {
        let store = SegmentStore::open(&config(&other)).unwrap();
        store.append(part).unwrap();
        store.append_ledger(&ledger(0)).unwrap();
        store.close().unwrap();
    }
    let mut foreign = fs::read(segment(&other, 3)).unwrap();
    fs::remove_dir_all(&other).unwrap();
    // Of the same length: bytes after the end are no part of it.
    let flipped = |at: usize| {
        let mut bytes = bytes.clone();
        bytes[at] ^= 1;
        bytes
    };
    foreign.resize(bytes.len().max(foreign.len()), 0);
    let cases: [(&str, Option<Vec<u8>>, bool); 5] = [
        ("missing", None, true),
        ("shorter", Some(bytes[..bytes.len() / 2].to_vec()), true),
        ("a block", Some(flipped(bytes.len() / 4)), false),
        ("the whole file", Some(vec![0; bytes.len()]), false),
        ("another segment", Some(foreign), false),
    ];
    for (what, case, at_opening) in cases {
        match &case {
            Some(bytes) => fs::write(&path, bytes).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert!(at_opening <= !store.recovery().is_clean(), "{what}: {:?}", store.recovery());
        let reader = SegmentStore::open_read_only(directory.path()).unwrap();
        for store in [&store, &reader] {
            let (found, errors): (Vec<_>, Vec<_>) =
                store.query(&Query::all()).unwrap().partition(Result::is_ok);
            let found: Vec<Event> = found.into_iter().map(Result::unwrap).collect();
            let name = "00000003.seg";
            assert!(errors.iter().all(|it| it.as_ref().unwrap_err().to_string().contains(name)));
            assert!(!errors.is_empty(), "{what}: {} events", found.len());
            let kept = whole.iter().filter(|it| found.contains(it)).count();
            assert!(kept >= whole.len() - EACH, "{what}: {kept} events");
            let damage = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap().damage;
            assert!(!damage.is_empty(), "{what}");
        }
        drop(store);
        fs::write(&path, &bytes).unwrap();
        let store = SegmentStore::open(&config(directory.path())).unwrap();
        assert_eq!(all(&store), whole, "{what}");
    }
}

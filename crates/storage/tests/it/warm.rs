//! The warm tier: events in Parquet files, seen as one with the others, and by other engines.

use crate::{all, events};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use telemetry_interfaces::{Code, EventStore, Maintenance, Parts, Query, VerifyLevel};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::{SegmentStore, StorageConfig, open, open_existing_read_only};
use telemetry_testkit::conformance::{Harness, event_store};

fn config(path: &Path) -> StorageConfig {
    StorageConfig { compact_in_background: false, ..StorageConfig::at(path) }
}

/// A store all of whose events are in Parquet files.
fn warm(path: &Path, some: &[Event]) -> SegmentStore {
    let store = SegmentStore::open(&config(path)).unwrap();
    for batch in some.chunks(500) {
        store.append(batch).unwrap();
    }
    store.close().unwrap();
    drop(store);
    let store = SegmentStore::open(&config(path)).unwrap();
    store.compact(&mut |_, _| {}).unwrap();
    let report = store.convert(None, &mut |_, _| {}).unwrap();
    assert_eq!((report.events, report.damaged), (some.len() as u64, 0));
    store
}

fn parquet_files(store: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for day in fs::read_dir(store.join("parquet")).unwrap() {
        let day = day.unwrap().path();
        assert!(day.file_name().unwrap().to_str().unwrap().starts_with("date=20"));
        files.extend(fs::read_dir(day).unwrap().map(|it| it.unwrap().path()));
    }
    files.sort();
    files
}

/// What was appended is converted each time the store is opened.
#[test]
fn conformance() {
    event_store(&|| {
        let directory = Rc::new(tempfile::tempdir().unwrap());
        let path = directory.path().join("store");
        let config = StorageConfig { segment_bytes: 16 << 10, ..config(&path) };
        Harness {
            open: Box::new(move || {
                let _kept = &directory;
                let store = open(&config).unwrap();
                store.compact(&mut |_, _| {}).unwrap();
                store.convert(None, &mut |_, _| {}).unwrap();
                store
            }),
            open_reader: Some(Box::new(move || open_existing_read_only(&path).unwrap())),
        }
    });
}

#[test]
fn hot_and_warm_are_seen_as_one() {
    let directory = tempfile::tempdir().unwrap();
    let some = events(3000);
    let store = warm(directory.path(), &some[..2000]);
    assert_eq!(store.append(&some[1900..]).unwrap().duplicates, 100);
    assert_eq!(all(&store), all_sorted(&some));
    let tiers: Vec<_> =
        store.stats().unwrap().tiers.into_iter().map(|it| (it.tier, it.events)).collect();
    assert_eq!(tiers, [("log".to_owned(), 1000), ("parquet".to_owned(), 2000)]);
    for query in [
        Query { event: Some(some[700].id.clone()), ..Query::all() },
        Query { correlation: some[800].correlation_id.clone(), ..Query::all() },
        Query { parts: Parts::TIMING, limit: Some(40), ..Query::all() },
    ] {
        let found: Vec<_> = store.query(&query).unwrap().map(Result::unwrap).collect();
        let mut expected = all_sorted(&some);
        expected.retain(|event| query.matches(event));
        expected.truncate(query.limit.unwrap_or(usize::MAX));
        expected.iter_mut().for_each(|event| query.parts.keep(event));
        assert_eq!(found, expected);
    }
    assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
    // Converted again: what is warm stays, what came since joins it.
    store.close().unwrap();
    drop(store);
    let store = SegmentStore::open(&config(directory.path())).unwrap();
    store.compact(&mut |_, _| {}).unwrap();
    let cutoff = Timestamp::from_nanos(0);
    assert_eq!(store.convert(Some(cutoff), &mut |_, _| {}).unwrap().replaced, 0);
    assert_eq!(store.convert(None, &mut |_, _| {}).unwrap().events, 1000);
    assert_eq!(all(&*open_existing_read_only(directory.path()).unwrap()), all_sorted(&some));
    let left = fs::read_dir(directory.path().join("segments")).unwrap();
    let names: Vec<_> = left.map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    assert!(names.iter().all(|name| name.ends_with("-warm.seg")), "{names:?}");
}

fn all_sorted(some: &[Event]) -> Vec<Event> {
    let mut sorted = some.to_vec();
    sorted.sort_by_key(|event| event.timestamp);
    sorted
}

#[test]
fn a_damaged_or_missing_file_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let store = warm(directory.path(), &events(900));
    let file = parquet_files(directory.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let name = file.file_name().unwrap().to_str().unwrap();
    let report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
    assert!(report.damage.iter().any(|it| it.what.contains(name)), "{report:?}");
    fs::remove_file(&file).unwrap();
    let errors: Vec<_> = store.query(&Query::all()).unwrap().filter_map(Result::err).collect();
    assert!(!errors.is_empty());
    assert!(errors.iter().all(|error| error.code() == Code::Corruption));
    assert!(!store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap().is_clean());
}

/// A Python with duckdb and pyarrow, in an environment of its own.
/// Of a Parquet file a damaged row group costs itself, damaged metadata the file; nothing is given that
/// was not written.
#[test]
fn a_damaged_row_group_costs_itself() {
    let directory = tempfile::tempdir().unwrap();
    let mut some = events(40_000);
    let day = some[0].timestamp;
    for (at, event) in some.iter_mut().enumerate() {
        event.timestamp = Timestamp::from_nanos(day.as_nanos() + at as i64 * 1_000);
    }
    let store = warm(directory.path(), &some);
    let [file] = &parquet_files(directory.path())[..] else { panic!("several days") };
    let sound = fs::read(file).unwrap();
    let mut costs = std::collections::BTreeSet::new();
    let length = sound.len();
    for at in [length / 100, length / 2, length * 9 / 10, length - 100] {
        let mut bytes = sound.clone();
        bytes[at] ^= 8;
        fs::write(file, &bytes).unwrap();
        let (found, errors): (Vec<_>, Vec<_>) =
            store.query(&Query::all()).unwrap().partition(Result::is_ok);
        let found: Vec<Event> = found.into_iter().map(Result::unwrap).collect();
        let mut known = some.iter();
        assert!(found.iter().all(|event| known.any(|it| it == event)), "byte {at}");
        assert!(!errors.is_empty(), "byte {at}");
        costs.insert(some.len() - found.len());
    }
    // Three row groups: 16,384, as many again, and the rest.
    assert_eq!(costs.into_iter().collect::<Vec<_>>(), [40_000 - 2 * 16_384, 16_384, 40_000]);
    let mut bytes = sound;
    let at = bytes.len() / 2;
    bytes[at] ^= 8;
    fs::write(file, &bytes).unwrap();
    let report = store.quarantine(&mut |_, _| {}).unwrap();
    assert_eq!((report.files[0].kept, report.files[0].lost), (40_000 - 16_384, Some(16_384)));
    assert_eq!(all(&store).len(), 40_000 - 16_384);
    assert!(store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
}

fn python() -> Option<PathBuf> {
    let environment = Path::new(env!("CARGO_TARGET_TMPDIR")).join("parquet-readers");
    let python = environment.join("bin/python");
    let has = |python: &Path| {
        let asked = Command::new(python).args(["-c", "import duckdb, pyarrow.parquet"]).output();
        asked.is_ok_and(|it| it.status.success())
    };
    if has(&python) {
        return Some(python);
    }
    let made = Command::new("python3").args(["-m", "venv"]).arg(&environment).output();
    let installed = made.is_ok_and(|it| it.status.success())
        && Command::new(&python)
            .args(["-m", "pip", "install", "--quiet", "duckdb", "pyarrow"])
            .status()
            .is_ok_and(|it| it.success());
    (installed && has(&python)).then_some(python)
}

const READERS: &str = r#"
import json, sys, duckdb, pyarrow.dataset
files = sys.argv[1] + "/parquet/*/*.parquet"
ask = lambda what: duckdb.sql(
    f"SELECT {what} FROM read_parquet('{files}', hive_partitioning = true)").fetchall()
table = pyarrow.dataset.dataset(sys.argv[1] + "/parquet", partitioning="hive").to_table()
times = sorted(table["total_ns"].to_pylist())
names = table["selector"].to_pylist()
print(json.dumps({
    "duckdb": {
        "ids": sorted(row[0] for row in ask("event_id")),
        "sum": int(ask("sum(total_ns)")[0][0]),
        "quantiles": [int(it) for it in ask("quantile_disc(total_ns, [0.0, 0.5, 0.9, 0.99, 1.0])")[0][0]],
        "selectors": dict(duckdb.sql(
            f"SELECT selector, count(*) FROM read_parquet('{files}') GROUP BY 1").fetchall()),
        "attempts": int(ask("sum(len(attempts))")[0][0]),
        "days": sorted(str(row[0]) for row in duckdb.sql(
            f"SELECT DISTINCT date FROM read_parquet('{files}', hive_partitioning = true)").fetchall()),
    },
    "pyarrow": {
        "ids": sorted(table["event_id"].to_pylist()),
        "sum": sum(times),
        "quantiles": [times[int(q * (len(times) - 1))] for q in (0.0, 0.5, 0.9, 0.99, 1.0)],
        "selectors": {name: names.count(name) for name in set(names)},
        "attempts": sum(len(it) for it in table["attempts"].to_pylist()),
        "days": sorted({str(it) for it in table["date"].to_pylist()}),
    },
}))
"#;

#[test]
fn duckdb_and_pyarrow_agree_on_counts_sums_quantiles_and_ids() {
    let Some(python) = python() else {
        assert!(std::env::var_os("CI").is_none(), "duckdb and pyarrow could not be installed");
        println!("skipped: duckdb and pyarrow could not be installed");
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    // So many that the ranks of the quantiles are whole numbers, whichever way they are counted.
    let some = events(2001);
    drop(warm(directory.path(), &some));
    let ran = Command::new(python).args(["-c", READERS]).arg(directory.path()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let answer: serde_json::Value = serde_json::from_slice(&ran.stdout).unwrap();
    let mut ids: Vec<String> = some.iter().map(|event| event.id.to_string()).collect();
    ids.sort();
    let mut times: Vec<u64> =
        some.iter().map(|event| event.timing.total.unwrap().as_nanos() as u64).collect();
    times.sort_unstable();
    let mut selectors = BTreeMap::<String, u64>::new();
    for event in &some {
        *selectors.entry(event.selector.to_string()).or_default() += 1;
    }
    let mut days: Vec<String> = some.iter().map(|event| event.timestamp.day()).collect();
    days.sort();
    days.dedup();
    let expected = serde_json::json!({
        "ids": ids,
        "sum": times.iter().sum::<u64>(),
        "quantiles": [times[0], times[1000], times[1800], times[1980], times[2000]],
        "selectors": selectors,
        "attempts": some.iter().map(|event| event.attempts.len()).sum::<usize>(),
        "days": days,
    });
    for reader in ["duckdb", "pyarrow"] {
        assert_eq!(answer[reader], expected, "{reader}");
    }
}

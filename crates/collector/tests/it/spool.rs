use crate::support::{Flaky, LIMIT, definition};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    Code, DropReason, EventSink, EventStore, HealthStatus, Ledger, OperationObserver, Query,
    SelectorObserver,
};
use telemetry_models::{Event, OperationKind, Outcome};

fn config(spool: &Path) -> CollectorConfig {
    CollectorConfig {
        batch_events: 10,
        backlog_events: 0,
        spool_dir: Some(spool.to_owned()),
        ..CollectorConfig::default()
    }
}

fn start(config: CollectorConfig, run: &str, store: &Arc<Flaky>) -> Collector {
    Collector::builder(config).run(run.parse().unwrap()).start(store.clone()).unwrap()
}

fn record(collector: &Collector, times: usize) {
    let selector = collector.selector(&definition("shop.price", &[]));
    for _ in 0..times {
        let mut span = collector.span("engine 1", selector, None, OperationKind::Resolution);
        span.attribute("note", "line\nbreak, \"quotes\" and é");
        span.finish(Outcome::Success);
    }
}

fn events(store: &Flaky) -> Vec<Event> {
    store.query(&Query::all()).unwrap().collect::<Result<_, _>>().unwrap()
}

/// In the order in which they were stored.
fn sequences(store: &Flaky, run: &str) -> Vec<u64> {
    let order = store.order.lock().unwrap();
    order.iter().filter(|(of, _)| of == run).map(|(_, sequence)| *sequence).collect()
}

fn files(spool: &Path) -> Vec<PathBuf> {
    let Ok(found) = fs::read_dir(spool) else { return Vec::new() };
    let mut files: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "jsonl"));
    files.sort();
    files
}

fn ledger_of(store: &Flaky, run: &str) -> Ledger {
    let ledgers = store.ledgers().unwrap();
    ledgers.into_iter().find(|it| it.run.as_ref().unwrap().as_str() == run).unwrap()
}

/// A run whose store is down from beginning to end.
fn spooled(config: CollectorConfig, run: &str, times: usize) {
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let collector = start(config, run, &store);
    record(&collector, times);
    let ledger = collector.shutdown(LIMIT).ledger;
    assert_eq!((ledger.spooled, ledger.balances()), (times as u64, true));
}

#[test]
fn events_wait_in_files_and_arrive_in_order_once() {
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let store = Arc::new(Flaky::default());
    let collector = start(config(&spool), "a", &store);
    record(&collector, 5);
    assert!(collector.flush(LIMIT).complete);
    assert!(!spool.exists(), "nothing is made while nothing waits");

    store.down.store(true, Ordering::SeqCst);
    record(&collector, 95);
    assert!(!collector.flush(LIMIT).complete);
    let ledger = collector.ledger();
    assert_eq!((ledger.stored, ledger.spooled, ledger.balances()), (5, 95, true));
    let health = collector.health();
    assert_eq!(
        (health.status, health.code),
        (HealthStatus::Degraded, Some(Code::StorageUnavailable))
    );
    let place = spool.display().to_string();
    assert!(
        health.message.contains("95 events wait") && health.message.contains(&place),
        "{health:?}"
    );

    store.down.store(false, Ordering::SeqCst);
    record(&collector, 10);
    assert!(collector.flush(LIMIT).complete);
    assert_eq!(sequences(&store, "a"), (0..110).collect::<Vec<_>>());
    assert_eq!(collector.health().status, HealthStatus::Healthy);
    assert_eq!(collector.ledger().stored, 110);
    let left: Vec<_> = fs::read_dir(&spool).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["LOCK"]);
}

#[test]
fn the_next_run_replays_first_and_settles_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    spooled(config(folder.path()), "first", 60);
    spooled(config(folder.path()), "second", 40);
    let store = Arc::new(Flaky::default());
    let collector = start(config(folder.path()), "third", &store);
    record(&collector, 7);
    let report = collector.shutdown(LIMIT);
    assert!(report.complete, "{report:?}");
    assert_eq!(sequences(&store, "first"), (0..60).collect::<Vec<_>>());
    assert_eq!(sequences(&store, "second"), (0..40).collect::<Vec<_>>());
    assert!(store.order.lock().unwrap().is_sorted(), "older runs first");
    assert_eq!((report.ledger.recorded, report.ledger.stored), (7, 7), "its own events only");
    for (run, stored) in [("first", 60), ("second", 40), ("third", 7)] {
        let ledger = ledger_of(&store, run);
        assert_eq!((ledger.stored, ledger.spooled, ledger.balances()), (stored, 0, true), "{run}");
    }
    assert!(files(folder.path()).is_empty());
}

#[test]
fn events_come_back_field_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let (direct, through) = (Arc::new(Flaky::default()), Arc::new(Flaky::default()));
    through.down.store(true, Ordering::SeqCst);
    for (store, dir) in [(&direct, "a"), (&through, "b")] {
        let collector = start(config(&folder.path().join(dir)), "run", store);
        let generator = telemetry_testkit::EventGenerator::new(
            5,
            telemetry_testkit::GeneratorConfig { events: 500, ..Default::default() },
        );
        let accepted = generator.filter(|event| event.outcome != Outcome::EngineError);
        accepted.for_each(|event| collector.record(event));
        collector.flush(LIMIT);
        store.down.store(false, Ordering::SeqCst);
        assert!(collector.shutdown(LIMIT).complete);
    }
    assert!(events(&direct).len() > 400);
    assert_eq!(events(&direct), events(&through));
}

#[test]
fn a_torn_tail_and_a_damaged_line_cost_themselves_only() {
    let folder = tempfile::tempdir().unwrap();
    spooled(config(folder.path()), "first", 50);
    let file = files(folder.path()).remove(0);
    let mut bytes = fs::read(&file).unwrap();
    let torn = bytes.len() - 20;
    bytes.truncate(torn);
    let starts: Vec<_> =
        bytes.iter().enumerate().filter(|(_, b)| **b == b'\n').map(|(at, _)| at + 1).collect();
    // The header is line 0, so this is the event of sequence 19.
    bytes[starts[19] + 30] ^= 0x20;
    fs::write(&file, bytes).unwrap();

    let store = Arc::new(Flaky::default());
    let collector = start(config(folder.path()), "second", &store);
    assert!(collector.shutdown(LIMIT).complete);
    let expected: Vec<u64> = (0..49).filter(|at| *at != 19).collect();
    assert_eq!(sequences(&store, "first"), expected);
    let ledger = ledger_of(&store, "first");
    assert_eq!((ledger.recorded, ledger.stored), (50, 48));
    assert_eq!(ledger.dropped[&DropReason::StoreFailed], 2);
}

#[test]
fn files_are_rotated_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let bounded = CollectorConfig { spool_bytes: 65_536, ..config(folder.path()) };
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let collector = start(bounded, "a", &store);
    record(&collector, 2_000);
    collector.flush(LIMIT);
    let ledger = collector.ledger();
    assert!(ledger.spooled > 50 && ledger.balances(), "{ledger:?}");
    assert_eq!(ledger.dropped[&DropReason::StoreFailed], 2_000 - ledger.spooled);
    let files = files(folder.path());
    let bytes: u64 = files.iter().map(|file| fs::metadata(file).unwrap().len()).sum();
    assert!(files.len() > 2 && bytes <= 65_536, "{} files of {bytes} bytes", files.len());
    let health = collector.health();
    assert_eq!(health.code, Some(Code::BufferOverflow));
    assert!(health.message.contains("store_failed"), "{}", health.message);

    store.down.store(false, Ordering::SeqCst);
    assert!(collector.flush(LIMIT).complete);
    assert_eq!(
        sequences(&store, "a"),
        (0..ledger.spooled).collect::<Vec<_>>(),
        "the oldest are kept"
    );
}

#[test]
fn a_spool_that_cannot_be_made_is_memory_and_then_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let small = CollectorConfig { backlog_events: 30, ..config(&file.join("spool")) };
    let collector = start(small, "a", &store);
    record(&collector, 100);
    collector.flush(LIMIT);
    let ledger = collector.ledger();
    assert_eq!((ledger.spooled, ledger.dropped[&DropReason::StoreFailed]), (30, 70));
    store.down.store(false, Ordering::SeqCst);
    assert!(collector.flush(LIMIT).complete);
    assert_eq!(sequences(&store, "a"), (0..30).collect::<Vec<_>>());
    assert_eq!(fs::read_to_string(&file).unwrap(), "not a directory");
}

#[test]
fn one_collector_at_a_time_uses_a_spool() {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let with_memory = CollectorConfig { backlog_events: 1_000, ..config(folder.path()) };
    let first = start(with_memory.clone(), "first", &store);
    record(&first, 10);
    first.flush(LIMIT);
    let second = start(with_memory, "second", &store);
    record(&second, 10);
    second.flush(LIMIT);
    assert_eq!(files(folder.path()).len(), 1);
    store.down.store(false, Ordering::SeqCst);
    assert!(second.shutdown(LIMIT).complete && first.shutdown(LIMIT).complete);
    assert_eq!(store.stats().unwrap().events, 20);
}

#[test]
fn files_that_cannot_be_read_count_towards_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("00000001.unreadable"), vec![0; 60_000]).unwrap();
    let bounded = CollectorConfig { spool_bytes: 65_536, ..config(folder.path()) };
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let collector = start(bounded, "a", &store);
    record(&collector, 200);
    collector.flush(LIMIT);
    let health = collector.health();
    assert_eq!(health.code, Some(Code::BufferOverflow));
    let bytes: u64 =
        fs::read_dir(folder.path()).unwrap().map(|it| it.unwrap().metadata().unwrap().len()).sum();
    // The state and the lock are beside the limit.
    assert!(bytes <= 65_536 + 4_096, "{bytes} bytes");
    assert!(collector.ledger().spooled > 0 && collector.ledger().balances());
}

/// Many runs over one spool and a store that fails as it likes.
fn restarts(seed: u64, times: u64, loses_answers: bool) {
    let folder = tempfile::tempdir().unwrap();
    let store = Arc::new(Flaky::default());
    let mut rng = fastrand::Rng::with_seed(seed);
    store.loses_answers.store(loses_answers, Ordering::SeqCst);
    *store.chaos.lock().unwrap() = Some(rng.fork());
    let mut recorded = BTreeMap::new();
    for restart in 0..times {
        let run = format!("run-{restart:03}");
        let bounded = CollectorConfig {
            spool_bytes: if rng.u8(..4) == 0 { 65_536 } else { 1 << 24 },
            backlog_events: rng.usize(..20),
            ..config(folder.path())
        };
        store.down.store(rng.u8(..3) == 0, Ordering::SeqCst);
        let collector = start(bounded, &run, &store);
        for _ in 0..rng.usize(..4) {
            record(&collector, rng.usize(..80));
            if rng.bool() {
                collector.flush(LIMIT);
            }
            store.down.store(rng.u8(..3) == 0, Ordering::SeqCst);
        }
        let ledger = collector.shutdown(LIMIT).ledger;
        assert!(ledger.balances() && ledger.in_flight == 0, "{ledger:?}");
        recorded.insert(run, ledger);
    }
    store.down.store(false, Ordering::SeqCst);
    *store.chaos.lock().unwrap() = None;
    let last = start(config(folder.path()), "last", &store);
    assert!(last.shutdown(LIMIT).complete);
    assert!(files(folder.path()).is_empty());

    let mut waited = 0;
    for (run, ledger) in recorded {
        let of_run = sequences(&store, &run);
        // What was counted as lost is there nevertheless when the store's answer was lost.
        let lost = ledger.dropped.get(&DropReason::StoreFailed).copied().unwrap_or(0);
        let unknown = if loses_answers { lost } else { 0 };
        let accounted = ledger.stored + ledger.spooled;
        let range = accounted..=accounted + unknown;
        assert!(range.contains(&(of_run.len() as u64)), "{run}: {} of {ledger:?}", of_run.len());
        assert!(loses_answers || of_run.is_sorted_by(|a, b| a < b), "{run} is out of order");
        if ledger.recorded > 0 {
            let settled = ledger_of(&store, &run);
            assert_eq!((settled.spooled, settled.in_flight), (0, 0), "{settled:?}");
            assert_eq!((settled.recorded, settled.stored), (ledger.recorded, accounted), "{run}");
            assert_eq!(settled.dropped, ledger.dropped);
        }
        waited += ledger.spooled;
    }
    assert!(waited > times * 5, "the test is about waiting: {waited}");
    let order = store.order.lock().unwrap();
    assert_eq!(order.iter().collect::<BTreeSet<_>>().len(), order.len(), "nothing is there twice");
}

#[test]
fn a_hundred_restarts_beside_a_failing_store_lose_nothing_uncounted() {
    restarts(20_261_123, 100, false);
}

#[test]
fn answers_that_get_lost_store_nothing_twice() {
    restarts(7, 30, true);
}

const CHILD: &str = "COLLECTOR_SPOOL_TEST_CHILD";

/// The process that the next test ends; by itself it does nothing.
#[test]
fn child_that_aborts() {
    let Ok(spool) = std::env::var(CHILD) else { return };
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let collector = start(config(Path::new(&spool)), "aborted", &store);
    record(&collector, 300);
    collector.flush(LIMIT);
    assert_eq!(collector.ledger().spooled, 300);
    record(&collector, 20);
    std::process::abort();
}

#[test]
fn what_an_aborted_process_spooled_is_stored_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "spool::child_that_aborts"])
        .env(CHILD, folder.path())
        .output()
        .unwrap();
    assert!(!ended.status.success(), "{ended:?}");
    assert!(!files(folder.path()).is_empty(), "{ended:?}");
    let store = Arc::new(Flaky::default());
    let next = start(config(folder.path()), "next", &store);
    assert!(next.shutdown(LIMIT).complete);
    let found = sequences(&store, "aborted");
    assert!(found.len() >= 300, "{}", found.len());
    assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>());
    let ledger = ledger_of(&store, "aborted");
    assert!(ledger.balances() && ledger.spooled == 0, "{ledger:?}");
    assert_eq!(ledger.stored, found.len() as u64);
}

//! A segment written by version 1 stays readable for ever.

use crate::all;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
#[cfg(feature = "rollup")]
use telemetry_aggregation::{RollupBuilder, coarsened};
#[cfg(feature = "rollup")]
use telemetry_interfaces::RollupQuery;
use telemetry_interfaces::{DropReason, EventStore, Ledger, Maintenance, VerifyLevel};
#[cfg(feature = "rollup")]
use telemetry_models::rollup::{Rollup, RollupPeriod};
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventId, EventIds,
    OperationKind, Outcome, PageContext, ProducerId, RunId, SelectorName, SessionId, ShadowProbe,
    StrategyKind, Timestamp, Viewport,
};
use telemetry_storage::{SegmentStore, StorageConfig};

const MARKER: &str = r#"{"format": "telemetry-store", "version": 1, "backend": "segment"}"#;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/segment-v1.seg")
}

/// Every field, every word of every vocabulary, present and absent. Never change these: the file
/// holds them.
fn fixed_events() -> Vec<Event> {
    let name = |text: &str| SelectorName::new(text).unwrap();
    let run = RunId::new("run-1").unwrap();
    let producer = ProducerId::new("producer-1").unwrap();
    let ids = EventIds::new(&run, &producer);
    let outcomes = [
        Outcome::Success,
        Outcome::NotFound,
        Outcome::LowConfidence,
        Outcome::Ambiguous,
        Outcome::ValidationFailed,
        Outcome::InvalidSelector,
        Outcome::Timeout,
        Outcome::NavigationFailed,
        Outcome::Blocked,
        Outcome::TargetClosed,
        Outcome::EngineError,
        Outcome::Cancelled,
        Outcome::Panicked,
        Outcome::ExpectedAbsent,
    ];
    let operations = [
        OperationKind::Resolution,
        OperationKind::Validation,
        OperationKind::Execution,
        OperationKind::Cleanup,
    ];
    let tries = [
        AttemptOutcome::LowConfidence,
        AttemptOutcome::Empty,
        AttemptOutcome::Ambiguous,
        AttemptOutcome::ValidationFailed,
        AttemptOutcome::Timeout,
        AttemptOutcome::InvalidSelector,
        AttemptOutcome::Detached,
        AttemptOutcome::Error,
        AttemptOutcome::Skipped,
    ];
    let mut events: Vec<Event> = outcomes
        .iter()
        .enumerate()
        .map(|(at, outcome)| {
            Event::new(
                EventId::from_u128(at as u128 + 1),
                name(["shop.title", "shop.price", "größe"][at % 3]),
                Timestamp::from_nanos(1_767_225_600_000_000_000 + at as i64 * 1_000_000_007),
                operations[at % operations.len()],
                *outcome,
            )
        })
        .collect();
    let page = Arc::new(PageContext {
        session: Some(SessionId::new("session-1").unwrap()),
        tab: Some("tab-1".into()),
        url: Some("https://www.shop.example:8080/product/1?x=y".into()),
        url_template: Some("/product/{id}".into()),
        title: Some("Größe \u{1F600}".into()),
        user_agent: Some("".into()),
        viewport: Some(Viewport { width: 1920, height: 1080 }),
        entered_at: Some(Timestamp::MIN),
    });
    for (at, event) in events.iter_mut().enumerate().skip(4) {
        event.run = Some(run.clone());
        event.producer = Some(producer.clone());
        event.sequence = Some(at as u64 * 3);
        event.id = ids.id(at as u64 * 3);
        event.page = Some(page.clone());
        event.engine = Some("engine 1.2".into());
    }
    let full = &mut events[0];
    full.id = EventId::new("not a uuid").unwrap();
    full.correlation_id = Some(CorrelationId::from_u128(u128::MAX));
    full.selector_version = Some(u32::MAX);
    full.attempts = tries
        .iter()
        .map(|outcome| {
            Attempt::new(
                StrategyKind::new(["css", "xpath", "own"][*outcome as usize % 3]),
                *outcome,
            )
        })
        .collect();
    full.attempts.push(Attempt {
        kind: StrategyKind::Adaptive,
        text: Some("span.price".into()),
        outcome: AttemptOutcome::Accepted,
        duration: Some(Duration::from_nanos(1_234_567_891)),
        elements: Some(2),
        confidence: Confidence::from_millionths(987_654),
        shadow: None,
    });
    full.attempts.push(Attempt {
        shadow: Some(ShadowProbe { probability: Confidence::from_millionths(1).unwrap() }),
        ..full.attempts[9].clone()
    });
    full.timing.resolution = Some(Duration::from_secs(300));
    full.timing.strategies = Some(Duration::ZERO);
    full.timing.total = Some(Duration::from_nanos(u64::MAX));
    full.resources.memory_mb = Some(0.1);
    full.resources.cpu_percent = Some(100.0);
    full.resources.network_requests = Some(0);
    full.resources.dom_operations = Some(u32::MAX);
    full.quality.confidence = Some(Confidence::ZERO);
    full.quality.elements_found = Some(1);
    full.quality.validation_passed = Some(false);
    full.quality.drift_detected = Some(true);
    full.error = Some(ErrorInfo {
        kind: "timeout".into(),
        message: Some("after 5 s".into()),
        stack: Some("at a\n  at b".into()),
        retry_attempts: Some(0),
        fallback_attempts: Some(3),
        recovery_successful: Some(true),
    });
    full.attributes = BTreeMap::from([("a".into(), "".into()), ("".into(), "b".into())]);
    events[1].error = Some(ErrorInfo { kind: "not_found".into(), ..ErrorInfo::default() });
    events[1].correlation_id = Some(CorrelationId::new("visit 7").unwrap());
    events[2].page = Some(Arc::new(PageContext::default()));
    events[2].run = Some(RunId::new("alone").unwrap());
    events[3].timestamp = Timestamp::MAX;
    events[3].sequence = Some(u64::MAX);
    events
}

fn fixed_ledger() -> Ledger {
    let reasons = [
        DropReason::QueueFull,
        DropReason::Displaced,
        DropReason::Sampled,
        DropReason::Invalid,
        DropReason::StoreFailed,
        DropReason::Closed,
    ];
    Ledger {
        run: Some(RunId::new("run-1").unwrap()),
        producer: None,
        at: Timestamp::from_millis(1_767_225_700_000),
        recorded: 40,
        stored: 14,
        spooled: 3,
        in_flight: 2,
        dropped: reasons.into_iter().zip(1..).collect(),
    }
}

fn write(store: &Path) {
    let store = SegmentStore::open(&StorageConfig::at(store)).unwrap();
    let events = fixed_events();
    store.append(&events[..9]).unwrap();
    store.append_ledger(&fixed_ledger()).unwrap();
    store.append(&events[9..]).unwrap();
    store.close().unwrap();
}

fn check(store: &Path) {
    let mut expected = fixed_events();
    expected.sort_by_key(|event| event.timestamp);
    let reader = SegmentStore::open_read_only(store).unwrap();
    assert_eq!(all(&reader), expected);
    assert_eq!(reader.ledgers().unwrap(), [fixed_ledger()]);
    let report = reader.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert_eq!(report.damage, []);
    assert_eq!(report.events, 14);
    let writer = SegmentStore::open(&StorageConfig::at(store)).unwrap();
    assert!(writer.recovery().is_clean());
    assert_eq!(writer.append(&fixed_events()[4..]).unwrap().duplicates, 10);
}

/// Set `STORAGE_WRITE_GOLDEN` to write the file anew: only ever right for a new version.
#[test]
fn version_1() {
    let directory = tempfile::tempdir().unwrap();
    if std::env::var_os("STORAGE_WRITE_GOLDEN").is_some() {
        write(directory.path());
        fs::copy(directory.path().join("segments/00000001.seg"), golden()).unwrap();
    }
    let store = directory.path().join("golden");
    fs::create_dir_all(store.join("segments")).unwrap();
    fs::write(store.join("telemetry-store.json"), MARKER).unwrap();
    fs::copy(golden(), store.join("segments/00000001.seg")).unwrap();
    check(&store);
}

/// A store whose segment was sorted: version 2. See [`version_1`].
#[test]
fn version_2() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-v2");
    let directory = tempfile::tempdir().unwrap();
    let files = ["telemetry-store.json", "segments/00000001-00000001.seg"];
    if std::env::var_os("STORAGE_WRITE_GOLDEN").is_some() {
        let written = directory.path().join("written");
        write(&written);
        let store = SegmentStore::open(&StorageConfig::at(&written)).unwrap();
        store.compact(&mut |_, _| {}).unwrap();
        for file in files {
            fs::create_dir_all(golden.join(file).parent().unwrap()).unwrap();
            fs::copy(written.join(file), golden.join(file)).unwrap();
        }
    }
    let store = directory.path().join("golden");
    fs::create_dir_all(store.join("segments")).unwrap();
    for file in files {
        fs::copy(golden.join(file), store.join(file)).unwrap();
    }
    check(&store);
}

/// A store whose events are in Parquet files: version 3. See [`version_1`]. Without the feature its
/// events are counted, and it is said where they are.
#[test]
fn version_3() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-v3");
    let directory = tempfile::tempdir().unwrap();
    #[cfg(feature = "parquet")]
    if std::env::var_os("STORAGE_WRITE_GOLDEN").is_some() {
        let written = directory.path().join("written");
        write(&written);
        let store = SegmentStore::open(&StorageConfig::at(&written)).unwrap();
        store.compact(&mut |_, _| {}).unwrap();
        store.convert(None, &mut |_, _| {}).unwrap();
        drop(store);
        fs::remove_file(written.join("LOCK")).unwrap();
        copy_tree(&written, &golden);
    }
    let store = directory.path().join("golden");
    copy_tree(&golden, &store);
    if cfg!(feature = "parquet") {
        return check(&store);
    }
    let reader = SegmentStore::open_read_only(&store).unwrap();
    assert_eq!(reader.stats().unwrap().events, 14);
    let query = telemetry_interfaces::Query::all();
    let errors: Vec<_> = reader.query(&query).unwrap().map(|it| it.unwrap_err()).collect();
    assert!(errors.iter().all(|error| error.to_string().contains("parquet")), "{errors:?}");
    let writer = SegmentStore::open(&StorageConfig::at(&store)).unwrap();
    assert_eq!(writer.append(&fixed_events()[4..]).unwrap().duplicates, 10);
}

fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// What is written now is what version 1 is: except for what zstd makes of it, byte for byte.
#[test]
fn todays_files_hold_the_same() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path());
    check(directory.path());
}

/// Rollups of the events of [`version_2`], in a folder for each version of their manifest. The
/// variable of [`version_1`] writes the folder of the version that is written now.
#[cfg(feature = "rollup")]
#[test]
fn rollups_of_every_version() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let store_in = |directory: &Path| {
        fs::create_dir_all(directory.join("segments")).unwrap();
        for file in ["telemetry-store.json", "segments/00000001-00000001.seg"] {
            fs::copy(golden.join("store-v2").join(file), directory.join(file)).unwrap();
        }
    };
    if std::env::var_os("STORAGE_WRITE_GOLDEN").is_some() {
        let directory = tempfile::tempdir().unwrap();
        store_in(directory.path());
        let store = SegmentStore::open_read_only(directory.path()).unwrap();
        store.rollups().unwrap().roll_up(&mut |_, _| {}).unwrap();
        let manifest = fs::read(directory.path().join("rollups/manifest.json")).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let to = golden.join(format!("rollups-v{}", manifest["version"]));
        copy(&directory.path().join("rollups"), &to);
        fs::remove_file(to.join("LOCK")).unwrap();
    }
    let mut versions = 0;
    for folder in fs::read_dir(&golden).unwrap().map(|it| it.unwrap().path()) {
        if !folder.file_name().unwrap().to_str().unwrap().starts_with("rollups-v") {
            continue;
        }
        versions += 1;
        let directory = tempfile::tempdir().unwrap();
        store_in(directory.path());
        copy(&folder, &directory.path().join("rollups"));
        let store = SegmentStore::open_read_only(directory.path()).unwrap();
        for period in RollupPeriod::ALL {
            let mut builder = RollupBuilder::new(*period);
            fixed_events().iter().for_each(|event| builder.add(event));
            let query = RollupQuery::all(*period);
            let answer = store.rollups().unwrap().query_rollups(&query).unwrap();
            assert_eq!(answer.stale_days, [], "{}", folder.display());
            let rows: Vec<Rollup> = answer.rollups.map(Result::unwrap).collect();
            assert_eq!(coarsened(&rows, *period), builder.finish(), "{}", folder.display());
        }
        let mut report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        // One of the events holds more than events may hold today.
        report.damage.retain(|it| it.file.starts_with("rollups"));
        assert_eq!((report.damage, report.notes), (vec![], vec![]), "{}", folder.display());
        let again = store.rollups().unwrap().roll_up(&mut |_, _| {}).unwrap();
        assert_eq!(again.days, Vec::<String>::new());
    }
    assert_eq!(versions, 2);
}

#[cfg(feature = "rollup")]
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

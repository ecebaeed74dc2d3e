//! Rollups beside either store.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use telemetry_aggregation::{RollupBuilder, coarsened};
use telemetry_interfaces::{
    Durability, ErrorKind, EventStore, Maintenance, RollupQuery, SelectorPattern, VerifyLevel,
};
use telemetry_models::rollup::{Rollup, RollupPeriod};
use telemetry_models::{Event, Timestamp};
use telemetry_storage::{
    Backend, SegmentStore, StorageConfig, Store, open, open_existing_read_only,
};
use telemetry_testkit::disk::{Loss, SimDisk};
use telemetry_testkit::{EventGenerator, GeneratorConfig};

const BACKENDS: [Backend; 2] = [Backend::Segment, Backend::Json];

fn config(path: &Path, backend: Backend) -> StorageConfig {
    StorageConfig {
        backend,
        durability: Durability::None,
        segment_bytes: 64 << 10,
        compact_in_background: false,
        ..StorageConfig::at(path)
    }
}

/// 75 hours from 2026-01-30: four days, two months.
fn events() -> Vec<Event> {
    let config = GeneratorConfig {
        events: 1200,
        selectors: 30,
        sites: 5,
        sessions: 4,
        hours: 75,
        error_share: 0.2,
        start: "2026-01-30T00:00:00Z".parse().unwrap(),
        ..GeneratorConfig::default()
    };
    let mut events: Vec<Event> = EventGenerator::new(3, config).collect();
    events[7].producer = None;
    events[8].page = None;
    events
}

fn direct(events: &[Event], period: RollupPeriod) -> Vec<Rollup> {
    let mut builder = RollupBuilder::new(period);
    for event in events {
        builder.add(event);
    }
    builder.finish()
}

/// The stored rollups in the order that a builder gives.
fn stored(store: &dyn Store, query: &RollupQuery) -> Vec<Rollup> {
    let answer = store.rollups().unwrap().query_rollups(query).unwrap();
    let rows: Vec<Rollup> = answer.rollups.map(Result::unwrap).collect();
    let sorted = coarsened(&rows, query.period);
    assert_eq!(sorted.len(), rows.len(), "no selector and site twice with one start");
    sorted
}

fn check(store: &dyn Store, events: &[Event]) {
    for period in RollupPeriod::ALL {
        let expected = direct(events, *period);
        assert_eq!(stored(store, &RollupQuery::all(*period)), expected, "{period}");
    }
}

fn roll_up(store: &dyn Store) -> telemetry_interfaces::RollUpReport {
    store.rollups().unwrap().roll_up(&mut |_, _| {}).unwrap()
}

fn stale(store: &dyn Store) -> Vec<String> {
    let answer = store.rollups().unwrap().query_rollups(&RollupQuery::all(RollupPeriod::Day));
    answer.unwrap().stale_days.into_iter().map(Timestamp::day).collect()
}

#[test]
fn stored_rollups_are_those_of_the_events_and_late_ones_are_added() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let events = events();
        let writer = open(&config(folder.path(), backend)).unwrap();
        // Every tenth is late.
        let late = |at: &usize| at % 10 == 3;
        let pick = |wanted: bool| -> Vec<Event> {
            let of = |at: &usize| late(at) == wanted;
            (0..events.len()).filter(of).map(|at| events[at].clone()).collect()
        };
        let (first, second) = (pick(false), pick(true));
        writer.append(&first).unwrap();
        assert_eq!(stale(&*writer), ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]);
        // From a reader, while the writer is open.
        let reader = open_existing_read_only(folder.path()).unwrap();
        let report = roll_up(&*reader);
        assert_eq!((report.days.len(), report.events, report.known), (4, first.len() as u64, 0));
        check(&*reader, &first);
        assert!(stale(&*reader).is_empty());
        assert_eq!(roll_up(&*writer).unchanged, 4, "nothing to do");

        writer.append(&second).unwrap();
        assert_eq!(stale(&*writer).len(), 4);
        check(&*reader, &first);
        let report = roll_up(&*writer);
        assert_eq!((report.days.len(), report.known), (4, first.len() as u64));
        check(&*reader, &events);
        let found = writer.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
        assert_eq!((found.damage, found.notes), (vec![], vec![]));
        let names = fs::read_dir(folder.path().join("rollups")).unwrap().count();
        assert_eq!(names, 4 * 2 + 2 + 1 + 2, "replaced files are removed");
    }
}

#[test]
fn queries_narrow_by_selector_site_and_time() {
    let folder = tempfile::tempdir().unwrap();
    let events = events();
    let store = open(&config(folder.path(), Backend::Segment)).unwrap();
    store.append(&events).unwrap();
    roll_up(&*store);
    let some = &events[200];
    let all = RollupQuery::all;
    for query in [
        RollupQuery {
            selector: Some(SelectorPattern::exact(&some.selector)),
            ..all(RollupPeriod::Day)
        },
        RollupQuery {
            selector: Some("shop-0?.*price*".parse().unwrap()),
            ..all(RollupPeriod::Hour)
        },
        RollupQuery { selector: Some("nothing".parse().unwrap()), ..all(RollupPeriod::Month) },
        RollupQuery { site: some.site().map(Into::into), ..all(RollupPeriod::Day) },
        RollupQuery {
            from: Some("2026-01-31T00:00:00Z".parse().unwrap()),
            ..all(RollupPeriod::Day)
        },
        RollupQuery {
            to: Some("2026-02-01T00:00:00Z".parse().unwrap()),
            ..all(RollupPeriod::Month)
        },
        RollupQuery {
            from: Some("2026-01-30T12:00:00Z".parse().unwrap()),
            to: Some("2026-02-01T07:00:00Z".parse().unwrap()),
            ..all(RollupPeriod::Hour)
        },
    ] {
        let mut expected = direct(&events, query.period);
        expected.retain(|it| query.matches(it));
        assert_eq!(stored(&*store, &query), expected, "{query:?}");
    }
}

#[test]
fn rollups_outlive_their_events_and_know_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    let all = events();
    let store = open(&config(folder.path(), Backend::Json)).unwrap();
    store.append(&all[..800]).unwrap();
    roll_up(&*store);
    store.close().unwrap();
    drop(store);
    fs::remove_dir_all(folder.path().join("events")).unwrap();

    let store = open(&config(folder.path(), Backend::Json)).unwrap();
    check(&*store, &all[..800]);
    // Half of what comes now was counted before its file was removed.
    store.append(&all[600..]).unwrap();
    let report = roll_up(&*store);
    assert_eq!(report.known, 200);
    check(&*store, &all);
    assert_eq!(roll_up(&*store).days, Vec::<String>::new());
    let found = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
    assert_eq!(found.damage, vec![]);
    assert!(found.notes.iter().any(|it| it.contains("not compared with events")), "{found:?}");
}

#[test]
fn damage_is_found_and_never_shown_as_figures() {
    let folder = tempfile::tempdir().unwrap();
    let events = events();
    let store = open(&config(folder.path(), Backend::Segment)).unwrap();
    store.append(&events).unwrap();
    roll_up(&*store);
    let directory = folder.path().join("rollups");
    let names: Vec<_> = fs::read_dir(&directory)
        .unwrap()
        .map(|it| it.unwrap().path())
        .filter(|it| it.extension().is_some_and(|it| it == "rollup"))
        .collect();
    let expected = direct(&events, RollupPeriod::Day);
    for path in &names {
        let sound = fs::read(path).unwrap();
        for at in (0..sound.len()).step_by(sound.len() / 12 + 1) {
            let mut bytes = sound.clone();
            bytes[at] ^= 1 << (at % 8);
            fs::write(path, &bytes).unwrap();
            let quick = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
            assert_eq!(quick.damage.len(), 1, "{} at {at}", path.display());
            let rollups = store.rollups().unwrap();
            match rollups.query_rollups(&RollupQuery::all(RollupPeriod::Day)) {
                Ok(answer) => {
                    for rollup in answer.rollups.flatten() {
                        assert!(expected.contains(&rollup));
                    }
                }
                Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}"),
            }
        }
        fs::write(path, &sound).unwrap();
    }
    fs::remove_file(&names[0]).unwrap();
    let quick = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert!(quick.damage[0].what.contains("missing"), "{quick:?}");
    fs::write(directory.join("manifest.json"), "{").unwrap();
    let quick = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert!(quick.damage[0].what.contains("manifest"), "{quick:?}");
}

#[test]
fn a_changed_figure_is_found_by_the_deep_check() {
    let folder = tempfile::tempdir().unwrap();
    let all = events();
    let store = open(&config(folder.path(), Backend::Json)).unwrap();
    store.append(&all).unwrap();
    roll_up(&*store);
    store.close().unwrap();
    // An event changed after it was counted: text has no checksums.
    let path = folder.path().join("events/2026-01-31.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let changed = text.replacen("\"elements_found\":1", "\"elements_found\":2", 1);
    let changed = changed.replacen("\"elements\":1", "\"elements\":2", 1);
    assert_ne!(text, changed);
    fs::write(&path, changed).unwrap();
    let store = open_existing_read_only(folder.path()).unwrap();
    let quick = store.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
    assert_eq!(quick.damage, vec![]);
    let deep = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
    assert!(deep.damage.iter().any(|it| it.what.contains("other rollups")), "{deep:?}");
}

/// Days that have ended are rolled up while the store is open; the one that events still come for
/// is left to the next time.
#[test]
fn days_that_have_ended_are_rolled_up_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let events = events();
    let config =
        StorageConfig { compact_in_background: true, ..config(folder.path(), Backend::Segment) };
    let store = open(&config).unwrap();
    for batch in events.chunks(50) {
        store.append(batch).unwrap();
    }
    store.close().unwrap();
    let store = open(&config).unwrap();
    while stale(&*store) != ["2026-02-02"] {
        std::thread::yield_now();
    }
    let found = stored(&*store, &RollupQuery::all(RollupPeriod::Day));
    let mut expected = direct(&events, RollupPeriod::Day);
    expected.retain(|it| it.start.day() != "2026-02-02");
    assert_eq!(found, expected);
    store.close().unwrap();
}

/// Files of the rollups by what their names begin with.
fn rollup_files(store: &Path, what: &str) -> Vec<std::path::PathBuf> {
    let listed = fs::read_dir(store.join("rollups")).unwrap();
    let paths = listed.map(|entry| entry.unwrap().path());
    let its =
        |path: &std::path::PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(what);
    let mut paths: Vec<_> = paths.filter(its).collect();
    paths.sort();
    paths
}

/// Whatever file of the rollups is damaged: taken out of use, what the others tell is answered, and
/// once they are brought up to date everything is as it was.
#[test]
fn damaged_rollups_are_taken_out_and_made_anew() {
    for backend in BACKENDS {
        for what in
            ["hours-2026-01-31", "covered-2026-02-01", "days-2026-01", "months-2026", "manifest"]
        {
            let folder = tempfile::tempdir().unwrap();
            let events = events();
            let writer = open(&config(folder.path(), backend)).unwrap();
            writer.append(&events).unwrap();
            roll_up(&*writer);
            let [path] = &rollup_files(folder.path(), what)[..] else { panic!("{what}") };
            let mut bytes = fs::read(path).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 4;
            fs::write(path, &bytes).unwrap();
            let verified = writer.verify(VerifyLevel::Quick, &mut |_, _| {}).unwrap();
            assert!(!verified.is_clean(), "{backend} {what}");
            let report = writer.quarantine(&mut |_, _| {}).unwrap();
            assert_eq!(report.files.len(), 1, "{backend} {what}: {report:?}");
            let moved = report.files[0].moved_to.as_ref().unwrap();
            assert!(fs::read(folder.path().join(moved)).unwrap() == bytes, "{backend} {what}");
            let verified = writer.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
            assert_eq!(verified.damage, [], "{backend} {what}");
            // Days and months are computed from what is left.
            let days = stored(&*writer, &RollupQuery::all(RollupPeriod::Day));
            assert_eq!(days, direct(&events, RollupPeriod::Day), "{backend} {what}");
            // Those of which it is not known any more how many events they hold.
            let unknown = match what {
                "hours-2026-01-31" => 1,
                "covered-2026-02-01" => 1,
                "manifest" => 4,
                _ => 0,
            };
            assert_eq!(stale(&*writer).len(), unknown, "{backend} {what}");
            roll_up(&*writer);
            check(&*writer, &events);
            assert!(stale(&*writer).is_empty(), "{backend} {what}");
            assert!(writer.quarantine(&mut |_, _| {}).unwrap().files.is_empty());
        }
    }
}

/// The rollups' manifest is made anew together with the store's, from the files alone.
#[test]
fn a_lost_manifest_of_the_rollups_is_made_anew() {
    for backend in BACKENDS {
        let folder = tempfile::tempdir().unwrap();
        let events = events();
        let writer = open(&config(folder.path(), backend)).unwrap();
        writer.append(&events[..900]).unwrap();
        roll_up(&*writer);
        writer.append(&events[900..]).unwrap();
        roll_up(&*writer);
        writer.close().unwrap();
        drop(writer);
        fs::remove_file(folder.path().join("rollups/manifest.json")).unwrap();
        let report = telemetry_storage::rebuild(folder.path(), &mut |_, _| {}).unwrap();
        assert_eq!((report.rollup_days, &report.damage), (Some(4), &vec![]), "{backend}");
        let writer = open(&config(folder.path(), backend)).unwrap();
        check(&*writer, &events);
        roll_up(&*writer);
        check(&*writer, &events);
        assert!(writer.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap().is_clean());
        drop(writer);
        // One that can be read is left as it is.
        let report = telemetry_storage::rebuild(folder.path(), &mut |_, _| {}).unwrap();
        assert_eq!(report.rollup_days, None, "{backend}");
    }
}

/// Whenever power is lost while rollups are taken out of use, that can be done again, and everything
/// is made anew.
#[test]
fn power_may_be_lost_while_rollups_are_taken_out() {
    let root = Path::new("/simulated");
    let config = StorageConfig {
        durability: Durability::Batch,
        ..config(&root.join("store"), Backend::Segment)
    };
    let open = |disk: &SimDisk| SegmentStore::open_on(Arc::new(disk.clone()), &config).unwrap();
    let events: Vec<Event> = events().into_iter().step_by(20).collect();
    for what in ["hours-2026-01-31", "manifest.json"] {
        let disk = SimDisk::new(root, 5);
        let store = open(&disk);
        store.append(&events).unwrap();
        roll_up(&store);
        let is_it = |path: &Path| path.file_name().unwrap().to_str().unwrap().starts_with(what);
        let (name, length) = disk.files().into_iter().find(|(path, _)| is_it(path)).unwrap();
        disk.flip(&name, length * 4);
        disk.watch();
        store.quarantine(&mut |_, _| {}).unwrap();
        for moment in disk.moments() {
            for loss in Loss::ALL {
                let place = format!("{what}, call {}, {loss:?}", moment.call);
                let after = SimDisk::after(&moment, loss, moment.call);
                let store = open(&after);
                store.quarantine(&mut |_, _| {}).unwrap();
                let report = store.verify(VerifyLevel::Deep, &mut |_, _| {}).unwrap();
                assert_eq!(report.damage, [], "{place}");
                roll_up(&store);
                check(&store, &events);
                assert!(stale(&store).is_empty(), "{place}");
            }
        }
    }
}

use crate::setup::{Place, event, events};
use expect_test::expect;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use telemetry_runtime::models::{ErrorInfo, Outcome, json};
use telemetry_runtime::storage::{Backend, StorageConfig, open};

#[test]
fn a_table_for_people() {
    let ran = Place::with_store().run_reading(&["query", "--selector", "*.product.*"]).code(0);
    expect![[r#"
        TIME (UTC)                SELECTOR            OUTCOME    STRATEGY    MS  CONF  FOUND  PAGE
        2025-03-01T12:00:00.000Z  shop.product.title  success    css       1.50  0.97      1  shop.example/product/{id}
        2025-03-01T12:00:10.000Z  shop.product.price  success    xpath +1  1.60  0.80      1  shop.example/product/{id}
        2025-03-01T12:00:30.000Z  shop.product.title  success    css       1.80  0.97      1  shop.example/product/{id}
        2025-03-01T12:00:40.000Z  shop.product.price  success    xpath +1  1.90  0.80      1  shop.example/product/{id}
        2025-03-01T12:01:00.000Z  shop.product.title  success    css       2.10  0.97      1  shop.example/product/{id}
        2025-03-01T12:01:10.000Z  shop.product.price  not_found  -         2.20     -      -  shop.example/product/{id}
        2025-03-01T12:01:30.000Z  shop.product.title  success    css       2.40  0.97      1  shop.example/product/{id}
        2025-03-01T12:01:40.000Z  shop.product.price  not_found  -         2.50     -      -  shop.example/product/{id}
        2025-03-01T12:02:00.000Z  shop.product.title  success    css       2.70  0.97      1  shop.example/product/{id}
        2025-03-01T12:02:10.000Z  shop.product.price  not_found  -         2.80     -      -  shop.example/product/{id}
        2025-03-01T12:02:30.000Z  shop.product.title  blocked    -         3.00     -      -  shop.example/product/{id}
    "#]].assert_eq(&ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn one_event_with_its_attempts() {
    let place = Place::with_store();
    let id = events()[7].id.to_string();
    let ran = place.run_reading(&["query", "--event", &id]).code(0);
    expect![[r#"
        event          00000000-0000-0000-0000-000000000008
        selector       shop.product.price
        time           2025-03-01T12:01:10Z
        operation      resolution
        outcome        not_found
        correlation    visit-1
        run            nightly-7
        producer       worker-1
        sequence       7
        engine         cascade 0.1
        total time     2.20 ms
        URL            https://shop.example/product/7
        URL template   /product/{id}
        error          not_found
        error message  no strategy matched

        TRY  STRATEGY  SELECTOR TEXT           OUTCOME     MS  CONF  FOUND  SHADOW
          1  css       span.price              empty    0.700     -      0
          2  xpath     //b[@itemprop='price']  empty    0.700     -      0
    "#]]
    .assert_eq(&ran.out);
    place.run_reading(&["query", "--event", "no-such"]).code(1).says(&["no event no-such"]);
}

#[test]
fn pages_follow_each_other() {
    let place = Place::with_store();
    let mut after: Option<String> = None;
    let mut found = String::new();
    loop {
        let mut args = vec!["query", "--json", "--limit", "4"];
        if let Some(after) = &after {
            args.extend(["--after", after]);
        }
        let ran = place.run_reading(&args).code(0);
        found += &ran.out;
        let Some((_, place)) = ran.err.split_once("--after ") else { break };
        after = place.split_whitespace().next().map(str::to_owned);
    }
    let whole = place.run_reading(&["query", "--json", "--limit", "0"]).code(0);
    assert_eq!(found, whole.out);
    let wrong = place.run(&["query", "--after", "yesterday"]).code(2);
    assert!(wrong.err.contains("1767225600000000000.1"), "{}", wrong.err);
}

#[test]
fn only_what_was_asked_for_is_read() {
    let place = Place::with_store();
    let args = ["query", "--json", "--limit", "1", "--only", "timing,page"];
    let ran = place.run_reading(&args).code(0);
    let event = json::from_str(ran.out.trim()).unwrap();
    assert!(event.attempts.is_empty() && event.run.is_none(), "{}", ran.out);
    assert_eq!((event.timing, &event.page), (events()[0].timing, &events()[0].page));
}

#[test]
fn json_lines_are_the_events_themselves() {
    let place = Place::with_store();
    let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(0);
    let read: Vec<_> = ran.out.lines().map(|line| json::from_str(line).unwrap()).collect();
    assert_eq!(read, events());
}

#[test]
fn conditions_narrow() {
    let place = Place::with_store();
    let count = |args: &[&str]| {
        let args = [&["query", "--json"], args].concat();
        place.run(&args).code(0).out.lines().count()
    };
    assert_eq!(count(&["--failed"]), 4);
    assert_eq!(count(&["--outcome", "not_found,expected_absent"]), 8);
    assert_eq!(count(&["--strategy", "xpath"]), 5);
    assert_eq!(count(&["--correlation", "visit-0"]), 4);
    assert_eq!(count(&["--run", "nightly-7"]), 16);
    assert_eq!(count(&["--run", "nightly-8"]), 0);
    assert_eq!(count(&["--site", "www.shop.example"]), 16);
    assert_eq!(count(&["--since", "2025-03-01T12:02:00Z"]), 4);
    assert_eq!(count(&["--since", "2025-03-01", "--until", "2025-03-01T12:00:30Z"]), 3);
    assert_eq!(count(&["--until", "2025-03-01"]), 0);
    assert_eq!(count(&["--limit", "3"]), 3);
    place.run(&["query", "--since", "now", "--until", "-2h"]).code(2).says(&[
        "TEL-003",
        "since",
        "until",
        "what to do",
    ]);
}

#[test]
fn a_limit_says_that_there_is_more() {
    let place = Place::with_store();
    place.run(&["query", "--limit", "15"]).code(0).says(&["first 15 events", "--limit 0"]);
    assert_eq!(place.run(&["query", "--limit", "16"]).code(0).err, "");
    let newest = place.run(&["query", "--newest", "--limit", "1"]).code(0);
    assert!(newest.out.contains("12:02:30.000Z  shop.product.title  blocked"), "{}", newest.out);
}

#[test]
fn pages_cannot_steer_the_terminal() {
    let place = Place::new();
    let mut hostile = event(0, "shop\u{1b}[2J\ntitle\u{202e}", Outcome::NotFound);
    hostile.error = Some(ErrorInfo {
        kind: "x\u{9b}31m".into(),
        message: Some("\u{1b}]8;;http://evil\u{7}click\r\n".into()),
        ..ErrorInfo::default()
    });
    hostile.attributes.insert("k\u{7}".into(), "v\u{8}".into());
    place.fill(Backend::Segment, &[hostile.clone()]);
    let id = hostile.id.to_string();
    for args in [
        &["query"][..],
        &["query", "--event", &id],
        &["stats"],
        &["store", "stats"],
        &["report"],
        &["doctor"],
    ] {
        let ran = place.run(args);
        for (name, text) in [("out", &ran.out), ("err", &ran.err)] {
            let active =
                text.chars().find(|it| it.is_control() && *it != '\n' || *it == '\u{202e}');
            assert_eq!(active, None, "{args:?} {name}:\n{text}");
        }
    }
    place.run(&["query"]).shows(&["shop\\u{1b}[2J\\ntitle\\u{202e}"]);
}

/// Another process that asks while events are stored and files are joined sees everything that was
/// acknowledged before, nothing twice, and no part of a batch.
#[test]
fn a_snapshot_while_a_writer_runs() {
    const BATCH: u64 = 32;
    let place = Place::new();
    let config = StorageConfig { segment_bytes: 32 << 10, ..StorageConfig::at(place.store()) };
    let store = open(&config).unwrap();
    let stored = AtomicU64::new(0);
    let append = |batch: u64| {
        let numbers = batch * BATCH..(batch + 1) * BATCH;
        let events: Vec<_> =
            numbers.map(|number| event(number, "shop.price", Outcome::Success)).collect();
        store.append(&events).unwrap();
        stored.fetch_add(BATCH, Ordering::SeqCst);
    };
    append(0);
    let asking = AtomicBool::new(true);
    /// Ends the writer also when an assertion fails.
    struct Ended<'a>(&'a AtomicBool);
    impl Drop for Ended<'_> {
        fn drop(&mut self) {
            self.0.store(false, Ordering::SeqCst);
        }
    }
    std::thread::scope(|scope| {
        let _ended = Ended(&asking);
        scope.spawn(|| {
            for batch in (1..100).take_while(|_| asking.load(Ordering::SeqCst)) {
                append(batch);
            }
        });
        for _ in 0..8 {
            let before = stored.load(Ordering::SeqCst);
            let args = ["query", "--json", "--limit", "0", "--only", "origin"];
            let ran = place.run(&args).code(0);
            let found: Vec<u64> = ran
                .out
                .lines()
                .map(|line| json::from_str(line).unwrap().sequence.unwrap())
                .collect();
            assert!(found.iter().copied().eq(0..found.len() as u64), "{found:?}");
            assert!(found.len() as u64 >= before && (found.len() as u64).is_multiple_of(BATCH));
        }
    });
    store.close().unwrap();
}

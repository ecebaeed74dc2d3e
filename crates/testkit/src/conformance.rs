//! What every event store must do, tested through the seam and chosen by declared capability.

use crate::arbitrary_event;
use crate::generator::{EventGenerator, GeneratorConfig};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_interfaces::{
    Continuation, DropReason, ErrorKind, EventStore, Ledger, Order, Parts, Query, SelectorPattern,
};
use telemetry_models::{Event, Outcome, ProducerId, RunId, StrategyKind, Timestamp};

/// One place for a store, empty at first.
pub struct Harness {
    /// Opens the store for writing. For a persistent backend, again after it was closed.
    pub open: Box<dyn Fn() -> Box<dyn EventStore>>,
    /// Opens the same store for reading; for backends with shared readers.
    pub open_reader: Option<Box<dyn Fn() -> Box<dyn EventStore>>>,
}

impl std::fmt::Debug for Harness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Harness").field("reader", &self.open_reader.is_some()).finish()
    }
}

/// Runs the whole suite; `make` gives an empty place each time.
///
/// # Panics
/// When the store does not do what the seam promises.
pub fn event_store(make: &dyn Fn() -> Harness) {
    round_trip(&make());
    order_of_equal_timestamps(&make());
    queries(&make());
    continuation(&make());
    parts(&make());
    any_order(&make());
    divided(&make());
    duplicates(&make());
    ledgers(&make());
    statistics(&make());
    empty(&make());
    closed(&make());
    reader_beside_writer(&make());
}

/// Any event comes back equal, also after closing and opening again.
fn round_trip(harness: &Harness) {
    let config = Config { failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let strategy = proptest::collection::vec(arbitrary_event(), 1..40);
    let store = (harness.open)();
    let mut all = Vec::new();
    for _ in 0..12 {
        let batch = match strategy.new_tree(&mut runner) {
            Ok(tree) => tree.current(),
            Err(reason) => panic!("no events: {reason}"),
        };
        let ack = ok(store.append(&batch));
        assert_eq!(ack.stored + ack.duplicates, batch.len() as u64);
        assert_eq!(ack.duplicates, 0, "random sequences do not repeat");
        all.extend(batch);
    }
    compare(&*store, &all, &Query::all());
    ok(store.flush());
    if store.capabilities().persistent {
        ok(store.close());
        drop(store);
        let again = (harness.open)();
        compare(&*again, &all, &Query::all());
        if let Some(open_reader) = &harness.open_reader {
            compare(&*open_reader(), &all, &Query::all());
        }
    }
}

/// Equal timestamps keep the order in which they were appended; newest first is its reverse.
fn order_of_equal_timestamps(harness: &Harness) {
    let store = (harness.open)();
    let mut all: Vec<Event> = events(60);
    for (at, event) in all.iter_mut().enumerate() {
        event.timestamp = Timestamp::from_millis(1_767_225_600_000 + (at as i64 * 7) % 5);
    }
    for batch in all.chunks(9) {
        ok(store.append(batch));
    }
    compare(&*store, &all, &Query::all());
    compare(&*store, &all, &Query { order: Order::NewestFirst, ..Query::all() });
}

/// Every condition gives what [`Query::matches`] gives, in both orders, with and without limit.
fn queries(harness: &Harness) {
    let store = (harness.open)();
    let mut all = events(900);
    // Late batches: blocks and files overlap in time.
    all[300..600].rotate_left(170);
    for (at, batch) in all.chunks(70).enumerate() {
        for part in batch.chunks(1 + at * 11) {
            ok(store.append(part));
        }
    }
    let some = &all[411];
    let (from, to) = (all[200].timestamp, all[640].timestamp);
    let pattern = |text: &str| Some(ok(SelectorPattern::new(text)));
    let conditions = [
        Query::all(),
        Query { selector: pattern("*"), ..Query::all() },
        Query { selector: pattern("shop-0?.product.*"), ..Query::all() },
        Query { selector: Some(SelectorPattern::exact(&some.selector)), ..Query::all() },
        Query { selector: pattern("nothing.*"), ..Query::all() },
        Query { site: some.site().map(Arc::from), ..Query::all() },
        Query { site: Some("elsewhere.example".into()), ..Query::all() },
        Query { from: Some(from), ..Query::all() },
        Query { to: Some(to), ..Query::all() },
        Query { from: Some(from.min(to)), to: Some(from.max(to)), ..Query::all() },
        Query { from: Some(some.timestamp), to: Some(some.timestamp), ..Query::all() },
        Query { outcomes: vec![Outcome::NotFound, Outcome::Timeout], ..Query::all() },
        Query { outcomes: vec![Outcome::Panicked], ..Query::all() },
        Query { strategy: Some(StrategyKind::XPath), ..Query::all() },
        Query { correlation: some.correlation_id.clone(), ..Query::all() },
        Query { event: Some(some.id.clone()), ..Query::all() },
        Query { run: some.run.clone(), ..Query::all() },
        Query { run: Some(ok(RunId::new("another"))), ..Query::all() },
        Query {
            selector: pattern("shop-*"),
            from: Some(from.min(to)),
            outcomes: vec![Outcome::Success],
            strategy: Some(StrategyKind::Css),
            ..Query::all()
        },
    ];
    for condition in conditions {
        for order in [Order::OldestFirst, Order::NewestFirst] {
            for limit in [None, Some(0), Some(1), Some(37), Some(5000)] {
                compare(&*store, &all, &Query { order, limit, ..condition.clone() });
            }
        }
    }
}

/// Pages of an answer, one behind the other, are the answer; also when events are appended and files
/// are joined in between, and when many have the same timestamp.
fn continuation(harness: &Harness) {
    for order in [Order::OldestFirst, Order::NewestFirst] {
        let mut store = (harness.open)();
        let mut all = events(400);
        for (at, event) in all.iter_mut().enumerate() {
            let at = at as i64 / 9 * 1_000_000;
            event.timestamp = Timestamp::from_nanos(1_767_225_600_000_000_000 + at);
            event.run = Some(ok(RunId::new(format!("{order:?}"))));
        }
        let run = all[0].run.clone();
        for batch in all.chunks(50) {
            ok(store.append(batch));
        }
        let whole = Query { order, run, ..Query::all() };
        let expected: Vec<Event> = ok(store.query(&whole)).map(ok).collect();
        assert_eq!(expected.len(), all.len());
        let mut page = Query { limit: Some(23), ..whole };
        let mut found: Vec<Event> = Vec::new();
        loop {
            let answer: Vec<Event> = ok(store.query(&page)).map(ok).collect();
            assert!(answer.len() <= 23);
            if answer.is_empty() {
                break;
            }
            for event in &answer {
                page.after = Some(Continuation::behind(page.after, event));
            }
            let told = page.after.map(|it| it.to_string()).unwrap_or_default();
            assert_eq!(told.parse(), Ok(page.after.unwrap_or_else(|| unreachable!("not empty"))));
            found.extend(answer);
            if store.capabilities().persistent && found.len() == 23 * 5 {
                ok(store.close());
                drop(store);
                store = (harness.open)();
            }
            let other = {
                let mut other = events(1).remove(0);
                other.sequence = Some(1_000_000 + found.len() as u64);
                other.run = Some(ok(RunId::new(format!("other {order:?}"))));
                other
            };
            ok(store.append(&[other]));
        }
        assert_eq!(found, expected, "{order:?}");
        ok(store.close());
        if !store.capabilities().persistent {
            break;
        }
    }
}

/// Whatever parts are asked for, the answer is the whole one without the others.
fn parts(harness: &Harness) {
    let store = (harness.open)();
    let mut all = events(300);
    all[5].attributes.insert("shard".into(), "7".into());
    for batch in all.chunks(64) {
        ok(store.append(batch));
    }
    let each = Parts::names().filter_map(Parts::named);
    let some = [Parts::NONE, Parts::TIMING | Parts::PAGE, Parts::QUALITY | Parts::ERROR];
    let conditions = [
        Query::all(),
        Query { strategy: Some(StrategyKind::XPath), ..Query::all() },
        Query { site: all[9].site().map(Arc::from), ..Query::all() },
        Query { correlation: all[9].correlation_id.clone(), ..Query::all() },
        Query { run: all[9].run.clone(), ..Query::all() },
    ];
    for parts in each.chain(some) {
        for condition in &conditions {
            let whole = ok(store.query(condition)).map(ok);
            let expected: Vec<Event> = whole
                .map(|mut event| {
                    parts.keep(&mut event);
                    event
                })
                .collect();
            let query = Query { parts, ..condition.clone() };
            let found: Vec<Event> = ok(store.query(&query)).map(ok).collect();
            assert_eq!(found, expected, "{query:?}");
        }
    }
}

/// In whatever order: the same events.
fn any_order(harness: &Harness) {
    let store = (harness.open)();
    let all = events(500);
    for batch in all.chunks(90) {
        ok(store.append(batch));
    }
    for condition in [
        Query::all(),
        Query { outcomes: vec![Outcome::NotFound], ..Query::all() },
        Query { selector: Some(SelectorPattern::exact(&all[3].selector)), ..Query::all() },
    ] {
        let sorted = |query: &Query| {
            let mut events: Vec<Event> = ok(store.query(query)).map(ok).collect();
            events.sort_by(|a, b| (a.timestamp, &a.id).cmp(&(b.timestamp, &b.id)));
            events
        };
        let any = Query { order: Order::Any, ..condition.clone() };
        assert_eq!(sorted(&any), sorted(&condition), "{condition:?}");
        let some = ok(store.query(&Query { limit: Some(7), ..any })).map(ok).count();
        assert_eq!(some, 7.min(sorted(&condition).len()));
    }
}

/// In however many parts: each selector's events in one of them, in order, and none missing.
fn divided(harness: &Harness) {
    let store = (harness.open)();
    for batch in events(500).chunks(90) {
        ok(store.append(batch));
    }
    for most in 1..4 {
        check_parts(&*store, &Query::all(), most);
        check_parts(&*store, &Query { limit: Some(9), ..Query::all() }, most);
        check_parts(&*store, &Query { order: Order::NewestFirst, ..Query::all() }, most);
    }
}

/// Holds the answer in parts against the answer as one; gives the number of parts.
///
/// # Panics
/// When they differ.
pub fn check_parts(store: &dyn EventStore, query: &Query, most: usize) -> usize {
    let divided = ok(store.query_parts(query, most));
    let count = divided.parts.len();
    assert!((1..=most).contains(&count), "{count} parts of {most}");
    let mut whole: Vec<Vec<Event>> = vec![Vec::new(); count];
    for event in ok(store.query(query)).map(ok) {
        whole[(divided.part_of)(event.selector.as_str())].push(event);
    }
    for (at, part) in divided.parts.into_iter().enumerate() {
        let part: Vec<Event> = part.map(ok).collect();
        assert!(part == whole[at], "part {at} of {query:?}");
    }
    count
}

/// The same run, producer and sequence is stored once; without all three always.
fn duplicates(harness: &Harness) {
    let store = (harness.open)();
    if !store.capabilities().idempotent {
        return;
    }
    let all = events(50);
    ok(store.append(&all[..30]));
    let ack = ok(store.append(&all[20..40]));
    assert_eq!((ack.stored, ack.duplicates), (10, 10));
    let twice = [all[40].clone(), all[40].clone()];
    let ack = ok(store.append(&twice));
    assert_eq!((ack.stored, ack.duplicates), (1, 1));
    let store = if store.capabilities().persistent {
        ok(store.close());
        drop(store);
        (harness.open)()
    } else {
        store
    };
    let ack = ok(store.append(&all));
    assert_eq!((ack.stored, ack.duplicates), (9, 41));
    compare(&*store, &all, &Query::all());

    let mut anonymous = all[0].clone();
    anonymous.producer = None;
    for _ in 0..2 {
        assert_eq!(ok(store.append(std::slice::from_ref(&anonymous))).stored, 1);
    }
    let mut other = all[0].clone();
    other.producer = Some(ok(ProducerId::new("another")));
    assert_eq!(ok(store.append(&[other])).stored, 1);
}

/// The newest ledger of each producer is kept.
fn ledgers(harness: &Harness) {
    let store = (harness.open)();
    if !store.capabilities().ledgers {
        return;
    }
    assert_eq!(ok(store.ledgers()), []);
    let ledger = |producer: Option<&'static str>, recorded: u64| Ledger {
        run: Some(ok(RunId::new("run"))),
        producer: producer.map(|it| ok(ProducerId::new(it))),
        at: Timestamp::from_nanos(recorded as i64 * 17),
        recorded,
        stored: recorded.saturating_sub(3),
        spooled: 1,
        in_flight: 0,
        dropped: BTreeMap::from([(DropReason::QueueFull, 1), (DropReason::Invalid, 1)]),
    };
    let expected = [ledger(None, 5), ledger(Some("one"), 9), ledger(Some("two"), 7)];
    ok(store.append_ledger(&ledger(Some("one"), 4)));
    ok(store.append(&events(3)));
    for ledger in &expected {
        ok(store.append_ledger(ledger));
    }
    assert_eq!(ok(store.ledgers()), expected);
    if store.capabilities().persistent {
        ok(store.close());
        drop(store);
        let again = (harness.open)();
        assert_eq!(ok(again.ledgers()), expected);
        ok(again.append_ledger(&ledger(Some("one"), 20)));
        assert_eq!(ok(again.ledgers())[1], ledger(Some("one"), 20));
    }
}

/// Statistics agree with a scan.
fn statistics(harness: &Harness) {
    let store = (harness.open)();
    let mut all = events(700);
    all[3].page = None;
    all[4].timestamp = Timestamp::from_nanos(-1);
    for batch in all.chunks(80) {
        ok(store.append(batch));
    }
    let stats = ok(store.stats());
    assert_eq!(stats.backend, store.backend());
    assert_eq!(stats.events, all.len() as u64);
    assert_eq!(stats.first, all.iter().map(|event| event.timestamp).min());
    assert_eq!(stats.last, all.iter().map(|event| event.timestamp).max());
    assert_eq!(stats.selectors, counted(&all, |event| event.selector.to_string()));
    let sites = counted(&all, |event| event.site().unwrap_or_default().to_owned());
    assert_eq!(stats.sites, sites);
    let mut days = counted(&all, |event| event.timestamp.day());
    days.sort();
    let found: Vec<_> = stats.days.into_iter().map(|it| (it.day, it.events)).collect();
    assert_eq!(found, days);
    if store.capabilities().persistent {
        assert!(stats.bytes > 0 && stats.files > 0);
    }
}

/// A store without events answers.
fn empty(harness: &Harness) {
    let store = (harness.open)();
    compare(&*store, &[], &Query::all());
    let ack = ok(store.append(&[]));
    assert_eq!((ack.stored, ack.duplicates), (0, 0));
    let stats = ok(store.stats());
    assert_eq!((stats.events, stats.first, stats.last), (0, None, None));
    ok(store.flush());
    ok(store.close());
}

/// A closed store takes nothing more, still answers, and may be closed again.
fn closed(harness: &Harness) {
    let store = (harness.open)();
    let all = events(10);
    ok(store.append(&all));
    ok(store.close());
    ok(store.close());
    match store.append(&all[..1]) {
        Ok(ack) => panic!("a closed store said {ack:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed, "{error}"),
    }
    compare(&*store, &all, &Query::all());
}

/// A reader sees what was acknowledged before its query; what begins later does not disturb it.
fn reader_beside_writer(harness: &Harness) {
    let Some(open_reader) = &harness.open_reader else { return };
    let store = (harness.open)();
    if !store.capabilities().shared_readers {
        return;
    }
    let all = events(400);
    ok(store.append(&all[..1]));
    let reader = open_reader();
    compare(&*reader, &all[..1], &Query::all());
    for end in (20..=400).step_by(20) {
        let begun = ok(reader.query(&Query::all()));
        ok(store.append(&all[end - 20..end]));
        let seen = begun.map(ok).count();
        assert!(seen <= end, "{seen} of {end}");
        compare(&*reader, &all[..end], &Query::all());
    }
    match reader.append(&all[..1]) {
        Ok(ack) => panic!("a reader said {ack:?}"),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Denied, "{error}"),
    }
    ok(store.close());
    compare(&*reader, &all, &Query::all());
    compare(&*open_reader(), &all, &Query::all());
}

/// The store's answer against the plain one.
fn compare(store: &dyn EventStore, all: &[Event], query: &Query) {
    let mut expected: Vec<&Event> = all.iter().filter(|event| query.matches(event)).collect();
    expected.sort_by_key(|event| event.timestamp);
    if query.order == Order::NewestFirst {
        expected.reverse();
    }
    expected.truncate(query.limit.unwrap_or(usize::MAX));
    let found: Vec<Event> = ok(store.query(query)).map(ok).collect();
    assert_eq!(found.len(), expected.len(), "number of answers to {query:?}");
    for (at, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert_eq!(found, expected, "answer {at} to {query:?}");
    }
}

fn counted(all: &[Event], key: impl Fn(&Event) -> String) -> Vec<(String, u64)> {
    let mut counts = BTreeMap::<String, u64>::new();
    for event in all {
        *counts.entry(key(event)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

fn events(count: u64) -> Vec<Event> {
    let config = GeneratorConfig {
        events: count,
        selectors: 40,
        sites: 6,
        sessions: 5,
        hours: 60,
        error_share: 0.2,
        fallback_share: 0.3,
        ..GeneratorConfig::default()
    };
    EventGenerator::new(7, config).collect()
}

fn ok<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

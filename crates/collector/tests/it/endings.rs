//! What a process that ends without a word leaves behind: children that do so.

use crate::support::{Flaky, LIMIT, definition};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use telemetry_collector::{Collector, CollectorConfig, KeySource, PrivacyConfig, Pseudonymous};
use telemetry_interfaces::{
    Capabilities, EventIter, EventSink, EventStore, Ledger, MemoryStore, OperationObserver, Query,
    Result, SelectorObserver, StoreStats,
};
use telemetry_models::{Event, OperationKind, Outcome, PageContext, SessionId, json};

const FOLDER: &str = "COLLECTOR_ENDINGS_FOLDER";
const HOW: &str = "COLLECTOR_ENDINGS_HOW";

/// For how long an operation may be lost: the sweep and the write interval, and as much again for a
/// machine that is busy with other tests. A process that the machine kept waiting for longer says
/// nothing; hence several.
const WINDOW_MS: u64 = 2 * (25 + 25);
const TRIES: usize = 5;
/// What a store that needs some time adds: two batches, each up to the time from which on they are
/// spooled.
const SLOW_MS: u64 = 2 * 200;

/// A store of one file, a JSON line an event, each batch written by one call; it knows the events
/// it has.
struct Lines {
    path: PathBuf,
    wait: Duration,
    inner: MemoryStore,
}

impl Lines {
    fn open(folder: &Path, wait: Duration) -> Self {
        let inner = MemoryStore::new();
        let path = folder.join("events.jsonl");
        let events = stored(folder);
        if !events.is_empty() {
            inner.append(&events).unwrap();
        }
        Self { path, wait, inner }
    }
}

/// In the order stored.
fn stored(folder: &Path) -> Vec<Event> {
    let text = fs::read_to_string(folder.join("events.jsonl")).unwrap_or_default();
    // A kill may come in the middle of a line; such a batch was not acknowledged.
    let whole = text.rfind('\n').map_or("", |at| &text[..at]);
    whole.lines().map(|line| json::from_slice(line.as_bytes()).unwrap()).collect()
}

impl EventStore for Lines {
    fn backend(&self) -> &'static str {
        "lines"
    }
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<telemetry_interfaces::Ack> {
        use std::io::Write;
        std::thread::sleep(self.wait);
        let known: BTreeSet<String> = self
            .inner
            .query(&Query::all())?
            .filter_map(|event| Some(event.ok()?.id.to_string()))
            .collect();
        let mut text = Vec::new();
        for event in batch.iter().filter(|event| !known.contains(&event.id.to_string())) {
            json::write_to(event, &mut text);
            text.push(b'\n');
        }
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&self.path).unwrap();
        file.write_all(&text).unwrap();
        self.inner.append(batch)
    }
    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.inner.append_ledger(ledger)
    }
    fn ledgers(&self) -> Result<Vec<Ledger>> {
        self.inner.ledgers()
    }
    fn flush(&self) -> Result<()> {
        self.inner.flush()
    }
    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        self.inner.query(query)
    }
    fn stats(&self) -> Result<StoreStats> {
        self.inner.stats()
    }
    fn close(&self) -> Result<()> {
        self.inner.close()
    }
}

fn child(test: &str, folder: &Path, how: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "--nocapture", test])
        .env(FOLDER, folder)
        .env(HOW, how)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// What the parent said to this child; `None` in an ordinary run of the tests.
fn orders() -> Option<(PathBuf, String)> {
    Some((PathBuf::from(std::env::var_os(FOLDER)?), std::env::var(HOW).ok()?))
}

/// The child of the next test; by itself it does nothing.
#[test]
fn child_that_ends_at_once() {
    let Some((folder, how)) = orders() else { return };
    let (end, wait) = how.split_once(' ').unwrap();
    let wait = Duration::from_millis(wait.parse().unwrap());
    let store = Arc::new(Lines::open(&folder, wait));
    let spool_dir = Some(folder.join("spool"));
    let collector = Collector::builder(CollectorConfig { spool_dir, ..CollectorConfig::default() })
        .run("ended".parse().unwrap())
        .start(store)
        .unwrap();
    let selector = collector.selector(&definition("a", &[]));
    let slow = if wait.is_zero() { 0 } else { SLOW_MS };
    let window = Duration::from_millis(WINDOW_MS + slow);
    let begun = Instant::now();
    let (mut before, mut operations) = (0, 0_u64);
    while begun.elapsed() < 4 * window {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::NotFound);
        operations += 1;
        if begun.elapsed() < 3 * window {
            before = operations;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::write(folder.join("counts"), format!("{before} {operations}")).unwrap();
    match end {
        "exit" => std::process::exit(3),
        _ => std::process::abort(),
    }
}

#[test]
fn an_exit_or_abort_loses_no_more_than_the_window() {
    for how in ["exit 0", "abort 0", "exit 150"] {
        let mut within = 0;
        for _ in 0..TRIES {
            let folder = tempfile::tempdir().unwrap();
            let child = child("endings::child_that_ends_at_once", folder.path(), how).output();
            assert!(!child.as_ref().unwrap().status.success(), "{child:?}");
            let counts = fs::read_to_string(folder.path().join("counts")).unwrap();
            let counts: Vec<u64> = counts.split(' ').map(|it| it.parse().unwrap()).collect();
            let stored = stored(folder.path()).len() as u64;
            println!("{how}: {stored} stored of {}, {} before the window", counts[1], counts[0]);
            assert!(stored <= counts[1], "{how}: {stored} of {counts:?}");
            within += usize::from(stored >= counts[0]);
        }
        assert!(within > TRIES / 2, "{how}: {within} of {TRIES} processes lost only the window");
    }
}

/// The child of the next test; by itself it does nothing.
#[test]
fn child_that_replays() {
    let Some((folder, how)) = orders() else { return };
    let store = Arc::new(Lines::open(&folder, Duration::from_millis(5)));
    let config = CollectorConfig {
        batch_events: 7,
        spool_dir: Some(folder.join("spool")),
        ..CollectorConfig::default()
    };
    let collector = Collector::builder(config).run(how.parse().unwrap()).start(store).unwrap();
    while collector.health().message.contains("wait for the store") || how != "last" {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(collector.shutdown(LIMIT).complete);
}

/// Ends a child as soon as one more batch is in its store: whether it has written down that the
/// batch left the spool is a matter of luck.
fn kill_after_a_batch(mut child: Child, folder: &Path) {
    let size = || fs::metadata(folder.join("events.jsonl")).map_or(0, |it| it.len());
    let before = size();
    while size() == before && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_replay_that_is_killed_again_and_again_stores_each_event_once_and_in_order() {
    const EVENTS: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let down = Arc::new(Flaky::default());
    down.down.store(true, Ordering::SeqCst);
    let config = CollectorConfig {
        backlog_events: 0,
        spool_dir: Some(folder.path().join("spool")),
        ..CollectorConfig::default()
    };
    let first = Collector::builder(config).run("first".parse().unwrap()).start(down).unwrap();
    let selector = first.selector(&definition("a", &[]));
    for _ in 0..EVENTS {
        first.span("", selector, None, OperationKind::Resolution).finish(Outcome::NotFound);
    }
    assert_eq!(first.shutdown(LIMIT).ledger.spooled, EVENTS as u64);

    for turn in 0..6 {
        let how = format!("turn-{turn}");
        let child = child("endings::child_that_replays", folder.path(), &how).spawn().unwrap();
        kill_after_a_batch(child, folder.path());
    }
    let halfway = stored(folder.path()).len();
    assert!((1..EVENTS).contains(&halfway), "the kills came in the middle: {halfway}");
    let last = child("endings::child_that_replays", folder.path(), "last").output().unwrap();
    assert!(last.status.success(), "{last:?}");
    let sequences: Vec<_> =
        stored(folder.path()).iter().map(|event| event.sequence.unwrap()).collect();
    assert_eq!(sequences, (0..EVENTS as u64).collect::<Vec<_>>());
}

/// The child of the next test; by itself it does nothing.
#[test]
fn child_under_a_name() {
    let Some((folder, how)) = orders() else { return };
    let privacy = PrivacyConfig {
        pseudonyms: vec![Pseudonymous::Selectors, Pseudonymous::Sessions],
        key: KeySource::File(folder.join("key")),
        ..PrivacyConfig::default()
    };
    let store = Arc::new(Lines::open(&folder, Duration::ZERO));
    let config = CollectorConfig { privacy, ..CollectorConfig::default() };
    let collector = Collector::builder(config).run(how.parse().unwrap()).start(store).unwrap();
    let selector = collector.selector(&definition("shop.price", &[]));
    let session = SessionId::new("browser-of-ann").unwrap();
    let page = PageContext { session: Some(session), ..PageContext::at("https://shop.test/") };
    let page = collector.page(&page);
    collector.span("", selector, Some(page), OperationKind::Resolution).finish(Outcome::Success);
    assert!(collector.shutdown(LIMIT).complete);
}

#[test]
fn pseudonyms_of_selectors_and_sessions_are_the_same_in_two_processes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), "0123456789abcdef0123456789abcdef").unwrap();
    for process in ["one", "two"] {
        let ended = child("endings::child_under_a_name", folder.path(), process).output().unwrap();
        assert!(ended.status.success(), "{ended:?}");
    }
    let names: BTreeSet<_> = stored(folder.path())
        .iter()
        .map(|event| {
            let session = event.page.as_ref().unwrap().session.as_ref().unwrap().to_string();
            (event.selector.to_string(), session)
        })
        .collect();
    assert_eq!((stored(folder.path()).len(), names.len()), (2, 1), "{names:?}");
    let text = fs::read_to_string(folder.path().join("events.jsonl")).unwrap();
    assert!(!text.contains("shop.price") && !text.contains("browser-of-ann"), "{text}");
}

/// The child of the next tests, whose files cannot grow; by itself it does nothing.
#[test]
fn child_on_a_full_disk() {
    let Some((folder, how)) = orders() else { return };
    let store = Arc::new(Flaky::default());
    store.down.store(true, Ordering::SeqCst);
    let config = CollectorConfig {
        batch_events: 10,
        backlog_events: 50,
        spool_dir: Some(folder.join("spool")),
        ..CollectorConfig::default()
    };
    let collector = Collector::builder(config).start(store.clone()).unwrap();
    let selector = collector.selector(&definition("a", &[]));
    for _ in 0..2_000 {
        collector.span("", selector, None, OperationKind::Resolution).finish(Outcome::NotFound);
    }
    assert!(!collector.flush(LIMIT).complete);
    let ledger = collector.ledger();
    assert!(ledger.balances() && ledger.in_flight == 0, "{ledger:?}");
    let lost = ledger.dropped_total();
    assert!(lost > 0 && ledger.spooled + lost == 2_000, "{ledger:?}");
    // Fifty in memory; on a disk that has some room, more in files.
    assert!(if how == "none" { ledger.spooled == 50 } else { ledger.spooled > 60 }, "{ledger:?}");
    let health = collector.health();
    assert!(health.message.contains("the spool said: "), "{health:?}");
    // The store returns, and what found room is stored, in order.
    store.down.store(false, Ordering::SeqCst);
    assert!(collector.flush(LIMIT).complete);
    let order: Vec<_> = store.order.lock().unwrap().iter().map(|(_, at)| *at).collect();
    assert_eq!(order, (0..ledger.spooled).collect::<Vec<_>>());
    assert_eq!(collector.ledger().stored, ledger.spooled);
    println!("stored what found room");
}

fn under(shell: &str, how: &str, folder: &Path) -> std::process::Output {
    Command::new("sh")
        .args(["-c", shell])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "endings::child_on_a_full_disk"])
        .env(FOLDER, folder)
        .env(HOW, how)
        .output()
        .unwrap()
}

fn said(output: &std::process::Output, what: &str) -> bool {
    String::from_utf8_lossy(&output.stdout).contains(what)
}

/// The shell sets a limit of one block (POSIX `ulimit -f`), and lets writing beyond it fail instead
/// of ending the process.
#[cfg(unix)]
#[test]
fn a_spool_that_cannot_be_written_costs_what_memory_does_not_hold_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let ended = under("trap '' XFSZ; ulimit -f 1; exec \"$0\" \"$@\"", "none", folder.path());
    assert!(ended.status.success() && said(&ended, "stored what found room"), "{ended:?}");
}

/// A file system of 128 KiB that only the child sees (Linux, `unshare`).
#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_fills_under_the_spool_costs_what_does_not_fit_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let probe = Command::new("unshare")
        .args(["-Urm", "mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs"])
        .arg(folder.path())
        .output();
    if !probe.is_ok_and(|it| it.status.success()) {
        eprintln!("skipped a disk that fills: no mounts in a user's name space here");
        return;
    }
    let shell = format!(
        "exec unshare -Urm sh -c 'mount -t tmpfs -o size=128k tmpfs \"${FOLDER}\" && exec \"$0\" \"$@\"' \"$0\" \"$@\""
    );
    let ended = under(&shell, "some", folder.path());
    assert!(ended.status.success() && said(&ended, "stored what found room"), "{ended:?}");
}

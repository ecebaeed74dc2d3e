//! Small stores with fixed events, and a way to run the binary on them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::interfaces::Ledger;
use telemetry_runtime::models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventId, OperationKind,
    Outcome, PageContext, ProducerId, RunId, SelectorName, StrategyKind, Timestamp,
};
use telemetry_runtime::storage::{Backend, StorageConfig, Store, open};
use tempfile::TempDir;

pub(crate) struct Place {
    pub(crate) dir: TempDir,
}

/// What a run of the binary gave.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// With a store of the fixed events.
    pub(crate) fn with_store() -> Self {
        let place = Self::new();
        place.fill(Backend::Segment, &events());
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("telemetry-data")
    }

    pub(crate) fn open(&self, backend: Backend) -> Box<dyn Store> {
        open(&StorageConfig { backend, ..StorageConfig::at(self.store()) }).unwrap()
    }

    pub(crate) fn fill(&self, backend: Backend, events: &[Event]) {
        let store = self.open(backend);
        store.append(events).unwrap();
        store.append_ledger(&ledger(events.len() as u64)).unwrap();
        store.close().unwrap();
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The binary in this directory, with nothing of the tester's environment that concerns it.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_telemetry"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("TELEMETRY_") {
                command.env_remove(name);
            }
        }
        command
            .current_dir(self.dir.path())
            .env_remove("NO_COLOR")
            .env_remove("COLUMNS")
            .args(args);
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        ran(self.command(args).output().unwrap())
    }

    /// Every file below, with its bytes; without the files by which SQLite's readers and writers
    /// of one database find each other, which hold no data when nobody writes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        collect(self.dir.path(), &mut files);
        files.retain(|path, bytes| {
            let name = path.to_string_lossy();
            !(name.ends_with(".db-shm") || name.ends_with(".db-wal") && bytes.is_empty())
        });
        files
    }

    /// Runs, and insists that not a byte below has changed.
    pub(crate) fn run_reading(&self, args: &[&str]) -> Ran {
        let before = self.files();
        let ran = self.run(args);
        let after = self.files();
        let names = |files: &BTreeMap<PathBuf, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after), "{args:?} made or removed files");
        assert!(before == after, "{args:?} changed a file");
        ran
    }
}

pub(crate) fn ran(output: Output) -> Ran {
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Ran {
    /// Insists on the exit code.
    #[track_caller]
    pub(crate) fn code(self, expected: i32) -> Self {
        assert_eq!(self.code, expected, "out:\n{}\nerr:\n{}", self.out, self.err);
        self
    }

    /// Insists that the standard error holds every part.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.err.contains(part), "{part:?} is not in:\n{}", self.err);
        }
        self
    }

    /// Insists that the standard output holds every part.
    #[track_caller]
    pub(crate) fn shows(self, parts: &[&str]) -> Self {
        for part in parts {
            assert!(self.out.contains(part), "{part:?} is not in:\n{}", self.out);
        }
        self
    }
}

pub(crate) fn start() -> Timestamp {
    "2025-03-01T12:00:00Z".parse().unwrap()
}

pub(crate) fn event(number: u64, selector: &str, outcome: Outcome) -> Event {
    let at = start().saturating_add(Duration::from_secs(10 * number));
    let mut event = Event::new(
        EventId::from_u128(u128::from(number) + 1),
        SelectorName::new(selector).unwrap(),
        at,
        OperationKind::Resolution,
        outcome,
    );
    event.run = Some(RunId::new("nightly-7").unwrap());
    event.producer = Some(ProducerId::new("worker-1").unwrap());
    event.sequence = Some(number);
    event.engine = Some("cascade 0.1".into());
    event.correlation_id = Some(CorrelationId::new(&format!("visit-{}", number / 4)).unwrap());
    event.timing.total = Some(Duration::from_micros(1500 + 100 * number));
    event.page = Some(Arc::new(PageContext {
        url_template: Some("/product/{id}".into()),
        ..PageContext::at(&format!("https://shop.example/product/{number}"))
    }));
    event
}

pub(crate) fn attempt(
    kind: &str,
    text: &str,
    outcome: AttemptOutcome,
    confidence: Option<f64>,
) -> Attempt {
    let mut attempt = Attempt::new(StrategyKind::new(kind), outcome);
    attempt.text = Some(text.into());
    attempt.duration = Some(Duration::from_micros(700));
    attempt.elements = Some(u32::from(confidence.is_some()));
    attempt.confidence = confidence.map(|it| Confidence::new(it).unwrap());
    attempt
}

/// Sixteen operations: titles found, prices found by a fallback, then lost, one page blocked.
pub(crate) fn events() -> Vec<Event> {
    let mut events = Vec::new();
    for visit in 0..5 {
        let mut title = event(3 * visit, "shop.product.title", Outcome::Success);
        title.attempts.push(attempt("css", "h1.title", AttemptOutcome::Accepted, Some(0.97)));
        let broken = visit >= 2;
        let outcome = if broken { Outcome::NotFound } else { Outcome::Success };
        let mut price = event(3 * visit + 1, "shop.product.price", outcome);
        price.attempts.push(attempt("css", "span.price", AttemptOutcome::Empty, None));
        let found = (!broken).then_some(0.8);
        let ended = if broken { AttemptOutcome::Empty } else { AttemptOutcome::Accepted };
        price.attempts.push(attempt("xpath", "//b[@itemprop='price']", ended, found));
        if broken {
            price.error = Some(ErrorInfo {
                kind: "not_found".into(),
                message: Some("no strategy matched".into()),
                ..ErrorInfo::default()
            });
        }
        let absent = event(3 * visit + 2, "shop.banner", Outcome::ExpectedAbsent);
        events.extend([title, price, absent]);
    }
    events.push(event(15, "shop.product.title", Outcome::Blocked));
    events
}

pub(crate) fn ledger(recorded: u64) -> Ledger {
    Ledger {
        run: Some(RunId::new("nightly-7").unwrap()),
        producer: Some(ProducerId::new("worker-1").unwrap()),
        at: start().saturating_add(Duration::from_secs(600)),
        recorded,
        stored: recorded,
        spooled: 0,
        in_flight: 0,
        dropped: BTreeMap::new(),
    }
}

/// The only file below a directory whose name ends so.
pub(crate) fn only(directory: &Path, ending: &str) -> PathBuf {
    let mut files = BTreeMap::new();
    collect(directory, &mut files);
    let mut found = files.into_keys().filter(|path| path.to_string_lossy().ends_with(ending));
    let path = found.next().unwrap();
    assert_eq!(found.next(), None);
    path
}

fn collect(directory: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, files);
        } else {
            let bytes = std::fs::read(&path).unwrap();
            files.insert(path, bytes);
        }
    }
}

//! The order in which parts live and end.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::{Arc, Mutex};
use std::time::Duration;
use telemetry_interfaces::{
    Code, Component, Error, ErrorKind, Health, HealthStatus, Result, SystemClock,
};
use telemetry_lifecycle::{Phase, Supervisor};

#[derive(Clone, Copy, Default)]
struct Faults {
    start: bool,
    drain: bool,
}

struct Part {
    name: &'static str,
    faults: Faults,
    log: Arc<Mutex<Vec<String>>>,
}

impl Part {
    fn note(&self, what: &str, fails: bool) -> Result<()> {
        self.log.lock().unwrap().push(format!("{what} {}", self.name));
        if fails {
            return Err(Error::new(ErrorKind::Internal, Code::Processing, "as asked"));
        }
        Ok(())
    }
}

impl Component for Part {
    fn name(&self) -> &str {
        self.name
    }
    fn start(&self) -> Result<()> {
        self.note("start", self.faults.start)
    }
    fn health(&self) -> Health {
        if self.faults.drain {
            Health::degraded(Code::BufferOverflow, "behind")
        } else {
            Health::healthy("")
        }
    }
    fn drain(&self, _limit: Duration) -> Result<()> {
        self.note("drain", self.faults.drain)
    }
    fn shutdown(&self) -> Result<()> {
        self.note("shutdown", false)
    }
}

fn supervisor(faults: [Faults; 3]) -> (Supervisor, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let mut supervisor = Supervisor::new(Arc::new(SystemClock::new()));
    for (name, faults) in ["a", "b", "c"].into_iter().zip(faults) {
        supervisor.add(Arc::new(Part { name, faults, log: log.clone() })).unwrap();
    }
    (supervisor, log)
}

#[test]
fn parts_end_in_reverse_order_once() {
    let (supervisor, log) = supervisor(Default::default());
    supervisor.start().unwrap();
    assert_eq!((supervisor.phase(), supervisor.status()), (Phase::Running, HealthStatus::Healthy));
    assert!(supervisor.shutdown(Duration::from_secs(1)).failures.is_empty());
    supervisor.shutdown(Duration::from_secs(1));
    assert_eq!(supervisor.phase(), Phase::Stopped);
    let expected =
        "start a, start b, start c, drain c, shutdown c, drain b, shutdown b, drain a, shutdown a";
    assert_eq!(log.lock().unwrap().join(", "), expected);
}

#[test]
fn a_failed_start_ends_what_was_started() {
    let (supervisor, log) =
        supervisor([Faults::default(), Faults::default(), Faults { start: true, drain: false }]);
    let error = supervisor.start().unwrap_err();
    assert!(error.to_string().contains("component: c"), "{error}");
    assert_eq!(supervisor.phase(), Phase::Failed);
    let log = log.lock().unwrap().join(", ");
    assert_eq!(log, "start a, start b, start c, shutdown b, shutdown a");
}

#[test]
fn a_part_that_cannot_drain_does_not_stop_the_others() {
    let (supervisor, log) =
        supervisor([Faults::default(), Faults { start: false, drain: true }, Faults::default()]);
    supervisor.start().unwrap();
    assert_eq!(supervisor.status(), HealthStatus::Degraded);
    let report = supervisor.shutdown(Duration::from_secs(1));
    assert_eq!(report.failures.len(), 1);
    assert_eq!((report.failures[0].0.as_str(), supervisor.phase()), ("b", Phase::Failed));
    assert!(log.lock().unwrap().ends_with(&["drain a".into(), "shutdown a".into()]));
}

#[test]
fn names_are_unique_and_starting_twice_is_refused() {
    let (mut supervisor, log) = supervisor(Default::default());
    let twin = Part { name: "b", faults: Faults::default(), log };
    assert_eq!(supervisor.add(Arc::new(twin)).unwrap_err().code(), Code::Configuration);
    supervisor.start().unwrap();
    assert!(supervisor.start().is_err());
}

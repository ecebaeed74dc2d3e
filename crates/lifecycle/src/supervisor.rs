use crate::Phase;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{
    Clock, Code, Component, Error, ErrorKind, Health, HealthStatus, Result,
};

/// Starts parts in the order they were added, and drains and shuts them down in the reverse
/// order: what feeds others ends first.
pub struct Supervisor {
    clock: Arc<dyn Clock>,
    parts: Vec<Arc<dyn Component>>,
    /// Protects the phase; also held while starting or stopping, so that the two never overlap.
    phase: Mutex<Phase>,
}

/// How the end went.
#[derive(Debug)]
pub struct ShutdownReport {
    /// What went wrong, by part, in the order it happened.
    pub failures: Vec<(String, Error)>,
    /// How long it took.
    pub elapsed: Duration,
}

impl Supervisor {
    /// Supervises nothing yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, parts: Vec::new(), phase: Mutex::default() }
    }

    /// Adds a part; it is started after those added before and ended before them.
    ///
    /// # Errors
    /// TEL-004 when the name is taken.
    pub fn add(&mut self, part: Arc<dyn Component>) -> Result<()> {
        if self.parts.iter().any(|known| known.name() == part.name()) {
            let message = format!("there are two components named {:?}", part.name());
            return Err(Error::new(ErrorKind::Invalid, Code::Configuration, message)
                .cure("give each component a name of its own"));
        }
        self.parts.push(part);
        Ok(())
    }

    /// Where it stands.
    pub fn phase(&self) -> Phase {
        *self.phase.lock()
    }

    /// Starts every part, in order.
    ///
    /// # Errors
    /// That of the first part that cannot start; the parts started before it are shut down
    /// again, in reverse order. `Invalid` when called twice.
    pub fn start(&self) -> Result<()> {
        let mut phase = self.phase.lock();
        if *phase != Phase::Initialized {
            let message = format!("expected an initialized supervisor to start, found it {phase}");
            return Err(Error::new(ErrorKind::Invalid, Code::Processing, message));
        }
        *phase = Phase::Starting;
        for (at, part) in self.parts.iter().enumerate() {
            tracing::debug!(target: "telemetry::lifecycle", part = part.name(), "starting");
            if let Err(error) = part.start() {
                for started in self.parts[..at].iter().rev() {
                    if let Err(error) = started.shutdown() {
                        tracing::error!(
                            target: "telemetry::lifecycle", part = started.name(), %error,
                            "could not be shut down after a failed start"
                        );
                    }
                }
                *phase = Phase::Failed;
                return Err(error.with("component", part.name()));
            }
        }
        *phase = Phase::Running;
        Ok(())
    }

    /// How each part is doing, in the order added.
    pub fn health(&self) -> Vec<(String, Health)> {
        self.parts.iter().map(|part| (part.name().to_owned(), part.health())).collect()
    }

    /// The worst of all parts; healthy without parts.
    pub fn status(&self) -> HealthStatus {
        let all = self.parts.iter().map(|part| part.health().status);
        all.max().unwrap_or(HealthStatus::Healthy)
    }

    /// Drains and then shuts down every part, last added first; a part that fails does not keep
    /// the others from ending. The limit is for all parts together; a part whose turn comes
    /// after it is given no time to drain. Harmless when called twice.
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        let started = self.clock.monotonic();
        let spent = || self.clock.monotonic().saturating_sub(started);
        let mut phase = self.phase.lock();
        let mut failures = Vec::new();
        if *phase == Phase::Running {
            *phase = Phase::Stopping;
            for part in self.parts.iter().rev() {
                tracing::debug!(target: "telemetry::lifecycle", part = part.name(), "stopping");
                if let Err(error) = part.drain(limit.saturating_sub(spent())) {
                    failures.push((part.name().to_owned(), error));
                }
                if let Err(error) = part.shutdown() {
                    failures.push((part.name().to_owned(), error));
                }
            }
            *phase = if failures.is_empty() { Phase::Stopped } else { Phase::Failed };
        }
        ShutdownReport { failures, elapsed: spent() }
    }
}

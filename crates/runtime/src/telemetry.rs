use crate::TelemetryConfig;
use crate::part::{CollectorPart, StorePart};
use crate::versions::StoredVersions;
use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::Collector;
use telemetry_integration::Instrumented;
use telemetry_interfaces::{
    Clock, Code, Component, EventConsumer, EventSink, FlushReport, Health, Ledger, MemoryState,
    Result, SelectorEngine, StateStore, SystemClock,
};
use telemetry_lifecycle::{ShutdownReport, Supervisor};
use telemetry_models::{ProducerId, RunId};
use telemetry_storage::{Backend, Store};

#[cfg(feature = "alerting")]
type AlertHook = Box<dyn Fn(&telemetry_models::AlertTransition) + Send>;

/// Wires a whole system together.
#[must_use = "nothing runs until start"]
pub struct TelemetryBuilder {
    config: TelemetryConfig,
    clock: Option<Arc<dyn Clock>>,
    run: Option<RunId>,
    producer: Option<ProducerId>,
    consumers: Vec<Box<dyn EventConsumer>>,
    #[cfg(feature = "alerting")]
    on_alert: Vec<AlertHook>,
}

impl TelemetryBuilder {
    /// Replaces the clocks, for tests and simulations.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Names the run; by default its start time and process id.
    pub fn run(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Names the producer within the run; by default `main`.
    pub fn producer(mut self, producer: ProducerId) -> Self {
        self.producer = Some(producer);
        self
    }

    /// Adds something that sees every event, after alerting.
    pub fn consumer(mut self, consumer: Box<dyn EventConsumer>) -> Self {
        self.consumers.push(consumer);
        self
    }

    /// Calls back for every change of every alert, on the pipeline thread: it must not wait. One
    /// that panics is not called again.
    #[cfg(feature = "alerting")]
    pub fn on_alert(
        mut self,
        hook: impl Fn(&telemetry_models::AlertTransition) + Send + 'static,
    ) -> Self {
        self.on_alert.push(Box::new(hook));
        self
    }

    /// Opens the store and the state, and starts every part.
    ///
    /// # Errors
    /// TEL-004 when the configuration is wrong or asks for what was not compiled in; TEL-001 when
    /// the store cannot be opened; that of the first part that cannot start.
    pub fn start(self) -> Result<Telemetry> {
        self.config.validate()?;
        let clock = self.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::new()));
        let store: Arc<dyn Store> = Arc::from(telemetry_storage::open(&self.config.storage)?);
        let recovered = store.recovered();
        if !recovered.is_clean() {
            tracing::warn!(
                target: "telemetry::storage",
                path = %self.config.storage.path.display(),
                code = Code::Corruption.as_str(),
                "{recovered}; `telemetry store verify` lists every place"
            );
        }
        let state = state(&self.config)?;
        let mut recording = self.config.collector.clone();
        if recording.spool_dir.is_none() && self.config.storage.backend != Backend::Memory {
            recording.spool_dir = Some(self.config.storage.path.join("spool"));
        }
        let mut collector = Collector::builder(recording);
        if let Some(clock) = self.clock {
            collector = collector.clock(clock);
        }
        if let Some(run) = self.run {
            collector = collector.run(run);
        }
        if let Some(producer) = self.producer {
            collector = collector.producer(producer);
        }
        #[cfg(feature = "alerting")]
        if self.config.alerting.enabled {
            let monitor = monitor(&self.config, &state, &clock, self.on_alert)?;
            collector = collector.consumer(Box::new(monitor));
        }
        for consumer in self.consumers {
            collector = collector.consumer(consumer);
        }
        let collector = collector.start(store.clone())?;
        let versions = Arc::new(StoredVersions::start(Arc::clone(&state), collector.clone())?);
        let mut supervisor = Supervisor::new(clock);
        supervisor.add(Arc::new(StorePart(Arc::clone(&store))))?;
        supervisor.add(Arc::clone(&versions) as Arc<dyn Component>)?;
        supervisor.add(Arc::new(CollectorPart(collector.clone())))?;
        supervisor.start()?;
        Ok(Telemetry { collector, store, state, versions, supervisor })
    }
}

/// The state beside the store; in memory when the store is.
fn state(config: &TelemetryConfig) -> Result<Arc<dyn StateStore>> {
    match config.storage.backend {
        Backend::Memory => Ok(Arc::new(MemoryState::new())),
        _ => persistent_state(config),
    }
}

#[cfg(feature = "state")]
fn persistent_state(config: &TelemetryConfig) -> Result<Arc<dyn StateStore>> {
    Ok(Arc::new(telemetry_storage::SqliteState::open(&config.storage.path)?))
}

/// Without the feature `state`, alerts are known while the process runs.
#[cfg(not(feature = "state"))]
fn persistent_state(_config: &TelemetryConfig) -> Result<Arc<dyn StateStore>> {
    Ok(Arc::new(MemoryState::new()))
}

#[cfg(feature = "alerting")]
fn monitor(
    config: &TelemetryConfig,
    state: &Arc<dyn StateStore>,
    clock: &Arc<dyn Clock>,
    hooks: Vec<AlertHook>,
) -> Result<telemetry_alerting::AlertMonitor> {
    use telemetry_alerting::{
        AlertMonitor, DetectionEngine, SystemEngine, ThresholdEngine, channels,
    };
    let engine = ThresholdEngine::new(&config.alerting)?;
    let mut builder = AlertMonitor::builder(engine, Arc::clone(state), Arc::clone(clock))
        .channels(channels(&config.alerting)?)
        .delivery(config.alerting.delivery.clone())
        .keep_closed(config.alerting.keep_closed);
    let detection = &config.alerting.detection;
    if detection.false_alarms_per_day > 0.0 {
        builder = builder.engine(DetectionEngine::new(detection, config.alerting.max_series)?);
    }
    builder = builder.engine(SystemEngine::new(&config.alerting.system)?);
    for hook in hooks {
        builder = builder.on_change(hook);
    }
    builder.start()
}

/// A running system: recording, store, alerting.
///
/// Call [`shutdown`](Self::shutdown) at the end and look at what it reports; dropping it drains
/// too, for at most five seconds and without a report.
pub struct Telemetry {
    collector: Collector,
    store: Arc<dyn Store>,
    state: Arc<dyn StateStore>,
    versions: Arc<StoredVersions>,
    supervisor: Supervisor,
}

impl Telemetry {
    /// Begins to set one up.
    pub fn builder(config: TelemetryConfig) -> TelemetryBuilder {
        TelemetryBuilder {
            config,
            clock: None,
            run: None,
            producer: None,
            consumers: Vec::new(),
            #[cfg(feature = "alerting")]
            on_alert: Vec::new(),
        }
    }

    /// Puts an engine under observation. Which version of its selector a definition is, is kept
    /// beside the store: other strategies than in the run before are the next version.
    pub fn observe<E: SelectorEngine>(&self, engine: E) -> Instrumented<E, Collector> {
        let versions = Arc::clone(&self.versions);
        Instrumented::with_versions(engine, self.collector.clone(), versions)
    }

    /// Where operations and events are recorded.
    pub fn collector(&self) -> &Collector {
        &self.collector
    }

    /// Where events are kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Where alerts and other small state are kept.
    pub fn state(&self) -> &Arc<dyn StateStore> {
        &self.state
    }

    /// Every alert that is kept, open ones first.
    ///
    /// # Errors
    /// When the state cannot be read.
    #[cfg(feature = "alerting")]
    pub fn alerts(&self) -> Result<Vec<telemetry_models::Alert>> {
        use telemetry_alerting::{AlertBook, AlertFilter};
        AlertBook::new(Arc::clone(&self.state)).list(&AlertFilter::default())
    }

    /// How each part is doing, and then each consumer of events, alerting among them, as of the
    /// last tick (200 ms at most). The collector's is the worst of its own and its consumers'.
    pub fn health(&self) -> Vec<(String, Health)> {
        let mut health = self.supervisor.health();
        health.extend(self.collector.consumers());
        health
    }

    /// Where every event went so far.
    pub fn ledger(&self) -> Ledger {
        self.collector.ledger()
    }

    /// Waits until everything recorded so far is stored, at most `limit`.
    pub fn flush(&self, limit: Duration) -> FlushReport {
        self.collector.flush(limit)
    }

    /// Stores what was recorded, tells the channels what was decided, closes the store; at most
    /// `limit`. Harmless when called twice.
    pub fn shutdown(&self, limit: Duration) -> ShutdownReport {
        self.supervisor.shutdown(limit)
    }
}

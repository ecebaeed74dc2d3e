use crate::PrivacyConfig;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result};

/// Settings of the recording side.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CollectorConfig {
    /// Whether anything is recorded at all.
    pub enabled: bool,
    /// Operations a thread gathers before it hands them on, 1 to 4,096.
    pub chunk_events: usize,
    /// Operations that may wait between the engine's threads and the pipeline, 256 to 16,777,216.
    pub queue_events: usize,
    /// How long an operation may lie in a thread's chunk, in milliseconds, 1 to 50.
    pub sweep_ms: u64,
    /// Events handed to the store at once, 1 to 65,536.
    pub batch_events: usize,
    /// How long an event may wait for its batch to fill, in milliseconds, 1 to 60,000. What lies in
    /// chunks and batches is lost with a process that is killed; each write is a block of the store.
    pub write_interval_ms: u64,
    /// Events kept in memory while the store is unavailable and the spool takes no more (or there
    /// is none), 0 to 16,777,216.
    pub backlog_events: usize,
    /// Directory of the files that events wait in while the store is unavailable; one collector at
    /// a time uses it. Without one they wait in memory and are lost with the process.
    pub spool_dir: Option<PathBuf>,
    /// Bytes the spool's files may take together, 65,536 to 1,099,511,627,776.
    pub spool_bytes: u64,
    /// What happens when the queue is full.
    pub back_pressure: BackPressure,
    /// Share of the plain successes that is recorded, 0.000001 to 1. Failures, fallbacks and
    /// whatever else is not a success at the first try are always recorded. The events say with
    /// what probability they were kept (attribute `sampling.probability`).
    pub sample_successes: f64,
    /// How long a [`Tally`](crate::Tally) counts for one event, in milliseconds, 10 to 60,000.
    pub tally_ms: u64,
    /// Whether processor and memory use of the process are sampled each second, for the events of
    /// that time.
    pub sample_process: bool,
    /// What is removed or replaced before anything is written.
    pub privacy: PrivacyConfig,
}

/// What happens when the queue is full. The engine's thread waits in one case only, and for a
/// limited time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum BackPressure {
    /// Give up what was recorded last.
    #[default]
    DropNewest,
    /// Give up what has waited longest.
    DropOldest,
    /// Wait up to so many milliseconds, then give up what was recorded last.
    BlockMs(u64),
    /// From half full on, record a falling share of the plain successes (down to 1 in 256).
    /// Failures, fallbacks and the like are kept even beside a full queue, as many again as it
    /// holds.
    Adaptive,
}

impl Default for CollectorConfig {
    fn default() -> Self {
        Self {
            enabled: true,
            chunk_events: 256,
            queue_events: 65_536,
            sweep_ms: 25,
            batch_events: 4_096,
            write_interval_ms: 25,
            backlog_events: 65_536,
            spool_dir: None,
            spool_bytes: 256 << 20,
            back_pressure: BackPressure::default(),
            sample_successes: 1.0,
            tally_ms: 1_000,
            sample_process: true,
            privacy: PrivacyConfig::default(),
        }
    }
}

impl CollectorConfig {
    /// Checks the ranges given at each field.
    ///
    /// # Errors
    /// TEL-004 with field, value and allowed range.
    pub fn validate(&self) -> Result<()> {
        let block_ms = match self.back_pressure {
            BackPressure::BlockMs(ms) => ms,
            _ => 1,
        };
        let checks: [(&str, u64, u64, u64); 9] = [
            ("collector.chunk_events", self.chunk_events as u64, 1, 4_096),
            ("collector.queue_events", self.queue_events as u64, 256, 16_777_216),
            ("collector.sweep_ms", self.sweep_ms, 1, 50),
            ("collector.batch_events", self.batch_events as u64, 1, 65_536),
            ("collector.write_interval_ms", self.write_interval_ms, 1, 60_000),
            ("collector.backlog_events", self.backlog_events as u64, 0, 16_777_216),
            ("collector.spool_bytes", self.spool_bytes, 65_536, 1 << 40),
            ("collector.tally_ms", self.tally_ms, 10, 60_000),
            ("collector.back_pressure.block_ms", block_ms, 1, 60_000),
        ];
        for (field, value, low, high) in checks {
            if !(low..=high).contains(&value) {
                return Err(Error::new(
                    ErrorKind::Invalid,
                    Code::Configuration,
                    format!("{field} is {value}, expected {low} to {high}"),
                ));
            }
        }
        let share = self.sample_successes;
        if !(0.000_001..=1.0).contains(&share) {
            return Err(Error::new(
                ErrorKind::Invalid,
                Code::Configuration,
                format!("collector.sample_successes is {share}, expected 0.000001 to 1"),
            ));
        }
        self.privacy.validate()
    }

    pub(crate) fn sweep(&self) -> Duration {
        Duration::from_millis(self.sweep_ms)
    }

    pub(crate) fn write_interval(&self) -> Duration {
        Duration::from_millis(self.write_interval_ms)
    }

    pub(crate) fn tally_window(&self) -> Duration {
        Duration::from_millis(self.tally_ms)
    }

    /// Chunks the queue holds.
    pub(crate) fn queue_chunks(&self) -> usize {
        self.queue_events.div_ceil(self.chunk_events).max(1)
    }
}

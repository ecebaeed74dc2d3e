use crate::{Code, Result};
use serde::Serialize;
use std::time::Duration;

/// A part that is started, watched, drained and shut down in order.
///
/// `start` is called once, before anything else; `drain` stops new input and finishes what was
/// taken; `shutdown` releases everything and may be called without `drain`, and twice.
pub trait Component: Send + Sync {
    /// A short name, unique within a runtime.
    fn name(&self) -> &str;

    /// Begins work.
    ///
    /// # Errors
    /// When the part cannot work; parts started before it are then shut down again.
    fn start(&self) -> Result<()>;

    /// How it is doing. Cheap and never blocking.
    fn health(&self) -> Health;

    /// Takes nothing new and finishes what was taken, within `limit`.
    ///
    /// # Errors
    /// When work was left over at the limit; the message says how much.
    fn drain(&self, limit: Duration) -> Result<()>;

    /// Ends.
    ///
    /// # Errors
    /// When something could not be released in order.
    fn shutdown(&self) -> Result<()>;
}

/// How a part is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Doing its work.
    Healthy,
    /// Doing part of its work: spooling, dropping, lagging.
    Degraded,
    /// Not doing its work.
    Failed,
}

/// How a part is doing, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// The code of the trouble, if any.
    pub code: Option<Code>,
    /// In one sentence.
    pub message: String,
}

impl Health {
    /// Doing its work.
    pub fn healthy(message: impl Into<String>) -> Self {
        Self { status: HealthStatus::Healthy, code: None, message: message.into() }
    }

    /// Doing part of its work.
    pub fn degraded(code: Code, message: impl Into<String>) -> Self {
        Self { status: HealthStatus::Degraded, code: Some(code), message: message.into() }
    }

    /// Not doing its work.
    pub fn failed(code: Code, message: impl Into<String>) -> Self {
        Self { status: HealthStatus::Failed, code: Some(code), message: message.into() }
    }
}

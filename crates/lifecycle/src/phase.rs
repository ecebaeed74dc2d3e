use std::fmt;

/// Where a supervisor stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing was started yet.
    #[default]
    Initialized,
    /// Parts are being started.
    Starting,
    /// Every part runs.
    Running,
    /// Parts are being drained and shut down.
    Stopping,
    /// Every part was shut down in order.
    Stopped,
    /// A part could not be started, drained or shut down.
    Failed,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Initialized => "initialized",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        })
    }
}

use quanta::Clock as Tsc;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Clock;
use telemetry_models::Timestamp;

/// Where clock readings come from.
///
/// The default reads the processor's time-stamp counter where it is invariant (calibrated once
/// against the operating system's clock by `quanta`) and the operating system's monotonic clock
/// elsewhere. An injected clock is read directly.
#[derive(Clone, Debug)]
pub(crate) enum Time {
    Hardware { tsc: Tsc, clock: Arc<dyn Clock> },
    Injected(Arc<dyn Clock>),
}

/// A clock reading and the calendar time at the same moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    raw: u64,
    utc: Timestamp,
}

impl Time {
    pub(crate) fn hardware(clock: Arc<dyn Clock>) -> Self {
        Self::Hardware { tsc: Tsc::new(), clock }
    }

    #[inline]
    pub(crate) fn raw(&self) -> u64 {
        match self {
            Self::Hardware { tsc, .. } => tsc.raw(),
            Self::Injected(clock) => {
                u64::try_from(clock.monotonic().as_nanos()).unwrap_or(u64::MAX)
            }
        }
    }

    #[inline]
    pub(crate) fn between(&self, start: u64, end: u64) -> Duration {
        let nanos = match self {
            Self::Hardware { tsc, .. } => tsc.delta_as_nanos(start, end),
            Self::Injected(_) => end.saturating_sub(start),
        };
        Duration::from_nanos(nanos)
    }

    pub(crate) fn utc(&self) -> Timestamp {
        match self {
            Self::Hardware { clock, .. } | Self::Injected(clock) => clock.utc(),
        }
    }

    pub(crate) fn monotonic(&self) -> Duration {
        match self {
            Self::Hardware { clock, .. } | Self::Injected(clock) => clock.monotonic(),
        }
    }

    pub(crate) fn anchor(&self) -> Anchor {
        Anchor { raw: self.raw(), utc: self.utc() }
    }

    /// The calendar time of an earlier clock reading.
    pub(crate) fn at(&self, raw: u64, anchor: Anchor) -> Timestamp {
        if raw <= anchor.raw {
            anchor.utc.saturating_sub(self.between(raw, anchor.raw))
        } else {
            anchor.utc.saturating_add(self.between(anchor.raw, raw))
        }
    }
}

use std::time::Duration;
use telemetry_models::{AlertState, Timestamp};

/// How long things must last.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timing {
    pub(crate) hold: Duration,
    pub(crate) keep: Duration,
    pub(crate) cooldown: Duration,
}

/// Where one rule stands on one selector.
///
/// The timing is Prometheus': firing when the condition has held for `hold` or longer since it
/// first did; no longer firing when `keep` or more has passed since the first evaluation at which
/// it did not (Prometheus 2.42, `rules/alerting.go`). Resolved alerts close after the cooldown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Machine {
    Inactive,
    Pending { since: Timestamp },
    Firing,
    Recovering { since: Timestamp },
    Resolved { since: Timestamp },
}

impl Machine {
    pub(crate) fn state(self) -> AlertState {
        match self {
            Self::Inactive => AlertState::Inactive,
            Self::Pending { .. } => AlertState::Pending,
            Self::Firing => AlertState::Firing,
            Self::Recovering { .. } => AlertState::Recovering,
            Self::Resolved { .. } => AlertState::Resolved,
        }
    }

    /// Makes one step, if one is due; call until none is. `holds` is `None` while there is too
    /// little data to tell, and then only the cooldown goes on: no data never ends an alert.
    ///
    /// Returns the state left and the state reached; an occurrence that ends reaches
    /// [`AlertState::Closed`], or [`AlertState::Inactive`] when it never fired, and the machine
    /// begins anew.
    pub(crate) fn step(
        &mut self,
        now: Timestamp,
        holds: Option<bool>,
        timing: Timing,
    ) -> Option<(AlertState, AlertState)> {
        let from = self.state();
        let next = match (*self, holds) {
            (Self::Resolved { since }, _) if now.since(since) >= timing.cooldown => {
                *self = Self::Inactive;
                return Some((from, AlertState::Closed));
            }
            (Self::Inactive, Some(true)) if timing.hold.is_zero() => Self::Firing,
            (Self::Inactive, Some(true)) => Self::Pending { since: now },
            (Self::Pending { since }, Some(true)) if now.since(since) >= timing.hold => {
                Self::Firing
            }
            (Self::Pending { .. }, Some(false)) => Self::Inactive,
            (Self::Firing, Some(false)) if timing.keep.is_zero() => Self::Resolved { since: now },
            (Self::Firing, Some(false)) => Self::Recovering { since: now },
            (Self::Recovering { .. }, Some(true)) => Self::Firing,
            (Self::Recovering { since }, Some(false)) if now.since(since) >= timing.keep => {
                Self::Resolved { since: now }
            }
            _ => return None,
        };
        *self = next;
        Some((from, next.state()))
    }
}

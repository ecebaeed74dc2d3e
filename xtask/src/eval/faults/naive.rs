use std::collections::VecDeque;
use telemetry_runtime::detection::{Operation, Watched};
use telemetry_runtime::models::Outcome;

/// Length, least samples and name of the windows compared with.
pub(crate) const WINDOWS: [(f64, usize, &str); 2] = [(60.0, 1, "1 min"), (300.0, 20, "5 min, 20")];
/// A share above this alerts.
const SHARE: f64 = 0.05;
/// A mean so many times the usual one alerts (durations), or below its inverse (matches).
const TIMES: f64 = 1.3;
/// Confidence so far below the usual one alerts.
const BELOW: f64 = 0.05;

/// What people set thresholds on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    Errors,
    Timeouts,
    ZeroMatches,
    Fallbacks,
    Duration,
    Confidence,
    Matches,
}

impl Kind {
    pub(crate) const ALL: [Self; 7] = [
        Self::Errors,
        Self::Timeouts,
        Self::ZeroMatches,
        Self::Fallbacks,
        Self::Duration,
        Self::Confidence,
        Self::Matches,
    ];

    pub(crate) fn of(watched: Watched) -> Option<Self> {
        Some(match watched {
            Watched::Errors => Self::Errors,
            Watched::Timeouts => Self::Timeouts,
            Watched::ZeroMatches => Self::ZeroMatches,
            Watched::Fallbacks => Self::Fallbacks,
            Watched::Duration => Self::Duration,
            Watched::Confidence => Self::Confidence,
            Watched::Matches => Self::Matches,
            _ => return None,
        })
    }

    fn value(self, operation: &Operation) -> Option<f64> {
        let verdict = operation.outcome.is_verdict();
        let share = |counts: bool| verdict.then_some(f64::from(u8::from(counts)));
        match self {
            Self::Errors => share(!operation.outcome.is_success()),
            Self::Timeouts => share(operation.outcome == Outcome::Timeout),
            Self::ZeroMatches => share(operation.matched_nothing),
            Self::Fallbacks => operation.won.map(|won| f64::from(u8::from(won > 0))),
            Self::Duration => operation.duration_ms,
            Self::Confidence => operation.confidence,
            Self::Matches => operation.matches.map(f64::from),
        }
    }

    fn is_bad(self, mean: f64, usual: f64) -> bool {
        match self {
            Self::Errors | Self::Timeouts | Self::ZeroMatches | Self::Fallbacks => mean > SHARE,
            Self::Duration => mean > usual * TIMES,
            Self::Matches => mean < usual / TIMES,
            Self::Confidence => mean < usual - BELOW,
        }
    }
}

/// A window of time with a fixed threshold. What is usual for a value is told to it: the mean of all
/// values before.
#[derive(Clone)]
pub(crate) struct Naive {
    kind: Kind,
    length_s: f64,
    least: usize,
    window: VecDeque<(f64, f64)>,
    sum: f64,
    usual: (f64, f64),
    firing: bool,
}

impl Naive {
    pub(crate) fn new(kind: Kind, (length_s, least, _): (f64, usize, &str)) -> Self {
        let window = VecDeque::new();
        Self { kind, length_s, least, window, sum: 0.0, usual: (0.0, 0.0), firing: false }
    }

    /// Takes an operation; whether it begins to fire.
    pub(crate) fn fires(&mut self, at: f64, operation: &Operation) -> bool {
        let Some(value) = self.kind.value(operation) else { return false };
        self.window.push_back((at, value));
        self.sum += value;
        while let Some((oldest, value)) = self.window.front().copied()
            && at - oldest > self.length_s
        {
            self.window.pop_front();
            self.sum -= value;
            self.usual = (self.usual.0 + value, self.usual.1 + 1.0);
        }
        let mean = self.sum / self.window.len() as f64;
        let usual = if self.usual.1 < 20.0 { mean } else { self.usual.0 / self.usual.1 };
        let bad = self.window.len() >= self.least && self.kind.is_bad(mean, usual);
        let was = std::mem::replace(&mut self.firing, bad);
        bad && !was
    }
}

use std::collections::VecDeque;
use telemetry_aggregation::aggregate_of;
use telemetry_models::Aggregate;

/// A baseline's samples that one rule has for itself, because they are not simply the samples
/// before its window: while its alert is open nothing is added, so that trouble does not become
/// what is normal, and what a rule was made to forget does not come back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    samples: VecDeque<f64>,
    /// Samples that came since it began to differ: when it holds nothing older, it does not any
    /// more.
    fresh: usize,
    frozen: Option<f64>,
}

impl Past {
    pub(crate) fn of(samples: impl Iterator<Item = f64>) -> Self {
        Self { samples: samples.collect(), ..Self::default() }
    }

    /// Takes a sample that left the window, unless it is frozen.
    pub(crate) fn push(&mut self, sample: f64, capacity: usize) {
        if self.frozen.is_some() {
            return;
        }
        while self.samples.len() >= capacity {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.fresh += 1;
    }

    /// The baseline; `None` while there are fewer than `min` samples.
    pub(crate) fn value(&self, aggregate: Aggregate, min: usize) -> Option<f64> {
        if self.frozen.is_some() {
            return self.frozen;
        }
        if self.samples.len() < min {
            return None;
        }
        aggregate_of(self.samples.iter().copied(), aggregate)
    }

    pub(crate) fn freeze(&mut self, value: Option<f64>) {
        self.frozen = value;
    }

    pub(crate) fn frozen(&self) -> Option<f64> {
        self.frozen
    }

    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
        self.fresh = 0;
    }

    /// Whether it is again what the selector's other rules have.
    pub(crate) fn is_common(&self, capacity: usize) -> bool {
        self.frozen.is_none() && self.fresh >= capacity
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().copied()
    }
}

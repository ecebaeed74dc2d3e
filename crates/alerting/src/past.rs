use std::collections::VecDeque;
use telemetry_aggregation::aggregate_of;
use telemetry_models::Aggregate;

/// The baseline is computed anew after so many further samples.
const REFRESH: u32 = 8;

/// A selector's own past for one rule: the samples that left the rule's window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Past {
    samples: VecDeque<f64>,
    fresh: u32,
    value: Option<f64>,
    frozen: Option<f64>,
}

impl Past {
    /// Takes a sample that left the window, unless the past is frozen or not wanted (capacity 0).
    pub(crate) fn push(&mut self, sample: f64, capacity: usize) {
        if self.frozen.is_some() || capacity == 0 {
            return;
        }
        if self.samples.len() >= capacity {
            self.samples.pop_front();
        }
        self.samples.push_back(sample);
        self.fresh += 1;
    }

    /// The baseline; `None` while there are fewer than `min` samples.
    pub(crate) fn value(&mut self, aggregate: Aggregate, min: usize) -> Option<f64> {
        if self.frozen.is_some() {
            return self.frozen;
        }
        if self.samples.len() < min {
            return None;
        }
        if self.value.is_none() || self.fresh >= REFRESH {
            self.value = aggregate_of(self.samples.iter().copied(), aggregate);
            self.fresh = 0;
        }
        self.value
    }

    pub(crate) fn freeze(&mut self, value: Option<f64>) {
        self.frozen = value;
    }

    pub(crate) fn thaw(&mut self) {
        self.frozen = None;
    }

    pub(crate) fn clear(&mut self) {
        self.samples.clear();
        self.value = None;
        self.fresh = 0;
    }

    pub(crate) fn samples(&self) -> impl Iterator<Item = f64> + '_ {
        self.samples.iter().copied()
    }
}

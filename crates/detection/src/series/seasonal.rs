use serde::{Deserialize, Serialize};

const SLOTS: usize = 48;
const PERIOD_S: i64 = 86_400;
/// A slot forgets with this weight a value, which is a few days of half an hour.
const FORGET: f64 = 0.05;
/// From one value nothing can be expected.
const FEWEST: f64 = 2.0;

/// The expected value at a time of day: an exponentially weighted mean of each half hour (Winters,
/// "Forecasting Sales by Exponentially Weighted Moving Averages", Management Science 6, 1960; the
/// season alone).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Seasonal {
    /// Mean and number of values.
    slots: Vec<(f64, f64)>,
}

impl Seasonal {
    pub(super) fn new() -> Self {
        Self { slots: vec![(0.0, 0.0); SLOTS] }
    }

    /// What is expected at a time; `None` while too little is known of that time of day.
    pub(super) fn expected(&self, at_s: i64) -> Option<f64> {
        let (mean, seen) = self.slots[slot(at_s)];
        (seen >= FEWEST).then_some(mean)
    }

    pub(super) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<(f64, f64)>()
    }

    pub(super) fn learn(&mut self, at_s: i64, value: f64) {
        let (mean, seen) = &mut self.slots[slot(at_s)];
        *seen += 1.0;
        *mean += FORGET.max(1.0 / *seen) * (value - *mean);
    }
}

fn slot(at_s: i64) -> usize {
    let into_day = at_s.rem_euclid(PERIOD_S);
    (into_day * SLOTS as i64 / PERIOD_S) as usize
}

use serde::{Deserialize, Serialize};

/// Values that are remembered; 8 KiB.
const NEIGHBOURS: usize = 1024;
/// Every so many values one is remembered.
const EVERY: u32 = 4;

/// How far a value is from the nearest value remembered (distance-based outliers: Ramaswamy, Rastogi,
/// Shim, "Efficient Algorithms for Mining Outliers from Large Data Sets", SIGMOD 2000). Unlike a
/// distance from the mean it sees values between two habitual levels.
///
/// A value remembered takes the place of a random one, so that memory fades evenly. The values are
/// kept in order, so that a look-up is a binary search.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Novelty {
    sorted: Vec<f64>,
    seen: u32,
    random: u64,
}

impl Novelty {
    pub(super) fn new() -> Self {
        Self { sorted: Vec::new(), seen: 0, random: 0x9e37_79b9_7f4a_7c15 }
    }

    /// Distance to the nearest value; `None` before there is one.
    pub(super) fn distance(&self, value: f64) -> Option<f64> {
        let place = self.sorted.partition_point(|it| *it < value);
        let above = self.sorted.get(place).map(|it| it - value);
        let below = place.checked_sub(1).map(|at| value - self.sorted[at]);
        match (below, above) {
            (Some(below), Some(above)) => Some(below.min(above)),
            (one, other) => one.or(other),
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.sorted.capacity() * size_of::<f64>()
    }

    pub(super) fn learn(&mut self, value: f64) {
        self.seen += 1;
        if self.seen < EVERY {
            return;
        }
        self.seen = 0;
        if self.sorted.len() == NEIGHBOURS {
            // Marsaglia's xorshift; which value goes need not be unpredictable.
            self.random ^= self.random << 13;
            self.random ^= self.random >> 7;
            self.random ^= self.random << 17;
            self.sorted.remove((self.random >> 32) as usize % NEIGHBOURS);
        }
        let place = self.sorted.partition_point(|it| *it < value);
        self.sorted.insert(place, value);
    }
}

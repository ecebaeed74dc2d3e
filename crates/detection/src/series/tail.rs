use serde::{Deserialize, Serialize};

/// The largest values that are kept: the tail is fitted to them.
const PEAKS: usize = 64;
/// Fewer values than this say nothing about a tail.
const FEWEST: f64 = 10.0;
/// No probability below this is believed, however far out a value lies.
const LEAST_PROBABILITY: f64 = 1e-12;

/// How surprising a value is, from the largest values seen before it: peaks over a threshold, with
/// a generalised Pareto distribution fitted to the excesses by probability-weighted moments.
///
/// Sources: Siffer, Fouque, Termier, Largouët, "Anomaly Detection in Streams with Extreme Value
/// Theory" (KDD 2017), for the use on streams; Hosking and Wallis, "Parameter and Quantile
/// Estimation for the Generalized Pareto Distribution" (Technometrics 29, 1987), for the fit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    /// Values the peaks stand for; halved with them when the tail is aged.
    count: f64,
    /// Ascending; the first is the threshold.
    peaks: Vec<f64>,
    shape: f64,
    scale: f64,
}

impl Tail {
    pub(super) fn new() -> Self {
        Self { count: 0.0, peaks: Vec::with_capacity(PEAKS + 1), shape: 0.0, scale: 0.0 }
    }

    /// −ln of the probability that a value is at least `value`; 0 for what is not among the largest.
    pub(super) fn surprise(&self, value: f64) -> f64 {
        if self.peaks.len() < 4 || self.count < FEWEST || value <= self.peaks[0] {
            return 0.0;
        }
        if self.scale <= 0.0 {
            // All peaks are equal: larger than everything seen is all that can be said.
            return (self.count + 1.0).ln();
        }
        let reached = self.peaks.len() as f64 / (self.count + 1.0);
        let excess = (value - self.peaks[0]) / self.scale;
        let beyond = if self.shape.abs() < 1e-9 {
            (-excess).exp()
        } else {
            (1.0 + self.shape * excess).max(0.0).powf(-1.0 / self.shape)
        };
        -(reached * beyond).max(LEAST_PROBABILITY).ln()
    }

    /// Learns a value. After `memory` values, half of what they taught is forgotten.
    pub(super) fn learn(&mut self, value: f64, memory: f64) {
        self.count += 1.0;
        let full = self.peaks.len() >= PEAKS;
        if !full || value > self.peaks[0] {
            if full {
                self.peaks.remove(0);
            }
            let place = self.peaks.partition_point(|peak| *peak < value);
            self.peaks.insert(place, value);
            self.fit();
        }
        if self.count >= memory {
            self.count /= 2.0;
            let mut keep = false;
            self.peaks.retain(|_| {
                keep = !keep;
                !keep
            });
            self.fit();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.peaks.capacity() * size_of::<f64>()
    }

    fn fit(&mut self) {
        (self.shape, self.scale) = (0.0, 0.0);
        let Some((threshold, above)) = self.peaks.split_first() else { return };
        if above.len() < 3 {
            return;
        }
        let size = above.len() as f64;
        let mut mean = 0.0;
        let mut weighted = 0.0;
        for (rank, peak) in above.iter().enumerate() {
            let excess = peak - threshold;
            mean += excess / size;
            weighted += excess * (size - 1.0 - rank as f64) / (size - 1.0) / size;
        }
        if mean <= 0.0 {
            return;
        }
        let difference = mean - 2.0 * weighted;
        self.scale = mean;
        if difference > 1e-12 * mean {
            let shape = 2.0 - mean / difference;
            // Outside these limits the moments do not exist or the end point comes too near.
            self.shape = shape.clamp(-0.5, 0.9);
            self.scale = if self.shape == shape {
                2.0 * mean * weighted / difference
            } else {
                mean * (1.0 - self.shape)
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Tail;

    #[test]
    fn the_tail_of_exponential_values_is_told_beyond_what_was_seen() {
        let mut tail = Tail::new();
        let count = 4_000;
        let quantile = |at: f64| -(1.0 - at).ln();
        for at in 0..count {
            // All quantiles of the distribution once, in an order without trend.
            let place = (at * 1_237) % count;
            tail.learn(quantile((f64::from(place) + 0.5) / f64::from(count)), f64::INFINITY);
        }
        for probability in [1e-3_f64, 1e-4, 1e-5] {
            let told = (-tail.surprise(-probability.ln())).exp();
            assert!((0.5..2.0).contains(&(told / probability)), "{told} for {probability}");
        }
    }

    #[test]
    fn nothing_is_said_of_ordinary_values_and_of_too_few() {
        let mut tail = Tail::new();
        assert_eq!(tail.surprise(1e9), 0.0);
        for _ in 0..100 {
            tail.learn(1.0, f64::INFINITY);
        }
        assert_eq!(tail.surprise(1.0), 0.0);
        assert_eq!(tail.surprise(2.0), 101_f64.ln());
    }
}

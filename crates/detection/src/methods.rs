mod decomposition;
mod forest;
mod parameters;
mod statistics;

use forest::Forest;
pub use parameters::{InvalidParameter, MethodName};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// An anomaly detection method of the original system, with its parameters. `Method::new` gives the
/// defaults.
///
/// Each looks at one series (a selector's signal) and judges a value by earlier values alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "snake_case", deny_unknown_fields)]
pub enum Method {
    /// Distance from the mean in standard deviations.
    ZScore {
        /// Standard deviations from which a value is an anomaly, above 0.
        threshold: f64,
        /// Earlier values needed, at least 2.
        min_samples: usize,
    },
    /// Distance outside the quartiles in interquartile ranges (Tukey's fences, "Exploratory Data
    /// Analysis", 1977).
    Iqr {
        /// Interquartile ranges outside the quartiles from which a value is an anomaly, above 0.
        threshold: f64,
        /// Earlier values needed, at least 4.
        min_samples: usize,
    },
    /// Distance from the mean of the last values, in standard deviations of such distances.
    MovingAverage {
        /// Values averaged, at least 2.
        window: usize,
        /// Standard deviations from which a value is an anomaly, above 0.
        threshold: f64,
        /// Earlier values needed, more than the window by at least 2.
        min_samples: usize,
    },
    /// Distance from the exponentially smoothed value, in standard deviations of such distances
    /// (Brown, "Statistical Forecasting for Inventory Control", 1959).
    ExponentialSmoothing {
        /// Weight of the newest value, above 0 and up to 1.
        alpha: f64,
        /// Standard deviations from which a value is an anomaly, above 0.
        threshold: f64,
        /// Earlier values needed, at least 3.
        min_samples: usize,
    },
    /// How few random cuts set a value and its change from the value before apart from earlier ones
    /// (Liu, Ting, Zhou, "Isolation Forest", ICDM 2008). The forest is grown anew every 16 values.
    IsolationForest {
        /// Trees, 1 to 1,000.
        trees: usize,
        /// Values a tree is grown from, 2 to 1,024.
        samples: usize,
        /// Score from which a value is an anomaly, between 0 and 1; 0.5 is ordinary.
        threshold: f64,
        /// Earlier values needed, at least 8.
        min_samples: usize,
        /// Chooses the cuts.
        seed: u64,
    },
    /// Distance from trend plus season, in robust standard deviations of the remainder (classical
    /// additive decomposition: centred moving average, then means of each phase).
    SeasonalDecomposition {
        /// Values in a season, at least 2.
        period: usize,
        /// Robust standard deviations (1.4826 × median absolute deviation) from which a value is an
        /// anomaly, above 0.
        threshold: f64,
        /// Earlier values needed, at least three seasons.
        min_samples: usize,
    },
}

/// What a [`MethodDetector`] says of a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Judgement {
    /// In the method's unit; infinite (`null` in JSON) when earlier values did not vary and this one
    /// differs.
    pub score: f64,
    /// Score from which a value is an anomaly.
    pub threshold: f64,
    /// What was expected, where the method expects a value.
    pub expected: Option<f64>,
    /// Whether the score exceeds the threshold.
    pub anomalous: bool,
}

/// Applies a [`Method`] to one series, value by value, without looking ahead.
///
/// The baseline holds the last `memory` values; the value that is judged joins it afterwards.
#[derive(Clone, Debug)]
pub struct MethodDetector {
    method: Method,
    memory: usize,
    earlier: VecDeque<f64>,
    forest: Option<(Forest, u32)>,
}

/// A forest is grown anew after so many values.
const REGROW: u32 = 16;

impl MethodDetector {
    /// A detector that knows nothing yet and remembers `memory` values.
    ///
    /// # Errors
    /// When a parameter is outside its range, or more values are needed than remembered.
    pub fn new(method: Method, memory: usize) -> Result<Self, InvalidParameter> {
        method.validate()?;
        if memory < method.min_samples() {
            return Err(InvalidParameter {
                method: method.name().as_str(),
                parameter: "memory".into(),
                found: memory.to_string(),
                expected: format!("at least min_samples, {}", method.min_samples()),
            });
        }
        Ok(Self { method, memory, earlier: VecDeque::with_capacity(memory), forest: None })
    }

    /// Judges a value by earlier ones, then adds it to them. `None` while there are too few, and
    /// for what is not finite, which is passed over.
    pub fn step(&mut self, value: f64) -> Option<Judgement> {
        if !value.is_finite() {
            return None;
        }
        let enough = self.earlier.len() >= self.method.min_samples();
        let judgement = if enough { self.judge(value) } else { None };
        if self.earlier.len() == self.memory {
            self.earlier.pop_front();
        }
        self.earlier.push_back(value);
        judgement
    }

    fn judge(&mut self, value: f64) -> Option<Judgement> {
        let earlier = self.earlier.make_contiguous();
        let (score, expected, threshold) = match self.method {
            Method::ZScore { threshold, .. } => {
                let (mean, deviation) = statistics::mean_and_deviation(earlier)?;
                (statistics::distance(value, mean, deviation), Some(mean), threshold)
            }
            Method::Iqr { threshold, .. } => {
                let [low, middle, high] = statistics::quartiles(earlier)?;
                let outside = (low - value).max(value - high).max(0.0);
                (statistics::distance(outside, 0.0, high - low), Some(middle), threshold)
            }
            Method::MovingAverage { window, threshold, .. } => {
                let expected = statistics::mean(&earlier[earlier.len() - window..]);
                let errors: Vec<f64> = earlier
                    .windows(window + 1)
                    .map(|it| it[window] - statistics::mean(&it[..window]))
                    .collect();
                let (_, deviation) = statistics::mean_and_deviation(&errors)?;
                (statistics::distance(value, expected, deviation), Some(expected), threshold)
            }
            Method::ExponentialSmoothing { alpha, threshold, .. } => {
                let (first, rest) = earlier.split_first()?;
                let mut level = *first;
                let mut errors = Vec::with_capacity(rest.len());
                for earlier in rest {
                    errors.push(earlier - level);
                    level += alpha * (earlier - level);
                }
                let (_, deviation) = statistics::mean_and_deviation(&errors)?;
                (statistics::distance(value, level, deviation), Some(level), threshold)
            }
            Method::IsolationForest { trees, samples, threshold, seed, .. } => {
                let stale = self.forest.as_ref().is_none_or(|(_, age)| *age >= REGROW);
                if stale {
                    let points: Vec<[f64; 2]> =
                        earlier.windows(2).map(|it| [it[1], it[1] - it[0]]).collect();
                    self.forest = Some((Forest::grow(&points, trees, samples, seed), 0));
                }
                let (forest, age) = self.forest.as_mut()?;
                *age += 1;
                let change = value - earlier.last()?;
                (forest.score([value, change]), None, threshold)
            }
            Method::SeasonalDecomposition { period, threshold, .. } => {
                let (expected, deviation) = decomposition::forecast(earlier, period)?;
                (statistics::distance(value, expected, deviation), Some(expected), threshold)
            }
        };
        Some(Judgement { score, threshold, expected, anomalous: score > threshold })
    }
}

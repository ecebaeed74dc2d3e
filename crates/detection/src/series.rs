mod novelty;
mod refractory;
mod seasonal;
mod tail;

use crate::InvalidParameter;
use novelty::Novelty;
use refractory::Refractory;
use seasonal::Seasonal;
use serde::{Deserialize, Serialize};
use tail::Tail;

/// Settings of a [`SeriesDetector`]. The defaults are meant for every series.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SeriesConfig {
    /// Surprise from which a value is an anomaly, in nats, above 0. Lower finds more and errs more
    /// often: it is the sum of two surprises, and one alone rarely exceeds 10.
    pub threshold: f64,
    /// Values for which an alarm silences everything that is not worse, at least 1. Longer makes
    /// fewer alarms of one anomaly, and may miss a second one that is milder than the first.
    pub refractory: u64,
    /// Values after which half of what is known about the tails is forgotten, at least 100. Longer
    /// knows rarer values, and takes longer to get used to a wilder signal.
    pub memory: u64,
    /// Values before the first anomaly, at least 10.
    pub warm_up: u64,
}

impl Default for SeriesConfig {
    fn default() -> Self {
        Self { threshold: 10.0, refractory: 150, memory: 20_160, warm_up: 100 }
    }
}

impl SeriesConfig {
    /// How many of so many values count as anomalous by chance, at most. A score is the sum of two
    /// surprises, each of which exceeds `x` by chance with probability e^-x; however they depend on each
    /// other, the sum exceeds `t` with probability e^(1 - t/2) at most (Rüschendorf 1982). And a value is
    /// the largest of the refractory span and itself once in so many, where values are exchangeable.
    /// Where they follow no steady law there may be more.
    pub fn false_alarms(&self, values: u64) -> f64 {
        let by_tails = (1.0 - self.threshold / 2.0).exp();
        values as f64 * by_tails.min(1.0 / (self.refractory as f64 + 1.0))
    }

    /// Sets a parameter by its name.
    ///
    /// # Errors
    /// When there is no such parameter, or the value is not a number of its kind.
    pub fn set(&mut self, parameter: &str, value: &str) -> Result<(), InvalidParameter> {
        let whole = || value.parse().map_err(|_| wrong(parameter, value, "a whole number"));
        match parameter {
            "threshold" => {
                self.threshold = value.parse().map_err(|_| wrong(parameter, value, "a number"))?;
            }
            "refractory" => self.refractory = whole()?,
            "memory" => self.memory = whole()?,
            "warm_up" => self.warm_up = whole()?,
            _ => {
                let known = "one of threshold, refractory, memory, warm_up";
                return Err(wrong(parameter, "unknown", known));
            }
        }
        Ok(())
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), InvalidParameter> {
        if !(self.threshold > 0.0 && self.threshold.is_finite()) {
            return Err(wrong("threshold", self.threshold, "a number above 0"));
        }
        let least = [
            ("refractory", self.refractory, 1),
            ("memory", self.memory, 100),
            ("warm_up", self.warm_up, 10),
        ];
        match least.into_iter().find(|(_, found, least)| found < least) {
            Some((name, found, least)) => Err(wrong(name, found, &format!("at least {least}"))),
            None => Ok(()),
        }
    }
}

fn wrong(parameter: &str, found: impl ToString, expected: &str) -> InvalidParameter {
    InvalidParameter {
        method: "adaptive",
        parameter: parameter.into(),
        found: found.to_string(),
        expected: expected.into(),
    }
}

/// What a [`SeriesDetector`] says of a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct SeriesScore {
    /// Surprise in nats before the refractory rule: −ln of the chance of so large a seasonal
    /// residual, plus −ln of the chance of so large a distance to the nearest value known.
    pub surprise: f64,
    /// The surprise where the refractory rule lets it pass, otherwise 0.
    pub alarm: f64,
    /// Whether the alarm reaches the threshold, after warming up.
    pub anomalous: bool,
    /// What was expected at this time of day.
    pub expected: Option<f64>,
}

/// Finds anomalies in one series of aggregated values, in order, without looking ahead.
///
/// Each value is held against what was known before it, and only then learnt. Two residuals are
/// looked at: from the mean of that time of day, and from the nearest of the values known. How large
/// each is comes from extreme-value statistics of that residual's own past, so that no scale has to
/// be set. Both surprises are added, and a refractory rule makes one alarm of one anomaly.
///
/// Memory is bounded at 16 KiB. Values that are not finite are passed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesDetector {
    config: SeriesConfig,
    seasonal: Seasonal,
    seasonal_tail: Tail,
    novelty: Novelty,
    novelty_tail: Tail,
    refractory: Refractory,
    seen: u64,
}

impl SeriesDetector {
    /// A detector that knows nothing yet.
    pub fn new(config: SeriesConfig) -> Self {
        Self {
            config,
            seasonal: Seasonal::new(),
            seasonal_tail: Tail::new(),
            novelty: Novelty::new(),
            novelty_tail: Tail::new(),
            refractory: Refractory::default(),
            seen: 0,
        }
    }

    /// Judges a value by what came before it, then learns it. `at_s` is its time in seconds since
    /// 1970, UTC; only the time of day matters.
    pub fn step(&mut self, at_s: i64, value: f64) -> SeriesScore {
        if !value.is_finite() {
            return SeriesScore::default();
        }
        let memory = self.config.memory as f64;
        let expected = self.seasonal.expected(at_s);
        let mut surprise = 0.0;
        if let Some(expected) = expected {
            let residual = (value - expected).abs();
            surprise += self.seasonal_tail.surprise(residual);
            self.seasonal_tail.learn(residual, memory);
        }
        self.seasonal.learn(at_s, value);
        if let Some(distance) = self.novelty.distance(value) {
            surprise += self.novelty_tail.surprise(distance);
            self.novelty_tail.learn(distance, memory);
        }
        self.novelty.learn(value);
        let alarm = self.refractory.pass(surprise, self.config.refractory);
        self.seen += 1;
        let anomalous = self.seen > self.config.warm_up && alarm >= self.config.threshold;
        SeriesScore { surprise, alarm, anomalous, expected }
    }

    /// Memory in use, in bytes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.seasonal.bytes()
            + self.seasonal_tail.bytes()
            + self.novelty_tail.bytes()
            + self.novelty.bytes()
            + self.refractory.bytes()
    }
}

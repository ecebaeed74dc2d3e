use super::Method;
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::fmt;
use std::str::FromStr;

/// The name of a [`Method`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MethodName {
    /// [`Method::ZScore`].
    ZScore,
    /// [`Method::Iqr`].
    Iqr,
    /// [`Method::MovingAverage`].
    MovingAverage,
    /// [`Method::ExponentialSmoothing`].
    ExponentialSmoothing,
    /// [`Method::IsolationForest`].
    IsolationForest,
    /// [`Method::SeasonalDecomposition`].
    SeasonalDecomposition,
}

impl MethodName {
    /// Every method.
    pub const ALL: [Self; 6] = [
        Self::ZScore,
        Self::Iqr,
        Self::MovingAverage,
        Self::ExponentialSmoothing,
        Self::IsolationForest,
        Self::SeasonalDecomposition,
    ];

    /// As in configurations and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZScore => "z_score",
            Self::Iqr => "iqr",
            Self::MovingAverage => "moving_average",
            Self::ExponentialSmoothing => "exponential_smoothing",
            Self::IsolationForest => "isolation_forest",
            Self::SeasonalDecomposition => "seasonal_decomposition",
        }
    }
}

impl fmt::Display for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for MethodName {
    type Err = String;
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == name).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|it| it.as_str()).collect();
            format!("expected one of {}", names.join(", "))
        })
    }
}

/// A parameter that a [`Method`] cannot use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidParameter {
    /// The method's name.
    pub method: &'static str,
    /// The parameter.
    pub parameter: String,
    /// What was given.
    pub found: String,
    /// What can be given.
    pub expected: String,
}

impl fmt::Display for InvalidParameter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, parameter, found, expected } = self;
        write!(f, "{parameter} of {method} is {found}; expected {expected}")
    }
}

impl Error for InvalidParameter {}

impl Method {
    /// A method with its defaults, which are the original's where it had any.
    pub const fn new(name: MethodName) -> Self {
        match name {
            MethodName::ZScore => Self::ZScore { threshold: 2.5, min_samples: 30 },
            MethodName::Iqr => Self::Iqr { threshold: 1.5, min_samples: 20 },
            MethodName::MovingAverage => {
                Self::MovingAverage { window: 20, threshold: 2.5, min_samples: 50 }
            }
            MethodName::ExponentialSmoothing => {
                Self::ExponentialSmoothing { alpha: 0.3, threshold: 2.5, min_samples: 30 }
            }
            MethodName::IsolationForest => Self::IsolationForest {
                trees: 100,
                samples: 256,
                threshold: 0.65,
                min_samples: 64,
                seed: 0,
            },
            MethodName::SeasonalDecomposition => {
                Self::SeasonalDecomposition { period: 24, threshold: 3.5, min_samples: 72 }
            }
        }
    }

    /// Its name.
    pub const fn name(&self) -> MethodName {
        match self {
            Self::ZScore { .. } => MethodName::ZScore,
            Self::Iqr { .. } => MethodName::Iqr,
            Self::MovingAverage { .. } => MethodName::MovingAverage,
            Self::ExponentialSmoothing { .. } => MethodName::ExponentialSmoothing,
            Self::IsolationForest { .. } => MethodName::IsolationForest,
            Self::SeasonalDecomposition { .. } => MethodName::SeasonalDecomposition,
        }
    }

    /// Earlier values needed.
    pub const fn min_samples(&self) -> usize {
        match *self {
            Self::ZScore { min_samples, .. }
            | Self::Iqr { min_samples, .. }
            | Self::MovingAverage { min_samples, .. }
            | Self::ExponentialSmoothing { min_samples, .. }
            | Self::IsolationForest { min_samples, .. }
            | Self::SeasonalDecomposition { min_samples, .. } => min_samples,
        }
    }

    /// Score from which a value is an anomaly.
    pub const fn threshold(&self) -> f64 {
        match *self {
            Self::ZScore { threshold, .. }
            | Self::Iqr { threshold, .. }
            | Self::MovingAverage { threshold, .. }
            | Self::ExponentialSmoothing { threshold, .. }
            | Self::IsolationForest { threshold, .. }
            | Self::SeasonalDecomposition { threshold, .. } => threshold,
        }
    }

    /// Sets a parameter by its name.
    ///
    /// # Errors
    /// When the method has no such parameter, or the value is not of its kind. Ranges are checked
    /// by [`validate`](Self::validate).
    pub fn set(&mut self, parameter: &str, value: &str) -> Result<(), InvalidParameter> {
        let name = self.name();
        let mut known = Vec::new();
        for (this, slot) in self.parameters() {
            known.push(this);
            if this != parameter {
                continue;
            }
            let wrong = |expected: &str| InvalidParameter {
                method: name.as_str(),
                parameter: this.into(),
                found: format!("`{value}`"),
                expected: expected.into(),
            };
            match slot {
                Slot::Number(slot) => *slot = value.parse().map_err(|_| wrong("a number"))?,
                Slot::Count(slot) => *slot = value.parse().map_err(|_| wrong("a whole number"))?,
                Slot::Seed(slot) => *slot = value.parse().map_err(|_| wrong("a whole number"))?,
            }
            return Ok(());
        }
        Err(InvalidParameter {
            method: name.as_str(),
            parameter: parameter.into(),
            found: "unknown".into(),
            expected: format!("one of {}", known.join(", ")),
        })
    }

    /// Checks the ranges of all parameters.
    ///
    /// # Errors
    /// The first parameter outside its range.
    pub fn validate(&self) -> Result<(), InvalidParameter> {
        let fault = |parameter: &str, found: String, expected: &str| {
            Err(InvalidParameter {
                method: self.name().as_str(),
                parameter: parameter.into(),
                found,
                expected: expected.into(),
            })
        };
        let at_least = |least: usize, found: usize| {
            let expected = format!("at least {least}");
            if found < least { fault("min_samples", found.to_string(), &expected) } else { Ok(()) }
        };
        let threshold = self.threshold();
        let most = if self.name() == MethodName::IsolationForest { 1.0 } else { f64::MAX };
        if !(threshold > 0.0 && threshold <= most) {
            let expected = if most == 1.0 { "above 0, up to 1" } else { "a number above 0" };
            return fault("threshold", threshold.to_string(), expected);
        }
        match *self {
            Self::ZScore { min_samples, .. } => at_least(2, min_samples),
            Self::Iqr { min_samples, .. } => at_least(4, min_samples),
            Self::MovingAverage { window, min_samples, .. } => match window {
                0 | 1 => fault("window", window.to_string(), "at least 2"),
                _ => at_least(window.saturating_add(2), min_samples),
            },
            Self::ExponentialSmoothing { alpha, min_samples, .. } => {
                if !(alpha > 0.0 && alpha <= 1.0) {
                    return fault("alpha", alpha.to_string(), "above 0, up to 1");
                }
                at_least(3, min_samples)
            }
            Self::IsolationForest { trees, samples, min_samples, .. } => {
                if !(1..=1_000).contains(&trees) {
                    return fault("trees", trees.to_string(), "1 to 1000");
                }
                if !(2..=1_024).contains(&samples) {
                    return fault("samples", samples.to_string(), "2 to 1024");
                }
                at_least(8, min_samples)
            }
            Self::SeasonalDecomposition { period, min_samples, .. } => match period {
                0 | 1 => fault("period", period.to_string(), "at least 2"),
                _ => at_least(period.saturating_mul(3), min_samples),
            },
        }
    }

    fn parameters(&mut self) -> Vec<(&'static str, Slot<'_>)> {
        use Slot::{Count, Number, Seed};
        match self {
            Self::ZScore { threshold, min_samples } | Self::Iqr { threshold, min_samples } => {
                vec![("threshold", Number(threshold)), ("min_samples", Count(min_samples))]
            }
            Self::MovingAverage { window, threshold, min_samples } => vec![
                ("window", Count(window)),
                ("threshold", Number(threshold)),
                ("min_samples", Count(min_samples)),
            ],
            Self::ExponentialSmoothing { alpha, threshold, min_samples } => vec![
                ("alpha", Number(alpha)),
                ("threshold", Number(threshold)),
                ("min_samples", Count(min_samples)),
            ],
            Self::IsolationForest { trees, samples, threshold, min_samples, seed } => vec![
                ("trees", Count(trees)),
                ("samples", Count(samples)),
                ("threshold", Number(threshold)),
                ("min_samples", Count(min_samples)),
                ("seed", Seed(seed)),
            ],
            Self::SeasonalDecomposition { period, threshold, min_samples } => vec![
                ("period", Count(period)),
                ("threshold", Number(threshold)),
                ("min_samples", Count(min_samples)),
            ],
        }
    }
}

enum Slot<'a> {
    Number(&'a mut f64),
    Count(&'a mut usize),
    Seed(&'a mut u64),
}

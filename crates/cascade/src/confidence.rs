use crate::{Expected, Matches, Validator};

/// The parts of a confidence, each 0–1; absent where nothing was there to measure.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Components {
    /// Share of the extracted values that pass the validator.
    pub validation: Option<f64>,
    /// How well the number of matches fits the expectation ([`Expected::plausibility`]).
    pub count: Option<f64>,
    /// Likeness of the wanted and the found text, for the strategies that compare texts.
    pub similarity: Option<f64>,
    /// The strategy's base confidence, times 0.98 for every rank it stands below the first.
    pub reliability: f64,
}

/// How much each component weighs; those that are absent are left out of the mean.
///
/// The defaults put content first, as multi-strategy engines in use do: what was found says
/// more about a match than how it was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Weight of [`Components::validation`].
    pub validation: f64,
    /// Weight of [`Components::count`].
    pub count: f64,
    /// Weight of [`Components::similarity`].
    pub similarity: f64,
    /// Weight of [`Components::reliability`].
    pub reliability: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { validation: 0.4, count: 0.25, similarity: 0.2, reliability: 0.15 }
    }
}

impl Components {
    pub(crate) fn measure(
        matches: &Matches,
        expected: Option<Expected>,
        validator: Option<&Validator>,
        base: f64,
        rank: usize,
    ) -> Self {
        let validation = validator.filter(|_| !matches.found.is_empty()).map(|validator| {
            let passed = matches.found.iter().filter(|f| validator.accepts(&f.value)).count();
            passed as f64 / matches.found.len() as f64
        });
        Self {
            validation,
            count: expected.map(|expected| expected.plausibility(matches.count)),
            similarity: matches.similarity,
            reliability: base.clamp(0.0, 1.0) * 0.98_f64.powi(rank.min(64) as i32),
        }
    }

    /// The weighted mean of the components present, 0–1; `None` where only the reliability is
    /// there, for then nothing about the match itself has been looked at.
    pub fn confidence(&self, weights: &Weights) -> Option<f64> {
        let checks = [
            (self.validation, weights.validation),
            (self.count, weights.count),
            (self.similarity, weights.similarity),
        ];
        if checks.iter().all(|(value, _)| value.is_none()) {
            return None;
        }
        let (mut sum, mut weight) = (self.reliability * weights.reliability, weights.reliability);
        for (value, its_weight) in checks {
            if let Some(value) = value {
                sum += value * its_weight;
                weight += its_weight;
            }
        }
        (weight > 0.0).then(|| (sum / weight).clamp(0.0, 1.0))
    }
}

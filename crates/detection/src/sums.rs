use serde::{Deserialize, Serialize};
use telemetry_models::Timestamp;

/// Alternatives a detector mixes over.
pub(crate) const ALTERNATIVES: usize = 6;

/// What a detector concludes from one sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Nothing new.
    Quiet,
    /// The distribution changed.
    Began(Change),
    /// It is again what it was before.
    Ended,
}

/// A change of distribution.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Most likely time of the first sample after the change.
    pub since: Timestamp,
    /// The usual value, in the detector's unit.
    pub before: f64,
    /// The value since the change.
    pub now: f64,
    /// Samples since the change.
    pub samples: u64,
    /// Samples the usual value was learned from.
    pub learned: u64,
}

/// Weighted Shiryaev–Roberts sums, one for each alternative, with the likeliest onset of each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sums {
    sums: [f64; ALTERNATIVES],
    /// Page's statistic in its multiplicative form: it returns to 1 where a change is likeliest to
    /// begin.
    page: [f64; ALTERNATIVES],
    onset: [Onset; ALTERNATIVES],
}

/// Where a change would begin: before this sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Onset {
    pub(crate) at: Timestamp,
    pub(crate) samples: u64,
    pub(crate) total: f64,
}

impl Sums {
    /// Opens hypotheses of `weight`, shared by the alternatives in use.
    pub(crate) fn open(&mut self, weight: f64, used: usize) {
        let share = weight / used as f64;
        for sum in &mut self.sums[..used] {
            *sum += share;
        }
    }

    /// Opens hypotheses of `weight`, shared by the alternatives as `shares` say, which sum up to 1.
    pub(crate) fn open_each(&mut self, weight: f64, shares: &[f64; ALTERNATIVES]) {
        for (sum, share) in self.sums.iter_mut().zip(shares) {
            *sum += weight * share;
        }
    }

    /// What the sum would be after a sample with these ratios.
    pub(crate) fn after(&self, ratios: &[f64; ALTERNATIVES]) -> f64 {
        self.sums.iter().zip(ratios).map(|(sum, ratio)| sum * ratio).sum()
    }

    /// Takes a sample with these likelihood ratios. `here` is the onset if the change were at this
    /// very sample.
    pub(crate) fn multiply(&mut self, ratios: &[f64; ALTERNATIVES], here: Onset) -> f64 {
        self.multiply_each(ratios, |_| here)
    }

    /// The same with an onset for each alternative.
    pub(crate) fn multiply_each(
        &mut self,
        ratios: &[f64; ALTERNATIVES],
        here: impl Fn(usize) -> Onset,
    ) -> f64 {
        let mut total = 0.0;
        for (at, ratio) in ratios.iter().enumerate() {
            if self.page[at] <= 1.0 {
                self.page[at] = 1.0;
                self.onset[at] = here(at);
            }
            self.page[at] = (self.page[at] * ratio).min(1e250);
            self.sums[at] *= ratio;
            total += self.sums[at];
        }
        total
    }

    pub(crate) fn scale(&mut self, factor: f64) {
        self.sums.iter_mut().for_each(|sum| *sum *= factor);
    }

    /// The onset of the alternative that explains most.
    pub(crate) fn onset(&self) -> Onset {
        self.onset[self.best()]
    }

    /// Where an alternative's change would have begun.
    pub(crate) fn onset_of(&self, alternative: usize) -> Onset {
        self.onset[alternative]
    }

    /// The alternative that explains most.
    pub(crate) fn best(&self) -> usize {
        let best = self.sums.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
        best.map_or(0, |(at, _)| at)
    }

    /// Page's statistic of an alternative: how much better it explains the samples since it began to.
    pub(crate) fn evidence(&self, of: usize) -> f64 {
        self.page[of]
    }

    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }
}

use serde::{Deserialize, Serialize};

/// Longest pause between two samples that is credited, in days: a program that was off for a month
/// does not come back with a month of false alarms to spend.
const LONGEST_PAUSE_DAYS: f64 = 1.0;

/// How many false alarms one detector may raise.
///
/// Every sample opens a hypothesis "the change is here" with a weight: the false alarms allowed in
/// the time since the sample before, plus a share of an allowance that is spent once, over the first
/// samples of a selector. The alarm is raised when the weighted likelihood ratios sum up to 1, so
/// the expected number of false alarms until any time is at most the weight handed out until then,
/// whatever the call rate is. (Shiryaev–Roberts e-detector with weights: Shin, Ramdas and Rinaldo,
/// "E-detectors: a nonparametric framework for sequential change detection", 2022, with the
/// start weights of a prior over change times.)
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spending {
    /// False alarms a day, above 0.
    pub per_day: f64,
    /// False alarms in a selector's first samples, once, 0 or more. More finds a selector that
    /// breaks young sooner.
    pub startup: f64,
}

impl Spending {
    /// The weight of the hypothesis that the change is at the `n`-th sample (from 0), which came
    /// `gap_s` seconds after the one before.
    pub fn weight(&self, n: u64, gap_s: f64) -> f64 {
        let days = (gap_s.max(0.0) / 86_400.0).min(LONGEST_PAUSE_DAYS);
        // The sum of 8 / (n + 8)² over all n from 1 is below 1.
        let early = 8.0 / ((n as f64 + 8.0) * (n as f64 + 8.0));
        self.per_day * days + self.startup * early
    }
}

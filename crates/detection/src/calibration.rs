use serde::Serialize;
use std::collections::BTreeMap;

/// How often each confidence turned out right. Merging is exact and in any order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfidenceCounts {
    /// By the bits of the confidence, which for numbers not below 0 sort as the numbers do:
    /// (right, all).
    counts: BTreeMap<u64, (u64, u64)>,
}

/// Whether confidence means what it says: of what was said with 0.9, are 90 % right?
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationReport {
    /// Judged results.
    pub count: u64,
    /// Right ones among them.
    pub right: u64,
    /// Mean confidence.
    pub mean_confidence: f64,
    /// Expected calibration error, 0 to 1: the difference between mean confidence and share of right
    /// results in each bin, weighted by the bin's size (Naeini, Cooper, Hauskrecht, AAAI 2015).
    pub expected_error: f64,
    /// The largest difference of any bin.
    pub largest_error: f64,
    /// Mean squared difference between confidence and truth (Brier, 1950).
    pub brier: f64,
    /// Area under the receiver operating characteristic: the chance that a right result has a higher
    /// confidence than a wrong one, equal ones counting half (Hanley and McNeil, Radiology 1982);
    /// 0.5 says nothing. `None` unless there are both.
    pub roc_auc: Option<f64>,
    /// The bins with results in them, ascending.
    pub bins: Vec<CalibrationBin>,
}

/// Results of similar confidence.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CalibrationBin {
    /// Above this; the first bin includes it.
    pub above: f64,
    /// Up to this, included.
    pub up_to: f64,
    /// Results.
    pub count: u64,
    /// Right ones among them.
    pub right: u64,
    /// Mean confidence.
    pub mean_confidence: f64,
    /// Share of right ones.
    pub share_right: f64,
}

impl ConfidenceCounts {
    /// Adds a result; `false`, and nothing happens, unless the confidence is from 0 to 1.
    pub fn add(&mut self, confidence: f64, right: bool) -> bool {
        if !(0.0..=1.0).contains(&confidence) {
            return false;
        }
        // Makes 0 of −0, whose bits would sort last.
        let (rights, all) = self.counts.entry((confidence + 0.0).to_bits()).or_default();
        *rights += u64::from(right);
        *all += 1;
        true
    }

    /// Adds all results of another.
    pub fn merge(&mut self, other: &Self) {
        for (confidence, (right, all)) in &other.counts {
            let mine = self.counts.entry(*confidence).or_default();
            mine.0 += right;
            mine.1 += all;
        }
    }

    /// Judges them in `bins` bins of equal width, at least 1. `None` of nothing.
    pub fn report(&self, bins: usize) -> Option<CalibrationReport> {
        let bins = bins.max(1);
        let edge = |at: usize| at as f64 / bins as f64;
        let mut sums = vec![(0.0, 0_u64, 0_u64); bins];
        let (mut right, mut count, mut squares, mut ordered) = (0_u64, 0_u64, 0.0, 0.0);
        for (confidence, &(rights, all)) in &self.counts {
            let (confidence, wrongs) = (f64::from_bits(*confidence), all - rights);
            let at = (1..bins).find(|at| confidence <= edge(*at)).unwrap_or(bins) - 1;
            sums[at].0 += confidence * all as f64;
            sums[at].1 += rights;
            sums[at].2 += all;
            squares += rights as f64 * (1.0 - confidence).powi(2);
            squares += wrongs as f64 * confidence.powi(2);
            // Pairs in which the right one has the higher confidence; equal ones count half.
            let wrongs_below = count - right;
            ordered += rights as f64 * (wrongs_below as f64 + wrongs as f64 / 2.0);
            right += rights;
            count += all;
        }
        if count == 0 {
            return None;
        }
        let filled: Vec<CalibrationBin> = sums
            .iter()
            .enumerate()
            .filter(|(_, (_, _, all))| *all > 0)
            .map(|(at, &(sum, right, all))| CalibrationBin {
                above: edge(at),
                up_to: edge(at + 1),
                count: all,
                right,
                mean_confidence: sum / all as f64,
                share_right: right as f64 / all as f64,
            })
            .collect();
        let total = count as f64;
        let error = |bin: &CalibrationBin| (bin.mean_confidence - bin.share_right).abs();
        let pairs = right as f64 * (count - right) as f64;
        Some(CalibrationReport {
            count,
            right,
            mean_confidence: sums.iter().map(|(sum, ..)| sum).sum::<f64>() / total,
            expected_error: filled.iter().map(|bin| error(bin) * bin.count as f64 / total).sum(),
            largest_error: filled.iter().map(error).fold(0.0, f64::max),
            brier: squares / total,
            roc_auc: (pairs > 0.0).then(|| ordered / pairs),
            bins: filled,
        })
    }
}

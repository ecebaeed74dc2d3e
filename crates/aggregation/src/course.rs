//! When the durations of a selector changed.

use crate::CoarseHistogram;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{Event, Outcome, Timestamp};

/// Probability with which a change lies where an [`Onset`] says.
const SURE: f64 = 0.95;
/// Samples that each side of a change keeps.
const MIN_SIDE: f64 = 20.0;
/// Shares of all samples at which the classes of a distribution part.
const CUTS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 0.97];
const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// Durations of successful operations in fine steps of time, at most [`MAX_STEPS`](Self::MAX_STEPS)
/// of equal width.
///
/// Steps begin one second wide and double in width whenever the span outgrows them; merging is
/// exact and order-free, as for a [`Timeline`](crate::Timeline).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DurationCourse {
    /// Width is 2^doublings seconds.
    doublings: u32,
    steps: BTreeMap<i64, CoarseHistogram>,
}

/// When a change began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Onset {
    /// The likeliest moment.
    pub at: Timestamp,
    /// With a probability of 95 % it began at most this long before or after.
    pub within: Duration,
}

/// What of the durations changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// All of them, by a factor: dated by the mean logarithm, which is sharper.
    Whole,
    /// The shape, such as the slowest alone: dated by counts in classes between quantiles.
    Shape,
}

impl DurationCourse {
    /// The most steps a course has.
    pub const MAX_STEPS: i64 = 512;

    /// Adds an event at its timestamp, if it succeeded and has a duration.
    pub fn add(&mut self, event: &Event) {
        let (Outcome::Success, Some(duration)) = (event.outcome, event.duration()) else { return };
        let second = event.timestamp.as_nanos().div_euclid(NANOS_PER_SECOND);
        self.make_room(second >> self.doublings);
        self.steps.entry(second >> self.doublings).or_default().add(duration);
    }

    /// Adds everything another course holds.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        self.coarsen(other.doublings);
        other.coarsen(self.doublings);
        for bound in other.bounds().into_iter().flat_map(|(first, last)| [first, last]) {
            self.make_room(bound << other.doublings >> self.doublings);
        }
        other.coarsen(self.doublings);
        for (index, durations) in &other.steps {
            self.steps.entry(*index).or_default().merge(durations);
        }
    }

    /// Width of a step.
    pub fn width(&self) -> Duration {
        Duration::from_secs(1 << self.doublings)
    }

    /// When a change began that is known to be there; `None` when nothing tells, or either side
    /// would have fewer than 20 samples.
    ///
    /// The moment is that around which the posterior probability of one change point, all moments
    /// being alike before, first reaches 95 % (A. F. M. Smith, “A Bayesian approach to inference
    /// about a change-point in a sequence of random variables”, Biometrika 62, 1975, with the
    /// parameters of both sides at their best). The likelihood is divided by how much more steps
    /// differ than independent operations would: those of one visit resemble each other.
    pub fn onset(&self, shift: Shift) -> Option<Onset> {
        let (first, last) = self.bounds()?;
        let empty = CoarseHistogram::default();
        let steps: Vec<&CoarseHistogram> =
            (first..=last).map(|at| self.steps.get(&at).unwrap_or(&empty)).collect();
        let gains = match shift {
            Shift::Whole => gains_of_location(&steps),
            Shift::Shape => gains_of_shape(&steps),
        };
        let (at, half) = narrowest(&posterior(&gains)?)?;
        let start = (first + at as i64) << self.doublings;
        Some(Onset {
            at: Timestamp::from_nanos(start.saturating_mul(NANOS_PER_SECOND)),
            // What a step holds may have come at its end.
            within: self.width() * u32::try_from(half + 1).ok()?,
        })
    }

    fn bounds(&self) -> Option<(i64, i64)> {
        Some((*self.steps.first_key_value()?.0, *self.steps.last_key_value()?.0))
    }

    fn make_room(&mut self, index: i64) {
        let Some((first, last)) = self.bounds() else { return };
        let (mut first, mut last) = (first.min(index), last.max(index));
        let mut doublings = self.doublings;
        while last - first >= Self::MAX_STEPS {
            (first, last) = (first >> 1, last >> 1);
            doublings += 1;
        }
        self.coarsen(doublings);
    }

    fn coarsen(&mut self, doublings: u32) {
        let by = doublings.saturating_sub(self.doublings);
        if by == 0 {
            return;
        }
        for (index, durations) in std::mem::take(&mut self.steps) {
            self.steps.entry(index >> by).or_default().merge(&durations);
        }
        self.doublings = doublings;
    }
}

/// Logarithm of the likelihood of a change before each step, up to a constant: two normal
/// distributions of the steps' mean logarithms, with the variance that steps have around them.
/// `None` for a step before which no change can be.
fn gains_of_location(steps: &[&CoarseHistogram]) -> Vec<Option<f64>> {
    let sums: Vec<[f64; 2]> = steps
        .iter()
        .map(|step| {
            step.bins().iter().fold([0.0, 0.0], |[n, sum], (bin, count)| {
                [n + f64::from(*count), sum + f64::from(*bin) * f64::from(*count)]
            })
        })
        .collect();
    let between = sides(
        &sums,
        |it| it[0],
        |before, after| {
            let gap = before[1] / before[0] - after[1] / after[0];
            gap * gap * before[0] * after[0] / (before[0] + after[0])
        },
    );
    let Some(best) = likeliest(&between) else { return between };
    let mean = |sums: &[[f64; 2]]| {
        let [n, sum] = total(sums);
        sum / n
    };
    let (before, after) = (mean(&sums[..best]), mean(&sums[best..]));
    let (mut squares, mut used) = (0.0, 0.0);
    for (at, [n, sum]) in sums.iter().enumerate().filter(|(_, [n, _])| *n > 0.0) {
        let expected = if at < best { before } else { after };
        squares += n * (sum / n - expected).powi(2);
        used += 1.0;
    }
    // Bins have a width, so there is no less doubt than that.
    let variance = (squares / f64::max(used - 2.0, 1.0)).max(1.0 / 12.0);
    between.into_iter().map(|it| Some(it? / (2.0 * variance))).collect()
}

/// As [`gains_of_location`], by counts in classes between quantiles of the whole: two multinomial
/// distributions, divided by how much more the counts of steps vary (Pearson's dispersion).
fn gains_of_shape(steps: &[&CoarseHistogram]) -> Vec<Option<f64>> {
    const CLASSES: usize = CUTS.len() + 1;
    let mut whole = CoarseHistogram::default();
    for step in steps {
        whole.merge(step);
    }
    let cuts: Vec<i16> =
        CUTS.iter().filter_map(|q| Some(CoarseHistogram::bin_of(whole.quantile(*q)?))).collect();
    let classes: Vec<[f64; CLASSES]> = steps
        .iter()
        .map(|step| {
            let mut counts = [0.0; CLASSES];
            for (bin, count) in step.bins() {
                counts[cuts.partition_point(|cut| bin > cut)] += f64::from(*count);
            }
            counts
        })
        .collect();
    let likelihood = |counts: &[f64; CLASSES]| -> f64 {
        let n: f64 = counts.iter().sum();
        counts.iter().filter(|it| **it > 0.0).map(|it| it * (it / n).ln()).sum()
    };
    let none = likelihood(&total(&classes));
    let samples = |counts: &[f64; CLASSES]| counts.iter().sum();
    let gains =
        sides(&classes, samples, |before, after| likelihood(before) + likelihood(after) - none);
    let Some(best) = likeliest(&gains) else { return gains };
    let (before, after) = (total(&classes[..best]), total(&classes[best..]));
    let (mut squares, mut freedom) = (0.0, 0.0);
    for (at, counts) in classes.iter().enumerate() {
        let (side, n) = (if at < best { &before } else { &after }, counts.iter().sum::<f64>());
        let whole: f64 = side.iter().sum();
        for (count, all) in counts.iter().zip(side).filter(|(_, all)| n > 0.0 && **all > 0.0) {
            let expected = n * all / whole;
            squares += (count - expected).powi(2) / expected;
            freedom += 1.0 - all / whole;
        }
    }
    let dispersion = (squares / f64::max(freedom, 1.0)).max(1.0);
    gains.into_iter().map(|it| Some(it? / dispersion)).collect()
}

/// `gain` of what lies before and after each step; `n` counts the samples of a side.
fn sides<const N: usize>(
    steps: &[[f64; N]],
    n: impl Fn(&[f64; N]) -> f64,
    gain: impl Fn(&[f64; N], &[f64; N]) -> f64,
) -> Vec<Option<f64>> {
    let (all, mut before) = (total(steps), [0.0; N]);
    let mut gains = Vec::with_capacity(steps.len());
    for step in steps {
        let mut after = all;
        for (rest, gone) in after.iter_mut().zip(&before) {
            *rest -= gone;
        }
        let enough = n(&before).min(n(&after)) >= MIN_SIDE;
        gains.push(enough.then(|| gain(&before, &after)));
        for (sum, more) in before.iter_mut().zip(step) {
            *sum += more;
        }
    }
    gains
}

fn total<const N: usize>(steps: &[[f64; N]]) -> [f64; N] {
    let mut sums = [0.0; N];
    for step in steps {
        for (sum, more) in sums.iter_mut().zip(step) {
            *sum += more;
        }
    }
    sums
}

fn likeliest(gains: &[Option<f64>]) -> Option<usize> {
    let known = gains.iter().enumerate().filter_map(|(at, gain)| Some((at, (*gain)?)));
    // Nothing differs at all where the best gains nothing.
    known.max_by(|a, b| a.1.total_cmp(&b.1)).filter(|(_, gain)| *gain > 1e-9).map(|(at, _)| at)
}

fn posterior(gains: &[Option<f64>]) -> Option<Vec<f64>> {
    let best = gains[likeliest(gains)?]?;
    let weights: Vec<f64> =
        gains.iter().map(|gain| gain.map_or(0.0, |gain| (gain - best).exp())).collect();
    let all: f64 = weights.iter().sum();
    Some(weights.iter().map(|it| it / all).collect())
}

/// The step around which the fewest steps (1, 2, 4, …) hold the probability asked for, and how many;
/// of several the one nearest to the median.
fn narrowest(probabilities: &[f64]) -> Option<(usize, usize)> {
    let mut below = 0.0;
    let median = probabilities.iter().position(|it| {
        below += it;
        below >= 0.5
    })?;
    let mut half = 1;
    loop {
        let mass = |at: usize| -> f64 {
            let end = (at + half + 1).min(probabilities.len());
            probabilities[at.saturating_sub(half)..end].iter().sum()
        };
        let best = (0..probabilities.len()).max_by(|a, b| {
            let rounded = |at: usize| (mass(at) * 1e6).round();
            rounded(*a).total_cmp(&rounded(*b)).then(b.abs_diff(median).cmp(&a.abs_diff(median)))
        })?;
        if mass(best) >= SURE || half >= probabilities.len() {
            return Some((best, half));
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests;

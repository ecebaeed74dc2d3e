//! Finds when a selector began to behave differently.
//!
//! Each candidate is a boundary between two time steps; the one that separates best is taken, and
//! then held against thresholds and intervals. Because the boundary is chosen after looking, the
//! intervals are wider than the usual 95 %. A step in which the change happened holds operations of
//! both sides; it counts for neither.

use std::ops::Range;
use std::time::Duration;
use telemetry_aggregation::{Bucket, CoarseHistogram, Moments, wilson};
use telemetry_models::Timestamp;

/// Two-sided 99.9 %.
const Z_SPLIT: f64 = 3.290_526_731_491_926;

/// How far a step beside the boundary must be on its way to the other side to be left out.
const MIXED: f64 = 0.1;

/// A share before and since a moment. `since` is the start of the step with the first operation
/// that is different.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ShareChange {
    pub(crate) since: Timestamp,
    pub(crate) sides: Sides,
    pub(crate) before: (u64, u64),
    pub(crate) after: (u64, u64),
}

/// A mean confidence before and since a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MeanChange {
    pub(crate) since: Timestamp,
    pub(crate) before: Moments,
    pub(crate) after: Moments,
}

/// A median duration, with its count, before and since a moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MedianChange {
    pub(crate) since: Timestamp,
    pub(crate) before: (Duration, u64),
    pub(crate) after: (Duration, u64),
}

/// The steps before and after a change; between them lies at most one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sides {
    pub(crate) before_end: usize,
    pub(crate) after_start: usize,
}

impl Sides {
    /// Those of the boundary before step `at` of `len`. `value` gives what is compared over some
    /// steps, and the samples behind it; each side keeps at least `min`.
    fn around(
        at: usize,
        len: usize,
        min: u64,
        value: impl Fn(Range<usize>) -> Option<(f64, u64)>,
    ) -> Self {
        let way_over = |sides: Self, step: usize, from_old: bool| {
            let (old, old_n) = value(0..sides.before_end)?;
            let (new, new_n) = value(sides.after_start..len)?;
            let (here, _) = value(step..step + 1)?;
            let way = (here - old) / (new - old);
            let way = if from_old { way } else { 1.0 - way };
            (old_n >= min && new_n >= min && way > MIXED && way < 1.0).then_some((way, sides))
        };
        let earlier = Self { before_end: at - 1, after_start: at };
        let later = Self { before_end: at, after_start: at + 1 };
        [way_over(earlier, at - 1, true), way_over(later, at, false)]
            .into_iter()
            .flatten()
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map_or(Self { before_end: at, after_start: at }, |(_, sides)| sides)
    }
}

pub(crate) fn share((count, n): (u64, u64)) -> f64 {
    count as f64 / n as f64
}

/// The clearest lasting change of a share, when both sides hold at least `min` samples and their
/// intervals have nothing in common. `rises` tells which direction counts.
pub(crate) fn of_share(
    steps: &[(Timestamp, &Bucket)],
    min: u64,
    rises: bool,
    of: impl Fn(&Bucket) -> (u64, u64),
) -> Option<ShareChange> {
    let counts: Vec<(u64, u64)> = steps.iter().map(|(_, bucket)| of(bucket)).collect();
    let sum = |steps: Range<usize>| {
        counts[steps].iter().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    };
    let total = sum(0..counts.len());
    let mut before = (0, 0);
    let mut best: Option<(f64, usize)> = None;
    for at in 1..counts.len() {
        before = (before.0 + counts[at - 1].0, before.1 + counts[at - 1].1);
        let after = (total.0 - before.0, total.1 - before.1);
        if before.1 < min || after.1 < min || (share(after) > share(before)) != rises {
            continue;
        }
        let gain = log_likelihood(before) + log_likelihood(after);
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, at));
        }
    }
    let sides = Sides::around(best?.1, counts.len(), min, |steps| {
        let (count, n) = sum(steps);
        (n > 0).then(|| (share((count, n)), n))
    });
    let change = ShareChange {
        since: steps[sides.before_end].0,
        sides,
        before: sum(0..sides.before_end),
        after: sum(sides.after_start..counts.len()),
    };
    let intervals = (
        wilson(change.before.0, change.before.1, Z_SPLIT)?,
        wilson(change.after.0, change.after.1, Z_SPLIT)?,
    );
    // What has gone back to how it was needs nobody.
    let middle = (share(change.before) + share(change.after)) / 2.0;
    let tail = share(tail(&counts, min)?);
    let lasts = if rises { tail >= middle } else { tail <= middle };
    (intervals.0.is_disjoint_from(intervals.1) && lasts).then_some(change)
}

/// The clearest lasting fall of the mean confidence: Welch's t of at least 4.
pub(crate) fn of_confidence(steps: &[(Timestamp, &Bucket)], min: u64) -> Option<MeanChange> {
    let mut best: Option<(f64, usize)> = None;
    for at in 1..steps.len() {
        let before = moments(&steps[..at]);
        let after = moments(&steps[at..]);
        let (Some(old), Some(new)) = (before.mean(), after.mean()) else { continue };
        if before.n < min || after.n < min || new >= old {
            continue;
        }
        let (old_n, new_n) = (before.n as f64, after.n as f64);
        let gain = old_n * new_n / (old_n + new_n) * (old - new).powi(2);
        if best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, at));
        }
    }
    let sides = Sides::around(best?.1, steps.len(), min, |range| {
        let moments = moments(&steps[range]);
        Some((moments.mean()?, moments.n))
    });
    let change = MeanChange {
        since: steps[sides.before_end].0,
        before: moments(&steps[..sides.before_end]),
        after: moments(&steps[sides.after_start..]),
    };
    let (old, new) = (change.before.mean()?, change.after.mean()?);
    let error = (change.before.variance()? / change.before.n as f64
        + change.after.variance()? / change.after.n as f64)
        .sqrt();
    let from = (0..steps.len()).rev().find(|at| moments(&steps[*at..]).n >= min)?;
    let tail = moments(&steps[from..]).mean()?;
    (old - new >= 4.0 * error && tail <= (old + new) / 2.0).then_some(change)
}

/// The clearest lasting rise of the median duration, found by the share of operations slower than
/// the median of all.
pub(crate) fn of_duration(steps: &[(Timestamp, &Bucket)], min: u64) -> Option<MedianChange> {
    let median = histogram(steps).median()?;
    let slower = of_share(steps, min, true, |bucket| {
        (bucket.durations.above(median), bucket.durations.n())
    })?;
    let Sides { before_end, after_start } = slower.sides;
    let (before, after) = (histogram(&steps[..before_end]), histogram(&steps[after_start..]));
    Some(MedianChange {
        since: slower.since,
        before: (before.median()?, before.n()),
        after: (after.median()?, after.n()),
    })
}

/// Samples of the latest steps, as many as it takes to have `min`.
pub(crate) fn tail(counts: &[(u64, u64)], min: u64) -> Option<(u64, u64)> {
    let mut sum = (0, 0);
    for (count, n) in counts.iter().rev() {
        sum = (sum.0 + count, sum.1 + n);
        if sum.1 >= min {
            return Some(sum);
        }
    }
    None
}

/// Of `count` in `n` at their own share; the part that does not depend on the share is left out.
fn log_likelihood((count, n): (u64, u64)) -> f64 {
    let term = |part: u64| {
        if part == 0 { 0.0 } else { part as f64 * (part as f64 / n as f64).ln() }
    };
    term(count) + term(n - count)
}

fn moments(steps: &[(Timestamp, &Bucket)]) -> Moments {
    steps.iter().fold(Moments::default(), |mut sum, (_, bucket)| {
        sum.merge(&bucket.confidence);
        sum
    })
}

fn histogram(steps: &[(Timestamp, &Bucket)]) -> CoarseHistogram {
    steps.iter().fold(CoarseHistogram::default(), |mut sum, (_, bucket)| {
        sum.merge(&bucket.durations);
        sum
    })
}

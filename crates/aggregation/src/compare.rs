//! Whether something differs between two samples by more than chance.

use crate::normal::two_sided_t;
use crate::{ClusterGroup, ClusteredSample, FineHistogram, Z_95, wilson};
use fastrand::Rng;

/// Replicates of the bootstrap.
const REPLICATES: usize = 600;
/// Fewest groups with samples on each side.
const MIN_GROUPS: usize = 5;
/// Fewest samples beyond a quantile, on each side.
const MIN_BEYOND: f64 = 10.0;

/// A measure of two samples, and how it differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The measure before: a share, or milliseconds.
    pub before: f64,
    /// Samples before.
    pub before_n: u64,
    /// The measure after.
    pub after: f64,
    /// Samples after.
    pub after_n: u64,
    /// For shares the difference, for quantiles the relative change: 0.1 is a tenth more.
    pub effect: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// Probability of as large an effect by chance, two-sided.
    pub probability: f64,
}

/// Compares a quantile `q` (above 0, below 1) of the durations.
///
/// Interval and probability come from a bootstrap over clusters, not over events (A. C. Davison,
/// D. V. Hinkley, “Bootstrap Methods and their Application”, 1997, section 3.8). `None` when either
/// side has too few samples beyond the quantile (10) or too few groups of clusters (5). The
/// same `seed` gives the same answer.
pub fn compare_quantile(
    before: &ClusteredSample,
    after: &ClusteredSample,
    q: f64,
    seed: u64,
) -> Option<Compared> {
    let durations = |it: &ClusterGroup| it.durations.n();
    let (old, new) = (groups(before, durations)?, groups(after, durations)?);
    let count = |groups: &[&ClusterGroup]| groups.iter().map(|it| it.durations.n()).sum::<u64>();
    let (before_n, after_n) = (count(&old), count(&new));
    if before_n.min(after_n) as f64 * q.min(1.0 - q) < MIN_BEYOND {
        return None;
    }
    let log_of = |groups: &[&ClusterGroup], weights: &[u32]| log_quantile(groups, weights, q);
    let (was, is) = (log_of(&old, &vec![1; old.len()])?, log_of(&new, &vec![1; new.len()])?);
    let found = bootstrap(&old, &new, seed, is - was, |old, old_w, new, new_w| {
        Some(log_of(new, new_w)? - log_of(old, old_w)?)
    })?;
    let ms = |log: f64| log.exp() / 1e6;
    Some(Compared {
        before: ms(was),
        before_n,
        after: ms(is),
        after_n,
        effect: (is - was).exp_m1(),
        low: found.low.exp_m1(),
        high: found.high.exp_m1(),
        probability: found.probability,
    })
}

/// Compares a share; `of` gives hits and samples of a group.
///
/// As [`compare_quantile`]; the interval is never narrower than the one from two Wilson intervals
/// (R. G. Newcombe, Statistics in Medicine 17 (1998), method 10), because a bootstrap knows no
/// doubt about a share of exactly 0 or 1. `None` below 20 samples or 5 groups on either side.
pub fn compare_share(
    before: &ClusteredSample,
    after: &ClusteredSample,
    seed: u64,
    of: impl Fn(&ClusterGroup) -> (u64, u64),
) -> Option<Compared> {
    let samples = |it: &ClusterGroup| of(it).1;
    let (old, new) = (groups(before, samples)?, groups(after, samples)?);
    let sum = |groups: &[&ClusterGroup], weights: &[u32]| {
        groups.iter().zip(weights).fold((0u64, 0u64), |sum, (group, weight)| {
            let (hits, n) = of(group);
            (sum.0 + hits * u64::from(*weight), sum.1 + n * u64::from(*weight))
        })
    };
    let share = |(hits, n): (u64, u64)| (n > 0).then(|| hits as f64 / n as f64);
    let (was, is) = (sum(&old, &vec![1; old.len()]), sum(&new, &vec![1; new.len()]));
    if was.1.min(is.1) < 20 {
        return None;
    }
    let (before, after) = (share(was)?, share(is)?);
    let effect = after - before;
    let mut found = bootstrap(&old, &new, seed, effect, |old, old_w, new, new_w| {
        Some(share(sum(new, new_w))? - share(sum(old, old_w))?)
    })?;
    let (a, b) = (wilson(was.0, was.1, Z_95)?, wilson(is.0, is.1, Z_95)?);
    let down = ((after - b.low).powi(2) + (a.high - before).powi(2)).sqrt();
    let up = ((b.high - after).powi(2) + (before - a.low).powi(2)).sqrt();
    found.low = found.low.min(effect - down);
    found.high = found.high.max(effect + up);
    let towards_none = if effect >= 0.0 { down } else { up };
    let freedom = (old.len() + new.len() - 2) as f64;
    let score = if towards_none > 0.0 { effect / (towards_none / Z_95) } else { 0.0 };
    found.probability = found.probability.max(two_sided_t(score, freedom));
    Some(Compared {
        before,
        before_n: was.1,
        after,
        after_n: is.1,
        effect,
        low: found.low,
        high: found.high,
        probability: found.probability,
    })
}

struct Found {
    low: f64,
    high: f64,
    probability: f64,
}

/// Groups that hold something.
fn groups(
    sample: &ClusteredSample,
    n: impl Fn(&ClusterGroup) -> u64,
) -> Option<Vec<&ClusterGroup>> {
    let groups: Vec<&ClusterGroup> = sample.groups().iter().filter(|it| n(it) > 0).collect();
    (groups.len() >= MIN_GROUPS).then_some(groups)
}

fn bootstrap(
    old: &[&ClusterGroup],
    new: &[&ClusterGroup],
    seed: u64,
    estimate: f64,
    difference: impl Fn(&[&ClusterGroup], &[u32], &[&ClusterGroup], &[u32]) -> Option<f64>,
) -> Option<Found> {
    let mut rng = Rng::with_seed(seed);
    let mut draw = |groups: usize| {
        let mut weights = vec![0u32; groups];
        for _ in 0..groups {
            weights[rng.usize(..groups)] += 1;
        }
        weights
    };
    let mut replicates: Vec<f64> = (0..REPLICATES)
        .filter_map(|_| difference(old, &draw(old.len()), new, &draw(new.len())))
        .collect();
    if replicates.len() < REPLICATES / 2 {
        return None;
    }
    replicates.sort_unstable_by(f64::total_cmp);
    let n = replicates.len() as f64;
    let mean = replicates.iter().sum::<f64>() / n;
    let variance = replicates.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / (n - 1.0);
    // Drawing k of k makes the spread too small by (k - 1) / k.
    let k = old.len().min(new.len()) as f64;
    let wider = (k / (k - 1.0)).sqrt();
    let at = |q: f64| replicates[((n - 1.0) * q).round() as usize];
    let error = variance.sqrt() * wider;
    let score = if estimate == 0.0 { 0.0 } else { estimate / error };
    Some(Found {
        low: estimate.min(estimate + (at(0.025) - mean) * wider),
        high: estimate.max(estimate + (at(0.975) - mean) * wider),
        probability: two_sided_t(score, (old.len() + new.len() - 2) as f64),
    })
}

/// Natural logarithm of a quantile in nanoseconds, bins filled evenly on the logarithmic scale.
fn log_quantile(groups: &[&ClusterGroup], weights: &[u32], q: f64) -> Option<f64> {
    let used = || groups.iter().zip(weights).filter(|(_, weight)| **weight > 0);
    let bounds = used().filter_map(|(it, _)| {
        let bins = it.durations.bins();
        Some((bins.first()?.0, bins.last()?.0))
    });
    let (first, last) = bounds.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let mut counts = vec![0u64; usize::try_from(last - first).ok()? + 1];
    for (group, weight) in used() {
        for (bin, count) in group.durations.bins() {
            counts[(bin - first) as usize] += u64::from(*count) * u64::from(*weight);
        }
    }
    let rank = counts.iter().sum::<u64>() as f64 * q;
    let mut below = 0.0;
    for (at, count) in counts.iter().enumerate() {
        let count = *count as f64;
        if count > 0.0 && below + count >= rank {
            let part = ((rank - below) / count).clamp(0.0, 1.0);
            let upper = f64::from(first) + at as f64;
            return Some((upper - 1.0 + part) * FineHistogram::log_width());
        }
        below += count;
    }
    None
}

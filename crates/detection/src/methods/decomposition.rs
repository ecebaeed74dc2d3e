use super::statistics::{mean, median};

/// Makes the median absolute deviation of normal values their standard deviation.
const NORMAL: f64 = 1.4826;

/// What comes next, and how far earlier values were from trend plus season.
///
/// The newest trend there is, the mean of the last season, is carried on. `None` with fewer than three
/// seasons.
pub(super) fn forecast(values: &[f64], period: usize) -> Option<(f64, f64)> {
    if period < 2 || values.len() < 3 * period {
        return None;
    }
    let half = period / 2;
    let trend: Vec<f64> =
        (half..values.len() - half).map(|at| centred(values, at, period)).collect();
    let mut phases = vec![(0.0, 0.0); period];
    for (at, trend) in trend.iter().enumerate() {
        let (sum, count) = &mut phases[(at + half) % period];
        *sum += values[at + half] - trend;
        *count += 1.0;
    }
    let mut season: Vec<f64> = phases.iter().map(|(sum, count)| sum / count).collect();
    let offset = mean(&season);
    season.iter_mut().for_each(|it| *it -= offset);
    let remainder = |at: usize| values[at + half] - trend[at] - season[(at + half) % period];
    let deviations: Vec<f64> = (0..trend.len()).map(|at| remainder(at).abs()).collect();
    let last_season = &values[values.len() - period..];
    // A whole season has no seasonal part, so its mean is a trend that is half a season old.
    let expected = mean(last_season) + season[values.len() % period];
    Some((expected, NORMAL * median(deviations)?))
}

/// A mean over exactly one season around a place; an even season takes half of both ends.
fn centred(values: &[f64], at: usize, period: usize) -> f64 {
    let half = period / 2;
    let around = &values[at - half..=at + half];
    if period % 2 == 1 {
        return mean(around);
    }
    let ends = f64::midpoint(around[0], around[period]);
    (around[1..period].iter().sum::<f64>() + ends) / period as f64
}

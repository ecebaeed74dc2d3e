/// Of at least one value.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Mean and standard deviation of a sample (n − 1); `None` of fewer than two.
pub(super) fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Some((mean, (squares / (values.len() - 1) as f64).sqrt()))
}

/// Distance in units; infinite where there is a distance and no unit.
pub(super) fn distance(value: f64, expected: f64, unit: f64) -> f64 {
    let distance = (value - expected).abs();
    // Rounding in the mean of equal values must pass neither for variation nor for a distance.
    let rounding = 1e-9 * expected.abs().max(value.abs());
    if distance <= rounding {
        0.0
    } else if unit <= rounding {
        f64::INFINITY
    } else {
        distance / unit
    }
}

/// The quartiles, interpolated linearly (type 7 of Hyndman and Fan); `None` of nothing.
pub(super) fn quartiles(values: &[f64]) -> Option<[f64; 3]> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Some([quantile(&sorted, 0.25)?, quantile(&sorted, 0.5)?, quantile(&sorted, 0.75)?])
}

/// The median; `None` of nothing.
pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    quantile(&values, 0.5)
}

fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let place = share * last as f64;
    let below = sorted[place as usize];
    let above = sorted[(place as usize + 1).min(last)];
    Some(below + place.fract() * (above - below))
}

/// A median and an interval that holds the true one with a confidence of 95 %, from the order of
/// the values alone (binomial order statistics, normal approximation).
#[derive(Clone, Copy, Debug)]
pub(super) struct Interval {
    pub(super) median: f64,
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Interval {
    /// Of at least one value.
    pub(super) fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let reach = (0.98 * (count as f64).sqrt()).ceil() as usize;
        let middle = count / 2;
        Self {
            median: values[middle],
            low: values[middle.saturating_sub(reach)],
            high: values[(middle + reach).min(count - 1)],
        }
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    Interval::of(values.to_vec()).median
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_lies_around_the_median() {
        let all = Interval::of((0..101).map(f64::from).rev().collect());
        assert_eq!((all.low, all.median, all.high), (40.0, 50.0, 60.0));
        assert_eq!(median(&[7.0]), 7.0);
    }
}

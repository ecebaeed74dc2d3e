/// A range that covers an unknown share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// Lower end, 0 to 1.
    pub low: f64,
    /// Upper end, 0 to 1.
    pub high: f64,
}

impl Interval {
    /// Whether the two ranges have nothing in common.
    pub fn is_disjoint_from(self, other: Self) -> bool {
        self.high < other.low || other.high < self.low
    }
}

/// The standard normal quantile of a two-sided 95 % interval.
pub const Z_95: f64 = 1.959_963_984_540_054;

/// Wilson's score interval for a share of `successes` in `n` trials, at `z` standard normal
/// deviations ([`Z_95`] for 95 %).
///
/// `None` when there is nothing to say: no trials, more successes than trials, or a `z` that is
/// negative or not a number. Source: E. B. Wilson, “Probable inference, the law of succession, and
/// statistical inference”, JASA 22 (1927).
///
/// ```
/// use telemetry_aggregation::{Z_95, wilson};
/// let interval = wilson(9, 10, Z_95).unwrap();
/// assert!((interval.low - 0.5958).abs() < 1e-4 && (interval.high - 0.9821).abs() < 1e-4);
/// assert_eq!(wilson(0, 0, Z_95), None);
/// ```
pub fn wilson(successes: u64, n: u64, z: f64) -> Option<Interval> {
    if n == 0 || successes > n || !z.is_finite() || z < 0.0 {
        return None;
    }
    let (count, n) = (successes, n as f64);
    let share = count as f64 / n;
    let z2 = z * z;
    let centre = share + z2 / (2.0 * n);
    let half = z * ((share * (1.0 - share) + z2 / (4.0 * n)) / n).sqrt();
    let scale = 1.0 + z2 / n;
    // The formula reaches 0 and 1 exactly there, but rounding does not.
    let low = if count == 0 { 0.0 } else { ((centre - half) / scale).clamp(0.0, share) };
    let high = if count as f64 == n { 1.0 } else { ((centre + half) / scale).clamp(share, 1.0) };
    Some(Interval { low, high })
}

#[cfg(test)]
mod tests {
    use super::{Z_95, wilson};

    #[test]
    fn known_values() {
        // Newcombe, Statistics in Medicine 17 (1998), table I.
        for (successes, n, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611)]
        {
            let interval = wilson(successes, n, Z_95).unwrap();
            assert!((interval.low - low).abs() < 5e-5, "{successes} of {n}: {interval:?}");
            assert!((interval.high - high).abs() < 5e-5, "{successes} of {n}: {interval:?}");
        }
        assert_eq!(wilson(29, 29, Z_95).unwrap().high, 1.0);
    }

    #[test]
    fn nothing_to_say() {
        assert_eq!(wilson(0, 0, Z_95), None);
        assert_eq!(wilson(2, 1, Z_95), None);
        assert_eq!(wilson(1, 2, f64::NAN), None);
        assert_eq!(wilson(1, 2, -1.0), None);
    }
}

/// The least rate of false discoveries at which each of several tests would count as a discovery
/// (its q-value), in the order given. A probability that is not a number counts as 1.
///
/// Calling a discovery what has a q-value of at most `q` keeps the expected share of false ones
/// among them at or below `q`, also for positively dependent tests. Source: Y. Benjamini,
/// Y. Hochberg, “Controlling the false discovery rate”, Journal of the Royal Statistical Society B
/// 57 (1995).
///
/// ```
/// use telemetry_aggregation::discovery_rates;
/// assert_eq!(discovery_rates(&[0.01, 0.5, 0.02]), [0.03, 0.5, 0.03]);
/// ```
pub fn discovery_rates(probabilities: &[f64]) -> Vec<f64> {
    let value = |at: usize| if probabilities[at].is_nan() { 1.0 } else { probabilities[at] };
    let mut order: Vec<usize> = (0..probabilities.len()).collect();
    order.sort_by(|a, b| value(*a).total_cmp(&value(*b)).then(a.cmp(b)));
    let mut rates = vec![1.0; probabilities.len()];
    let mut least: f64 = 1.0;
    for (rank, at) in order.into_iter().enumerate().rev() {
        least = least.min(value(at) * probabilities.len() as f64 / (rank + 1) as f64);
        rates[at] = least;
    }
    rates
}

/// As [`discovery_rates`], with more discoveries where many tests have something to find.
///
/// The rates are multiplied by an estimate of the share of tests with nothing to find: how many have
/// a probability above one half, and one more, of the half that would be expected to. Where nothing is
/// to be found that is about 1. Source: J. D. Storey, J. E. Taylor, D. Siegmund, “Strong control,
/// conservative point estimation and simultaneous conservative consistency of false discovery rates”,
/// Journal of the Royal Statistical Society B 66 (2004).
///
/// ```
/// use telemetry_aggregation::adaptive_discovery_rates;
/// let rates = adaptive_discovery_rates(&[0.01, 0.02, 0.03, 0.04]);
/// assert!(rates.iter().all(|rate| *rate <= 0.02));
/// ```
pub fn adaptive_discovery_rates(probabilities: &[f64]) -> Vec<f64> {
    let large = probabilities.iter().filter(|it| it.is_nan() || **it > 0.5).count() as f64;
    let nothing = (large + 1.0) / 0.5 / probabilities.len().max(1) as f64;
    discovery_rates(probabilities).iter().map(|rate| rate * nothing.min(1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::discovery_rates;

    #[test]
    fn the_example_of_the_paper() {
        // Section 4.1: 15 comparisons; the first four are rejected at a rate of 5 %.
        let probabilities = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let found = discovery_rates(&probabilities).iter().filter(|rate| **rate <= 0.05).count();
        assert_eq!(found, 4);
    }

    #[test]
    fn edges() {
        assert_eq!(discovery_rates(&[]), Vec::<f64>::new());
        assert_eq!(discovery_rates(&[f64::NAN, 0.0]), [1.0, 0.0]);
    }
}

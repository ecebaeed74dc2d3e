//! Tail probabilities of the normal and of Student's distribution.

use std::f64::consts::SQRT_2;

/// Probability that a standard normal value is at least as far from 0 as `z`, on either side.
pub fn two_sided(z: f64) -> f64 {
    libm::erfc(z.abs() / SQRT_2)
}

/// The same for Student's t with `freedom` degrees of freedom, above 0; to about 1 % of the
/// probability from 5 degrees on. Source: D. L. Wallace, “Bounds on normal approximations to
/// Student's and the chi-square distributions”, Annals of Mathematical Statistics 30 (1959).
pub fn two_sided_t(t: f64, freedom: f64) -> f64 {
    two_sided(normal_of_t(t, freedom))
}

/// The normal deviation that is as unlikely as `t`.
fn normal_of_t(t: f64, freedom: f64) -> f64 {
    if !t.is_finite() {
        return t;
    }
    (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)
        * (freedom * (t * t / freedom).ln_1p()).sqrt().copysign(t)
}

#[cfg(test)]
mod tests {
    use super::{two_sided, two_sided_t};

    #[test]
    fn tables() {
        for (z, p) in [(0.0, 1.0), (1.0, 0.317_311), (1.959_964, 0.05), (3.290_527, 0.001)] {
            assert!((two_sided(z) - p).abs() < 1e-6, "{z}");
        }
        // Two-sided 5 % and 1 % points of Student's t.
        for (t, freedom, p) in
            [(2.571, 5.0, 0.05), (2.228, 10.0, 0.05), (2.042, 30.0, 0.05), (2.750, 30.0, 0.01)]
        {
            let found = two_sided_t(t, freedom);
            assert!((found / p - 1.0).abs() < 0.02, "{t} with {freedom}: {found}");
        }
        assert_eq!(two_sided_t(f64::INFINITY, 7.0), 0.0);
    }
}

//! How long it is worth waiting.

use crate::{DurationSketch, Z_95, wilson};
use std::time::Duration;

/// Fewest timeouts, and fewest successes, from which anything is concluded.
const MIN_TIMEOUTS: u64 = 20;
const MIN_SUCCESSES: u64 = 500;
/// What is put on top of the slowest successes seen.
const MARGIN: f64 = 1.5;
/// Shares of the successes that must be done.
const DONE: [f64; 3] = [0.999, 0.9995, 1.0];

/// A shorter timeout, and what it would do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WaitPlan {
    /// How long operations wait now: the median of the timeouts.
    pub present: Duration,
    /// How long they should.
    pub limit: Duration,
    /// Share of all operations that would no longer succeed.
    pub lost: f64,
    /// Upper end of its 95 % interval.
    pub lost_high: f64,
    /// Operations that timed out.
    pub timeouts: u64,
    /// Operations in all.
    pub n: u64,
}

/// The shortest timeout that loses at most `margin` of all operations, at the upper end of the 95 %
/// interval; `None` when too little is known, or when it would not be shorter by a third.
///
/// The probability of success by a time comes from Kaplan and Meier's estimator, with operations
/// that were given up (timeouts and `cancelled`) as censored: they might have succeeded later.
/// Nothing is said about times beyond the present timeout.
pub fn wait_plan(
    successes: &DurationSketch,
    timeouts: &DurationSketch,
    cancelled: &DurationSketch,
    margin: f64,
) -> Option<WaitPlan> {
    if timeouts.n() < MIN_TIMEOUTS || successes.n() < MIN_SUCCESSES {
        return None;
    }
    let (low, present, high) =
        (timeouts.quantile(0.1)?, timeouts.quantile(0.5)?, timeouts.quantile(0.9)?);
    // Timeouts of very different lengths are not one setting.
    if high > low.mul_f64(1.5) {
        return None;
    }
    let n = successes.n() + timeouts.n();
    let curve = survival(successes, &[timeouts, cancelled]);
    let left = |at: Duration| {
        let after = curve.partition_point(|(time, _)| *time <= at);
        after.checked_sub(1).map_or(1.0, |at| curve[at].1)
    };
    DONE.iter().find_map(|done| {
        let limit = successes.quantile(*done)?.mul_f64(MARGIN);
        if limit > present.mul_f64(2.0 / 3.0) {
            return None;
        }
        let lost = (left(limit) - left(present)).max(0.0);
        let lost_high = wilson((lost * n as f64).round() as u64, n, Z_95)?.high;
        (lost_high <= margin).then_some(WaitPlan {
            present,
            limit,
            lost,
            lost_high,
            timeouts: timeouts.n(),
            n,
        })
    })
}

/// Share of operations that have not succeeded after each time at which one succeeds (E. L. Kaplan,
/// P. Meier, JASA 53 (1958)); those censored at the same time still counted as waiting then.
pub fn survival(events: &DurationSketch, censored: &[&DurationSketch]) -> Vec<(Duration, f64)> {
    let mut given_up: Vec<(Duration, u64)> =
        censored.iter().flat_map(|it| it.bins().collect::<Vec<_>>()).collect();
    given_up.sort_unstable();
    let mut given_up = given_up.into_iter().peekable();
    let mut waiting = events.n() + censored.iter().map(|it| it.n()).sum::<u64>();
    let mut left = 1.0;
    let mut curve = Vec::new();
    for (at, n) in events.bins() {
        while let Some((_, gone)) = given_up.next_if(|(time, _)| *time < at) {
            waiting -= gone;
        }
        left *= 1.0 - n as f64 / waiting as f64;
        waiting -= n;
        curve.push((at, left));
    }
    curve
}

#[cfg(test)]
mod tests {
    use super::{survival, wait_plan};
    use crate::DurationSketch;
    use std::time::Duration;

    fn sketch(ms: impl IntoIterator<Item = u64>) -> DurationSketch {
        let mut sketch = DurationSketch::new();
        for ms in ms {
            sketch.add(Duration::from_millis(ms));
        }
        sketch
    }

    #[test]
    fn the_textbook_curve() {
        // Events at 1, 3 and 5, censored at 2 and 4: 4/5, 4/5 × 2/3, 0.
        let curve = survival(&sketch([1_000, 3_000, 5_000]), &[&sketch([2_000, 4_000])]);
        let left: Vec<f64> = curve.iter().map(|(_, left)| *left).collect();
        assert!((left[0] - 0.8).abs() < 1e-12 && (left[1] - 1.6 / 3.0).abs() < 1e-12, "{left:?}");
        assert_eq!(left[2], 0.0);
    }

    #[test]
    fn a_long_timeout_is_shortened_and_a_needed_one_is_not() {
        let quick = sketch((0..5_000).map(|at| 50 + at % 200));
        let timeouts = sketch([30_000; 100]);
        let plan = wait_plan(&quick, &timeouts, &sketch([]), 0.01).unwrap();
        assert!(plan.limit < Duration::from_millis(500) && plan.lost < 1e-6, "{plan:?}");
        let slow = sketch((0..5_000).map(|at| 50 + at * 5));
        assert_eq!(wait_plan(&slow, &timeouts, &sketch([]), 0.01), None);
        assert_eq!(wait_plan(&quick, &sketch([30_000; 10]), &sketch([]), 0.01), None);
        let mixed = sketch((0..100).map(|at| if at % 2 == 0 { 5_000 } else { 30_000 }));
        assert_eq!(wait_plan(&quick, &mixed, &sketch([]), 0.01), None);
    }
}

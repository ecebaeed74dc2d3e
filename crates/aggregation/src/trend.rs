//! Slow, steady change over equal steps of time, without assuming a distribution.

use crate::Z_95;
use crate::normal::two_sided;

/// A line through a series, and whether it rises or falls by more than chance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// Steps with a value.
    pub n: usize,
    /// Change a step: the median of the slopes between all pairs (Theil–Sen).
    pub slope: f64,
    /// Lower end of its 95 % interval.
    pub low: f64,
    /// Upper end of its 95 % interval.
    pub high: f64,
    /// The line's value at the first step.
    pub start: f64,
    /// Probability of as clear a trend by chance (Mann–Kendall, two-sided).
    pub probability: f64,
}

/// Fewest values a trend is judged by.
pub const MIN_TREND_VALUES: usize = 8;

/// The trend of a series with equal steps, `None` where nothing is known. With a `season` above 1
/// (7 for days with a weekly rhythm) only steps of the same phase are compared with each other,
/// provided that the series covers three seasons.
///
/// `None` below [`MIN_TREND_VALUES`] values. The variance of Mann and Kendall's S is corrected for
/// autocorrelation (never below the uncorrected one), so that a series that wanders is not taken
/// for a trend. Time grows with the square of the length.
///
/// Sources: P. K. Sen, JASA 63 (1968), slope and interval; R. M. Hirsch, J. R. Slack, R. A. Smith,
/// Water Resources Research 18 (1982), seasons; K. H. Hamed, A. R. Rao, Journal of Hydrology 204
/// (1998), autocorrelation of the ranks.
pub fn trend(series: &[Option<f64>], season: usize) -> Option<Trend> {
    let points: Vec<(usize, f64)> =
        series.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).collect();
    if points.len() < MIN_TREND_VALUES {
        return None;
    }
    let span = points.last()?.0 - points.first()?.0 + 1;
    let season = if season > 1 && span >= 3 * season { season } else { 1 };
    let mut slopes = Vec::new();
    let (mut s, mut variance) = (0i64, 0.0);
    for phase in 0..season {
        let own: Vec<(usize, f64)> =
            points.iter().copied().filter(|(at, _)| at % season == phase).collect();
        for (at, (x, y)) in own.iter().enumerate() {
            for (later, value) in &own[at + 1..] {
                slopes.push((value - y) / (later - x) as f64);
                s += sign(value - y);
            }
        }
        variance += kendall_variance(own.iter().map(|(_, value)| *value).collect());
    }
    slopes.sort_unstable_by(f64::total_cmp);
    let slope = median_of_sorted(&slopes)?;
    let start = median(points.iter().map(|(at, value)| value - slope * *at as f64).collect())?;
    let detrended: Vec<Option<f64>> = series
        .iter()
        .enumerate()
        .map(|(at, value)| value.map(|value| value - start - slope * at as f64))
        .collect();
    let variance = variance * inflation(&without_season(&detrended, season));
    let deviation = variance.sqrt();
    let probability =
        if deviation > 0.0 { two_sided((s - s.signum()) as f64 / deviation) } else { 1.0 };
    let half = Z_95 * deviation;
    let rank = |of: f64| {
        let at = of.round().clamp(0.0, (slopes.len() - 1) as f64) as usize;
        slopes[at]
    };
    Some(Trend {
        n: points.len(),
        slope,
        low: rank((slopes.len() as f64 - half) / 2.0 - 1.0),
        high: rank((slopes.len() as f64 + half) / 2.0),
        start,
        probability,
    })
}

fn sign(value: f64) -> i64 {
    i64::from(value > 0.0) - i64::from(value < 0.0)
}

/// Variance of S for independent values, with ties.
fn kendall_variance(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let term = |n: usize| (n * n.saturating_sub(1) * (2 * n + 5)) as f64;
    let tied: f64 = values.chunk_by(|a, b| a.total_cmp(b).is_eq()).map(|tie| term(tie.len())).sum();
    (term(values.len()) - tied) / 18.0
}

/// How much wider the distribution of S is because neighbours resemble each other: n/n* of Hamed
/// and Rao, from the significant autocorrelations of the ranks, or, where that is more, from an
/// autocorrelation that fades with the lag as its first one says (S. Yue, C. Wang, Water Resources
/// Management 18 (2004)), the bias that removing a line brings into it corrected (F. H. C.
/// Marriott, J. A. Pope, Biometrika 41 (1954)). Short series hide what persists over many lags.
fn inflation(residuals: &[Option<f64>]) -> f64 {
    let ranks = ranks(residuals);
    let known: Vec<f64> = ranks.iter().flatten().copied().collect();
    let n = known.len();
    if n < 4 {
        return 1.0;
    }
    let mean = known.iter().sum::<f64>() / n as f64;
    let spread = known.iter().map(|rank| (rank - mean).powi(2)).sum::<f64>();
    if spread <= 0.0 {
        return 1.0;
    }
    let significant = Z_95 / (n as f64).sqrt();
    let count = n as f64;
    let correlation = |lag: usize| {
        let pairs = ranks.iter().zip(&ranks[lag.min(ranks.len())..]);
        let products = pairs.filter_map(|(a, b)| Some(((*a)? - mean) * ((*b)? - mean)));
        products.sum::<f64>() / spread
    };
    let wider = |of: &dyn Fn(usize) -> f64| {
        let terms = (1..n - 2).map(|lag| {
            let left = count - lag as f64;
            left * (left - 1.0) * (left - 2.0) * of(lag)
        });
        1.0 + 2.0 / (count * (count - 1.0) * (count - 2.0)) * terms.sum::<f64>()
    };
    let as_found =
        wider(&|lag| Some(correlation(lag)).filter(|it| it.abs() > significant).unwrap_or(0.0));
    let first = correlation(1);
    let fading = if first > significant {
        let unbiased = ((first + 2.0 / count) / (1.0 - 4.0 / count)).min(0.95);
        wider(&|lag| unbiased.powi(i32::try_from(lag).unwrap_or(i32::MAX)))
    } else {
        1.0
    };
    as_found.max(fading).max(1.0)
}

/// Ranks from 1, ties sharing the mean of theirs.
fn ranks(values: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> =
        values.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))).collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ranks = vec![None; values.len()];
    let mut below = 0;
    for tie in order.chunk_by(|a, b| a.1.total_cmp(&b.1).is_eq()) {
        let rank = below as f64 + (tie.len() + 1) as f64 / 2.0;
        for (at, _) in tie {
            ranks[*at] = Some(rank);
        }
        below += tie.len();
    }
    ranks
}

/// Without what each phase of the season has in common.
fn without_season(values: &[Option<f64>], season: usize) -> Vec<Option<f64>> {
    let phase = |of: usize| {
        let own = values.iter().enumerate().filter(|(at, _)| at % season == of);
        median(own.filter_map(|(_, value)| *value).collect()).unwrap_or(0.0)
    };
    if season == 1 {
        return values.to_vec();
    }
    let phases: Vec<f64> = (0..season).map(phase).collect();
    values
        .iter()
        .enumerate()
        .map(|(at, value)| value.map(|value| value - phases[at % season]))
        .collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    median_of_sorted(&values)
}

fn median_of_sorted(values: &[f64]) -> Option<f64> {
    let middle = values.len() / 2;
    let upper = *values.get(middle)?;
    Some(if values.len() % 2 == 1 { upper } else { (values[middle - 1] + upper) / 2.0 })
}

#[cfg(test)]
mod tests {
    use super::trend;
    use fastrand::Rng;

    fn noise(rng: &mut Rng) -> f64 {
        // Irwin–Hall: near enough to normal.
        (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
    }

    /// How many of 400 series without a trend are said to have one, at 5 %.
    fn false_alarms(persistence: f64) -> usize {
        let mut rng = Rng::with_seed(7);
        (0..400)
            .filter(|_| {
                let mut value = 0.0;
                let series: Vec<Option<f64>> = (0..60)
                    .map(|_| {
                        value = persistence * value + noise(&mut rng);
                        Some(value)
                    })
                    .collect();
                trend(&series, 1).unwrap().probability < 0.05
            })
            .count()
    }

    #[test]
    fn a_line_is_found_with_its_slope() {
        let mut rng = Rng::with_seed(1);
        let series: Vec<Option<f64>> = (0..40)
            .map(|at| (at % 9 != 4).then(|| 10.0 + 0.5 * f64::from(at) + noise(&mut rng)))
            .collect();
        let found = trend(&series, 1).unwrap();
        assert!(found.low <= 0.5 && 0.5 <= found.high, "{found:?}");
        assert!((found.slope - 0.5).abs() < 0.1 && found.probability < 1e-4, "{found:?}");
        assert!((found.start - 10.0).abs() < 1.5, "{found:?}");
    }

    #[test]
    fn the_published_example() {
        // Sen's own ordered slopes (JASA 63, section 6): the points 1, 2, 3, 4, 10, 12, 18 with
        // 9, 15, 19, 20, 45, 55, 78 have the median slope 4. Steps between them are unknown.
        let mut series = vec![None; 19];
        for (x, y) in
            [(1, 9.0), (2, 15.0), (3, 19.0), (4, 20.0), (10, 45.0), (12, 55.0), (18, 78.0)]
        {
            series[x] = Some(y);
        }
        assert_eq!(trend(&series, 1), None, "seven values are too few to judge");
        series[0] = Some(5.0);
        assert_eq!(trend(&series, 1).unwrap().slope, 4.0);
    }

    #[test]
    fn a_weekly_rhythm_is_no_trend_and_hides_none() {
        let mut rng = Rng::with_seed(2);
        let mut week = |slope: f64| -> Vec<Option<f64>> {
            (0..42)
                .map(|day| {
                    let weekend = if day % 7 > 4 { 20.0 } else { 0.0 };
                    Some(weekend + slope * f64::from(day) + noise(&mut rng))
                })
                .collect()
        };
        assert!(trend(&week(0.0), 7).unwrap().probability > 0.05);
        assert!(trend(&week(0.1), 7).unwrap().probability < 0.01);
    }

    #[test]
    fn what_wanders_is_not_taken_for_a_trend() {
        let (white, red) = (false_alarms(0.0), false_alarms(0.5));
        assert!(white <= 32, "{white} of 400 without autocorrelation");
        // Without the correction these are 120.
        assert!(red <= 48, "{red} of 400 with autocorrelation");
    }

    #[test]
    fn nothing_to_say() {
        assert_eq!(trend(&[Some(1.0); 7], 1), None);
        let flat = trend(&[Some(1.0); 30], 7).unwrap();
        assert_eq!((flat.slope, flat.probability), (0.0, 1.0));
    }
}

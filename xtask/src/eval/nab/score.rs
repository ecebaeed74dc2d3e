//! The scoring of the Numenta Anomaly Benchmark, standard profile (Lavin and Ahmad, "Evaluating
//! Real-Time Anomaly Detection Algorithms", ICMLA 2015): an early detection in a window earns up to
//! 1, a window missed costs 1, and a false alarm costs up to 0.11.

use super::corpus;
use std::collections::BTreeMap;

const FALSE_ALARM: f64 = 0.11;
const PROBATION_SHARE: f64 = 0.15;
const PROBATION_ROWS: usize = 750;

/// What is needed to score one series.
pub(super) struct Series<'a> {
    source: &'a corpus::Series,
    /// Rows with a score above 0 after probation.
    rows: Vec<Row>,
    /// Windows that do not end before probation does.
    present: usize,
}

struct Row {
    score: f64,
    weight: f64,
    window: Option<usize>,
}

pub(super) struct Scored {
    /// 0 for detecting nothing, 100 for everything at once and without false alarms.
    pub(super) score: f64,
    pub(super) threshold: f64,
    pub(super) found: usize,
    pub(super) windows: usize,
    pub(super) false_rows: usize,
}

impl<'a> Series<'a> {
    pub(super) fn of(series: &'a [corpus::Series], scores: &[Vec<f64>]) -> Vec<Self> {
        series.iter().zip(scores).map(|(series, scores)| Self::one(series, scores)).collect()
    }

    fn one(source: &'a corpus::Series, scores: &[f64]) -> Self {
        let length = scores.len();
        let probation = ((PROBATION_SHARE * length as f64) as usize).min(PROBATION_ROWS);
        let rows = (probation..length).filter(|at| scores[*at] > 0.0).map(|at| {
            let inside = source.windows.iter().position(|(from, to)| (*from..=*to).contains(&at));
            let weight = match (inside, source.windows.iter().rev().find(|(_, to)| *to < at)) {
                (Some(window), _) => {
                    let (from, to) = source.windows[window];
                    sigmoid(-((to - at + 1) as f64) / (to - from + 1) as f64) / sigmoid(-1.0)
                }
                (None, Some((from, to))) => sigmoid((at - to) as f64 / (to - from) as f64),
                (None, None) => -1.0,
            };
            Row { score: scores[at], weight, window: inside }
        });
        let present = source.windows.iter().filter(|(_, to)| *to >= probation).count();
        Self { source, rows: rows.collect(), present }
    }
}

fn sigmoid(place: f64) -> f64 {
    if place > 3.0 { -1.0 } else { 2.0 / (1.0 + (5.0 * place).exp()) - 1.0 }
}

/// Scores the alarms at or above a threshold, or above the best one for these series.
pub(super) fn score(all: &[&Series<'_>], threshold: Option<f64>) -> Scored {
    let windows: usize = all.iter().map(|series| series.source.windows.len()).sum();
    let nothing = -(all.iter().map(|series| series.present).sum::<usize>() as f64);
    let mut rows: Vec<(usize, &Row)> = all
        .iter()
        .enumerate()
        .flat_map(|(series, it)| it.rows.iter().map(move |row| (series, row)))
        .collect();
    rows.sort_by(|one, other| other.1.score.total_cmp(&one.1.score));
    let mut earned: BTreeMap<(usize, usize), f64> = BTreeMap::new();
    let (mut score, mut false_rows) = (nothing, 0);
    let mut best = (nothing, threshold.unwrap_or(1.0), 0, 0);
    for (at, (series, Row { score: level, weight, window })) in rows.iter().enumerate() {
        if threshold.is_some_and(|threshold| *level < threshold) {
            break;
        }
        match window {
            Some(window) => {
                let before = earned.entry((*series, *window)).or_insert(-1.0);
                score += (weight - *before).max(0.0);
                *before = before.max(*weight);
            }
            None => {
                score += FALSE_ALARM * weight;
                false_rows += 1;
            }
        }
        // Rows of one score are above a threshold together.
        let last_of_level = rows.get(at + 1).is_none_or(|(_, next)| next.score < *level);
        if threshold.is_some() || last_of_level && score > best.0 {
            best = (score, threshold.unwrap_or(*level), earned.len(), false_rows);
        }
    }
    let (score, threshold, found, false_rows) = best;
    // Without a single window there is nothing to earn.
    let perfect = (windows as f64 - nothing).max(f64::MIN_POSITIVE);
    Scored { score: 100.0 * (score - nothing) / perfect, threshold, found, windows, false_rows }
}

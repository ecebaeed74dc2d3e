use crate::CoarseHistogram;

/// Shares of all samples at which the classes of a distribution part.
const CUTS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 0.97];

/// The boundary before the step at which the distribution of durations changes most clearly: what
/// comes from there on differs most from what came before. Each side keeps at least `min`
/// samples; `None` when that cannot be, or when nothing differs.
///
/// Steps are reduced to counts in seven classes between quantiles of the whole, and the boundary
/// with the largest likelihood ratio of two multinomial distributions is taken, so that a change of
/// the tail alone is seen too. It says when, not whether: the boundary was chosen after looking.
pub fn split_of_durations(steps: &[&CoarseHistogram], min: u64) -> Option<usize> {
    let mut whole = CoarseHistogram::default();
    for step in steps {
        whole.merge(step);
    }
    let cuts: Vec<i16> =
        CUTS.iter().filter_map(|q| Some(CoarseHistogram::bin_of(whole.quantile(*q)?))).collect();
    let classes: Vec<[u64; CUTS.len() + 1]> = steps
        .iter()
        .map(|step| {
            let mut counts = [0; CUTS.len() + 1];
            for (bin, count) in step.bins() {
                counts[cuts.partition_point(|cut| bin > cut)] += u64::from(*count);
            }
            counts
        })
        .collect();
    let mut after = classes.iter().fold([0; CUTS.len() + 1], add);
    let mut before = [0; CUTS.len() + 1];
    let none = log_likelihood(&after);
    let mut best: Option<(f64, usize)> = None;
    for at in 1..classes.len() {
        before = add(before, &classes[at - 1]);
        for (rest, gone) in after.iter_mut().zip(&classes[at - 1]) {
            *rest -= gone;
        }
        if before.iter().sum::<u64>() < min || after.iter().sum::<u64>() < min {
            continue;
        }
        let gain = log_likelihood(&before) + log_likelihood(&after) - none;
        if gain > 1e-9 && best.is_none_or(|(most, _)| gain > most) {
            best = Some((gain, at));
        }
    }
    Some(best?.1)
}

fn add<const N: usize>(mut sum: [u64; N], counts: &[u64; N]) -> [u64; N] {
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum += count;
    }
    sum
}

/// Of counts at their own shares; the part that depends on their order alone is left out.
fn log_likelihood(counts: &[u64]) -> f64 {
    let n = counts.iter().sum::<u64>() as f64;
    counts.iter().filter(|it| **it > 0).map(|it| *it as f64 * (*it as f64 / n).ln()).sum()
}

#[cfg(test)]
mod tests {
    use super::split_of_durations;
    use crate::CoarseHistogram;
    use std::time::Duration;

    fn steps(ms: &[&[u64]]) -> Vec<CoarseHistogram> {
        ms.iter()
            .map(|step| {
                let mut histogram = CoarseHistogram::default();
                for ms in *step {
                    histogram.add(Duration::from_millis(*ms));
                }
                histogram
            })
            .collect()
    }

    fn split(ms: &[&[u64]], min: u64) -> Option<usize> {
        let steps = steps(ms);
        split_of_durations(&steps.iter().collect::<Vec<_>>(), min)
    }

    #[test]
    fn where_it_changes() {
        let (slow, quick): (&[u64], &[u64]) = (&[20, 21, 22, 23], &[10, 11, 12, 13]);
        assert_eq!(split(&[quick, quick, quick, slow, slow], 4), Some(3));
        assert_eq!(split(&[quick, slow, slow, slow, slow], 4), Some(1));
        assert_eq!(split(&[quick, slow], 5), None);
        assert_eq!(split(&[quick, quick], 1), None);
        assert_eq!(split(&[], 1), None);
        let tail: &[u64] = &[10, 11, 12, 60];
        assert_eq!(split(&[quick, quick, quick, tail, tail], 4), Some(3));
    }
}

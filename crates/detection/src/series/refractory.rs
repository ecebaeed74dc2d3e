use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Lets a score pass only above all scores of the last values: one alarm an anomaly, and a further
/// one when it gets worse.
///
/// Keeps the falling maxima of the span, which are seldom more than a few and never more than `span`
/// or 512; beyond those the oldest are kept, so that a score passes rather too seldom.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Refractory {
    maxima: VecDeque<(u64, f32)>,
    at: u64,
}

const MOST: usize = 512;

impl Refractory {
    pub(super) fn bytes(&self) -> usize {
        self.maxima.capacity() * size_of::<(u64, f32)>()
    }

    /// The score, or 0 when one of the last `span` scores was at least as high.
    pub(super) fn pass(&mut self, score: f64, span: u64) -> f64 {
        self.at += 1;
        let score = score as f32;
        if score <= 0.0 {
            return 0.0;
        }
        while self.maxima.front().is_some_and(|(at, _)| at + span < self.at) {
            self.maxima.pop_front();
        }
        let passes = self.maxima.front().is_none_or(|(_, most)| score > *most);
        while self.maxima.back().is_some_and(|(_, it)| *it <= score) {
            self.maxima.pop_back();
        }
        if self.maxima.len() < MOST {
            self.maxima.push_back((self.at, score));
        }
        if passes { f64::from(score) } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Refractory;

    #[test]
    fn only_what_exceeds_the_last_scores_passes() {
        let mut gate = Refractory::default();
        let scores = [3.0, 2.0, 3.0, 4.0, 0.0, 1.0, 2.0, 5.0, 1.0, 1.0, 1.0, 1.5];
        let passed = scores.map(|score| gate.pass(score, 3));
        assert_eq!(passed, [3.0, 0.0, 0.0, 4.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 1.5]);
    }
}

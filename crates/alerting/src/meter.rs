use crate::feed::Feed;
use crate::{Against, Rule};
use telemetry_aggregation::{WindowLimits, aggregate_in};
use telemetry_models::{Aggregate, Comparison, Signal, Timestamp};

/// What is counted or summed over one window of one signal, for every rule that can be answered
/// from it.
#[derive(Debug)]
pub(crate) struct MeterPlan {
    pub(crate) feed: u16,
    pub(crate) limits: WindowLimits,
    pub(crate) kind: Kind,
    pub(crate) entries: Vec<u16>,
}

/// What a sample adds to a meter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Kind {
    /// 1 when it is not zero.
    Ones,
    /// Its value.
    Sum,
    /// 1 when it is beyond a level.
    Beyond(Comparison, f64),
    /// 1 when it is beyond a level against a baseline.
    Relative { baseline: u16, against: Against, comparison: Comparison, level: f64 },
}

/// How a meter tells that a rule's condition surely does not hold.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Answer {
    /// By the meter's value divided by the number of samples.
    Share,
    /// By the meter's value.
    Count,
    /// By the mean; sums of fractions are not exact, so near the level only the samples tell.
    Mean,
    /// By whether so many samples are beyond the level that the one of this rank is.
    Rank { share: f64, high: bool },
    /// Not at all: the samples are looked at each time.
    Unknown,
}

impl Kind {
    /// What a rule's meter counts, and how it answers.
    pub(crate) fn of(rule: &Rule, baseline: Option<u16>) -> (Self, Answer) {
        let (comparison, level) = (rule.comparison, rule.fire_at);
        let share = match rule.aggregate() {
            _ if rule.signal == Signal::Frequency => return (Self::Ones, Answer::Unknown),
            Aggregate::Rate => return (Self::Ones, Answer::Share),
            Aggregate::Count => return (Self::Ones, Answer::Count),
            Aggregate::Mean => return (Self::Sum, Answer::Mean),
            Aggregate::Min => 0.0,
            Aggregate::Max => 1.0,
            quantile => quantile.quantile().unwrap_or(0.5),
        };
        let kind = match baseline {
            None => Self::Beyond(comparison, level),
            Some(baseline) => Self::Relative { baseline, against: rule.against, comparison, level },
        };
        let answer = match comparison {
            Comparison::Above | Comparison::AtLeast => Answer::Rank { share, high: true },
            Comparison::Below | Comparison::AtMost => Answer::Rank { share, high: false },
            Comparison::Equal | Comparison::NotEqual => Answer::Unknown,
        };
        (kind, answer)
    }

    fn of_sample(self, value: f64, baseline: f64) -> f64 {
        let one = |counts: bool| if counts { 1.0 } else { 0.0 };
        match self {
            Self::Ones => one(value != 0.0),
            Self::Sum => value,
            Self::Beyond(comparison, level) => one(comparison.holds(value, level)),
            Self::Relative { against, comparison, level, .. } => {
                one(comparison.holds(level_of(against, value, baseline), level))
            }
        }
    }
}

/// A value as a rule's levels are given: itself, or a factor or difference to the baseline.
pub(crate) fn level_of(against: Against, value: f64, baseline: f64) -> f64 {
    match against {
        Against::Fixed => value,
        Against::BaselineRatio => value / baseline,
        Against::BaselineDelta => value - baseline,
    }
}

/// A meter of one selector.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meter {
    value: f64,
    /// Samples in the window.
    held: u32,
    /// Whether its rules are to be asked: what they can answer from has changed, or one of them
    /// might hold.
    pub(crate) awake: bool,
}

impl Meter {
    /// The number of the window's first sample.
    pub(crate) fn start(&self, feed: &Feed) -> u64 {
        feed.total() - u64::from(self.held)
    }

    /// Samples in the window.
    pub(crate) fn held(&self) -> u64 {
        u64::from(self.held)
    }

    /// Counts a sample that is about to be pushed, and the one it displaces.
    pub(crate) fn take(&mut self, plan: &MeterPlan, feed: &Feed, value: f64, baseline: f64) {
        let gained = plan.kind.of_sample(value, baseline);
        if (self.held as usize) < plan.limits.last {
            self.held += 1;
            self.value += gained;
            self.awake = true;
            return;
        }
        let lost = plan.kind.of_sample(feed.value(self.start(feed)), baseline);
        if gained != lost {
            self.value += gained - lost;
            self.awake = true;
        }
    }

    /// Lets go of what is too old.
    pub(crate) fn expire(&mut self, plan: &MeterPlan, feed: &Feed, now: Timestamp, baseline: f64) {
        let Some(within) = plan.limits.within else { return };
        while self.held > 0 {
            let start = self.start(feed);
            if feed.time(start).is_some_and(|at| now.since(at) < within) {
                break;
            }
            self.value -= plan.kind.of_sample(feed.value(start), baseline);
            self.held -= 1;
            self.awake = true;
        }
    }

    /// Counts anew: after the baseline changed, and so that errors of rounding do not add up.
    pub(crate) fn recount(&mut self, plan: &MeterPlan, feed: &Feed, baseline: f64) {
        let samples = feed.values(self.start(feed)..feed.total());
        self.value = samples.map(|value| plan.kind.of_sample(value, baseline)).sum();
        self.awake = true;
    }

    /// Whether a sum is due to be counted anew: once in every length of the window.
    pub(crate) fn is_worn(&self, plan: &MeterPlan, feed: &Feed) -> bool {
        plan.kind == Kind::Sum && feed.total().is_multiple_of(plan.limits.last as u64)
    }

    /// Whether a rule might hold; that it may not is certain.
    pub(crate) fn may_hold(
        &self,
        rule: &Rule,
        answer: Answer,
        samples: u64,
        baseline: f64,
    ) -> bool {
        let level = |value: f64| level_of(rule.against, value, baseline);
        let (comparison, fire_at) = (rule.comparison, rule.fire_at);
        match answer {
            Answer::Share => comparison.holds(level(self.value / samples as f64), fire_at),
            Answer::Count => comparison.holds(level(self.value), fire_at),
            Answer::Mean => {
                let mean = level(self.value / samples as f64);
                (mean - fire_at).abs() <= 1e-9 * (mean.abs() + fire_at.abs())
                    || comparison.holds(mean, fire_at)
            }
            Answer::Rank { share, high } => {
                let rank = ((share * samples as f64).ceil() as u64).clamp(1, samples.max(1));
                let needed = if high { samples + 1 - rank } else { rank };
                self.value >= needed as f64
            }
            Answer::Unknown => true,
        }
    }
}

/// A baseline of one selector: NaN while there is none.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Baseline {
    pub(crate) value: f64,
    pub(crate) fresh: u32,
}

impl Default for Baseline {
    fn default() -> Self {
        Self { value: f64::NAN, fresh: 0 }
    }
}

/// A baseline is computed anew when an eighth of its samples is new, and at least so many are.
const REFRESH: usize = 8;

impl Baseline {
    /// Computes it when that is due; whether it was.
    pub(crate) fn refresh(
        &mut self,
        plan: &crate::plan::BaselinePlan,
        feed: &Feed,
        depth: usize,
        start: u64,
        room: &mut Vec<f64>,
    ) -> bool {
        let first = feed.first(depth).max(start.saturating_sub(plan.capacity as u64));
        let held = start.saturating_sub(first) as usize;
        let due = if self.value.is_nan() {
            held >= plan.min
        } else {
            self.fresh as usize >= REFRESH.max(held / 8)
        };
        if due {
            room.clear();
            room.extend(feed.values(first..start));
            self.value = aggregate_in(room, plan.aggregate).unwrap_or(f64::NAN);
            self.fresh = 0;
        }
        due
    }
}

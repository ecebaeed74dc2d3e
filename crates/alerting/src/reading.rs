use crate::feed::Feed;
use crate::meter::level_of;
use crate::rule::z_of;
use crate::{Against, Rule};
use telemetry_aggregation::{aggregate_of, wilson};
use telemetry_models::{Comparison, Signal, Timestamp};

/// The samples a rule looks at: those of a feed from `start` on.
#[derive(Clone, Copy)]
pub(crate) struct Window<'a> {
    pub(crate) feed: &'a Feed,
    pub(crate) start: u64,
    /// When the selector was first seen.
    pub(crate) begun: Timestamp,
    pub(crate) line: Timestamp,
}

impl Window<'_> {
    pub(crate) fn len(&self) -> usize {
        (self.feed.total() - self.start.min(self.feed.total())) as usize
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn samples(&self) -> impl Iterator<Item = f64> + '_ {
        self.feed.values(self.start..self.feed.total())
    }

    /// The samples as one value.
    pub(crate) fn value(&self, rule: &Rule) -> Option<f64> {
        if rule.signal == Signal::Frequency {
            return self.per_second(rule);
        }
        aggregate_of(self.samples(), rule.aggregate())
    }

    /// Operations a second in the time that the window covers: `within`, or, when the limit by
    /// number cut it short, the age of the oldest.
    fn per_second(&self, rule: &Rule) -> Option<f64> {
        let within = rule.within?;
        let full = self.len() >= rule.window().last;
        let covered = match self.feed.time(self.start) {
            Some(oldest) if full => self.line.since(oldest).min(within),
            _ => within,
        };
        let seconds = covered.as_secs_f64();
        (seconds > 0.0).then(|| self.len() as f64 / seconds)
    }
}

/// What a window says at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    /// The value as the rule's levels are given: itself, a factor or a difference.
    pub(crate) level: f64,
    /// The same for what is certain enough to fire.
    certain: f64,
    changed_enough: bool,
    pub(crate) threshold: f64,
    pub(crate) samples: usize,
    pub(crate) baseline: Option<f64>,
}

impl Reading {
    /// What a rule reads; `None` while there is too little to tell.
    pub(crate) fn of(rule: &Rule, window: Window<'_>, baseline: Option<f64>) -> Option<Self> {
        let samples = window.len();
        if rule.signal == Signal::Frequency {
            if rule.within.is_none_or(|within| window.line.since(window.begun) < within) {
                return None;
            }
        } else if samples < rule.min_samples() {
            return None;
        }
        let threshold = match rule.against {
            Against::Fixed => rule.fire_at,
            Against::BaselineRatio => {
                baseline.filter(|base| *base > 0.0).map(|base| base * rule.fire_at)?
            }
            Against::BaselineDelta => baseline? + rule.fire_at,
        };
        let value = window.value(rule)?;
        let level = |value| level_of(rule.against, value, baseline.unwrap_or(f64::NAN));
        let min_change = rule.baseline.as_ref().map_or(0.0, |baseline| baseline.min_change);
        let far = |base: f64| (value - base).abs() >= min_change;
        Some(Self {
            value,
            level: level(value),
            certain: level(certain(rule, value, samples)),
            changed_enough: rule.against == Against::Fixed || baseline.is_none_or(far),
            threshold,
            samples,
            baseline: baseline.filter(|_| rule.against != Against::Fixed),
        })
    }

    /// A reading of nothing, for an alert about silence.
    pub(crate) fn nothing(rule: &Rule, latest: f64) -> Self {
        Self {
            value: latest,
            level: latest,
            certain: latest,
            changed_enough: true,
            threshold: rule.fire_at,
            samples: 0,
            baseline: None,
        }
    }

    /// Whether the condition holds, for an alert that is open or for one that is not.
    pub(crate) fn holds(&self, rule: &Rule, open: bool) -> bool {
        if open {
            return rule.comparison.holds(self.level, rule.clear_at.unwrap_or(rule.fire_at));
        }
        self.changed_enough && rule.comparison.holds(self.certain, rule.fire_at)
    }
}

/// The end of Wilson's interval on the side of all being well: what is certain enough.
fn certain(rule: &Rule, value: f64, samples: usize) -> f64 {
    let Some(z) = rule.confidence.and_then(z_of) else { return value };
    let hits = (value * samples as f64).round() as u64;
    wilson(hits, samples as u64, z).map_or(value, |bound| match rule.comparison {
        Comparison::Above | Comparison::AtLeast => bound.low,
        Comparison::Below | Comparison::AtMost => bound.high,
        Comparison::Equal | Comparison::NotEqual => value,
    })
}

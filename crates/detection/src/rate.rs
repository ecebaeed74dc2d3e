use crate::sums::{ALTERNATIVES, Onset, Sums};
use crate::{Change, Spending, Step};
use serde::{Deserialize, Serialize};
use telemetry_models::Timestamp;

/// Alternatives as multiples of the usual odds.
const MULTIPLES: [f64; 3] = [2.5, 5.0, 12.0];
/// Alternatives as shares, for selectors that (almost) never were bad.
const SHARES: [f64; 3] = [0.12, 0.4, 0.95];
/// How the alternatives share the budget: that a selector breaks is the likeliest.
const PRIOR: [f64; ALTERNATIVES] = [0.08, 0.1, 0.12, 0.1, 0.2, 0.4];
/// An open change ends when the usual share explains the samples since so much better.
const ENDED: f64 = 1e3;
/// A share that does not go back to what it was is the usual one from then on after so many samples.
const ADOPT: u64 = 100_000;

/// What a [`RateDetector`] assumes before it has seen anything, and what it tolerates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RateConfig {
    /// Bad samples assumed before the first, above 0. Less finds young selectors' faults sooner,
    /// and takes unreliable selectors for broken ones sooner.
    pub prior_bad: f64,
    /// Good samples assumed before the first, above 0.
    pub prior_good: f64,
    /// The share of bad samples may be so many times what was learned without being a change, 1 or
    /// more. More bears a wandering share, and costs delay.
    pub tolerance: f64,
    /// Samples remembered, at least 100; fewer follow slow change, and learn less exactly.
    pub memory: f64,
    /// Samples before the first alarm.
    pub warm_up: u64,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self { prior_bad: 0.3, prior_good: 8.0, tolerance: 1.1, memory: 200_000.0, warm_up: 8 }
    }
}

/// Finds the moment from which a share (of failures, timeouts, fallbacks, …) is higher than usual.
///
/// A mixture of Shiryaev–Roberts e-detectors over higher shares. The usual share is not plugged in:
/// each sample is held against the Beta–Bernoulli prediction from all samples before it, so what is
/// not known about the usual share is part of the test, and a baseline that was lucky corrects
/// itself instead of raising alarms for ever. Where a bad sample would exceed the threshold, the
/// excess is given to the good branch (Fischer and Ramdas, "Improving the (approximate) sequential
/// probability ratio test by avoiding overshoot", 2024).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RateDetector {
    bad: f64,
    good: f64,
    seen: u64,
    bad_seen: u64,
    last: Option<Timestamp>,
    /// Seconds between samples, lately.
    #[serde(default)]
    gap_s: f64,
    sums: Sums,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    usual: f64,
    now: f64,
    /// Page's statistic for the way back.
    back: f64,
    since: u64,
}

impl RateDetector {
    /// Takes a sample that was taken at `at`.
    pub fn observe(
        &mut self,
        bad: bool,
        at: Timestamp,
        spending: Spending,
        config: &RateConfig,
    ) -> Step {
        let gap = self.last.map_or(0.0, |last| at.since(last).as_secs_f64());
        self.last = self.last.max(Some(at));
        // The time handed out as weight is that of the mean gap: the very one would starve a change
        // that begins after a short one, and both sum up to the same.
        if self.seen < 2 {
            self.gap_s = gap;
        } else {
            let most = 8.0 * self.gap_s.max(1e-3);
            self.gap_s += (gap.min(most) - self.gap_s) / (self.seen.min(16) as f64);
        }
        let step = match self.open {
            Some(open) => self.watch_end(bad, open),
            None => self.test(bad, at, spending.weight(self.seen, self.gap_s), config),
        };
        self.seen += 1;
        self.bad_seen += u64::from(bad);
        step
    }

    /// The share that is usual, 0 to 1.
    pub fn usual(&self, config: &RateConfig) -> f64 {
        let bad = self.bad + config.prior_bad;
        bad / (bad + self.good + config.prior_good)
    }

    /// Samples seen, and how many of them were bad.
    pub const fn seen(&self) -> (u64, u64) {
        (self.seen, self.bad_seen)
    }

    /// Whether a change began and did not end.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// How much better it explains the latest samples that (almost) all are bad, as a likelihood
    /// ratio from where it explains them best, 1 or more. It promises nothing.
    pub fn evidence(&self) -> f64 {
        if self.is_open() { 1e9 } else { self.sums.evidence(ALTERNATIVES - 1).max(1.0) }
    }

    /// Opens one more hypothesis of `weight`: that from where it explains most, (almost) all samples
    /// are bad. Something else must say that the change is there: see [`Company`](crate::Company).
    pub fn support(&mut self, weight: f64, config: &RateConfig) -> Step {
        let which = ALTERNATIVES - 1;
        if self.is_open() || self.seen < config.warm_up || self.sums.evidence(which) * weight < 1.0
        {
            return Step::Quiet;
        }
        let learned = (self.bad + self.good) as u64;
        Step::Began(self.open_at(self.sums.onset_of(which), learned, config))
    }

    /// Takes an open change as settled: what is usual stays what it was before, and another change
    /// needs new evidence.
    pub fn dismiss(&mut self) {
        self.open = None;
        self.sums.clear();
    }

    fn test(&mut self, bad: bool, at: Timestamp, weight: f64, config: &RateConfig) -> Step {
        let usual = self.usual(config);
        let null = (usual * config.tolerance).min(0.99);
        let (on_bad, on_good) = ratios(null);
        if self.seen >= config.warm_up {
            self.sums.open_each(weight, &PRIOR);
        }
        let here = Onset { at, samples: self.seen, total: self.bad_seen as f64 };
        let excess = self.sums.after(&on_bad) - 1.0;
        let total = if bad {
            self.sums.multiply(&on_bad, here)
        } else {
            let total = self.sums.multiply(&on_good, here);
            if excess > 0.0 && total > 0.0 {
                self.sums.scale(1.0 + null * excess / ((1.0 - null) * total));
            }
            0.0
        };
        if bad {
            self.bad += 1.0
        } else {
            self.good += 1.0
        }
        let learned = (self.bad + self.good) as u64;
        if self.bad + self.good > config.memory {
            self.bad *= 0.5;
            self.good *= 0.5;
        }
        if total < 1.0 {
            return Step::Quiet;
        }
        let onset = self.sums.onset();
        self.seen += 1;
        self.bad_seen += u64::from(bad);
        let change = self.open_at(onset, learned, config);
        self.seen -= 1;
        self.bad_seen -= u64::from(bad);
        Step::Began(change)
    }

    fn open_at(&mut self, onset: Onset, learned: u64, config: &RateConfig) -> Change {
        let samples = self.seen - onset.samples;
        let bad_since = self.bad_seen as f64 - onset.total;
        let now = bad_since / samples as f64;
        // What is usual ends where the change began.
        self.bad = (self.bad - bad_since).max(0.0);
        self.good = (self.good - (samples as f64 - bad_since)).max(0.0);
        let usual = self.usual(config);
        self.sums.clear();
        self.open = Some(Open { usual, now: now.min(0.98), back: 1.0, since: self.seen });
        let learned = learned.saturating_sub(samples);
        Change { since: onset.at, before: usual, now, samples, learned }
    }

    fn watch_end(&mut self, bad: bool, mut open: Open) -> Step {
        let ratio = if bad { open.usual / open.now } else { (1.0 - open.usual) / (1.0 - open.now) };
        open.back = open.back.max(1.0) * ratio;
        if self.seen - open.since > ADOPT {
            self.bad = open.now * 100.0;
            self.good = 100.0 - self.bad;
            open.back = f64::INFINITY;
        }
        self.open = (open.back < ENDED).then_some(open);
        if self.open.is_some() { Step::Quiet } else { Step::Ended }
    }
}

/// Likelihood ratios of a bad and of a good sample, each alternative against the null.
fn ratios(null: f64) -> ([f64; ALTERNATIVES], [f64; ALTERNATIVES]) {
    let odds = null / (1.0 - null);
    let (mut bad, mut good) = ([0.0; ALTERNATIVES], [0.0; ALTERNATIVES]);
    let least = 2.0 * odds / (1.0 + 2.0 * odds);
    for at in 0..ALTERNATIVES {
        let share = if at < MULTIPLES.len() {
            let odds = odds * MULTIPLES[at];
            odds / (1.0 + odds)
        } else {
            SHARES[at - MULTIPLES.len()].max(least)
        };
        bad[at] = share / null;
        good[at] = (1.0 - share) / (1.0 - null);
    }
    (bad, good)
}

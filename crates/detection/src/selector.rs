use crate::load::Load;
use crate::{
    Between, Change, FrequencyDetector, LevelConfig, LevelDetector, MixDetector, Operation,
    RateConfig, RateDetector, Spending, Step, TrustDetector,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;
use telemetry_models::{Signal, Timestamp};

/// Faults on one page in so short a time are one observation: retries are not independent.
const RETRIES: Duration = Duration::from_secs(10);
/// A selector that failed so often, on pages of their own, and never worked, never worked. One that
/// works 60 % of the time does that once in 60,000 times.
const NEVER: u32 = 12;
/// Events remembered, so that duplicates count once.
const RECENT: usize = 8;

/// What is watched of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Watched {
    /// Share of operations that failed, among those that tested the selector.
    Errors,
    /// Share that matched nothing.
    ZeroMatches,
    /// Share that timed out.
    Timeouts,
    /// Share in which what matched did not hold what was expected.
    ValidationFailures,
    /// Share of successes that needed a fallback.
    Fallbacks,
    /// Share of operations spoilt before the selector was tested.
    EnvironmentFaults,
    /// How long successes take, and how much that varies.
    Duration,
    /// Confidence in what is found.
    Confidence,
    /// Whether confidence still means what it did: how often what was found turned out right.
    Calibration,
    /// How many elements match.
    Matches,
    /// Which strategy wins.
    StrategyMix,
    /// No calls any more.
    Silence,
    /// Far more calls than usual.
    Burst,
    /// Failed from its first operation on.
    NeverWorked,
}

impl Watched {
    /// Everything, in a fixed order.
    pub const ALL: [Self; 14] = [
        Self::Errors,
        Self::ZeroMatches,
        Self::Timeouts,
        Self::ValidationFailures,
        Self::Fallbacks,
        Self::EnvironmentFaults,
        Self::Duration,
        Self::Confidence,
        Self::Calibration,
        Self::Matches,
        Self::StrategyMix,
        Self::Silence,
        Self::Burst,
        Self::NeverWorked,
    ];
    /// Those that have a share.
    const SHARERS: f64 = 13.0;

    /// Its share of a selector's budget a day. That a selector matches nothing is what its users want to
    /// know first; the shares of all sum up to 1.
    const fn share(self) -> f64 {
        match self {
            Self::ZeroMatches => 0.35,
            // Not less than failures: what is one of these must not be announced as that first.
            Self::Timeouts | Self::ValidationFailures => 0.09,
            Self::Errors | Self::Fallbacks | Self::Duration => 0.08,
            Self::Matches => 0.06,
            Self::EnvironmentFaults | Self::Confidence => 0.05,
            Self::StrategyMix => 0.03,
            Self::Silence => 0.02,
            Self::Calibration | Self::Burst => 0.01,
            // Told from what stopped working by its first operations: no budget is spent on it.
            Self::NeverWorked => 0.0,
        }
    }

    /// The signal that an alert about it bears.
    pub const fn signal(self) -> Signal {
        match self {
            Self::Errors | Self::NeverWorked => Signal::ErrorRate,
            Self::ZeroMatches => Signal::ZeroMatchRate,
            Self::Timeouts => Signal::TimeoutRate,
            Self::ValidationFailures => Signal::ValidationFailureRate,
            Self::Fallbacks => Signal::FallbackRate,
            Self::EnvironmentFaults => Signal::EnvironmentFaultRate,
            Self::Duration => Signal::DurationMs,
            Self::Confidence | Self::Calibration => Signal::Confidence,
            Self::Matches => Signal::MatchCount,
            Self::StrategyMix => Signal::FallbackDepth,
            Self::Silence | Self::Burst => Signal::Frequency,
        }
    }

    /// Its name, as in `detected-NAME`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Errors => "error-rate",
            Self::ZeroMatches => "zero-match-rate",
            Self::Timeouts => "timeout-rate",
            Self::ValidationFailures => "validation-failure-rate",
            Self::Fallbacks => "fallback-rate",
            Self::EnvironmentFaults => "environment-fault-rate",
            Self::Duration => "duration",
            Self::Confidence => "confidence",
            Self::Calibration => "calibration",
            Self::Matches => "match-count",
            Self::StrategyMix => "strategy-mix",
            Self::Silence => "silence",
            Self::Burst => "burst",
            Self::NeverWorked => "never-worked",
        }
    }
}

/// How many false alarms one selector may raise, over everything that is watched of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// A day, above 0.
    pub per_day: f64,
    /// Once, over its first operations, 0 or more. More finds a selector that breaks young sooner.
    pub startup: f64,
}

impl Budget {
    /// The share of one detector: of what is allowed a day by how much it matters, of what is allowed
    /// once the same for all.
    pub const fn split(self, watched: Watched) -> Spending {
        let share = watched.share();
        let once = if share > 0.0 { self.startup / Watched::SHARERS } else { 0.0 };
        Spending { per_day: self.per_day * share, startup: once }
    }
}

/// What a detector of a selector concludes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finding {
    /// Of what.
    pub watched: Watched,
    /// That a change began, in the signal's unit, or ended.
    pub step: Step,
}

/// All detectors of one selector on one site, on one budget.
///
/// Faults of the environment do not count against the selector. Several faults on one page within ten
/// seconds count once, and so does an event that comes twice. What never worked is told from what
/// stopped working. Another version of the selector's definition is learned anew, but for how often it
/// is called. The form it is stored in may gain and lose fields: what is missing is learned anew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SelectorDetectors {
    definition: Option<u32>,
    worked: bool,
    failing: u32,
    since: Timestamp,
    last_success: Timestamp,
    last_fault: Option<(u64, Timestamp)>,
    recent: [u64; RECENT],
    errors: RateDetector,
    zero_matches: RateDetector,
    timeouts: RateDetector,
    validation_failures: RateDetector,
    fallbacks: RateDetector,
    environment_faults: RateDetector,
    load: Load,
    duration: LevelDetector,
    confidence: LevelDetector,
    calibration: TrustDetector,
    matches: LevelDetector,
    mix: MixDetector,
    frequency: FrequencyDetector,
    never_worked: bool,
}

impl SelectorDetectors {
    /// Takes an operation and appends what it makes sure.
    pub fn observe(&mut self, operation: &Operation, budget: Budget, found: &mut Vec<Finding>) {
        if operation.id != 0 {
            if self.recent.contains(&operation.id) {
                return;
            }
            self.recent.rotate_left(1);
            self.recent[RECENT - 1] = operation.id;
        }
        let at = operation.at;
        let mut note = |watched, step| {
            if step != Step::Quiet {
                found.push(Finding { watched, step });
            }
        };
        let rates = RateConfig::default();
        let (fault, environment) = (operation.is_fault(), operation.is_environment());
        if self.is_retry(operation) {
            return;
        }
        // What comes late says nothing about the pace.
        if self.frequency.last().is_none_or(|last| at >= last) {
            let silent = self.frequency.is_silent();
            let step = self.frequency.observe(at, budget.split(Watched::Burst));
            let of_silence = silent && step == Step::Ended;
            note(if of_silence { Watched::Silence } else { Watched::Burst }, step);
        }
        self.load.call(at);
        let spending = budget.split(Watched::EnvironmentFaults);
        let step = self.environment_faults.observe(environment, at, spending, &rates);
        note(Watched::EnvironmentFaults, step);
        let success = operation.outcome.is_success();
        if !(success || fault) {
            return;
        }
        if success {
            if std::mem::take(&mut self.never_worked) {
                note(Watched::NeverWorked, Step::Ended);
            }
            self.worked = true;
            self.failing = 0;
            self.last_success = self.last_success.max(at);
        } else {
            if self.failing == 0 {
                self.since = at;
            }
            self.failing += 1;
            if !self.worked {
                if self.failing == NEVER {
                    self.never_worked = true;
                    note(Watched::NeverWorked, Step::Began(self.never()));
                }
                return;
            }
        }
        let mut rate = |watched, detector: &mut RateDetector, bad| {
            note(watched, detector.observe(bad, at, budget.split(watched), &rates));
        };
        let outcome = operation.outcome;
        rate(Watched::Errors, &mut self.errors, fault);
        rate(Watched::ZeroMatches, &mut self.zero_matches, fault && operation.matched_nothing);
        let timeout = outcome == telemetry_models::Outcome::Timeout;
        rate(Watched::Timeouts, &mut self.timeouts, timeout);
        let invalid = outcome == telemetry_models::Outcome::ValidationFailed;
        rate(Watched::ValidationFailures, &mut self.validation_failures, invalid);
        if let Some(won) = operation.won {
            rate(Watched::Fallbacks, &mut self.fallbacks, won > 0);
            let spending = budget.split(Watched::StrategyMix);
            note(Watched::StrategyMix, self.mix.observe(won as usize, at, spending));
        }
        if let Some(ms) = operation.duration_ms.filter(|ms| *ms > 0.0) {
            let spending = budget.split(Watched::Duration);
            let (log, load) = (ms.ln(), self.load.adds());
            let step = self.duration.observe(log - load, at, spending, &LevelConfig::DURATION);
            note(Watched::Duration, in_unit(step, |log| (log + load).exp()));
            if !self.duration.is_open() {
                self.load.learn(log, at);
            }
        }
        if let Some(confidence) = operation.confidence {
            let (config, spending) = (&LevelConfig::CONFIDENCE, budget.split(Watched::Confidence));
            let step = self.confidence.observe(confidence, at, spending, config);
            note(Watched::Confidence, step);
        }
        if let (Some(confidence), Some(right)) = (operation.confidence, operation.right) {
            let spending = budget.split(Watched::Calibration);
            let step = self.calibration.observe(confidence, right, at, spending);
            note(Watched::Calibration, step);
        }
        if let Some(matches) = operation.matches {
            let (value, spending) = (f64::from(matches).ln_1p(), budget.split(Watched::Matches));
            let step = self.matches.observe(value, at, spending, &LevelConfig::MATCHES);
            note(Watched::Matches, in_unit(step, f64::exp_m1));
        }
    }

    /// Looks at a time without a call: `quiet` is how long there was none, on a clock that does not
    /// jump.
    pub fn tick(&mut self, quiet: Duration, budget: Budget, found: &mut Vec<Finding>) {
        if self.silent_after(budget).is_some_and(|after| quiet >= after) {
            let change = self.frequency.set_silent();
            found.push(Finding { watched: Watched::Silence, step: Step::Began(change) });
        }
    }

    /// After how long without a call [`tick`](Self::tick) finds a silence.
    pub fn silent_after(&self, budget: Budget) -> Option<Duration> {
        self.frequency.silent_after(budget.split(Watched::Silence))
    }

    /// Takes over the version of the definition that an operation used. A newer one forgets what was
    /// learned of the selector, but for open changes: they end when all is as it was, or by hand.
    pub fn definition(&mut self, version: Option<u32>) {
        if version <= self.definition {
            return;
        }
        if self.definition.is_some() {
            for rate in self.rates() {
                if !rate.is_open() {
                    *rate = RateDetector::default();
                }
            }
            for level in [&mut self.duration, &mut self.confidence, &mut self.matches] {
                if !level.is_open() {
                    *level = LevelDetector::default();
                }
            }
            if !self.duration.is_open() {
                self.load.forget();
            }
            if !self.mix.is_open() {
                self.mix = MixDetector::default();
            }
            if !self.calibration.is_open() {
                self.calibration = TrustDetector::default();
            }
            (self.worked, self.failing) = (false, 0);
        }
        self.definition = version;
    }

    /// Whether it ever worked, in this version of its definition.
    pub const fn worked(&self) -> bool {
        self.worked
    }

    /// Faults since the last success.
    pub const fn failing(&self) -> u32 {
        self.failing
    }

    /// Whether a change of it began and did not end.
    pub const fn is_open(&self, watched: Watched) -> bool {
        match watched {
            Watched::Errors => self.errors.is_open(),
            Watched::ZeroMatches => self.zero_matches.is_open(),
            Watched::Timeouts => self.timeouts.is_open(),
            Watched::ValidationFailures => self.validation_failures.is_open(),
            Watched::Fallbacks => self.fallbacks.is_open(),
            Watched::EnvironmentFaults => self.environment_faults.is_open(),
            Watched::Duration => self.duration.is_open(),
            Watched::Confidence => self.confidence.is_open(),
            Watched::Calibration => self.calibration.is_open(),
            Watched::Matches => self.matches.is_open(),
            Watched::StrategyMix => self.mix.is_open(),
            Watched::Silence => self.frequency.is_silent(),
            Watched::Burst => self.frequency.is_bursting(),
            Watched::NeverWorked => self.never_worked,
        }
    }

    /// Takes an open change as settled; another one needs new evidence.
    pub fn dismiss(&mut self, watched: Watched) {
        match watched {
            Watched::Errors => self.errors.dismiss(),
            Watched::ZeroMatches => self.zero_matches.dismiss(),
            Watched::Timeouts => self.timeouts.dismiss(),
            Watched::ValidationFailures => self.validation_failures.dismiss(),
            Watched::Fallbacks => self.fallbacks.dismiss(),
            Watched::EnvironmentFaults => self.environment_faults.dismiss(),
            Watched::Duration => self.duration.dismiss(),
            Watched::Confidence => self.confidence.dismiss(),
            Watched::Calibration => self.calibration.dismiss(),
            Watched::Matches => self.matches.dismiss(),
            Watched::StrategyMix => self.mix.dismiss(),
            // They end by themselves: with the next call, or the next calls at a usual pace.
            Watched::Silence | Watched::Burst => {}
            Watched::NeverWorked => (self.never_worked, self.failing) = (false, 0),
        }
    }

    /// Evidence that it broke, as a likelihood ratio of the latest operations, 1 or more; to say whether
    /// others of its page fail too.
    pub fn evidence(&self) -> f64 {
        if self.worked { self.errors.evidence() } else { 1.0 }
    }

    /// When it broke, if it did; `None` while it works.
    pub fn broke(&self) -> Option<Between> {
        let failing = self.worked && self.failing > 0;
        failing.then(|| Between { from: self.last_success.min(self.since), to: self.since })
    }

    /// The last operation.
    pub const fn last(&self) -> Option<Timestamp> {
        self.frequency.last()
    }

    /// Takes a hypothesis of `weight` into account: that it broke with others of its page.
    pub fn support(&mut self, weight: f64, found: &mut Vec<Finding>) {
        if !self.worked || weight <= 0.0 {
            return;
        }
        let rates = RateConfig::default();
        let pairs = [
            (Watched::ZeroMatches, &mut self.zero_matches),
            (Watched::Timeouts, &mut self.timeouts),
            (Watched::ValidationFailures, &mut self.validation_failures),
            (Watched::Errors, &mut self.errors),
        ];
        for (watched, rate) in pairs {
            let step = rate.support(weight, &rates);
            if step != Step::Quiet {
                found.push(Finding { watched, step });
            }
        }
    }

    /// Operations that put it to the test, since it first worked.
    pub const fn tested(&self) -> u64 {
        self.errors.seen().0
    }

    /// The strategy that gained, while a change of the mix is open.
    pub fn gained(&self) -> Option<usize> {
        self.mix.gained()
    }

    fn rates(&mut self) -> [&mut RateDetector; 5] {
        [
            &mut self.errors,
            &mut self.zero_matches,
            &mut self.timeouts,
            &mut self.validation_failures,
            &mut self.fallbacks,
        ]
    }

    fn is_retry(&mut self, operation: &Operation) -> bool {
        if operation.page == 0 || operation.outcome.is_success() {
            return false;
        }
        if let Some((page, at)) = self.last_fault
            && page == operation.page
            && operation.at.since(at) < RETRIES
        {
            return true;
        }
        self.last_fault = Some((operation.page, operation.at));
        false
    }

    fn never(&self) -> Change {
        let samples = u64::from(self.failing);
        Change { since: self.since, before: 1.0, now: 1.0, samples, learned: 0 }
    }
}

fn in_unit(step: Step, unit: impl Fn(f64) -> f64) -> Step {
    match step {
        Step::Began(change) => {
            Step::Began(Change { before: unit(change.before), now: unit(change.now), ..change })
        }
        other => other,
    }
}

use super::series::Course;
use fastrand::Rng;
use telemetry_runtime::detection::{Operation, Watched};
use telemetry_runtime::models::{Outcome, Timestamp};

/// Natural deviation of the logarithm of durations.
pub(crate) const DURATION_SD: f64 = 0.5;
const DURATION_MS: f64 = 200.0;
pub(crate) const CONFIDENCE: f64 = 0.85;
pub(crate) const CONFIDENCE_SD: f64 = 0.05;
pub(crate) const MATCHES: f64 = 24.0;
pub(crate) const MATCHES_SD: f64 = 0.2;
/// Share of faults that zero matches and failed validations are, in a selector that works.
pub(crate) const ZERO: f64 = 0.002;
pub(crate) const FALLBACK: f64 = 0.001;

/// What is wrong with a selector.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// Share of operations that fail, before and after.
    Errors(f64, f64),
    Timeouts(f64, f64),
    Fallbacks(f64),
    ZeroMatches(f64),
    MatchesHalved,
    Slower(f64),
    Confidence {
        per_hour: f64,
    },
    Silence,
    Variance(f64),
}

impl Fault {
    pub(crate) const ALL: [(&'static str, Self); 12] = [
        ("success 99 -> 95 %", Self::Errors(0.01, 0.05)),
        ("success 99 -> 90 %", Self::Errors(0.01, 0.1)),
        ("success 99 -> 60 %", Self::Errors(0.01, 0.4)),
        ("timeouts 2 -> 10 %", Self::Timeouts(0.02, 0.1)),
        ("fallback 0.1 -> 40 %", Self::Fallbacks(0.4)),
        ("zero matches 0.2 -> 95 %", Self::ZeroMatches(0.95)),
        ("match count halved", Self::MatchesHalved),
        ("duration x 1.5", Self::Slower(1.5)),
        ("duration x 3", Self::Slower(3.0)),
        ("confidence -0.02/h", Self::Confidence { per_hour: 0.02 }),
        ("confidence -0.05/h", Self::Confidence { per_hour: 0.05 }),
        ("duration variance x 4", Self::Variance(2.0)),
    ];

    /// Findings that name it rightly.
    pub(crate) const fn right(self) -> &'static [Watched] {
        match self {
            Self::Errors(..) => &[Watched::Errors],
            Self::Timeouts(..) => &[Watched::Timeouts],
            Self::Fallbacks(_) => &[Watched::Fallbacks, Watched::StrategyMix],
            Self::ZeroMatches(_) => &[Watched::ZeroMatches],
            Self::MatchesHalved => &[Watched::Matches],
            Self::Slower(_) | Self::Variance(_) => &[Watched::Duration],
            Self::Confidence { .. } => &[Watched::Confidence],
            Self::Silence => &[Watched::Silence],
        }
    }
}

/// What one operation was, beside what detectors see of it.
pub(crate) struct Sample {
    pub(crate) operation: Operation,
    /// The logarithm of the duration without load, in natural deviations.
    pub(crate) duration_z: f64,
}

/// Operations of one selector: a Poisson process whose rate, and whose durations, follow a real
/// series.
#[derive(Clone)]
pub(crate) struct Stream<'a> {
    pub(crate) course: &'a Course,
    pub(crate) per_second: f64,
    pub(crate) seconds: f64,
    pub(crate) rng: Rng,
    /// Share of operations that time out.
    pub(crate) timeouts: f64,
    /// All durations are so many times longer: deployments.
    pub(crate) factor: f64,
    /// Share of durations that are eight times longer, each by itself.
    pub(crate) spikes: f64,
    number: u64,
}

impl<'a> Stream<'a> {
    pub(crate) fn new(course: &'a Course, per_second: f64, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let seconds = rng.usize(..course.days()) as f64 * 86_400.0 + rng.f64() * 86_400.0;
        let (timeouts, factor, spikes, number) = (0.0, 1.0, 0.0, 0);
        Self { course, per_second, seconds, rng, timeouts, factor, spikes, number }
    }

    /// Calls a second now.
    pub(crate) fn pace(&self) -> f64 {
        self.per_second * self.course.level(self.seconds)
    }

    pub(crate) fn advance(&mut self) {
        self.seconds -= (1.0 - self.rng.f64()).ln() / self.pace();
    }

    /// The operation of now, with a fault that began `hours` ago.
    pub(crate) fn sample(&mut self, fault: Option<(Fault, f64)>) -> Sample {
        let (mut errors, mut timeouts, mut zero) = (0.008, self.timeouts, ZERO);
        let (mut fallbacks, mut matches, mut slower, mut sd) = (FALLBACK, MATCHES, 1.0, 1.0);
        let mut confidence = CONFIDENCE;
        match fault {
            Some((Fault::Errors(_, to), _)) => errors = to - ZERO,
            Some((Fault::Timeouts(_, to), _)) => timeouts = to,
            Some((Fault::Fallbacks(to), _)) => fallbacks = to,
            Some((Fault::ZeroMatches(to), _)) => zero = to,
            Some((Fault::MatchesHalved, _)) => matches /= 2.0,
            Some((Fault::Slower(times), _)) => slower = times,
            Some((Fault::Confidence { per_hour }, hours)) => confidence -= per_hour * hours,
            Some((Fault::Variance(times), _)) => sd = times,
            Some((Fault::Silence, _)) | None => {}
        }
        let rng = &mut self.rng;
        let draw = rng.f64();
        let outcome = if draw < zero {
            Outcome::NotFound
        } else if draw < zero + timeouts {
            Outcome::Timeout
        } else if draw < zero + timeouts + errors {
            Outcome::LowConfidence
        } else if draw > 0.99 {
            Outcome::NavigationFailed
        } else {
            Outcome::Success
        };
        self.number += 1;
        let mut operation = Operation::new(at(self.seconds), outcome);
        operation.id = self.number;
        operation.page = self.number;
        let (a, b) = normals(rng);
        let (c, _) = normals(rng);
        let spike = if rng.f64() < self.spikes { 8.0 } else { 1.0 };
        let duration_z = a * sd + (slower * spike).ln() / DURATION_SD;
        if outcome == Outcome::Success {
            let load = self.factor * self.course.slowness(self.seconds);
            operation.duration_ms = Some(DURATION_MS * load * (duration_z * DURATION_SD).exp());
            operation.matches = Some((matches * (c * MATCHES_SD).exp()).round() as u32);
            operation.won = Some(u32::from(rng.f64() < fallbacks));
            operation.confidence = Some((confidence + b * CONFIDENCE_SD).clamp(0.0, 1.0));
        }
        Sample { operation, duration_z }
    }
}

/// A time on the clock of the streams.
pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

/// Two independent standard normal values (Box and Muller).
pub(crate) fn normals(rng: &mut Rng) -> (f64, f64) {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    let angle = std::f64::consts::TAU * rng.f64();
    (radius * angle.cos(), radius * angle.sin())
}

use super::naive::{Kind, Naive, WINDOWS};
use super::series::Course;
use super::stream::{Stream, at};
use super::{Arguments, in_parallel};
use serde::Serialize;
use std::collections::BTreeMap;
use telemetry_runtime::detection::{Budget, Operation, SelectorDetectors, Step, Watched};
use telemetry_runtime::models::Outcome;

/// Calls a second, and the share of selector-days at that rate. The last is a selector of 20 calls a
/// day.
pub(crate) const CLASSES: [(f64, f64); 5] =
    [(10.0, 0.05), (1.0, 0.25), (0.1, 0.3), (0.01, 0.25), (20.0 / 86_400.0, 0.15)];
/// Every stream is a new selector, for so many days.
const STREAM_DAYS: f64 = 10.0;

/// False alarms where nothing is wrong.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Clean {
    pub(crate) per_second: f64,
    pub(crate) days: f64,
    pub(crate) alarms: u64,
    pub(crate) by_signal: BTreeMap<&'static str, u64>,
    /// Alarms of pace and duration, which follow the load, at times that people labelled as anomalies of the series: not false.
    pub(crate) labelled: u64,
    /// What the budget allows.
    pub(crate) allowed: f64,
    pub(crate) naive_alarms: [u64; WINDOWS.len()],
}

pub(crate) fn clean(class: usize, courses: &[Course], arguments: &Arguments) -> Clean {
    let (per_second, share) = CLASSES[class];
    let streams = (arguments.clean_days as f64 * share / STREAM_DAYS).ceil().max(1.0) as u64;
    let parts = in_parallel(&format!("no fault at {per_second:.4}/s"), streams, |number| {
        let course = &courses[number as usize % courses.len()];
        let seed = arguments.seed + 1_000_000 * (class as u64 + 1) + number;
        Selector::new(Stream::new(course, per_second, seed), arguments).live()
    });
    let mut all = Clean { per_second, days: streams as f64 * STREAM_DAYS, ..Clean::default() };
    all.allowed = all.days * arguments.budget + streams as f64 * arguments.startup;
    for part in parts {
        all.alarms += part.alarms;
        all.labelled += part.labelled;
        for (name, count) in part.by_signal {
            *all.by_signal.entry(name).or_default() += count;
        }
        for (sum, count) in all.naive_alarms.iter_mut().zip(part.naive_alarms) {
            *sum += count;
        }
    }
    all
}

/// A selector that works, on a bad day of everything else.
struct Selector<'a> {
    stream: Stream<'a>,
    detectors: SelectorDetectors,
    naive: Vec<(usize, Naive)>,
    budget: Budget,
    figures: Clean,
    /// How far the clock of the events is off, in seconds.
    skew: f64,
    last_arrival: f64,
}

/// When each of the hard negatives happens next.
struct Plan {
    deployment: f64,
    retries: f64,
    clock: f64,
}

impl<'a> Selector<'a> {
    fn new(stream: Stream<'a>, arguments: &Arguments) -> Self {
        let mut naive = Vec::new();
        for (at, window) in WINDOWS.into_iter().enumerate() {
            naive.extend(Kind::ALL.map(|kind| (at, Naive::new(kind, window))));
        }
        let budget = Budget { per_day: arguments.budget, startup: arguments.startup };
        let last_arrival = stream.seconds;
        Self {
            stream,
            detectors: SelectorDetectors::default(),
            naive,
            budget,
            figures: Clean::default(),
            skew: 0.0,
            last_arrival,
        }
    }

    fn live(mut self) -> Clean {
        self.stream.spikes = 0.002;
        let from = self.stream.seconds;
        let until = from + STREAM_DAYS * 86_400.0;
        let next = |it: &mut Self, days: f64| {
            it.stream.seconds - (1.0 - it.stream.rng.f64()).ln() * days * 86_400.0
        };
        let mut plan = Plan {
            deployment: next(&mut self, 5.0),
            retries: next(&mut self, 0.2),
            clock: next(&mut self, 3.0),
        };
        while self.stream.seconds < until {
            self.stream.advance();
            if self.stream.seconds > plan.deployment {
                plan.deployment = next(&mut self, 5.0);
                self.stream.factor = if self.stream.factor > 1.0 { 1.0 } else { 1.1 };
            }
            if self.stream.seconds > plan.clock {
                plan.clock = next(&mut self, 3.0);
                // An hour off, forward or back; the next jump puts it right.
                let off = if self.stream.rng.bool() { 3600.0 } else { -3600.0 };
                self.skew = if self.skew == 0.0 { off } else { 0.0 };
            }
            let mut operation = self.stream.sample(None).operation;
            operation.at = at(self.stream.seconds + self.skew);
            if self.stream.seconds > plan.retries {
                plan.retries = next(&mut self, 0.2);
                self.retries(operation);
                continue;
            }
            let draw = self.stream.rng.f64();
            if draw < 0.005 {
                // Late, by up to a minute.
                operation.at = at(self.stream.seconds + self.skew - draw * 12_000.0);
            }
            self.take(&operation);
            if draw > 0.995 {
                self.take(&operation);
            }
        }
        self.figures
    }

    /// One page is tried five to nine times within as many seconds, and fails.
    fn retries(&mut self, operation: Operation) {
        let tries = self.stream.rng.u64(5..10);
        for number in 0..tries {
            let mut again = Operation::new(operation.at, Outcome::LowConfidence);
            again.at = at(self.stream.seconds + self.skew + number as f64);
            again.page = operation.page;
            again.id = operation.id << 8 | number << 60;
            self.take(&again);
        }
    }

    fn take(&mut self, operation: &Operation) {
        let now = self.stream.seconds;
        let mut found = Vec::new();
        let quiet = std::time::Duration::from_secs_f64(now - self.last_arrival);
        self.detectors.tick(quiet, self.budget, &mut found);
        self.last_arrival = now;
        self.detectors.observe(operation, self.budget, &mut found);
        let labelled = self.stream.course.is_labelled(now);
        for finding in found.iter().filter(|it| matches!(it.step, Step::Began(_))) {
            if labelled
                && matches!(finding.watched, Watched::Silence | Watched::Burst | Watched::Duration)
            {
                self.figures.labelled += 1;
                continue;
            }
            self.figures.alarms += 1;
            *self.figures.by_signal.entry(finding.watched.name()).or_default() += 1;
        }
        for (window, it) in &mut self.naive {
            self.figures.naive_alarms[*window] += u64::from(it.fires(now, operation));
        }
    }
}

use crate::bounded::{BoundedMap, Merge};
use crate::{DistinctSketch, DurationSketch, EventFacts, Moments, Timeline};
use std::collections::BTreeMap;
use std::sync::Arc;
use telemetry_models::rollup::RollupFigures;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, Event, EventId, Outcome, OutcomeClass, StrategyKind,
    Timestamp,
};

/// Strategy kind and text.
pub type StrategyKey = (StrategyKind, Option<Arc<str>>);
/// Error kind and message, digits replaced by `#`.
pub type ErrorKey = (Arc<str>, Option<Arc<str>>);

/// Characters of an error message that tell one group of errors from another.
const ERROR_MESSAGE_CHARS: usize = 160;

/// Everything that is known about a set of operations, in bounded memory.
///
/// Merging is associative and order-free: summaries of parts, merged in any order, equal the summary
/// of the whole.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SelectorSummary {
    /// Operations by outcome.
    pub outcomes: BTreeMap<Outcome, u64>,
    /// Successful operations by fallback depth; the last entry holds all that went deeper.
    pub fallback_depths: [u64; Self::DEPTHS],
    /// What each strategy did.
    pub strategies: BoundedMap<StrategyKey, StrategySummary, 32>,
    /// Confidence of the operations that tested the selector and report one.
    pub confidence: ConfidenceSummary,
    /// Elements matched by the successful operations that report it.
    pub elements: ElementsSummary,
    /// Durations of the successful operations that report one: one that gave up early is fast.
    pub durations: DurationSketch,
    /// Distinct URLs.
    pub urls: DistinctSketch,
    /// Distinct URL templates.
    pub url_templates: DistinctSketch,
    /// Reported errors, grouped.
    pub errors: BoundedMap<ErrorKey, ErrorSummary, 64>,
    /// Earliest timestamp.
    pub first: Option<Timestamp>,
    /// Latest timestamp.
    pub last: Option<Timestamp>,
    /// The latest successful operation.
    pub last_success: Option<(Timestamp, EventId)>,
    /// How it went over time.
    pub timeline: Timeline,
}

/// What one strategy did.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StrategySummary {
    /// Tries for an operation itself.
    pub tried: u64,
    /// Tries whose match was used.
    pub accepted: u64,
    /// Tries that matched nothing.
    pub empty: u64,
    /// Tries that ended in any other way.
    pub failed: BTreeMap<AttemptOutcome, u64>,
    /// Tries made only to learn what the strategy would have done.
    pub shadow: u64,
    /// Tries whose match was used, by fallback depth; the last entry holds all that went deeper.
    pub fallback_depths: [u64; SelectorSummary::DEPTHS],
    /// Confidence of the tries for an operation itself that report one.
    pub confidence: ConfidenceSummary,
    /// Elements matched by the tries whose match was used.
    pub elements: ElementsSummary,
    /// Times of the tries for an operation itself that report one.
    pub durations: DurationSketch,
}

/// Confidences of a set of operations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfidenceSummary {
    /// Count, mean and variance.
    pub moments: Moments,
    /// The lowest.
    pub min: Option<Confidence>,
    /// Counts by tenths; 1.0 belongs to the last.
    pub tenths: [u64; 10],
}

/// Numbers of matched elements of a set of operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ElementsSummary {
    /// Operations.
    pub n: u64,
    /// Elements, all operations together.
    pub sum: u64,
    /// The fewest.
    pub min: Option<u32>,
    /// The most.
    pub max: Option<u32>,
}

/// One group of errors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorSummary {
    /// How many.
    pub count: u64,
    /// The latest.
    pub last: Option<(Timestamp, EventId)>,
}

impl SelectorSummary {
    /// Entries of [`fallback_depths`](Self::fallback_depths).
    pub const DEPTHS: usize = RollupFigures::DEPTHS;

    /// Holds nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub fn add(&mut self, event: &Event) {
        self.add_known(event, &EventFacts::of(event));
    }

    /// [`add`](Self::add), with what was worked out of the event before.
    pub fn add_known(&mut self, event: &Event, facts: &EventFacts) {
        self.add_off_timeline(event, facts);
        self.timeline.add_known(event, facts);
    }

    /// Adds an event to everything but the timeline.
    pub(crate) fn add_off_timeline(&mut self, event: &Event, facts: &EventFacts) {
        self.add_untimed_known(event, facts);
        self.first = earliest(self.first, Some(event.timestamp));
        self.last = self.last.max(Some(event.timestamp));
        if event.outcome.is_success()
            && self
                .last_success
                .as_ref()
                .is_none_or(|(at, id)| (*at, id) < (event.timestamp, &event.id))
        {
            self.last_success = Some((event.timestamp, event.id.clone()));
        }
    }

    /// Adds an event whose timestamp is not to be believed: it counts, but it is on no timeline and
    /// neither first nor last.
    pub fn add_untimed(&mut self, event: &Event) {
        self.add_untimed_known(event, &EventFacts::of(event));
    }

    /// [`add_untimed`](Self::add_untimed), with what was worked out of the event before.
    pub fn add_untimed_known(&mut self, event: &Event, facts: &EventFacts) {
        *self.outcomes.entry(event.outcome).or_default() += 1;
        if event.outcome.is_verdict()
            && let Some(confidence) = facts.confidence
        {
            self.confidence.add(confidence);
        }
        if event.outcome.is_success() {
            if let Some(duration) = event.duration() {
                self.durations.add(duration);
            }
            if let Some(depth) = facts.depth {
                self.fallback_depths[at_depth(depth)] += 1;
            }
            if let Some(elements) = event.elements_found() {
                self.elements.add(elements);
            }
        }
        let depth = facts.depth.map(at_depth);
        for attempt in &event.attempts {
            let key = (attempt.kind.clone(), attempt.text.clone());
            self.strategies.update(&key, |strategy| strategy.add(attempt, depth));
        }
        if let Some(url) = facts.page.url {
            self.urls.add_hash(url);
        }
        if let Some(template) = facts.page.template {
            self.url_templates.add_hash(template);
        }
        if let Some(error) = &event.error {
            let key = (Arc::clone(&error.kind), error.message.as_deref().map(group_of_message));
            self.errors.update(&key, |group| {
                group.merge(&ErrorSummary {
                    count: 1,
                    last: Some((event.timestamp, event.id.clone())),
                });
            });
        }
    }

    /// Adds everything another summary holds.
    pub fn merge(&mut self, other: &Self) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(*outcome).or_default() += count;
        }
        add_depths(&mut self.fallback_depths, &other.fallback_depths);
        self.strategies.merge(&other.strategies);
        self.confidence.merge(&other.confidence);
        self.elements.merge(&other.elements);
        self.durations.merge(&other.durations);
        self.urls.merge(&other.urls);
        self.url_templates.merge(&other.url_templates);
        self.errors.merge(&other.errors);
        self.first = earliest(self.first, other.first);
        self.last = self.last.max(other.last);
        self.last_success = self.last_success.take().max(other.last_success.clone());
        self.timeline.merge(&other.timeline);
    }

    /// Operations of any outcome.
    pub fn operations(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// Operations by whom their outcome speaks of.
    pub fn of_class(&self, class: OutcomeClass) -> u64 {
        let of_class = |(outcome, count): (&Outcome, &u64)| {
            if outcome.class() == class { *count } else { 0 }
        };
        self.outcomes.iter().map(of_class).sum()
    }

    /// Operations that succeeded.
    pub fn successes(&self) -> u64 {
        self.of_class(OutcomeClass::Success)
    }

    /// Operations that tested the selector: successes and faults of the selector.
    pub fn verdicts(&self) -> u64 {
        self.successes() + self.of_class(OutcomeClass::SelectorFault)
    }

    /// Successful operations whose fallback depth is known.
    pub fn depths_known(&self) -> u64 {
        self.fallback_depths.iter().sum()
    }

    /// Successful operations that needed a fallback.
    pub fn fallbacks(&self) -> u64 {
        self.fallback_depths[1..].iter().sum()
    }

    /// The strategy whose matches were used most; ties go to the first in the order of keys.
    pub fn winning_strategy(&self) -> Option<&StrategyKey> {
        let used = self.strategies.iter().filter(|(_, strategy)| strategy.accepted > 0);
        used.max_by(|(a_key, a), (b_key, b)| a.accepted.cmp(&b.accepted).then(b_key.cmp(a_key)))
            .map(|(key, _)| key)
    }
}

impl StrategySummary {
    fn add(&mut self, attempt: &Attempt, depth: Option<usize>) {
        self.shadow += u64::from(attempt.shadow.is_some());
        if !attempt.is_real() {
            return;
        }
        self.tried += 1;
        match attempt.outcome {
            AttemptOutcome::Accepted => {
                self.accepted += 1;
                if let Some(depth) = depth {
                    self.fallback_depths[depth] += 1;
                }
                if let Some(elements) = attempt.elements {
                    self.elements.add(elements);
                }
            }
            AttemptOutcome::Empty => self.empty += 1,
            other => *self.failed.entry(other).or_default() += 1,
        }
        if let Some(confidence) = attempt.confidence {
            self.confidence.add(confidence);
        }
        if let Some(duration) = attempt.duration {
            self.durations.add(duration);
        }
    }
}

impl Merge for StrategySummary {
    fn merge(&mut self, other: &Self) {
        self.tried += other.tried;
        self.accepted += other.accepted;
        self.empty += other.empty;
        for (outcome, count) in &other.failed {
            *self.failed.entry(*outcome).or_default() += count;
        }
        self.shadow += other.shadow;
        add_depths(&mut self.fallback_depths, &other.fallback_depths);
        self.confidence.merge(&other.confidence);
        self.elements.merge(&other.elements);
        self.durations.merge(&other.durations);
    }
}

impl Merge for ErrorSummary {
    fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.last = self.last.take().max(other.last.clone());
    }
}

impl ConfidenceSummary {
    fn add(&mut self, confidence: Confidence) {
        self.moments.add(confidence.millionths());
        self.min = earliest(self.min, Some(confidence));
        self.tenths[(confidence.millionths() / 100_000).min(9) as usize] += 1;
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.moments.merge(&other.moments);
        self.min = earliest(self.min, other.min);
        for (tenth, count) in self.tenths.iter_mut().zip(other.tenths) {
            *tenth += count;
        }
    }
}

impl ElementsSummary {
    fn add(&mut self, elements: u32) {
        let one = Self { n: 1, sum: u64::from(elements), min: Some(elements), max: Some(elements) };
        self.merge(&one);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.min = earliest(self.min, other.min);
        self.max = self.max.max(other.max);
    }

    /// The mean number; `None` without operations.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum as f64 / self.n as f64)
    }
}

/// The entry of a fallback depth.
fn at_depth(depth: u32) -> usize {
    usize::try_from(depth).unwrap_or(usize::MAX).min(SelectorSummary::DEPTHS - 1)
}

pub(crate) fn add_depths(own: &mut [u64], other: &[u64]) {
    for (depth, count) in own.iter_mut().zip(other) {
        *depth += count;
    }
}

/// The smaller of two values, where `None` is not a value.
pub(crate) fn earliest<T: Ord>(a: Option<T>, b: Option<T>) -> Option<T> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

/// Messages that differ in their numbers only are one group.
fn group_of_message(message: &str) -> Arc<str> {
    let mut group = String::new();
    let mut in_digits = false;
    for symbol in message.chars().take(ERROR_MESSAGE_CHARS) {
        let digit = symbol.is_ascii_digit();
        if !digit {
            group.push(symbol);
        } else if !in_digits {
            group.push('#');
        }
        in_digits = digit;
    }
    group.into()
}

use crate::pages::KnownPage;
use std::collections::VecDeque;
use std::time::Duration;
use telemetry_aggregation::{DurationSketch, Fingerprint, OrderEvidence, Part};
use telemetry_models::{Event, EventId, Outcome, OutcomeClass, PageContext, Timestamp};

/// Pages whose latest operation is remembered.
const VISITS: usize = 4;
/// A result is taken for the same as long after the one before.
const SAME_VISIT: Duration = Duration::from_secs(60);
/// Versions of a definition that are told apart.
const VERSIONS: usize = 4;
/// Events kept as examples of one kind.
const EXAMPLES: usize = 3;

/// What recommendations need to know of one selector on one site, in bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    /// Of the latest version of the definition.
    pub(super) order: OrderEvidence,
    /// Of the version before.
    pub(super) order_before: Option<OrderEvidence>,
    pub(super) timeouts: DurationSketch,
    pub(super) timeout_events: Vec<EventId>,
    pub(super) cancelled: DurationSketch,
    /// Time of all operations that tested the selector, in nanoseconds.
    time_ns: u128,
    visits: VecDeque<Visit>,
    pub(super) repeats: Repeats,
    /// By tenths of confidence: checked successes that were right, and all of them.
    pub(super) checked: [(u64, u64); 10],
    /// By tenths of confidence: operations without enough of it whose result was right, and all
    /// that were checked.
    pub(super) doubted: [(u64, u64); 10],
    pub(super) versions: Vec<Version>,
}

#[derive(Debug)]
struct Visit {
    page: u64,
    at: Timestamp,
    elements: Option<u32>,
}

/// Operations that looked for the same on the same page again.
#[derive(Debug, Default)]
pub(crate) struct Repeats {
    pub(super) n: u64,
    pub(super) time_ns: u128,
    /// Those with another number of elements than the time before.
    pub(super) differ: u64,
    pub(super) events: Vec<EventId>,
}

/// Operations with one version of the definition.
#[derive(Debug)]
pub(crate) struct Version {
    pub(super) number: u32,
    pub(super) since: Timestamp,
    pub(super) verdicts: u64,
    pub(super) successes: u64,
    /// Operations whose tries are timed, and sum and sum of squares of their milliseconds.
    pub(super) timed: u64,
    pub(super) sum: f64,
    pub(super) squares: f64,
}

struct Visited<'a>(&'a PageContext);

impl Fingerprint for Visited<'_> {
    fn feed(&self, take: &mut dyn FnMut(&[u8])) {
        let page = self.0;
        page.session.as_ref().map_or("", |it| it.as_str()).feed(take);
        page.url.as_deref().unwrap_or("").feed(take);
        take(&page.entered_at.map_or(0, |it| it.as_nanos()).to_le_bytes());
    }
}

/// Tells one stay on a page from another.
pub(crate) fn visited(page: &PageContext) -> u64 {
    telemetry_aggregation::fingerprint(&Visited(page))
}

impl Evidence {
    /// Takes the next event; events come oldest first.
    pub(crate) fn add(&mut self, event: &Event, part: Part, page: KnownPage) {
        self.version(event);
        self.order.add_known(event, part, page.facts);
        let duration = event.duration();
        if event.outcome.is_verdict() {
            self.time_ns += duration.map_or(0, |it| it.as_nanos());
        }
        match (event.outcome, duration) {
            (Outcome::Timeout, Some(duration)) => {
                self.timeouts.add(duration);
                keep(&mut self.timeout_events, &event.id);
            }
            (outcome, Some(duration)) if outcome.class() == OutcomeClass::Cancelled => {
                self.cancelled.add(duration);
            }
            _ => {}
        }
        if let Some(confidence) = event.confidence()
            && let Some(right) = event.quality.validation_passed
        {
            let tenth = (confidence.millionths() / 100_000).min(9) as usize;
            let counts = match event.outcome {
                Outcome::LowConfidence => &mut self.doubted[tenth],
                _ => &mut self.checked[tenth],
            };
            counts.0 += u64::from(right);
            counts.1 += 1;
        }
        if event.outcome.is_success() {
            self.visit(event, page.visit);
        }
    }

    /// Time of all operations that tested the selector, in milliseconds.
    pub(crate) fn time_ms(&self) -> f64 {
        self.time_ns as f64 / 1e6
    }

    fn visit(&mut self, event: &Event, page: u64) {
        // Without the time of entry a page that was loaded again looks like one that stayed.
        if event.page.as_ref().is_none_or(|page| page.url.is_none() || page.entered_at.is_none()) {
            return;
        }
        let elements = event.elements_found();
        let known = self.visits.iter().position(|it| it.page == page);
        if let Some(before) = known.and_then(|at| self.visits.remove(at))
            && event.timestamp.since(before.at) <= SAME_VISIT
        {
            self.repeats.n += 1;
            self.repeats.time_ns += event.duration().map_or(0, |it| it.as_nanos());
            self.repeats.differ += u64::from(before.elements != elements);
            keep(&mut self.repeats.events, &event.id);
        }
        if self.visits.len() >= VISITS {
            self.visits.pop_front();
        }
        self.visits.push_back(Visit { page, at: event.timestamp, elements });
    }

    fn version(&mut self, event: &Event) {
        let Some(number) = event.selector_version else { return };
        let newest = self.versions.last().map(|it| it.number);
        if newest.is_none_or(|newest| number > newest) {
            if newest.is_some() {
                self.order_before = Some(std::mem::take(&mut self.order));
            }
            if self.versions.len() >= VERSIONS {
                self.versions.remove(0);
            }
            self.versions.push(Version {
                number,
                since: event.timestamp,
                verdicts: 0,
                successes: 0,
                timed: 0,
                sum: 0.0,
                squares: 0.0,
            });
        }
        let Some(version) = self.versions.iter_mut().find(|it| it.number == number) else { return };
        if !event.outcome.is_verdict() {
            return;
        }
        version.verdicts += 1;
        version.successes += u64::from(event.outcome.is_success());
        let mut tries = event.attempts.iter().filter(|it| it.is_real()).map(|it| it.duration);
        let first = tries.next().flatten();
        if let Some(time) = tries.fold(first, |sum, time| sum?.checked_add(time?)) {
            let ms = time.as_secs_f64() * 1e3;
            version.timed += 1;
            version.sum += ms;
            version.squares += ms * ms;
        }
    }
}

fn keep(events: &mut Vec<EventId>, id: &EventId) {
    if events.len() < EXAMPLES {
        events.push(id.clone());
    }
}

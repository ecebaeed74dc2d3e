//! The one pass over the events.

use crate::contexts::Contexts;
use crate::pages::{KnownPage, Pages};
use crate::recommend::Evidence;
use crate::streams::Streams;
use crate::tally::Tally;
use foldhash::fast::RandomState;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use telemetry_aggregation::{
    Calendar, ClusteredSample, DistinctSketch, DurationCourse, EventFacts, FlipCounter, Part,
    SelectorSummary,
};
use telemetry_interfaces::Error;
use telemetry_models::{
    Event, EventId, Outcome, OutcomeClass, PageContext, SelectorName, StrategyKind, Timestamp,
};

/// Events kept as examples of one kind.
const EXAMPLES: usize = 5;
/// Fields that every event could have.
const FIELDS: [&str; 6] = [
    "context_data.page_url",
    "context_data.browser_session_id",
    "performance_metrics.total_duration_ms",
    "attempts",
    "engine",
    "run_id",
];
const NANOS_PER_HOUR: i64 = 3_600_000_000_000;
/// Damaged places of which the message is kept.
const DAMAGE_MESSAGES: usize = 10;

/// Everything a report needs from the events.
#[derive(Debug, Default)]
pub(crate) struct Collected {
    /// Rows by selector and site, once settled.
    pub(crate) rows: BTreeMap<SelectorName, BTreeMap<Box<str>, Row>>,
    /// Rows while events come.
    pub(crate) hot: Vec<Row>,
    /// Where in `hot` the sites of a selector are.
    pub(crate) index: HashMap<SelectorName, Vec<(Box<str>, usize)>, RandomState>,
    pub(crate) untracked: SelectorSummary,
    pub(crate) sessions: DistinctSketch,
    pub(crate) pages: Pages,
    pub(crate) engines: Tally<64>,
    pub(crate) contexts: Contexts,
    pub(crate) operation_kinds: BTreeMap<&'static str, u64>,
    /// Operations by hour of the UTC day.
    pub(crate) hours: [u64; 24],
    pub(crate) calendar: Calendar,
    pub(crate) streams: Streams,
    pub(crate) quality: Quality,
    /// Whether rows keep what a comparison needs.
    pub(crate) compared: bool,
    /// Where the part that recommendations are held against begins, if any are wanted.
    pub(crate) split: Option<Timestamp>,
    /// Where the two halves meet whose difference tells the noise.
    pub(crate) middle: Option<Timestamp>,
}

/// One selector on one site; the site is empty when unknown.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) summary: SelectorSummary,
    pub(crate) course: Course,
    pub(crate) calendar: Calendar,
    /// What recommendations need, if any are wanted.
    pub(crate) evidence: Option<Box<Evidence>>,
    pub(crate) flips: FlipCounter,
    /// Up to the middle, and from there on; without a middle all is in the first.
    pub(crate) halves: Option<Box<[ClusteredSample; 2]>>,
    /// What dates a change of the durations, if periods are compared.
    pub(crate) durations: DurationCourse,
}

/// How one selector went, event after event.
#[derive(Debug, Default)]
pub(crate) struct Course {
    /// Faults since the latest success, oldest first.
    pub(crate) first_faults: Vec<EventId>,
    /// Timestamp of the first fault since the latest success.
    pub(crate) faults_since: Option<Timestamp>,
    /// Number of faults since the latest success.
    pub(crate) fault_run: u64,
    pub(crate) recent_faults: VecDeque<EventId>,
    pub(crate) fault_url: Option<Arc<str>>,
    pub(crate) recent_successes: VecDeque<EventId>,
    pub(crate) recent_fallbacks: VecDeque<EventId>,
    /// Number of fallbacks since the latest success at the first try.
    pub(crate) fallback_run: u64,
    /// Timestamp of the first of them.
    pub(crate) fallbacks_since: Option<Timestamp>,
    /// What the latest fallback found the element with.
    pub(crate) latest_fallback: Option<(StrategyKind, Option<Arc<str>>)>,
}

/// What was unusual about the events.
#[derive(Debug, Default)]
pub(crate) struct Quality {
    pub(crate) events: u64,
    pub(crate) damaged: u64,
    pub(crate) damage: Vec<String>,
    pub(crate) contradictory: u64,
    pub(crate) future: u64,
    pub(crate) untracked: u64,
    pub(crate) censored: u64,
    /// Events that were counted by rollups, and not read.
    pub(crate) rolled_up: u64,
    /// Events that lack each of [`FIELDS`].
    missing: [u64; FIELDS.len()],
    /// Successes without confidence, and successes.
    without_confidence: u64,
    successes: u64,
}

impl Collected {
    pub(crate) fn damaged(&mut self, error: &Error) {
        self.quality.damaged += 1;
        if self.quality.damage.len() < DAMAGE_MESSAGES {
            self.quality.damage.push(error.to_string());
        }
    }

    /// Takes the next event; events come oldest first.
    pub(crate) fn take(&mut self, event: &Event, now: Timestamp, max_rows: usize) {
        self.streams.add_event(event);
        self.add(event, now, max_rows);
    }

    /// Takes the next event of some of the selectors, without its place in its stream.
    pub(crate) fn add(&mut self, event: &Event, now: Timestamp, max_rows: usize) {
        self.quality.add(event);
        let future = event.is_from_the_future(now);
        self.quality.future += u64::from(future);
        if let Some(engine) = &event.engine {
            self.engines.add(engine, 1);
        }
        let page = self.page(event);
        let facts = EventFacts::on_page(event, page.facts);
        if !future {
            let hour = event.timestamp.as_nanos().div_euclid(NANOS_PER_HOUR).rem_euclid(24);
            self.hours[hour as usize] += 1;
            self.calendar.add_known(event, &facts);
        }
        *self.operation_kinds.entry(event.operation.as_str()).or_default() += 1;
        let compared = self.compared;
        let part =
            self.split.map(|split| if event.timestamp < split { Part::Fit } else { Part::Select });
        let late = self.middle.is_some_and(|middle| event.timestamp >= middle);
        match self.row_of(&event.selector, page.site(event.page.as_ref()), max_rows) {
            Some(row) => {
                row.add(event, &facts, future);
                if let (Some(part), false) = (part, future) {
                    row.evidence.get_or_insert_default().add(event, part, page);
                }
                if compared && !future {
                    row.halves.get_or_insert_default()[usize::from(late)].add(event);
                    row.durations.add(event);
                }
            }
            None => {
                self.quality.untracked += 1;
                add_to(&mut self.untracked, event, &facts, future);
            }
        }
    }

    /// Takes note of the page an event is on.
    fn page(&mut self, event: &Event) -> KnownPage {
        let Some(page) = &event.page else { return KnownPage::default() };
        let Self { pages, sessions, contexts, .. } = self;
        let come = |page: &PageContext| {
            if let Some(session) = &page.session {
                sessions.add(session.as_str());
            }
        };
        pages.add(page, come, |page, events| contexts.add(page, events))
    }

    /// The earliest and latest timestamp of what is followed.
    pub(crate) fn calendar_span(&self) -> Option<(Timestamp, Timestamp)> {
        let rows = || self.rows.values().flat_map(|sites| sites.values());
        let first = rows().filter_map(|row| row.summary.first).min()?;
        Some((first, rows().filter_map(|row| row.summary.last).max()?))
    }

    pub(crate) fn row_of(
        &mut self,
        selector: &SelectorName,
        site: &str,
        max_rows: usize,
    ) -> Option<&mut Row> {
        let sites = match self.index.get_mut(selector) {
            Some(sites) => sites,
            None if self.hot.len() >= max_rows => return None,
            None => self.index.entry(selector.clone()).or_default(),
        };
        let at = match sites.iter().find(|(known, _)| **known == *site) {
            Some((_, at)) => *at,
            None if self.hot.len() >= max_rows => return None,
            None => {
                sites.push((site.into(), self.hot.len()));
                self.hot.push(Row::default());
                self.hot.len() - 1
            }
        };
        self.hot.get_mut(at)
    }

    /// Puts everything in its order, once all events have come.
    pub(crate) fn settle(&mut self) {
        let mut hot: Vec<Option<Row>> =
            std::mem::take(&mut self.hot).into_iter().map(Some).collect();
        for (selector, sites) in std::mem::take(&mut self.index) {
            for (site, at) in sites {
                if let Some(row) = hot[at].take() {
                    self.rows.entry(selector.clone()).or_default().insert(site, row);
                }
            }
        }
        self.settle_counts();
    }

    fn settle_counts(&mut self) {
        self.pages.settle(|page, events| self.contexts.add(page, events));
        self.engines.settle();
        self.contexts.settle();
    }

    /// Parts with the rows of some selectors: what comes of them goes there from now on.
    pub(crate) fn part(&mut self, of: impl Fn(&SelectorName) -> bool) -> Self {
        let mut other = Self {
            compared: self.compared,
            split: self.split,
            middle: self.middle,
            ..Self::default()
        };
        let mut hot: Vec<Option<Row>> =
            std::mem::take(&mut self.hot).into_iter().map(Some).collect();
        for (selector, sites) in std::mem::take(&mut self.index) {
            let side = if of(&selector) { &mut other } else { &mut *self };
            for (site, at) in sites {
                if let Some(row) = hot[at].take() {
                    side.index.entry(selector.clone()).or_default().push((site, side.hot.len()));
                    side.hot.push(row);
                }
            }
        }
        other
    }

    /// Adds what another collected of other selectors, from the same query.
    pub(crate) fn join(&mut self, mut other: Self) {
        other.settle_counts();
        let mut hot: Vec<Option<Row>> = other.hot.drain(..).map(Some).collect();
        for (selector, sites) in std::mem::take(&mut other.index) {
            for (site, at) in sites {
                if let Some(row) = hot[at].take() {
                    self.index.entry(selector.clone()).or_default().push((site, self.hot.len()));
                    self.hot.push(row);
                }
            }
        }
        self.untracked.merge(&other.untracked);
        self.sessions.merge(&other.sessions);
        self.engines.merge(&mut other.engines);
        self.contexts.merge(&mut other.contexts);
        for (kind, count) in other.operation_kinds {
            *self.operation_kinds.entry(kind).or_default() += count;
        }
        for (own, other) in self.hours.iter_mut().zip(other.hours) {
            *own += other;
        }
        self.calendar.merge(&other.calendar);
        self.quality.join(&other.quality);
    }
}

impl Collected {
    /// Follows at most so many rows: those whose events came first, as if no more had ever been
    /// begun. The others are told of in the totals.
    pub(crate) fn keep_first(&mut self, max_rows: usize) {
        let excess = self.hot.len().saturating_sub(max_rows);
        if excess == 0 {
            return;
        }
        let mut places: Vec<(Timestamp, SelectorName, Box<str>, usize)> = Vec::new();
        for (selector, sites) in &self.index {
            for (site, at) in sites {
                let first = self.hot[*at].summary.first.unwrap_or(Timestamp::MAX);
                places.push((first, selector.clone(), site.clone(), *at));
            }
        }
        places.sort();
        let mut hot: Vec<Option<Row>> =
            std::mem::take(&mut self.hot).into_iter().map(Some).collect();
        self.index.clear();
        for (place, (_, selector, site, at)) in places.into_iter().enumerate() {
            let Some(row) = hot[at].take() else { continue };
            if place < max_rows {
                self.index.entry(selector).or_default().push((site, self.hot.len()));
                self.hot.push(row);
            } else {
                self.quality.untracked += row.summary.operations();
                self.untracked.merge(&row.summary);
            }
        }
    }
}

impl Row {
    fn add(&mut self, event: &Event, facts: &EventFacts, future: bool) {
        add_to(&mut self.summary, event, facts, future);
        if !future {
            self.course.add(event);
            self.calendar.add_known(event, facts);
            if let (Some(url), true) = (facts.page.url, event.outcome.is_verdict()) {
                self.flips.add_known(url, event.outcome.is_success());
            }
        }
    }
}

impl Course {
    /// What came since the latest success is not known any more where a rollup holds one.
    pub(crate) fn after_rollup(&mut self, bucket: &telemetry_aggregation::Bucket) {
        if bucket.successes > 0 {
            *self = Self::default();
        }
    }

    fn add(&mut self, event: &Event) {
        match event.outcome.class() {
            OutcomeClass::Success => {
                self.first_faults.clear();
                self.faults_since = None;
                self.fault_run = 0;
                keep_latest(&mut self.recent_successes, &event.id);
                let depth = event.fallback_depth();
                if depth == Some(0) {
                    self.fallback_run = 0;
                    self.fallbacks_since = None;
                }
                if depth.is_some_and(|depth| depth > 0) {
                    self.fallback_run += 1;
                    self.fallbacks_since.get_or_insert(event.timestamp);
                    keep_latest(&mut self.recent_fallbacks, &event.id);
                    self.latest_fallback =
                        event.accepted().map(|it| (it.kind.clone(), it.text.clone()));
                }
            }
            OutcomeClass::SelectorFault => {
                self.fault_run += 1;
                self.faults_since.get_or_insert(event.timestamp);
                if self.first_faults.len() < EXAMPLES {
                    self.first_faults.push(event.id.clone());
                }
                keep_latest(&mut self.recent_faults, &event.id);
                let url = event.page.as_ref().and_then(|page| page.url.clone());
                self.fault_url = url.or(self.fault_url.take());
            }
            _ => {}
        }
    }
}

impl Quality {
    fn add(&mut self, event: &Event) {
        self.events += 1;
        self.contradictory += u64::from(event.validate().is_err());
        self.censored += u64::from(event.outcome == Outcome::Timeout);
        let page = event.page.as_deref();
        let missing = [
            page.is_none_or(|page| page.url.is_none()),
            page.is_none_or(|page| page.session.is_none()),
            event.duration().is_none(),
            event.attempts.is_empty(),
            event.engine.is_none(),
            event.run.is_none(),
        ];
        for (count, missing) in self.missing.iter_mut().zip(missing) {
            *count += u64::from(missing);
        }
        if event.outcome.is_success() {
            self.successes += 1;
            self.without_confidence += u64::from(event.confidence().is_none());
        }
    }

    /// Missing and possible, by field, in the order of their names.
    pub(crate) fn fields(&self) -> Vec<(&'static str, u64, u64)> {
        let read = self.events - self.rolled_up;
        let mut fields: Vec<_> =
            FIELDS.iter().zip(self.missing).map(|(field, count)| (*field, count, read)).collect();
        fields.push(("quality_metrics.confidence_score", self.without_confidence, self.successes));
        fields.sort_unstable();
        fields
    }

    fn join(&mut self, other: &Self) {
        self.events += other.events;
        self.damaged += other.damaged;
        self.contradictory += other.contradictory;
        self.future += other.future;
        self.untracked += other.untracked;
        self.censored += other.censored;
        self.rolled_up += other.rolled_up;
        for (own, other) in self.missing.iter_mut().zip(other.missing) {
            *own += other;
        }
        self.without_confidence += other.without_confidence;
        self.successes += other.successes;
    }
}

fn add_to(summary: &mut SelectorSummary, event: &Event, facts: &EventFacts, future: bool) {
    if future {
        summary.add_untimed_known(event, facts);
    } else {
        summary.add_known(event, facts);
    }
}

fn keep_latest(examples: &mut VecDeque<EventId>, id: &EventId) {
    if examples.len() == EXAMPLES {
        examples.pop_front();
    }
    examples.push_back(id.clone());
}

use crate::cold::Cold;
use crate::facts::Facts;
use crate::process::ProcessUse;
use crate::reader::Reader;
use crate::record::Record;
use crate::shared::Shared;
use crate::tally::Key;
use crate::time::Anchor;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use telemetry_interfaces::AttemptRecord;
use telemetry_models::{
    Attempt, AttemptOutcome, CorrelationId, ErrorInfo, Event, EventIds, OperationKind, Outcome,
    Quality, SelectorDefinition, StrategyKind, Timestamp, Timing,
};

/// The attribute of an event whose page was too many pages ago.
const FORGOTTEN: &str = "page.forgotten";

/// Turns records into events: handles become what they stand for, clock readings become times.
#[derive(Debug)]
pub(crate) struct Resolver {
    ids: EventIds,
    next_sequence: u64,
    reader: Reader,
    /// Names of engines by handle, without secrets.
    engines: Vec<Option<Arc<str>>>,
    process: ProcessUse,
}

impl Resolver {
    pub(crate) fn new(shared: &Shared) -> Self {
        Self {
            ids: EventIds::new(&shared.run, &shared.producer),
            next_sequence: 0,
            reader: Reader::default(),
            engines: Vec::new(),
            process: ProcessUse::default(),
        }
    }

    /// Samples what the process uses now, when that is due.
    pub(crate) fn sample_process(&mut self, shared: &Shared) {
        if shared.config.sample_process {
            self.process.refresh(shared.time.monotonic(), shared.time.utc());
        }
    }

    /// The event of a record; `None` when its selector is unknown, which no handle of this
    /// collector can cause.
    pub(crate) fn event(
        &mut self,
        record: &Record,
        cold: Option<Box<Cold>>,
        anchor: Anchor,
        shared: &Shared,
    ) -> Option<Event> {
        let definition = self.reader.definition(record.selector(), &shared.registry)?;
        let sequence = self.take_sequence();
        let mut event = Event::new(
            self.ids.id(sequence),
            definition.name.clone(),
            shared.time.at(record.start(), anchor),
            record.operation(),
            record.outcome(),
        );
        event.selector_version = Some(definition.version);
        event.correlation_id = record.correlation().map(CorrelationId::from_u128);
        event.attempts = record.attempts().map(|it| attempt(it, &definition)).collect();
        event.page = record.page().and_then(|page| self.reader.page(page, &shared.registry));
        let forgotten = record.page().is_some() && event.page.is_none();
        event.engine = self.engine(record.engine(), shared);
        event.run = Some(shared.run.clone());
        event.producer = Some(shared.producer.clone());
        event.sequence = Some(sequence);
        let facts = cold.map(|cold| add_cold(&mut event, *cold, &definition, shared));
        let total = shared.time.between(record.start(), record.end());
        event.timing = Timing {
            resolution: (record.operation() == OperationKind::Resolution).then_some(total),
            strategies: strategies_time(&event.attempts),
            total: Some(total),
        };
        let accepted = event.accepted();
        event.quality = Quality {
            confidence: record.confidence().or_else(|| accepted?.confidence),
            elements_found: record.elements().or_else(|| accepted?.elements),
            validation_passed: record.validation(),
            drift_detected: None,
        };
        self.process.add_to(&mut event);
        if let Some(facts) = facts {
            facts.apply(&mut event, &shared.privacy);
        }
        // Probes run once the caller has its result: what they take is not the operation's.
        if event.attempts.iter().any(|it| it.shadow.is_some()) {
            event.timing.total = event.timing.resolution.or(event.timing.total);
        }
        if forgotten {
            shared.counts.pages_forgotten.fetch_add(1, Ordering::Relaxed);
            event.attributes.insert(FORGOTTEN.into(), "true".into());
        }
        set_aside(&mut event);
        Some(event)
    }

    /// Gives an event that arrived whole its place in this producer's stream, unless it has one.
    pub(crate) fn place(&mut self, event: &mut Event, shared: &Shared) {
        if event.run.is_none() && event.producer.is_none() && event.sequence.is_none() {
            event.run = Some(shared.run.clone());
            event.producer = Some(shared.producer.clone());
            event.sequence = Some(self.take_sequence());
        }
    }

    /// An event without a record: the window of a tally.
    pub(crate) fn window(
        &mut self,
        key: Key,
        outcome: Outcome,
        begun: Timestamp,
        shared: &Shared,
    ) -> Option<Event> {
        let definition = shared.registry.definition(key.selector)?;
        let sequence = self.take_sequence();
        let id = self.ids.id(sequence);
        let mut event = Event::new(id, definition.name.clone(), begun, key.operation, outcome);
        event.selector_version = Some(definition.version);
        event.page = key.page.and_then(|page| shared.registry.page_context(page));
        event.engine = self.engine(key.engine, shared);
        event.run = Some(shared.run.clone());
        event.producer = Some(shared.producer.clone());
        event.sequence = Some(sequence);
        Some(event)
    }

    fn engine(&mut self, handle: u16, shared: &Shared) -> Option<Arc<str>> {
        let at = usize::from(handle);
        if let Some(Some(known)) = self.engines.get(at) {
            return Some(Arc::clone(known));
        }
        let mut name = shared.registry.engine_name(handle)?;
        shared.privacy.text(&mut name);
        if self.engines.len() <= at {
            self.engines.resize(at + 1, None);
        }
        self.engines[at] = Some(Arc::clone(&name));
        Some(name)
    }

    fn take_sequence(&mut self) -> u64 {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        sequence
    }
}

fn attempt(record: AttemptRecord, definition: &SelectorDefinition) -> Attempt {
    let strategy = definition.strategies.get(usize::from(record.strategy));
    Attempt {
        kind: strategy.map_or_else(
            || StrategyKind::new(&format!("strategy_{}", record.strategy)),
            |strategy| strategy.kind.clone(),
        ),
        text: strategy.map(|strategy| strategy.text.clone()),
        outcome: record.outcome,
        duration: record.elapsed,
        elements: record.elements,
        confidence: record.confidence,
        shadow: record.shadow,
    }
}

/// Adds what came beside the record; the facts that need the rest of the event are left.
fn add_cold(
    event: &mut Event,
    cold: Cold,
    definition: &SelectorDefinition,
    shared: &Shared,
) -> Facts {
    let privacy = &shared.privacy;
    event.attempts.extend(cold.attempts.into_iter().map(|it| attempt(it, definition)));
    if let Some(mut id) = cold.correlation {
        shared.privacy.correlation(&mut id);
        event.correlation_id = Some(id);
    }
    event.error = cold.error.map(|error| {
        let message = Some(privacy.excerpt(&error.message));
        ErrorInfo { kind: privacy.excerpt(&error.kind), message, ..ErrorInfo::default() }
    });
    event.attributes = cold
        .attributes
        .into_iter()
        .map(|(key, value)| privacy.long_attribute(&key, &value))
        .collect();
    cold.facts
}

/// Keeps as attributes what an engine claims against its own attempts or outcome, so that the
/// event is not refused for it.
fn set_aside(event: &mut Event) {
    if event.outcome.is_success() && event.quality.validation_passed == Some(false) {
        event.quality.validation_passed = None;
        event.attributes.insert("contradicted.validation_passed".into(), "false".into());
    }
    if event.outcome.is_success() {
        let accepted = event.attempts.iter_mut().find(|attempt| attempt.is_accepted());
        let none =
            accepted.is_some_and(|attempt| attempt.elements.take_if(|it| *it == 0).is_some());
        if event.quality.elements_found.take_if(|it| *it == 0).is_some() || none {
            event.attributes.insert("contradicted.elements_found".into(), "0".into());
        }
    }
    if let (Some(claimed), Some(matched)) = (event.quality.elements_found, event.elements_matched())
        && claimed > matched
    {
        event.quality.elements_found = Some(matched);
        event.attributes.insert("contradicted.elements_found".into(), claimed.to_string().into());
    }
}

/// Time of all attempts that ran for the operation, when every one of them was measured.
fn strategies_time(attempts: &[Attempt]) -> Option<Duration> {
    let mut real = attempts
        .iter()
        .filter(|it| it.shadow.is_none() && it.outcome != AttemptOutcome::Skipped)
        .peekable();
    real.peek()?;
    real.map(|attempt| attempt.duration).sum()
}

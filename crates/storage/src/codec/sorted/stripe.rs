//! Turns some ten thousand events into a dictionary, a filter and rows sorted by selector.

use super::super::intern::Counter;
use super::super::v1::StreamV1;
use super::super::{Fault, encode, words};
use super::dictionary::DictionaryBuilder;
use super::filter::{self, Key};
use super::numbers::{OptionalValues, Packer, put, zigzag};
use super::v2::{DictionaryMetaV2, RowsMetaV2};
use crate::seen::Ranges;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{Event, EventIds, ProducerId, RunId};

/// Rows of a block: what a reader of one selector decodes at least.
const ROWS: usize = 4096;
/// Attempts of a block (a single event may go beyond).
const ATTEMPTS: usize = 1 << 20;
const DAY_NS: i64 = 86_400_000_000_000;

/// A stripe, ready to be framed.
#[derive(Debug)]
pub(crate) struct Stripe {
    pub(crate) dictionary: (Vec<u8>, Vec<u8>),
    /// Lines of the filter.
    pub(crate) filter: Vec<u8>,
    /// Description (its `back` is still 0) and body.
    pub(crate) rows: Vec<(RowsMetaV2, Vec<u8>)>,
}

/// Encodes stripes, one after the other.
#[derive(Debug)]
pub(crate) struct StripeEncoder {
    packer: Packer,
    columns: Columns,
}

impl StripeEncoder {
    pub(crate) fn new() -> Result<Self, Fault> {
        Ok(Self { packer: Packer::new()?, columns: Columns::default() })
    }

    /// Encodes events given in the order in which they were appended.
    pub(crate) fn encode(&mut self, events: &[Event]) -> Result<Stripe, Fault> {
        let order = order(events);
        let mut shared = DictionaryBuilder::default();
        let mut streams = Streams::default();
        let mut keys = Vec::with_capacity(events.len() + events.len() / 8);
        let mut rows = Vec::new();
        let mut rest = &order[..];
        while !rest.is_empty() {
            let (block, after) = rest.split_at(block_length(events, rest));
            rest = after;
            self.columns.clear();
            let mut facts = Facts::default();
            for &(at, tie) in block {
                let event = &events[at];
                keys.push(Key::event(&event.id));
                self.columns.push(event, tie, &mut shared, &mut streams)?;
                facts.note(event)?;
            }
            let meta = facts.finish(self.columns.strategy.len());
            rows.push((meta, self.columns.finish(&mut self.packer)?));
        }
        keys.extend(shared.correlations().iter().map(|id| Key::correlation(id)));
        let mut meta = Vec::new();
        let streams = streams.finish();
        encode(&DictionaryMetaV2 { events: events.len() as u32, streams }, &mut meta)?;
        Ok(Stripe {
            dictionary: (meta, shared.finish(&mut self.packer)?),
            filter: filter::lines(&keys),
            rows,
        })
    }
}

/// Description of the dictionary, and lines of the filter, of events that are stored elsewhere.
#[cfg(feature = "parquet")]
pub(crate) fn identities(events: &[Event]) -> Result<(Vec<u8>, Vec<u8>), Fault> {
    let mut streams = Streams::default();
    let mut keys: Vec<Key> = Vec::with_capacity(events.len() * 2);
    for event in events {
        streams.note(event);
        keys.push(Key::event(&event.id));
    }
    let correlations: std::collections::HashSet<_> =
        events.iter().filter_map(|event| event.correlation_id.as_ref()).collect();
    keys.extend(correlations.into_iter().map(Key::correlation));
    let mut meta = Vec::new();
    let described = DictionaryMetaV2 { events: events.len() as u32, streams: streams.finish() };
    encode(&described, &mut meta)?;
    Ok((meta, filter::lines(&keys)))
}

/// Describes rows in the order of selector and time.
#[cfg(feature = "parquet")]
pub(crate) fn describe<'a>(rows: impl Iterator<Item = &'a Event>) -> Result<RowsMetaV2, Fault> {
    let mut facts = Facts::default();
    let mut attempts = 0;
    for event in rows {
        facts.note(event)?;
        attempts += event.attempts.len();
    }
    Ok(facts.finish(attempts))
}

/// Positions in the order of selector, time and append; with each event's place among those of the
/// same time.
pub(crate) fn order(events: &[Event]) -> Vec<(usize, u32)> {
    let mut names: BTreeMap<&str, usize> =
        events.iter().map(|event| (event.selector.as_str(), 0)).collect();
    names.values_mut().enumerate().for_each(|(rank, slot)| *slot = rank);
    let mut by_time: Vec<(i64, usize)> =
        events.iter().enumerate().map(|(at, event)| (event.timestamp.as_nanos(), at)).collect();
    by_time.sort_unstable();
    let mut ties = vec![0; events.len()];
    for pair in by_time.windows(2) {
        if pair[0].0 == pair[1].0 {
            ties[pair[1].1] = ties[pair[0].1] + 1;
        }
    }
    let mut keyed: Vec<(usize, i64, usize)> = by_time
        .into_iter()
        .map(|(time, at)| (names[events[at].selector.as_str()], time, at))
        .collect();
    keyed.sort_unstable();
    keyed.into_iter().map(|(_, _, at)| (at, ties[at])).collect()
}

/// How many of the rows make the next block. A selector that fits into the next one whole is not
/// divided.
fn block_length(events: &[Event], rest: &[(usize, u32)]) -> usize {
    let most = rest.len().min(ROWS);
    let mut attempts = 0;
    let fits = rest[..most].iter().take_while(|(at, _)| {
        attempts += events[*at].attempts.len();
        attempts <= ATTEMPTS
    });
    let most = fits.count().max(1);
    if most == rest.len() {
        return most;
    }
    let name = |at: usize| &events[rest[at].0].selector;
    match (1..most).rev().find(|at| name(*at) != name(*at - 1)) {
        Some(cut) if cut >= most / 2 && name(most) == name(most - 1) => cut,
        _ => most,
    }
}

#[derive(Default)]
struct Facts<'a> {
    selectors: Counter<'a>,
    sites: Counter<'a>,
    days: BTreeMap<i32, u32>,
    outcomes: u32,
    events: u32,
    range: Option<(i64, i64)>,
}

impl<'a> Facts<'a> {
    fn note(&mut self, event: &'a Event) -> Result<(), Fault> {
        self.selectors.count(event.selector.as_str());
        self.sites.count(event.site().unwrap_or_default());
        let at = event.timestamp.as_nanos();
        let day = i32::try_from(at.div_euclid(DAY_NS)).expect("an i64 of ns spans 213,504 days");
        *self.days.entry(day).or_default() += 1;
        self.outcomes |= 1 << words::outcome_code(event.outcome)?;
        self.events += 1;
        let (first, last) = self.range.unwrap_or((at, at));
        self.range = Some((first.min(at), last.max(at)));
        Ok(())
    }

    fn finish(self, attempts: usize) -> RowsMetaV2 {
        let (first, last) = self.range.unwrap_or_default();
        RowsMetaV2 {
            back: 0,
            events: self.events,
            attempts: attempts as u32,
            first,
            last,
            outcomes: self.outcomes,
            selectors: self.selectors.finish(),
            sites: self.sites.finish(),
            days: self.days.into_iter().collect(),
        }
    }
}

#[derive(Default)]
struct Streams<'a>(Vec<(&'a RunId, &'a ProducerId, EventIds, Ranges)>);

impl<'a> Streams<'a> {
    /// Takes note of an event's sequence; whether its id is the one derived from it.
    fn note(&mut self, event: &'a Event) -> bool {
        let (Some(run), Some(producer), Some(sequence)) =
            (&event.run, &event.producer, event.sequence)
        else {
            return false;
        };
        let known = self.0.iter().rposition(|it| it.0 == run && it.1 == producer);
        let at = known.unwrap_or_else(|| {
            self.0.push((run, producer, EventIds::new(run, producer), Ranges::default()));
            self.0.len() - 1
        });
        let (_, _, ids, ranges) = &mut self.0[at];
        ranges.insert(sequence);
        ids.id(sequence) == event.id
    }

    fn finish(self) -> Vec<StreamV1> {
        let stream = |(run, producer, _, ranges): (&RunId, &ProducerId, _, Ranges)| StreamV1 {
            run: run.to_string(),
            producer: producer.to_string(),
            ranges: ranges.iter().collect(),
        };
        self.0.into_iter().map(stream).collect()
    }
}

/// A block's columns; in the order in which they are written.
#[derive(Debug, Default)]
struct Columns {
    timestamp: Vec<u64>,
    tie: Vec<u64>,
    outcome: Vec<u64>,
    /// 0 derived, 1 UUID, otherwise two more than the length of a text.
    id: Vec<u64>,
    sequence: OptionalValues,
    run: Vec<u64>,
    producer: Vec<u64>,
    page: Vec<u64>,
    correlation: Vec<u64>,
    attempts: Vec<u64>,
    strategy: Vec<u64>,
    attempt_outcome: Vec<u64>,
    attempt_ns: OptionalValues,
    attempt_elements: OptionalValues,
    attempt_confidence: OptionalValues,
    attempt_shadow: OptionalValues,
    version: OptionalValues,
    operation: Vec<u64>,
    strategies_ns: OptionalValues,
    resolution_ns: OptionalValues,
    total_ns: OptionalValues,
    memory: OptionalValues,
    cpu: OptionalValues,
    network: OptionalValues,
    dom: OptionalValues,
    confidence: OptionalValues,
    elements: OptionalValues,
    validation: Vec<u64>,
    drift: Vec<u64>,
    engine: Vec<u64>,
    /// 0 without an error, 1 with one; the next six have a row for each error.
    error: Vec<u64>,
    error_kind: Vec<u64>,
    error_message: Vec<u64>,
    error_stack: Vec<u64>,
    error_retries: OptionalValues,
    error_fallbacks: OptionalValues,
    error_recovered: Vec<u64>,
    attributes: Vec<u64>,
    attribute_text: Vec<u64>,
    uuids: Vec<u8>,
    words: Vec<u8>,
    /// Texts of errors and attributes, and the lengths of each.
    text: String,
    text_lengths: Vec<u64>,
    texts: std::collections::HashMap<String, u64>,
}

impl Columns {
    fn push<'a>(
        &mut self,
        event: &'a Event,
        tie: u32,
        shared: &mut DictionaryBuilder<'a>,
        streams: &mut Streams<'a>,
    ) -> Result<(), Fault> {
        self.timestamp.push(event.timestamp.as_nanos() as u64);
        self.tie.push(tie.into());
        self.outcome.push(words::outcome_code(event.outcome)?.into());
        let id = match (streams.note(event), event.id.as_u128()) {
            (true, _) => 0,
            (false, Some(bits)) => {
                self.uuids.extend(bits.to_be_bytes());
                1
            }
            (false, None) => {
                let text = event.id.to_string();
                self.words.extend(text.as_bytes());
                text.len() as u64 + 2
            }
        };
        self.id.push(id);
        self.sequence.push(event.sequence);
        self.run.push(shared.run(event.run.as_ref()));
        self.producer.push(shared.producer(event.producer.as_ref()));
        let page = shared.page(event.page.as_ref());
        self.page.push(page);
        let correlation = shared.correlation(event.correlation_id.as_ref());
        self.correlation.push(zigzag(correlation as i64 - page as i64));
        let attempted = self.attempts(event, shared)?;
        self.version.push(event.selector_version.map(u64::from));
        self.operation.push(words::operation_code(event.operation)?.into());
        self.measurements(event, attempted)?;
        self.engine.push(shared.engine(event.engine.as_deref()));
        self.error(event);
        self.attributes.push(event.attributes.len() as u64);
        for (key, value) in &event.attributes {
            let (key, value) = (self.text(key), self.text(value));
            self.attribute_text.extend([key, value]);
        }
        Ok(())
    }

    /// Gives the time of all attempts together.
    fn attempts<'a>(
        &mut self,
        event: &'a Event,
        shared: &mut DictionaryBuilder<'a>,
    ) -> Result<u64, Fault> {
        let mut sum = 0u64;
        self.attempts.push(event.attempts.len() as u64);
        for attempt in &event.attempts {
            self.strategy.push(shared.strategy(attempt));
            self.attempt_outcome.push(words::attempt_outcome_code(attempt.outcome)?.into());
            let ns = nanos(attempt.duration)?;
            sum = sum.wrapping_add(ns.unwrap_or(0));
            self.attempt_ns.push(ns);
            self.attempt_elements.push(attempt.elements.map(u64::from));
            self.attempt_confidence.push(attempt.confidence.map(|it| it.millionths().into()));
            let shadow = attempt.shadow.map(|probe| probe.probability.millionths().into());
            self.attempt_shadow.push(shadow);
        }
        Ok(sum)
    }

    /// What can be told from the attempts is stored as the difference to that.
    fn measurements(&mut self, event: &Event, attempted: u64) -> Result<(), Fault> {
        let beyond = |base: u64, value: Option<u64>| {
            value.map(|value| zigzag(value.wrapping_sub(base) as i64))
        };
        let strategies = nanos(event.timing.strategies)?;
        self.strategies_ns.push(beyond(attempted, strategies));
        let base = strategies.unwrap_or(attempted);
        let resolution = nanos(event.timing.resolution)?;
        self.resolution_ns.push(beyond(base, resolution));
        let base = resolution.unwrap_or(base);
        self.total_ns.push(beyond(base, nanos(event.timing.total)?));
        self.memory.push(event.resources.memory_mb.map(f64::to_bits));
        self.cpu.push(event.resources.cpu_percent.map(f64::to_bits));
        self.network.push(event.resources.network_requests.map(u64::from));
        self.dom.push(event.resources.dom_operations.map(u64::from));
        let accepted = event.accepted();
        let base = accepted.and_then(|it| it.confidence).map_or(0, |it| it.millionths().into());
        let confidence = event.quality.confidence.map(|it| it.millionths().into());
        self.confidence.push(beyond(base, confidence));
        let base = accepted.and_then(|it| it.elements).map_or(0, u64::from);
        self.elements.push(beyond(base, event.quality.elements_found.map(u64::from)));
        self.validation.push(words::truth_code(event.quality.validation_passed).into());
        self.drift.push(words::truth_code(event.quality.drift_detected).into());
        Ok(())
    }

    fn error(&mut self, event: &Event) {
        let Some(error) = &event.error else { return self.error.push(0) };
        self.error.push(1);
        let kind = self.text(&error.kind);
        self.error_kind.push(kind);
        let message = error.message.as_deref().map_or(0, |text| self.text(text) + 1);
        self.error_message.push(message);
        let stack = error.stack.as_deref().map_or(0, |text| self.text(text) + 1);
        self.error_stack.push(stack);
        self.error_retries.push(error.retry_attempts.map(u64::from));
        self.error_fallbacks.push(error.fallback_attempts.map(u64::from));
        self.error_recovered.push(words::truth_code(error.recovery_successful).into());
    }

    fn text(&mut self, text: &str) -> u64 {
        if let Some(at) = self.texts.get(text) {
            return *at;
        }
        let at = self.text_lengths.len() as u64;
        self.text.push_str(text);
        self.text_lengths.push(text.len() as u64);
        self.texts.insert(text.to_owned(), at);
        at
    }

    fn finish(&mut self, packer: &mut Packer) -> Result<Vec<u8>, Fault> {
        let mut body = Vec::new();
        macro_rules! write {
            ($($how:ident $($column:ident)+;)+) => {
                $($(packer.$how(&self.$column, &mut body)?;)+)+
            };
        }
        write! {
            numbers timestamp tie outcome;
            numbers id; bytes uuids words; optional sequence; numbers run producer;
            numbers page correlation;
            numbers attempts strategy attempt_outcome;
            optional attempt_ns attempt_elements attempt_confidence attempt_shadow;
            optional version; numbers operation;
            optional strategies_ns resolution_ns total_ns memory cpu network dom;
            optional confidence elements;
            numbers validation drift engine;
            numbers error error_kind error_message error_stack;
            optional error_retries error_fallbacks;
            numbers error_recovered attributes attribute_text;
        }
        put(self.text_lengths.len() as u64, &mut body);
        packer.numbers(&self.text_lengths, &mut body)?;
        packer.bytes(self.text.as_bytes(), &mut body)?;
        Ok(body)
    }

    fn clear(&mut self) {
        macro_rules! clear {
            ($($column:ident)+) => { $(self.$column.clear();)+ };
        }
        clear! {
            timestamp tie outcome id sequence run producer page correlation attempts strategy
            attempt_outcome attempt_ns attempt_elements attempt_confidence attempt_shadow version
            operation strategies_ns resolution_ns total_ns memory cpu network dom confidence
            elements validation drift engine error error_kind error_message error_stack
            error_retries error_fallbacks error_recovered attributes attribute_text uuids words
            text text_lengths texts
        }
    }
}

fn nanos(duration: Option<Duration>) -> Result<Option<u64>, Fault> {
    duration
        .map(|it| {
            u64::try_from(it.as_nanos())
                .map_err(|_| format!("a duration of {} s, at most 584 years fit", it.as_secs()))
        })
        .transpose()
}

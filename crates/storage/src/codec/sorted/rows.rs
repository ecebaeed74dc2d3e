//! Gives the events of a block of rows back, in any order.

use super::super::{Fault, MAX_RAW_BYTES, words};
use super::dictionary::{Dictionary, outside};
use super::numbers::{Cut, Numbers, Optional, Unpacker, unzigzag};
use super::v2::RowsMetaV2;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use telemetry_interfaces::Parts;
use telemetry_models::{
    Attempt, ErrorInfo, Event, EventId, EventIds, Quality, Resources, SelectorName, ShadowProbe,
    Timestamp, Timing,
};

/// More rows or attempts in a block were never written.
const MOST_ROWS: u32 = 1 << 16;
const MOST_ATTEMPTS: u32 = 1 << 24;

/// What decides whether a row is wanted, decoded first.
#[derive(Debug)]
pub(crate) struct RowKeys<'b> {
    rows: usize,
    timestamp: Numbers,
    tie: Numbers,
    outcome: Numbers,
    rest: Cut<'b>,
}

impl<'b> RowKeys<'b> {
    pub(crate) fn new(
        meta: &RowsMetaV2,
        body: &'b [u8],
        unpacker: &mut Unpacker,
    ) -> Result<Self, Fault> {
        if meta.events > MOST_ROWS || meta.attempts > MOST_ATTEMPTS {
            return Err(format!(
                "a block claims {} rows and {} attempts",
                meta.events, meta.attempts
            ));
        }
        let rows = meta.events as usize;
        let counted: u64 = meta.selectors.iter().map(|(_, count)| u64::from(*count)).sum();
        if counted != rows as u64 {
            return Err(format!("selectors have {counted} rows, expected {rows}"));
        }
        let mut rest = Cut(body);
        Ok(Self {
            rows,
            timestamp: unpacker.numbers(&mut rest, rows)?,
            tie: unpacker.numbers(&mut rest, rows)?,
            outcome: unpacker.numbers(&mut rest, rows)?,
            rest,
        })
    }

    #[inline]
    pub(crate) fn timestamp(&self, row: usize) -> Timestamp {
        Timestamp::from_nanos(self.timestamp.get(row) as i64)
    }

    /// The place among the stripe's events of the same time.
    #[inline]
    pub(crate) fn tie(&self, row: usize) -> u64 {
        self.tie.get(row)
    }

    #[inline]
    pub(crate) fn outcome(&self, row: usize) -> u8 {
        self.outcome.get(row) as u8
    }
}

/// A decoded block of rows.
#[derive(Debug)]
pub(crate) struct Rows {
    dictionary: Arc<Dictionary>,
    timestamp: Numbers,
    outcome: Numbers,
    /// End of each selector's rows, ascending.
    selectors: Vec<(u32, SelectorName)>,
    id: Numbers,
    /// Where a row's identifier begins, for those that are not derived.
    id_at: Vec<u32>,
    uuids: Vec<u8>,
    words: String,
    sequence: Optional,
    run: Numbers,
    producer: Numbers,
    page: Numbers,
    correlation: Numbers,
    /// Where each row's attempts begin, and the end; empty when each has as many.
    attempts_at: Vec<u32>,
    attempts_each: u32,
    strategy: Numbers,
    attempt_outcome: Numbers,
    attempt_ns: Optional,
    attempt_elements: Optional,
    attempt_confidence: Optional,
    attempt_shadow: Optional,
    version: Optional,
    operation: Numbers,
    strategies_ns: Optional,
    resolution_ns: Optional,
    total_ns: Optional,
    memory: Optional,
    cpu: Optional,
    network: Optional,
    dom: Optional,
    confidence: Optional,
    elements: Optional,
    validation: Numbers,
    drift: Numbers,
    engine: Numbers,
    /// For each row 0 or one more than its error's position; empty without errors.
    error: Vec<u32>,
    error_kind: Numbers,
    error_message: Numbers,
    error_stack: Numbers,
    error_retries: Optional,
    error_fallbacks: Optional,
    error_recovered: Numbers,
    /// Where each row's attributes begin, and the end; empty without any.
    attributes_at: Vec<u32>,
    attribute_text: Numbers,
    texts: Vec<OnceLock<Arc<str>>>,
    text_ends: Vec<u32>,
    text: String,
    streams: Vec<((u64, u64), EventIds)>,
    parts: Parts,
}

impl Rows {
    /// Decodes the rest of a block, as far as `parts` of its events are wanted.
    pub(crate) fn new(
        keys: RowKeys<'_>,
        meta: &RowsMetaV2,
        dictionary: Arc<Dictionary>,
        unpacker: &mut Unpacker,
        parts: Parts,
    ) -> Result<Self, Fault> {
        let RowKeys { rows, timestamp, outcome, mut rest, .. } = keys;
        let cut = &mut rest;
        let tries = meta.attempts as usize;
        // What can be told from the attempts is stored as the difference to that.
        let times = parts.has(Parts::TIMING);
        let quality = parts.has(Parts::QUALITY);
        let attempted = parts.has(Parts::ATTEMPTS);
        let any = attempted || times || quality;
        let used = parts.has(Parts::RESOURCES);
        let id = unpacker.numbers(cut, rows)?;
        let uuids = unpacker.bytes(cut, MAX_RAW_BYTES)?;
        let words = text(unpacker.bytes(cut, MAX_RAW_BYTES)?)?;
        let id_at = id_places(&id, rows);
        let sequence = unpacker.optional(cut, rows)?;
        let run = unpacker.numbers(cut, rows)?;
        let producer = unpacker.numbers(cut, rows)?;
        let page = unpacker.numbers(cut, rows)?;
        let correlation = unpacker.numbers_if(parts.has(Parts::CORRELATION), cut, rows)?;
        let attempts = unpacker.numbers_if(any, cut, rows)?;
        let (attempts_at, attempts_each) = match attempts {
            _ if !any => (Vec::new(), 0),
            Numbers::Same(each) if each.checked_mul(rows as u64) == Some(tries as u64) => {
                (Vec::new(), each as u32)
            }
            attempts => (places(&attempts, rows, tries)?, 0),
        };
        let strategy = unpacker.numbers_if(attempted, cut, tries)?;
        let attempt_outcome = unpacker.numbers_if(any, cut, tries)?;
        let attempt_ns = unpacker.optional_if(attempted || times, cut, tries)?;
        let attempt_elements = unpacker.optional_if(attempted || quality, cut, tries)?;
        let attempt_confidence = unpacker.optional_if(attempted || quality, cut, tries)?;
        let attempt_shadow = unpacker.optional_if(any, cut, tries)?;
        let version = unpacker.optional(cut, rows)?;
        let operation = unpacker.numbers(cut, rows)?;
        let strategies_ns = unpacker.optional_if(times, cut, rows)?;
        let resolution_ns = unpacker.optional_if(times, cut, rows)?;
        let total_ns = unpacker.optional_if(times, cut, rows)?;
        let memory = unpacker.optional_if(used, cut, rows)?;
        let cpu = unpacker.optional_if(used, cut, rows)?;
        let network = unpacker.optional_if(used, cut, rows)?;
        let dom = unpacker.optional_if(used, cut, rows)?;
        let confidence = unpacker.optional_if(quality, cut, rows)?;
        let elements = unpacker.optional_if(quality, cut, rows)?;
        let validation = unpacker.numbers_if(quality, cut, rows)?;
        let drift = unpacker.numbers_if(quality, cut, rows)?;
        let engine = unpacker.numbers_if(parts.has(Parts::ORIGIN), cut, rows)?;
        let last = parts.has(Parts::ERROR) || parts.has(Parts::ATTRIBUTES);
        let (error, errors) = match unpacker.numbers_if(last, cut, rows)? {
            Numbers::Same(0) => (Vec::new(), 0),
            flags => {
                let mut count = 0;
                let place = |row| {
                    let there = flags.get(row) != 0;
                    count += u32::from(there);
                    if there { count } else { 0 }
                };
                let places = (0..rows).map(place).collect();
                (places, count as usize)
            }
        };
        let error_kind = unpacker.numbers_if(last, cut, errors)?;
        let error_message = unpacker.numbers_if(last, cut, errors)?;
        let error_stack = unpacker.numbers_if(last, cut, errors)?;
        let error_retries = unpacker.optional_if(last, cut, errors)?;
        let error_fallbacks = unpacker.optional_if(last, cut, errors)?;
        let error_recovered = unpacker.numbers_if(last, cut, errors)?;
        let attributes = unpacker.numbers_if(last, cut, rows)?;
        let (attributes_at, attribute_cells) = match attributes {
            Numbers::Same(0) => (Vec::new(), 0),
            attributes => {
                let sum = (0..rows).fold(0u64, |sum, row| sum.saturating_add(attributes.get(row)));
                if sum > u64::from(MOST_ATTEMPTS) {
                    return Err(format!("a block claims {sum} attributes"));
                }
                (places(&attributes, rows, sum as usize)?, 2 * sum as usize)
            }
        };
        let attribute_text = unpacker.numbers_if(last, cut, attribute_cells)?;
        let (text, text_ends) = match last {
            true => texts(cut, unpacker, 3 * errors + attribute_cells)?,
            false => (String::new(), Vec::new()),
        };
        let selectors = meta
            .selectors
            .iter()
            .scan(0, |end, (name, count)| {
                *end += count;
                Some((*end, name))
            })
            .map(|(end, name)| {
                Ok((end, SelectorName::new(name.as_str()).map_err(|e| e.to_string())?))
            })
            .collect::<Result<_, Fault>>()?;
        let mut streams = Vec::new();
        for (at, run) in (1..).zip(&dictionary.runs) {
            for (and, producer) in (1..).zip(&dictionary.producers) {
                if dictionary.runs.len() * dictionary.producers.len() <= 64 {
                    streams.push(((at, and), EventIds::new(run, producer)));
                }
            }
        }
        Ok(Self {
            texts: text_ends.iter().map(|_| OnceLock::new()).collect(),
            dictionary,
            timestamp,
            outcome,
            selectors,
            id,
            id_at,
            uuids,
            words,
            sequence,
            run,
            producer,
            page,
            correlation,
            attempts_at,
            attempts_each,
            strategy,
            attempt_outcome,
            attempt_ns,
            attempt_elements,
            attempt_confidence,
            attempt_shadow,
            version,
            operation,
            strategies_ns,
            resolution_ns,
            total_ns,
            memory,
            cpu,
            network,
            dom,
            confidence,
            elements,
            validation,
            drift,
            engine,
            error,
            error_kind,
            error_message,
            error_stack,
            error_retries,
            error_fallbacks,
            error_recovered,
            attributes_at,
            attribute_text,
            text_ends,
            text,
            streams,
            parts,
        })
    }

    /// The site of a row.
    pub(crate) fn site(&self, row: usize) -> Result<Option<&str>, Fault> {
        self.dictionary.site(self.page.get(row))
    }

    /// The identifier of a row's event.
    pub(crate) fn id(&self, row: usize) -> Result<EventId, Fault> {
        let start = self.id_at.get(row).copied().unwrap_or(0) as usize;
        match self.id.get(row) {
            0 => {
                let cells = (self.run.get(row), self.producer.get(row));
                let sequence = self.sequence.get(row);
                let sequence = sequence.ok_or("a derived id without a sequence")?;
                if let Some((_, ids)) = self.streams.iter().find(|(it, _)| *it == cells) {
                    return Ok(ids.id(sequence));
                }
                let run = cell(&self.dictionary.runs, cells.0)?;
                let producer = cell(&self.dictionary.producers, cells.1)?;
                let (Some(run), Some(producer)) = (run, producer) else {
                    return Err("a derived id without run and producer".into());
                };
                Ok(EventIds::new(run, producer).id(sequence))
            }
            1 => {
                let bits =
                    self.uuids.get(start..start.saturating_add(16)).ok_or("an id is missing")?;
                let mut bytes = [0; 16];
                bytes.copy_from_slice(bits);
                Ok(EventId::from_u128(u128::from_be_bytes(bytes)))
            }
            length => {
                let end = start.saturating_add(length as usize - 2);
                let text = self.words.get(start..end).ok_or("an id is missing")?;
                EventId::new(text).map_err(|error| error.to_string())
            }
        }
    }

    /// The event of a row.
    #[inline]
    pub(crate) fn event(&self, row: usize) -> Result<Event, Fault> {
        let (dictionary, parts) = (&*self.dictionary, self.parts);
        let selector = match &self.selectors[..] {
            [(_, only)] => only,
            several => {
                let at = several.partition_point(|(end, _)| *end as usize <= row);
                &several.get(at).ok_or("a row without a selector")?.1
            }
        };
        let page = self.page.get(row);
        let correlation = (page as i64).wrapping_add(unzigzag(self.correlation.get(row))) as u64;
        let range = if self.attempts_at.is_empty() {
            let each = self.attempts_each as usize;
            row * each..(row + 1) * each
        } else {
            self.attempts_at[row] as usize..self.attempts_at[row + 1] as usize
        };
        let (timing, quality) = self.measurements(row, range.clone())?;
        Ok(Event {
            id: self.id(row)?,
            correlation_id: match parts.has(Parts::CORRELATION) {
                true => cell(&dictionary.correlations, correlation)?.cloned(),
                false => None,
            },
            selector: selector.clone(),
            selector_version: self.version.small(row)?,
            timestamp: Timestamp::from_nanos(self.timestamp.get(row) as i64),
            operation: words::operation(self.operation.get(row) as u8)?,
            outcome: words::outcome(self.outcome.get(row) as u8)?,
            attempts: match parts.has(Parts::ATTEMPTS) {
                true => self.attempts(range)?,
                false => Vec::new(),
            },
            timing,
            resources: Resources {
                memory_mb: self.memory.get(row).map(f64::from_bits),
                cpu_percent: self.cpu.get(row).map(f64::from_bits),
                network_requests: self.network.small(row)?,
                dom_operations: self.dom.small(row)?,
            },
            quality,
            error: self.error(row)?,
            page: if parts.has(Parts::PAGE) { dictionary.page(page)? } else { None },
            engine: dictionary.engine(self.engine.get(row))?,
            run: cell(&dictionary.runs, self.run.get(row))?.cloned(),
            producer: cell(&dictionary.producers, self.producer.get(row))?.cloned(),
            sequence: self.sequence.get(row),
            attributes: self.attributes(row)?,
        })
    }

    fn attempts(&self, range: Range<usize>) -> Result<Vec<Attempt>, Fault> {
        let mut attempts = Vec::with_capacity(range.len());
        for at in range {
            let (kind, text) = self.dictionary.strategy(self.strategy.get(at))?;
            let shadow = self.attempt_shadow.small(at)?.map(words::confidence).transpose()?;
            attempts.push(Attempt {
                kind: kind.clone(),
                text: text.clone(),
                outcome: words::attempt_outcome(self.attempt_outcome.get(at) as u8)?,
                duration: self.attempt_ns.get(at).map(Duration::from_nanos),
                elements: self.attempt_elements.small(at)?,
                confidence: self
                    .attempt_confidence
                    .small(at)?
                    .map(words::confidence)
                    .transpose()?,
                shadow: shadow.map(|probability| ShadowProbe { probability }),
            });
        }
        Ok(attempts)
    }

    /// What can be told from a row's attempts is stored as the difference to that.
    fn measurements(&self, row: usize, tries: Range<usize>) -> Result<(Timing, Quality), Fault> {
        let beyond = |base: u64, value: Option<u64>| {
            value.map(|value| base.wrapping_add(unzigzag(value) as u64))
        };
        let small = |value: Option<u64>| -> Result<Option<u32>, Fault> {
            value.map(|it| u32::try_from(it).map_err(|_| format!("{it} is too great"))).transpose()
        };
        let mut attempted = 0u64;
        let mut accepted = None;
        for at in tries {
            attempted = attempted.wrapping_add(self.attempt_ns.get(at).unwrap_or(0));
            let outcome = self.attempt_outcome.get(at) as u8;
            if accepted.is_none()
                && words::is_accepted(outcome)
                && self.attempt_shadow.get(at).is_none()
            {
                accepted = Some(at);
            }
        }
        let strategies = beyond(attempted, self.strategies_ns.get(row));
        let base = strategies.unwrap_or(attempted);
        let resolution = beyond(base, self.resolution_ns.get(row));
        let total = beyond(resolution.unwrap_or(base), self.total_ns.get(row));
        let base = accepted.and_then(|at| self.attempt_confidence.get(at)).unwrap_or(0);
        let confidence = small(beyond(base, self.confidence.get(row)))?;
        let base = accepted.and_then(|at| self.attempt_elements.get(at)).unwrap_or(0);
        let timing = Timing {
            resolution: resolution.map(Duration::from_nanos),
            strategies: strategies.map(Duration::from_nanos),
            total: total.map(Duration::from_nanos),
        };
        let quality = Quality {
            confidence: confidence.map(words::confidence).transpose()?,
            elements_found: small(beyond(base, self.elements.get(row)))?,
            validation_passed: words::truth(self.validation.get(row) as u8)?,
            drift_detected: words::truth(self.drift.get(row) as u8)?,
        };
        Ok((timing, quality))
    }

    fn error(&self, row: usize) -> Result<Option<ErrorInfo>, Fault> {
        let Some(at) = self.error.get(row).and_then(|place| place.checked_sub(1)) else {
            return Ok(None);
        };
        let at = at as usize;
        let optional = |cell: u64| cell.checked_sub(1).map(|it| self.own_text(it)).transpose();
        Ok(Some(ErrorInfo {
            kind: self.own_text(self.error_kind.get(at))?,
            message: optional(self.error_message.get(at))?,
            stack: optional(self.error_stack.get(at))?,
            retry_attempts: self.error_retries.small(at)?,
            fallback_attempts: self.error_fallbacks.small(at)?,
            recovery_successful: words::truth(self.error_recovered.get(at) as u8)?,
        }))
    }

    fn attributes(&self, row: usize) -> Result<BTreeMap<Arc<str>, Arc<str>>, Fault> {
        if self.attributes_at.is_empty() {
            return Ok(BTreeMap::new());
        }
        let range = self.attributes_at[row] as usize..self.attributes_at[row + 1] as usize;
        let text = |at: usize| self.own_text(self.attribute_text.get(at));
        range.map(|at| Ok((text(2 * at)?, text(2 * at + 1)?))).collect()
    }

    fn own_text(&self, at: u64) -> Result<Arc<str>, Fault> {
        let slot = self.texts.get(at as usize).ok_or_else(|| outside(at))?;
        let at = at as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.text_ends[before] as usize);
        let slice = &self.text[start..self.text_ends[at] as usize];
        Ok(Arc::clone(slot.get_or_init(|| slice.into())))
    }
}

fn cell<T>(table: &[T], cell: u64) -> Result<Option<&T>, Fault> {
    let Some(at) = cell.checked_sub(1) else { return Ok(None) };
    table.get(at as usize).map(Some).ok_or_else(|| outside(at))
}

fn text(bytes: Vec<u8>) -> Result<String, Fault> {
    String::from_utf8(bytes).map_err(|_| "a text is not UTF-8".to_owned())
}

/// Where each row's share of a list begins, and where the last ends.
fn places(counts: &Numbers, rows: usize, all: usize) -> Result<Vec<u32>, Fault> {
    let mut at = 0u64;
    let mut places = Vec::with_capacity(rows + 1);
    places.push(0);
    for row in 0..rows {
        at = at.saturating_add(counts.get(row));
        if at > all as u64 {
            return Err(format!("rows claim more than the {all} entries there are"));
        }
        places.push(at as u32);
    }
    if at != all as u64 {
        return Err(format!("rows claim {at} entries, there are {all}"));
    }
    Ok(places)
}

fn id_places(id: &Numbers, rows: usize) -> Vec<u32> {
    if matches!(id, Numbers::Same(0)) {
        return Vec::new();
    }
    let (mut uuid, mut word) = (0u32, 0u32);
    let place = |row| {
        let (counter, length) = match id.get(row) {
            0 => return 0,
            1 => (&mut uuid, 16),
            length => (&mut word, u32::try_from(length - 2).unwrap_or(u32::MAX)),
        };
        let place = *counter;
        *counter = counter.saturating_add(length);
        place
    };
    (0..rows).map(place).collect()
}

/// A block's own texts, and where each ends. There are no more than cells that refer to them.
fn texts(
    cut: &mut Cut<'_>,
    unpacker: &mut Unpacker,
    most: usize,
) -> Result<(String, Vec<u32>), Fault> {
    let count = cut.length()?;
    if count > most {
        return Err(format!("a block claims {count} texts, at most {most} are used"));
    }
    let lengths = unpacker.numbers(cut, count)?;
    let text = text(unpacker.bytes(cut, MAX_RAW_BYTES)?)?;
    let mut end = 0usize;
    let mut ends = Vec::with_capacity(count);
    for at in 0..count {
        end = end.saturating_add(lengths.get(at) as usize);
        if !text.is_char_boundary(end) {
            return Err("text is too short".into());
        }
        ends.push(end as u32);
    }
    Ok((text, ends))
}

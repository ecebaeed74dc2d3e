use super::intern::{Counter, Interner, Map};
use super::v1::{BodyV1, IdV1, MetaV1, OptV1, PageV1, StreamV1};
use super::{Fault, MAX_RAW_BYTES, compress, encode, words};
use crate::seen::Ranges;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{Event, EventId, EventIds, PageContext, ProducerId, RunId};

/// The most events in a block: bounds what a reader has to decode at once.
const MAX_EVENTS: usize = 16_384;
/// The most text in a block, in bytes (a single event may go beyond).
const MAX_TEXT: usize = 16 << 20;
const DAY_NS: i64 = 86_400_000_000_000;

/// A block, ready to be framed.
pub(crate) struct Encoded {
    pub(crate) meta: MetaV1,
    pub(crate) meta_bytes: Vec<u8>,
    /// Compressed.
    pub(crate) body: Vec<u8>,
}

/// Columns kept from block to block for their memory.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    body: BodyV1,
    raw: Vec<u8>,
}

/// Takes events and gives a block.
pub(crate) struct BlockBuilder<'a, 's> {
    body: &'s mut BodyV1,
    raw: &'s mut Vec<u8>,
    strings: Interner<'a>,
    selectors: Counter<'a>,
    sites: Counter<'a>,
    days: Vec<(i32, u32)>,
    pages: Map<&'a PageContext, u32>,
    page_addresses: Map<usize, u32>,
    page_sites: Vec<&'a str>,
    correlations: Map<&'a telemetry_models::CorrelationId, u32>,
    streams: Vec<Stream<'a>>,
    events: usize,
    attempts: usize,
    errors: usize,
    outcomes: u32,
    first: i64,
    last: i64,
    in_order: bool,
    before: i64,
    next_sequence: u64,
}

struct Stream<'a> {
    run: &'a RunId,
    producer: &'a ProducerId,
    ids: EventIds,
    ranges: Ranges,
    /// The range that is growing, not yet in `ranges`.
    open: Option<(u64, u64)>,
}

impl<'a, 's> BlockBuilder<'a, 's> {
    pub(crate) fn new(scratch: &'s mut Scratch) -> Self {
        scratch.body.clear();
        scratch.raw.clear();
        Self {
            body: &mut scratch.body,
            raw: &mut scratch.raw,
            strings: Interner::default(),
            selectors: Counter::default(),
            sites: Counter::default(),
            days: Vec::new(),
            pages: Map::default(),
            page_addresses: Map::default(),
            page_sites: Vec::new(),
            correlations: Map::default(),
            streams: Vec::new(),
            events: 0,
            attempts: 0,
            errors: 0,
            outcomes: 0,
            first: i64::MAX,
            last: i64::MIN,
            in_order: true,
            before: 0,
            next_sequence: 0,
        }
    }

    /// Whether the next event should begin another block.
    pub(crate) fn is_full(&self) -> bool {
        self.events >= MAX_EVENTS || self.body.text.len() >= MAX_TEXT
    }

    /// Adds an event. After an error the builder is of no use.
    pub(crate) fn push(&mut self, event: &'a Event) -> Result<(), Fault> {
        let row = self.events;
        self.events += 1;
        self.times(event);
        self.identity(event, row)?;
        self.measurements(event, row)?;
        if let Some(error) = &event.error {
            let kind = self.string(&error.kind);
            self.body.error_kind.push(row, Some(kind));
            let message = self.optional(error.message.as_deref());
            self.body.error_message.push(message);
            let stack = self.optional(error.stack.as_deref());
            self.body.error_stack.push(stack);
            self.body.error_retries.push(self.errors, error.retry_attempts);
            self.body.error_fallbacks.push(self.errors, error.fallback_attempts);
            self.body.error_recovered.push(words::truth_code(error.recovery_successful));
            self.errors += 1;
        } else {
            self.body.error_kind.push(row, None);
        }
        self.body.attributes.push(count(event.attributes.len())?);
        for (key, value) in &event.attributes {
            let (key, value) = (self.string(key), self.string(value));
            self.body.attribute_text.extend([key, value]);
        }
        self.attempts(event)
    }

    fn times(&mut self, event: &Event) {
        let at = event.timestamp.as_nanos();
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.in_order &= self.events == 1 || at >= self.before;
        self.body.timestamp.push(at.wrapping_sub(self.before));
        self.before = at;
        let day = i32::try_from(at.div_euclid(DAY_NS)).expect("an i64 of ns spans 213,504 days");
        match self.days.iter_mut().rfind(|(it, _)| *it == day) {
            Some((_, count)) => *count += 1,
            None => self.days.push((day, 1)),
        }
    }

    fn identity(&mut self, event: &'a Event, row: usize) -> Result<(), Fault> {
        let selector = self.selectors.count(event.selector.as_str());
        self.body.selector.push(selector);
        self.body.selector_version.push(row, event.selector_version);
        let stream = self.stream(event);
        let derived = match (stream, event.sequence) {
            (Some(at), Some(sequence)) => self.streams[at].take(sequence) == event.id,
            _ => false,
        };
        let id = if derived {
            IdV1::Derived
        } else {
            match event.id.as_u128() {
                Some(bits) => IdV1::Uuid(bits.to_be_bytes()),
                None => IdV1::Text(self.owned_string(&event.id.to_string())),
            }
        };
        self.body.id.push(id);
        let correlation = event.correlation_id.as_ref().map_or(0, |id| self.correlation(id));
        self.body.correlation.push(correlation);
        let run = self.optional(event.run.as_ref().map(RunId::as_str));
        self.body.run.push(run);
        let producer = self.optional(event.producer.as_ref().map(ProducerId::as_str));
        self.body.producer.push(producer);
        let step = event.sequence.map(|it| it.wrapping_sub(self.next_sequence) as i64);
        self.body.sequence.push(row, step);
        if let Some(sequence) = event.sequence {
            self.next_sequence = sequence.wrapping_add(1);
        }
        let engine = self.optional(event.engine.as_deref());
        self.body.engine.push(engine);
        let page = event.page.as_ref().map_or(0, |page| self.page(page));
        self.body.page.push(page);
        let site = match page.checked_sub(1) {
            Some(at) => self.page_sites[at as usize],
            None => "",
        };
        self.sites.count(site);
        Ok(())
    }

    fn measurements(&mut self, event: &Event, row: usize) -> Result<(), Fault> {
        let body = &mut *self.body;
        body.operation.push(words::operation_code(event.operation)?);
        let outcome = words::outcome_code(event.outcome)?;
        body.outcome.push(outcome);
        self.outcomes |= 1 << outcome;
        body.resolution_ns.push(row, nanos(event.timing.resolution)?);
        body.strategies_ns.push(row, nanos(event.timing.strategies)?);
        body.total_ns.push(row, nanos(event.timing.total)?);
        body.memory_mb.push(row, event.resources.memory_mb);
        body.cpu_percent.push(row, event.resources.cpu_percent);
        body.network_requests.push(row, event.resources.network_requests);
        body.dom_operations.push(row, event.resources.dom_operations);
        body.confidence.push(row, event.quality.confidence.map(|it| it.millionths()));
        body.elements_found.push(row, event.quality.elements_found);
        body.validation_passed.push(words::truth_code(event.quality.validation_passed));
        body.drift_detected.push(words::truth_code(event.quality.drift_detected));
        Ok(())
    }

    fn attempts(&mut self, event: &'a Event) -> Result<(), Fault> {
        self.body.attempts.push(count(event.attempts.len())?);
        for attempt in &event.attempts {
            let row = self.attempts;
            self.attempts += 1;
            let kind = self.string(attempt.kind.as_str());
            self.body.attempt_kind.push(kind);
            let text = self.optional(attempt.text.as_deref());
            self.body.attempt_text.push(text);
            let body = &mut *self.body;
            body.attempt_outcome.push(words::attempt_outcome_code(attempt.outcome)?);
            body.attempt_ns.push(row, nanos(attempt.duration)?);
            body.attempt_elements.push(row, attempt.elements);
            body.attempt_confidence.push(row, attempt.confidence.map(|it| it.millionths()));
            let shadow = attempt.shadow.map(|probe| probe.probability.millionths());
            body.attempt_shadow.push(row, shadow);
        }
        Ok(())
    }

    /// The stream of an event that has run, producer and sequence.
    fn stream(&mut self, event: &'a Event) -> Option<usize> {
        let (run, producer) = (event.run.as_ref()?, event.producer.as_ref()?);
        event.sequence?;
        // From the back: events of one stream come together.
        if let Some(at) =
            self.streams.iter().rposition(|it| it.run == run && it.producer == producer)
        {
            return Some(at);
        }
        let ids = EventIds::new(run, producer);
        self.streams.push(Stream { run, producer, ids, ranges: Ranges::default(), open: None });
        Some(self.streams.len() - 1)
    }

    fn correlation(&mut self, id: &'a telemetry_models::CorrelationId) -> u32 {
        if let Some(at) = self.correlations.get(id) {
            return *at;
        }
        let stored = match id.as_u128() {
            Some(bits) => IdV1::Uuid(bits.to_be_bytes()),
            None => IdV1::Text(self.owned_string(&id.to_string())),
        };
        self.body.correlations.push(stored);
        let at = self.body.correlations.len() as u32;
        self.correlations.insert(id, at);
        at
    }

    fn page(&mut self, page: &'a Arc<PageContext>) -> u32 {
        let address = Arc::as_ptr(page) as usize;
        if let Some(at) = self.page_addresses.get(&address) {
            return *at;
        }
        let at = match self.pages.get(&**page) {
            Some(at) => *at,
            None => {
                let stored = PageV1 {
                    session: self.optional(page.session.as_ref().map(|it| it.as_str())),
                    tab: self.optional(page.tab.as_deref()),
                    url: self.optional(page.url.as_deref()),
                    url_template: self.optional(page.url_template.as_deref()),
                    title: self.optional(page.title.as_deref()),
                    user_agent: self.optional(page.user_agent.as_deref()),
                    viewport: page.viewport.map(|it| (it.width, it.height)),
                    entered_at: page.entered_at.map(|it| it.as_nanos()),
                };
                self.body.pages.push(stored);
                self.page_sites.push(page.site().unwrap_or_default());
                let at = self.body.pages.len() as u32;
                self.pages.insert(page, at);
                at
            }
        };
        self.page_addresses.insert(address, at);
        at
    }

    /// Position in the string table.
    fn string(&mut self, text: &'a str) -> u32 {
        let (at, fresh) = self.strings.intern(text, self.body.text_lens.len() as u32);
        if fresh {
            self.body.add_text(text);
        }
        at
    }

    /// 0 for none, otherwise one more than the position in the string table.
    fn optional(&mut self, text: Option<&'a str>) -> u32 {
        text.map_or(0, |text| self.string(text) + 1)
    }

    /// Adds a text that occurs once.
    fn owned_string(&mut self, text: &str) -> u32 {
        self.body.add_text(text);
        self.body.text_lens.len() as u32 - 1
    }

    /// The block; `None` without events.
    pub(crate) fn finish(mut self) -> Result<Option<Encoded>, Fault> {
        if self.events == 0 {
            return Ok(None);
        }
        encode(&*self.body, self.raw)?;
        if self.raw.len() > MAX_RAW_BYTES {
            let length = self.raw.len();
            return Err(format!("an event takes {length} bytes, at most {MAX_RAW_BYTES} fit"));
        }
        let body = compress(self.raw)?;
        let streams = self.streams.iter_mut().map(Stream::finish).collect();
        self.days.sort_unstable();
        let meta = MetaV1 {
            events: count(self.events)?,
            raw_len: count(self.raw.len())?,
            first: self.first,
            last: self.last,
            outcomes: self.outcomes,
            in_order: self.in_order,
            selectors: self.selectors.finish(),
            sites: self.sites.finish(),
            days: self.days,
            streams,
        };
        let mut meta_bytes = Vec::new();
        encode(&meta, &mut meta_bytes)?;
        if meta_bytes.len() > MAX_RAW_BYTES {
            return Err(format!("names take {} bytes, too many to fit", meta_bytes.len()));
        }
        Ok(Some(Encoded { meta, meta_bytes, body }))
    }
}

impl Stream<'_> {
    /// Takes note of a sequence and gives the id derived from it.
    fn take(&mut self, sequence: u64) -> EventId {
        match &mut self.open {
            Some((_, last)) if last.checked_add(1) == Some(sequence) => *last = sequence,
            open => {
                if let Some((first, last)) = open.replace((sequence, sequence)) {
                    self.ranges.insert_range(first, last);
                }
            }
        }
        self.ids.id(sequence)
    }

    fn finish(&mut self) -> StreamV1 {
        if let Some((first, last)) = self.open.take() {
            self.ranges.insert_range(first, last);
        }
        StreamV1 {
            run: self.run.to_string(),
            producer: self.producer.to_string(),
            ranges: self.ranges.iter().collect(),
        }
    }
}

fn count(number: usize) -> Result<u32, Fault> {
    u32::try_from(number).map_err(|_| format!("{number} is more than a block can count"))
}

fn nanos(duration: Option<Duration>) -> Result<Option<u64>, Fault> {
    duration
        .map(|it| {
            u64::try_from(it.as_nanos())
                .map_err(|_| format!("a duration of {} s, at most 584 years fit", it.as_secs()))
        })
        .transpose()
}

impl<T> OptV1<T> {
    fn push(&mut self, row: usize, value: Option<T>) {
        if row.is_multiple_of(8) {
            self.present.push(0);
        }
        if let Some(value) = value {
            if let Some(bits) = self.present.last_mut() {
                *bits |= 1 << (row % 8);
            }
            self.values.push(value);
        }
    }

    fn clear(&mut self) {
        self.present.clear();
        self.values.clear();
    }
}

impl BodyV1 {
    fn add_text(&mut self, text: &str) {
        self.text.push_str(text);
        self.text_lens.push(text.len() as u32);
    }

    fn clear(&mut self) {
        macro_rules! clear {
            ($($column:ident)+) => { $(self.$column.clear();)+ };
        }
        clear! {
            text text_lens pages correlations id correlation selector selector_version timestamp
            operation outcome resolution_ns strategies_ns total_ns memory_mb cpu_percent
            network_requests dom_operations confidence elements_found validation_passed
            drift_detected error_kind error_message error_stack error_retries error_fallbacks
            error_recovered page engine run producer sequence attributes attribute_text attempts
            attempt_kind attempt_text attempt_outcome attempt_ns attempt_elements
            attempt_confidence attempt_shadow
        }
    }
}

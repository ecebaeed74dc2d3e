use super::v1::{BodyV1, IdV1, MetaV1, OptV1, PageV1};
use super::{Fault, words};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use telemetry_interfaces::Parts;
use telemetry_models::{
    Attempt, CorrelationId, ErrorInfo, Event, EventId, EventIds, Invalid, PageContext, ProducerId,
    Quality, Resources, RunId, SelectorName, SessionId, ShadowProbe, StrategyKind, Timestamp,
    Timing, Viewport, site_of_url,
};

/// A decoded block of a log: gives its events in any order.
#[derive(Debug)]
pub(crate) struct BlockReader {
    texts: Texts,
    selectors: Vec<SelectorName>,
    page_table: Vec<PageV1>,
    pages: Vec<OnceLock<Arc<PageContext>>>,
    correlations: Vec<CorrelationId>,
    /// By position in the string table, for the texts that are used so.
    kinds: Vec<Option<StrategyKind>>,
    runs: Vec<Option<RunId>>,
    producers: Vec<Option<ProducerId>>,
    /// By the cells of run and producer.
    streams: Vec<((u32, u32), EventIds)>,
    timestamps: Vec<i64>,
    sequences: Column<u64>,
    /// Where each row's share begins, and the end of the last.
    attempts_at: Vec<u32>,
    attributes_at: Vec<u32>,
    columns: Columns,
    /// What else there is, as it was stored.
    body: BodyV1,
    parts: Parts,
}

/// The columns whose values may be absent.
#[derive(Debug)]
struct Columns {
    selector_version: Column<u32>,
    resolution_ns: Column<u64>,
    strategies_ns: Column<u64>,
    total_ns: Column<u64>,
    memory_mb: Column<f64>,
    cpu_percent: Column<f64>,
    network_requests: Column<u32>,
    dom_operations: Column<u32>,
    confidence: Column<u32>,
    elements_found: Column<u32>,
    error_kind: Column<u32>,
    error_retries: Column<u32>,
    error_fallbacks: Column<u32>,
    attempt_ns: Column<u64>,
    attempt_elements: Column<u32>,
    attempt_confidence: Column<u32>,
    attempt_shadow: Column<u32>,
}

impl BlockReader {
    /// Decompresses and decodes a block's body. Of the events, `parts` are given.
    pub(crate) fn new(meta: &MetaV1, body: &[u8], parts: Parts) -> Result<Self, Fault> {
        let mut body = BodyV1::from_bytes(body, meta.raw_len)?;
        let rows = meta.events as usize;
        let columns = [
            body.id.len(),
            body.correlation.len(),
            body.selector.len(),
            body.timestamp.len(),
            body.operation.len(),
            body.outcome.len(),
            body.validation_passed.len(),
            body.drift_detected.len(),
            body.page.len(),
            body.engine.len(),
            body.run.len(),
            body.producer.len(),
            body.attributes.len(),
            body.attempts.len(),
        ];
        if let Some(other) = columns.iter().find(|length| **length != rows) {
            return Err(format!("a column has {other} rows, expected {rows}"));
        }
        let texts = Texts::new(&mut body)?;
        let selectors = meta
            .selectors
            .iter()
            .map(|(name, _)| SelectorName::new(name.as_str()).map_err(invalid))
            .collect::<Result<_, _>>()?;
        let correlations = body
            .correlations
            .iter()
            .map(|id| match id {
                IdV1::Uuid(bits) => Ok(CorrelationId::from_u128(u128::from_be_bytes(*bits))),
                IdV1::Text(at) => CorrelationId::new(texts.slice(*at)?).map_err(invalid),
                IdV1::Derived => Err("a derived correlation id".to_owned()),
            })
            .collect::<Result<_, Fault>>()?;
        let attempts_at = places(&body.attempts, 1, body.attempt_kind.len(), "attempts")?;
        let attributes_at = places(&body.attributes, 2, body.attribute_text.len(), "attributes")?;
        let columns = Columns::new(&mut body, rows)?;
        let mut at = 0i64;
        let timestamps = body
            .timestamp
            .iter()
            .map(|step| {
                at = at.wrapping_add(*step);
                at
            })
            .collect();
        let sequences = Column::new(&mut body.sequence, rows)?;
        let mut next = 0u64;
        let successor = |step: i64| {
            let sequence = next.wrapping_add(step as u64);
            next = sequence.wrapping_add(1);
            sequence
        };
        let sequences = sequences.map(successor);
        let runs = texts.named(&body.run, RunId::new)?;
        let producers = texts.named(&body.producer, ProducerId::new)?;
        let mut kinds = vec![None; texts.ends.len()];
        for at in &body.attempt_kind {
            let slot = kinds.get_mut(*at as usize).ok_or_else(|| outside(*at))?;
            if slot.is_none() {
                *slot = Some(StrategyKind::new(texts.slice(*at)?));
            }
        }
        let mut reader = Self {
            pages: body.pages.iter().map(|_| OnceLock::new()).collect(),
            page_table: std::mem::take(&mut body.pages),
            texts,
            selectors,
            correlations,
            kinds,
            runs,
            producers,
            streams: Vec::new(),
            timestamps,
            sequences,
            attempts_at,
            attributes_at,
            columns,
            body,
            parts,
        };
        reader.streams = reader.derived_ids();
        Ok(reader)
    }

    /// What ids are derived from, for each pair of run and producer that has derived ones.
    fn derived_ids(&self) -> Vec<((u32, u32), EventIds)> {
        let mut streams: Vec<((u32, u32), EventIds)> = Vec::new();
        for (id, cells) in self
            .body
            .id
            .iter()
            .zip(self.body.run.iter().copied().zip(self.body.producer.iter().copied()))
        {
            let known = streams.last().is_some_and(|it| it.0 == cells)
                || *id != IdV1::Derived
                || streams.iter().any(|it| it.0 == cells);
            if known {
                continue;
            }
            if let (Ok(Some(run)), Ok(Some(producer))) =
                (name(&self.runs, cells.0), name(&self.producers, cells.1))
            {
                streams.push((cells, EventIds::new(run, producer)));
            }
        }
        streams
    }

    /// Number of events.
    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    #[inline]
    pub(crate) fn timestamp(&self, row: usize) -> Timestamp {
        Timestamp::from_nanos(self.timestamps[row])
    }

    /// The position of a row's selector in the block's description.
    #[inline]
    pub(crate) fn selector(&self, row: usize) -> u32 {
        self.body.selector[row]
    }

    /// The code of a row's outcome.
    #[inline]
    pub(crate) fn outcome(&self, row: usize) -> u8 {
        self.body.outcome[row]
    }

    /// The site of a row.
    pub(crate) fn site(&self, row: usize) -> Result<Option<&str>, Fault> {
        let Some(page) = optional(&self.page_table, self.body.page[row])? else { return Ok(None) };
        let Some(url) = page.url.checked_sub(1) else { return Ok(None) };
        Ok(site_of_url(self.texts.slice(url)?))
    }

    /// The event of a row.
    #[inline]
    pub(crate) fn event(&self, row: usize) -> Result<Event, Fault> {
        let body = &self.body;
        let (timing, resources, quality) = self.measurements(row)?;
        let parts = self.parts;
        Ok(Event {
            id: self.id(row)?,
            correlation_id: match parts.has(Parts::CORRELATION) {
                true => optional(&self.correlations, body.correlation[row])?.cloned(),
                false => None,
            },
            selector: pick(&self.selectors, body.selector[row])?.clone(),
            selector_version: self.columns.selector_version.get(row),
            timestamp: self.timestamp(row),
            operation: words::operation(body.operation[row])?,
            outcome: words::outcome(body.outcome[row])?,
            attempts: if parts.has(Parts::ATTEMPTS) { self.attempts(row)? } else { Vec::new() },
            timing,
            resources,
            quality,
            error: if parts.has(Parts::ERROR) { self.error(row)? } else { None },
            page: if parts.has(Parts::PAGE) { self.page(row)? } else { None },
            engine: match parts.has(Parts::ORIGIN) {
                true => self.texts.optional(body.engine[row])?,
                false => None,
            },
            run: match parts.has(Parts::ORIGIN) {
                true => name(&self.runs, body.run[row])?.cloned(),
                false => None,
            },
            producer: match parts.has(Parts::ORIGIN) {
                true => name(&self.producers, body.producer[row])?.cloned(),
                false => None,
            },
            sequence: if parts.has(Parts::ORIGIN) { self.sequences.get(row) } else { None },
            attributes: match parts.has(Parts::ATTRIBUTES) {
                true => self.attributes(row)?,
                false => BTreeMap::new(),
            },
        })
    }

    fn measurements(&self, row: usize) -> Result<(Timing, Resources, Quality), Fault> {
        let (columns, parts) = (&self.columns, self.parts);
        let nanos = |it: Option<u64>| it.map(Duration::from_nanos);
        let mut all = (Timing::default(), Resources::default(), Quality::default());
        if parts.has(Parts::TIMING) {
            all.0 = Timing {
                resolution: nanos(columns.resolution_ns.get(row)),
                strategies: nanos(columns.strategies_ns.get(row)),
                total: nanos(columns.total_ns.get(row)),
            };
        }
        if parts.has(Parts::RESOURCES) {
            all.1 = Resources {
                memory_mb: columns.memory_mb.get(row),
                cpu_percent: columns.cpu_percent.get(row),
                network_requests: columns.network_requests.get(row),
                dom_operations: columns.dom_operations.get(row),
            };
        }
        if parts.has(Parts::QUALITY) {
            all.2 = Quality {
                confidence: columns.confidence.get(row).map(words::confidence).transpose()?,
                elements_found: columns.elements_found.get(row),
                validation_passed: words::truth(self.body.validation_passed[row])?,
                drift_detected: words::truth(self.body.drift_detected[row])?,
            };
        }
        Ok(all)
    }

    fn error(&self, row: usize) -> Result<Option<ErrorInfo>, Fault> {
        let Some(at) = self.columns.error_kind.place(row) else { return Ok(None) };
        let kind = self.columns.error_kind.values[at];
        let body = &self.body;
        Ok(Some(ErrorInfo {
            kind: self.texts.get(kind)?,
            message: self.texts.optional(cell(&body.error_message, at)?)?,
            stack: self.texts.optional(cell(&body.error_stack, at)?)?,
            retry_attempts: self.columns.error_retries.get(at),
            fallback_attempts: self.columns.error_fallbacks.get(at),
            recovery_successful: words::truth(cell(&body.error_recovered, at)?)?,
        }))
    }

    fn attributes(&self, row: usize) -> Result<BTreeMap<Arc<str>, Arc<str>>, Fault> {
        let range = self.attributes_at[row] as usize..self.attributes_at[row + 1] as usize;
        if range.is_empty() {
            return Ok(BTreeMap::new());
        }
        self.body.attribute_text[range]
            .chunks_exact(2)
            .map(|pair| Ok((self.texts.get(pair[0])?, self.texts.get(pair[1])?)))
            .collect()
    }

    fn attempts(&self, row: usize) -> Result<Vec<Attempt>, Fault> {
        let range = self.attempts_at[row] as usize..self.attempts_at[row + 1] as usize;
        let (body, columns) = (&self.body, &self.columns);
        let mut attempts = Vec::with_capacity(range.len());
        for at in range {
            let kind = pick(&self.kinds, body.attempt_kind[at])?.clone();
            let shadow = columns.attempt_shadow.get(at).map(words::confidence).transpose()?;
            attempts.push(Attempt {
                kind: kind.ok_or("a strategy without a name")?,
                text: self.texts.optional(cell(&body.attempt_text, at)?)?,
                outcome: words::attempt_outcome(cell(&body.attempt_outcome, at)?)?,
                duration: columns.attempt_ns.get(at).map(Duration::from_nanos),
                elements: columns.attempt_elements.get(at),
                confidence: columns
                    .attempt_confidence
                    .get(at)
                    .map(words::confidence)
                    .transpose()?,
                shadow: shadow.map(|probability| ShadowProbe { probability }),
            });
        }
        Ok(attempts)
    }

    fn page(&self, row: usize) -> Result<Option<Arc<PageContext>>, Fault> {
        let Some(at) = self.body.page[row].checked_sub(1) else { return Ok(None) };
        let slot = pick(&self.pages, at)?;
        if let Some(page) = slot.get() {
            return Ok(Some(Arc::clone(page)));
        }
        let page = self.texts.page(&self.page_table[at as usize])?;
        Ok(Some(Arc::clone(slot.get_or_init(|| Arc::new(page)))))
    }

    /// The identifier of a row's event.
    pub(crate) fn id(&self, row: usize) -> Result<EventId, Fault> {
        match &self.body.id[row] {
            IdV1::Uuid(bits) => Ok(EventId::from_u128(u128::from_be_bytes(*bits))),
            IdV1::Text(at) => EventId::new(self.texts.slice(*at)?).map_err(invalid),
            IdV1::Derived => {
                let cells = (self.body.run[row], self.body.producer[row]);
                let stream = self.streams.iter().find(|(it, _)| *it == cells);
                match (stream, self.sequences.get(row)) {
                    (Some((_, ids)), Some(sequence)) => Ok(ids.id(sequence)),
                    _ => Err("a derived id without run, producer and sequence".to_owned()),
                }
            }
        }
    }
}

impl Columns {
    /// Takes the columns out of a body.
    fn new(body: &mut BodyV1, rows: usize) -> Result<Self, Fault> {
        let error_kind = Column::new(&mut body.error_kind, rows)?;
        let (errors, attempts) = (error_kind.values.len(), body.attempt_kind.len());
        Ok(Self {
            selector_version: Column::new(&mut body.selector_version, rows)?,
            resolution_ns: Column::new(&mut body.resolution_ns, rows)?,
            strategies_ns: Column::new(&mut body.strategies_ns, rows)?,
            total_ns: Column::new(&mut body.total_ns, rows)?,
            memory_mb: Column::new(&mut body.memory_mb, rows)?,
            cpu_percent: Column::new(&mut body.cpu_percent, rows)?,
            network_requests: Column::new(&mut body.network_requests, rows)?,
            dom_operations: Column::new(&mut body.dom_operations, rows)?,
            confidence: Column::new(&mut body.confidence, rows)?,
            elements_found: Column::new(&mut body.elements_found, rows)?,
            error_kind,
            error_retries: Column::new(&mut body.error_retries, errors)?,
            error_fallbacks: Column::new(&mut body.error_fallbacks, errors)?,
            attempt_ns: Column::new(&mut body.attempt_ns, attempts)?,
            attempt_elements: Column::new(&mut body.attempt_elements, attempts)?,
            attempt_confidence: Column::new(&mut body.attempt_confidence, attempts)?,
            attempt_shadow: Column::new(&mut body.attempt_shadow, attempts)?,
        })
    }
}

/// The string table of a block; texts are made when first asked for.
#[derive(Debug)]
struct Texts {
    text: String,
    ends: Vec<u32>,
    made: Vec<OnceLock<Arc<str>>>,
}

impl Texts {
    fn new(body: &mut BodyV1) -> Result<Self, Fault> {
        let text = std::mem::take(&mut body.text);
        let mut end = 0usize;
        let mut ends = Vec::with_capacity(body.text_lens.len());
        for length in &body.text_lens {
            end = end.saturating_add(*length as usize);
            if !text.is_char_boundary(end) {
                return Err("text is too short".into());
            }
            ends.push(end as u32);
        }
        Ok(Self { made: ends.iter().map(|_| OnceLock::new()).collect(), text, ends })
    }

    fn slice(&self, at: u32) -> Result<&str, Fault> {
        let end = *self.ends.get(at as usize).ok_or_else(|| outside(at))? as usize;
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before as usize] as usize);
        Ok(&self.text[start..end])
    }

    fn get(&self, at: u32) -> Result<Arc<str>, Fault> {
        let slot = self.made.get(at as usize).ok_or_else(|| outside(at))?;
        if let Some(text) = slot.get() {
            return Ok(Arc::clone(text));
        }
        let slice = self.slice(at)?;
        Ok(Arc::clone(slot.get_or_init(|| slice.into())))
    }

    fn optional(&self, cell: u32) -> Result<Option<Arc<str>>, Fault> {
        cell.checked_sub(1).map(|at| self.get(at)).transpose()
    }

    /// Names by position in the table, for those that a column refers to.
    fn named<T: Clone>(
        &self,
        column: &[u32],
        make: impl Fn(Arc<str>) -> Result<T, Invalid>,
    ) -> Result<Vec<Option<T>>, Fault> {
        let mut names = vec![None; self.ends.len()];
        for at in column.iter().filter_map(|cell| cell.checked_sub(1)) {
            let slot = names.get_mut(at as usize).ok_or_else(|| outside(at))?;
            if slot.is_none() {
                *slot = Some(make(self.get(at)?).map_err(invalid)?);
            }
        }
        Ok(names)
    }

    fn page(&self, page: &PageV1) -> Result<PageContext, Fault> {
        Ok(PageContext {
            session: self
                .optional(page.session)?
                .map(SessionId::new)
                .transpose()
                .map_err(invalid)?,
            tab: self.optional(page.tab)?,
            url: self.optional(page.url)?,
            url_template: self.optional(page.url_template)?,
            title: self.optional(page.title)?,
            user_agent: self.optional(page.user_agent)?,
            viewport: page.viewport.map(|(width, height)| Viewport { width, height }),
            entered_at: page.entered_at.map(Timestamp::from_nanos),
        })
    }
}

/// A column whose values may be absent, read in any order.
#[derive(Debug)]
struct Column<T> {
    present: Present,
    values: Vec<T>,
}

#[derive(Debug)]
enum Present {
    None,
    All,
    /// For each row 0 or one more than its value's position.
    Some(Vec<u32>),
}

impl<T: Copy> Column<T> {
    fn new(column: &mut OptV1<T>, rows: usize) -> Result<Self, Fault> {
        let short = || "a column is too short".to_owned();
        let bits = &column.present;
        if bits.len() < rows.div_ceil(8) {
            return Err(short());
        }
        let whole: u32 = bits[..rows / 8].iter().map(|it| it.count_ones()).sum();
        let part = match rows % 8 {
            0 => 0,
            more => (bits[rows / 8] & ((1 << more) - 1)).count_ones(),
        };
        let count = (whole + part) as usize;
        if column.values.len() < count {
            return Err(short());
        }
        let present = match count {
            0 => Present::None,
            all if all == rows => Present::All,
            _ => {
                let mut count = 0;
                let place = |row: usize| {
                    let there = bits[row / 8] >> (row % 8) & 1 == 1;
                    count += u32::from(there);
                    if there { count } else { 0 }
                };
                Present::Some((0..rows).map(place).collect())
            }
        };
        Ok(Self { present, values: std::mem::take(&mut column.values) })
    }

    /// Where a row's value stands.
    #[inline]
    fn place(&self, row: usize) -> Option<usize> {
        match &self.present {
            Present::None => None,
            Present::All => Some(row),
            Present::Some(places) => Some(places.get(row)?.checked_sub(1)? as usize),
        }
    }

    #[inline]
    fn get(&self, row: usize) -> Option<T> {
        self.place(row).and_then(|at| self.values.get(at).copied())
    }

    fn map<U>(self, change: impl FnMut(T) -> U) -> Column<U> {
        let values = self.values.into_iter().map(change).collect();
        Column { present: self.present, values }
    }
}

/// Where each row's share of a list begins, and where the last ends, in cells.
fn places(counts: &[u32], each: u64, all: usize, what: &str) -> Result<Vec<u32>, Fault> {
    let mut at = 0u64;
    let mut places = Vec::with_capacity(counts.len() + 1);
    places.push(0);
    for count in counts {
        at = at.saturating_add(u64::from(*count).saturating_mul(each));
        if at > all as u64 {
            return Err(format!("rows claim more {what} than there are"));
        }
        places.push(at as u32);
    }
    Ok(places)
}

fn invalid(error: Invalid) -> Fault {
    error.to_string()
}

fn outside(at: u32) -> Fault {
    format!("position {at} is outside its table")
}

fn pick<T>(table: &[T], at: u32) -> Result<&T, Fault> {
    table.get(at as usize).ok_or_else(|| outside(at))
}

fn optional<T>(table: &[T], cell: u32) -> Result<Option<&T>, Fault> {
    cell.checked_sub(1).map(|at| pick(table, at)).transpose()
}

/// A name out of those a column refers to.
fn name<T>(names: &[Option<T>], cell: u32) -> Result<Option<&T>, Fault> {
    Ok(optional(names, cell)?.and_then(Option::as_ref))
}

fn cell<T: Copy>(column: &[T], row: usize) -> Result<T, Fault> {
    column.get(row).copied().ok_or_else(|| "a column is too short".to_owned())
}

use super::v1::{BodyV1, IdV1, MetaV1, OptV1, PageV1};
use super::{Fault, words};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, CorrelationId, ErrorInfo, Event, EventId, EventIds, Invalid, PageContext, ProducerId,
    Quality, Resources, RunId, SelectorName, SessionId, ShadowProbe, StrategyKind, Timestamp,
    Timing, Viewport,
};

/// Gives the events of a block back, one after the other.
pub(crate) struct BlockReader {
    body: BodyV1,
    texts: Vec<Arc<str>>,
    selectors: Vec<SelectorName>,
    pages: Vec<Arc<PageContext>>,
    correlations: Vec<CorrelationId>,
    /// By position in `texts`, made when first used.
    runs: Vec<Option<RunId>>,
    producers: Vec<Option<ProducerId>>,
    ids: Option<(u32, u32, EventIds)>,
    at: At,
}

/// Positions in the columns.
#[derive(Default)]
struct At {
    row: usize,
    attempt: usize,
    error: usize,
    attribute: usize,
    timestamp: i64,
    next_sequence: u64,
    selector_version: usize,
    resolution: usize,
    strategies: usize,
    total: usize,
    memory: usize,
    cpu: usize,
    network: usize,
    dom: usize,
    confidence: usize,
    elements: usize,
    error_kind: usize,
    retries: usize,
    fallbacks: usize,
    sequence: usize,
    attempt_ns: usize,
    attempt_elements: usize,
    attempt_confidence: usize,
    attempt_shadow: usize,
}

impl BlockReader {
    /// Decompresses and decodes a block's body.
    pub(crate) fn new(meta: &MetaV1, body: &[u8]) -> Result<Self, Fault> {
        let body = BodyV1::from_bytes(body, meta.raw_len)?;
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
        let mut texts = Vec::with_capacity(body.text_lens.len());
        let mut rest = body.text.as_str();
        for length in &body.text_lens {
            let (text, after) =
                rest.split_at_checked(*length as usize).ok_or("text is too short")?;
            texts.push(Arc::from(text));
            rest = after;
        }
        let selectors = meta
            .selectors
            .iter()
            .map(|(name, _)| SelectorName::new(name.as_str()).map_err(invalid))
            .collect::<Result<_, _>>()?;
        let pages = body
            .pages
            .iter()
            .map(|page| Ok(Arc::new(page_context(page, &texts)?)))
            .collect::<Result<_, Fault>>()?;
        let correlations = body
            .correlations
            .iter()
            .map(|id| match id {
                IdV1::Uuid(bits) => Ok(CorrelationId::from_u128(u128::from_be_bytes(*bits))),
                IdV1::Text(at) => CorrelationId::new(pick(&texts, *at)?).map_err(invalid),
                IdV1::Derived => Err("a derived correlation id".to_owned()),
            })
            .collect::<Result<_, Fault>>()?;
        Ok(Self {
            runs: vec![None; texts.len()],
            producers: vec![None; texts.len()],
            texts,
            selectors,
            pages,
            correlations,
            ids: None,
            at: At::default(),
            body,
        })
    }

    /// The next event, or `Ok(None)` in its place when `wanted` (of timestamp, position of the
    /// selector in the block's description, outcome code) turns it down; `None` after the last.
    pub(crate) fn next(
        &mut self,
        wanted: impl FnOnce(Timestamp, u32, u8) -> bool,
    ) -> Option<Result<Option<Event>, Fault>> {
        if self.at.row >= self.body.id.len() {
            return None;
        }
        let result = self.read(wanted);
        self.at.row += 1;
        if result.is_err() {
            // Positions in the columns are no longer right.
            self.at.row = self.body.id.len();
        }
        Some(result)
    }

    fn read(
        &mut self,
        wanted: impl FnOnce(Timestamp, u32, u8) -> bool,
    ) -> Result<Option<Event>, Fault> {
        let row = self.at.row;
        self.at.timestamp = self.at.timestamp.wrapping_add(self.body.timestamp[row]);
        let timestamp = Timestamp::from_nanos(self.at.timestamp);
        let selector = self.body.selector[row];
        let outcome = self.body.outcome[row];
        let sequence = self.body.sequence.take(row, &mut self.at.sequence)?.map(|step| {
            let sequence = self.at.next_sequence.wrapping_add(step as u64);
            self.at.next_sequence = sequence.wrapping_add(1);
            sequence
        });
        let wanted = wanted(timestamp, selector, outcome);
        let selector_version =
            self.body.selector_version.take(row, &mut self.at.selector_version)?;
        let (timing, resources, quality) = self.measurements(row)?;
        let error = self.error(row, wanted)?;
        let attributes = self.attributes(row, wanted)?;
        let attempts = self.attempts(row, wanted)?;
        if !wanted {
            return Ok(None);
        }
        let run = self.run(row)?;
        let producer = self.producer(row)?;
        Ok(Some(Event {
            id: self.id(row, run.as_ref(), producer.as_ref(), sequence)?,
            correlation_id: optional(&self.correlations, self.body.correlation[row])?.cloned(),
            selector: pick(&self.selectors, selector)?.clone(),
            selector_version,
            timestamp,
            operation: words::operation(self.body.operation[row])?,
            outcome: words::outcome(outcome)?,
            attempts,
            timing,
            resources,
            quality,
            error,
            page: optional(&self.pages, self.body.page[row])?.cloned(),
            engine: optional(&self.texts, self.body.engine[row])?.cloned(),
            run,
            producer,
            sequence,
            attributes,
        }))
    }

    fn measurements(&mut self, row: usize) -> Result<(Timing, Resources, Quality), Fault> {
        let (body, at) = (&self.body, &mut self.at);
        let nanos = |it: Option<u64>| it.map(Duration::from_nanos);
        let timing = Timing {
            resolution: nanos(body.resolution_ns.take(row, &mut at.resolution)?),
            strategies: nanos(body.strategies_ns.take(row, &mut at.strategies)?),
            total: nanos(body.total_ns.take(row, &mut at.total)?),
        };
        let resources = Resources {
            memory_mb: body.memory_mb.take(row, &mut at.memory)?,
            cpu_percent: body.cpu_percent.take(row, &mut at.cpu)?,
            network_requests: body.network_requests.take(row, &mut at.network)?,
            dom_operations: body.dom_operations.take(row, &mut at.dom)?,
        };
        let confidence = body.confidence.take(row, &mut at.confidence)?;
        let quality = Quality {
            confidence: confidence.map(words::confidence).transpose()?,
            elements_found: body.elements_found.take(row, &mut at.elements)?,
            validation_passed: words::truth(body.validation_passed[row])?,
            drift_detected: words::truth(body.drift_detected[row])?,
        };
        Ok((timing, resources, quality))
    }

    fn error(&mut self, row: usize, wanted: bool) -> Result<Option<ErrorInfo>, Fault> {
        let (body, at) = (&self.body, &mut self.at);
        let Some(kind) = body.error_kind.take(row, &mut at.error_kind)? else { return Ok(None) };
        let row = at.error;
        at.error += 1;
        let retry_attempts = body.error_retries.take(row, &mut at.retries)?;
        let fallback_attempts = body.error_fallbacks.take(row, &mut at.fallbacks)?;
        if !wanted {
            return Ok(None);
        }
        let text = |column: &[u32]| -> Result<Option<Arc<str>>, Fault> {
            Ok(optional(&self.texts, cell(column, row)?)?.cloned())
        };
        Ok(Some(ErrorInfo {
            kind: pick(&self.texts, kind)?.clone(),
            message: text(&body.error_message)?,
            stack: text(&body.error_stack)?,
            retry_attempts,
            fallback_attempts,
            recovery_successful: words::truth(cell(&body.error_recovered, row)?)?,
        }))
    }

    fn attributes(
        &mut self,
        row: usize,
        wanted: bool,
    ) -> Result<BTreeMap<Arc<str>, Arc<str>>, Fault> {
        let length = self.body.attributes[row] as usize * 2;
        let from = self.at.attribute;
        self.at.attribute += length;
        if !wanted || length == 0 {
            return Ok(BTreeMap::new());
        }
        let cells =
            self.body.attribute_text.get(from..from + length).ok_or("attributes are missing")?;
        cells
            .chunks_exact(2)
            .map(|pair| {
                Ok((pick(&self.texts, pair[0])?.clone(), pick(&self.texts, pair[1])?.clone()))
            })
            .collect()
    }

    fn attempts(&mut self, row: usize, wanted: bool) -> Result<Vec<Attempt>, Fault> {
        let count = self.body.attempts[row] as usize;
        if count > self.body.attempt_kind.len() - self.at.attempt.min(self.body.attempt_kind.len())
        {
            return Err(format!("{count} attempts are more than there are"));
        }
        let mut attempts = Vec::with_capacity(if wanted { count } else { 0 });
        let (body, at) = (&self.body, &mut self.at);
        for _ in 0..count {
            let row = at.attempt;
            at.attempt += 1;
            let duration = body.attempt_ns.take(row, &mut at.attempt_ns)?;
            let elements = body.attempt_elements.take(row, &mut at.attempt_elements)?;
            let confidence = body.attempt_confidence.take(row, &mut at.attempt_confidence)?;
            let shadow = body.attempt_shadow.take(row, &mut at.attempt_shadow)?;
            if !wanted {
                continue;
            }
            attempts.push(Attempt {
                kind: StrategyKind::new(pick(&self.texts, cell(&body.attempt_kind, row)?)?),
                text: optional(&self.texts, cell(&body.attempt_text, row)?)?.cloned(),
                outcome: words::attempt_outcome(cell(&body.attempt_outcome, row)?)?,
                duration: duration.map(Duration::from_nanos),
                elements,
                confidence: confidence.map(words::confidence).transpose()?,
                shadow: shadow
                    .map(|it| Ok::<_, Fault>(ShadowProbe { probability: words::confidence(it)? }))
                    .transpose()?,
            });
        }
        Ok(attempts)
    }

    fn id(
        &mut self,
        row: usize,
        run: Option<&RunId>,
        producer: Option<&ProducerId>,
        sequence: Option<u64>,
    ) -> Result<EventId, Fault> {
        match &self.body.id[row] {
            IdV1::Uuid(bits) => Ok(EventId::from_u128(u128::from_be_bytes(*bits))),
            IdV1::Text(at) => EventId::new(pick(&self.texts, *at)?).map_err(invalid),
            IdV1::Derived => {
                let (Some(run), Some(producer), Some(sequence)) = (run, producer, sequence) else {
                    return Err("a derived id without run, producer and sequence".to_owned());
                };
                let key = (self.body.run[row], self.body.producer[row]);
                match &self.ids {
                    Some((run, producer, ids)) if (*run, *producer) == key => Ok(ids.id(sequence)),
                    _ => {
                        let ids = EventIds::new(run, producer);
                        let id = ids.id(sequence);
                        self.ids = Some((key.0, key.1, ids));
                        Ok(id)
                    }
                }
            }
        }
    }

    fn run(&mut self, row: usize) -> Result<Option<RunId>, Fault> {
        named(&self.texts, &mut self.runs, self.body.run[row], RunId::new)
    }

    fn producer(&mut self, row: usize) -> Result<Option<ProducerId>, Fault> {
        named(&self.texts, &mut self.producers, self.body.producer[row], ProducerId::new)
    }
}

/// A name out of the string table, checked once per block.
fn named<T: Clone>(
    texts: &[Arc<str>],
    known: &mut [Option<T>],
    cell: u32,
    make: impl FnOnce(Arc<str>) -> Result<T, Invalid>,
) -> Result<Option<T>, Fault> {
    let Some(at) = cell.checked_sub(1) else { return Ok(None) };
    let text = pick(texts, at)?;
    let slot = &mut known[at as usize];
    if slot.is_none() {
        *slot = Some(make(text.clone()).map_err(invalid)?);
    }
    Ok(slot.clone())
}

fn page_context(page: &PageV1, texts: &[Arc<str>]) -> Result<PageContext, Fault> {
    let text = |at: u32| -> Result<Option<Arc<str>>, Fault> { Ok(optional(texts, at)?.cloned()) };
    Ok(PageContext {
        session: text(page.session)?.map(SessionId::new).transpose().map_err(invalid)?,
        tab: text(page.tab)?,
        url: text(page.url)?,
        url_template: text(page.url_template)?,
        title: text(page.title)?,
        user_agent: text(page.user_agent)?,
        viewport: page.viewport.map(|(width, height)| Viewport { width, height }),
        entered_at: page.entered_at.map(Timestamp::from_nanos),
    })
}

fn invalid(error: Invalid) -> Fault {
    error.to_string()
}

fn pick<T>(table: &[T], at: u32) -> Result<&T, Fault> {
    table.get(at as usize).ok_or_else(|| format!("position {at} is outside its table"))
}

fn optional<T>(table: &[T], cell: u32) -> Result<Option<&T>, Fault> {
    cell.checked_sub(1).map(|at| pick(table, at)).transpose()
}

fn cell<T: Copy>(column: &[T], row: usize) -> Result<T, Fault> {
    column.get(row).copied().ok_or_else(|| "a column is too short".to_owned())
}

impl<T: Copy> OptV1<T> {
    /// The value of a row; `at` is the position of the next present value.
    fn take(&self, row: usize, at: &mut usize) -> Result<Option<T>, Fault> {
        let bits = self.present.get(row / 8).ok_or("a column is too short")?;
        if bits & 1 << (row % 8) == 0 {
            return Ok(None);
        }
        let value = cell(&self.values, *at)?;
        *at += 1;
        Ok(Some(value))
    }
}

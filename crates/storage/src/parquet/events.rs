//! Columns as events.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampNanosecondType, UInt32Type, UInt64Type};
use arrow_array::{Array, RecordBatch, StringArray};
use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::Parts;
use telemetry_models::{
    Attempt, Confidence, CorrelationId, ErrorInfo, Event, EventId, OperationKind, Outcome,
    PageContext, ProducerId, Quality, Resources, RunId, SelectorName, SessionId, ShadowProbe,
    StrategyKind, Timestamp, Timing, Viewport,
};

/// Why columns could not be turned into events.
pub(super) type Fault = String;

/// The columns that are read for some parts of events, beside those of every event.
pub(super) fn columns_of(parts: Parts) -> Vec<&'static str> {
    let always = ["event_id", "selector", "selector_version", "timestamp", "operation", "outcome"];
    let groups: [(Parts, &[&str]); 9] = [
        (Parts::CORRELATION, &["correlation_id"]),
        (Parts::ATTEMPTS, &["attempts"]),
        (Parts::TIMING, &["resolution_ns", "strategies_ns", "total_ns"]),
        (Parts::RESOURCES, &["memory_mb", "cpu_percent", "network_requests", "dom_operations"]),
        (Parts::QUALITY, &["confidence", "elements_found", "validation_passed", "drift_detected"]),
        (
            Parts::ERROR,
            &[
                "error_kind",
                "error_message",
                "error_stack",
                "error_retries",
                "error_fallbacks",
                "error_recovered",
            ],
        ),
        (
            Parts::PAGE,
            &[
                "has_page",
                "session",
                "tab",
                "url",
                "url_template",
                "title",
                "user_agent",
                "viewport_width",
                "viewport_height",
                "entered_at",
            ],
        ),
        (Parts::ORIGIN, &["engine", "run_id", "producer_id", "sequence"]),
        (Parts::ATTRIBUTES, &["attributes"]),
    ];
    let wanted = groups.iter().filter(|(part, _)| parts.has(*part));
    always.into_iter().chain(wanted.flat_map(|(_, names)| names.iter().copied())).collect()
}

/// One batch, by column; a column that was not read has no values.
pub(super) struct Columns<'a> {
    batch: &'a RecordBatch,
    texts: HashMap<String, Arc<str>>,
    pages: HashMap<PageKey, Arc<PageContext>>,
}

type PageKey = ([Option<Arc<str>>; 6], Option<(u32, u32)>, Option<i64>);

fn parsed<T: FromStr>(text: &str, what: &str) -> Result<T, Fault> {
    text.parse().map_err(|_| format!("{text:?} is no {what}"))
}

impl<'a> Columns<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Self {
        Self { batch, texts: HashMap::new(), pages: HashMap::new() }
    }

    fn column(&self, name: &str) -> Option<&'a dyn Array> {
        self.batch.column_by_name(name).map(|it| &**it)
    }

    fn str(&self, name: &str, row: usize) -> Option<&'a str> {
        text(self.column(name)?.as_string_opt::<i32>()?, row)
    }

    fn needed(&self, name: &str, row: usize) -> Result<&'a str, Fault> {
        self.str(name, row).ok_or_else(|| format!("row {row} has no {name}"))
    }

    fn shared(&mut self, name: &str, row: usize) -> Option<Arc<str>> {
        let text = self.str(name, row)?;
        Some(shared(&mut self.texts, text))
    }

    fn u32(&self, name: &str, row: usize) -> Option<u32> {
        let column = self.column(name)?.as_primitive_opt::<UInt32Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn u64(&self, name: &str, row: usize) -> Option<u64> {
        let column = self.column(name)?.as_primitive_opt::<UInt64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn f64(&self, name: &str, row: usize) -> Option<f64> {
        let column = self.column(name)?.as_primitive_opt::<Float64Type>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn bool(&self, name: &str, row: usize) -> Option<bool> {
        let column = self.column(name)?.as_boolean_opt()?;
        column.is_valid(row).then(|| column.value(row))
    }

    fn instant(&self, name: &str, row: usize) -> Option<i64> {
        let column = self.column(name)?.as_primitive_opt::<TimestampNanosecondType>()?;
        column.is_valid(row).then(|| column.value(row))
    }

    /// What decides whether a row is wanted: timestamp, tie, selector, outcome.
    pub(super) fn key(&self, row: usize) -> Result<(i64, u32, &'a str, Outcome), Fault> {
        let at = self.instant("timestamp", row).ok_or_else(|| format!("row {row} has no time"))?;
        let tie = self.u32("tie", row).unwrap_or(0);
        let outcome = parsed(self.needed("outcome", row)?, "outcome")?;
        Ok((at, tie, self.needed("selector", row)?, outcome))
    }

    pub(super) fn event(&mut self, row: usize) -> Result<Event, Fault> {
        let at = self.instant("timestamp", row).ok_or_else(|| format!("row {row} has no time"))?;
        let nanos = |it: Option<u64>| it.map(Duration::from_nanos);
        let selector = self.needed("selector", row)?;
        let selector = shared(&mut self.texts, selector);
        let (run, producer) = (self.shared("run_id", row), self.shared("producer_id", row));
        let id = EventId::new(self.needed("event_id", row)?).map_err(|it| it.to_string())?;
        let correlation = self.str("correlation_id", row).map(CorrelationId::new);
        Ok(Event {
            id,
            correlation_id: correlation.transpose().map_err(|it| it.to_string())?,
            selector: SelectorName::new(selector).map_err(|it| it.to_string())?,
            selector_version: self.u32("selector_version", row),
            timestamp: Timestamp::from_nanos(at),
            operation: parsed::<OperationKind>(self.needed("operation", row)?, "operation")?,
            outcome: parsed(self.needed("outcome", row)?, "outcome")?,
            attempts: self.attempts(row)?,
            timing: Timing {
                resolution: nanos(self.u64("resolution_ns", row)),
                strategies: nanos(self.u64("strategies_ns", row)),
                total: nanos(self.u64("total_ns", row)),
            },
            resources: Resources {
                memory_mb: self.f64("memory_mb", row),
                cpu_percent: self.f64("cpu_percent", row),
                network_requests: self.u32("network_requests", row),
                dom_operations: self.u32("dom_operations", row),
            },
            quality: Quality {
                confidence: share(self.f64("confidence", row))?,
                elements_found: self.u32("elements_found", row),
                validation_passed: self.bool("validation_passed", row),
                drift_detected: self.bool("drift_detected", row),
            },
            error: self.error(row),
            page: self.page(row)?,
            engine: self.shared("engine", row),
            run: run.map(RunId::new).transpose().map_err(|it| it.to_string())?,
            producer: producer.map(ProducerId::new).transpose().map_err(|it| it.to_string())?,
            sequence: self.u64("sequence", row),
            attributes: self.attributes(row)?,
        })
    }

    fn error(&mut self, row: usize) -> Option<ErrorInfo> {
        Some(ErrorInfo {
            kind: self.shared("error_kind", row)?,
            message: self.shared("error_message", row),
            stack: self.shared("error_stack", row),
            retry_attempts: self.u32("error_retries", row),
            fallback_attempts: self.u32("error_fallbacks", row),
            recovery_successful: self.bool("error_recovered", row),
        })
    }

    fn page(&mut self, row: usize) -> Result<Option<Arc<PageContext>>, Fault> {
        if self.bool("has_page", row) != Some(true) {
            return Ok(None);
        }
        let names = ["session", "tab", "url", "url_template", "title", "user_agent"];
        let texts = names.map(|name| self.shared(name, row));
        let width = self.u32("viewport_width", row);
        let viewport = width.zip(self.u32("viewport_height", row));
        let entered = self.instant("entered_at", row);
        let key = (texts, viewport, entered);
        if let Some(page) = self.pages.get(&key) {
            return Ok(Some(Arc::clone(page)));
        }
        let [session, tab, url, url_template, title, user_agent] = key.0.clone();
        let page = Arc::new(PageContext {
            session: session.map(SessionId::new).transpose().map_err(|it| it.to_string())?,
            tab,
            url,
            url_template,
            title,
            user_agent,
            viewport: viewport.map(|(width, height)| Viewport { width, height }),
            entered_at: entered.map(Timestamp::from_nanos),
        });
        self.pages.insert(key, Arc::clone(&page));
        Ok(Some(page))
    }

    fn attempts(&mut self, row: usize) -> Result<Vec<Attempt>, Fault> {
        let Some(list) = self.column("attempts").and_then(|it| it.as_list_opt::<i32>()) else {
            return Ok(Vec::new());
        };
        let value = list.value(row);
        let entries = value.as_struct_opt().ok_or("attempts are no records")?;
        let column = |name: &str| entries.column_by_name(name).ok_or("an attempt lacks a field");
        let strings = |name: &str| -> Result<&StringArray, Fault> {
            column(name)?.as_string_opt().ok_or_else(|| format!("{name} is no text"))
        };
        let (kinds, texts) = (strings("strategy")?, strings("selector")?);
        let outcomes = strings("outcome")?;
        let wrong = "a number of an attempt has another type";
        let nanos = column("duration_ns")?.as_primitive_opt::<UInt64Type>().ok_or(wrong)?;
        let elements = column("elements")?.as_primitive_opt::<UInt32Type>().ok_or(wrong)?;
        let confidence = column("confidence")?.as_primitive_opt::<Float64Type>().ok_or(wrong)?;
        let shadow =
            column("shadow_probability")?.as_primitive_opt::<Float64Type>().ok_or(wrong)?;
        (0..entries.len())
            .map(|at| {
                let probability = share(shadow.is_valid(at).then(|| shadow.value(at)))?;
                Ok(Attempt {
                    kind: StrategyKind::new(text(kinds, at).ok_or("a strategy has no name")?),
                    text: text(texts, at).map(|it| shared(&mut self.texts, it)),
                    outcome: parsed(text(outcomes, at).unwrap_or_default(), "attempt's outcome")?,
                    duration: nanos.is_valid(at).then(|| Duration::from_nanos(nanos.value(at))),
                    elements: elements.is_valid(at).then(|| elements.value(at)),
                    confidence: share(confidence.is_valid(at).then(|| confidence.value(at)))?,
                    shadow: probability.map(|probability| ShadowProbe { probability }),
                })
            })
            .collect()
    }

    fn attributes(
        &mut self,
        row: usize,
    ) -> Result<std::collections::BTreeMap<Arc<str>, Arc<str>>, Fault> {
        let Some(list) = self.column("attributes").and_then(|it| it.as_list_opt::<i32>()) else {
            return Ok(Default::default());
        };
        let value = list.value(row);
        let entries = value.as_struct_opt().ok_or("attributes are no records")?;
        let strings = |name: &str| -> Result<&StringArray, Fault> {
            let column = entries.column_by_name(name).ok_or("an attribute lacks a field")?;
            column.as_string_opt().ok_or_else(|| format!("{name} is no text"))
        };
        let (keys, values) = (strings("key")?, strings("value")?);
        (0..entries.len())
            .map(|at| {
                let missing = "an attribute has no text";
                let key = shared(&mut self.texts, text(keys, at).ok_or(missing)?);
                Ok((key, shared(&mut self.texts, text(values, at).ok_or(missing)?)))
            })
            .collect()
    }
}

fn text(column: &StringArray, row: usize) -> Option<&str> {
    column.is_valid(row).then(|| column.value(row))
}

fn shared(texts: &mut HashMap<String, Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = texts.get(text) {
        return Arc::clone(known);
    }
    let made: Arc<str> = text.into();
    texts.insert(text.to_owned(), Arc::clone(&made));
    made
}

fn share(value: Option<f64>) -> Result<Option<Confidence>, Fault> {
    value.map(|it| Confidence::new(it).map_err(|it| it.to_string())).transpose()
}

//! Events as columns.

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, ListArray, RecordBatch, StringArray, StructArray,
    TimestampNanosecondArray, UInt32Array, UInt64Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{Confidence, Event};

fn utf8(name: &str) -> Field {
    Field::new(name, DataType::Utf8, true)
}

fn u32s(name: &str) -> Field {
    Field::new(name, DataType::UInt32, true)
}

fn u64s(name: &str) -> Field {
    Field::new(name, DataType::UInt64, true)
}

fn f64s(name: &str) -> Field {
    Field::new(name, DataType::Float64, true)
}

fn bools(name: &str) -> Field {
    Field::new(name, DataType::Boolean, true)
}

fn instant(name: &str) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), true)
}

fn attempt_fields() -> Fields {
    Fields::from(vec![
        utf8("strategy"),
        utf8("selector"),
        utf8("outcome"),
        u64s("duration_ns"),
        u32s("elements"),
        f64s("confidence"),
        f64s("shadow_probability"),
    ])
}

fn attribute_fields() -> Fields {
    Fields::from(vec![utf8("key"), utf8("value")])
}

fn list_of(fields: Fields) -> Arc<Field> {
    Arc::new(Field::new("item", DataType::Struct(fields), false))
}

/// The columns, in their order.
pub(super) fn schema() -> SchemaRef {
    let list = |name: &str, fields| Field::new(name, DataType::List(list_of(fields)), false);
    Arc::new(Schema::new(vec![
        utf8("event_id"),
        utf8("correlation_id"),
        utf8("selector"),
        u32s("selector_version"),
        instant("timestamp"),
        u32s("tie"),
        utf8("operation"),
        utf8("outcome"),
        u64s("resolution_ns"),
        u64s("strategies_ns"),
        u64s("total_ns"),
        f64s("memory_mb"),
        f64s("cpu_percent"),
        u32s("network_requests"),
        u32s("dom_operations"),
        f64s("confidence"),
        u32s("elements_found"),
        bools("validation_passed"),
        bools("drift_detected"),
        utf8("error_kind"),
        utf8("error_message"),
        utf8("error_stack"),
        u32s("error_retries"),
        u32s("error_fallbacks"),
        bools("error_recovered"),
        utf8("site"),
        bools("has_page"),
        utf8("session"),
        utf8("tab"),
        utf8("url"),
        utf8("url_template"),
        utf8("title"),
        utf8("user_agent"),
        u32s("viewport_width"),
        u32s("viewport_height"),
        instant("entered_at"),
        utf8("engine"),
        utf8("run_id"),
        utf8("producer_id"),
        u64s("sequence"),
        list("attempts", attempt_fields()),
        list("attributes", attribute_fields()),
    ]))
}

/// Rows of events, each with its place among those of the same time.
pub(super) fn of(rows: &[(&Event, u32)]) -> Result<RecordBatch, ArrowError> {
    fn nanos(it: Option<Duration>) -> Option<u64> {
        it.map(|it| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX))
    }
    macro_rules! column {
        ($array:ident, |$event:ident| $value:expr) => {
            Arc::new(rows.iter().map(|($event, _)| $value).collect::<$array>()) as ArrayRef
        };
    }
    macro_rules! owned {
        (|$event:ident| $value:expr) => {
            Arc::new(
                rows.iter()
                    .map(|($event, _)| $value)
                    .collect::<Vec<Option<String>>>()
                    .into_iter()
                    .collect::<StringArray>(),
            ) as ArrayRef
        };
    }
    let instants = |values: Vec<Option<i64>>| -> ArrayRef {
        Arc::new(TimestampNanosecondArray::from(values).with_timezone("UTC"))
    };
    let share = |it: Option<Confidence>| it.map(Confidence::get);
    let columns: Vec<ArrayRef> = vec![
        owned!(|it| Some(it.id.to_string())),
        owned!(|it| it.correlation_id.as_ref().map(ToString::to_string)),
        column!(StringArray, |it| Some(it.selector.as_str())),
        column!(UInt32Array, |it| it.selector_version),
        instants(rows.iter().map(|(it, _)| Some(it.timestamp.as_nanos())).collect()),
        Arc::new(rows.iter().map(|(_, tie)| Some(*tie)).collect::<UInt32Array>()),
        column!(StringArray, |it| Some(it.operation.as_str())),
        column!(StringArray, |it| Some(it.outcome.as_str())),
        column!(UInt64Array, |it| nanos(it.timing.resolution)),
        column!(UInt64Array, |it| nanos(it.timing.strategies)),
        column!(UInt64Array, |it| nanos(it.timing.total)),
        column!(Float64Array, |it| it.resources.memory_mb),
        column!(Float64Array, |it| it.resources.cpu_percent),
        column!(UInt32Array, |it| it.resources.network_requests),
        column!(UInt32Array, |it| it.resources.dom_operations),
        column!(Float64Array, |it| share(it.quality.confidence)),
        column!(UInt32Array, |it| it.quality.elements_found),
        column!(BooleanArray, |it| it.quality.validation_passed),
        column!(BooleanArray, |it| it.quality.drift_detected),
        column!(StringArray, |it| it.error.as_ref().map(|it| &*it.kind)),
        column!(StringArray, |it| it.error.as_ref().and_then(|it| it.message.as_deref())),
        column!(StringArray, |it| it.error.as_ref().and_then(|it| it.stack.as_deref())),
        column!(UInt32Array, |it| it.error.as_ref().and_then(|it| it.retry_attempts)),
        column!(UInt32Array, |it| it.error.as_ref().and_then(|it| it.fallback_attempts)),
        column!(BooleanArray, |it| it.error.as_ref().and_then(|it| it.recovery_successful)),
        column!(StringArray, |it| it.site()),
        column!(BooleanArray, |it| Some(it.page.is_some())),
        column!(StringArray, |it| it
            .page
            .as_ref()
            .and_then(|it| it.session.as_ref().map(|it| it.as_str()))),
        column!(StringArray, |it| it.page.as_ref().and_then(|it| it.tab.as_deref())),
        column!(StringArray, |it| it.page.as_ref().and_then(|it| it.url.as_deref())),
        column!(StringArray, |it| it.page.as_ref().and_then(|it| it.url_template.as_deref())),
        column!(StringArray, |it| it.page.as_ref().and_then(|it| it.title.as_deref())),
        column!(StringArray, |it| it.page.as_ref().and_then(|it| it.user_agent.as_deref())),
        column!(UInt32Array, |it| it.page.as_ref().and_then(|it| it.viewport).map(|it| it.width)),
        column!(UInt32Array, |it| it.page.as_ref().and_then(|it| it.viewport).map(|it| it.height)),
        instants(
            rows.iter().map(|(it, _)| Some(it.page.as_ref()?.entered_at?.as_nanos())).collect(),
        ),
        column!(StringArray, |it| it.engine.as_deref()),
        column!(StringArray, |it| it.run.as_ref().map(|it| it.as_str())),
        column!(StringArray, |it| it.producer.as_ref().map(|it| it.as_str())),
        column!(UInt64Array, |it| it.sequence),
        attempts(rows)?,
        attributes(rows)?,
    ];
    RecordBatch::try_new(schema(), columns)
}

fn attempts(rows: &[(&Event, u32)]) -> Result<ArrayRef, ArrowError> {
    let all = || rows.iter().flat_map(|(event, _)| &event.attempts);
    let nanos = |it: Duration| u64::try_from(it.as_nanos()).unwrap_or(u64::MAX);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(all().map(|it| Some(it.kind.as_str())).collect::<StringArray>()),
        Arc::new(all().map(|it| it.text.as_deref()).collect::<StringArray>()),
        Arc::new(all().map(|it| Some(it.outcome.as_str())).collect::<StringArray>()),
        Arc::new(all().map(|it| it.duration.map(nanos)).collect::<UInt64Array>()),
        Arc::new(all().map(|it| it.elements).collect::<UInt32Array>()),
        Arc::new(all().map(|it| it.confidence.map(Confidence::get)).collect::<Float64Array>()),
        Arc::new(
            all().map(|it| it.shadow.map(|it| it.probability.get())).collect::<Float64Array>(),
        ),
    ];
    list(attempt_fields(), columns, rows.iter().map(|(event, _)| event.attempts.len()))
}

fn attributes(rows: &[(&Event, u32)]) -> Result<ArrayRef, ArrowError> {
    let all = || rows.iter().flat_map(|(event, _)| &event.attributes);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(all().map(|(key, _)| Some(&**key)).collect::<StringArray>()),
        Arc::new(all().map(|(_, value)| Some(&**value)).collect::<StringArray>()),
    ];
    list(attribute_fields(), columns, rows.iter().map(|(event, _)| event.attributes.len()))
}

fn list(
    fields: Fields,
    columns: Vec<ArrayRef>,
    lengths: impl Iterator<Item = usize>,
) -> Result<ArrayRef, ArrowError> {
    let offsets = OffsetBuffer::<i32>::from_lengths(lengths);
    let entries = StructArray::try_new(fields.clone(), columns, None)?;
    Ok(Arc::new(ListArray::try_new(list_of(fields), offsets, Arc::new(entries), None)?))
}

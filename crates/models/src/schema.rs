//! JSON Schema (draft 2020-12) of the JSON forms, generated from the types that write them.

use crate::json::wire::EventV1;
use crate::report::Report;
use serde_json::Value;

/// The schema of an event, version 1. It describes what is written, and allows `null` for what is
/// absent, as reading does. The original form without `schema_version` is not described.
pub fn event_schema() -> Value {
    let mut schema = schemars::schema_for!(EventV1<'static>);
    schema.insert("$id".to_owned(), "event.v1.json".into());
    schema.to_value()
}

/// The schema of a report, version 1. The alerts in it are described as objects, no further.
pub fn report_schema() -> Value {
    let mut schema = schemars::schema_for!(Report);
    schema.insert("$id".to_owned(), "report.v1.json".into());
    schema.to_value()
}

/// Every schema document with its file name, for the files in `docs/schema/`. Keys are in
/// alphabetical order, whichever features of `serde_json` the program is built with.
pub fn documents() -> Vec<(&'static str, Value)> {
    vec![("event.v1.json", sorted(event_schema())), ("report.v1.json", sorted(report_schema()))]
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

use crate::{full, minimal};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use telemetry_models::json::{from_str, to_value};
use telemetry_models::schema::{documents, event_schema};
use telemetry_testkit::arbitrary_event;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/schema")
}

/// `UPDATE_SCHEMA=1` writes the files instead.
#[test]
fn the_documents_in_docs_schema_are_the_generated_ones() {
    for (name, document) in documents() {
        let file = directory().join(name);
        let generated = format!("{}\n", serde_json::to_string_pretty(&document).unwrap());
        if std::env::var_os("UPDATE_SCHEMA").is_some() {
            std::fs::write(&file, &generated).unwrap();
        }
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            found == generated,
            "{} is out of date; write it with UPDATE_SCHEMA=1",
            file.display()
        );
    }
}

#[test]
fn it_is_a_draft_2020_12_schema_with_descriptions() {
    let schema = event_schema();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    assert_eq!(schema["$id"], "event.v1.json");
    assert!(jsonschema::meta::is_valid(&schema));
    let mut bare = Vec::new();
    for group in schema["$defs"].as_object().unwrap().values().chain([&schema]) {
        for (key, property) in group["properties"].as_object().into_iter().flatten() {
            if property.get("description").is_none() {
                bare.push(key.clone());
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new());
}

#[test]
fn what_reading_refuses_the_schema_refuses_where_a_schema_can() {
    let validator = jsonschema::validator_for(&event_schema()).unwrap();
    for (pointer, value) in [
        ("/schema_version", json!(2)),
        ("/event_id", json!("")),
        ("/operation_type", json!("guess")),
        ("/outcome", json!("ok")),
        ("/attempts/0/outcome", json!("ok")),
        ("/attempts/1/confidence", json!(1.5)),
        ("/attempts/1/elements", json!(4_294_967_296u64)),
        ("/attempts/2/shadow_probability", json!(0)),
        ("/performance_metrics/resolution_time_ms", json!(300_001)),
        ("/performance_metrics/memory_usage_mb", json!(-1)),
        ("/quality_metrics", json!({"sucess": true})),
        ("/strategy_metrics/strategy_timing_by_type/css", json!(-1)),
        ("/context_data/viewport_size/width", json!(-1)),
        ("/attributes/team", json!([])),
    ] {
        let mut event = to_value(&full());
        *event.pointer_mut(pointer).unwrap() = value;
        assert!(!validator.is_valid(&event), "{pointer}");
        assert!(from_str(&event.to_string()).is_err(), "{pointer}");
    }
    for event in [full(), minimal()] {
        assert!(validator.is_valid(&to_value(&event)));
    }
    let least = json!({"schema_version": 1, "event_id": "e", "selector_name": "s",
        "timestamp": "2026-01-31T12:00:00Z", "operation_type": "cleanup", "outcome": "success",
        "quality_metrics": null, "attributes": {"n": 1}});
    assert!(validator.is_valid(&least));
    assert!(from_str(&least.to_string()).is_ok());
}

#[test]
fn every_valid_event_fits_the_schema() {
    let validator = jsonschema::validator_for(&event_schema()).unwrap();
    let check = |event: Value| match validator.validate(&event) {
        Ok(()) => Ok(()),
        Err(error) => Err(TestCaseError::fail(format!("{}: {error}", error.instance_path()))),
    };
    proptest!(ProptestConfig::with_cases(200), |(event in arbitrary_event())| {
        check(to_value(&event))?;
    });
}

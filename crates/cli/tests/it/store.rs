use crate::setup::{Place, events, only};
use serde_json::Value;
use telemetry_runtime::storage::Backend;

#[test]
fn how_much_it_holds() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        place.fill(backend, &events());
        place.run_reading(&["store", "stats"]).code(0).shows(&[
            backend.as_str(),
            "2025-03-01",
            "shop.product.price",
            "shop.example",
            "16",
        ]);
        let ran = place.run_reading(&["store", "stats", "--json"]).code(0);
        let stats: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(stats["events"], 16);
        assert_eq!(stats["days"][0]["events"], 16);
        assert_eq!(stats["tiers"][0]["events"], 16);
    }
}

#[test]
fn a_sound_store_is_clean() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        place.fill(backend, &events());
        place.run_reading(&["store", "verify"]).code(0).shows(&["ok", "16 events"]);
        place.run_reading(&["store", "verify", "--deep"]).code(0).shows(&["decoded"]);
        let ran = place.run_reading(&["store", "verify", "--json"]).code(0);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["damage"], Value::Array(Vec::new()));
    }
}

#[test]
fn rollups_are_made_and_shown() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        place.fill(backend, &events());
        place.run(&["store", "rollup", "--show", "day"]).code(1);
        place.run(&["store", "rollup"]).code(0).shows(&["1 day rolled up from 16 events"]);
        place.run(&["store", "rollup"]).code(0).shows(&["0 days rolled up", "1 day unchanged"]);
        place
            .run_reading(&["store", "rollup", "--show", "month", "--selector", "*.price"])
            .code(0)
            .shows(&["2025-03-01", "shop.product.price", "shop.example"]);
        let ran = place.run_reading(&["store", "rollup", "--show", "hour", "--json"]).code(0);
        let rows = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let counted = |row: Value| -> u64 {
            let outcomes = row["figures"]["outcomes"].as_array().unwrap().clone();
            outcomes.iter().map(|it| it[1].as_u64().unwrap()).sum()
        };
        assert_eq!(rows.map(counted).sum::<u64>(), 16);
        place.run_reading(&["store", "verify", "--deep"]).code(0).shows(&["ok"]);
    }
}

#[test]
fn compacting_changes_files_and_no_answer() {
    let place = Place::new();
    for event in events().chunks(4) {
        place.fill(Backend::Segment, event);
    }
    let before = place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out;
    place.run(&["store", "compact"]).code(0).shows(&["4 files", "16 events", "1 file"]);
    assert_eq!(place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out, before);
    place.run_reading(&["store", "verify", "--deep"]).code(0).shows(&["16 events"]);
    place.run(&["store", "compact"]).code(0).shows(&["nothing to compact"]);
    let other = Place::new();
    other.fill(Backend::Json, &events());
    // Its latest day is still appended to.
    other.run(&["store", "compact"]).code(0).shows(&["nothing to compact"]);
}

#[test]
fn damage_is_taken_out_of_use_and_reported() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        place.fill(backend, &events()[..8]);
        place.fill(backend, &events()[8..]);
        place.run(&["store", "quarantine"]).code(0).shows(&["nothing is damaged"]);
        let name = match backend {
            Backend::Json => "2025-03-01.jsonl",
            _ => "00000002.seg",
        };
        let file = only(&place.store(), name);
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[100] ^= 0x80;
        std::fs::write(&file, &bytes).unwrap();
        place.run_reading(&["store", "verify"]).code(1).shows(&[name, "store quarantine"]);
        place.run(&["store", "quarantine"]).code(1).shows(&[
            "damaged",
            name,
            "kept",
            "lost",
            "1 file taken out of use; see quarantine/0001/report.json",
        ]);
        place.run_reading(&["store", "verify", "--deep"]).code(0).shows(&["taken out of use"]);
        let ran = place.run_reading(&["query", "--json", "--limit", "0"]).code(0);
        let left = if backend == Backend::Json { 15 } else { 8 };
        assert_eq!(ran.out.lines().count(), left);
        let kept = place.store().join("quarantine/0001").join(name);
        assert!(std::fs::read(kept).unwrap() == bytes);
        let ran = place.run(&["store", "quarantine", "--json"]).code(0);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["files"], Value::Array(Vec::new()));
    }
}

#[test]
fn the_manifest_is_made_anew() {
    for backend in [Backend::Segment, Backend::Json] {
        let place = Place::new();
        place.fill(backend, &events());
        let before = place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out;
        let manifest = place.store().join("telemetry-store.json");
        std::fs::remove_file(&manifest).unwrap();
        let told = ["TEL-007", "telemetry-store.json is missing", "telemetry store rebuild"];
        place.run_reading(&["query"]).code(2).says(&told);
        place.run(&["store", "rebuild"]).code(0).shows(&["made anew", backend.as_str()]);
        assert_eq!(place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out, before);
        place.run_reading(&["store", "verify", "--deep"]).code(0);
        std::fs::write(&manifest, "{").unwrap();
        place.run_reading(&["query"]).code(2).says(&["TEL-007", "telemetry store rebuild"]);
        let ran = place.run(&["store", "rebuild", "--json"]).code(0);
        let report: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(report["kept"], "quarantine/0001/telemetry-store.json");
        assert_eq!(place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out, before);
    }
    Place::new().run_reading(&["store", "rebuild"]).code(2).says(&["TEL-001", "no store"]);
}

#[test]
fn a_damaged_file_is_named_and_not_rewritten() {
    let works: &[&str] =
        if cfg!(feature = "parquet") { &["compact", "convert"] } else { &["compact"] };
    for work in works {
        let place = Place::new();
        place.fill(Backend::Segment, &events()[..8]);
        place.fill(Backend::Segment, &events()[8..]);
        let file = only(&place.store(), "00000002.seg");
        let mut bytes = std::fs::read(&file).unwrap();
        bytes[100] ^= 0x80;
        std::fs::write(&file, &bytes).unwrap();
        place.run(&["store", work]).code(2).says(&["00000002.seg", "store verify"]);
        assert!(std::fs::read(&file).unwrap() == bytes);
    }
}

#[test]
fn converting_changes_no_answer_or_names_the_feature() {
    let place = Place::with_store();
    let before = place.run(&["query", "--json", "--limit", "0"]).code(0).out;
    if cfg!(feature = "parquet") {
        place.run(&["store", "convert"]).code(0).shows(&["16 events", "Parquet"]);
        let ran = place.run_reading(&["store", "stats", "--json"]).code(0);
        let stats: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(stats["tiers"][0]["tier"], "parquet");
    } else {
        place.run(&["store", "convert"]).code(2).says(&["--features parquet"]);
    }
    assert_eq!(place.run_reading(&["query", "--json", "--limit", "0"]).code(0).out, before);
}

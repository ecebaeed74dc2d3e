use crate::setup::{Place, events};
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

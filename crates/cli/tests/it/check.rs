use crate::setup::Place;
use serde_json::Value;

const PERIOD: [&str; 4] = ["--since", "2025-03-01", "--until", "2025-03-02"];

fn with<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    [arguments, &PERIOD].concat()
}

#[test]
fn the_gate_says_yes_no_and_could_not_tell() {
    let place = Place::with_store();
    let alerts = with(&["check", "--fail-on", "alerts"]);
    place.run(&alerts).code(0).shows(&["check: passed"]);
    let broken = with(&["check", "--fail-on", "broken"]);
    place.run(&broken).code(1).shows(&["check: failed", "broken"]);
    place.run(&["check", "--fail-on", "slower>30%"]).code(2).says(&["--against"]);
    place.run(&["check", "--fail-on", "nonsense"]).code(2).says(&["nonsense", "expected broken"]);
    let compared =
        with(&["check", "--fail-on", "slower>30%", "--against", "2024-03-01..2024-03-02"]);
    place.run(&compared).code(2);
}

#[test]
fn the_gate_speaks_junit() {
    let place = Place::with_store();
    let ran =
        place.run(&with(&["check", "--fail-on", "broken", "--format", "junit", "--out", "-"]));
    let ran = ran.code(1);
    assert!(ran.out.starts_with("<?xml"), "{}", ran.out);
    ran.shows(&["<testsuite", "shop.product.price", "<failure"]);
}

#[test]
fn a_report_beside_another_period() {
    let place = Place::with_store();
    let ran = place.run(&with(&["report", "--compare", "2024-03-01..2024-03-02", "--json"]));
    let report: Value = serde_json::from_str(&ran.code(0).out).unwrap();
    assert!(report["comparison"].is_object(), "{report}");
    place
        .run(&["report", "--compare", "sometime"])
        .code(2)
        .says(&["sometime", "expected yesterday"]);
}

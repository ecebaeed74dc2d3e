use crate::setup::Place;
use expect_test::expect;
use serde_json::Value;

#[test]
fn statistics_of_each_selector() {
    let place = Place::with_store();
    let ran = place.run_reading(&["stats"]).code(0);
    expect![[r#"
        SELECTOR            SITE          HEALTH   OPS  SUCCESS  95%     P50 MS  P95 MS  CONF  FALLBACK  LAST SUCCESS
        shop.product.price  shop.example  failing    5    40.0%  11–77     1.60    1.60  0.80    100.0%  2025-03-01T12:00:40.000Z
        shop.product.title  shop.example  healthy    6   100.0%  56–100    2.10    2.40  0.97      0.0%  2025-03-01T12:02:00.000Z
        shop.banner         shop.example  no_data    5        -  -            -       -     -         -  -
    "#]].assert_eq(&ran.out);
    let rows = place.run_reading(&["stats", "--json", "--selector", "*.title"]).code(0);
    let row: Value = serde_json::from_str(rows.out.trim_end()).unwrap();
    assert_eq!(row["selector"], "shop.product.title");
    assert_eq!(row["operations"], 6);
    place.run(&["stats", "--until", "2020-01-01"]).code(0).says(&["no events in this period"]);
}

#[test]
fn a_report_on_the_terminal() {
    let ran = Place::with_store().run_reading(&["report"]).code(0);
    assert!(ran.out.lines().count() <= 24, "{}", ran.out);
    let ran = ran.shows(&["shop.product.price"]);
    ran.says(&["report --format html"]);
}

#[test]
fn a_report_in_json_tells_how_to_make_it_again() {
    let place = Place::with_store();
    let ran = place.run_reading(&["report", "--json", "--selector", "shop.*"]).code(0);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["totals"]["operations"], 16);
    assert_eq!(
        report["reproduce"],
        "telemetry report --store ./telemetry-data --selector 'shop.*' --format json"
    );
}

#[test]
fn html_is_written_to_a_file_and_replaced_whole() {
    let place = Place::with_store();
    let before = place.files().len();
    let ran = place.run(&["report", "--format", "html"]).code(0);
    assert_eq!(ran.out, "./telemetry-report.html\n");
    let first = std::fs::read_to_string(place.path("telemetry-report.html")).unwrap();
    assert!(first.starts_with("<!"), "{}", &first[..80]);
    place.run(&["report", "--format", "html"]).code(0);
    assert_eq!(place.files().len(), before + 1, "nothing is left beside it");
    let to_stdout = place.run(&["report", "--format", "html", "--out", "-"]).code(0);
    assert!(to_stdout.out.starts_with("<!"));
    assert_eq!(place.files().len(), before + 1);
}

#[test]
fn a_report_goes_where_it_is_told_to_or_says_why_not() {
    let place = Place::with_store();
    place.run(&["report", "--out", "week.txt"]).code(0).shows(&["week.txt"]);
    let text = std::fs::read_to_string(place.path("week.txt")).unwrap();
    assert!(text.contains("shop.product.price") && !text.contains('\u{1b}'));
    place.run_reading(&["report", "--out", "missing/week.txt"]).code(2).says(&[
        "TEL-005",
        "missing/week.txt",
        "what to do",
    ]);
    place
        .run_reading(&["report", "--out", "telemetry-data/telemetry-store.json"])
        .code(2)
        .says(&["within the store", "nothing was written"]);
}

#[test]
fn rollups_tell_what_events_tell() {
    let place = Place::with_store();
    place.run(&["store", "rollup"]).code(0);
    let of = |source: &str| -> Value {
        let ran = place.run(&["report", "--json", "--from", source]).code(0);
        serde_json::from_str(&ran.out).unwrap()
    };
    let (events, rollups) = (of("events"), of("rollups"));
    assert_eq!(rollups["data_quality"]["rolled_up"], 16, "{}", rollups["data_quality"]);
    for part in ["totals", "performance"] {
        let without_sessions = |mut it: Value| {
            it.as_object_mut().unwrap().remove("sessions");
            it
        };
        let (a, b) =
            (without_sessions(events[part].clone()), without_sessions(rollups[part].clone()));
        assert_eq!(a, b, "{part}");
    }
    let kind = place.run(&["report", "--json", "--kind", "performance"]).code(0);
    let kind: Value = serde_json::from_str(&kind.out).unwrap();
    assert_eq!(kind["data_quality"]["rolled_up"], 16, "rollups suffice for it");
    assert!(kind["performance"].is_object() && kind["health"].is_null());
}

#[test]
fn kinds_and_periods_that_hold_nothing() {
    let place = Place::with_store();
    let ran = place.run_reading(&["report", "--since", "2099-01-01"]).code(0);
    assert!(ran.out.contains("NO DATA"), "{}", ran.out);
    for kind in ["performance", "usage", "health", "trends", "recommendations", "data-quality"] {
        let ran = place.run_reading(&["report", "--kind", kind]).code(0);
        assert!(ran.out.lines().count() <= 24, "{kind}\n{}", ran.out);
    }
    place.run(&["report", "--kind", "weather"]).code(2).says(&["performance", "data-quality"]);
}

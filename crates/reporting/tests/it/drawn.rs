//! What the script draws in Chromium says the same as the JSON form, number by number.

use crate::browser;
use crate::events::{make, report};
use serde_json::Value;
use std::collections::BTreeMap;
use telemetry_interfaces::ReportRenderer;
use telemetry_models::report::SelectorRow;
use telemetry_models::{AttemptOutcome, ErrorInfo, Event, EventId, Outcome};
use telemetry_reporting::HtmlRenderer;

const NAME: &str = "drawn::every_number_is_that_of_the_json_form";
/// Shapes in which selectors come; more rows than the file itself draws the course of.
const SHAPES: u32 = 6;
const SELECTORS: u32 = 60;

/// Selectors of six shapes: sound, failing in several ways, with fallbacks tried in and out of
/// order, with times from microseconds to hours, with ids that are not UUIDs, without anything.
fn events() -> Vec<Event> {
    use AttemptOutcome::{Accepted, Empty, Error};
    let mut events = Vec::new();
    for selector in 0..SELECTORS {
        let shape = selector % SHAPES;
        for n in 0..40u32 {
            let id = u128::from(selector) << 64 | 0xabc << 100 | u128::from(n);
            let fault = shape == 1 && n % 3 == 0;
            let outcome = match (fault, shape) {
                (true, _) => Outcome::NotFound,
                (_, 5) => Outcome::Blocked,
                _ if shape == 2 && n % 9 == 0 => Outcome::Timeout,
                _ => Outcome::Success,
            };
            let name = format!("shape{shape}.field{selector}");
            let mut it = make(id, &name, i64::from(n) * 40_000 + 7, outcome);
            let second = if n % 4 == 0 { Empty } else { Accepted };
            it = match shape {
                0 => it.ms(3).confidence(0.5 + f64::from(n) / 90.0).attempt("css", "a", Accepted),
                1 if fault => it.attempt("css", "b", Empty),
                1 => it.ms(17 + u64::from(n)).attempt("css", "b", Accepted),
                2 if n % 9 == 0 => it.attempt("css", "c", Error).attempt("xpath", "//c", Empty),
                2 => it
                    .ms(950 * u64::from(n + 1))
                    .attempt("css", "c", Empty)
                    .attempt("xpath", "//c", Accepted),
                3 if second == Empty => {
                    it.ms(3_600_000).attempt("text", "e", Empty).attempt("css", "d", Accepted)
                }
                3 => it.ms(7_300_000).confidence(0.7).attempt("text", "e", Accepted),
                4 if n % 2 == 0 => it.ms(1),
                _ => it,
            };
            if fault || shape == 5 {
                it.event.error = Some(ErrorInfo {
                    kind: format!("kind{}", n % 2).into(),
                    message: Some("nothing <here>".into()),
                    ..ErrorInfo::default()
                });
            }
            if shape == 4 {
                it.event.id = EventId::new(&format!("own-{selector}-{n}")).unwrap();
                it.event.timing.total = it.event.timing.total.map(|it| it / 3);
            }
            events.push(it.event);
        }
    }
    events.sort_by_key(|event| event.timestamp);
    events
}

#[test]
fn every_number_is_that_of_the_json_form() {
    let (modules, chromium) = match browser::needed() {
        Ok(it) => it,
        Err(why) => {
            eprintln!("{NAME} is skipped: {why}");
            return;
        }
    };
    let report = report(&events());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.html");
    std::fs::write(&path, HtmlRenderer::new().render(&report).unwrap()).unwrap();
    let told = browser::run("drawn.mjs", &modules, &chromium, &[&path]);
    assert_eq!(told["errors"], Value::Array(Vec::new()));
    let rows = told["rows"].as_array().unwrap();
    assert_eq!(rows.len(), report.selectors.len());
    let mut courses = BTreeMap::<String, Value>::new();
    for (drawn, row) in rows.iter().zip(&report.selectors) {
        compare(drawn, row);
        // Selectors of one shape went alike: those the script draws look as those in the file.
        let shape = row.selector.as_str().split('.').next().unwrap().to_owned();
        let known = courses.entry(shape).or_insert_with(|| drawn["course"].clone());
        assert_eq!(*known, drawn["course"], "{}", row.selector);
    }
    assert_eq!(courses.len(), SHAPES as usize);
    assert!(courses.values().any(|it| it.as_array().unwrap().len() == 2), "{courses:?}");
}

fn compare(drawn: &Value, row: &SelectorRow) {
    let name = row.selector.as_str();
    assert_eq!(drawn["name"], name);
    let under = format!("{} · {}", row.site.as_deref().unwrap(), row.operations);
    assert_eq!(drawn["under"], under, "{name}");
    let cell = |at: usize| drawn["cells"][at][0].as_str().unwrap();
    match &row.success_rate {
        Some(rate) => assert_eq!(share(cell(2)), tenths(rate.share), "{name}"),
        None => assert_eq!(cell(2), "no data", "{name}"),
    }
    let list = |title: &str| -> BTreeMap<String, String> {
        let pairs = drawn["lists"][title].as_array().cloned().unwrap_or_default();
        let text = |it: &Value| it.as_str().unwrap().to_owned();
        pairs.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect()
    };
    let outcomes: BTreeMap<String, String> = row
        .outcomes
        .iter()
        .map(|it| (it.outcome.as_str().replace('_', " "), it.count.to_string()))
        .collect();
    assert_eq!(list("Outcomes"), outcomes, "{name}");
    let found: Vec<u64> = list("Found by the").values().map(|it| it.parse().unwrap()).collect();
    let known = row.fallback_depths.iter().rposition(|it| *it > 0).map_or(0, |last| last + 1);
    let mut depths = row.fallback_depths[..known].to_vec();
    if !depths.is_empty() {
        // `fallback 1` and so on sort before `first strategy`.
        depths.rotate_left(1);
    }
    assert_eq!(found, depths, "{name}");
    let facts = list("Facts");
    assert_eq!(facts["distinct URLs"], row.urls.to_string(), "{name}");
    let fact = |title: &str| facts.get(title).map(String::as_str);
    match &row.durations {
        Some(it) => {
            same_time(cell(3), it.p50_ms);
            same_time(cell(4), it.p95_ms);
            same_time(fact("99% within").unwrap(), it.p99_ms);
            same_time(fact("longest").unwrap(), it.max_ms);
            assert_eq!(fact("timed").unwrap(), it.n.to_string(), "{name}");
        }
        None => assert_eq!((cell(3), fact("timed")), ("no data", None), "{name}"),
    }
    match &row.confidence {
        Some(it) => {
            assert_eq!(fact("mean confidence").unwrap(), format!("{:.2}", it.mean), "{name}");
            assert_eq!(fact("lowest confidence").unwrap(), format!("{:.2}", it.min), "{name}");
            assert_eq!(fact("with confidence").unwrap(), it.n.to_string(), "{name}");
        }
        None => assert_eq!(fact("with confidence"), None, "{name}"),
    }
    if let Some(it) = &row.flakiness {
        let (flips, n) = fact("flips back on one page").unwrap().split_once(" of ").unwrap();
        assert_eq!((share(flips), n.parse()), (tenths(it.share), Ok(it.n)), "{name}");
    }
    let success = row.last_success.map(|at| at.to_string().replace('T', " ")[..19].to_owned());
    assert_eq!(fact("last success"), success.map(|it| it + " UTC").as_deref(), "{name}");
    strategies(drawn, row);
    let errors: Vec<String> = row
        .errors
        .iter()
        .map(|it| {
            format!(
                "{} × {}: {}",
                it.count,
                it.kind.as_deref().unwrap(),
                it.message.as_deref().unwrap()
            )
        })
        .collect();
    let texts = |title: &str| -> Vec<String> {
        let all = drawn["lists"][title].as_array().cloned().unwrap_or_default();
        all.iter().map(|it| it.as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(texts("Reported errors"), errors, "{name}");
    let fault = row.recent_faults.last().map(|id| format!("fault {id}"));
    let success = row.last_success_event.as_ref().map(|id| format!("last success {id}"));
    let events: Vec<String> = fault.into_iter().chain(success).collect();
    assert_eq!(texts("Example events"), events, "{name}");
    if let Some(it) = &row.distribution {
        let note = drawn["charts"]["Durations before and after"].as_str().unwrap();
        let (span, counts) = note.split_once("; ").unwrap();
        same_time(span.split_once(" to ").unwrap().0, it.from_ms);
        let (n, more): (u64, u64) = (it.before.iter().sum(), it.after.iter().sum());
        let said = format!("up: {n} before {}, down: {more} since.", it.parted);
        assert_eq!(counts, said, "{name}");
    }
    if let Some(note) = drawn["charts"]["Median time"].as_str() {
        let (_, rest) = note.split_once("highest ").unwrap();
        let top = row.series.p50_ms.iter().flatten().copied().fold(0.0, f64::max);
        same_time(rest.split_once(',').unwrap().0, top);
    }
}

fn strategies(drawn: &Value, row: &SelectorRow) {
    let name = row.selector.as_str();
    let rows = drawn["strategies"].as_array().unwrap();
    assert_eq!(rows.len(), row.strategies.len(), "{name}");
    let head: Vec<&str> =
        drawn["head"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    for (cells, it) in rows.iter().zip(&row.strategies) {
        let strategy = it.strategy.as_ref().unwrap();
        assert_eq!(
            (&cells[0][0], &cells[0][1]),
            (&strategy.kind.as_str().into(), &strategy.text.as_deref().unwrap().into())
        );
        let number = |title: &str| {
            let at = head.iter().position(|it| *it == title).unwrap();
            cells[at][0].as_str().unwrap()
        };
        for (title, count) in
            [("Tried", it.tried), ("Used", it.accepted), ("Empty", it.empty), ("Shadow", it.shadow)]
        {
            assert_eq!(number(title), count.to_string(), "{name} {title}");
        }
        for failed in &it.failed {
            let title = failed.outcome.as_str().replace('_', " ");
            assert_eq!(number(&title), failed.count.to_string(), "{name} {title}");
        }
        same_time(number("Median"), it.median_ms.unwrap());
    }
}

/// Tenths of a per cent, never 0 or 1,000 unless the share is.
fn tenths(share: f64) -> i64 {
    let all = (share * 1e3).round() as i64;
    if share <= 0.0 || share >= 1.0 { all } else { all.clamp(1, 999) }
}

fn share(text: &str) -> i64 {
    (text.trim_end_matches('%').parse::<f64>().unwrap() * 10.0).round() as i64
}

/// A written time is the number to the digits that are shown.
fn same_time(text: &str, ms: f64) {
    let (number, unit) = text.split_once(' ').unwrap();
    let scale = match unit {
        "µs" => 1e-3,
        "ms" => 1.0,
        "s" => 1e3,
        "h" => 3.6e6,
        _ => panic!("{text}"),
    };
    let decimals = number.split_once('.').map_or(0, |(_, it)| it.len()) as i32;
    let last = scale * 10f64.powi(-decimals);
    let off = (number.parse::<f64>().unwrap() * scale - ms).abs();
    assert!(off <= last * 0.5001, "{text} for {ms} ms");
}

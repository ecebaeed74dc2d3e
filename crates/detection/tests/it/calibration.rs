use std::io::Write;
use std::process::{Command, Stdio};
use telemetry_detection::{CalibrationReport, ConfidenceCounts};

/// The same figures from their definitions: every pair compared, every bin filtered.
const DEFINITION: &str = "
import json, sys
rows = [(c, bool(r)) for c, r in json.load(sys.stdin)]
good = [c for c, r in rows if r]; bad = [c for c, r in rows if not r]
auc = sum((g > b) + 0.5 * (g == b) for g in good for b in bad) / (len(good) * len(bad))
ece = 0.0
for k in range(10):
    low, high = k / 10, (k + 1) / 10
    inside = [x for x in rows if (low < x[0] or k == 0) and x[0] <= high]
    if inside:
        conf = sum(c for c, _ in inside) / len(inside)
        acc = sum(r for _, r in inside) / len(inside)
        ece += len(inside) / len(rows) * abs(conf - acc)
brier = sum((c - r) ** 2 for c, r in rows) / len(rows)
print(json.dumps([auc, ece, brier]))
";

fn rows(seed: u64, count: usize) -> Vec<(f64, bool)> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count)
        .map(|_| {
            // Rounded, so that there are ties and values on the edges of bins.
            let confidence = (random.f64() * 50.0).round() / 50.0;
            (confidence, random.f64() < confidence * confidence)
        })
        .collect()
}

fn report(rows: &[(f64, bool)]) -> CalibrationReport {
    let mut counts = ConfidenceCounts::default();
    rows.iter().for_each(|(confidence, right)| assert!(counts.add(*confidence, *right)));
    counts.report(10).unwrap()
}

#[test]
fn figures_equal_those_of_another_program() {
    for (seed, count) in [(1, 17), (2, 400), (3, 1_200)] {
        let rows = rows(seed, count);
        let child = Command::new("python3")
            .args(["-c", DEFINITION])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut child) = child else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "python3 is not installed");
            eprintln!("skipped: figures_equal_those_of_another_program: python3 is not installed");
            return;
        };
        let mut input = child.stdin.take().unwrap();
        input.write_all(serde_json::to_string(&rows).unwrap().as_bytes()).unwrap();
        drop(input);
        let output = child.wait_with_output().unwrap();
        let [auc, ece, brier]: [f64; 3] = serde_json::from_slice(&output.stdout).unwrap();
        let report = report(&rows);
        assert!((report.roc_auc.unwrap() - auc).abs() < 1e-9, "{auc} {report:?}");
        assert!((report.expected_error - ece).abs() < 1e-9, "{ece} {report:?}");
        assert!((report.brier - brier).abs() < 1e-9, "{brier} {report:?}");
    }
}

#[test]
fn confidence_that_is_true_has_no_error_and_one_that_boasts_has() {
    let mut honest = ConfidenceCounts::default();
    let mut boasting = ConfidenceCounts::default();
    for at in 0..1_000 {
        honest.add(0.9, at % 10 > 0);
        boasting.add(0.9, at % 2 > 0);
    }
    let honest = honest.report(10).unwrap();
    assert!(honest.expected_error < 1e-12, "{honest:?}");
    assert_eq!(honest.roc_auc, Some(0.5));
    assert!((boasting.report(10).unwrap().expected_error - 0.4).abs() < 1e-12);
}

#[test]
fn parts_merge_into_the_whole() {
    let rows = rows(9, 500);
    let mut parts = [ConfidenceCounts::default(), ConfidenceCounts::default()];
    for (at, (confidence, right)) in rows.iter().enumerate() {
        parts[at % 2].add(*confidence, *right);
    }
    let [mut one, other] = parts;
    one.merge(&other);
    assert_eq!(one.report(10).unwrap(), report(&rows));
}

#[test]
fn nothing_is_made_of_nothing_or_of_one_kind() {
    let mut counts = ConfidenceCounts::default();
    assert!(!counts.add(1.01, true) && !counts.add(f64::NAN, true) && !counts.add(-0.1, true));
    assert_eq!(counts.report(10), None);
    counts.add(-0.0, true);
    let report = counts.report(10).unwrap();
    assert_eq!((report.count, report.roc_auc, report.bins.len()), (1, None, 1));
}

use crate::events::{make, report};
use telemetry_interfaces::ReportRenderer;
use telemetry_models::Outcome;
use telemetry_models::report::VerdictLevel;
use telemetry_reporting::{HtmlRenderer, JsonRenderer, ReportingConfig, TerminalRenderer};

#[test]
fn no_events() {
    let report = report(&[]);
    assert_eq!(report.verdict.level, VerdictLevel::NoData);
    assert_eq!((report.totals.success_rate, report.totals.durations), (None, None));
    let text = TerminalRenderer::new().render(&report).unwrap();
    assert!(text.contains("NO DATA"), "{text}");
    assert!(!text.contains("NaN") && !text.contains("0%"), "{text}");
    let html = HtmlRenderer::new().render(&report).unwrap();
    assert!(html.contains("no data") && !html.contains("NaN"));
    assert!(JsonRenderer::new().render(&report).unwrap().contains("\"success_rate\":null"));
}

#[test]
fn one_event() {
    let report = report(&[make(1, "a.b", 0, Outcome::Success).event]);
    assert_eq!(report.verdict.level, VerdictLevel::NoData);
    assert_eq!(
        report.verdict.sentence,
        "No data to judge by: only 1 operation tested a selector, too few for any of them."
    );
    assert_eq!(report.selectors[0].success_rate.unwrap().n, 1);
    assert_eq!(report.selectors[0].confidence, None);
    assert_eq!(report.selectors[0].fallback_rate, None);
    assert!(HtmlRenderer::new().render(&report).unwrap().contains("a.b"));
}

#[test]
fn configuration_is_checked() {
    ReportingConfig::default().validate().unwrap();
    for (config, expected) in [
        (
            ReportingConfig { max_findings: 0, ..Default::default() },
            "reporting.max_findings is 0, allowed is 1 to 100",
        ),
        (
            ReportingConfig { slow_ratio: 1.0, ..Default::default() },
            "reporting.slow_ratio is 1, allowed is above 1 to 1000",
        ),
        (
            ReportingConfig { success_drop: f64::NAN, ..Default::default() },
            "reporting.success_drop is NaN, allowed is above 0 to 1",
        ),
    ] {
        let error = config.validate().unwrap_err();
        assert_eq!((error.code().as_str(), error.message()), ("TEL-004", expected));
    }
}

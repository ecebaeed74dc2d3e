use crate::events::{at, make, report, store};
use telemetry_interfaces::{Query, ReportRenderer};
use telemetry_models::Outcome;
use telemetry_models::report::VerdictLevel;
use telemetry_reporting::{
    HtmlRenderer, JsonRenderer, ReportBuilder, ReportRequest, ReportingConfig, TerminalRenderer,
};

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
fn a_period_in_the_future_and_clocks_that_are_ahead() {
    let events: Vec<_> = (0..20u32)
        .map(|n| make(n.into(), "a.b", i64::from(n), Outcome::Success).ms(5).event)
        .chain([make(99, "a.b", 40_000_000, Outcome::Success).ms(5).event])
        .collect();
    let build = |query: Query| {
        let request = ReportRequest { query, now: at(600), ..ReportRequest::default() };
        let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
        builder.build(&store(&events), &request, &mut |_| {}).unwrap()
    };
    let ahead = build(Query { from: Some(at(50_000_000)), ..Query::all() });
    assert_eq!(ahead.verdict.sentence, "No data: no operation matches in this period.");
    assert!(HtmlRenderer::new().render(&ahead).unwrap().contains("No data"));
    let skewed = build(Query::all());
    assert_eq!((skewed.totals.operations, skewed.data_quality.future_timestamps), (21, 1));
    assert_eq!(skewed.period.last, Some(at(19)));
    let said = skewed.data_quality.weakens.join(" ");
    assert!(said.contains("1 event from a clock that is ahead"), "{said}");
}

#[test]
fn more_selectors_than_are_followed() {
    let events: Vec<_> = (0..2_000u32)
        .map(|n| make(n.into(), &format!("x.{n}"), i64::from(n), Outcome::Success).event)
        .collect();
    let config = ReportingConfig { max_tracked: 100, ..ReportingConfig::default() };
    let request = ReportRequest { now: at(3_000), ..ReportRequest::default() };
    let report =
        ReportBuilder::new(config).unwrap().build(&store(&events), &request, &mut |_| {}).unwrap();
    assert_eq!((report.totals.operations, report.selectors.len()), (2_000, 100));
    assert_eq!(report.data_quality.untracked_events, 1_900);
    let text = TerminalRenderer::new().render(&report).unwrap();
    assert!(text.contains("1,900 events of untracked selectors"), "{text}");
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

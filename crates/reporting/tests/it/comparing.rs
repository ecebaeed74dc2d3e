use crate::events::{at, make, store};
use telemetry_interfaces::{Query, ReportRenderer};
use telemetry_models::report::{ChangeState, GateState, PeriodComparison, Report};
use telemetry_models::{Event, Outcome, PageContext, Signal};
use telemetry_reporting::{
    Baseline, Condition, CsvRenderer, HtmlRenderer, JsonRenderer, JunitRenderer, MarkdownRenderer,
    ReportBuilder, ReportRequest, ReportingConfig, TerminalRenderer, judge,
};

const DAY: i64 = 86_400;

/// Two days of three selectors on 40 pages; on the second day `a.slow` takes twice as long and
/// `a.breaks` fails on three of four pages.
fn two_days() -> Vec<Event> {
    let mut events = Vec::new();
    let mut id = 0;
    for day in 0..2 {
        for visit in 0..480i64 {
            for selector in ["a.slow", "a.breaks", "a.same"] {
                id += 1;
                let changed = day == 1;
                let page = visit % 40;
                let fails = selector == "a.breaks" && changed && page % 4 != 0;
                let outcome = if fails { Outcome::NotFound } else { Outcome::Success };
                let usual = 20 + (visit * 7 % 5) as u64;
                let ms = if selector == "a.slow" && changed { usual * 2 } else { usual };
                let url = format!("https://shop.example/{page}");
                let second = day * DAY + visit * 170;
                events.push(
                    make(id, selector, second, outcome).ms(ms).page(PageContext::at(&url)).event,
                );
            }
        }
    }
    events
}

fn compared(events: &[Event]) -> Report {
    let of_day = |day: i64| Query {
        from: Some(at(day * DAY)),
        to: Some(at((day + 1) * DAY)),
        ..Query::all()
    };
    let request = ReportRequest {
        query: of_day(1),
        now: at(2 * DAY),
        compare: Some(Baseline { query: of_day(0), words: "the day before".into() }),
        ..ReportRequest::default()
    };
    let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
    builder.build(&store(events), &request, &mut |_| {}).unwrap()
}

fn states(it: &PeriodComparison) -> Vec<(&str, ChangeState)> {
    it.rows.iter().map(|row| (row.selector.as_str(), row.state)).collect()
}

#[test]
fn what_changed_is_found_and_dated_and_the_rest_is_not() {
    let report = compared(&two_days());
    let found = report.comparison.as_ref().unwrap();
    assert_eq!(
        states(found),
        [
            ("a.slow", ChangeState::Worse),
            ("a.breaks", ChangeState::Worse),
            ("a.same", ChangeState::Unchanged),
        ]
    );
    for row in &found.rows[..2] {
        let off = row.since.unwrap().since(at(DAY)).as_secs();
        let early = at(DAY).since(row.since.unwrap()).as_secs();
        assert!(off.max(early) <= row.since_within_s.unwrap(), "{row:?}");
    }
    let slow = &found.rows[0].signals;
    let p95 = slow.iter().find(|it| it.quantile == Some(0.95)).unwrap();
    assert!((p95.effect - 1.0).abs() < 0.05 && p95.changed && p95.worse, "{p95:?}");
    let breaks = found.rows[1].signals.iter().find(|it| it.signal == Signal::SuccessRate).unwrap();
    assert!((breaks.effect + 0.75).abs() < 1e-6 && breaks.low < -0.75, "{breaks:?}");
}

#[test]
fn gates() {
    let mut report = compared(&two_days());
    let mut check = |text: &str, expected: GateState| {
        let gate = judge(&report, &Condition::list(text).unwrap());
        assert_eq!(gate.state, expected, "{text}: {gate:?}");
        report.gate = Some(gate);
    };
    check("broken", GateState::Failed);
    check("slower>30%", GateState::Failed);
    check("slower>150%", GateState::Passed);
    check("fails>80%", GateState::Passed);
    check("fails > 5%", GateState::Failed);
    check("fallback>5%", GateState::Unknown);
    check("alerts", GateState::Passed);
    check("loss", GateState::Unknown);
    check("slower>150%,loss", GateState::Unknown);
    for wrong in ["", "slow", "slower>", "slower>30", "broken>5%", "fails>-1%", "slower>NaN%"] {
        let error = Condition::list(wrong).unwrap_err();
        assert_eq!(error.code().as_str(), "TEL-004", "{wrong}");
    }
}

#[test]
fn every_format_tells_the_same() {
    let mut report = compared(&two_days());
    report.gate = Some(judge(&report, &Condition::list("slower>30%").unwrap()));
    let json = JsonRenderer::new().render(&report).unwrap();
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(read, report);
    let html = HtmlRenderer::new().render(&report).unwrap();
    let markdown = MarkdownRenderer::new().render(&report).unwrap();
    let junit = JunitRenderer::new().render(&report).unwrap();
    let terminal = TerminalRenderer::new().width(160).render(&report).unwrap();
    let csv = CsvRenderer::new().render(&report).unwrap();
    for text in [&html, &markdown, &terminal] {
        assert!(text.contains("2 of 3 compared selectors worse"), "{text}");
    }
    let p50 = html.split("p50 ").nth(1).unwrap().split(',').next().unwrap();
    for text in [&markdown, &junit] {
        assert!(text.contains(p50), "{p50} is missing in {text}");
    }
    assert!(junit.contains("<testcase classname=\"shop.example\" name=\"a.slow\"><failure"));
    assert!(junit.contains("tests=\"3\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{junit}");
    let row = report.comparison.as_ref().unwrap().rows[0].signals.iter();
    let effect = row.filter(|it| it.quantile == Some(0.95)).map(|it| it.effect).next().unwrap();
    let line = csv.lines().find(|line| line.starts_with("a.slow,")).unwrap();
    assert!(line.contains(",worse,") && line.contains(&format!(",{effect},")), "{line}");
    assert_eq!(csv.lines().next().unwrap().split(',').count(), line.split(',').count());
}

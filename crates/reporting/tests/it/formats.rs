use crate::events::{alert, at, make, report, report_with, shop, store};
use telemetry_interfaces::ReportRenderer;
use telemetry_models::report::{Report, ReportKind};
use telemetry_models::{AlertState, Outcome, Signal};
use telemetry_reporting::{
    CsvRenderer, HtmlRenderer, JsonRenderer, JunitRenderer, MarkdownRenderer, ReportBuilder,
    ReportRequest, ReportingConfig, TerminalRenderer,
};

fn renderers() -> Vec<Box<dyn ReportRenderer>> {
    vec![
        Box::new(TerminalRenderer::new()),
        Box::new(TerminalRenderer::new().color(true).width(120)),
        Box::new(JsonRenderer::new()),
        Box::new(JsonRenderer::pretty()),
        Box::new(HtmlRenderer::new()),
        Box::new(MarkdownRenderer::new()),
        Box::new(CsvRenderer::new()),
        Box::new(JunitRenderer::new()),
    ]
}

#[test]
fn json_loses_nothing_and_every_format_is_deterministic() {
    let alerts = [alert("a1", "shop.price", Signal::ErrorRate, AlertState::Firing)];
    let report = report_with(&shop(), &alerts);
    let again = report_with(&shop(), &alerts);
    let json = JsonRenderer::new().render(&report).unwrap();
    let read: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(read, report);
    for renderer in renderers() {
        let text = renderer.render(&report).unwrap();
        assert_eq!(text, renderer.render(&again).unwrap(), "{}", renderer.format());
        assert_eq!(text, renderer.render(&read).unwrap(), "{}", renderer.format());
        assert!(text.ends_with('\n'));
    }
}

#[test]
fn json_is_what_its_schema_describes() {
    let schema = telemetry_models::schema::documents()
        .into_iter()
        .find_map(|(name, schema)| (name == "report.v1.json").then_some(schema))
        .unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let alerts = [alert("a1", "shop.price", Signal::ErrorRate, AlertState::Firing)];
    for report in [report_with(&shop(), &alerts), report(&[])] {
        let json = JsonRenderer::new().render(&report).unwrap();
        let errors: Vec<String> = validator
            .iter_errors(&serde_json::from_str(&json).unwrap())
            .map(|error| error.to_string())
            .collect();
        assert_eq!(errors, Vec::<String>::new());
    }
}

#[test]
fn a_number_is_the_same_in_every_format() {
    let report = report(&shop());
    let text = TerminalRenderer::new().render(&report).unwrap();
    let html = HtmlRenderer::new().render(&report).unwrap();
    for number in ["720", "90.0%", "87.3–92.2%", "11.0 ms", "2026-01-01 12:01:00 UTC"] {
        let found = (text.contains(number), html.contains(number));
        assert_eq!(found, (true, true), "{number}\n{text}");
    }
    let rate = report.totals.success_rate.unwrap();
    assert_eq!((rate.count, rate.n, rate.share), (540, 600, 0.9));
}

#[test]
fn the_terminal_gets_24_lines_of_80_columns() {
    let mut events = Vec::new();
    for selector in 0..40u32 {
        let name = format!("shop.{}.{selector}", "very_long_name_".repeat(6));
        for second in 0..30 {
            let outcome = if second < 15 { Outcome::Success } else { Outcome::NotFound };
            let id = u128::from(selector) * 100 + second as u128;
            events.push(make(id, &name, second, outcome).event);
        }
    }
    let alerts: Vec<_> = (0..5)
        .map(|n| alert(&format!("a{n}"), "価格.価格", Signal::Frequency, AlertState::Firing))
        .collect();
    let report = report_with(&events, &alerts);
    assert_eq!(report.attention.len(), 7);
    let text = TerminalRenderer::new().html_path("/tmp/report.html").render(&report).unwrap();
    assert!(text.lines().count() <= 24, "{text}");
    for line in text.lines() {
        assert!(unicode_width::UnicodeWidthStr::width(line) <= 80, "{line}");
    }
    assert!(text.contains("36 more") && text.contains("/tmp/report.html"), "{text}");
    assert!(!text.contains('\u{1b}'));
}

#[test]
fn html_asks_for_nothing_and_stays_small() {
    let mut events = Vec::new();
    for selector in 0..300u32 {
        for second in 0..20 {
            let id = u128::from(selector) * 100 + second as u128;
            let name = format!("shop.section{}.field{selector}", selector % 9);
            let event = make(id, &name, second * 130_000, Outcome::Success).ms(10);
            events.push(event.confidence(0.9).event);
        }
    }
    let html = HtmlRenderer::new().render(&report(&events)).unwrap();
    for word in ["src=", "@import", "url(", "<link", "<iframe", "http-equiv=refresh", "fetch("] {
        assert!(!html.contains(word), "{word}");
    }
    assert!(html.contains("default-src 'none'"));
    assert!(html.len() < 300_000, "{} bytes", html.len());
}

#[test]
fn the_only_script_that_may_run_is_our_own() {
    let html = HtmlRenderer::new().render(&report(&shop())).unwrap();
    let (_, rest) = html.split_once("<script>").unwrap();
    let (script, rest) = rest.split_once("</script>").unwrap();
    assert!(!rest.contains("<script"));
    let digest = ring::digest::digest(&ring::digest::SHA256, script.as_bytes());
    let allowed = format!("script-src 'sha256-{}'", base64(digest.as_ref()));
    assert!(html.contains(&allowed), "the policy must say {allowed}");
    for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "eval(", "document.write"] {
        assert!(!script.contains(word), "{word}");
    }
}

fn base64(bytes: &[u8]) -> String {
    const SYMBOLS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - chunk.len()));
        for at in 0..4 {
            let symbol = SYMBOLS[(word >> (18 - 6 * at)) as usize & 63];
            text.push(if at <= chunk.len() { char::from(symbol) } else { '=' });
        }
    }
    text
}

#[test]
fn each_kind_has_its_section_in_every_format() {
    let whole = report(&shop());
    for (kind, words) in [
        (ReportKind::Performance, "Bottlenecks"),
        (ReportKind::Usage, "Operations by kind"),
        (ReportKind::Health, "error budget"),
        (ReportKind::Trends, "What changes"),
        (ReportKind::DataQuality, "What that weakens"),
    ] {
        let request = ReportRequest { now: at(600), kind, ..ReportRequest::default() };
        let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
        let report = builder.build(&store(&shop()), &request, &mut |_| {}).unwrap();
        assert_eq!(report.totals, whole.totals, "{kind}");
        let text = TerminalRenderer::new().render(&report).unwrap();
        assert!(text.lines().count() <= 24, "{text}");
        let html = HtmlRenderer::new().render(&report).unwrap();
        let markdown = MarkdownRenderer::new().render(&report).unwrap();
        let csv = CsvRenderer::new().render(&report).unwrap();
        for (format, text) in [("text", &text), ("html", &html), ("md", &markdown), ("csv", &csv)] {
            // A cell of CSV has no paragraphs.
            let found = text.contains(words) || (format == "csv" && text.lines().count() > 2);
            assert!(found, "{kind} {format}\n{text}");
        }
        let json = JsonRenderer::new().render(&report).unwrap();
        assert!(json.contains(&format!("\"kind\":\"{kind}\"")), "{json}");
    }
}

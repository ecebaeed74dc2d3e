use crate::events::{alert, make, report_with};
use telemetry_interfaces::ReportRenderer;
use telemetry_models::report::{
    Effort, Estimate, Recommendation, RecommendationKind, Recommendations, ReportKind, Scarce,
};
use telemetry_models::{
    AlertState, AttemptOutcome, ErrorInfo, Event, Outcome, PageContext, SelectorName, SessionId,
    Signal,
};
use telemetry_reporting::{
    CsvRenderer, HtmlRenderer, JsonRenderer, JunitRenderer, MarkdownRenderer, TerminalRenderer,
};

/// What web pages have put into names, addresses and messages.
const CORPUS: &[&str] = &[
    "</script><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "\"><svg onload=alert(1)>",
    "' onmouseover='alert(1)",
    "<!--",
    "]]>",
    "</style><style>*{display:none}</style>",
    "&lt;script&gt;",
    "\u{1b}[2J\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "\u{1b}]8;;https://evil.example\u{1b}\\link\u{1b}]8;;\u{1b}\\",
    "\u{9b}31m",
    "a\rb\u{8}\u{8}c\u{0}",
    "line\nbreak\tand\u{2028}separator",
    "\u{202e}gpj.exe",
    "\u{2066}isolate\u{2069}\u{200f}",
    "zero\u{200b}width\u{feff}",
    "tag\u{e0041}\u{e007f}",
    "=cmd|'/c calc'!A1",
    "`$(rm -rf /)`",
    "javascript:alert(1)",
    "價格 价格 価格 가격",
    "סכום مبلغ",
    "👩‍👩‍👧‍👦🇩🇪",
];

fn events(text: &str) -> Vec<Event> {
    (0..20u128)
        .map(|n| {
            let outcome = if n < 10 { Outcome::Success } else { Outcome::ValidationFailed };
            let accepted = if n < 10 { AttemptOutcome::Accepted } else { AttemptOutcome::Empty };
            let mut event = make(n + 1, &format!("x{text}"), n as i64, outcome)
                .attempt(text, text, accepted)
                .page(PageContext {
                    url: Some(format!("https://{text}/{text}").into()),
                    url_template: Some(text.into()),
                    session: Some(SessionId::new(format!("x{text}")).unwrap()),
                    ..PageContext::default()
                })
                .event;
            event.engine = Some(text.into());
            event.error = Some(ErrorInfo {
                kind: text.into(),
                message: Some(text.into()),
                ..ErrorInfo::default()
            });
            event
        })
        .collect()
}

/// Every text of a recommendation, as a page could have made it.
fn recommendations(text: &str) -> Recommendations {
    let selector = SelectorName::new(format!("x{text}")).unwrap();
    let saving = Estimate { value: 2.0, low: 1.0, high: 3.0 };
    Recommendations {
        cards: vec![Recommendation {
            kind: RecommendationKind::PromoteFallback,
            selector: selector.clone(),
            site: Some(text.into()),
            change: text.into(),
            why: text.into(),
            saving_ms_per_day: Some(saving),
            saving_share: Some(0.1),
            coverage: None,
            n: 100,
            success_effect: None,
            effort: Effort::Low,
            evidence: Vec::new(),
            diff: vec![text.into()],
            undo: text.into(),
            order: Vec::new(),
        }],
        joint_ms_per_day: Some(saving),
        joint_share: Some(0.1),
        scarce: vec![Scarce {
            selector,
            site: Some(text.into()),
            unknown: text.into(),
            learn: text.into(),
        }],
        ..Recommendations::default()
    }
}

fn deceptive(symbol: char) -> bool {
    (symbol.is_control() && symbol != '\n')
        || matches!(symbol, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// A report of everything in the corpus at once.
pub(crate) fn everything() -> telemetry_models::report::Report {
    let all: Vec<Event> = CORPUS
        .iter()
        .enumerate()
        .flat_map(|(at, text)| {
            events(text).into_iter().map(move |mut event| {
                event.id = telemetry_models::EventId::from_u128(at as u128 * 1_000 + 1);
                event
            })
        })
        .collect();
    report_with(&all, &[])
}

#[test]
fn nothing_gets_through() {
    for text in CORPUS {
        let mut hostile = alert("x", &format!("x{text}"), Signal::Frequency, AlertState::Firing);
        hostile.summary = (*text).into();
        hostile.rule = (*text).into();
        hostile.likely_cause = Some((*text).into());
        hostile.suggestion = Some((*text).into());
        hostile.site = Some((*text).into());
        let mut report = report_with(&events(text), &[hostile]);
        report.recommendations = Some(recommendations(text));
        assert!(!report.attention.is_empty());

        let terminal = TerminalRenderer::new().html_path(*text).render(&report).unwrap();
        assert!(!terminal.chars().any(deceptive), "{text:?}\n{terminal}");

        let json = JsonRenderer::new().render(&report).unwrap();
        assert_eq!(json.lines().count(), 1, "{text:?}");
        assert!(!json.chars().any(deceptive), "{text:?}");
        assert!(!json.contains(['<', '>', '&']), "{text:?}");
        let read: telemetry_models::report::Report = serde_json::from_str(&json).unwrap();
        assert_eq!(read, report);

        let html = HtmlRenderer::new().render(&report).unwrap();
        assert!(!html.chars().any(deceptive), "{text:?}");
        check_tags(&html, text);

        let csv = CsvRenderer::new().render(&report).unwrap();
        assert!(!csv.replace("\r\n", "").chars().any(deceptive), "{text:?}\n{csv}");
        check_cells(&csv, report.selectors.len());

        let markdown = MarkdownRenderer::new().render(&report).unwrap();
        assert!(!markdown.chars().any(deceptive), "{text:?}\n{markdown}");
        assert!(!markdown.contains(['<', '>']), "{markdown}");
        assert!(!markdown.replace("\\://", "").contains("://"), "{markdown}");

        let mut one = report.clone();
        one.kind = ReportKind::Recommendations;
        let csv = CsvRenderer::new().render(&one).unwrap();
        assert!(!csv.replace("\r\n", "").chars().any(deceptive), "{text:?}\n{csv}");
        check_cells(&csv, csv.matches("\r\n").count() - 1);
        let terminal = TerminalRenderer::new().color(false).render(&one).unwrap();
        assert!(!terminal.chars().any(deceptive), "{text:?}\n{terminal}");

        let junit = JunitRenderer::new().render(&report).unwrap();
        assert!(!junit.chars().any(deceptive), "{text:?}\n{junit}");
        check_xml(&junit, text);
    }
}

/// No cell begins a formula, and no text makes a further cell or line.
fn check_cells(csv: &str, rows: usize) {
    let lines: Vec<&str> = csv.split("\r\n").filter(|line| !line.is_empty()).collect();
    assert_eq!(lines.len(), rows + 1, "{csv}");
    let columns = lines[0].split(',').count();
    for line in &lines[1..] {
        let mut quoted = false;
        let cells: Vec<&str> = line
            .split(|symbol: char| {
                quoted ^= symbol == '"';
                symbol == ',' && !quoted
            })
            .collect();
        assert_eq!(cells.len(), columns, "{line}");
        for cell in cells {
            let begins = cell.trim_start_matches('"');
            assert!(!begins.starts_with(['=', '+', '@', '\t', '\r']), "{line}");
        }
    }
}

/// Every element is one of ours.
fn check_xml(xml: &str, text: &str) {
    for tag in xml.split('<').skip(1) {
        let name: String = tag
            .chars()
            .take_while(|it| it.is_ascii_alphanumeric() || "/?!-".contains(*it))
            .collect();
        assert!(
            [
                "?xml",
                "testsuites",
                "/testsuites",
                "testsuite",
                "/testsuite",
                "testcase",
                "/testcase",
                "failure",
                "skipped",
                "!--",
            ]
            .contains(&name.as_str()),
            "{text:?}: <{tag}"
        );
    }
}

/// Every tag is one of ours, with our attributes, quotes closed: an injection would add one.
fn check_tags(html: &str, text: &str) {
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        rest = &rest[open + 1..];
        if rest.starts_with("style>") {
            let end = rest.find("</style>").unwrap();
            rest = &rest[end..];
            continue;
        }
        if let Some(block) = rest.strip_prefix("script type=application/json id=data>") {
            let end = block.find('<').unwrap();
            assert!(block[end..].starts_with("</script>\n<script>"), "{text:?}");
            serde_json::from_str::<serde_json::Value>(&block[..end]).unwrap();
            rest = &block[end + 1..];
            continue;
        }
        if rest.starts_with("script>") {
            // Ours, by its hash; nothing but the end of the page follows.
            let end = rest.find("</script>").unwrap();
            assert_eq!(&rest[end..], "</script>\n</body></html>\n", "{text:?}");
            return;
        }
        let mut quoted = false;
        let end = rest
            .find(|symbol: char| {
                quoted ^= symbol == '"';
                symbol == '>' && !quoted
            })
            .unwrap();
        let tag = &rest[..end];
        let name: String =
            tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(
            [
                "", "a", "b", "body", "br", "circle", "code", "dd", "details", "div", "dl", "dt",
                "footer", "h1", "h2", "h3", "head", "header", "html", "i", "li", "main", "meta",
                "noscript", "ol", "p", "path", "pre", "rect", "section", "small", "span", "style",
                "summary", "svg", "table", "tbody", "td", "th", "thead", "title", "tr", "ul",
            ]
            .contains(&name.as_str())
                && (!name.is_empty() || tag == "!doctype html"),
            "{text:?}: <{tag}>"
        );
        let unquoted: String = tag.split('"').step_by(2).collect();
        let unquoted = unquoted.replace(" style=--l:", "").replace(" style=--w:", "");
        for attribute in [" onerror", " onload", " onmouseover", " src", " style"] {
            assert!(!unquoted.contains(attribute), "{text:?}: <{tag}>");
        }
        rest = &rest[end..];
    }
}

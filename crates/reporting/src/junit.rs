use crate::gate::{Condition, judge};
use crate::terminal::period;
use crate::text::{clean, time};
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::{GateCase, GateState, Report};

/// A check as JUnit XML, as build servers read it: a suite for each condition, a case for each
/// selector on each site. What could not be judged is skipped. A report without a check is checked
/// for what is broken.
#[derive(Clone, Copy, Debug, Default)]
pub struct JunitRenderer;

impl JunitRenderer {
    /// Makes one.
    pub fn new() -> Self {
        Self
    }
}

impl ReportRenderer for JunitRenderer {
    fn format(&self) -> &'static str {
        "junit"
    }

    fn extension(&self) -> &'static str {
        "xml"
    }

    fn render(&self, report: &Report) -> Result<String> {
        let gate = match &report.gate {
            Some(gate) => gate.clone(),
            None => judge(report, &[Condition::Broken]),
        };
        let all = || gate.conditions.iter().flat_map(|it| &it.cases);
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"selectors\" {}>\n",
            counts(all())
        );
        for condition in &gate.conditions {
            xml.push_str(&format!(
                "<testsuite name=\"{}\" {} timestamp=\"{}\">\n",
                escaped(&condition.condition),
                counts(condition.cases.iter()),
                escaped(&report.generated_at.to_string()),
            ));
            for case in &condition.cases {
                xml.push_str(&element(case));
            }
            xml.push_str("</testsuite>\n");
        }
        xml.push_str(&format!(
            "<!-- {} · made {} -->\n</testsuites>\n",
            // Two hyphens would end a comment.
            escaped(&period(report)).replace('-', "\u{2010}"),
            time(report.generated_at).replace('-', "\u{2010}")
        ));
        Ok(xml)
    }
}

fn counts<'a>(cases: impl Iterator<Item = &'a GateCase>) -> String {
    let (mut n, mut failed, mut skipped) = (0, 0, 0);
    for case in cases {
        n += 1;
        failed += u32::from(case.state == GateState::Failed);
        skipped += u32::from(case.state == GateState::Unknown);
    }
    format!("tests=\"{n}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\"")
}

fn element(case: &GateCase) -> String {
    let name = case.selector.as_ref().map_or("store", |it| it.as_str());
    let open = format!(
        "<testcase classname=\"{}\" name=\"{}\"",
        escaped(case.site.as_deref().unwrap_or("")),
        escaped(name)
    );
    let what = escaped(&case.what);
    match case.state {
        GateState::Passed => format!("{open}/>\n"),
        GateState::Failed => format!("{open}><failure message=\"{what}\"/></testcase>\n"),
        GateState::Unknown => format!("{open}><skipped message=\"{what}\"/></testcase>\n"),
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for symbol in clean(text).chars() {
        match symbol {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // Not characters of XML 1.0.
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            symbol => escaped.push(symbol),
        }
    }
    escaped
}

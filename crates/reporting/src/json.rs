use crate::text::is_deceptive;
use telemetry_interfaces::{Code, Error, ErrorKind, ReportRenderer, Result};
use telemetry_models::report::Report;

/// The report as JSON: one canonical line with a newline at its end.
///
/// Keys come in the order of the type, so equal reports are equal bytes. What could end an HTML
/// script element, steer a terminal or reorder text is escaped inside strings, which changes
/// nothing for a JSON reader. `docs/schema/report.v1.json` describes the form.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonRenderer {
    pretty: bool,
}

impl JsonRenderer {
    /// Writes one line.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes indented lines, for people.
    pub fn pretty() -> Self {
        Self { pretty: true }
    }
}

impl ReportRenderer for JsonRenderer {
    fn format(&self) -> &'static str {
        "json"
    }

    fn extension(&self) -> &'static str {
        "json"
    }

    fn render(&self, report: &Report) -> Result<String> {
        let json = if self.pretty {
            serde_json::to_string_pretty(report)
        } else {
            serde_json::to_string(report)
        };
        let json = json.map_err(|error| {
            Error::new(ErrorKind::Internal, Code::Processing, "the report has no JSON form")
                .source(error)
        })?;
        let mut text = String::with_capacity(json.len() + 1);
        for symbol in json.chars() {
            // None of these occurs in JSON outside of strings, but the line ends of pretty JSON.
            let escape =
                matches!(symbol, '<' | '>' | '&') || (is_deceptive(symbol) && symbol != '\n');
            if escape {
                for unit in symbol.encode_utf16(&mut [0; 2]) {
                    text.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                text.push(symbol);
            }
        }
        text.push('\n');
        Ok(text)
    }
}

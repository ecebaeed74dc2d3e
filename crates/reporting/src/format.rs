use crate::{CsvRenderer, HtmlRenderer, JsonRenderer, JunitRenderer, MarkdownRenderer};
use serde::{Deserialize, Serialize};
use telemetry_interfaces::{ReportRenderer, Result};
use telemetry_models::report::Report;

/// A form of a report that is a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportFormat {
    /// One self-contained page.
    Html,
    /// Everything, for machines.
    Json,
    /// For wikis and pull requests.
    Markdown,
    /// One line for each selector.
    Csv,
    /// For build servers.
    Junit,
}

impl ReportFormat {
    /// How the names of such files end.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Html => "html",
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Junit => "xml",
        }
    }

    /// The media type of such files.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Csv => "text/csv; charset=utf-8",
            Self::Junit => "application/xml",
        }
    }

    /// The report in this form.
    ///
    /// # Errors
    /// As the renderer says.
    pub fn render(self, report: &Report) -> Result<String> {
        match self {
            Self::Html => HtmlRenderer::new().render(report),
            Self::Json => JsonRenderer::new().render(report),
            Self::Markdown => MarkdownRenderer::new().render(report),
            Self::Csv => CsvRenderer::new().render(report),
            Self::Junit => JunitRenderer::new().render(report),
        }
    }
}

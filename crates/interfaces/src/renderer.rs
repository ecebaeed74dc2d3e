use crate::Result;
use telemetry_models::report::Report;

/// Turns a report into one format. Pure: the same report gives the same bytes.
pub trait ReportRenderer: Send + Sync {
    /// The format's name, as in `--format`.
    fn format(&self) -> &'static str;

    /// File name extension, without a dot.
    fn extension(&self) -> &'static str;

    /// The whole report in this format.
    ///
    /// # Errors
    /// When the report holds what the format cannot express.
    fn render(&self, report: &Report) -> Result<String>;
}

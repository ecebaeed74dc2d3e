//! The parts of a report that only some kinds have.

pub(crate) mod days;
pub(crate) mod health;
pub(crate) mod performance;
pub(crate) mod trends;
pub(crate) mod usage;

use telemetry_models::report::{Report, ReportKind};

/// Rows listed in each list of a section.
pub(crate) const MAX_ROWS: usize = 20;

/// Takes out what is not a report of this kind's business.
pub(crate) fn keep(report: &mut Report, kind: ReportKind) {
    report.kind = kind;
    let is = |kinds: &[ReportKind]| kind == ReportKind::Summary || kinds.contains(&kind);
    if !is(&[ReportKind::Performance]) {
        report.performance = None;
    }
    if !is(&[ReportKind::Usage]) {
        report.usage = None;
    }
    if !is(&[ReportKind::Health]) {
        report.health = None;
    }
    if !is(&[ReportKind::Trends]) {
        report.trends = None;
    }
    if !is(&[ReportKind::Recommendations]) {
        report.recommendations = None;
    }
}

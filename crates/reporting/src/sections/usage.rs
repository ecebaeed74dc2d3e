//! What was used how often, and where.

use super::{days::days, trends};
use crate::collect::Collected;
use crate::rows::{most_counted, most_of};
use crate::text::rounded;
use telemetry_aggregation::SelectorSummary;
use telemetry_models::report::Usage;

/// Names listed for each kind of usage.
const NAMES: usize = 10;

pub(crate) fn usage(collected: &Collected, all: &SelectorSummary) -> Usage {
    let kinds = collected.operation_kinds.iter().map(|(kind, count)| (*kind, *count));
    let span_h = match (all.first, all.last) {
        (Some(first), Some(last)) if last > first => {
            Some(last.since(first).as_secs_f64() / 3_600.0)
        }
        _ => None,
    };
    let hours = &collected.hours;
    Usage {
        engines: most_of(collected.engines.counts(), NAMES),
        url_templates: most_of(collected.contexts.url_templates.counts(), NAMES),
        operations: most_counted(kinds, 0, NAMES),
        agents: most_of(collected.contexts.agents.counts(), NAMES),
        viewports: most_of(collected.contexts.viewports.counts(), NAMES),
        hours: if hours.iter().any(|it| *it > 0) { hours.to_vec() } else { Vec::new() },
        days: days(&collected.calendar, &collected.calendar),
        per_hour: span_h.map(|hours| rounded(all.operations() as f64 / hours, 3)),
        trend: trends::of_use(&collected.calendar),
    }
}

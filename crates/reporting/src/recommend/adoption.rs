//! What came of a changed definition.

use super::{Subject, share};
use crate::rows::{rate, site_name};
use crate::text::rounded;
use telemetry_aggregation::Z_95;
use telemetry_models::report::Adoption;

/// Fewest operations with each version.
const MIN_OPERATIONS: u64 = 30;

pub(super) fn adopted(subject: &Subject<'_>) -> Option<Adoption> {
    let [.., before, after] = subject.evidence.versions.as_slice() else { return None };
    if before.timed < MIN_OPERATIONS || after.timed < MIN_OPERATIONS {
        return None;
    }
    let moments = |it: &super::evidence::Version| {
        let n = it.timed as f64;
        let mean = it.sum / n;
        (mean, (it.squares / n - mean * mean).max(0.0) / n)
    };
    let ((old, old_error), (new, new_error)) = (moments(before), moments(after));
    if old <= 0.0 {
        return None;
    }
    let saved = 1.0 - new / old;
    // Delta method for the ratio of two means.
    let error = (new_error / old.powi(2) + old_error * (new / old.powi(2)).powi(2)).sqrt();
    Some(Adoption {
        selector: subject.selector.clone(),
        site: site_name(subject.site),
        from_version: before.number,
        to_version: after.number,
        since: after.since,
        predicted: predicted(subject),
        realised: Some(share(saved, saved - Z_95 * error, saved + Z_95 * error)),
        n: (before.timed, after.timed),
        success: (rate(before.successes, before.verdicts), rate(after.successes, after.verdicts)),
    })
}

/// What the events before tell of the order that came.
fn predicted(subject: &Subject<'_>) -> Option<f64> {
    let before = subject.evidence.order_before.as_ref()?;
    let now = &subject.evidence.order;
    let known = |at: usize| before.strategies().iter().position(|it| *it == now.strategies()[at]);
    let order: Option<Vec<usize>> = now.present_order().into_iter().map(known).collect();
    let found = before.estimate(&order?, None)?;
    (found.covered as f64 >= 0.95 * found.n as f64)
        .then(|| rounded(found.saving_ns / found.present_ns, 6))
}

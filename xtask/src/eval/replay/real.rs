//! Operations of which nobody knows what else could have happened.

use super::figures::Real;
use anyhow::{Result, ensure};
use telemetry_aggregation::{OrderEvidence, Part};
use telemetry_runtime::interfaces::{EventStore, Query};
use telemetry_runtime::models::Event;

/// Recommendations from the first three quarters of a store against replay on the last quarter.
pub(super) fn replayed(store: &dyn EventStore) -> Result<Real> {
    let events: Vec<Event> = store.query(&Query::all())?.collect::<Result<_, _>>()?;
    ensure!(events.len() >= 100, "{} events are too few to split", events.len());
    let cut = events[events.len() * 3 / 4].timestamp;
    let report = super::report(store, cut)?;
    let section = report.recommendations.unwrap_or_default();
    let mut real = Real {
        events: events.len() as u64,
        selectors: report.totals.selectors,
        probed: events.iter().filter(|it| it.attempts.iter().any(|a| a.shadow.is_some())).count()
            as u64,
        advised: section.cards.iter().filter(|it| !it.order.is_empty()).count() as u64,
        scarce: section.scarce.len() as u64 + section.scarce_omitted,
        ..Real::default()
    };
    for card in section.cards.iter().filter(|it| !it.order.is_empty()) {
        let mut evidence = OrderEvidence::default();
        let own = events.iter().filter(|it| it.timestamp >= cut && it.selector == card.selector);
        own.for_each(|event| evidence.add(event, Part::Select));
        let place = |it: &telemetry_runtime::models::report::StrategyText| {
            evidence.strategies().iter().position(|(kind, text)| {
                kind.as_str() == it.kind && text.as_deref() == it.text.as_deref()
            })
        };
        let Some(order) = card.order.iter().map(place).collect::<Option<Vec<_>>>() else {
            continue;
        };
        let Some(found) = evidence.estimate(&order, Part::Select) else { continue };
        real.replayed += 1;
        real.covered += found.covered;
        real.n += found.n;
        real.predicted += card.saving_share.unwrap_or(0.0) * found.present_ns * found.n as f64;
        real.realised += found.saving_ns * found.n as f64;
        real.present += found.present_ns * found.n as f64;
    }
    Ok(real)
}

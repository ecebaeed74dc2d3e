//! Operations of which nobody knows what else could have happened.

use super::figures::{Real, Replayed};
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use telemetry_aggregation::{OrderEstimate, OrderEvidence, Part};
use telemetry_runtime::interfaces::{EventStore, Query};
use telemetry_runtime::models::report::StrategyText;
use telemetry_runtime::models::{Event, SelectorName};

/// What is known of one selector: of the first three quarters, whose first two thirds fit and whose
/// last third selects, and of the untouched quarter.
#[derive(Default)]
struct Parts {
    seen: OrderEvidence,
    test: OrderEvidence,
}

/// Recommendations from the first three quarters of a store against replay on the last quarter; and
/// the same for the best order of every selector, sure enough to be recommended or not.
pub(super) fn replayed(store: &dyn EventStore) -> Result<Real> {
    let events: Vec<Event> = store.query(&Query::all())?.collect::<Result<_, _>>()?;
    ensure!(events.len() >= 100, "{} events are too few to split", events.len());
    let cut = events[events.len() * 3 / 4].timestamp;
    let split = events[events.len() / 2].timestamp;
    let report = super::report(store, cut)?;
    let section = report.recommendations.unwrap_or_default();
    let mut real = Real {
        events: events.len() as u64,
        selectors: report.totals.selectors,
        probed: events.iter().filter(|it| it.attempts.iter().any(|a| a.shadow.is_some())).count()
            as u64,
        scarce: section.scarce.len() as u64 + section.scarce_omitted,
        ..Real::default()
    };
    let mut selectors = BTreeMap::<SelectorName, Parts>::new();
    for event in &events {
        let parts = selectors.entry(event.selector.clone()).or_default();
        match event.timestamp {
            at if at >= cut => parts.test.add(event, Part::Select),
            at if at >= split => parts.seen.add(event, Part::Select),
            _ => parts.seen.add(event, Part::Fit),
        }
    }
    for card in section.cards.iter().filter(|it| !it.order.is_empty()) {
        let Some(parts) = selectors.get(&card.selector) else { continue };
        add(&mut real.advised, &parts.test, &card.order, card.saving_share.unwrap_or(0.0));
    }
    for Parts { seen, test } in selectors.values() {
        let order = seen.best_order(Part::Fit);
        if order == seen.present_order() {
            continue;
        }
        let Some(found) = seen.estimate(&order, Part::Select) else { continue };
        let text = |at: &usize| {
            let (kind, text) = &seen.strategies()[*at];
            StrategyText { kind: kind.to_string(), text: text.as_deref().map(str::to_owned) }
        };
        let order: Vec<StrategyText> = order.iter().map(text).collect();
        add(&mut real.best, test, &order, share(&found));
    }
    Ok(real)
}

/// What is expected, drawn towards none as recommendations do.
fn share(found: &OrderEstimate) -> f64 {
    found.shrunk_ns() / found.present_ns
}

fn add(sum: &mut Replayed, test: &OrderEvidence, order: &[StrategyText], predicted: f64) {
    sum.orders += 1;
    let place = |it: &StrategyText| {
        test.strategies().iter().position(|(kind, text)| {
            kind.as_str() == it.kind && text.as_deref() == it.text.as_deref()
        })
    };
    let Some(order) = order.iter().map(place).collect::<Option<Vec<_>>>() else { return };
    let Some(found) = test.estimate(&order, Part::Select) else { return };
    let n = found.n as f64;
    sum.replayed += 1;
    sum.covered += found.covered;
    sum.n += found.n;
    sum.effective += found.effective;
    sum.present_ms += found.present_ns * n / 1e6;
    sum.predicted_ms += predicted * found.present_ns * n / 1e6;
    sum.realised_ms += found.saving_ns * n / 1e6;
    sum.lost += found.lost * n;
}

use crate::events::any_event;
use proptest::prelude::*;
use std::sync::Arc;
use telemetry_aggregation::{RollupBuilder, SelectorSummary, coarsened, merged};
use telemetry_models::rollup::{Rollup, RollupPeriod};
use telemetry_models::{Event, PageContext, SelectorName};

/// Events of several selectors on several sites over several days.
fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = (any_event(), 0u8..3, 0u8..3).prop_map(|(mut event, selector, site)| {
        event.selector = SelectorName::new(format!("shop.s{selector}")).unwrap();
        if site > 0 {
            let url = format!("https://shop-{site}.example/{}", event.timestamp.as_nanos() % 7);
            event.page = Some(Arc::new(PageContext::at(&url)));
        }
        event
    });
    proptest::collection::vec(event, 0..80)
}

fn rolled<'a>(events: impl IntoIterator<Item = &'a Event>, period: RollupPeriod) -> Vec<Rollup> {
    let mut builder = RollupBuilder::new(period);
    for event in events {
        builder.add(event);
    }
    builder.finish()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn hours_make_the_days_and_months_that_events_make(events in events()) {
        let hours = rolled(&events, RollupPeriod::Hour);
        let days = rolled(&events, RollupPeriod::Day);
        let months = rolled(&events, RollupPeriod::Month);
        prop_assert_eq!(&coarsened(&hours, RollupPeriod::Day), &days);
        prop_assert_eq!(&coarsened(&days, RollupPeriod::Month), &months);
        prop_assert_eq!(&coarsened(&hours, RollupPeriod::Month), &months);
        prop_assert_eq!(&coarsened(hours.iter().rev(), RollupPeriod::Day), &days, "order-free");
        let counted: u64 = hours.iter().map(|it| it.figures.operations()).sum();
        prop_assert_eq!(counted, events.len() as u64);
    }

    #[test]
    fn parts_in_any_grouping_equal_the_whole(events in events(), cut in 0usize..80, other in 0usize..80) {
        let whole = rolled(&events, RollupPeriod::Hour);
        let (low, high) = (cut.min(other).min(events.len()), cut.max(other).min(events.len()));
        let parts = [&events[..low], &events[low..high], &events[high..]]
            .map(|part| rolled(part, RollupPeriod::Hour));
        let all = |order: [usize; 3]| {
            let rollups = order.into_iter().flat_map(|at| &parts[at]);
            coarsened(rollups, RollupPeriod::Hour)
        };
        prop_assert_eq!(&all([0, 1, 2]), &whole);
        prop_assert_eq!(&all([2, 0, 1]), &whole);
        let tail = coarsened(parts[1].iter().chain(&parts[2]), RollupPeriod::Hour);
        prop_assert_eq!(&coarsened(parts[0].iter().chain(&tail), RollupPeriod::Hour), &whole);
    }

    #[test]
    fn a_summary_of_rollups_is_the_summary_of_the_events(events in events()) {
        let mut direct = SelectorSummary::new();
        for event in &events {
            direct.add(event);
        }
        let hours = rolled(&events, RollupPeriod::Hour);
        let through = merged(&hours);
        let counted: u64 = through.timeline.buckets().map(|(_, it)| it.operations).sum();
        prop_assert_eq!(counted, events.len() as u64);
        prop_assert_eq!(through.figures(), direct.figures());
        // The timeline knows hours at best.
        let untimed = |summary: SelectorSummary| SelectorSummary { timeline: Default::default(), ..summary };
        prop_assert_eq!(untimed(through), untimed(direct));
    }

    #[test]
    fn rollups_survive_json(events in events()) {
        for rollup in rolled(&events, RollupPeriod::Day) {
            let text = serde_json::to_string(&rollup).unwrap();
            prop_assert_eq!(serde_json::from_str::<Rollup>(&text).unwrap(), rollup);
        }
    }
}

//! The same report from rollups, and from two threads.

use crate::events::{at, make};
use telemetry_interfaces::{EventStore, MemoryStore};
use telemetry_models::{Event, EventId, Outcome};
use telemetry_reporting::{ReportBuilder, ReportRequest, ReportingConfig};

/// Enough events for a second thread.
#[test]
fn two_threads_make_the_report_that_one_makes() {
    let names: Vec<String> = (0..40).map(|at| format!("shop.field{at}")).collect();
    let events: Vec<Event> = (0..130_000u32)
        .map(|n| {
            let name = &names[n as usize % names.len()];
            let outcome = if n % 17 == 0 { Outcome::NotFound } else { Outcome::Success };
            make(n.into(), name, i64::from(n / 40), outcome).ms(u64::from(5 + n % 7)).event
        })
        .collect();
    let build = |events: &[Event]| {
        let store = MemoryStore::new();
        store.append(events).unwrap();
        let request = ReportRequest { now: at(10_000), ..ReportRequest::default() };
        let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
        builder.build(&store, &request, &mut |_| {}).unwrap()
    };
    let whole = build(&events);
    assert_eq!(whole, build(&events), "the report does not depend on how the threads run");
    assert_eq!((whole.totals.operations, whole.selectors.len()), (130_000, 40));
    assert!(whole.selectors.iter().all(|row| row.operations == 3_250));
    // Of one selector there are too few events for a second thread: the row must be the same.
    let own: Vec<Event> =
        events.iter().filter(|it| it.selector.as_str() == names[3]).cloned().collect();
    let one = build(&own);
    let row = whole.selectors.iter().find(|row| row.selector.as_str() == names[3]).unwrap();
    assert_eq!(one.selectors[0].outcomes, row.outcomes);
    assert_eq!(one.selectors[0].durations, row.durations);
    assert_eq!(one.selectors[0].recent_faults, row.recent_faults);
    assert_eq!(one.selectors[0].last_success_event, row.last_success_event);
    assert!(row.last_success_event.as_ref().is_some_and(|id| *id != EventId::from_u128(0)));
}

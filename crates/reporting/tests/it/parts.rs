//! A store that divides its answers, read by two threads, gives the report that one thread gives.

use crate::events::{at, make};
use std::sync::Arc;
use telemetry_interfaces::{
    Ack, Capabilities, Divided, EventIter, EventStore, Ledger, MemoryStore, Query, Result,
    StoreStats,
};
use telemetry_models::{
    AttemptOutcome, Event, Outcome, PageContext, ProducerId, RunId, SessionId, Viewport,
};
use telemetry_reporting::{Baseline, ReportBuilder, ReportRequest, ReportingConfig};

struct Dividing(MemoryStore);

/// By the last letter of the name.
fn part_of(selector: &str) -> usize {
    usize::from(selector.bytes().last().is_some_and(|it| it % 2 == 0))
}

impl EventStore for Dividing {
    fn backend(&self) -> &'static str {
        self.0.backend()
    }
    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }
    fn append(&self, batch: &[Event]) -> Result<Ack> {
        self.0.append(batch)
    }
    fn append_ledger(&self, ledger: &Ledger) -> Result<()> {
        self.0.append_ledger(ledger)
    }
    fn ledgers(&self) -> Result<Vec<Ledger>> {
        self.0.ledgers()
    }
    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        self.0.query(query)
    }
    fn query_parts(&self, query: &Query, parts: usize) -> Result<Divided<'_>> {
        assert_eq!(parts, 2);
        let of = |part| -> Result<EventIter<'_>> {
            let wanted = move |item: &Result<Event>| {
                item.as_ref().map_or(part == 0, |event| part_of(event.selector.as_str()) == part)
            };
            Ok(Box::new(self.0.query(query)?.filter(wanted)))
        };
        Ok(Divided { parts: vec![of(0)?, of(1)?], part_of: Arc::new(part_of) })
    }
    fn stats(&self) -> Result<StoreStats> {
        self.0.stats()
    }
    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

/// Forty selectors that come one after the other, three recorders of which one is out of order.
fn stream() -> Vec<Event> {
    let run = RunId::new("run").unwrap();
    let producers: Vec<ProducerId> =
        (0..3).map(|at| ProducerId::new(format!("p{at}")).unwrap()).collect();
    let mut events = Vec::new();
    for n in 0..6_000u64 {
        let selector = n.wrapping_mul(0x9e37_79b9) % (1 + n / 150).min(40);
        let failed = (n / 7 + selector) % 9 == 0;
        let outcome = if failed { Outcome::NotFound } else { Outcome::Success };
        let first =
            if failed || n % 3 == 0 { AttemptOutcome::Empty } else { AttemptOutcome::Accepted };
        let mut made = make(n.into(), &format!("shop.field{selector}"), n as i64, outcome)
            .ms(1 + n * selector % 70)
            .attempt("css", &format!("#f{selector}"), first);
        if first == AttemptOutcome::Empty && !failed {
            made = made.attempt("xpath", "//p", AttemptOutcome::Accepted);
        }
        let mut page = PageContext::at(&format!("https://s{}.example/{}", selector % 4, n % 50));
        page.session = Some(SessionId::new(format!("s{}", n % 9)).unwrap());
        page.viewport = Some(Viewport { width: 800 + (n % 3) as u32, height: 600 });
        let mut event = made.page(page).event;
        let producer = (n % 3) as usize;
        event.engine = Some(format!("engine {}", n % 2).into());
        event.run = Some(run.clone());
        event.producer = Some(producers[producer].clone());
        event.sequence = Some(if producer == 2 && n > 5_000 { n - 4_999 } else { n });
        events.push(event);
    }
    events
}

#[test]
fn two_threads_tell_what_one_tells() {
    let (whole, divided) = (MemoryStore::new(), Dividing(MemoryStore::new()));
    whole.append(&stream()).unwrap();
    divided.append(&stream()).unwrap();
    let compare =
        Baseline { query: Query { to: Some(at(2_000)), ..Query::all() }, words: "before".into() };
    let later = Query { from: Some(at(2_000)), ..Query::all() };
    let requests = [
        ReportRequest { now: at(6_000), ..ReportRequest::default() },
        // The last ones are from the future.
        ReportRequest { now: at(5_000), ..ReportRequest::default() },
        ReportRequest {
            now: at(6_000),
            query: later,
            compare: Some(compare),
            ..Default::default()
        },
    ];
    for max_tracked in [5_000, 13] {
        let config = ReportingConfig { max_tracked, ..ReportingConfig::default() };
        let builder = ReportBuilder::new(config).unwrap();
        for request in &requests {
            let made = |store: &dyn EventStore| {
                let report = builder.build(store, request, &mut |_| {}).unwrap();
                serde_json::to_string_pretty(&report).unwrap()
            };
            let report = made(&whole);
            assert!(report.contains("\"disordered_streams\": 1"), "the recorders are followed");
            assert!(max_tracked > 40 || !report.contains("\"untracked_events\": 0"));
            assert!(made(&divided) == report, "{max_tracked} {request:?}");
        }
    }
}

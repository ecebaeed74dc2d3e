use crate::events::{at, make, store};
use telemetry_interfaces::{
    Ack, Capabilities, Code, DropReason, Error, ErrorKind, EventIter, EventStore, Ledger,
    MemoryStore, Query, Result, StoreStats,
};
use telemetry_models::report::{DroppedEvents, Report, VerdictLevel};
use telemetry_models::{Event, Outcome, RunId};
use telemetry_reporting::{ReportBuilder, ReportRequest, ReportingConfig};

/// A store with damage between its events and unreadable ledgers.
struct Damaged(MemoryStore);

fn damage() -> Error {
    Error::new(ErrorKind::Corrupt, Code::Corruption, "checksum differs").with("file", "0001.seg")
}

impl EventStore for Damaged {
    fn backend(&self) -> &'static str {
        "damaged"
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
        Err(damage())
    }
    fn flush(&self) -> Result<()> {
        self.0.flush()
    }
    fn query(&self, query: &Query) -> Result<EventIter<'_>> {
        let events = self.0.query(query)?;
        Ok(Box::new(events.flat_map(|event| [Err(damage()), event])))
    }
    fn stats(&self) -> Result<StoreStats> {
        self.0.stats()
    }
    fn close(&self) -> Result<()> {
        self.0.close()
    }
}

fn build(store: &dyn EventStore, config: ReportingConfig) -> Report {
    let request = ReportRequest { now: at(600), ..ReportRequest::default() };
    let mut read = Vec::new();
    let builder = ReportBuilder::new(config).unwrap();
    let report = builder.build(store, &request, &mut |events| read.push(events)).unwrap();
    assert_eq!(read.last(), Some(&report.data_quality.events_read));
    report
}

fn events(n: u32) -> Vec<Event> {
    (0..n).map(|n| make(n.into(), "a.b", n.into(), Outcome::Success).event).collect()
}

#[test]
fn damage_is_reported_and_reading_goes_on() {
    let report = build(&Damaged(store(&events(20))), ReportingConfig::default());
    let quality = &report.data_quality;
    assert_eq!((report.totals.operations, quality.damaged_places), (20, 20));
    assert_eq!(quality.damage.len(), 10);
    assert_eq!(quality.damage[0], "TEL-007 checksum differs (file: 0001.seg)");
    assert!(quality.ledgers_unreadable.is_some());
    assert_eq!(report.verdict.level, VerdictLevel::Healthy);
    let said = "Damaged places hold an unknown number of events: counts are too low.";
    assert!(quality.weakens.iter().any(|it| it == said), "{:?}", quality.weakens);
}

#[test]
fn loss_is_told_by_reason() {
    let store = store(&events(20));
    let ledger = Ledger {
        run: Some(RunId::new("run").unwrap()),
        producer: None,
        at: at(30),
        recorded: 50,
        stored: 20,
        spooled: 3,
        in_flight: 2,
        dropped: [(DropReason::QueueFull, 15), (DropReason::Invalid, 10)].into(),
    };
    store.append_ledger(&ledger).unwrap();
    let quality = build(&store, ReportingConfig::default()).data_quality;
    assert_eq!((quality.ledgers, quality.recorded, quality.unsettled), (1, 50, 5));
    let dropped = |reason: &str, count| DroppedEvents { reason: reason.into(), count };
    assert_eq!(quality.dropped, [dropped("queue_full", 15), dropped("invalid", 10)]);
    let said = "25 operations given up by recorders: counts are too low.";
    assert!(quality.weakens.iter().any(|it| it == said), "{:?}", quality.weakens);
}

#[test]
fn a_clock_ahead_counts_but_moves_nothing() {
    let mut events = events(20);
    events.push(make(99, "a.b", 100_000_000, Outcome::Success).event);
    let report = build(&store(&events), ReportingConfig::default());
    assert_eq!(report.data_quality.future_timestamps, 1);
    assert_eq!(report.totals.operations, 21);
    assert_eq!(report.period.last, Some(at(19)));
    assert_eq!(report.selectors[0].series.verdicts.len(), 20);
}

#[test]
fn more_selectors_than_are_tracked() {
    let events: Vec<_> = (0..100u32)
        .map(|n| make(n.into(), &format!("s{n}"), n.into(), Outcome::Success).event)
        .collect();
    let config = ReportingConfig { max_tracked: 10, max_selectors: 4, ..Default::default() };
    let report = build(&store(&events), config);
    assert_eq!(report.totals.operations, 100);
    assert_eq!(report.data_quality.untracked_events, 90);
    assert_eq!((report.selectors.len(), report.selectors_omitted), (4, 6));
}

#[test]
fn missing_fields_are_counted() {
    let report = build(&store(&events(20)), ReportingConfig::default());
    let missing: Vec<_> = report
        .data_quality
        .missing
        .iter()
        .map(|it| (it.field.as_str(), it.missing, it.n))
        .collect();
    assert!(missing.contains(&("quality_metrics.confidence_score", 20, 20)));
    assert!(!missing.iter().any(|(field, ..)| *field == "context_data.page_url"));
}

//! Recording allocates nothing on the engine's thread. A binary of its own, because the allocator
//! that counts is one for the whole process.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;
use std::time::Duration;
use telemetry_collector::{Collector, CollectorConfig};
use telemetry_interfaces::{
    AttemptRecord, EventSink, MemoryStore, OperationObserver, PageHandle, SelectorHandle,
    SelectorObserver,
};
use telemetry_models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, PageContext, SelectorDefinition,
    SelectorName, StrategyDefinition, StrategyKind,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Operations between two flushes: several chunks, and less than the queue.
const BATCH: usize = 4_096;

fn operate(collector: &Collector, selector: SelectorHandle, page: PageHandle) {
    let mut span = collector.start("engine", selector, Some(page), OperationKind::Resolution);
    span.attempt(AttemptRecord::new(0, AttemptOutcome::Empty));
    span.attempt(AttemptRecord {
        elapsed: Some(Duration::from_micros(3)),
        elements: Some(2),
        confidence: Some(Confidence::ONE),
        ..AttemptRecord::new(1, AttemptOutcome::Accepted)
    });
    span.validation(true);
    span.finish(Outcome::Success);
}

fn definition(name: &str) -> SelectorDefinition {
    let css = |text: &str| StrategyDefinition { kind: StrategyKind::Css, text: text.into() };
    SelectorDefinition {
        name: SelectorName::new(name).unwrap(),
        version: 1,
        strategies: vec![css(".price"), css("span")],
    }
}

/// Allocations of a batch on this thread, once the chunks that travel are there.
fn steady(collector: &Collector, mut batch: impl FnMut()) -> u64 {
    for _ in 0..4 {
        batch();
        assert!(collector.flush(LIMIT).complete);
    }
    allocation_counter::measure(batch).count_total
}

#[test]
fn an_operation_allocates_nothing() {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store).unwrap();
    let price = collector.selector(&definition("shop.price"));
    let page = collector.page(&PageContext::at("https://shop.test/1"));
    let allocations = steady(&collector, || {
        for _ in 0..BATCH {
            operate(&collector, price, page);
        }
    });
    assert_eq!(allocations, 0);
}

#[test]
fn nor_does_naming_page_and_selector_every_time() {
    let store = Arc::new(MemoryStore::new());
    let collector = Collector::builder(CollectorConfig::default()).start(store).unwrap();
    let definitions: Vec<_> = (0..50).map(|at| definition(&format!("shop.{at}"))).collect();
    let pages: Vec<_> = (0..70)
        .map(|at| PageContext::at(&format!("https://shop.test/{at}?session=secret")))
        .collect();
    let allocations = steady(&collector, || {
        for at in 0..BATCH {
            let page = collector.page(&pages[at % pages.len()]);
            let selector = collector.selector(&definitions[at % definitions.len()]);
            operate(&collector, selector, page);
        }
    });
    assert_eq!(allocations, 0);
}

use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, ErrorInfo, Event, EventId, OperationKind, Outcome,
    PageContext, SelectorName, StrategyKind, Timestamp,
};

pub(crate) fn event(id: u128, second: i64, outcome: Outcome) -> Event {
    Event::new(
        EventId::from_u128(id),
        SelectorName::new("shop.price").unwrap(),
        Timestamp::from_millis(1_700_000_000_000 + second * 1000),
        OperationKind::Resolution,
        outcome,
    )
}

pub(crate) fn attempt(kind: &str, text: &str, outcome: AttemptOutcome) -> Attempt {
    let mut attempt = Attempt::new(StrategyKind::new(kind), outcome);
    attempt.text = Some(text.into());
    attempt.duration = Some(Duration::from_micros(250));
    attempt
}

prop_compose! {
    /// Events with every measurement sometimes there and sometimes not.
    pub(crate) fn any_event()(
        id in any::<u64>(),
        second in prop_oneof![0i64..90, -100_000i64..100_000, Just(400_000_000)],
        outcome in proptest::sample::select(Outcome::ALL),
        nanos in proptest::option::of(prop_oneof![Just(0u64), 1..10_000u64, any::<u64>()]),
        confidence in proptest::option::of(0u32..=1_000_000),
        elements in proptest::option::of(0u32..5),
        depth in proptest::option::of(0usize..12),
        page in proptest::option::of(0u32..600),
        error in proptest::option::of((0u8..100, 0u8..3)),
    ) -> Event {
        let mut event = event(id.into(), second, outcome);
        event.timing.total = nanos.map(Duration::from_nanos);
        event.quality.confidence = confidence.and_then(Confidence::from_millionths);
        event.quality.elements_found = elements;
        if let Some(depth) = depth {
            for at in 0..depth {
                event.attempts.push(attempt("css", &format!(".s{at}"), AttemptOutcome::Empty));
            }
            let last = if outcome.is_success() { AttemptOutcome::Accepted } else { AttemptOutcome::Empty };
            event.attempts.push(attempt("xpath", &format!("//s{}", id % 40), last));
        }
        if let Some(page) = page {
            event.page = Some(Arc::new(PageContext::at(&format!("https://shop.example/{page}"))));
        }
        if let Some((kind, message)) = error {
            event.error = Some(ErrorInfo {
                kind: format!("kind_{kind}").into(),
                message: Some(format!("after {message}0 s: {message}").into()),
                ..ErrorInfo::default()
            });
        }
        event
    }
}

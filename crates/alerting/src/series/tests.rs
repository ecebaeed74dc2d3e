//! What is answered from meters against what the samples say.

use super::{Moment, Room, Series, begins};
use crate::plan::Plan;
use crate::{Against, Baseline, NoData, Rule};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::Duration;
use telemetry_aggregation::aggregate_of;
use telemetry_models::{
    Aggregate, Attempt, AttemptOutcome, Comparison, Confidence, Event, EventId, OperationKind,
    Outcome, SelectorName, Signal, StrategyKind, Timestamp,
};

const SIGNALS: [(Signal, Aggregate); 11] = [
    (Signal::ErrorRate, Aggregate::Rate),
    (Signal::SuccessRate, Aggregate::Rate),
    (Signal::ErrorRate, Aggregate::Count),
    (Signal::Confidence, Aggregate::Mean),
    (Signal::Confidence, Aggregate::Min),
    (Signal::Confidence, Aggregate::Max),
    (Signal::Confidence, Aggregate::P50),
    (Signal::Confidence, Aggregate::P95),
    (Signal::DurationMs, Aggregate::P90),
    (Signal::DurationMs, Aggregate::Mean),
    (Signal::FallbackRate, Aggregate::Rate),
];

prop_compose! {
    fn rule()(
        (signal, aggregate) in proptest::sample::select(&SIGNALS[..]),
        comparison in proptest::sample::select(Comparison::ALL),
        tenths in 1u32..10,
        last in proptest::option::of(1u32..25),
        within in proptest::option::of(1u64..40),
        against in proptest::sample::select(
            &[Against::Fixed, Against::BaselineDelta, Against::BaselineRatio][..],
        ),
        min_change in prop_oneof![Just(0.0), Just(0.1)],
        hold in 0u64..4,
    ) -> Rule {
        let scale = if signal == Signal::DurationMs { 10.0 } else { 1.0 };
        let fire_at = f64::from(tenths) / 10.0 * if against == Against::Fixed { scale } else { 1.0 };
        let baseline = (against != Against::Fixed)
            .then_some(Baseline { samples: 12, min_samples: 5, min_change });
        Rule {
            aggregate: Some(aggregate),
            last: last.or(within.is_none().then_some(6)),
            within: within.map(Duration::from_secs),
            min_samples: Some(last.map_or(2, |last| last.min(2))),
            against,
            baseline,
            hold: Duration::from_secs(hold),
            ..Rule::new("rule", signal, comparison, fire_at)
        }
    }
}

fn event(number: u64, at: Timestamp, kind: u8, tenths: u32) -> Event {
    let outcome = match kind {
        0 | 1 => Outcome::NotFound,
        2 => Outcome::NavigationFailed,
        _ => Outcome::Success,
    };
    let id = EventId::from_u128(u128::from(number) + 1);
    let selector = SelectorName::new("shop.price").unwrap();
    let mut event = Event::new(id, selector, at, OperationKind::Resolution, outcome);
    if outcome.is_success() {
        let found = Attempt {
            confidence: Some(Confidence::new(f64::from(tenths) / 10.0).unwrap()),
            ..Attempt::new(StrategyKind::Css, AttemptOutcome::Accepted)
        };
        let missed = Attempt::new(StrategyKind::XPath, AttemptOutcome::Empty);
        event.attempts = if kind == 3 { vec![missed, found] } else { vec![found] };
        event.timing.total = Some(Duration::from_millis(u64::from(tenths)));
    }
    event
}

/// Everything that was measured, without windows, meters or limits.
#[derive(Default)]
struct Past(Vec<(u64, f64)>);

impl Past {
    fn window(&self, rule: &Rule, now: u64) -> Vec<f64> {
        let limits = rule.window();
        let young = |at: u64| limits.within.is_none_or(|it| now - at < it.as_secs());
        let young: Vec<f64> =
            self.0.iter().filter(|(at, _)| young(*at)).map(|(_, value)| *value).collect();
        young[young.len().saturating_sub(limits.last)..].to_vec()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn no_rule_that_holds_is_passed_over_and_windows_hold_what_they_should(
        mut rules in proptest::collection::vec(rule(), 1..8),
        steps in proptest::collection::vec((0u64..12, 0u8..12, 0u32..=10), 1..120),
    ) {
        for (at, rule) in rules.iter_mut().enumerate() {
            rule.id = format!("rule{at}").into();
        }
        let rules: Vec<_> = rules.into_iter().map(Arc::new).enumerate().collect();
        let plan = Arc::new(Plan::new(&rules));
        let selector = SelectorName::new("shop.price").unwrap();
        let mut series = Series::new(selector, None, Arc::clone(&plan), Timestamp::from_millis(0));
        let mut pasts: Vec<Past> = rules.iter().map(|_| Past::default()).collect();
        let (mut now, mut room, mut changes) = (0, Room::default(), Vec::new());
        for (number, (pause, kind, tenths)) in (0u64..).zip(steps) {
            now += pause / 4;
            let line = Timestamp::from_millis(now as i64 * 1000);
            let moment = Moment { line, shown: line, cooldown: Duration::ZERO };
            if kind == 11 {
                series.tick(moment, true, &mut room, &mut changes);
            } else {
                let event = event(number, line, kind, tenths);
                series.observe(&event, moment, &mut room, &mut changes);
                for ((_, rule), past) in rules.iter().zip(&mut pasts) {
                    past.0.extend(rule.signal.of(&event).map(|value| (now, value)));
                }
            }
            for (entry, past) in (0u16..).zip(&pasts) {
                let case = series.case(&plan, entry, moment);
                let rule = case.rule();
                let window = past.window(rule, now);
                let held: Vec<f64> =
                    case.feed.values(case.start..case.feed.total()).collect();
                prop_assert_eq!(&held, &window, "{:?}", rule);
                prop_assert_eq!(
                    case.window(case.start).value(rule),
                    aggregate_of(window.into_iter(), rule.aggregate())
                );
                let known = series.slots.iter().any(|slot| slot.entry == entry);
                prop_assert!(known || !begins(case), "passed over: {:?}", rule);
                prop_assert!(rule.no_data == NoData::Keep);
            }
        }
    }
}

use super::{OrderEvidence, Part};
use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, Event, EventId, OperationKind, Outcome, PageContext,
    SelectorName, ShadowProbe, StrategyKind, Timestamp,
};

/// Strategy `a` (5 ms) matches seldom, `b` (1 ms) nearly always, and they depend on each other.
fn world(seed: u64, n: u32, probe: f64, share_a: f64) -> (OrderEvidence, f64) {
    let mut rng = Rng::with_seed(seed);
    let mut evidence = OrderEvidence::default();
    let (mut present, mut other) = (0.0, 0.0);
    for at in 0..n {
        let easy = rng.f64() < 0.8;
        let a = rng.f64() < if easy { share_a } else { share_a / 4.0 };
        let b = rng.f64() < if easy { 0.99 } else { 0.4 };
        let mut event = Event::new(
            EventId::from_u128(at.into()),
            SelectorName::new("a.b").unwrap(),
            Timestamp::from_millis(i64::from(at) * 1_000),
            OperationKind::Resolution,
            if a || b { Outcome::Success } else { Outcome::NotFound },
        );
        event.page = Some(Arc::new(PageContext::at(&format!("https://x.example/{}", at % 40))));
        let attempt = |kind: &str, ms: u64, hit: bool, shadow: bool| Attempt {
            duration: Some(Duration::from_millis(ms)),
            shadow: shadow.then(|| ShadowProbe { probability: Confidence::new(probe).unwrap() }),
            ..Attempt::new(
                StrategyKind::new(kind),
                if hit { AttemptOutcome::Accepted } else { AttemptOutcome::Empty },
            )
        };
        event.attempts.push(attempt("css", 5, a, false));
        if !a {
            event.attempts.push(attempt("text", 1, b, false));
        } else if rng.f64() < probe {
            event.attempts.push(attempt("text", 1, b, true));
        }
        present += if a { 5.0 } else { 6.0 };
        other += if b { 1.0 } else { 6.0 };
        evidence.add(&event, if at % 2 == 0 { Part::Fit } else { Part::Select });
    }
    (evidence, (present - other) / f64::from(n))
}

#[test]
fn the_estimate_is_what_the_other_order_would_have_saved() {
    let (mut within, mut off) = (0, 0.0);
    for seed in 0..40 {
        let (evidence, truth) = world(seed, 6_000, 0.1, 0.7);
        assert_eq!(evidence.present_order(), [0, 1]);
        assert_eq!(evidence.best_order(Part::Fit), [1, 0]);
        let it = evidence.estimate(&[1, 0], Part::Select).unwrap();
        let (low, high) = it.interval_ns();
        within += u32::from(low / 1e6 <= truth && truth <= high / 1e6);
        off += it.saving_ns / 1e6 - truth;
        assert_eq!((it.covered, it.n), (3_000, 3_000));
    }
    assert!(within >= 35, "{within} of 40 intervals hold the truth");
    assert!((off / 40.0).abs() < 0.05, "biased by {} ms", off / 40.0);
}

#[test]
fn what_nobody_probed_is_taken_at_its_worst() {
    let (evidence, truth) = world(1, 6_000, 1e-6, 0.7);
    let it = evidence.estimate(&[1, 0], Part::Select).unwrap();
    assert!(it.covered < it.n * 6 / 10 && it.lost_high(1.96) > 0.5, "{it:?}");
    assert!(it.saving_ns / 1e6 < truth, "{it:?} against {truth}");
}

#[test]
fn a_dead_strategy_shows_without_probes() {
    let (evidence, truth) = world(2, 6_000, 1e-6, 0.0);
    let it = evidence.estimate(&[1, 0], Part::Select).unwrap();
    assert_eq!(it.covered, it.n);
    assert!((it.saving_ns / 1e6 - truth).abs() < 0.2, "{it:?} against {truth}");
    assert_eq!(evidence.without_match(), [(0, 6_000)]);
    let pruned = evidence.estimate(&[1], Part::Select).unwrap();
    assert!(pruned.saving_ns > it.saving_ns && pruned.lost == 0.0, "{pruned:?}");
}

#[test]
fn the_present_order_saves_nothing() {
    let (evidence, _) = world(3, 2_000, 0.05, 0.7);
    let it = evidence.estimate(&[0, 1], Part::Select).unwrap();
    assert!(it.saving_ns.abs() < 1e-3 && it.lost == 0.0, "{it:?}");
    assert!(it.shrunk_ns() <= it.saving_ns.max(0.0));
}

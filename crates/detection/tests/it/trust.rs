use fastrand::Rng;
use telemetry_detection::{Change, Spending, Step, TrustDetector};
use telemetry_models::Timestamp;

const SPENDING: Spending = Spending { per_day: 1e-3, startup: 1e-3 };

/// Results a minute apart, each found with a confidence between 0.6 and 1 that is right as often as
/// `right` makes of it.
fn results(
    detector: &mut TrustDetector,
    minutes: std::ops::Range<i64>,
    rng: &mut Rng,
    right: impl Fn(f64) -> f64,
) -> Option<(i64, Change)> {
    for minute in minutes {
        let confidence = 0.6 + 0.4 * rng.f64();
        let right = rng.f64() < right(confidence);
        let at = Timestamp::from_millis(minute * 60_000);
        if let Step::Began(change) = detector.observe(confidence, right, at, SPENDING) {
            return Some((minute, change));
        }
    }
    None
}

#[test]
fn confidence_that_loses_its_meaning_is_found_dated_and_ends() {
    let mut rng = Rng::with_seed(1);
    let mut detector = TrustDetector::default();
    assert_eq!(results(&mut detector, 0..3000, &mut rng, |it| it), None);
    let found = results(&mut detector, 3000..4000, &mut rng, |_| 0.4);
    let (minute, change) = found.expect("what it is surest of is wrong");
    assert!(minute < 3100, "found at {minute}");
    assert!((2990..3015).contains(&(change.since.as_millis() / 60_000)), "{change:?}");
    assert!(change.now < 0.6 && change.before > 0.7, "{change:?}");
    assert!(detector.is_open());
    results(&mut detector, 4000..4200, &mut rng, |it| it);
    assert!(!detector.is_open(), "it means what it did again");
}

#[test]
fn failures_that_confidence_tells_of_are_none_of_its() {
    let mut found = 0;
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let mut detector = TrustDetector::default();
        // From the middle on, what is found is less sure, and so it says.
        for minute in 0..4000 {
            let least = if minute < 2000 { 0.8 } else { 0.3 };
            let confidence = least + (1.0 - least) * rng.f64();
            let right = rng.f64() < confidence;
            let at = Timestamp::from_millis(minute * 60_000);
            let step = detector.observe(confidence, right, at, SPENDING);
            found += usize::from(matches!(step, Step::Began(_)));
        }
    }
    assert!(found <= 1, "{found} false alarms in 555 days, of 0.76 allowed");
}

#[test]
fn an_engine_that_always_said_too_much_is_learned() {
    let mut rng = Rng::with_seed(4);
    let mut detector = TrustDetector::default();
    let overconfident = |it: f64| it * it;
    let early = results(&mut detector, 0..4000, &mut rng, overconfident);
    // It may be found out while young, but not for ever.
    if early.is_some() {
        detector.dismiss();
        results(&mut detector, 4000..6000, &mut rng, overconfident);
        detector.dismiss();
    }
    assert_eq!(results(&mut detector, 6000..12_000, &mut rng, overconfident), None);
}

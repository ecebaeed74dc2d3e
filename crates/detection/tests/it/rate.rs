use fastrand::Rng;
use telemetry_detection::{Change, RateConfig, RateDetector, Spending, Step};
use telemetry_models::Timestamp;

/// Operations a second in these streams.
const PER_SECOND: i64 = 10;

struct Stream {
    detector: RateDetector,
    rng: Rng,
    number: i64,
    budget: Spending,
}

impl Stream {
    fn new(seed: u64, budget: Spending) -> Self {
        let detector = RateDetector::default();
        Self { detector, rng: Rng::with_seed(seed), number: 0, budget }
    }

    /// Runs at a share of bad samples; stops after the first step that is not quiet.
    fn run(&mut self, share: f64, samples: u64) -> Option<(u64, Step)> {
        let config = RateConfig::default();
        for sample in 1..=samples {
            let at = Timestamp::from_millis(self.number * 1000 / PER_SECOND);
            self.number += 1;
            let bad = self.rng.f64() < share;
            let step = self.detector.observe(bad, at, self.budget, &config);
            if step != Step::Quiet {
                return Some((sample, step));
            }
        }
        None
    }
}

/// A budget spent in so many samples.
fn one_in(samples: f64) -> Spending {
    Spending { per_day: 86_400.0 * PER_SECOND as f64 / samples, startup: 0.0 }
}

#[test]
fn false_alarms_stay_within_the_budget_although_the_baseline_is_learned() {
    for share in [0.001, 0.01, 0.05, 0.3] {
        let (runs, samples, allowed) = (200, 10_000, 100_000.0);
        let alarms = (0..runs)
            .filter(|seed| Stream::new(*seed, one_in(allowed)).run(share, samples).is_some())
            .count();
        let expected = runs as f64 * samples as f64 / allowed;
        assert!(
            alarms as f64 <= expected,
            "share {share}: {alarms} false alarms, {expected} allowed"
        );
    }
}

#[test]
fn finds_a_drop_from_99_to_90_percent_soon() {
    let mut delays = Vec::new();
    for seed in 0..200 {
        let mut stream = Stream::new(seed, one_in(1e6));
        if stream.run(0.01, 20_000).is_some() {
            continue;
        }
        let (delay, step) = stream.run(0.1, 5_000).expect("a change that stays is found");
        assert!(matches!(step, Step::Began(change) if (change.before - 0.01).abs() < 0.005));
        delays.push(delay);
    }
    // CUSUM that knows both shares needs 72 samples at this run length.
    let mean = delays.iter().sum::<u64>() as f64 / delays.len() as f64;
    assert!(delays.len() > 190 && mean / 72.0 < 1.4, "mean delay {mean}");
}

#[test]
fn dates_the_change_and_notices_its_end() {
    let mut stream = Stream::new(7, one_in(1e7));
    assert_eq!(stream.run(0.01, 5_000), None);
    let Some((_, Step::Began(Change { since, now, samples, .. }))) = stream.run(0.6, 200) else {
        panic!("not found");
    };
    let onset = since.as_millis() * PER_SECOND / 1000;
    assert!((4_990..5_010).contains(&onset), "dated {onset}");
    assert!(now > 0.3 && samples < 40, "{now} of {samples}");
    assert!(matches!(stream.run(0.01, 100), Some((2.., Step::Ended))));
}

#[test]
fn finds_a_selector_that_breaks_after_twenty_visits_within_four() {
    let budget = Spending { per_day: 1e-4, startup: 3e-3 };
    let mut stream = Stream::new(1, budget);
    assert_eq!(stream.run(0.0, 20), None);
    assert!(matches!(stream.run(1.0, 10), Some((..=4, Step::Began(_)))));
}

#[test]
fn goes_on_after_being_stored() {
    let mut stream = Stream::new(3, one_in(1e6));
    stream.run(0.02, 1_000);
    let text = serde_json::to_string(&stream.detector).expect("plain data");
    let stored: RateDetector = serde_json::from_str(&text).expect("what was written");
    assert_eq!(stored, stream.detector);
}

#[test]
fn fits_into_half_a_kilobyte() {
    assert!(size_of::<RateDetector>() <= 512);
}

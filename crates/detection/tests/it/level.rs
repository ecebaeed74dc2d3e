use fastrand::Rng;
use telemetry_detection::{Change, Direction, LevelConfig, LevelDetector, Spending, Step};
use telemetry_models::Timestamp;

const BUDGET: Spending = Spending { per_day: 1e-4, startup: 0.0 };

fn normal(rng: &mut Rng) -> f64 {
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.f64()).cos()
}

/// Values every ten seconds, in hours; the hour of the first alarm and the change.
fn first(
    config: &LevelConfig,
    hours: std::ops::Range<f64>,
    detector: &mut LevelDetector,
    mut value: impl FnMut(f64) -> f64,
) -> Option<(f64, Change)> {
    let mut hour = hours.start;
    while hour < hours.end {
        let at = Timestamp::from_millis((hour * 3_600_000.0) as i64);
        if let Step::Began(change) = detector.observe(value(hour), at, BUDGET, config) {
            return Some((hour, change));
        }
        hour += 10.0 / 3600.0;
    }
    None
}

#[test]
fn a_slow_slide_is_found_against_a_lagged_level_and_sinks_a_rolling_one() {
    let lagged = LevelConfig::CONFIDENCE;
    // The same detector with a level that rolls: believed at once, and soon forgotten.
    let rolling = LevelConfig { block_s: 1.0, memory_blocks: 1.0, ..lagged };
    let slide = |config: &LevelConfig, rng: &mut Rng| {
        first(config, 0.0..60.0, &mut LevelDetector::default(), |hour| {
            let slid = 0.02 * (hour - 24.0).clamp(0.0, 10.0);
            0.9 - slid + 0.05 * normal(rng)
        })
    };
    let mut rng = Rng::with_seed(4);
    let (hour, change) = slide(&lagged, &mut rng).expect("a slide of 0.02 an hour is found");
    assert!((24.5..27.0).contains(&hour), "found at hour {hour}");
    assert!((change.before - 0.9).abs() < 0.01, "{change:?}");
    assert_eq!(slide(&rolling, &mut rng), None, "a rolling level slides along, by 0.2 in all");
}

#[test]
fn slower_and_more_varied_durations_are_found_dated_and_end() {
    let config = LevelConfig::DURATION;
    for (shift, spread) in [(0.405, 1.0), (1.1, 1.0), (0.0, 2.0)] {
        let mut rng = Rng::with_seed(9);
        let mut detector = LevelDetector::default();
        let quiet = first(&config, 0.0..24.0, &mut detector, |_| 5.3 + 0.5 * normal(&mut rng));
        assert_eq!(quiet, None);
        let (hour, change) = first(&config, 24.0..28.0, &mut detector, |_| {
            5.3 + shift + 0.5 * spread * normal(&mut rng)
        })
        .expect("a change that stays is found");
        assert!(hour < 25.0, "×{:.1}, spread {spread}: found at {hour}", f64::exp(shift));
        assert!((23.9..24.5).contains(&(change.since.as_millis() as f64 / 3.6e6)), "{change:?}");
        assert!(detector.is_open());
        first(&config, hour + 0.01..hour + 2.0, &mut detector, |_| 5.3 + 0.5 * normal(&mut rng));
        assert!(!detector.is_open(), "×{:.1}, spread {spread} ends", f64::exp(shift));
    }
}

#[test]
fn a_lower_value_is_no_alarm_where_a_higher_one_is_watched_for() {
    let up = LevelConfig::DURATION;
    assert_eq!(up.direction, Direction::Up);
    let mut rng = Rng::with_seed(2);
    let found = first(&up, 0.0..30.0, &mut LevelDetector::default(), |hour| {
        let level = if hour < 24.0 { 5.3 } else { 4.3 };
        level + 0.5 * normal(&mut rng)
    });
    assert_eq!(found, None);
}

#[test]
fn one_wild_value_and_values_that_are_none_change_nothing() {
    let mut detector = LevelDetector::default();
    let found = first(&LevelConfig::DURATION, 0.0..10.0, &mut detector, |hour| {
        match (hour * 360.0).round() as i64 {
            2000 => 30.0,
            2001 => f64::NAN,
            2002 => f64::INFINITY,
            n => 5.0 + 0.1 * (n % 7) as f64,
        }
    });
    assert_eq!(found, None);
    assert!((detector.usual() - 5.3).abs() < 0.1, "{}", detector.usual());
}

#[test]
fn goes_on_after_being_stored_and_fits_into_half_a_kilobyte() {
    let mut rng = Rng::with_seed(1);
    let mut detector = LevelDetector::default();
    first(&LevelConfig::DURATION, 0.0..5.0, &mut detector, |_| normal(&mut rng));
    let text = serde_json::to_string(&detector).expect("plain data");
    let stored: LevelDetector = serde_json::from_str(&text).expect("what was written");
    assert_eq!(stored, detector);
    assert!(size_of::<LevelDetector>() <= 512, "{} bytes", size_of::<LevelDetector>());
}

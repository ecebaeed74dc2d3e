use telemetry_detection::{SeriesConfig, SeriesDetector, SeriesScore};

/// Five-minute values of a noisy day that repeats.
fn daily(days: usize, seed: u64) -> Vec<(i64, f64)> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..days * 288)
        .map(|at| {
            let swing = (at as f64 / 288.0 * std::f64::consts::TAU).sin();
            (at as i64 * 300, 100.0 + 30.0 * swing + 6.0 * (random.f64() - 0.5))
        })
        .collect()
}

fn run(series: &[(i64, f64)]) -> Vec<SeriesScore> {
    let mut detector = SeriesDetector::new(SeriesConfig::default());
    series.iter().map(|(at, value)| detector.step(*at, *value)).collect()
}

#[test]
fn a_value_ordinary_by_day_and_strange_by_night_is_found_where_it_happens() {
    let mut missed = 0;
    let mut elsewhere = 0;
    for seed in 0..20 {
        let mut series = daily(14, seed);
        let night = 12 * 288 + 216;
        for (_, value) in &mut series[night..night + 12] {
            *value += 55.0;
        }
        let scores = run(&series);
        let alarms: Vec<usize> = (0..scores.len()).filter(|at| scores[*at].anomalous).collect();
        missed += usize::from(!alarms.iter().any(|at| (night..night + 12).contains(at)));
        elsewhere += alarms.iter().filter(|at| !(night..night + 12).contains(*at)).count();
    }
    // The value itself is one of every day; only its time is strange.
    assert_eq!(missed, 0);
    assert!(elsewhere <= 20, "{elsewhere} false alarms in 280 days");
}

#[test]
fn a_step_to_a_new_level_is_one_alarm() {
    let mut series = daily(14, 7);
    let step = 10 * 288;
    for (_, value) in &mut series[step..] {
        *value += 200.0;
    }
    let scores = run(&series);
    let alarms: Vec<usize> = (step..step + 150).filter(|at| scores[*at].anomalous).collect();
    assert_eq!(alarms.first(), Some(&step), "at the first value");
    assert!(alarms.len() <= 3, "{alarms:?}");
}

#[test]
fn scores_depend_on_the_past_alone() {
    let mut series = daily(10, 3);
    let before = run(&series);
    for (_, value) in &mut series[2_000..] {
        *value *= -9.0;
    }
    assert_eq!(before[..2_000], run(&series)[..2_000]);
}

#[test]
fn a_detector_taken_up_again_goes_on_as_if_nothing_had_happened() {
    let series = daily(8, 5);
    let (first, second) = series.split_at(1_500);
    let mut detector = SeriesDetector::new(SeriesConfig::default());
    for (at, value) in first {
        detector.step(*at, *value);
    }
    let stored = serde_json::to_string(&detector).unwrap();
    let mut again: SeriesDetector = serde_json::from_str(&stored).unwrap();
    for (at, value) in second {
        assert_eq!(detector.step(*at, *value), again.step(*at, *value));
    }
}

#[test]
fn memory_stays_within_sixteen_kibibytes_whatever_comes() {
    let mut detector = SeriesDetector::new(SeriesConfig::default());
    let mut random = fastrand::Rng::with_seed(1);
    for at in 0..100_000_i64 {
        let value = match at % 5 {
            0 => f64::NAN,
            1 => 1e300 * (random.f64() - 0.5),
            _ => random.f64() / (at + 1) as f64,
        };
        let score = detector.step(at * 977 - 40_000_000, value);
        assert!(score.surprise >= 0.0 && score.alarm.is_finite(), "{score:?}");
        assert!(detector.bytes() <= 16 * 1024, "{} bytes", detector.bytes());
    }
}

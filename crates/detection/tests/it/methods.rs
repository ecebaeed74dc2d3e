use telemetry_detection::{Judgement, Method, MethodDetector, MethodName};

fn noisy(count: usize, seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    (0..count).map(|_| 50.0 + (0..6).map(|_| random.f64() - 0.5).sum::<f64>()).collect()
}

fn seasonal(count: usize) -> Vec<f64> {
    let season = |at: usize| 10.0 * (at as f64 / 24.0 * std::f64::consts::TAU).cos();
    noisy(count, 4).iter().enumerate().map(|(at, noise)| noise + season(at)).collect()
}

fn last(name: MethodName, values: &[f64]) -> Option<Judgement> {
    let mut detector = MethodDetector::new(Method::new(name), 288).unwrap();
    values.iter().map(|value| detector.step(*value)).last().flatten()
}

#[test]
fn every_method_finds_an_outlier_and_leaves_the_centre_alone() {
    for name in MethodName::ALL {
        let mut values =
            if name == MethodName::SeasonalDecomposition { seasonal(240) } else { noisy(240, 1) };
        let centre = if name == MethodName::SeasonalDecomposition { 60.0 } else { 50.0 };
        values.push(centre);
        let ordinary = last(name, &values).unwrap();
        assert!(!ordinary.anomalous, "{name}: {ordinary:?}");
        for outlier in [centre + 15.0, centre - 15.0] {
            *values.last_mut().unwrap() = outlier;
            let found = last(name, &values).unwrap();
            assert!(found.anomalous, "{name}: {found:?}");
        }
    }
}

#[test]
fn a_value_is_no_part_of_its_own_baseline() {
    // A huge value within its own baseline of 31 could not be more than 5.4 deviations away.
    let mut values = noisy(30, 2);
    values.push(1e9);
    for name in [MethodName::ZScore, MethodName::Iqr, MethodName::ExponentialSmoothing] {
        let found = last(name, &values).unwrap();
        assert!(found.score > 1e6, "{name}: {found:?}");
    }
}

#[test]
fn figures_worked_out_by_hand() {
    let values: Vec<f64> = (0..40).map(|at| if at % 2 == 0 { 9.0 } else { 11.0 }).collect();
    let with = |value: f64| [values.clone(), vec![value]].concat();
    // Mean 10, deviation √(40/39).
    let z = last(MethodName::ZScore, &with(14.0)).unwrap();
    assert!((z.score - 4.0 / (40.0_f64 / 39.0).sqrt()).abs() < 1e-12, "{z:?}");
    // Quartiles 9 and 11: 14 is 3 outside, a range and a half.
    let iqr = last(MethodName::Iqr, &with(14.0)).unwrap();
    assert_eq!((iqr.score, iqr.anomalous), (1.5, false));
}

#[test]
fn too_few_values_are_no_answer() {
    for name in MethodName::ALL {
        let method = Method::new(name);
        let mut detector = MethodDetector::new(method.clone(), 288).unwrap();
        let values = seasonal(method.min_samples() + 1);
        let judged: Vec<bool> = values.iter().map(|it| detector.step(*it).is_some()).collect();
        assert_eq!(judged.iter().filter(|it| **it).count(), 1, "{name}");
        assert!(judged.last().unwrap(), "{name}");
    }
}

#[test]
fn a_series_that_never_varied_has_no_unit_to_measure_in() {
    let mut values = vec![0.3; 100];
    assert!(!last(MethodName::ZScore, &values).unwrap().anomalous);
    values.push(0.4);
    let found = last(MethodName::ZScore, &values).unwrap();
    assert!(found.anomalous && found.score.is_infinite());
}

#[test]
fn parameters_are_set_by_name_and_checked() {
    let mut method = Method::new(MethodName::MovingAverage);
    method.set("window", "60").unwrap();
    let error = MethodDetector::new(method.clone(), 288).unwrap_err().to_string();
    assert_eq!(error, "min_samples of moving_average is 50; expected at least 62");
    method.set("min_samples", "62").unwrap();
    assert!(MethodDetector::new(method.clone(), 288).is_ok());
    let error = MethodDetector::new(method.clone(), 61).unwrap_err().to_string();
    assert!(error.contains("memory of moving_average is 61"), "{error}");
    let error = method.set("alpha", "1").unwrap_err().to_string();
    assert!(error.contains("one of window, threshold, min_samples"), "{error}");
    let error = method.set("window", "-2").unwrap_err().to_string();
    assert!(error.contains("`-2`; expected a whole number"), "{error}");
    method.set("threshold", "NaN").unwrap();
    assert!(method.validate().is_err());
}

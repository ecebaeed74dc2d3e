use fastrand::Rng;
use std::sync::Arc;
use std::time::Duration;
use telemetry_aggregation::{
    ClusteredSample, Compared, compare_quantile, compare_share, discovery_rates,
};
use telemetry_models::{
    Event, EventId, OperationKind, Outcome, PageContext, SelectorName, Timestamp,
};

/// A week of one selector: 2,000 operations on 200 pages. Durations are lognormal with a spread of
/// 0.25, and each page has a factor of its own.
fn week(rng: &mut Rng, slower: f64, fails: f64) -> ClusteredSample {
    let mut sample = ClusteredSample::default();
    let selector = SelectorName::new("shop.price").unwrap();
    for page in 0..200u32 {
        let context = Arc::new(PageContext::at(&format!("https://shop.example/{page}")));
        let own = (0.1 * noise(rng)).exp();
        let hour = rng.i64(0..168);
        for _ in 0..10 {
            let failed = rng.f64() < fails;
            let mut event = Event::new(
                EventId::from_u128(1),
                selector.clone(),
                Timestamp::from_millis(1_767_225_600_000 + hour * 3_600_000),
                OperationKind::Resolution,
                if failed { Outcome::NotFound } else { Outcome::Success },
            );
            event.page = Some(Arc::clone(&context));
            let ms = 12.0 * own * slower * (0.25 * noise(rng)).exp();
            event.timing.total = Some(Duration::from_secs_f64(ms / 1e3));
            sample.add(&event);
        }
    }
    sample
}

/// Irwin–Hall: near enough to normal.
fn noise(rng: &mut Rng) -> f64 {
    (0..12).map(|_| rng.f64()).sum::<f64>() - 6.0
}

fn p95(before: &ClusteredSample, after: &ClusteredSample) -> Compared {
    compare_quantile(before, after, 0.95, 1).unwrap()
}

/// How many of `selectors` are called changed, the later week `slower` times as slow.
fn called_changed(seed: u64, selectors: usize, slower: f64) -> usize {
    let mut rng = Rng::with_seed(seed);
    let found: Vec<Compared> = (0..selectors)
        .map(|_| {
            let before = week(&mut rng, 1.0, 0.0);
            p95(&before, &week(&mut rng, slower, 0.0))
        })
        .collect();
    let rates = discovery_rates(&found.iter().map(|it| it.probability).collect::<Vec<_>>());
    let changed = |(it, rate): &(&Compared, f64)| {
        *rate <= 0.05 && (it.low > 0.0 || it.high < 0.0) && it.effect.abs() > 0.05
    };
    found.iter().zip(rates).filter(changed).count()
}

#[test]
fn the_same_is_not_called_changed_and_a_tenth_is() {
    let alike = called_changed(11, 40, 1.0);
    assert!(alike <= 2, "{alike} of 40 alike");
    let slower = called_changed(12, 40, 1.1);
    assert!(slower >= 38, "{slower} of 40 slower");
}

#[test]
fn shares_and_their_intervals() {
    let mut rng = Rng::with_seed(3);
    let verdicts = |it: &telemetry_aggregation::ClusterGroup| (it.successes, it.verdicts);
    let (good, worse) = (week(&mut rng, 1.0, 0.01), week(&mut rng, 1.0, 0.08));
    let found = compare_share(&good, &worse, 1, verdicts).unwrap();
    assert!(found.low < -0.07 && found.high < -0.04 && found.probability < 1e-6, "{found:?}");
    assert_eq!((found.before_n, found.after_n), (2_000, 2_000));
    let perfect = week(&mut rng, 1.0, 0.0);
    let same = compare_share(&perfect, &perfect, 1, verdicts).unwrap();
    assert!(same.low < 0.0 && same.high > 0.0 && same.probability > 0.99, "{same:?}");
    let broken = compare_share(&perfect, &week(&mut rng, 1.0, 1.0), 1, verdicts).unwrap();
    assert_eq!((broken.effect, broken.before), (-1.0, 1.0));
    assert!(broken.high < -0.99 && broken.probability < 1e-9, "{broken:?}");
}

#[test]
fn too_little_is_no_answer_and_the_seed_decides_alone() {
    let mut rng = Rng::with_seed(4);
    let (before, after) = (week(&mut rng, 1.0, 0.0), week(&mut rng, 1.05, 0.0));
    assert_eq!(compare_quantile(&before, &after, 0.999, 1), None);
    assert_eq!(compare_quantile(&before, &ClusteredSample::default(), 0.5, 1), None);
    assert_eq!(p95(&before, &after), p95(&before, &after));
}

#[test]
fn merged_in_any_order_is_the_same() {
    let mut rng = Rng::with_seed(5);
    let parts = [week(&mut rng, 1.0, 0.1), week(&mut rng, 1.2, 0.2), week(&mut rng, 0.9, 0.0)];
    let merged = |order: [usize; 3]| {
        let mut whole = ClusteredSample::default();
        for at in order {
            whole.merge(&parts[at]);
        }
        whole
    };
    assert_eq!(merged([0, 1, 2]), merged([2, 0, 1]));
}

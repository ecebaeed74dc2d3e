use proptest::prelude::*;
use std::time::Duration;
use telemetry_aggregation::{CoarseHistogram, DurationSketch};

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn within_the_stated_error(
        mut nanos in proptest::collection::vec(prop_oneof![1u64..1_000, 1u64..1 << 60], 1..200),
        permille in 0u32..=1000,
    ) {
        let mut sketch = DurationSketch::new();
        let mut coarse = CoarseHistogram::default();
        for value in &nanos {
            sketch.add(Duration::from_nanos(*value));
            coarse.add(Duration::from_nanos(*value));
        }
        nanos.sort_unstable();
        let q = f64::from(permille) / 1000.0;
        let exact = nanos[(q * (nanos.len() - 1) as f64) as usize] as f64;
        let found = sketch.quantile(q).unwrap().as_nanos() as f64;
        // Half a nanosecond of rounding on top of the sketch's own error.
        prop_assert!((found - exact).abs() <= exact * DurationSketch::relative_error() * 1.001 + 0.5);
        let exact = nanos[(nanos.len() - 1) / 2] as f64;
        let found = coarse.median().unwrap().as_nanos() as f64;
        prop_assert!((found - exact).abs() <= exact * 0.02 + 0.5, "{found} {exact}");
    }
}

#[test]
fn nothing_is_none() {
    let sketch = DurationSketch::new();
    assert_eq!(
        (sketch.n(), sketch.quantile(0.5), sketch.min(), sketch.max()),
        (0, None, None, None)
    );
    assert_eq!(CoarseHistogram::default().median(), None);
}

#[test]
fn extremes_and_nonsense() {
    let mut sketch = DurationSketch::new();
    sketch.add(Duration::ZERO);
    assert_eq!(sketch.quantile(0.5), Some(Duration::ZERO));
    sketch.add(Duration::MAX);
    assert_eq!(sketch.max(), Some(Duration::from_nanos(u64::MAX)));
    assert_eq!(sketch.quantile(1.5), None);
    assert_eq!(sketch.quantile(f64::NAN), None);
}

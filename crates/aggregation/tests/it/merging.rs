use crate::events::any_event;
use proptest::prelude::*;
use telemetry_aggregation::{BoundedMap, DistinctSketch, SelectorSummary, Timeline};
use telemetry_models::Event;

fn summary_of<'a>(events: impl IntoIterator<Item = &'a Event>) -> SelectorSummary {
    let mut summary = SelectorSummary::new();
    for event in events {
        summary.add(event);
    }
    summary
}

fn merged(parts: &[SelectorSummary]) -> SelectorSummary {
    let mut whole = SelectorSummary::new();
    for part in parts {
        whole.merge(part);
    }
    whole
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn parts_in_any_order_equal_the_whole(
        events in proptest::collection::vec(any_event(), 0..120),
        cuts in proptest::collection::vec(0usize..120, 2),
    ) {
        let whole = summary_of(&events);
        let (mut low, mut high) = (cuts[0].min(events.len()), cuts[1].min(events.len()));
        if low > high {
            std::mem::swap(&mut low, &mut high);
        }
        let parts = [&events[..low], &events[low..high], &events[high..]].map(summary_of);
        let [a, b, c] = parts.clone();
        prop_assert_eq!(&merged(&parts), &whole);
        prop_assert_eq!(&merged(&[c.clone(), a.clone(), b.clone()]), &whole);
        let mut right = b;
        right.merge(&c);
        prop_assert_eq!(&merged(&[a, right]), &whole, "associative");
        prop_assert_eq!(&summary_of(events.iter().rev()), &whole, "order-free");
    }

    #[test]
    fn bounded_maps_lose_nothing(
        keys in proptest::collection::vec(0u8..40, 0..200),
        cut in 0usize..200,
    ) {
        let keys: Vec<String> = keys.iter().map(u8::to_string).collect();
        let map_of = |keys: &[String]| {
            let mut map = BoundedMap::<std::sync::Arc<str>, u64, 8>::default();
            for key in keys {
                map.update(&key.as_str().into(), |count| *count += 1);
            }
            map
        };
        let (left, right) = keys.split_at(cut.min(keys.len()));
        let mut merged = map_of(right);
        merged.merge(&map_of(left));
        prop_assert_eq!(&merged, &map_of(&keys));
        let sum: u64 = merged.iter().map(|(_, count)| count).sum();
        prop_assert_eq!(sum + merged.other().copied().unwrap_or(0), keys.len() as u64);
        for (key, count) in merged.iter() {
            let expected = keys.iter().filter(|it| it.as_str() == &**key).count() as u64;
            prop_assert_eq!(*count, expected);
        }
    }

    #[test]
    fn timelines_stay_small_and_lose_nothing(
        events in proptest::collection::vec(any_event(), 1..100),
    ) {
        let mut timeline = Timeline::default();
        for event in &events {
            timeline.add(event);
        }
        let counted: u64 = timeline.buckets().map(|(_, bucket)| bucket.operations).sum();
        prop_assert_eq!(counted, events.len() as u64);
        let dense = timeline.on_axis_of(&timeline);
        prop_assert!(dense.len() <= Timeline::MAX_BUCKETS);
        let counted: u64 = dense.iter().map(|bucket| bucket.operations).sum();
        prop_assert_eq!(counted, events.len() as u64);
        prop_assert!(timeline.start().unwrap() <= events.iter().map(|e| e.timestamp).min().unwrap());
    }
}

#[test]
fn distinct_counts_are_exact_while_small_and_close_when_large() {
    let mut few = DistinctSketch::default();
    let mut many = DistinctSketch::default();
    for at in 0..20_000 {
        few.add(&format!("page {}", at % 200));
        many.add(&format!("page {at}"));
    }
    assert_eq!((few.count(), few.is_exact()), (200, true));
    assert!(!many.is_exact());
    assert!((16_000..24_000).contains(&many.count()), "{}", many.count());
}

//! Timestamps, confidences and identifiers at their edges.

use proptest::prelude::*;
use std::time::Duration;
use telemetry_models::{
    Confidence, EventId, EventIds, ProducerId, RunId, SelectorName, StrategyKind, Timestamp,
    site_of_url,
};

#[test]
fn timestamps_at_the_ends_of_the_range() {
    for (nanos, text) in [
        (i64::MIN, "1677-09-21T00:12:43.145224192Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (0, "1970-01-01T00:00:00Z"),
        (i64::MAX, "2262-04-11T23:47:16.854775807Z"),
    ] {
        let at = Timestamp::from_nanos(nanos);
        assert_eq!(at.to_string(), text);
        assert_eq!(text.parse(), Ok(at));
    }
    assert_eq!(Timestamp::MIN.day(), "1677-09-21");
    assert_eq!(Timestamp::from_nanos(-1).as_millis(), -1);
    assert_eq!(Timestamp::from_millis(i64::MAX), Timestamp::MAX);
    assert_eq!(Timestamp::MAX.saturating_add(Duration::from_nanos(1)), Timestamp::MAX);
    assert_eq!(Timestamp::MIN.saturating_sub(Duration::MAX), Timestamp::MIN);
    assert_eq!(Timestamp::MAX.since(Timestamp::MIN), Duration::from_nanos(u64::MAX));
    assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Duration::ZERO);
}

#[test]
fn timestamps_with_an_offset_without_one_and_out_of_range() {
    let utc: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
    assert_eq!("2026-01-31T13:00:00+01:00".parse(), Ok(utc));
    assert_eq!("2026-01-31T12:00:00".parse(), Ok(utc));
    assert_eq!("2026-01-31 12:00:00".parse(), Ok(utc));
    for bad in ["", "now", "2026-02-30T00:00:00Z", "2300-01-01T00:00:00Z", "1600-01-01T00:00:00Z"] {
        assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
    }
}

#[test]
fn confidences() {
    assert_eq!(Confidence::new(0.123_456_7).unwrap().millionths(), 123_457);
    assert_eq!(Confidence::new(-0.0).unwrap(), Confidence::ZERO);
    for bad in [-1e-9, 1.000_001, f64::NAN, f64::INFINITY] {
        assert!(Confidence::new(bad).is_err(), "{bad}");
    }
    assert_eq!(Confidence::saturating(f64::INFINITY), Some(Confidence::ONE));
    assert_eq!(Confidence::saturating(f64::NAN), None);
    assert_eq!(Confidence::from_millionths(1_000_001), None);
}

#[test]
fn identifiers_and_names() {
    assert!(EventId::new("").is_err());
    assert!(SelectorName::new("\t ").is_err());
    assert_eq!(EventId::from_u128(0).to_string(), "00000000-0000-0000-0000-000000000000");
    let upper = EventId::new("6F9619FF-8B86-4D01-B42D-00CF4FC964FF").unwrap();
    assert_eq!(upper.as_u128(), None);
    assert_eq!(upper.to_string(), "6F9619FF-8B86-4D01-B42D-00CF4FC964FF");
    assert_eq!(StrategyKind::new("css"), StrategyKind::Css);
    assert_eq!(StrategyKind::new("CSS").as_str(), "CSS");
}

#[test]
fn derived_event_ids_are_stable_and_distinct() {
    let ids = |run: &str, producer: &str| {
        EventIds::new(&RunId::new(run).unwrap(), &ProducerId::new(producer).unwrap())
    };
    expect_test::expect!["e06985ab-3d71-80af-9ddf-0082de2053eb"]
        .assert_eq(&ids("run", "p").id(0).to_string());
    expect_test::expect!["67f5d12a-204e-8187-89bc-cc6fa495fcac"]
        .assert_eq(&ids("run", "p").id(1 << 40).to_string());
    assert_ne!(ids("ab", "c").id(0), ids("a", "bc").id(0));
    let many: std::collections::HashSet<_> =
        (0..10_000).map(|sequence| ids("run", "p").id(sequence)).collect();
    assert_eq!(many.len(), 10_000);
}

#[test]
fn sites() {
    assert_eq!(
        site_of_url("https://user:pw@www.shop.example:8080/a?b#c"),
        Some("shop.example:8080")
    );
    assert_eq!(site_of_url("about:blank"), None);
    assert_eq!(site_of_url("file:///tmp/a.html"), None);
}

proptest! {
    #[test]
    fn identifiers_keep_their_text(text in "\\PC{1,40}", bits in any::<u128>()) {
        prop_assert_eq!(EventId::new(&text).unwrap().to_string(), text);
        let id = EventId::from_u128(bits);
        prop_assert_eq!(EventId::new(&id.to_string()).unwrap(), id);
    }

    #[test]
    fn timestamps_keep_every_nanosecond(nanos in any::<i64>()) {
        let at = Timestamp::from_nanos(nanos);
        prop_assert_eq!(at.to_string().parse(), Ok(at));
    }

    #[test]
    fn derived_ids_are_version_8_uuids(sequence in any::<u64>()) {
        let ids = EventIds::new(&RunId::new("r").unwrap(), &ProducerId::new("p").unwrap());
        let bits = ids.id(sequence).as_u128().unwrap();
        prop_assert_eq!((bits >> 76) & 0xf, 8);
        prop_assert_eq!((bits >> 62) & 0b11, 0b10);
    }
}

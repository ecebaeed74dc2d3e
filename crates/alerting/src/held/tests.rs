use super::*;
use crate::Rule;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use telemetry_models::{AlertAction, AlertRequest, EventId};

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        (0i64..100_000).prop_map(Timestamp::from_millis),
        any::<i64>().prop_map(|nanos| Timestamp::from_nanos(if nanos == i64::MIN {
            0
        } else {
            nanos
        })),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("shop.price fails: 3 of the last 3 operations".to_owned()),
        ".{0,12}",
        Just("a\0b".to_owned())
    ]
}

fn event() -> impl Strategy<Value = EventId> {
    prop_oneof![
        any::<u128>().prop_map(EventId::from_u128),
        "[a-z]{1,9}".prop_map(|text| EventId::new(&text).unwrap()),
    ]
}

fn texts() -> impl Strategy<Value = BTreeMap<String, String>> {
    proptest::collection::btree_map("[a-z]{1,3}", text(), 0..3)
}

fn factors() -> impl Strategy<Value = Vec<SeverityFactor>> {
    let breadth = (any::<u32>(), any::<u32>(), any::<i8>())
        .prop_map(|(open, watched, points)| Breadth { open, watched }.factor(points));
    let other = (text(), any::<i8>()).prop_map(|(found, points)| SeverityFactor {
        name: "effect".into(),
        found,
        points,
    });
    proptest::collection::vec(prop_oneof![breadth, other], 0..4)
}

prop_compose! {
    fn last_good()(at in time(), event in event(), value in proptest::option::of(-9.0..9.0), count: u64)
        -> LastGood
    {
        LastGood { at, event, value, count }
    }
}

prop_compose! {
    fn alert()(
        times in (time(), proptest::option::of(time()), proptest::option::of(time()), time()),
        no_data_since in proptest::option::of(time()),
        values in (-1e9..1e9, -1e9..1e9, proptest::option::of(-1e9..1e9)),
        numbers in (any::<u32>(), any::<u32>()),
        words in (
            proptest::sample::select(Signal::ALL), proptest::sample::select(Comparison::ALL),
            proptest::sample::select(AlertSource::ALL), proptest::sample::select(Severity::ALL),
            proptest::sample::select(AlertReason::ALL), proptest::sample::select(AlertState::ALL),
        ),
        last_good in proptest::option::of(last_good()),
        events in proptest::collection::vec(event(), 0..4),
        said in (
            text(), proptest::option::of(text()), proptest::option::of(text()),
            proptest::option::of(text()), proptest::option::of(text()),
            proptest::option::of(text()), proptest::option::of(text()), proptest::option::of(text()),
        ),
        factors in factors(),
        (labels, annotations) in (texts(), texts()),
        id in prop_oneof!["[a-z]{1,8}(-[0-9a-f]{1,20})?", Just(String::new())],
        activated: i64,
        method in proptest::sample::select(ResolutionMethod::ALL),
        ended in 0u8..4,
        site: bool,
    ) -> Alert {
        let site: Option<Arc<str>> = site.then(|| "shop.test".into());
        let fingerprint = fingerprint("rule", "shop.price", site.as_ref());
        let usual = id.is_empty();
        let id = if usual { super::id(&fingerprint, activated) } else { id };
        let selector = SelectorName::new("shop.price").unwrap();
        let (signal, comparison, source, severity, reason, state) = words;
        let mut alert = Alert {
            fingerprint: if usual { fingerprint.into() } else { "other".into() },
            site, comparison, source, severity, reason, state, no_data_since, last_good, factors,
            labels, annotations,
            state_since: times.1, fired_at: times.2, updated_at: times.3,
            value: values.0, threshold: values.1, baseline: values.2,
            samples: numbers.0.into(), reopened: numbers.1,
            evidence: Evidence {
                events, url: said.5.map(Into::into), before: said.3, now: said.4,
            },
            summary: said.0, likely_cause: said.1, suggestion: said.2,
            page_template: said.6.map(Into::into), runbook: said.7,
            ..Alert::new(AlertId::new(id).unwrap(), "rule", selector, signal, times.0)
        };
        if ended == 1 {
            alert.resolve(method, times.3);
        }
        if ended > 1 {
            alert.state = AlertState::Firing;
            let request = |action| AlertRequest {
                alert: alert.id.clone(), at: Timestamp::from_millis(5), by: "ada".into(),
                why: Some("shop.price".into()), action,
            };
            let acknowledge = request(AlertAction::Acknowledge);
            let resolve = request(AlertAction::Resolve { method });
            alert.apply(&acknowledge).unwrap();
            if ended > 2 {
                alert.apply(&resolve).unwrap();
            }
        }
        alert
    }
}

proptest! {
    #[test]
    fn an_alert_comes_back_as_it_was(alert in alert()) {
        let rule = Rule::new("rule", Signal::ErrorRate, Comparison::AtLeast, 0.5);
        let place = Place { rule: &rule, selector: &alert.selector, site: alert.site.as_ref() };
        let held = Held::of(&alert, place, &mut Shelf::default());
        prop_assert!(held.may_be(&alert.id));
        prop_assert_eq!(held.alert(place, alert.state), alert);
    }
}

#[test]
fn alerts_that_are_alike_share_their_texts_and_are_small() {
    let rule = Rule::new("rule", Signal::ErrorRate, Comparison::AtLeast, 0.5);
    let mut shelf = Shelf::default();
    let site: Arc<str> = "shop.test".into();
    let mut hold = |number: u32| {
        let selector = SelectorName::new(format!("shop.{number}.price")).unwrap();
        let fingerprint = fingerprint("rule", selector.as_str(), Some(&site));
        let since = Timestamp::from_millis(1_700_000_000_000);
        let id = AlertId::new(id(&fingerprint, since.as_nanos() + 7)).unwrap();
        let alert = Alert {
            fingerprint: fingerprint.into(),
            site: Some(Arc::clone(&site)),
            threshold: rule.fire_at,
            summary: format!("{selector} matches nothing: 1 of the last 1 operations"),
            suggestion: Some("check the selector's definition".into()),
            factors: vec![Breadth { open: number, watched: number }.factor(1)],
            evidence: Evidence {
                events: vec![EventId::from_u128(number.into())],
                ..Evidence::default()
            },
            state: AlertState::Firing,
            state_since: Some(since),
            fired_at: Some(since.saturating_add(Duration::from_millis(3))),
            ..Alert::new(id, "rule", selector.clone(), Signal::ErrorRate, since)
        };
        let place = Place { rule: &rule, selector: &selector, site: Some(&site) };
        let held = Held::of(&alert, place, &mut shelf);
        assert_eq!(held.alert(place, AlertState::Firing), alert);
        held
    };
    let (one, other) = (hold(1), hold(2));
    assert!(Arc::ptr_eq(&one.texts, &other.texts));
    assert!(size_of::<Held>() + one.packed.len() <= 104, "{} bytes", one.packed.len());
}

use proptest::prelude::*;
use telemetry_models::{Event, json};
use telemetry_testkit::arbitrary_event;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn an_event_comes_back_as_it_was(event in arbitrary_event()) {
        prop_assert_eq!(event.validate(), Ok(()));
        let text = json::to_string(&event);
        prop_assert!(!text.contains('\n'));
        let back = json::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}\n{text}")))?;
        prop_assert_eq!(&back, &event);
        prop_assert_eq!(json::to_string(&back), text);
    }

    #[test]
    fn through_a_value_and_through_serde(event in arbitrary_event()) {
        let value = json::to_value(&event);
        let back: Event = serde_json::from_value(value).unwrap();
        prop_assert_eq!(&back, &event);
        let pretty = serde_json::to_vec_pretty(&event).unwrap();
        prop_assert_eq!(&json::from_slice(&pretty).unwrap(), &event);
        prop_assert_eq!(&serde_json::from_reader::<_, Event>(pretty.as_slice()).unwrap(), &event);
    }

    #[test]
    fn a_cut_line_is_an_error_and_not_a_panic(event in arbitrary_event(), at in any::<prop::sample::Index>()) {
        let text = json::to_string(&event);
        let at = at.index(text.len());
        prop_assert!(json::from_slice(&text.as_bytes()[..at]).is_err());
    }
}

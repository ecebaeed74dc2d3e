use crate::events::{attempt, event};
use std::time::Duration;
use telemetry_aggregation::SelectorSummary;
use telemetry_models::{
    AttemptOutcome, Confidence, ErrorInfo, EventId, Outcome, OutcomeClass, ShadowProbe,
};

#[test]
fn nothing_is_none() {
    let summary = SelectorSummary::new();
    assert_eq!((summary.operations(), summary.verdicts()), (0, 0));
    assert_eq!(summary.confidence.moments.mean(), None);
    assert_eq!(summary.elements.mean(), None);
    assert_eq!(summary.durations.quantile(0.5), None);
    assert_eq!((summary.winning_strategy(), summary.last_success.clone()), (None, None));
    assert_eq!(summary.timeline.start(), None);
}

#[test]
fn environment_faults_are_no_verdicts() {
    let mut summary = SelectorSummary::new();
    for (id, outcome) in Outcome::ALL.iter().enumerate() {
        summary.add(&event(id as u128, id as i64, *outcome));
    }
    assert_eq!(summary.operations(), 14);
    assert_eq!((summary.successes(), summary.verdicts()), (1, 7));
    assert_eq!(summary.of_class(OutcomeClass::EnvironmentFault), 4);
}

#[test]
fn strategies_without_shadow_probes() {
    let mut summary = SelectorSummary::new();
    let mut found = event(1, 0, Outcome::Success);
    found.attempts = vec![
        attempt("css", ".old", AttemptOutcome::Empty),
        attempt("xpath", "//b", AttemptOutcome::Accepted),
        attempt("text", "Price", AttemptOutcome::Accepted),
    ];
    found.attempts[2].shadow = Some(ShadowProbe { probability: Confidence::new(0.02).unwrap() });
    summary.add(&found);
    let (kind, text) = summary.winning_strategy().unwrap();
    assert_eq!((kind.as_str(), text.as_deref()), ("xpath", Some("//b")));
    assert_eq!((summary.fallbacks(), summary.depths_known()), (1, 1));
    let of = |name: &str| {
        let (_, it) =
            summary.strategies.iter().find(|((kind, _), _)| kind.as_str() == name).unwrap();
        (it.tried, it.accepted, it.empty, it.shadow, it.durations.n())
    };
    assert_eq!(of("css"), (1, 0, 1, 0, 1));
    assert_eq!(of("xpath"), (1, 1, 0, 0, 1));
    assert_eq!(of("text"), (0, 0, 0, 1, 0));
}

#[test]
fn errors_that_differ_in_numbers_are_one_group() {
    let mut summary = SelectorSummary::new();
    for (id, message) in ["after 10 s", "after 2000 s", "after none"].into_iter().enumerate() {
        let mut failed = event(id as u128, id as i64, Outcome::Timeout);
        failed.error = Some(ErrorInfo {
            kind: "timeout".into(),
            message: Some(message.into()),
            ..ErrorInfo::default()
        });
        summary.add(&failed);
    }
    let mut groups: Vec<_> = summary
        .errors
        .iter()
        .map(|((_, message), group)| (message.as_deref().unwrap(), group.count))
        .collect();
    groups.sort_unstable();
    assert_eq!(groups, [("after # s", 2), ("after none", 1)]);
}

#[test]
fn an_unbelievable_time_counts_but_stays_off_the_timeline() {
    let mut summary = SelectorSummary::new();
    summary.add(&event(1, 0, Outcome::Success));
    let mut skewed = event(2, 1_000_000_000, Outcome::Success);
    skewed.timing.total = Some(Duration::from_millis(3));
    summary.add_untimed(&skewed);
    assert_eq!((summary.successes(), summary.durations.n()), (2, 1));
    assert_eq!(summary.timeline.width(), Duration::from_secs(1));
    assert_eq!(summary.last_success.unwrap().1, EventId::from_u128(1));
}

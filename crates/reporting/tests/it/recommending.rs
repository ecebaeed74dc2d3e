//! What a report advises, and what it says of advice that was taken.

use crate::events::{at, make, store};
use telemetry_interfaces::ReportRenderer;
use telemetry_models::report::{RecommendationKind, Report, ReportKind};
use telemetry_models::{AttemptOutcome, Event, Outcome, PageContext, Timestamp};
use telemetry_reporting::{
    CsvRenderer, HtmlRenderer, MarkdownRenderer, ReportBuilder, ReportRequest, ReportingConfig,
    TerminalRenderer,
};

const STEP_S: i64 = 600;

/// The first strategy takes 2 ms and never matches, the second takes 1 ms and always does; from
/// `swapped` on the definition has a new version and the second stands first.
fn events(n: u32, swapped: u32) -> Vec<Event> {
    let operation = |n: u32| {
        let page = PageContext::at(&format!("https://shop.example/{}", n % 97));
        let it = make(u128::from(n) + 1, "shop.price", i64::from(n) * STEP_S, Outcome::Success);
        let mut it = it.page(page);
        it = if n < swapped {
            it.ms(3).attempt("css", ".price", AttemptOutcome::Empty)
        } else {
            it.ms(1)
        };
        let mut event = it.attempt("xpath", "//b", AttemptOutcome::Accepted).event;
        for attempt in &mut event.attempts {
            let ms = if attempt.outcome == AttemptOutcome::Empty { 2 } else { 1 };
            attempt.duration = Some(std::time::Duration::from_millis(ms));
        }
        event.selector_version = Some(if n < swapped { 1 } else { 2 });
        event
    };
    (0..n).map(operation).collect()
}

fn report(events: &[Event]) -> Report {
    let now: Timestamp = at(i64::try_from(events.len()).unwrap() * STEP_S);
    let request =
        ReportRequest { now, kind: ReportKind::Recommendations, ..ReportRequest::default() };
    let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
    builder.build(&store(events), &request, &mut |_| {}).unwrap()
}

#[test]
fn a_card_says_what_to_change_what_it_saves_on_what_grounds_and_how_to_undo_it() {
    let report = report(&events(900, 900));
    let section = report.recommendations.as_ref().unwrap();
    let card = section
        .cards
        .iter()
        .find(|it| it.kind == RecommendationKind::PromoteFallback)
        .unwrap_or_else(|| panic!("{:?}", section.cards));
    let saving = card.saving_ms_per_day.as_ref().unwrap();
    // 144 operations a day, 2 of 3 ms each.
    assert!((saving.value / 288.0 - 1.0).abs() < 0.05, "{saving:?}");
    assert!(saving.low > 0.0 && saving.low <= saving.value && saving.value <= saving.high);
    assert!((card.saving_share.unwrap() - 2.0 / 3.0).abs() < 0.02, "{card:?}");
    assert_eq!(card.coverage.as_ref().unwrap().share, 1.0);
    assert!(card.n >= 250, "{}", card.n);
    assert_eq!(card.success_effect.as_ref().unwrap().value, 0.0);
    assert!(!card.evidence.is_empty() && !card.undo.is_empty());
    assert!(card.diff.iter().any(|it| it.starts_with("- 1. css .price")), "{:?}", card.diff);
    assert!(card.diff.iter().any(|it| it.starts_with("+ 1. xpath //b")), "{:?}", card.diff);
    let joint = section.joint_ms_per_day.as_ref().unwrap();
    let sum: f64 =
        section.cards.iter().filter_map(|it| it.saving_ms_per_day).map(|it| it.value).sum();
    assert!(joint.value <= sum + 1e-6, "{joint:?} of {sum}");
}

#[test]
fn what_came_of_a_change_stands_beside_what_was_predicted() {
    let report = report(&events(900, 600));
    let adopted = &report.recommendations.as_ref().unwrap().adopted;
    let [it] = adopted.as_slice() else { panic!("{adopted:?}") };
    assert_eq!((it.from_version, it.to_version, it.n), (1, 2, (600, 300)));
    let realised = it.realised.as_ref().unwrap();
    assert!((realised.value - 2.0 / 3.0).abs() < 0.01, "{realised:?}");
    assert!((it.predicted.unwrap() - 2.0 / 3.0).abs() < 0.01, "{it:?}");
    for renderer in [&MarkdownRenderer::new() as &dyn ReportRenderer, &HtmlRenderer::new()] {
        let text = renderer.render(&report).unwrap();
        assert!(text.contains("What came of changes"), "{}", renderer.format());
        assert!(text.contains("+66.7%"), "{}", renderer.format());
    }
    assert!(TerminalRenderer::new().render(&report).unwrap().lines().count() <= 24);
    assert!(CsvRenderer::new().render(&report).unwrap().lines().count() > 1);
}

#[test]
fn too_little_known_says_what_to_do() {
    // Half of the operations never come to the second strategy, and nothing probes it.
    let mut events = events(900, 0);
    for (at, event) in events.iter_mut().enumerate() {
        let mut first = event.attempts[0].clone();
        first.kind = telemetry_models::StrategyKind::new("css");
        first.text = Some(".price".into());
        if at % 2 == 0 {
            event.attempts = vec![first];
        } else {
            first.outcome = AttemptOutcome::Empty;
            first.duration = Some(std::time::Duration::from_millis(40));
            event.attempts.insert(0, first);
        }
    }
    let report = report(&events);
    let section = report.recommendations.as_ref().unwrap();
    assert!(section.cards.iter().all(|it| it.order.is_empty()), "{:?}", section.cards);
    let [it] = section.scarce.as_slice() else { panic!("{:?}", section.scarce) };
    assert!(it.unknown.contains("50.0%") && it.learn.contains("shadow probes"), "{it:?}");
}

#[test]
fn waiting_less_keeping_results_and_trusting_less() {
    let mut events = Vec::new();
    for n in 0..1_200u32 {
        let second = i64::from(n) * STEP_S;
        let id = u128::from(n) * 10;
        let make_at = |id: u128, selector: &str, second: i64, outcome| {
            let mut page = PageContext::at(&format!("https://shop.example/{}", n % 97));
            page.entered_at = Some(at(i64::from(n) * STEP_S));
            make(id, selector, second, outcome).page(page)
        };
        // Successes take up to 60 ms, every tenth operation waits 30 s for nothing.
        let slow = n % 10 == 0;
        let outcome = if slow { Outcome::Timeout } else { Outcome::Success };
        let ms = if slow { 30_000 } else { 10 + u64::from(n % 50) };
        events.push(make_at(id, "a.waits", second, outcome).ms(ms).event);
        // Looked for twice on each page.
        for (id, second) in [(id + 1, second), (id + 2, second + 5)] {
            events.push(make_at(id, "b.repeats", second, Outcome::Success).ms(4).event);
        }
        // Below 0.5 every second match is wrong.
        let sure = n % 3 != 0;
        let confidence = if sure { 0.95 } else { 0.45 };
        let mut it = make_at(id + 3, "c.checked", second, Outcome::Success).confidence(confidence);
        it.event.quality.validation_passed = Some(sure || n % 2 == 0);
        events.push(it.event);
    }
    events.sort_by_key(|event| event.timestamp);
    let now = at(1_300 * STEP_S);
    let request =
        ReportRequest { now, kind: ReportKind::Recommendations, ..ReportRequest::default() };
    let builder = ReportBuilder::new(ReportingConfig::default()).unwrap();
    let report = builder.build(&store(&events), &request, &mut |_| {}).unwrap();
    let cards = &report.recommendations.as_ref().unwrap().cards;
    let change = |kind: RecommendationKind| {
        let own: Vec<_> = cards.iter().filter(|it| it.kind == kind).collect();
        let [card] = own.as_slice() else { panic!("{kind:?}: {cards:?}") };
        (card.selector.as_str().to_owned(), card.change.clone())
    };
    let (selector, wait) = change(RecommendationKind::SetTimeout);
    assert_eq!(selector, "a.waits");
    // One and a half times the slowest success.
    assert!(wait.starts_with("Wait 8") && wait.ends_with("instead of 30.0 s."), "{wait}");
    assert_eq!(change(RecommendationKind::CacheResult).0, "b.repeats");
    let (selector, trust) = change(RecommendationKind::RaiseThreshold);
    assert_eq!((selector.as_str(), trust.contains("below 0.5")), ("c.checked", true), "{trust}");
}

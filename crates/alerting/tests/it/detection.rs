use std::sync::Arc;
use std::time::Duration;
use telemetry_alerting::{AlertingConfig, DetectionConfig, DetectionEngine, DetectionMemory};
use telemetry_interfaces::AlertEngine;
use telemetry_models::{
    AlertAction, AlertRequest, AlertState, AlertTransition, Confidence, Event, EventId,
    OperationKind, Outcome, PageContext, ResolutionMethod, SelectorName, Signal, Timestamp,
};

const BUDGET: DetectionConfig = DetectionConfig { false_alarms_per_day: 0.1 };

struct Scene {
    engine: DetectionEngine,
    number: u128,
    changes: Vec<AlertTransition>,
}

impl Scene {
    fn new() -> Self {
        let engine = DetectionEngine::new(&BUDGET, 100).expect("a valid budget");
        Self { engine, number: 0, changes: Vec::new() }
    }

    /// One operation a second, each on a page of its own unless `page` names one.
    fn operation(&mut self, selector: &str, outcome: Outcome, page: Option<&str>) {
        self.number += 1;
        let mut event = Event::new(
            EventId::from_u128(self.number),
            SelectorName::new(selector).expect("not blank"),
            Timestamp::from_millis(1_700_000_000_000 + 1000 * self.number as i64),
            OperationKind::Resolution,
            outcome,
        );
        let own = format!("https://shop.test/{}", self.number);
        event.page = Some(Arc::new(PageContext::at(page.unwrap_or(&own))));
        event.selector_version = Some(1);
        self.engine.observe(&[event], &mut self.changes);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + 1000 * self.number as i64)
    }

    fn fired(&self) -> Vec<&AlertTransition> {
        self.changes.iter().filter(|it| it.alert.state == AlertState::Firing).collect()
    }
}

#[test]
fn a_rise_that_no_window_sees_is_found_and_dated() {
    let mut scene = Scene::new();
    let mut rng = fastrand::Rng::with_seed(5);
    for (share, operations) in [(0.01, 5_000), (0.1, 600)] {
        for _ in 0..operations {
            let bad = rng.f64() < share;
            let outcome = if bad { Outcome::Timeout } else { Outcome::Success };
            scene.operation("shop.price", outcome, None);
        }
        assert!(share > 0.05 || scene.fired().is_empty());
    }
    let fired = scene.fired();
    assert_eq!(fired.len(), 1, "faults that are timeouts are announced as such, once");
    let alert = &fired[0].alert;
    assert_eq!((alert.signal, &*alert.rule), (Signal::TimeoutRate, "detected-timeout-rate"));
    let onset = alert.since.as_millis() - 1_700_000_000_000;
    assert!((4_950_000..5_060_000).contains(&onset), "dated {onset} ms");
    assert!(!alert.evidence.events.is_empty());
    assert!(alert.summary.contains("usual, learned from"), "{}", alert.summary);
}

#[test]
fn retries_on_one_page_and_faults_of_the_environment_are_no_evidence_against_a_selector() {
    let mut scene = Scene::new();
    for _ in 0..500 {
        scene.operation("shop.price", Outcome::Success, None);
    }
    for _ in 0..9 {
        scene.operation("shop.price", Outcome::NotFound, Some("https://shop.test/one"));
    }
    assert!(scene.changes.is_empty(), "{:?}", scene.changes);
    for _ in 0..50 {
        scene.operation("shop.price", Outcome::Blocked, None);
    }
    let signals: Vec<_> = scene.fired().iter().map(|it| it.alert.signal).collect();
    assert_eq!(signals, [Signal::EnvironmentFaultRate]);
}

#[test]
fn tells_one_selector_from_the_whole_page() {
    for (broken, says) in [(1, "still work"), (4, "redesigned")] {
        let mut scene = Scene::new();
        let names = ["shop.price", "shop.title", "shop.stock", "shop.image"];
        for visit in 0..60 {
            for (at, name) in names.iter().enumerate() {
                let bad = visit >= 50 && at < broken;
                let outcome = if bad { Outcome::NotFound } else { Outcome::Success };
                scene.operation(name, outcome, None);
            }
        }
        let fired = scene.fired();
        assert_eq!(fired.len(), broken);
        for change in fired {
            let cause = change.alert.likely_cause.as_deref().expect("there is a comparison");
            assert!(cause.contains(says), "{cause}");
        }
    }
}

#[test]
fn confidence_that_no_longer_means_anything_is_told() {
    let mut scene = Scene::new();
    for visit in 0..400 {
        scene.number += 1;
        // First 19 of 20 are right at 0.95, then every second.
        let wrong = if visit < 300 { visit % 20 == 7 } else { visit % 2 == 0 };
        let outcome = if wrong { Outcome::ValidationFailed } else { Outcome::Success };
        let mut event = Event::new(
            EventId::from_u128(scene.number),
            SelectorName::new("shop.price").expect("not blank"),
            scene.now(),
            OperationKind::Resolution,
            outcome,
        );
        event.quality.confidence = Some(Confidence::new(0.95).expect("in range"));
        event.quality.validation_passed = Some(!wrong);
        scene.engine.observe(&[event], &mut scene.changes);
    }
    let fired = scene.fired();
    let told = fired.iter().find(|it| &*it.alert.rule == "detected-calibration");
    let alert = &told.expect("it is found").alert;
    assert_eq!(alert.signal, Signal::Confidence);
    assert!(alert.summary.contains("no longer means anything"), "{}", alert.summary);
}

#[test]
fn a_redesign_is_sure_after_fewer_operations_than_one_selectors_fault() {
    let after = |broken: usize| {
        let mut scene = Scene::new();
        let mut rng = fastrand::Rng::with_seed(3);
        for visit in 0..60 {
            let page = format!("https://shop.test/item?visit={visit}");
            for at in 0..6 {
                // One visit in ten lacks the element rightly.
                let missing = if visit < 20 { rng.f64() < 0.1 } else { at < broken };
                let outcome = if missing { Outcome::NotFound } else { Outcome::Success };
                scene.operation(&format!("shop.{at}"), outcome, Some(&page));
            }
            if scene.fired().iter().any(|it| it.alert.selector.as_str() == "shop.0") {
                return (visit - 19, scene.fired().len());
            }
        }
        panic!("never found");
    };
    let (alone, of_one) = after(1);
    let (together, of_five) = after(5);
    assert!(together <= 4 && together < alone, "{together} and {alone} visits");
    assert_eq!(of_one, 1);
    assert!(of_five <= 5, "the sixth still works");
}

#[test]
fn goes_on_after_a_restart_and_resolves_what_was_open() {
    let mut scene = Scene::new();
    for visit in 0..110 {
        let outcome = if visit < 100 { Outcome::Success } else { Outcome::NotFound };
        scene.operation("shop.price", outcome, None);
    }
    let stored = serde_json::to_string(&scene.engine.remember()).expect("plain data");
    let open = scene.engine.open();
    assert_eq!(open.len(), 1);

    let mut later = Scene { number: scene.number, ..Scene::new() };
    let memories: Vec<DetectionMemory> = serde_json::from_str(&stored).expect("what was written");
    later.engine.recall(memories);
    later.engine.restore(open);
    later.operation("shop.price", Outcome::NotFound, None);
    assert!(later.changes.is_empty(), "nothing is announced twice");
    for _ in 0..10 {
        later.operation("shop.price", Outcome::Success, None);
    }
    let states: Vec<_> = later.changes.iter().map(|it| it.alert.state).collect();
    assert_eq!(states, [AlertState::Resolved]);
}

#[test]
fn an_alert_ended_by_hand_comes_back_on_new_evidence_only() {
    let mut scene = Scene::new();
    for visit in 0..110 {
        let outcome = if visit < 100 { Outcome::Success } else { Outcome::NotFound };
        scene.operation("shop.price", outcome, None);
    }
    let alert = scene.engine.open().remove(0);
    let request = AlertRequest {
        alert: alert.id.clone(),
        action: AlertAction::Resolve { method: ResolutionMethod::Manual },
        at: alert.updated_at,
        by: "ann".into(),
        why: None,
    };
    let changes = &mut scene.changes;
    scene.engine.handle(&request, changes).expect("the detectors' alert").expect("it is open");
    assert!(scene.engine.open().is_empty());
    scene.operation("shop.price", Outcome::NotFound, None);
    assert_eq!(scene.fired().len(), 1, "one more fault is not enough");
    for _ in 0..10 {
        scene.operation("shop.price", Outcome::NotFound, None);
    }
    assert_eq!(scene.fired().len(), 2);
}

#[test]
fn a_memory_of_another_form_costs_the_part_that_changed() {
    let mut scene = Scene::new();
    for _ in 0..50 {
        scene.operation("shop.price", Outcome::Success, None);
    }
    let text = serde_json::to_string(&scene.engine.remember()).expect("plain data");
    let mut memories: serde_json::Value = serde_json::from_str(&text).expect("what was written");
    let parts = memories[0]["detectors"].as_object_mut().expect("one part for each detector");
    parts.insert("duration".into(), "another form".into());
    parts.insert("of_a_later_version".into(), 7.into());
    parts.remove("mix");
    let memories: Vec<DetectionMemory> = serde_json::from_value(memories).expect("same envelope");
    let mut later = Scene { number: scene.number, ..Scene::new() };
    later.engine.recall(memories);
    for _ in 0..8 {
        later.operation("shop.price", Outcome::NotFound, None);
    }
    let fired = later.fired();
    assert_eq!(fired.len(), 1, "that it worked is known");
    assert!(fired[0].alert.summary.contains("learned from 50"), "{}", fired[0].alert.summary);
}

#[test]
fn never_worked_is_told_from_stopped_working() {
    let mut scene = Scene::new();
    for visit in 0..30 {
        scene.operation("shop.new", Outcome::NotFound, None);
        let old = if visit < 20 { Outcome::Success } else { Outcome::LowConfidence };
        scene.operation("shop.old", old, None);
    }
    let summaries: Vec<_> = scene.fired().iter().map(|it| it.alert.summary.clone()).collect();
    assert_eq!(summaries.len(), 2, "{summaries:?}");
    assert!(summaries[0].starts_with("shop.new never worked: all of its first 12"));
    assert!(summaries[1].starts_with("shop.old stopped working"), "{}", summaries[1]);
    let since = scene.fired()[1].alert.since.as_millis() - 1_700_000_000_000;
    assert_eq!(since, 42_000, "dated at its first fault");
}

#[test]
fn a_blocked_site_is_no_fault_of_its_selectors() {
    let mut scene = Scene::new();
    for visit in 0..140 {
        for name in ["shop.price", "shop.title"] {
            let outcome = if visit < 100 { Outcome::Success } else { Outcome::Blocked };
            scene.operation(name, outcome, None);
        }
    }
    let fired = scene.fired();
    assert_eq!(fired.len(), 2);
    for change in &fired {
        assert_eq!(change.alert.signal, Signal::EnvironmentFaultRate);
        assert_eq!(change.alert.labels["scope"], "environment");
    }
    let cause = fired[1].alert.likely_cause.as_deref().expect("the other one is blocked");
    assert!(cause.contains("blocked or down"), "{cause}");
}

#[test]
fn silence_is_seen_by_ticks_and_a_jump_of_the_clock_is_none() {
    let mut scene = Scene::new();
    for _ in 0..600 {
        scene.operation("shop.price", Outcome::Success, None);
        scene.engine.tick(scene.now(), &mut scene.changes);
    }
    let jump = scene.now().saturating_add(Duration::from_secs(3_600));
    scene.engine.tick(jump, &mut scene.changes);
    assert!(scene.changes.is_empty(), "a clock that jumps is no silence");
    for second in 0..300 {
        let now = jump.saturating_add(Duration::from_secs(second));
        scene.engine.tick(now, &mut scene.changes);
    }
    let fired = scene.fired();
    assert_eq!(fired.len(), 1);
    assert_eq!(&*fired[0].alert.rule, "detected-silence");
    scene.operation("shop.price", Outcome::Success, None);
    assert!(scene.engine.open().is_empty(), "the next call ends it");
}

#[test]
fn the_budget_has_a_range() {
    let mut config = AlertingConfig::default();
    config.detection.false_alarms_per_day = -1.0;
    let error = config.validate().expect_err("below zero");
    assert!(error.to_string().contains("0 to 1000"), "{error}");
}

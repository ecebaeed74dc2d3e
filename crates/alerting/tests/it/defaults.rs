use crate::scene::{Visits, at, default_engine, fired, observe, rules_fired};
use expect_test::{Expect, expect};
use telemetry_interfaces::AlertEngine;
use telemetry_models::{Alert, AlertState, Event, Outcome, OutcomeClass};

/// 40 visits that find the selector, then `after` of another kind; which rules fire, and after how
/// many operations of the new kind.
fn check(after: i64, kind: impl FnMut(&mut Visits, i64) -> Event, expected: Expect) {
    expected.assert_eq(&fired_after(after, kind));
}

fn check_rules(after: i64, kind: impl FnMut(&mut Visits, i64) -> Event, expected: &str) {
    assert_eq!(fired_after(after, kind), expected);
}

fn fired_after(after: i64, mut kind: impl FnMut(&mut Visits, i64) -> Event) -> String {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.product.price");
    let mut text = String::new();
    for visit in 0..40 + after {
        let event = if visit < 40 { visits.found() } else { kind(&mut visits, visit - 40) };
        for alert in fired(&observe(&mut engine, &[event])) {
            text += &format!("{} after {}\n", alert.rule, visit - 39);
        }
    }
    text.trim_end().to_owned()
}

#[test]
fn broken() {
    check(40, |visits, _| visits.missing(), expect!["selector-broken after 4"]);
}

#[test]
fn broken_in_another_way() {
    let outcomes = [Outcome::Ambiguous, Outcome::Timeout, Outcome::ValidationFailed];
    check(
        40,
        |visits, at| visits.event(outcomes[at as usize % 3]),
        expect!["selector-broken after 4"],
    );
}

#[test]
fn falls_back() {
    check(40, |visits, _| visits.fallen_back(), expect!["selector-fallback after 5"]);
}

#[test]
fn falls_back_on_every_other_page() {
    check(
        40,
        |visits, at| if at % 2 == 0 { visits.fallen_back() } else { visits.found() },
        expect!["selector-fallback after 9"],
    );
}

#[test]
fn slowed() {
    check(40, |visits, _| visits.found_with(0.95, 30.0), expect!["selector-slow after 8"]);
}

#[test]
fn less_confident() {
    check(40, |visits, _| visits.found_with(0.6, 4.0), expect!["selector-confidence after 5"]);
}

#[test]
fn every_other_operation_fails() {
    check(
        60,
        |visits, at| if at % 2 == 0 { visits.missing() } else { visits.found() },
        expect!["selector-flaky after 15"],
    );
}

#[test]
fn single_and_double_misses_are_not_worth_an_alert() {
    check(
        400,
        |visits, at| if at % 20 < 2 { visits.missing() } else { visits.found() },
        expect![""],
    );
}

#[test]
fn what_says_nothing_about_the_selector_does_not_count() {
    for outcome in [
        Outcome::ExpectedAbsent,
        Outcome::NavigationFailed,
        Outcome::Blocked,
        Outcome::TargetClosed,
        Outcome::EngineError,
        Outcome::Cancelled,
        Outcome::Panicked,
    ] {
        let surroundings = outcome.class() == OutcomeClass::EnvironmentFault;
        let untested = if surroundings { "selector-untested after 4" } else { "" };
        check_rules(100, |visits, _| visits.event(outcome), untested);
        // Nor does it hide what does.
        check(
            100,
            |visits, at| if at % 2 == 0 { visits.event(outcome) } else { visits.missing() },
            expect!["selector-broken after 8"],
        );
    }
}

#[test]
fn a_selector_that_never_worked_is_told_from_one_that_broke() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.typo");
    let events: Vec<_> = (0..50).map(|_| visits.missing()).collect();
    let changes = observe(&mut engine, &events);
    assert_eq!(rules_fired(&changes), ["selector-never-matched"]);
    let alert = &changes[0].alert;
    assert_eq!(alert.last_good, None);
    expect!["shop.typo matches nothing: 10 of the last 10 operations (never good so far)"]
        .assert_eq(&alert.summary);
    expect!["check the selector's definition against https://shop.example/product/7"]
        .assert_eq(alert.suggestion.as_deref().unwrap());
}

#[test]
fn broken_after_twenty_visits_fires_within_five() {
    for good in [9, 20, 1000] {
        let mut engine = default_engine();
        let mut visits = Visits::of("shop.title");
        let before: Vec<_> = (0..good).map(|_| visits.found()).collect();
        assert_eq!(observe(&mut engine, &before), []);
        let after: Vec<_> = (0..5).map(|_| visits.missing()).collect();
        assert_eq!(rules_fired(&observe(&mut engine, &after)), ["selector-broken"], "{good}");
    }
}

/// Durations of a crowded machine: a heavy tail and busy spells that double everything.
#[test]
fn healthy_under_noisy_timing_stays_silent() {
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    let mut share = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (random >> 11) as f64 / (1u64 << 53) as f64
    };
    for base in [0.05, 0.5, 3.0, 50.0] {
        let mut engine = default_engine();
        let mut visits = Visits::of("shop.title");
        for visit in 0..5000 {
            let busy = if visit / 50 % 3 == 2 { 2.0 } else { 1.0 };
            let spike = if share() < 0.05 { 20.0 } else { 1.0 };
            let ms = base * busy * spike * (0.7 + 0.6 * share());
            let confidence = 0.9 + 0.1 * share();
            let changes = observe(&mut engine, &[visits.found_with(confidence, ms)]);
            assert_eq!(rules_fired(&changes), Vec::<&str>::new(), "{base} ms at {visit}");
        }
    }
}

#[test]
fn an_alert_ends_when_the_selector_works_again_and_leaves_no_other_behind() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.title");
    let mut events: Vec<_> = (0..30).map(|_| visits.found()).collect();
    events.extend((0..30).map(|_| visits.missing()));
    events.extend((0..60).map(|_| visits.found()));
    let states: Vec<_> =
        observe(&mut engine, &events).iter().map(|it| (it.from, it.alert.state)).collect();
    use AlertState::{Closed, Firing, Inactive, Resolved};
    assert_eq!(states, [(Inactive, Firing), (Firing, Resolved), (Resolved, Closed)]);
    assert_eq!(engine.open(), []);
}

#[test]
fn trouble_that_comes_back_within_the_cooldown_is_announced_once_by_the_same_rule() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.title");
    let mut events: Vec<_> = (0..30).map(|_| visits.found()).collect();
    events.extend((0..10).map(|_| visits.missing()));
    events.extend((0..10).map(|_| visits.found()));
    events.extend((0..60).map(|_| visits.missing()));
    let changes = observe(&mut engine, &events);
    assert_eq!(rules_fired(&changes), ["selector-broken", "selector-broken"]);
}

#[test]
fn a_new_definition_starts_afresh_and_a_failed_repair_does_not_end_the_alert() {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.title");
    visits.version = Some(1);
    let mut events: Vec<_> = (0..30).map(|_| visits.found()).collect();
    visits.version = Some(2);
    // Ten times slower, but that is the new definition's way: there is no past to compare with.
    events.extend((0..30).map(|_| visits.found_with(0.95, 40.0)));
    events.extend((0..5).map(|_| visits.missing()));
    visits.version = Some(3);
    events.extend((0..30).map(|_| visits.missing()));
    let changes = observe(&mut engine, &events);
    assert_eq!(rules_fired(&changes), ["selector-broken"]);
    assert_eq!(engine.open().len(), 1);
    visits.version = Some(4);
    let repaired: Vec<_> = (0..4).map(|_| visits.found()).collect();
    assert_eq!(observe(&mut engine, &repaired)[0].alert.state, AlertState::Resolved);
}

fn show(alert: &Alert) -> String {
    let list = |events: &[telemetry_models::EventId]| {
        events.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    };
    let good = alert.last_good.as_ref();
    format!(
        "{} {} {}\nsince {}\nlast good {}\nbefore {}\nnow {}\nevents {}\n{}\n{}\n{}",
        alert.rule,
        alert.severity,
        alert.site.as_deref().unwrap_or("-"),
        alert.since,
        good.map_or("-".into(), |it| format!("{} {} after {}", it.at, it.event, it.count)),
        alert.evidence.before.as_deref().unwrap_or("-"),
        alert.evidence.now.as_deref().unwrap_or("-"),
        list(&alert.evidence.events),
        alert.summary,
        alert.likely_cause.as_deref().unwrap_or("-"),
        alert.suggestion.as_deref().unwrap_or("-"),
    )
}

fn explained(kind: fn(&mut Visits) -> Event, expected: Expect) {
    let mut engine = default_engine();
    let mut visits = Visits::of("shop.product.price");
    let mut events: Vec<_> = (0..40).map(|_| visits.found()).collect();
    events.extend((0..40).map(|_| kind(&mut visits)));
    let changes = observe(&mut engine, &events);
    expected.assert_eq(&show(fired(&changes)[0]));
}

#[test]
fn every_alert_explains_itself() {
    explained(
        Visits::missing,
        expect![[r#"
        selector-broken high shop.example
        since 2027-01-15T08:00:40Z
        last good 2027-01-15T08:00:39Z shop.product.price-39 after 40
        before css span.price won
        now css span.price: empty; xpath //main//b: empty
        events shop.product.price-40 shop.product.price-41 shop.product.price-42 shop.product.price-43
        shop.product.price matches nothing: 4 of the last 4 operations (last good 08:00:39Z, 40 good before)
        the page no longer contains what any strategy looks for
        open https://shop.example/product/7 and look for what css span.price found"#]],
    );
    explained(
        Visits::fallen_back,
        expect![[r#"
        selector-fallback medium shop.example
        since 2027-01-15T08:00:40Z
        last good 2027-01-15T08:00:39Z shop.product.price-39 after 40
        before css span.price won
        now css span.price: empty; xpath //main//b: accepted
        events shop.product.price-40 shop.product.price-41 shop.product.price-42 shop.product.price-43 shop.product.price-44
        shop.product.price needs a fallback: 5 of the last 10 operations (last good 08:00:39Z, 40 good before)
        primary strategy css span.price: empty; xpath //main//b works
        promote xpath //main//b, which works now"#]],
    );
    explained(
        |visits| visits.found_with(0.95, 30.0),
        expect![[r#"
            selector-slow medium shop.example
            since 2027-01-15T08:00:40Z
            last good 2027-01-15T08:00:39Z shop.product.price-39 after 40
            before css span.price won
            now css span.price: accepted
            events shop.product.price-40 shop.product.price-41 shop.product.price-42 shop.product.price-43 shop.product.price-44 shop.product.price-45 shop.product.price-46 shop.product.price-47
            shop.product.price is slow: median 30 ms over the last 15 operations (4.00 ms before, last good 08:00:39Z, 40 good before)
            -
            look at css span.price, which took 30 ms of it"#]],
    );
    explained(
        |visits| visits.found_with(0.6, 4.0),
        expect![[r#"
            selector-confidence medium shop.example
            since 2027-01-15T08:00:40Z
            last good 2027-01-15T08:00:39Z shop.product.price-39 after 40
            before css span.price won
            now css span.price: accepted
            events shop.product.price-40 shop.product.price-41 shop.product.price-42 shop.product.price-43 shop.product.price-44
            shop.product.price is found with less confidence: median 0.60 over the last 10 operations (0.95 before, last good 08:00:39Z, 40 good before)
            -
            check on https://shop.example/product/7 that what is found is still the right element"#]],
    );
}

/// A site that cannot be reached says nothing about its selectors, and is told as what it is.
#[test]
fn unreachable() {
    for (outcome, cause) in [
        (Outcome::NavigationFailed, "the page cannot be loaded"),
        (Outcome::Blocked, "the site has blocked this program"),
        (Outcome::EngineError, "the engine itself fails"),
    ] {
        let (mut engine, mut visits) = (default_engine(), Visits::of("shop.price"));
        let good: Vec<_> = (0..20).map(|_| visits.found()).collect();
        assert_eq!(observe(&mut engine, &good), []);
        let bad: Vec<_> = (0..8).map(|_| visits.event(outcome)).collect();
        let changes = observe(&mut engine, &bad);
        assert_eq!(rules_fired(&changes), ["selector-untested"]);
        let alert = fired(&changes)[0];
        assert_eq!(alert.likely_cause.as_deref(), Some(cause));
        assert_eq!(alert.last_good.as_ref().unwrap().at, at(19));
        let good: Vec<_> = (0..8).map(|_| visits.found()).collect();
        assert_eq!(observe(&mut engine, &good)[0].alert.state, AlertState::Resolved);
    }
}

use crate::scene::{Visits, at, engine_of, fired, observe, tick};
use std::time::Duration;
use telemetry_alerting::{NoData, Rule};
use telemetry_interfaces::AlertEngine;
use telemetry_models::{
    AlertReason, AlertState, ChangeCause, Comparison, PageContext, ResolutionMethod, Severity,
    Signal,
};

fn errors() -> Rule {
    Rule {
        within: Some(Duration::from_secs(60)),
        ..Rule::new("errors", Signal::ErrorRate, Comparison::Above, 0.5)
    }
}

#[test]
fn no_data_as_the_end_is_said_to_be_that() {
    let mut engine = engine_of(vec![Rule { no_data: NoData::Ok, ..errors() }]);
    let mut visits = Visits::of("shop.title");
    let bad: Vec<_> = (0..3).map(|_| visits.missing()).collect();
    assert_eq!(fired(&observe(&mut engine, &bad)).len(), 1);
    let changes = tick(&mut engine, at(120));
    let last = changes.iter().find(|it| it.alert.state == AlertState::Resolved).unwrap();
    assert_eq!(last.alert.handling.resolution.as_ref().unwrap().method, ResolutionMethod::NoData);
}

#[test]
fn a_selector_that_is_not_measured_any_more_is_an_alert_until_it_is() {
    let after = NoData::AlertAfter(Duration::from_secs(300));
    let mut engine = engine_of(vec![Rule { no_data: after, ..errors() }]);
    let mut visits = Visits::of("shop.title");
    assert_eq!(tick(&mut engine, at(-1000)), [], "what never was measured is not missed");
    let good: Vec<_> = (0..5).map(|_| visits.found()).collect();
    assert_eq!(observe(&mut engine, &good), []);
    assert_eq!(tick(&mut engine, at(303)), []);
    let changes = tick(&mut engine, at(304));
    let alert = fired(&changes)[0];
    assert_eq!((alert.reason, alert.no_data_since), (AlertReason::NoData, Some(at(4))));
    assert_eq!(alert.summary, "shop.title is not measured any more: no error_rate since 08:00:04Z");
    visits.next = 400;
    let changes = observe(&mut engine, &[visits.found()]);
    assert_eq!(changes.last().unwrap().alert.state, AlertState::Resolved);
}

#[test]
fn a_share_of_few_operations_proves_little() {
    let rule = |confidence| Rule {
        confidence,
        last: Some(20),
        min_samples: Some(3),
        ..Rule::new("errors", Signal::ErrorRate, Comparison::Above, 0.5)
    };
    let needed = |confidence| {
        let mut engine = engine_of(vec![rule(confidence)]);
        let mut visits = Visits::of("shop.title");
        (1..=20).find(|_| !observe(&mut engine, &[visits.missing()]).is_empty())
    };
    assert_eq!(
        (needed(None), needed(Some(0.95)), needed(Some(0.999))),
        (Some(3), Some(3), Some(10))
    );
}

#[test]
fn what_nobody_acknowledges_becomes_more_severe() {
    let rule = Rule { escalate_after: Some(Duration::from_secs(300)), ..errors() };
    let mut engine = engine_of(vec![rule]);
    let mut visits = Visits::of("shop.title");
    let bad: Vec<_> = (0..3).map(|_| visits.missing()).collect();
    observe(&mut engine, &bad);
    assert!(tick(&mut engine, at(301)).iter().all(|it| it.cause != ChangeCause::Severity));
    let changes = tick(&mut engine, at(302));
    assert_eq!(
        (changes[0].cause, changes[0].alert.severity),
        (ChangeCause::Severity, Severity::High)
    );
    assert_eq!(tick(&mut engine, at(602))[0].alert.severity, Severity::Critical);
    assert_eq!(tick(&mut engine, at(2000)), [], "there is nothing above critical");
}

#[test]
fn severity_shows_effect_evidence_and_breadth() {
    let rule =
        Rule { last: Some(2), ..Rule::new("errors", Signal::ErrorRate, Comparison::AtLeast, 0.5) };
    let mut engine = engine_of(vec![rule]);
    let mut severities = Vec::new();
    let mut factors = String::new();
    for name in ["a", "b", "c", "d"] {
        let mut visits = Visits::of(name);
        let changes = observe(&mut engine, &[visits.missing(), visits.missing()]);
        let alert = fired(&changes)[0];
        severities.push(alert.severity);
        factors = alert.factors.iter().map(|it| format!("{}: {}\n", it.name, it.found)).collect();
        assert_eq!(engine.open().last().unwrap().severity, alert.severity);
    }
    use Severity::{High, Medium};
    assert_eq!(severities, [Medium, Medium, High, High]);
    assert_eq!(
        factors,
        "rule: medium at least\neffect: 100 % against 50 %\n\
         evidence: 2 operations, surely 34 to 100 %\n\
         breadth: 4 of 4 selectors watched on the site\n"
    );
}

#[test]
fn page_template_runbook_and_annotations_come_with_the_alert() {
    let rule = Rule {
        last: Some(1),
        runbook: Some("https://wiki.example/selectors".into()),
        annotations: [("who".to_owned(), "{selector} on {site}".to_owned())].into(),
        ..Rule::new("errors", Signal::ErrorRate, Comparison::AtLeast, 1.0)
    };
    let mut engine = engine_of(vec![rule]);
    let mut event = Visits::of("shop.title").missing();
    let mut page = PageContext::at("https://shop.example/product/7");
    page.url_template = Some("/product/{id}".into());
    event.page = Some(page.into());
    let changes = observe(&mut engine, &[event]);
    let alert = fired(&changes)[0];
    assert_eq!(alert.page_template.as_deref(), Some("/product/{id}"));
    assert_eq!(alert.runbook.as_deref(), Some("https://wiki.example/selectors"));
    assert_eq!(alert.annotations["who"], "shop.title on shop.example");
}

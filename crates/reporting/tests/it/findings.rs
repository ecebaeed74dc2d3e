use crate::events::{Make, alert, at, make, report, report_with, shop};
use std::time::Duration;
use telemetry_models::report::{Finding, FindingKind, Health, Report, VerdictLevel};
use telemetry_models::{AlertState, AttemptOutcome, Event, Outcome, Severity, Signal, Timestamp};

fn kinds(report: &Report) -> Vec<(String, FindingKind)> {
    let name = |it: &Finding| it.selector.as_ref().map(ToString::to_string).unwrap_or_default();
    report.attention.iter().map(|it| (name(it), it.kind)).collect()
}

/// Outcomes one second apart, `s` success, `f` fault, `e` spoilt by the environment.
fn course(letters: &str) -> Vec<Event> {
    let outcome = |letter| match letter {
        's' => Outcome::Success,
        'f' => Outcome::NotFound,
        _ => Outcome::Blocked,
    };
    letters
        .chars()
        .enumerate()
        .map(|(n, letter)| make(n as u128 + 1, "a.b", n as i64, outcome(letter)).event)
        .collect()
}

fn check(letters: &str, expected: Option<FindingKind>) {
    let report = report(&course(letters));
    assert_eq!(report.attention.first().map(|it| it.kind), expected, "{letters}");
}

#[test]
fn each_change_of_the_shop_is_found_and_dated() {
    let report = report(&shop());
    assert_eq!(
        kinds(&report),
        [
            ("shop.price".into(), FindingKind::StoppedWorking),
            ("shop.rating".into(), FindingKind::Slowed),
            ("shop.stock".into(), FindingKind::FallbackTookOver),
            ("shop.seller".into(), FindingKind::ConfidenceFell),
        ]
    );
    for finding in &report.attention {
        // Steps of two seconds.
        let off = finding.since.unwrap().since(at(58)).as_secs();
        assert!((1..=4).contains(&off), "{finding:?}");
        assert!(!finding.evidence.is_empty());
    }
    let price = &report.attention[0];
    assert_eq!(price.since, Some(at(60)));
    assert_eq!(price.after.map(|it| (it.value, it.n)), Some((0.0, 60)));
    assert_eq!(price.before.map(|it| (it.value, it.n)), Some((1.0, 60)));
    let stock = &report.attention[2];
    assert!(stock.suggestion.as_ref().unwrap().contains("xpath //p[@class='s']"));
    assert_eq!(report.verdict.level, VerdictLevel::Failing);
    let health = |name: &str| {
        report.selectors.iter().find(|row| row.selector.as_str() == name).unwrap().health
    };
    assert_eq!(health("shop.title"), Health::Healthy);
    assert_eq!(health("shop.price"), Health::Failing);
    assert_eq!(health("shop.rating"), Health::Attention);
    assert_eq!(health("shop.coupon"), Health::NoData);
}

#[test]
fn working_and_not() {
    let (good, bad) = ("s".repeat(40), "f".repeat(40));
    check(&good, None);
    check(&bad, Some(FindingKind::NeverWorked));
    check(&format!("{good}fff"), Some(FindingKind::StoppedWorking));
    check(&format!("{good}ff"), None);
    check(&format!("{good}eeef{good}"), None);
    check(&format!("{good}{bad}{good}"), None);
    check(&"sf".repeat(30), Some(FindingKind::Unreliable));
    check(&format!("{}{}", "s".repeat(100), "ssf".repeat(40)), Some(FindingKind::SucceedsLess));
    check("sfff", None);
    check("ffff", None);
    check("", None);
}

#[test]
fn chance_is_not_a_finding() {
    // One in twenty fails, all the way, in a fixed irregular pattern.
    let letters: String = (0..2_000u32)
        .map(|n| if n.wrapping_mul(2_654_435_761) >> 8 < 838_860 { 'f' } else { 's' })
        .collect();
    check(&letters, None);
}

#[test]
fn a_blocked_site_is_the_sites_trouble() {
    let report = report(&course(&"e".repeat(30)));
    assert_eq!(report.attention.len(), 1);
    assert_eq!(report.attention[0].kind, FindingKind::SiteTrouble);
    assert_eq!(report.attention[0].site.as_deref(), Some("shop.example"));
    assert_eq!(report.selectors[0].health, Health::NoData);
    assert_eq!(report.verdict.level, VerdictLevel::Attention);
}

#[test]
fn an_alert_and_the_events_make_one_finding() {
    let open = alert("a1", "shop.price", Signal::ZeroMatchRate, AlertState::Firing);
    let again = alert("a2", "shop.price", Signal::SuccessRate, AlertState::Recovering);
    let report = report_with(&shop(), &[open.clone(), again.clone()]);
    let price: Vec<_> = report
        .attention
        .iter()
        .filter(|it| it.selector.as_ref().is_some_and(|name| name.as_str() == "shop.price"))
        .collect();
    assert_eq!(price.len(), 1);
    assert_eq!(price[0].kind, FindingKind::StoppedWorking);
    assert_eq!(price[0].severity, Severity::Critical);
    assert_eq!(price[0].alerts, [open.id.clone(), again.id.clone()]);
    assert_eq!(price[0].evidence, open.evidence.events);
    assert_eq!(price[0].suggestion.as_deref(), Some("Look at span.price."));
    assert_eq!(report.alerts.open.len(), 2);
}

#[test]
fn an_alert_alone_is_a_finding() {
    let alerts = [
        alert("a1", "shop.title", Signal::MatchCount, AlertState::Firing),
        alert("a2", "shop.title", Signal::SuccessRate, AlertState::Resolved),
        alert("a3", "shop.title", Signal::SuccessRate, AlertState::Pending),
    ];
    let report = report_with(&shop(), &alerts);
    let titles: Vec<_> =
        report.attention.iter().filter(|it| it.kind == FindingKind::Alert).collect();
    assert_eq!(titles.len(), 1);
    assert_eq!(titles[0].what, "shop.title fails");
    assert_eq!((report.alerts.open.len(), report.alerts.resolved.len()), (1, 1));
    let row = report.selectors.iter().find(|row| row.selector.as_str() == "shop.title");
    assert_eq!(row.unwrap().health, Health::Attention);
}

/// Successes, seven a second; from operation 143 on something is different, in the middle of a
/// second.
fn change_within_a_second(how: impl Fn(Make, bool) -> Make) -> Finding {
    let events: Vec<Event> = (0..171u32)
        .map(|n| {
            let mut made = how(make(n.into(), "a.b", 0, Outcome::Success), n >= 143);
            made.event.timestamp = operation(n);
            made.event
        })
        .collect();
    let mut findings = report(&events).attention;
    assert_eq!(findings.len(), 1, "{findings:?}");
    findings.remove(0)
}

fn operation(n: u32) -> Timestamp {
    at(0).saturating_add(Duration::from_millis(1_000) * n / 7)
}

fn sides(finding: &Finding) -> [(f64, u64); 2] {
    [finding.before, finding.after].map(|it| it.map(|it| (it.value, it.n)).unwrap())
}

#[test]
fn a_fallback_is_dated_and_counted_to_the_operation() {
    use AttemptOutcome::{Accepted, Empty};
    let finding = change_within_a_second(|make, new| match new {
        false => make.attempt("css", "#a", Accepted),
        true => make.attempt("css", "#a", Empty).attempt("css", "#b", Accepted),
    });
    assert_eq!(finding.kind, FindingKind::FallbackTookOver);
    assert_eq!(sides(&finding), [(0.0, 143), (1.0, 28)]);
    assert_eq!((finding.since, finding.since_within_s), (Some(operation(143)), None));
}

#[test]
fn a_step_with_operations_of_both_kinds_counts_for_neither() {
    // Operations 140 to 146 share the second in which it changes.
    let confidence =
        change_within_a_second(|make, new| make.confidence(if new { 0.6 } else { 0.9 }));
    assert_eq!(confidence.kind, FindingKind::ConfidenceFell);
    assert_eq!(sides(&confidence), [(0.9, 140), (0.6, 24)]);
    let slowed = change_within_a_second(|make, new| make.ms(if new { 100 } else { 10 }));
    assert_eq!(slowed.kind, FindingKind::Slowed);
    assert_eq!(sides(&slowed).map(|it| it.1), [140, 24]);
    for finding in [confidence, slowed] {
        assert_eq!((finding.since, finding.since_within_s), (Some(at(20)), Some(1)));
    }
}

#[test]
fn an_alert_dates_a_finding_exactly() {
    let mut events: Vec<Event> = Vec::new();
    for n in 0..171u32 {
        let made = make(n.into(), "a.b", 0, Outcome::Success);
        let mut event = made.confidence(if n >= 143 { 0.6 } else { 0.9 }).event;
        event.timestamp = operation(n);
        events.push(event);
    }
    let mut open = alert("a1", "a.b", Signal::Confidence, AlertState::Firing);
    open.since = operation(143);
    let report = report_with(&events, &[open]);
    let finding = &report.attention[0];
    assert_eq!((finding.since, finding.since_within_s), (Some(operation(143)), None));
}

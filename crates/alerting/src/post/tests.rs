use super::*;
use crate::{AlertMatcher, Day, GroupBy, Inhibition, Mute, Route, TimeWindow};
use std::collections::BTreeMap;
use telemetry_interfaces::NotificationKind;
use telemetry_models::{Alert, SelectorName, Signal};

fn at(ms: u64) -> Timestamp {
    // A Monday, midnight UTC.
    let begin: Timestamp = "2026-01-05T00:00:00Z".parse().unwrap();
    begin.saturating_add(Duration::from_millis(ms))
}

fn alert(id: &str, selector: &str, site: &str, severity: Severity) -> Alert {
    let selector_name = SelectorName::new(selector).unwrap();
    let id = AlertId::new(id).unwrap();
    Alert {
        fingerprint: format!("{selector}@{site}").into(),
        site: Some(site.into()),
        severity,
        state: AlertState::Firing,
        fired_at: Some(at(0)),
        summary: selector.into(),
        ..Alert::new(id, "selector-broken", selector_name, Signal::Confidence, at(0))
    }
}

struct Office {
    post: Post,
    silences: Vec<Silence>,
    alerts: BTreeMap<AlertId, Alert>,
    kept: BTreeMap<String, String>,
    config: DeliveryConfig,
    style: Style,
}

impl Office {
    fn of(config: DeliveryConfig) -> Self {
        Self::styled(config, Style::People)
    }

    fn styled(config: DeliveryConfig, style: Style) -> Self {
        let post = Post::new(&config, vec![Self::target(style)]).unwrap();
        let (alerts, kept) = (BTreeMap::new(), BTreeMap::new());
        Self { post, silences: Vec::new(), alerts, kept, config, style }
    }

    fn target(style: Style) -> Target {
        Target { name: "ops".into(), min_severity: Severity::Low, style, shown: 20 }
    }

    fn change(&mut self, ms: u64, from: AlertState, alert: Alert) {
        let change = AlertTransition::new(from, at(ms), alert);
        let look = Look { now: at(ms), utc: at(ms), silences: &[], force: false, full: &[] };
        self.post.change(&change, &look);
        self.alerts.insert(change.alert.id.clone(), change.alert);
    }

    fn fire(&mut self, ms: u64, id: &str, selector: &str, site: &str) {
        self.fire_as(ms, alert(id, selector, site, Severity::Medium));
    }

    fn fire_as(&mut self, ms: u64, mut alert: Alert) {
        alert.fired_at = Some(at(ms));
        self.change(ms, AlertState::Inactive, alert);
    }

    fn resolve(&mut self, ms: u64, id: &str) {
        let mut alert = self.alerts[&AlertId::new(id).unwrap()].clone();
        alert.state = AlertState::Resolved;
        self.change(ms, AlertState::Firing, alert);
    }

    fn look(&mut self, ms: u64) -> Vec<Message> {
        let silences = self.silences.clone();
        let look = Look { now: at(ms), utc: at(ms), silences: &silences, force: false, full: &[] };
        let mut messages = Vec::new();
        loop {
            let plan = self.post.look(&look);
            for (key, row) in plan.kept {
                match row {
                    Some(row) => drop(self.kept.insert(key, row)),
                    None => drop(self.kept.remove(&key)),
                }
            }
            messages.extend(plan.messages);
            if !self.post.is_unfinished() {
                return messages;
            }
        }
    }

    /// Kind and alerts of each message.
    fn told(&mut self, ms: u64) -> Vec<String> {
        let messages = self.look(ms);
        let text = |it: &Message| {
            let ids: Vec<_> = it.shown.iter().map(|id| id.as_str()).collect();
            format!("{:?} {}", it.kind, ids.join(" "))
        };
        messages.iter().map(text).collect()
    }

    /// As after a kill: only what was kept and the alerts are left.
    fn restart(&mut self) {
        let mut post = Post::new(&self.config, vec![Self::target(self.style)]).unwrap();
        let rows = self.kept.iter();
        let rows = rows.map(|(key, json)| (key.clone(), serde_json::from_str(json).unwrap()));
        post.recall(rows, self.alerts.values());
        self.post = post;
    }
}

fn plain() -> DeliveryConfig {
    DeliveryConfig { incident_selectors: 0, ..DeliveryConfig::default() }
}

#[test]
fn a_group_waits_and_then_comes_less_and_less_often() {
    let mut office = Office::of(plain());
    office.fire(0, "a", "s.a", "x");
    office.fire(500, "b", "s.b", "x");
    office.fire(500, "z", "s.z", "y");
    assert!(office.told(900).is_empty());
    assert_eq!(office.told(1_000), ["Firing a b"]);
    assert_eq!(office.told(1_500), ["Firing z"]);
    // One newcomer each second: the first ten as they come, then less and less often.
    let mut times = Vec::new();
    for second in 2..64 {
        office.fire(second * 1000 - 500, &format!("n{second}"), &format!("s.{second}"), "x");
        if !office.look(second * 1000).is_empty() {
            times.push(second);
        }
    }
    assert_eq!(times, [3, 5, 7, 9, 11, 15, 23, 39]);
}

#[test]
fn a_critical_newcomer_is_let_through_once() {
    let mut office = Office::of(plain());
    for number in 0..100 {
        office.fire(0, &format!("a{number}"), &format!("s.a{number}"), "x");
    }
    assert_eq!(office.look(1_000).len(), 1);
    office.fire(2_000, "d", "s.d", "x");
    assert!(office.told(5_000).is_empty(), "a hundred were told: the next waits");
    office.fire_as(5_100, alert("bad", "s.bad", "x", Severity::Critical));
    assert_eq!(office.told(6_100), ["Firing bad d"], "before the group is due again");
    office.fire_as(6_200, alert("worse", "s.worse", "x", Severity::Critical));
    assert!(office.told(7_300).is_empty(), "the group was critical already");
}

#[test]
fn the_same_is_told_once_and_again_when_it_rises_or_lasts() {
    let mut office = Office::of(plain());
    office.fire(0, "a", "s.a", "x");
    assert_eq!(office.told(1_000).len(), 1);
    let same = office.alerts[&AlertId::new("a").unwrap()].clone();
    office.change(2_000, AlertState::Recovering, same.clone());
    assert!(office.told(60_000).is_empty());
    office.change(60_000, AlertState::Firing, Alert { severity: Severity::High, ..same });
    let messages = office.look(61_000);
    assert_eq!(messages[0].key, "a-firing-high");
    let repeated = office.look(61_000 + 4 * 3_600_000);
    assert_eq!(repeated[0].key, "a-firing-high-repeat1");
    office.resolve(20_000_000, "a");
    assert_eq!(office.told(20_400_000), ["Resolved a"]);
    assert!(office.told(60_000_000).is_empty());
    assert!(office.kept.is_empty());
}

#[test]
fn what_is_over_before_it_was_told_is_not_told() {
    let mut office = Office::of(plain());
    office.fire(0, "a", "s.a", "x");
    office.resolve(500, "a");
    assert!(office.told(10_000).is_empty());
}

#[test]
fn after_a_kill_nothing_is_repeated_and_nothing_is_lost() {
    let mut office = Office::of(plain());
    office.fire(0, "told", "s.a", "x");
    office.fire(0, "over", "s.b", "x");
    assert_eq!(office.told(1_000), ["Firing over told"]);
    office.resolve(1_100, "over");
    office.fire(1_200, "fresh", "s.c", "x");
    office.restart();
    assert_eq!(office.told(600_000), ["Firing fresh", "Resolved over"]);
    office.restart();
    assert!(office.told(1_200_000).is_empty());
}

#[test]
fn silences_end_and_let_resolutions_pass() {
    let mut office = Office::of(plain());
    office.fire(0, "before", "s.a", "x");
    office.look(1_000);
    office.silences.push(Silence {
        id: "1".into(),
        matcher: AlertMatcher { site: Some("x".parse().unwrap()), ..AlertMatcher::default() },
        starts_at: at(0),
        ends_at: at(600_000),
        created_by: "ada".into(),
        comment: "relaunch".into(),
    });
    office.fire(2_000, "quiet", "s.b", "x");
    office.fire(2_000, "other", "s.b", "y");
    office.resolve(3_000, "before");
    assert_eq!(office.told(60_000), ["Resolved before", "Firing other"]);
    assert!(office.told(599_000).is_empty());
    assert_eq!(office.told(606_000), ["Firing quiet"]);
}

#[test]
fn mutes_and_routes_follow_the_clock_on_the_wall() {
    let window = |name: &str, from: &str, to: &str| TimeWindow {
        name: name.into(),
        zone: "Europe/Berlin".into(),
        days: vec![Day::Mon],
        from: from.into(),
        to: to.into(),
    };
    let slow = AlertMatcher { max_severity: Some(Severity::Low), ..AlertMatcher::default() };
    let mut office = Office::of(DeliveryConfig {
        times: vec![window("night", "00:00", "06:00")],
        mutes: vec![Mute { during: vec!["night".into()], matcher: slow }],
        repeat_interval: Duration::ZERO,
        ..plain()
    });
    office.fire_as(0, alert("low", "s.a", "x", Severity::Low));
    office.fire_as(0, alert("high", "s.b", "x", Severity::High));
    assert_eq!(office.told(1_000), ["Firing high"]);
    // 06:00 in Berlin is 05:00 UTC.
    assert!(office.told(5 * 3_600_000 - 1_000).is_empty());
    assert!(office.told(5 * 3_600_000 + 6_000).iter().any(|it| it.contains("low")));

    let mut office = Office::of(DeliveryConfig {
        times: vec![window("day", "08:00", "18:00")],
        routes: vec![
            Route {
                channels: vec!["ops".into()],
                matcher: AlertMatcher { site: Some("x*".parse().unwrap()), ..Default::default() },
                during: vec!["day".into()],
            },
            Route {
                channels: vec!["ops".into()],
                matcher: AlertMatcher {
                    min_severity: Some(Severity::Critical),
                    ..AlertMatcher::default()
                },
                during: Vec::new(),
            },
        ],
        ..plain()
    });
    office.fire(0, "early", "s.a", "x");
    office.fire_as(0, alert("grave", "s.b", "y", Severity::Critical));
    let noon = 11 * 3_600_000;
    office.fire(noon, "noon", "s.c", "x");
    office.fire(noon, "elsewhere", "s.c", "y");
    assert_eq!(office.told(noon + 1_000), ["Firing noon", "Firing grave"]);
}

#[test]
fn a_night_is_muted_by_the_wall_clock_also_when_clocks_are_set() {
    let night = TimeWindow {
        name: "night".into(),
        zone: "Europe/Berlin".into(),
        days: Vec::new(),
        from: "22:00".into(),
        to: "06:00".into(),
    };
    let mutes = vec![Mute { during: vec!["night".into()], matcher: AlertMatcher::default() }];
    // The night after which clocks are an hour later, and the one after which they are earlier.
    for (evening, morning) in [
        ("2026-03-28T20:59:00Z", "2026-03-29T04:00:00Z"),
        ("2026-10-24T19:59:00Z", "2026-10-25T05:00:00Z"),
    ] {
        let ms = |text: &str| text.parse::<Timestamp>().unwrap().since(at(0)).as_millis() as u64;
        let mut office = Office::of(DeliveryConfig {
            times: vec![night.clone()],
            mutes: mutes.clone(),
            repeat_interval: Duration::ZERO,
            ..plain()
        });
        office.fire(ms(evening), "evening", "s.a", "x");
        assert_eq!(office.told(ms(evening) + 1_000), ["Firing evening"]);
        office.fire(ms(evening) + 120_000, "night", "s.b", "y");
        for minute in (3..).take_while(|it| ms(evening) + it * 60_000 < ms(morning)) {
            assert!(office.told(ms(evening) + minute * 60_000).is_empty(), "{minute}");
        }
        assert_eq!(office.told(ms(morning) + 6_000), ["Firing night"], "{morning}");
    }
}

#[test]
fn what_is_beyond_a_channels_limit_becomes_one_digest_and_the_critical_is_let_through() {
    let limits = DeliveryConfig { limit_messages: 10, ..plain() };
    let mut office = Office::of(limits);
    for n in 0..50 {
        office.fire(0, &format!("a{n:02}"), &format!("s.{n}"), &format!("site{n}"));
    }
    office.fire_as(0, alert("grave", "s.grave", "z", Severity::Critical));
    let first = office.look(1_000);
    assert_eq!(first.len(), 9, "{first:?}");
    assert_eq!(first[8].shown[0].as_str(), "grave", "a fifth is kept for what is critical");
    let later = office.look(32_000);
    let digest = later.last().unwrap();
    assert_eq!(digest.kind, NotificationKind::Digest);
    let counted = |messages: &[Message]| -> u64 {
        messages.iter().filter_map(|it| Some(it.group.as_ref()?.count)).sum()
    };
    assert_eq!(counted(&first) + counted(&later), 51, "nobody is forgotten");
    assert!(later.len() < 10, "{later:?}");
    let count = digest.group.as_ref().unwrap().count;
    let title = format!("digest: {count} alerts firing and 0 resolved in {count} groups");
    assert!(digest.group.as_ref().unwrap().title.starts_with(&title), "{digest:?}");
    // What was told in a digest is told to be over as well.
    for n in 0..50 {
        office.resolve(120_000, &format!("a{n:02}"));
    }
    let told = (0..20).map(|minute| counted(&office.look(130_000 + minute * 60_000)));
    assert_eq!(told.sum::<u64>(), 50);
}

#[test]
fn digests_of_one_alert_that_fires_and_ends_have_different_keys() {
    let mut office = Office::of(DeliveryConfig { limit_messages: 5, ..plain() });
    let mut told = Vec::new();
    let mut looks = |office: &mut Office, from: u64| {
        told.extend((0..20).flat_map(|n| office.look(from + n * 5_000)));
    };
    // The first digest is due only some time after messages ran out; the others at once.
    for (begin, name) in [(0, "a"), (300_000, "b")] {
        for n in 0..5 {
            office.fire(begin, &format!("{name}{n}"), &format!("{name}.{n}"), &format!("s{n}"));
        }
        looks(&mut office, begin + 1_000);
    }
    for n in 0..5 {
        office.resolve(600_000, &format!("b{n}"));
    }
    looks(&mut office, 601_000);
    let alone = |it: &&Message| it.kind == NotificationKind::Digest && it.shown.len() == 1;
    assert_eq!(told.iter().filter(alone).count(), 2, "{told:?}");
    let keys: std::collections::BTreeSet<_> = told.iter().map(|it| it.key.to_string()).collect();
    assert_eq!(keys.len(), told.len(), "{told:?}");
}

#[test]
fn what_goes_without_saying_is_told_when_its_reason_ends() {
    let matcher =
        |rule: &str| AlertMatcher { rule: Some(rule.parse().unwrap()), ..Default::default() };
    let inhibit = Inhibition {
        source: matcher("selector-broken"),
        target: matcher("slow"),
        equal: vec![GroupBy::Site],
    };
    let mut office = Office::of(DeliveryConfig { inhibit: vec![inhibit], ..plain() });
    let slow =
        |id: &str, site: &str| Alert { rule: "slow".into(), ..alert(id, "s", site, Severity::Low) };
    office.fire(0, "broken", "s.a", "x");
    office.fire_as(0, slow("slow-x", "x"));
    office.fire_as(0, slow("slow-y", "y"));
    assert_eq!(office.told(1_000), ["Firing broken", "Firing slow-y"]);
    office.resolve(60_000, "broken");
    assert_eq!(office.told(70_000), ["Firing slow-x", "Resolved broken"]);
}

#[test]
fn one_that_flaps_is_told_once_until_it_is_calm() {
    let mut office = Office::of(plain());
    let mut told = Vec::new();
    for round in 0..20u64 {
        office.fire(round * 20_000, &format!("f{round}"), "s.a", "x");
        told.extend(office.told(round * 20_000 + 8_000));
        office.resolve(round * 20_000 + 9_000, &format!("f{round}"));
        told.extend(office.told(round * 20_000 + 19_000));
    }
    assert!(told.len() <= 8, "{told:?}");
    assert!(told.iter().all(|it| !it.ends_with("f5")), "{told:?}");
    let calm = office.told(20 * 20_000 + 2_000_000);
    assert_eq!(calm, ["Resolved f3"], "{told:?}");
}

#[test]
fn selectors_of_a_site_that_fail_together_are_one_incident() {
    let mut office = Office::of(DeliveryConfig::default());
    let failed =
        |id: &str, signal| Alert { signal, ..alert(id, &format!("s.{id}"), "x", Severity::High) };
    office.fire_as(0, failed("a", Signal::ErrorRate));
    office.fire_as(100, failed("b", Signal::ZeroMatchRate));
    office.fire_as(200, failed("c", Signal::TimeoutRate));
    office.fire_as(300, failed("d", Signal::ErrorRate));
    office.fire(300, "drift", "s.e", "x");
    let messages = office.look(1_300);
    assert_eq!(messages.len(), 2, "{messages:?}");
    let group = messages.iter().find(|it| it.shown.len() == 4).unwrap().group.as_ref().unwrap();
    assert_eq!(group.title, "page redesigned: x, 4 selectors");
    for id in ["a", "b", "c", "d"] {
        office.resolve(300_000, id);
    }
    assert_eq!(office.told(700_000), ["Resolved a b c d"]);
}

#[test]
fn a_storm_becomes_few_messages_and_loses_nothing() {
    let mut office = Office::of(DeliveryConfig::default());
    let (mut messages, mut told, mut first) = (0, 0, None);
    for n in 0..100_000u64 {
        let ms = n / 10;
        let failed =
            alert(&format!("a{n}"), &format!("s.{n}"), &format!("site{}", n % 20), Severity::High);
        office.fire_as(ms, Alert { signal: Signal::ErrorRate, ..failed });
        if n % 1000 == 0 {
            for message in office.look(ms) {
                messages += 1;
                first.get_or_insert(ms);
                told += message.group.unwrap().count;
            }
        }
    }
    for second in 10..120 {
        for message in office.look(second * 1000) {
            messages += 1;
            told += message.group.unwrap().count;
            assert!(message.shown.len() <= 20);
        }
    }
    assert!(messages <= 40, "{messages}");
    assert!(first.unwrap() <= 2_000);
    assert_eq!(told, 100_000);
}

#[test]
fn programs_are_told_every_group_and_alertmanager_every_alert() {
    let mut machine = Office::styled(plain(), Style::Machine);
    let mut each = Office::styled(plain(), Style::Each);
    for office in [&mut machine, &mut each] {
        for n in 0..600 {
            office.fire(0, &format!("a{n:03}"), &format!("s.{n}"), &format!("site{}", n % 100));
        }
    }
    assert_eq!(machine.look(1_000).len(), 100, "no limit for programs");
    each.post.desks[0].target.shown = usize::MAX;
    let shown: usize = each.look(1_000).iter().map(|it| it.shown.len()).sum();
    assert_eq!(shown, 600);
}

#[test]
fn selectors_of_one_template_that_fail_together_are_an_incident_of_their_own() {
    let mut office = Office::of(DeliveryConfig::default());
    let failed = |id: &str, template: &str| Alert {
        signal: Signal::ErrorRate,
        page_template: Some(template.into()),
        ..alert(id, &format!("s.{id}"), "x", Severity::High)
    };
    for (ms, id) in [(0, "a"), (100, "b"), (200, "c")] {
        office.fire_as(ms, failed(id, "/product/{id}"));
    }
    office.fire_as(300, failed("cart", "/cart"));
    let messages = office.look(1_300);
    let title = |shown: usize| {
        let message = messages.iter().find(|it| it.shown.len() == shown).unwrap();
        message.group.clone().unwrap().title
    };
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(title(3), "page redesigned: x/product/{id}, 3 selectors");
    assert_eq!(title(1), "s.cart", "one selector of another page is not part of it");
}

#[test]
fn pages_that_cannot_be_loaded_are_navigation_failing_and_blocks_a_site_that_blocks() {
    for (cause, title) in [
        ("the page cannot be loaded", "navigation failing: x, 3 selectors"),
        ("the site has blocked this program", "site blocked: x, 3 selectors"),
    ] {
        let mut office = Office::of(DeliveryConfig::default());
        for (ms, id) in [(0, "a"), (100, "b"), (200, "c")] {
            let failed = Alert {
                signal: Signal::EnvironmentFaultRate,
                likely_cause: Some(cause.into()),
                page_template: Some(format!("/{id}").into()),
                ..alert(id, &format!("s.{id}"), "x", Severity::High)
            };
            office.fire_as(ms, failed);
        }
        let messages = office.look(1_300);
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert_eq!(messages[0].group.as_ref().unwrap().title, title);
    }
}

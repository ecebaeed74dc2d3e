use fastrand::Rng;
use std::time::Duration;
use telemetry_detection::{
    Between, Budget, Company, Finding, FrequencyDetector, MixDetector, Operation, Peers, Scope,
    SelectorDetectors, Spending, Step, Watched, scope,
};
use telemetry_models::{Outcome, Timestamp};

const BUDGET: Budget = Budget { per_day: 1e-3, startup: 0.012 };
const SPENDING: Spending = Spending { per_day: 1e-4, startup: 0.0 };

#[derive(Default)]
struct Selector {
    detectors: SelectorDetectors,
    second: i64,
    found: Vec<Finding>,
}

impl Selector {
    fn run(&mut self, operations: usize, outcome: Outcome) -> Vec<Watched> {
        let before = self.found.len();
        for _ in 0..operations {
            self.second += 1;
            let mut operation = Operation::new(Timestamp::from_millis(self.second * 1000), outcome);
            (operation.id, operation.page) = (self.second as u64, self.second as u64);
            self.detectors.observe(&operation, BUDGET, &mut self.found);
        }
        self.found[before..].iter().map(|it| it.watched).collect()
    }
}

#[test]
fn a_new_definition_is_learned_anew() {
    let mut selector = Selector::default();
    selector.detectors.definition(Some(1));
    selector.run(200, Outcome::Success);
    assert!(selector.detectors.worked());
    let mut same = Selector { detectors: selector.detectors.clone(), second: 200, found: vec![] };
    selector.detectors.definition(Some(2));
    assert!(!selector.detectors.worked());
    assert_eq!(selector.run(12, Outcome::NotFound), [Watched::NeverWorked]);
    same.detectors.definition(Some(1));
    let found = same.run(12, Outcome::NotFound);
    assert!(found.contains(&Watched::ZeroMatches), "{found:?}");
}

#[test]
fn an_event_that_comes_twice_counts_once() {
    let mut selector = Selector::default();
    selector.run(100, Outcome::Success);
    let mut operation = Operation::new(Timestamp::from_millis(101_000), Outcome::NotFound);
    operation.id = 999;
    for _ in 0..50 {
        selector.detectors.observe(&operation, BUDGET, &mut selector.found);
    }
    assert_eq!(selector.detectors.failing(), 1);
    assert!(selector.found.is_empty());
}

#[test]
fn failures_of_the_environment_are_told_from_the_selectors() {
    let mut selector = Selector::default();
    selector.run(300, Outcome::Success);
    assert_eq!(selector.run(40, Outcome::Blocked), [Watched::EnvironmentFaults]);
    assert_eq!(selector.detectors.failing(), 0);
}

#[test]
fn a_state_without_some_fields_is_taken_up() {
    let mut selector = Selector::default();
    selector.run(300, Outcome::Success);
    let mut stored = serde_json::to_value(&selector.detectors).expect("plain data");
    let fields = stored.as_object_mut().expect("a struct");
    fields.remove("duration");
    fields.insert("unheard_of".into(), 1.into());
    let later: SelectorDetectors = serde_json::from_value(stored).expect("what is known is read");
    assert_eq!(later.tested(), 300);
}

#[test]
fn silence_is_measured_in_calls_that_were_due_and_by_the_time_of_day() {
    let mut rng = Rng::with_seed(8);
    let mut detector = FrequencyDetector::default();
    let mut second = 0.0;
    // 8 calls an hour by night, 240 by day.
    let pace = |second: f64| if (second / 3600.0) as i64 % 24 < 8 { 450.0 } else { 15.0 };
    let mut early = 0;
    while second < 10.0 * 86_400.0 + 12.0 * 3600.0 {
        let gap = -(1.0 - rng.f64()).ln() * pace(second);
        let silent = detector.silent_after(SPENDING);
        early += usize::from(silent.is_some_and(|after| gap > after.as_secs_f64()));
        second += gap;
        detector.observe(Timestamp::from_millis((second * 1000.0) as i64), SPENDING);
    }
    assert_eq!(early, 0, "nights are no silence");
    let by_day = detector.silent_after(SPENDING).expect("many calls were seen").as_secs();
    assert!((150..2700).contains(&by_day), "{by_day} s at 240 calls an hour");
}

#[test]
fn bursts_are_found_and_a_handful_of_retries_is_none() {
    let mut detector = FrequencyDetector::default();
    let mut second = 0;
    let mut call = |detector: &mut FrequencyDetector, gap: i64| {
        second += gap;
        detector.observe(Timestamp::from_millis(second * 1000), SPENDING)
    };
    for _ in 0..2000 {
        assert_eq!(call(&mut detector, 60), Step::Quiet);
    }
    for _ in 0..8 {
        assert_eq!(call(&mut detector, 1), Step::Quiet);
    }
    for _ in 0..200 {
        assert_eq!(call(&mut detector, 60), Step::Quiet);
    }
    let began = (0..100).any(|_| matches!(call(&mut detector, 1), Step::Began(_)));
    assert!(began && detector.is_bursting());
    let ended = (0..100).any(|_| call(&mut detector, 60) == Step::Ended);
    assert!(ended && !detector.is_bursting());
}

#[test]
fn a_mix_that_drifts_to_a_fallback_is_found_before_anything_fails() {
    let mut rng = Rng::with_seed(6);
    let mut detector = MixDetector::default();
    let mut found = None;
    for second in 0..4_000_i64 {
        let share = if second < 3_000 { 0.02 } else { 0.3 };
        let won = if rng.f64() < share { 2 } else { 0 };
        if let Step::Began(change) =
            detector.observe(won, Timestamp::from_millis(second * 1000), SPENDING)
        {
            found = Some((second, change));
            break;
        }
    }
    let (second, change) = found.expect("the third strategy gains");
    assert!((3_000..3_080).contains(&second), "found at {second}");
    assert_eq!(detector.gained(), Some(2));
    assert!((2_990..3_010).contains(&(change.since.as_millis() / 1000)));
    assert!(change.before < 0.04 && (0.1..0.6).contains(&change.now), "{change:?}");
}

#[test]
fn everything_fits() {
    assert!(size_of::<FrequencyDetector>() <= 2 * 512, "silence and bursts");
    assert!(size_of::<MixDetector>() <= 512);
    assert!(size_of::<SelectorDetectors>() <= 12 * 512);
}

#[test]
fn the_budget_is_split_whole() {
    let budget = Budget { per_day: 0.7, startup: 0.3 };
    let (mut per_day, mut startup) = (0.0, 0.0);
    for watched in Watched::ALL {
        per_day += budget.split(watched).per_day;
        startup += budget.split(watched).startup;
    }
    assert!((per_day - 0.7).abs() < 1e-12 && (startup - 0.3).abs() < 1e-12);
}

#[test]
fn others_that_broke_at_the_same_time_make_fewer_faults_sure() {
    let history = || {
        let mut selector = Selector::default();
        selector.run(20, Outcome::Success);
        assert_eq!(selector.run(1, Outcome::NotFound), []);
        selector.run(6, Outcome::Success);
        selector
    };
    let mut broken = history();
    assert_eq!(broken.run(4, Outcome::NotFound), [], "too few by themselves");
    let mut company = Company::default();
    company.add(Some(broken.detectors.evidence()));
    company.add(None);
    assert!(company.weight() > 0.0);
    let before = broken.found.len();
    broken.detectors.support(company.weight(), &mut broken.found);
    let found: Vec<Watched> = broken.found[before..].iter().map(|it| it.watched).collect();
    assert!(found.contains(&Watched::ZeroMatches), "{found:?}");

    // One that works is not drawn in, and one that never failed together says nothing.
    let mut working = history();
    working.detectors.support(company.weight(), &mut working.found);
    assert_eq!(working.found, []);
    let mut alone = Company::default();
    (0..3).for_each(|_| alone.add(None));
    assert!(alone.weight() <= 0.0);
}

#[test]
fn selectors_of_a_page_are_seldom_called_broken_with_the_others() {
    let (mut wrongly, runs) = (0, 2000);
    for run in 0..runs {
        let mut rng = Rng::with_seed(run);
        let mut selector = Selector::default();
        for _ in 0..40 {
            // One operation in ten meets a page without the element.
            let missing = rng.f64() < 0.1;
            selector.run(1, if missing { Outcome::NotFound } else { Outcome::Success });
        }
        selector.found.clear();
        let mut company = Company::default();
        company.add(Some(1e6));
        // The others broke before the next twenty visits: only evidence since then is new.
        for _ in 0..20 {
            let missing = rng.f64() < 0.1;
            selector.run(1, if missing { Outcome::NotFound } else { Outcome::Success });
            let before = Timestamp::from_millis(40_000);
            let then = Between { from: before, to: before.saturating_add(Duration::from_secs(1)) };
            if selector.detectors.broke().is_some_and(|it| it.overlaps(then)) {
                selector.detectors.support(company.weight(), &mut selector.found);
            }
        }
        wrongly += usize::from(!selector.found.is_empty());
    }
    // The weight is one in 500; chance adds to it.
    assert!(wrongly <= 12, "{wrongly} of {runs}");
}

#[test]
fn scopes() {
    let peers = |failing, all| Peers { all, failing };
    let none = Peers::default();
    assert_eq!(scope(none, none, false), None);
    assert_eq!(scope(none, none, true), Some(Scope::Environment));
    assert_eq!(scope(peers(0, 3), none, false), Some(Scope::Selector));
    assert_eq!(scope(peers(2, 3), none, false), Some(Scope::Page));
    assert_eq!(scope(peers(2, 3), peers(0, 9), false), Some(Scope::Page));
    assert_eq!(scope(peers(3, 3), peers(8, 9), false), Some(Scope::Site));
    assert_eq!(scope(none, peers(1, 9), false), Some(Scope::Selector));
    // Half of the page's selectors, with the one that is asked for.
    assert_eq!(scope(peers(1, 3), none, false), Some(Scope::Page));
    assert_eq!(scope(peers(1, 4), none, false), Some(Scope::Selector));
    assert_eq!(scope(peers(0, 1), none, false), Some(Scope::Selector));
}

#[test]
fn a_silence_is_announced_once_and_ended_by_a_call() {
    let mut selector = Selector::default();
    selector.run(500, Outcome::Success);
    let mut found = Vec::new();
    selector.detectors.tick(Duration::from_secs(5), BUDGET, &mut found);
    assert!(found.is_empty());
    for _ in 0..3 {
        selector.detectors.tick(Duration::from_secs(600), BUDGET, &mut found);
    }
    assert_eq!(found.len(), 1);
    assert_eq!(selector.run(1, Outcome::Success), [Watched::Silence]);
}

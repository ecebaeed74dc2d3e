use crate::scene::{Visits, at, engine_of, observe, tick};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::time::Duration;
use telemetry_alerting::{AlertingConfig, Profile, Rule, ThresholdEngine};
use telemetry_models::{AlertState, AlertTransition, Comparison, Signal, Timestamp};

fn gauge(fire_at: f64) -> Rule {
    Rule { last: Some(1), ..Rule::new("gauge", Signal::Confidence, Comparison::Above, fire_at) }
}

/// The state after these changes, when it was `before` them.
fn state_after(before: AlertState, changes: &[AlertTransition]) -> AlertState {
    changes.iter().fold(before, |state, change| {
        assert_eq!(change.from, state, "a change begins where the last one ended");
        match change.alert.state {
            AlertState::Closed => AlertState::Inactive,
            other => other,
        }
    })
}

/// The example of the Prometheus documentation as `promtool test rules` (2.42) evaluates it.
#[test]
fn timing_is_that_of_promtool() {
    let mut engine = engine_of(vec![Rule {
        hold: Duration::from_secs(30),
        keep_firing_for: Duration::from_secs(45),
        ..gauge(0.1)
    }]);
    let series = [0.02, 0.2, 0.2, 0.2, 0.2, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02, 0.02];
    let mut visits = Visits::of("shop.price");
    let mut state = AlertState::Inactive;
    let mut states = Vec::new();
    for (step, value) in series.into_iter().enumerate() {
        visits.next = step as i64 * 15;
        let event = visits.found_with(value, 1.0);
        state = state_after(state, &observe(&mut engine, &[event]));
        state = state_after(state, &tick(&mut engine, at(step as i64 * 15)));
        states.push(state);
    }
    use AlertState::{Firing as F, Inactive as I, Pending as P, Recovering as K, Resolved as R};
    // 0     15 30 45 60 75 90 105 120
    assert_eq!(states, [I, P, P, F, F, K, K, K, R, R, I, I]);
}

/// What Prometheus' evaluation does, with hysteresis and a cooldown.
#[derive(Debug, Default)]
struct Reference {
    active_at: Option<Timestamp>,
    fired: bool,
    keep_firing_since: Option<Timestamp>,
    resolved_at: Option<Timestamp>,
}

struct Levels {
    fire: f64,
    clear: f64,
    hold: Duration,
    keep: Duration,
    cooldown: Duration,
}

impl Reference {
    fn evaluate(&mut self, now: Timestamp, value: f64, levels: &Levels) -> AlertState {
        if let Some(resolved) = self.resolved_at {
            if now.since(resolved) < levels.cooldown {
                return AlertState::Resolved;
            }
            self.resolved_at = None;
        }
        if value > if self.fired { levels.clear } else { levels.fire } {
            self.keep_firing_since = None;
            let active_at = *self.active_at.get_or_insert(now);
            self.fired |= now.since(active_at) >= levels.hold;
            return if self.fired { AlertState::Firing } else { AlertState::Pending };
        }
        if !self.fired {
            self.active_at = None;
            return AlertState::Inactive;
        }
        if now.since(*self.keep_firing_since.get_or_insert(now)) < levels.keep {
            return AlertState::Recovering;
        }
        *self = Self { resolved_at: Some(now), ..Self::default() };
        if levels.cooldown.is_zero() { AlertState::Inactive } else { AlertState::Resolved }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn agrees_with_the_reference(
        (hold, keep, cooldown) in (0u64..5, 0u64..5, 0u64..5),
        hysteresis in any::<bool>(),
        steps in proptest::collection::vec((0i64..30, proptest::option::weighted(0.7, 0u8..=10)), 1..60),
    ) {
        let seconds = |tens: u64| Duration::from_secs(tens * 10);
        let levels = Levels {
            fire: 0.5,
            clear: if hysteresis { 0.3 } else { 0.5 },
            hold: seconds(hold),
            keep: seconds(keep),
            cooldown: seconds(cooldown),
        };
        let rule = Rule {
            clear_at: hysteresis.then_some(levels.clear),
            hold: levels.hold,
            keep_firing_for: levels.keep,
            ..gauge(levels.fire)
        };
        let mut engine = ThresholdEngine::new(&AlertingConfig {
            profile: Profile::None,
            rules: vec![rule],
            cooldown: Some(levels.cooldown),
            ..AlertingConfig::default()
        }).unwrap();
        let mut reference = Reference::default();
        let mut visits = Visits::of("shop.price");
        let (mut state, mut value, mut now) = (AlertState::Inactive, None, 0);
        let mut ids = BTreeSet::new();
        for (pause, measured) in steps {
            now += pause;
            let changes = match measured {
                Some(tenths) => {
                    value = Some(f64::from(tenths) / 10.0);
                    visits.next = now;
                    observe(&mut engine, &[visits.found_with(f64::from(tenths) / 10.0, 1.0)])
                }
                None => tick(&mut engine, at(now)),
            };
            for change in &changes {
                if change.from == AlertState::Inactive {
                    prop_assert!(ids.insert(change.alert.id.clone()), "an id is used once");
                }
            }
            state = state_after(state, &changes);
            if let Some(value) = value {
                prop_assert_eq!(state, reference.evaluate(at(now), value, &levels));
            }
        }
    }
}

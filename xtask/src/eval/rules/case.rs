use anyhow::Result;
use std::time::Duration;
use telemetry_runtime::alerting::{AlertingConfig, Profile, Rule, ThresholdEngine};
use telemetry_runtime::interfaces::AlertEngine;
use telemetry_runtime::models::{
    Aggregate, AlertState, Attempt, AttemptOutcome, Comparison, Confidence, Event, EventId,
    OperationKind, Outcome, SelectorName, Signal, StrategyKind, Timestamp,
};

/// Time between two evaluations, and between two samples.
pub(super) const INTERVAL: Duration = Duration::from_secs(15);
/// Evaluations of one case.
pub(super) const STEPS: usize = 60;
/// Instant vectors see a sample for five minutes; longer gaps are not part of what both systems
/// share, because there Prometheus lets alerts go.
const LONGEST_GAP: usize = 12;
/// Values are multiples of this, so that sums are exact in whatever order they are made.
const QUARTERS: u32 = 4;

/// What an alert is at one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    None,
    Pending,
    Firing,
    /// The condition holds no longer, and the alert goes on for `keep_firing_for`.
    Kept,
}

/// A rule and the values it is evaluated on; `None` where nothing was measured.
pub(super) struct Case {
    pub(super) comparison: Comparison,
    pub(super) fire_at: f64,
    /// Without it, the newest value.
    pub(super) window: Option<(Aggregate, usize)>,
    pub(super) hold: Duration,
    pub(super) keep: Duration,
    pub(super) values: Vec<Option<f64>>,
}

impl Case {
    pub(super) fn random(random: &mut fastrand::Rng) -> Self {
        let quarters = |value: u32| f64::from(value) / f64::from(QUARTERS);
        let all = Comparison::ALL;
        let aggregates = [Aggregate::Min, Aggregate::Max, Aggregate::Mean];
        let window = random
            .bool()
            .then(|| (aggregates[random.usize(..aggregates.len())], random.usize(1..=8)));
        let spans = [0, 0, 1, 7, 15, 20, 30, 45, 60, 100, 150, 300];
        let mut span = || Duration::from_secs(spans[random.usize(..spans.len())]);
        let (hold, keep) = (span(), span());
        // What a window has lost altogether Prometheus takes for the end.
        let longest = window.map_or(LONGEST_GAP, |(_, steps)| steps - 1);
        let (mut values, mut gap, mut value) =
            (Vec::with_capacity(STEPS), 0, random.u32(0..=QUARTERS));
        let restless = [0.05, 0.2, 0.6][random.usize(..3)];
        let absent = [0.0, 0.2, 0.8][random.usize(..3)];
        for step in 0..STEPS {
            if random.f64() < restless {
                value = random.u32(0..=QUARTERS);
            }
            if step > 0 && gap < longest && random.f64() < absent {
                gap += 1;
                values.push(None);
            } else {
                gap = 0;
                values.push(Some(quarters(value)));
            }
        }
        let comparison = all[random.usize(..all.len())];
        Self { comparison, fire_at: quarters(random.u32(0..=QUARTERS)), window, hold, keep, values }
    }

    /// The states as our engine sees them.
    ///
    /// # Errors
    /// When the engine refuses the rule.
    pub(super) fn states(&self) -> Result<Vec<State>> {
        let mut rule = Rule::new("case", Signal::Confidence, self.comparison, self.fire_at);
        (rule.hold, rule.keep_firing_for) = (self.hold, self.keep);
        match self.window {
            None => rule.last = Some(1),
            Some((aggregate, steps)) => {
                rule.aggregate = Some(aggregate);
                rule.within = Some(INTERVAL * u32::try_from(steps)?);
                rule.min_samples = Some(1);
            }
        }
        let mut engine = ThresholdEngine::new(&AlertingConfig {
            profile: Profile::None,
            rules: vec![rule],
            cooldown: Some(Duration::ZERO),
            ..AlertingConfig::default()
        })?;
        let (mut states, mut changes) = (Vec::with_capacity(STEPS), Vec::new());
        for (step, value) in self.values.iter().enumerate() {
            let now = Timestamp::from_millis(0).saturating_add(INTERVAL * u32::try_from(step)?);
            if let Some(value) = value {
                engine.observe(&[event(step, now, *value)?], &mut changes);
            }
            engine.tick(now, &mut changes);
            states.push(match engine.open().first().map(|alert| alert.state) {
                None => State::None,
                Some(AlertState::Pending) => State::Pending,
                Some(AlertState::Recovering) => State::Kept,
                Some(_) => State::Firing,
            });
        }
        Ok(states)
    }
}

/// An operation that found its element with this confidence.
fn event(step: usize, at: Timestamp, confidence: f64) -> Result<Event> {
    let id = EventId::from_u128(step as u128 + 1);
    let selector = SelectorName::new("shop.product.price")?;
    let mut event = Event::new(id, selector, at, OperationKind::Resolution, Outcome::Success);
    event.attempts = vec![Attempt {
        confidence: Some(Confidence::new(confidence)?),
        ..Attempt::new(StrategyKind::Css, AttemptOutcome::Accepted)
    }];
    Ok(event)
}

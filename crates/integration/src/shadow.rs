use crate::Instrumented;
use crate::instrumented::conclude;
use parking_lot::Mutex;
use std::fmt;
use std::ops::Deref;
use std::time::{Duration, Instant};
use telemetry_interfaces::{
    Code, Error, ErrorKind, OperationObserver, PageHandle, Phase, Resolution, Result,
    SelectorEngine, SelectorObserver,
};
use telemetry_models::{Confidence, OperationKind, ShadowProbe};

/// How often other strategies are tried after a success, only to learn what they would have done.
///
/// Probes are drawn by chance, so that what they show can be weighted, and stay within a share of
/// the time since the first of them.
pub struct ShadowProbes {
    probability: Confidence,
    budget: f64,
    /// Protects the draw and the account of time.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    random: fastrand::Rng,
    since: Option<Instant>,
    spent: Duration,
}

impl ShadowProbes {
    /// Probes a share of the successful operations, above 0 and up to 1; 0.02 is a good beginning.
    /// The budget is 1 % of the time.
    ///
    /// # Errors
    /// TEL-004 for a share that is not in range.
    pub fn at(share: f64) -> Result<Self> {
        let probability = Confidence::new(share).ok().filter(|it| it.millionths() > 0);
        let probability =
            probability.ok_or_else(|| wrong("share of operations that are probed", share))?;
        let state = State { random: fastrand::Rng::new(), since: None, spent: Duration::ZERO };
        Ok(Self { probability, budget: 0.01, state: Mutex::new(state) })
    }

    /// Sets the share of the time, above 0 and up to 1, that probes may take. An operation that
    /// would be probed beyond it is not.
    ///
    /// # Errors
    /// TEL-004 for a share that is not in range.
    pub fn budget(mut self, share: f64) -> Result<Self> {
        if !(share > 0.0 && share <= 1.0) {
            return Err(wrong("share of the time that probes may take", share));
        }
        self.budget = share;
        Ok(self)
    }

    /// Draws from a seed of the caller's, so that the draw can be repeated.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.state.get_mut().random = fastrand::Rng::with_seed(seed);
        self
    }

    fn draws(&self) -> bool {
        let mut state = self.state.lock();
        let since = *state.since.get_or_insert_with(Instant::now);
        let drawn = state.random.u32(..1_000_000) < self.probability.millionths();
        drawn && state.spent.as_secs_f64() <= self.budget * since.elapsed().as_secs_f64()
    }
}

impl fmt::Debug for ShadowProbes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ShadowProbes")
            .field("probability", &self.probability)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}

fn wrong(what: &str, found: f64) -> Error {
    Error::new(
        ErrorKind::Invalid,
        Code::Configuration,
        format!("the {what} is {found}, allowed is above 0 to 1"),
    )
    .cure("give a share such as 0.02")
}

/// A result, and what is still to be learnt: dropping it runs the probes and records the operation.
///
/// Work with the result first, then drop it: no probe stands between the engine and its caller.
pub struct Probed<'a, E: SelectorEngine, O: SelectorObserver> {
    resolution: Resolution<E::Found>,
    rest: Option<Rest<'a, E, O>>,
}

struct Rest<'a, E: SelectorEngine, O: SelectorObserver> {
    engine: &'a E,
    page: &'a E::Page,
    selector: &'a E::Selector,
    operation: O::Operation,
    /// The first strategy behind the one that matched, when the operation was drawn.
    from: Option<u16>,
    probes: &'a ShadowProbes,
}

impl<E: SelectorEngine, O: SelectorObserver> Deref for Probed<'_, E, O> {
    type Target = Resolution<E::Found>;

    fn deref(&self) -> &Self::Target {
        &self.resolution
    }
}

impl<E: SelectorEngine, O: SelectorObserver> fmt::Debug for Probed<'_, E, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probed").field("outcome", &self.resolution.outcome).finish_non_exhaustive()
    }
}

impl<E: SelectorEngine, O: SelectorObserver> Drop for Probed<'_, E, O> {
    fn drop(&mut self) {
        let Some(mut rest) = self.rest.take() else { return };
        if let (Some(from), Some(found)) = (rest.from, &self.resolution.found) {
            let begun = Instant::now();
            let shadow = Some(ShadowProbe { probability: rest.probes.probability });
            for strategy in from.. {
                let tried = rest.engine.probe(rest.page, rest.selector, strategy, found);
                let Some(record) = tried else { break };
                rest.operation.attempt(telemetry_interfaces::AttemptRecord { shadow, ..record });
            }
            rest.probes.state.lock().spent += begun.elapsed();
        }
        conclude(rest.operation, &self.resolution);
    }
}

impl<E: SelectorEngine, O: SelectorObserver> Instrumented<E, O> {
    /// As [`resolve`](Self::resolve), and after a success, for some operations, tries the strategies
    /// behind the one that matched: once the result is dropped, read-only, within a budget. Reports
    /// estimate from such probes what another order of strategies would save.
    pub fn resolve_then_probe<'a>(
        &'a self,
        page: &'a E::Page,
        context: Option<PageHandle>,
        selector: &'a E::Selector,
        probes: &'a ShadowProbes,
    ) -> Probed<'a, E, O> {
        let engine = self.engine();
        let handle = self.handle(
            engine.selector_name(selector),
            |definition| engine.is_unchanged(selector, definition),
            || engine.definition(selector),
        );
        let mut operation =
            self.observer().start(engine.name(), handle, context, OperationKind::Resolution);
        let mut last = None;
        let resolution =
            engine.resolve(page, selector, &mut |attempt: telemetry_interfaces::AttemptRecord| {
                last = Some(attempt.strategy);
                operation.attempt(attempt);
            });
        let drawn = resolution.found.is_some() && probes.draws();
        let from = last.filter(|_| drawn).and_then(|last| last.checked_add(1));
        // What the caller does with the result is not part of the operation.
        if let (Some(took), true) = (operation.elapsed(), from.is_some()) {
            operation.phase(Phase::Locate, took);
        }
        let rest = Rest { engine, page, selector, operation, from, probes };
        let mut probed = Probed { resolution, rest: Some(rest) };
        if from.is_none()
            && let Some(rest) = probed.rest.take()
        {
            conclude(rest.operation, &probed.resolution);
        }
        probed
    }
}

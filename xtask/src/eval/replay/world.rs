//! A fleet whose every strategy's doing is known.

use anyhow::Result;
use fastrand::Rng;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::models::{
    Attempt, AttemptOutcome, Confidence, Event, EventId, OperationKind, Outcome, PageContext,
    RunId, SelectorName, ShadowProbe, StrategyKind, Timestamp,
};

const SELECTORS: usize = 40;
const STRATEGIES: usize = 4;
const OPERATIONS: usize = 8_000;
const DAYS: f64 = 28.0;
const START_MS: i64 = 1_767_225_600_000;
/// Success that a change may cost before it counts as harm.
pub(super) const HARM: f64 = 0.01;
const KINDS: [&str; STRATEGIES] = ["css", "xpath", "text", "attribute"];

pub(super) struct World {
    pub(super) selectors: Vec<Selector>,
    seed: u64,
    probes: f64,
}

/// One selector: its strategies' costs, how often they match, and how that changes.
pub(super) struct Selector {
    pub(super) name: SelectorName,
    at: u64,
    hit_ms: [f64; STRATEGIES],
    miss_ms: [f64; STRATEGIES],
    /// Log odds of a match, at the beginning and at the end.
    ease: [(f64, f64); STRATEGIES],
    /// How much strategies depend on what they have in common, the page.
    common: f64,
    /// Share of matches that are another element.
    wrong: [f64; STRATEGIES],
    /// When the first strategy dies, as a share of the time.
    dies: Option<f64>,
}

/// One operation with everything that could have happened.
pub(super) struct Operation {
    time: f64,
    page: usize,
    matches: [bool; STRATEGIES],
    right: [bool; STRATEGIES],
    ms: [f64; STRATEGIES],
    probed: bool,
}

impl Selector {
    pub(super) const PRESENT: [usize; STRATEGIES] = [0, 1, 2, 3];

    fn text(&self, strategy: usize) -> String {
        format!("{}-{strategy}", self.name)
    }

    pub(super) fn strategy(&self, kind: &str, text: Option<&str>) -> Option<usize> {
        (0..STRATEGIES).find(|at| KINDS[*at] == kind && text == Some(self.text(*at).as_str()))
    }
}

impl Operation {
    /// Time of the tries in an order, and whether the right element was found.
    pub(super) fn run(&self, order: &[usize]) -> (f64, bool) {
        let mut ms = 0.0;
        for at in order {
            ms += self.ms[*at];
            if self.matches[*at] {
                return (ms, self.right[*at]);
            }
        }
        (ms, false)
    }
}

impl World {
    /// A fleet; a null one has its strategies in the best order already, and no drift.
    pub(super) fn new(seed: u64, probes: f64, null: bool) -> Result<Self> {
        let mut rng = Rng::with_seed(seed);
        let mut selectors = Vec::new();
        for at in 0..SELECTORS {
            let name = SelectorName::new(format!("site{}.field{at}", at % 8))?;
            selectors.push(if null { same(&mut rng, name, at) } else { mixed(&mut rng, name, at) });
        }
        Ok(Self { selectors, seed, probes })
    }

    pub(super) fn time(&self, share: f64) -> Timestamp {
        Timestamp::from_millis(START_MS + (share * DAYS * 86_400_000.0) as i64)
    }

    /// The operations of a stretch of time, as they are recorded.
    pub(super) fn events(&self, range: Range<f64>) -> Vec<Event> {
        let mut events = Vec::new();
        for selector in &self.selectors {
            let pages: Vec<Arc<PageContext>> = (0..PAGES)
                .map(|page| {
                    let url = format!("https://site{}.example/{page}", selector.at % 8);
                    Arc::new(PageContext::at(&url))
                })
                .collect();
            for (at, it) in self.operations(selector).into_iter().enumerate() {
                if range.contains(&it.time) {
                    events.push(self.event(selector, at, &it, &pages[it.page]));
                }
            }
        }
        events
    }

    /// The operations of the untouched part.
    pub(super) fn test(&self, selector: &Selector, from: f64) -> Vec<Operation> {
        self.operations(selector).into_iter().filter(|it| it.time >= from).collect()
    }

    fn operations(&self, selector: &Selector) -> Vec<Operation> {
        let mut rng = Rng::with_seed(self.seed.wrapping_mul(31).wrapping_add(selector.at));
        let pages: Vec<f64> = (0..PAGES).map(|_| super::figures::normal(&mut rng)).collect();
        (0..OPERATIONS)
            .map(|_| {
                let (time, page) = (rng.f64(), rng.usize(0..PAGES));
                let mut it = Operation {
                    time,
                    page,
                    matches: [false; STRATEGIES],
                    right: [false; STRATEGIES],
                    ms: [0.0; STRATEGIES],
                    probed: rng.f64() < self.probes,
                };
                let visit = super::figures::normal(&mut rng);
                for at in 0..STRATEGIES {
                    let (early, late) = selector.ease[at];
                    let ease = early + (late - early) * time;
                    let odds = ease + selector.common * (pages[page] + 0.5 * visit);
                    let dead = at == 0 && selector.dies.is_some_and(|dies| time >= dies);
                    it.matches[at] = !dead && rng.f64() < 1.0 / (1.0 + (-odds).exp());
                    it.right[at] = rng.f64() >= selector.wrong[at];
                    let base =
                        if it.matches[at] { selector.hit_ms[at] } else { selector.miss_ms[at] };
                    it.ms[at] = base * (0.3 * super::figures::normal(&mut rng)).exp();
                }
                it
            })
            .collect()
    }

    fn event(
        &self,
        selector: &Selector,
        at: usize,
        it: &Operation,
        page: &Arc<PageContext>,
    ) -> Event {
        let winner = Selector::PRESENT.into_iter().find(|strategy| it.matches[*strategy]);
        let mut event = Event::new(
            EventId::from_u128(u128::from(selector.at) << 64 | at as u128),
            selector.name.clone(),
            self.time(it.time),
            OperationKind::Resolution,
            if winner.is_some() { Outcome::Success } else { Outcome::NotFound },
        );
        event.page = Some(Arc::clone(page));
        event.run = RunId::new("fleet").ok();
        let mut total = 0.0;
        for strategy in Selector::PRESENT {
            let shadow = winner.is_some_and(|winner| strategy > winner);
            if shadow && !it.probed {
                break;
            }
            // A probe compares its element with the one that was used.
            let differs = winner.is_some_and(|winner| it.right[strategy] != it.right[winner]);
            let outcome = match (it.matches[strategy], shadow && differs) {
                (false, _) => AttemptOutcome::Empty,
                (true, true) => AttemptOutcome::Ambiguous,
                (true, false) => AttemptOutcome::Accepted,
            };
            let mut attempt = Attempt::new(StrategyKind::new(KINDS[strategy]), outcome);
            attempt.text = Some(selector.text(strategy).into());
            attempt.duration = Some(Duration::from_secs_f64(it.ms[strategy] / 1e3));
            attempt.shadow = shadow
                .then(|| Confidence::new(self.probes).ok())
                .flatten()
                .map(|probability| ShadowProbe { probability });
            total += if shadow { 0.0 } else { it.ms[strategy] };
            event.attempts.push(attempt);
        }
        event.timing.total = Some(Duration::from_secs_f64(total / 1e3));
        event
    }
}

const PAGES: usize = 120;

/// Costs and matches as they come, so that another order is often better; some drift, some first
/// strategies die, and some match the wrong element.
fn mixed(rng: &mut Rng, name: SelectorName, at: usize) -> Selector {
    let mut selector = Selector {
        name,
        at: at as u64,
        hit_ms: [0.0; STRATEGIES],
        miss_ms: [0.0; STRATEGIES],
        ease: [(0.0, 0.0); STRATEGIES],
        common: rng.f64() * 1.5,
        wrong: [0.0; STRATEGIES],
        dies: (rng.f64() < 0.15).then(|| rng.f64() * 0.7),
    };
    for strategy in 0..STRATEGIES {
        let ms = 2f64.powf(rng.f64() * 5.0);
        selector.hit_ms[strategy] = ms;
        selector.miss_ms[strategy] = ms * (1.0 + rng.f64());
        let early = -0.5 + 4.0 * rng.f64();
        let drift = if rng.f64() < 0.3 { 2.0 * (rng.f64() - 0.5) } else { 0.0 };
        selector.ease[strategy] = (early, early + drift);
        if strategy > 0 && rng.f64() < 0.15 {
            selector.wrong[strategy] = 0.02 + 0.2 * rng.f64();
        }
    }
    selector
}

/// The first strategy is quick and matches nearly always: there is nothing to gain.
fn same(rng: &mut Rng, name: SelectorName, at: usize) -> Selector {
    let ms = 2f64.powf(rng.f64() * 4.0);
    let ease = 1.5 + 2.0 * rng.f64();
    Selector {
        name,
        at: at as u64,
        hit_ms: [ms; STRATEGIES],
        miss_ms: [ms; STRATEGIES],
        ease: [(ease, ease); STRATEGIES],
        common: rng.f64(),
        wrong: [0.0; STRATEGIES],
        dies: None,
    }
}

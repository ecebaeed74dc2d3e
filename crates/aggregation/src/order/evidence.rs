use crate::distinct::fingerprint;
use crate::{PageFacts, StrategyKey};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use telemetry_models::{AttemptOutcome, Event};

/// Which part of the time an operation belongs to: what is chosen from one part is held against
/// the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Earlier: orders are chosen from it.
    Fit,
    /// Later: orders are estimated on it.
    Select,
}

/// What is known of a selector's strategies together, in bounded memory. Merging is not needed:
/// operations come one by one.
#[derive(Clone, Debug, Default)]
pub struct OrderEvidence {
    pub(super) strategies: Vec<StrategyKey>,
    /// Sum and number of the positions at which a strategy was tried, by strategy.
    positions: Vec<(u64, u64)>,
    pub(super) cells: BTreeMap<Cell, Tally>,
    /// Time of matches and of misses, by part and strategy.
    pub(super) costs: [Vec<[Cost; 2]>; 2],
    ignored: u64,
}

/// Operations that went alike. Strategies are bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) part: Part,
    /// Clusters are dealt to groups, so that chance can be told.
    pub(super) group: u8,
    /// Tried by the operation itself.
    pub(super) tried: u16,
    /// Of which it is known whether they match: tried, or probed.
    pub(super) known: u16,
    /// That match.
    pub(super) matched: u16,
    /// Whose match is not the element that was used.
    pub(super) wrong: u16,
}

impl Cell {
    /// All fields as one number, which orders them as they are listed.
    fn packed(&self) -> u128 {
        let masks = [self.tried, self.known, self.matched, self.wrong];
        let start = u128::from(self.part as u8) << 8 | u128::from(self.group);
        masks.into_iter().fold(start, |packed, mask| packed << 16 | u128::from(mask))
    }
}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) n: u64,
    /// Sum of one over the probability of what is known, in millionths.
    pub(super) weight: u128,
}

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Cost {
    pub(super) n: u64,
    pub(super) sum_ns: u128,
}

impl OrderEvidence {
    /// Most strategies of a selector; operations with further ones are left out.
    pub const MAX_STRATEGIES: usize = 12;
    /// Groups that clusters are dealt to.
    pub const GROUPS: usize = 16;
    /// Most kinds of operations that are told apart; further ones are left out.
    const MAX_CELLS: usize = 2_048;

    /// Adds an operation. Those that did not test the selector, or whose attempts are not known,
    /// say nothing.
    pub fn add(&mut self, event: &Event, part: Part) {
        self.add_known(event, part, event.page.as_deref().map(PageFacts::of).unwrap_or_default());
    }

    /// The same, with what is known of the event's page.
    pub fn add_known(&mut self, event: &Event, part: Part, page: PageFacts) {
        if !event.outcome.is_verdict() || event.attempts.is_empty() {
            return;
        }
        let mut at = [0; 32];
        for (attempt, place) in event.attempts.iter().zip(&mut at) {
            match self.strategy(&attempt.kind, attempt.text.as_ref()) {
                Some(strategy) => *place = strategy,
                None => return self.ignored += 1,
            }
        }
        if event.attempts.len() > at.len() {
            self.ignored += 1;
            return;
        }
        let hour = event.timestamp.as_nanos().div_euclid(3_600_000_000_000);
        let page = page.url.unwrap_or_else(|| fingerprint(""));
        let cluster = page ^ (hour as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut cell = Cell {
            part,
            group: (cluster % Self::GROUPS as u64) as u8,
            tried: 0,
            known: 0,
            matched: 0,
            wrong: 0,
        };
        let mut position = 0;
        // Probes of one operation are drawn together: the least probable tells of all.
        let mut probability = 1_000_000;
        for (attempt, strategy) in event.attempts.iter().zip(at) {
            if attempt.outcome == AttemptOutcome::Skipped {
                continue;
            }
            let bit = 1 << strategy;
            match attempt.shadow {
                None => {
                    cell.tried |= bit;
                    self.positions[strategy].0 += position;
                    self.positions[strategy].1 += 1;
                    position += 1;
                }
                Some(probe) => probability = probability.min(probe.probability.millionths()),
            }
            cell.known |= bit;
            let matched = match (attempt.outcome, attempt.shadow) {
                (AttemptOutcome::Accepted, _) => true,
                // A probe whose match is another element than the one that was used.
                (AttemptOutcome::Ambiguous, Some(_)) => {
                    cell.wrong |= bit;
                    true
                }
                _ => false,
            };
            cell.matched |= if matched { bit } else { 0 };
            if let Some(duration) = attempt.duration {
                let cost = &mut self.costs[part as usize][strategy][usize::from(!matched)];
                cost.n += 1;
                cost.sum_ns += duration.as_nanos();
            }
        }
        if cell.tried == 0 {
            return;
        }
        let full = self.cells.len() >= Self::MAX_CELLS && !self.cells.contains_key(&cell);
        if full {
            self.ignored += 1;
            return;
        }
        let tally = self.cells.entry(cell).or_default();
        tally.n += 1;
        tally.weight += u128::from(1_000_000_000_000 / u64::from(probability.max(1)));
    }

    /// The strategies, numbered by their first appearance.
    pub fn strategies(&self) -> &[StrategyKey] {
        &self.strategies
    }

    /// Numbers of the strategies in the order in which operations try them, by mean position;
    /// those that no operation tried itself come last.
    pub fn present_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.strategies.len()).collect();
        order.sort_by(|a, b| {
            let mean = |at: usize| match self.positions[at] {
                (_, 0) => f64::INFINITY,
                (sum, n) => sum as f64 / n as f64,
            };
            mean(*a).total_cmp(&mean(*b)).then(a.cmp(b))
        });
        order
    }

    /// Operations of a part.
    pub fn operations(&self, part: Part) -> u64 {
        self.cells.iter().filter(|(cell, _)| cell.part == part).map(|(_, it)| it.n).sum()
    }

    /// Operations of a part of which it is known what every strategy does.
    pub fn fully_known(&self, part: Part) -> u64 {
        let all = self.all();
        let known = self.cells.iter().filter(|(it, _)| it.part == part && it.known == all);
        known.map(|(_, it)| it.n).sum()
    }

    /// Operations with probes.
    pub fn probed(&self) -> u64 {
        let probed = self.cells.iter().filter(|(it, _)| it.known != it.tried);
        probed.map(|(_, it)| it.n).sum()
    }

    /// Operations left out because of too many strategies, or kinds of operations.
    pub fn ignored(&self) -> u64 {
        self.ignored
    }

    pub(super) fn all(&self) -> u16 {
        ((1u32 << self.strategies.len()) - 1) as u16
    }

    fn strategy(
        &mut self,
        kind: &telemetry_models::StrategyKind,
        text: Option<&std::sync::Arc<str>>,
    ) -> Option<usize> {
        let is = |key: &StrategyKey| key.0 == *kind && key.1.as_ref() == text;
        if let Some(at) = self.strategies.iter().position(is) {
            return Some(at);
        }
        if self.strategies.len() >= Self::MAX_STRATEGIES {
            return None;
        }
        self.strategies.push((kind.clone(), text.cloned()));
        self.positions.push((0, 0));
        for costs in &mut self.costs {
            costs.push([Cost::default(); 2]);
        }
        Some(self.strategies.len() - 1)
    }
}

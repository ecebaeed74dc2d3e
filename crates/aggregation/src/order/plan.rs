use super::evidence::{Cell, OrderEvidence, Part, Tally};
use std::collections::BTreeMap;

/// Fewest operations with probes that stand for a stratum.
const MIN_PROBED: u64 = 20;
/// Fewest operations of which everything is known for the exact search.
const MIN_JOINT: u64 = 200;
/// Student's t for 15 degrees of freedom: two-sided 95 % and 99 %.
const T_95: f64 = 2.131;
const T_99: f64 = 2.947;

/// What an order of strategies would do, beside the present one, for each operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OrderEstimate {
    /// Mean time of the tries of an operation as it is, in nanoseconds.
    pub present_ns: f64,
    /// Mean time saved, in nanoseconds; below 0 it takes longer.
    pub saving_ns: f64,
    /// Standard error of it: delete-one jackknife over groups of clusters (B. Efron, C. Stein, The
    /// Annals of Statistics 9 (1981)).
    pub error_ns: f64,
    /// Mean change of success: operations that would find nothing or another element, below 0.
    pub success: f64,
    /// Operations behind the change of success.
    pub success_n: u64,
    /// Operations from which it is known what the order would have done, in all strata that are
    /// not taken at their worst.
    pub covered: u64,
    /// Operations in all.
    pub n: u64,
}

impl OrderEstimate {
    /// 95 % interval of the saving, in nanoseconds.
    pub fn interval_ns(&self) -> (f64, f64) {
        (self.saving_ns - T_95 * self.error_ns, self.saving_ns + T_95 * self.error_ns)
    }

    /// Lower end of the 99 % interval of the saving, in nanoseconds.
    pub fn surely_ns(&self) -> f64 {
        self.saving_ns - T_99 * self.error_ns
    }

    /// The saving, drawn towards none as far as it is uncertain: the best of many estimates is
    /// otherwise too good (positive-part James–Stein).
    pub fn shrunk_ns(&self) -> f64 {
        let noise = (self.error_ns / self.saving_ns).powi(2);
        if noise.is_finite() { self.saving_ns * (1.0 - noise).max(0.0) } else { 0.0 }
    }
}

/// Operations of one stratum in one group.
#[derive(Clone, Copy, Debug, Default)]
struct Stratum {
    n: u64,
    /// Number, weight and weighted sums over operations from which it is known: cost and loss.
    known_n: u64,
    weight: f64,
    cost: f64,
    lost: f64,
    present: f64,
    worst: f64,
}

type Strata = BTreeMap<(u16, u16), [Stratum; OrderEvidence::GROUPS]>;

impl OrderEvidence {
    /// What trying `order` (numbers of strategies, none twice; others are dropped) would have done
    /// with the operations of a part, or of both. `None` without operations whose tries are timed.
    pub fn estimate(
        &self,
        order: &[usize],
        part: impl Into<Option<Part>>,
    ) -> Option<OrderEstimate> {
        let strata = self.strata(order, part.into());
        let whole = mean(&strata, None)?;
        let mut spread = Vec::new();
        for group in 0..Self::GROUPS {
            let used = strata.values().any(|groups| groups[group].n > 0);
            if let (true, Some(without)) = (used, mean(&strata, Some(group))) {
                spread.push(without.saving());
            }
        }
        let count = spread.len() as f64;
        if count < 2.0 {
            return None;
        }
        let middle = spread.iter().sum::<f64>() / count;
        let sum: f64 = spread.iter().map(|it| (it - middle).powi(2)).sum();
        Some(OrderEstimate {
            present_ns: whole.present,
            saving_ns: whole.saving(),
            error_ns: ((count - 1.0) / count * sum).sqrt(),
            success: -whole.lost,
            success_n: whole.known_n,
            covered: whole.covered,
            n: whole.n,
        })
    }

    /// The order that promises most by the operations of a part: by the ratio of mean time to
    /// probability of a match (W. E. Smith, Naval Research Logistics 3 (1956); for strategies that
    /// depend on each other at most four times the best, U. Feige, L. Lovász, P. Tetali,
    /// Algorithmica 40 (2004)), or by exact search over subsets where enough is known of all
    /// strategies together.
    pub fn best_order(&self, part: Part) -> Vec<usize> {
        if self.strategies.len() < 2 {
            return self.present_order();
        }
        if self.fully_known(part) >= MIN_JOINT { self.exact(part) } else { self.by_ratio(part) }
    }

    /// Strategies that never matched in operations of which it is known, and those operations.
    pub fn without_match(&self) -> Vec<(usize, u64)> {
        let idle = |at: usize| {
            let bit = 1 << at;
            let known = self.cells.iter().filter(move |(cell, _)| cell.known & bit != 0);
            let (mut n, mut matched) = (0, 0);
            for (cell, tally) in known {
                n += tally.n;
                matched += if cell.matched & bit != 0 { tally.n } else { 0 };
            }
            (matched == 0 && n > 0).then_some((at, n))
        };
        (0..self.strategies.len()).filter_map(idle).collect()
    }

    fn by_ratio(&self, part: Part) -> Vec<usize> {
        let present = self.present_order();
        let ratio = |at: usize| {
            let bit = 1 << at;
            let (mut n, mut matched) = (0u128, 0u128);
            for (cell, tally) in self.of(part).filter(|(cell, _)| cell.known & bit != 0) {
                n += tally.weight;
                matched += if cell.matched & bit != 0 { tally.weight } else { 0 };
            }
            let share = (matched as f64 + 0.5e6) / (n as f64 + 1e6);
            let (hit, miss) = self.costs(part, at);
            (share * hit + (1.0 - share) * miss) / share
        };
        let ratios: Vec<f64> = (0..self.strategies.len()).map(ratio).collect();
        let mut order = present;
        order.sort_by(|a, b| ratios[*a].total_cmp(&ratios[*b]));
        order
    }

    /// Least expected time over all orders, by the set of strategies already tried.
    fn exact(&self, part: Part) -> Vec<usize> {
        let count = self.strategies.len();
        let all = self.all();
        // Weights by what matches, of operations of which everything is known; an operation that
        // was probed stands for all of its stratum.
        let strata = self.shares(part);
        let mut weights = BTreeMap::<u16, f64>::new();
        for (cell, tally) in self.of(part).filter(|(cell, _)| cell.known == all) {
            let (n, known) = strata.get(&stratum_of(cell)).copied().unwrap_or_default();
            if known > 0.0 {
                *weights.entry(cell.matched).or_default() += n * tally.weight as f64 / known;
            }
        }
        let costs: Vec<(f64, f64)> = (0..count).map(|at| self.costs(part, at)).collect();
        let sets = 1usize << count;
        let mut best = vec![(0.0, usize::MAX); sets];
        for set in (0..sets - 1).rev() {
            let set16 = set as u16;
            let mut least = (f64::INFINITY, usize::MAX);
            for (at, (hit, miss)) in costs.iter().enumerate().filter(|(at, _)| set >> at & 1 == 0) {
                let mut cost = best[set | 1 << at].0;
                for (matched, weight) in &weights {
                    if matched & set16 == 0 {
                        let one = if matched >> at & 1 == 1 { hit } else { miss };
                        cost += weight * one;
                    }
                }
                if cost < least.0 {
                    least = (cost, at);
                }
            }
            best[set] = least;
        }
        let mut order = Vec::with_capacity(count);
        let mut set = 0usize;
        while set < sets - 1 {
            let at = best[set].1;
            order.push(at);
            set |= 1 << at;
        }
        order
    }

    /// Operations of each stratum, and the weight of those of which everything is known.
    fn shares(&self, part: Part) -> BTreeMap<(u16, u16), (f64, f64)> {
        let all = self.all();
        let mut shares = BTreeMap::<(u16, u16), (f64, f64)>::new();
        for (cell, tally) in self.of(part) {
            let (n, known) = shares.entry(stratum_of(cell)).or_default();
            *n += tally.n as f64;
            *known += if cell.known == all { tally.weight as f64 } else { 0.0 };
        }
        shares
    }

    fn of(&self, part: impl Into<Option<Part>>) -> impl Iterator<Item = (&Cell, &Tally)> {
        let part = part.into();
        self.cells.iter().filter(move |(cell, _)| part.is_none_or(|it| cell.part == it))
    }

    /// Mean time of a match and of a miss; what is not known of one is taken from the other, and
    /// what is not known of the part from both.
    fn costs(&self, part: Part, at: usize) -> (f64, f64) {
        let mean = |part: Part, which: usize| {
            let cost = self.costs[part as usize][at][which];
            (cost.n > 0).then(|| cost.sum_ns as f64 / cost.n as f64)
        };
        let other = if part == Part::Fit { Part::Select } else { Part::Fit };
        let of = |which: usize| mean(part, which).or_else(|| mean(other, which));
        let (hit, miss) = (of(0), of(1));
        (hit.or(miss).unwrap_or(0.0), miss.or(hit).unwrap_or(0.0))
    }

    fn strata(&self, order: &[usize], part: Option<Part>) -> Strata {
        let costs: Vec<(f64, f64)> = (0..self.strategies.len())
            .map(|at| self.costs(part.unwrap_or(Part::Select), at))
            .collect();
        let mut strata = Strata::new();
        for (cell, tally) in self.of(part) {
            let groups = strata.entry(stratum_of(cell)).or_default();
            let stratum = &mut groups[usize::from(cell.group)];
            let n = tally.n as f64;
            stratum.n += tally.n;
            stratum.present += n * present_cost(cell, &costs);
            stratum.worst += n * worst_cost(cell, order, &costs);
            // Known without a probe, an operation stands for itself.
            let alone = Cell { known: cell.tried, matched: cell.matched & cell.tried, ..*cell };
            let (outcome, weight) = match replay(&alone, order, &costs) {
                Some(outcome) => (Some(outcome), n),
                None => (replay(cell, order, &costs), tally.weight as f64 / 1e6),
            };
            if let Some((cost, lost)) = outcome {
                stratum.known_n += tally.n;
                stratum.weight += weight;
                stratum.cost += weight * cost;
                stratum.lost += weight * f64::from(u8::from(lost));
            }
        }
        strata
    }
}

fn stratum_of(cell: &Cell) -> (u16, u16) {
    (cell.tried, cell.matched & cell.tried)
}

fn present_cost(cell: &Cell, costs: &[(f64, f64)]) -> f64 {
    let tried = (0..costs.len()).filter(|at| cell.tried >> at & 1 == 1);
    tried.map(|at| if cell.matched >> at & 1 == 1 { costs[at].0 } else { costs[at].1 }).sum()
}

/// Time, and whether the operation would have found nothing or another element; `None` where a
/// strategy is reached of which nothing is known.
fn replay(cell: &Cell, order: &[usize], costs: &[(f64, f64)]) -> Option<(f64, bool)> {
    let mut cost = 0.0;
    for at in order {
        let bit = 1 << at;
        if cell.known & bit == 0 {
            return None;
        }
        if cell.matched & bit != 0 {
            return Some((cost + costs[*at].0, cell.wrong & bit != 0));
        }
        cost += costs[*at].1;
    }
    // A failed operation fails in any order.
    Some((cost, cell.matched & cell.tried != 0))
}

/// As if everything unknown before the element is found missed.
fn worst_cost(cell: &Cell, order: &[usize], costs: &[(f64, f64)]) -> f64 {
    let mut cost = 0.0;
    for at in order {
        if cell.tried & cell.matched & (1 << at) != 0 {
            return cost + costs[*at].0;
        }
        cost += costs[*at].1;
    }
    cost
}

#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    n: u64,
    covered: u64,
    known_n: u64,
    present: f64,
    cost: f64,
    lost: f64,
}

impl Mean {
    fn saving(&self) -> f64 {
        self.present - self.cost
    }
}

fn mean(strata: &Strata, without: Option<usize>) -> Option<Mean> {
    let mut sum = Mean::default();
    for groups in strata.values() {
        let mut stratum = Stratum::default();
        for (_, it) in groups.iter().enumerate().filter(|(at, _)| Some(*at) != without) {
            stratum.n += it.n;
            stratum.known_n += it.known_n;
            stratum.weight += it.weight;
            stratum.cost += it.cost;
            stratum.lost += it.lost;
            stratum.present += it.present;
            stratum.worst += it.worst;
        }
        let n = stratum.n as f64;
        sum.n += stratum.n;
        sum.present += stratum.present;
        if stratum.known_n >= MIN_PROBED.min(stratum.n) && stratum.weight > 0.0 {
            sum.covered += stratum.n;
            sum.known_n += stratum.known_n;
            sum.cost += n * stratum.cost / stratum.weight;
            sum.lost += n * stratum.lost / stratum.weight;
        } else {
            sum.cost += stratum.worst;
        }
    }
    if sum.n == 0 || sum.present <= 0.0 {
        return None;
    }
    let n = sum.n as f64;
    Some(Mean { present: sum.present / n, cost: sum.cost / n, lost: sum.lost / n, ..sum })
}

use super::evidence::{Cell, OrderEvidence, Part, Tally};
use std::collections::BTreeMap;

/// Fewest operations with probes that stand for a stratum.
const MIN_PROBED: u64 = 10;
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
    /// Mean loss of success, 0 to 1: operations that would find nothing or another element.
    pub lost: f64,
    /// Share of the operations of which only probes tell whether they would.
    pub uncertain: f64,
    /// Operations with probes that tell it, and those among them that would.
    pub probed: (u64, u64),
    /// Operations from which it is known what the order would have done, in all strata that are
    /// not taken at their worst.
    pub covered: u64,
    /// How many operations that each stand for themselves tell as much as those from which it is
    /// known, a few of which stand for many (L. Kish, “Survey Sampling”, 1965).
    pub effective: f64,
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

    /// Upper end of the loss of success: a Wilson interval over the probes, for the operations of
    /// which only probes tell it; `z` is the normal quantile, 1.96 for two-sided 95 %.
    pub fn lost_high(&self, z: f64) -> f64 {
        let (n, lost) = self.probed;
        if self.uncertain <= 0.0 {
            return self.lost;
        }
        let share = crate::wilson(lost, n, z).map_or(1.0, |it| it.high);
        (self.uncertain * share).max(self.lost).min(1.0)
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
    known: Known,
    /// The same over both parts of the time, for strata with few probes.
    pooled: Known,
    present: f64,
    worst: f64,
    /// Whether the operations themselves tell it, without probes.
    certain: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    n: u64,
    weight: f64,
    /// Sum of the squares of the single weights.
    squares: f64,
    cost: f64,
    lost: f64,
    /// Operations that would be lost.
    losses: u64,
}

impl Known {
    fn add(&mut self, n: u64, weight: f64, (cost, lost): (f64, bool)) {
        self.n += n;
        self.weight += weight;
        self.squares += weight * weight / n as f64;
        self.cost += weight * cost;
        self.lost += if lost { weight } else { 0.0 };
        self.losses += if lost { n } else { 0 };
    }

    fn join(&mut self, other: &Self) {
        self.n += other.n;
        self.weight += other.weight;
        self.squares += other.squares;
        self.cost += other.cost;
        self.lost += other.lost;
        self.losses += other.losses;
    }
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
            lost: whole.lost,
            uncertain: whole.uncertain,
            probed: (whole.probed_n, whole.losses),
            covered: whole.covered,
            effective: whole.effective(),
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
        for (cell, tally) in &self.cells {
            let groups = strata.entry(stratum_of(cell)).or_default();
            let stratum = &mut groups[usize::from(cell.group)];
            let n = tally.n as f64;
            // Known without a probe, an operation stands for itself.
            let alone = Cell { known: cell.tried, matched: cell.matched & cell.tried, ..*cell };
            let certain = replay(&alone, order, &costs);
            let known = certain
                .map(|outcome| (outcome, n))
                .or_else(|| Some((replay(cell, order, &costs)?, tally.weight as f64 / 1e6)));
            if let Some((outcome, weight)) = known {
                stratum.pooled.add(tally.n, weight, outcome);
            }
            if part.is_some_and(|part| cell.part != part) {
                continue;
            }
            stratum.n += tally.n;
            stratum.certain |= certain.is_some();
            stratum.present += n * present_cost(cell, &costs);
            stratum.worst += n * worst_cost(cell, order, &costs);
            if let Some((outcome, weight)) = known {
                stratum.known.add(tally.n, weight, outcome);
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
    /// Sum of the squares of the weights of the operations that tell.
    squares: f64,
    present: f64,
    cost: f64,
    lost: f64,
    uncertain: f64,
    probed_n: u64,
    losses: u64,
}

impl Mean {
    fn saving(&self) -> f64 {
        self.present - self.cost
    }

    fn effective(&self) -> f64 {
        if self.squares > 0.0 { (self.covered as f64).powi(2) / self.squares } else { 0.0 }
    }
}

fn mean(strata: &Strata, without: Option<usize>) -> Option<Mean> {
    let mut sum = Mean::default();
    for groups in strata.values() {
        let mut stratum = Stratum::default();
        for (_, it) in groups.iter().enumerate().filter(|(at, _)| Some(*at) != without) {
            stratum.n += it.n;
            stratum.known.join(&it.known);
            stratum.pooled.join(&it.pooled);
            stratum.present += it.present;
            stratum.worst += it.worst;
            stratum.certain |= it.certain;
        }
        if stratum.n == 0 {
            continue;
        }
        let n = stratum.n as f64;
        sum.n += stratum.n;
        sum.present += stratum.present;
        if !stratum.certain {
            sum.uncertain += n;
            sum.probed_n += stratum.pooled.n;
            sum.losses += stratum.pooled.losses;
        }
        // What the probes of one part are too few for, those of both tell: how strategies depend on
        // each other changes less than how often each matches.
        let enough = |it: &Known| stratum.certain || it.n >= MIN_PROBED;
        let known =
            [stratum.known, stratum.pooled].into_iter().find(|it| enough(it) && it.weight > 0.0);
        match known {
            Some(known) => {
                sum.covered += stratum.n;
                sum.squares += n * n * known.squares / (known.weight * known.weight);
                sum.cost += n * known.cost / known.weight;
                sum.lost += n * known.lost / known.weight;
            }
            None => sum.cost += stratum.worst,
        }
    }
    if sum.n == 0 || sum.present <= 0.0 {
        return None;
    }
    let n = sum.n as f64;
    Some(Mean {
        present: sum.present / n,
        cost: sum.cost / n,
        lost: sum.lost / n,
        uncertain: sum.uncertain / n,
        ..sum
    })
}

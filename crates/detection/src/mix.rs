use crate::sums::{ALTERNATIVES, Onset, Sums};
use crate::{Change, Spending, Step};
use serde::{Deserialize, Serialize};
use telemetry_models::Timestamp;

/// Strategies told apart; what comes behind counts as the last.
pub(crate) const STRATEGIES: usize = ALTERNATIVES;
/// Operations each strategy is supposed to have won before the first; the first one more.
const PRIOR: [f32; STRATEGIES] = [4.0, 0.3, 0.15, 0.1, 0.1, 0.1];
/// How much higher the odds of a strategy are under the hypothesis that it gained.
const ODDS: f64 = 8.0;
/// A shift of odds up to this is no change.
const BORNE: f64 = 1.3;
/// Operations from which half is forgotten.
const MEMORY: f32 = 100_000.0;
/// Successes before the first alarm.
const WARM_UP: u64 = 20;
/// The new mix is the usual one after so many operations.
const ADOPT: u64 = 100_000;
/// An open change is looked at in windows of so many operations.
const WINDOW: u16 = 32;

/// Finds the moment from which another strategy wins more often than usual: selectors live on their
/// fallbacks before they fail.
///
/// A mixture of Shiryaev–Roberts e-detectors, one for each strategy that may gain, against the
/// Dirichlet prediction from all operations before, as
/// [`RateDetector`](crate::RateDetector) for more than two outcomes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MixDetector {
    sums: Sums,
    won: [f32; STRATEGIES],
    seen: u64,
    /// Operations won by each strategy since the start, for what a change is made of.
    ever: [u32; STRATEGIES],
    last: Option<Timestamp>,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    gained: u8,
    usual: f32,
    now: f32,
    since: u64,
    count: u16,
    won: u16,
}

impl MixDetector {
    /// Takes the index of the strategy that won, from 0. A change's values are the share of the
    /// strategy that gained most, before and now.
    pub fn observe(&mut self, won: usize, at: Timestamp, spending: Spending) -> Step {
        let won = won.min(STRATEGIES - 1);
        let gap = self.last.map_or(0.0, |last| at.since(last).as_secs_f64());
        self.last = self.last.max(Some(at));
        let n = self.seen;
        self.seen += 1;
        if let Some(open) = self.open {
            return self.watch_end(won, open);
        }
        let expected: [f32; STRATEGIES] = std::array::from_fn(|it| self.won[it] + PRIOR[it]);
        let all: f32 = expected.iter().sum();
        let ratios: [f64; ALTERNATIVES] = std::array::from_fn(|gained| {
            let share = f64::from(expected[gained] / all);
            let null = share * BORNE / (1.0 + share * (BORNE - 1.0));
            let now = (null * ODDS / (1.0 + null * (ODDS - 1.0))).max(0.1);
            if gained == won { now / null } else { (1.0 - now) / (1.0 - null) }
        });
        if n >= WARM_UP {
            self.sums.open(spending.weight(n, gap), ALTERNATIVES);
        }
        let onset = |of: usize| Onset { at, samples: n, total: f64::from(self.ever[of]) };
        let total = self.sums.multiply_each(&ratios, onset);
        let before = expected;
        self.won[won] += 1.0;
        self.ever[won] = self.ever[won].saturating_add(1);
        if all > MEMORY {
            self.won.iter_mut().for_each(|count| *count *= 0.5);
        }
        if total < 1.0 {
            return Step::Quiet;
        }
        let gained = self.sums.best();
        let onset = self.sums.onset();
        self.sums.clear();
        let samples = self.seen - onset.samples;
        let usual = before[gained] / all;
        let now = (f64::from(self.ever[gained]) - onset.total) / samples as f64;
        // What is usual ends where the change began.
        let since = (self.ever[gained] as f32 - onset.total as f32).min(self.won[gained]);
        self.won[gained] -= since;
        let now = now as f32;
        let open = Open { gained: gained as u8, usual, now, since: n, count: 0, won: 0 };
        self.open = Some(open);
        Step::Began(Change {
            since: onset.at,
            before: f64::from(usual),
            now: f64::from(now),
            samples,
            learned: onset.samples,
        })
    }

    /// The strategy that gained, while a change is open.
    pub fn gained(&self) -> Option<usize> {
        self.open.map(|open| usize::from(open.gained))
    }

    /// Whether a change began and did not end.
    pub const fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Takes an open change as settled; another one needs new evidence.
    pub fn dismiss(&mut self) {
        self.open = None;
        self.sums.clear();
    }

    fn watch_end(&mut self, won: usize, mut open: Open) -> Step {
        open.count += 1;
        open.won += u16::from(won == usize::from(open.gained));
        let mut ended = self.seen - open.since > ADOPT;
        if ended {
            self.won = [0.0; STRATEGIES];
        }
        if open.count == WINDOW {
            let share = f32::from(open.won) / f32::from(WINDOW);
            ended |= share <= f32::midpoint(open.usual, open.now) / 2.0;
            (open.count, open.won) = (0, 0);
        }
        self.open = (!ended).then_some(open);
        if ended { Step::Ended } else { Step::Quiet }
    }
}

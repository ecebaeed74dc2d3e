use serde::{Deserialize, Serialize};
use telemetry_models::Timestamp;

/// Seconds over which the pace of calls is averaged, at least.
const SECONDS: f32 = 1800.0;
/// And calls, at least.
const CALLS: f32 = 32.0;
/// A pause counts as no more than so many usual ones: a clock that jumps is no change of load.
const LONGEST: f32 = 16.0;
/// Blocks that pace and values are compared over: so many seconds and calls, at least.
const BLOCK_S: f64 = 600.0;
const BLOCK: u32 = 16;
/// Blocks from which the oldest are forgotten.
const MEMORY: f32 = 512.0;
/// Variance of the logarithm of the pace that is supposed not to move the values.
const RIDGE: f32 = 0.03;
/// Largest exponent believed, either way: twice as many calls take at most 1.4 times as long each.
const STEEPEST: f32 = 0.5;

/// How much longer operations take when there are more calls: durations as a power of the pace, whose
/// exponent is learned from blocks of calls (ridge regression of logarithms, Hoerl and Kennard 1970).
/// Where the pace says nothing about durations the exponent is near 0, and nothing is corrected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Load {
    last: Option<Timestamp>,
    /// Usual seconds between calls.
    gap: f32,
    /// Calls, each weighted by how long ago it was, and the same of one call a second.
    calls: f32,
    seconds: f32,
    seen: u32,
    block: Block,
    blocks: f32,
    pace: f32,
    value: f32,
    variance: f32,
    product: f32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Block {
    since: Timestamp,
    count: u32,
    pace: f32,
    value: f32,
}

impl Load {
    /// Takes a call. One that comes late says nothing about the pace.
    pub(crate) fn call(&mut self, at: Timestamp) {
        let Some(last) = self.last else {
            self.last = Some(at);
            self.block.since = at;
            return;
        };
        if at < last {
            return;
        }
        self.last = Some(at);
        let gap = at.since(last).as_secs_f32();
        self.seen = self.seen.saturating_add(1);
        if self.seen == 1 {
            self.gap = gap;
        }
        let gap = gap.min(LONGEST * self.gap.max(1e-3));
        self.gap += (gap - self.gap) / (self.seen.min(512) as f32);
        let span = SECONDS.max(CALLS * self.gap);
        let kept = (-gap / span).exp();
        self.calls = self.calls * kept + 1.0;
        self.seconds = self.seconds * kept + span * (1.0 - kept);
    }

    /// What the pace of now adds to a logarithm, compared with the usual pace.
    pub(crate) fn adds(&self) -> f64 {
        if self.blocks < 4.0 {
            return 0.0;
        }
        let exponent = self.product / (self.variance + RIDGE);
        f64::from(exponent.clamp(-STEEPEST, STEEPEST) * (self.now() - self.pace).clamp(-3.0, 3.0))
    }

    /// Learns from a value, the logarithm of a duration.
    pub(crate) fn learn(&mut self, value: f64, at: Timestamp) {
        let Block { since, count, .. } = self.block;
        let now = self.now();
        self.block.count += 1;
        self.block.pace += now;
        self.block.value += value as f32;
        if count + 1 < BLOCK || at.since(since).as_secs_f64() < BLOCK_S {
            return;
        }
        let count = self.block.count as f32;
        let (pace, value) = (self.block.pace / count, self.block.value / count);
        self.block = Block { since: at, ..Block::default() };
        self.blocks = (self.blocks + 1.0).min(MEMORY);
        let share = 1.0 / self.blocks;
        let (x, y) = (pace - self.pace, (value - self.value).clamp(-1.0, 1.0));
        if self.blocks <= 1.0 {
            (self.pace, self.value) = (pace, value);
            return;
        }
        self.pace += x * share;
        self.value += y * share;
        self.variance += (x * x * (1.0 - share) - self.variance) * share;
        self.product += (x * y * (1.0 - share) - self.product) * share;
    }

    /// Forgets what durations were, but not how often the selector is called.
    pub(crate) fn forget(&mut self) {
        (self.blocks, self.pace, self.value, self.variance, self.product) =
            (0.0, 0.0, 0.0, 0.0, 0.0);
        self.block = Block { since: self.last.unwrap_or_default(), ..Block::default() };
    }

    /// The logarithm of calls a second, lately.
    fn now(&self) -> f32 {
        (self.calls.max(0.5) / self.seconds.max(1e-3)).ln()
    }
}

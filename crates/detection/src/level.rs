use crate::sums::{ALTERNATIVES, Onset, Sums};
use crate::{Change, Spending, Step};
use serde::{Deserialize, Serialize};
use std::sync::LazyLock;
use telemetry_models::Timestamp;

/// Bins of the standardised residual, symmetrical about the usual level.
const BINS: usize = 11;
const EDGES: [f64; BINS - 1] = [-4.0, -2.5, -1.6, -0.9, -0.3, 0.3, 0.9, 1.6, 2.5, 4.0];
/// What a residual of each bin counts as: bounded, so that no single value decides.
const SCORES: [f64; BINS] = [-5.0, -3.2, -2.0, -1.25, -0.6, 0.0, 0.6, 1.25, 2.0, 3.2, 5.0];
/// Samples each bin is supposed to have had before the first: a normal distribution, with heavier
/// ends.
const PRIOR: [f64; BINS] = [0.05, 0.15, 1.0, 2.6, 4.0, 4.7, 4.0, 2.6, 1.0, 0.15, 0.05];
/// A wider distribution as a tilt by the squared score: near the best one for twice the deviation.
const WIDE: f64 = 0.3;
/// Which alternatives see a wider distribution instead of a shift.
const SPREADS: [bool; ALTERNATIVES] = [false, false, false, false, false, true];
/// The one that does.
const WIDER: usize = ALTERNATIVES - 1;
/// A variance about the mean, in squared deviations, from which it is one.
const WIDER_THAN: f32 = 1.6;
/// A change of level below this, in deviations, is one of spread.
const NO_SHIFT: f64 = 0.3;
/// How far the course of a day moves the level, in deviations for each hour that a block is long.
const HOURLY: f64 = 2.0;
/// Blocks whose mean is known but not believed yet.
const LAG: usize = 4;
/// Samples from which the bins forget half. Many, or what is usual would sink with a slide.
const MEMORY: f32 = 400_000.0;
/// An open change is looked at in windows of so many samples.
const WINDOW: u16 = 32;
/// So many calm windows in a row end a change.
const CALM: u8 = 2;
/// A new level is the usual one after so long.
const ADOPT_DAYS: u32 = 3;

/// Likelihood ratios before normalisation: of each alternative, in each bin.
type Weights = [[f64; BINS]; ALTERNATIVES];

/// For steps: four shifts, a heavier end, a wider distribution.
static STEPS: LazyLock<Weights> = LazyLock::new(|| {
    let tail = SCORES.map(|score| if score > 3.0 { 8.0 } else { 1.0 });
    [shift(0.3), shift(0.6), shift(1.2), shift(2.2), tail, spread(WIDE)]
});

/// For slides, which are small when they are found, and for steps.
static SLIDES: LazyLock<Weights> =
    LazyLock::new(|| [shift(0.06), shift(0.15), shift(0.4), shift(1.0), shift(2.5), spread(WIDE)]);

/// How the alternatives share the budget.
const STEPS_SHARE: [f64; ALTERNATIVES] = [0.15, 0.2, 0.2, 0.15, 0.1, 0.2];
const SLIDES_SHARE: [f64; ALTERNATIVES] = [0.15, 0.15, 0.15, 0.15, 0.3, 0.1];

fn shift(by: f64) -> [f64; BINS] {
    SCORES.map(|score| (by * score).exp())
}

fn spread(by: f64) -> [f64; BINS] {
    SCORES.map(|score| (by * score * score).exp())
}

/// Which change of a level is watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Higher, as of durations.
    Up,
    /// Lower, as of confidence.
    Down,
}

/// What a [`LevelDetector`] takes for usual. Values are in the unit it is given, which for durations
/// is their logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LevelConfig {
    /// Which change is watched for. A wider distribution is found in both cases.
    pub direction: Direction,
    /// Least deviation assumed, above 0: a selector that always matched 24 elements is not surprised
    /// by 23.
    pub least_deviation: f64,
    /// Shift that is no change, in deviations, 0 or more, on top of what the level was seen to
    /// wander. More bears small steps, and costs delay.
    pub tolerance: f64,
    /// How much the level of blocks is supposed to wander before that is known, in deviations, 0 or
    /// more.
    pub wander: f64,
    /// What the level was seen to wander is no change so many times over. More raises fewer alarms where
    /// something moves it, and costs delay.
    pub bears: f64,
    /// How uncertain the level is, in deviations of the mean it was learned as; 0 or more. More bears
    /// levels that were learned from few values, and costs delay.
    pub uncertainty: f64,
    /// Least length of a block in seconds, above 0. The level is believed four blocks later: a
    /// slow slide must not become what is usual before it is found, and one that takes longer than
    /// this many blocks is not.
    pub block_s: f64,
    /// Blocks the usual level is the mean of, at least 1.
    pub memory_blocks: f64,
    /// Whether slow slides are watched for rather than a heavier end.
    pub slides: bool,
    /// Whether the level follows the time of day.
    pub daily: bool,
    /// Samples before the first alarm.
    pub warm_up: u64,
}

impl LevelConfig {
    /// For durations, as logarithms of milliseconds. The level may follow the load: it is believed
    /// after four minutes and looks six blocks back.
    pub const DURATION: Self = Self {
        direction: Direction::Up,
        least_deviation: 0.08,
        tolerance: 0.0,
        wander: 0.05,
        bears: 0.9,
        uncertainty: 0.6,
        block_s: 60.0,
        memory_blocks: 6.0,
        slides: false,
        daily: true,
        warm_up: 30,
    };
    /// For confidence, 0 to 1: no load moves it, so the level is believed after 16 hours.
    pub const CONFIDENCE: Self = Self {
        direction: Direction::Down,
        least_deviation: 0.01,
        tolerance: 0.02,
        wander: 0.01,
        bears: 1.4,
        uncertainty: 1.5,
        block_s: 4.0 * 3600.0,
        memory_blocks: 42.0,
        slides: true,
        daily: false,
        warm_up: 30,
    };
    /// For numbers of matches, as logarithms of one more.
    pub const MATCHES: Self = Self { least_deviation: 0.1, tolerance: 0.05, ..Self::CONFIDENCE };
}

/// Finds the moment from which values are higher (or lower), or vary more, than usual.
///
/// A mixture of Shiryaev–Roberts e-detectors, as [`RateDetector`](crate::RateDetector), over bins of
/// the residual: value minus usual level, divided by usual deviation, both learned robustly
/// (updates are cut at three deviations, Huber 1964). How often each bin is usual is learned by a
/// Dirichlet prediction from all samples before, so heavy ends are no surprise. Alternatives are
/// exponential tilts of that prediction by bounded scores (a robust CUSUM, Huber 1965): shifts, a
/// heavier end, a wider distribution. What the level was seen to wander between blocks
/// is no change.
///
/// The usual level is lagged: a block of samples becomes part of it only four blocks later, so that a
/// slow slide is measured against where it began.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LevelDetector {
    sums: Sums,
    level: f64,
    deviation: f64,
    /// Samples the level is the mean of.
    weight: f32,
    /// Excess variance of block means, in squared deviations.
    wander: f32,
    counts: [f32; BINS],
    seen: u64,
    total: f64,
    last: Timestamp,
    /// Sum of residuals, and of their squares, since a wider distribution would have begun.
    #[serde(default)]
    spread: (f32, f32),
    /// Mean weight of each alternative under what is expected, as of the last few samples.
    expected: [f32; ALTERNATIVES],
    block: Block,
    waiting: [Waiting; LAG],
    queued: u8,
    /// Hours that the last block was long.
    block_h: f32,
    day: Day,
    open: Option<Open>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Block {
    since: Timestamp,
    sum: f32,
    residuals: f32,
    count: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Waiting {
    mean: f32,
    /// How far it was from the usual level, squared, beyond what its length explains.
    excess: f32,
}

/// How the level differs with the hour of the day, in thousandths of the unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Day {
    offsets: [i16; 24],
    sum: f32,
    count: u32,
    /// Hours that were seen.
    seen: u16,
    hour: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Open {
    /// Hours since 1970.
    since_h: u32,
    /// In deviations; below [`NO_SHIFT`], the change is one of spread.
    shift: f32,
    sum: f32,
    squares: f32,
    count: u16,
    calm: u8,
}

impl LevelDetector {
    /// Takes a value, in the unit of the configuration; one that is not finite is passed over.
    pub fn observe(
        &mut self,
        value: f64,
        at: Timestamp,
        spending: Spending,
        config: &LevelConfig,
    ) -> Step {
        if !value.is_finite() {
            return Step::Quiet;
        }
        let gap = if self.seen == 0 { 0.0 } else { at.since(self.last).as_secs_f64() };
        self.last = if self.seen == 0 { at } else { self.last.max(at) };
        if self.seen == 0 {
            (self.level, self.deviation) = (value, 4.0 * config.least_deviation);
            self.wander = (config.wander * config.wander) as f32;
            self.block.since = at;
        }
        let offset = if config.daily { self.day.offset(at) } else { 0.0 };
        let raw = value - self.level;
        let deviation = self.deviation.max(config.least_deviation);
        let sign = if config.direction == Direction::Up { 1.0 } else { -1.0 };
        let residual = (raw - offset) / deviation * sign;
        self.seen += 1;
        if config.daily {
            // Also while a change is open: what happens at the same hour every day is usual.
            self.day.add(at, raw.clamp(-2.0 * deviation, 2.0 * deviation));
        }
        if let Some(open) = self.open {
            return self.watch_end(residual, at, open);
        }
        let weight = spending.weight(self.seen - 1, gap);
        let found = self.test(residual, value, at, weight, config);
        self.learn(residual, raw, offset, config);
        self.end_block(at, config);
        let Some(onset) = found else { return Step::Quiet };
        let samples = self.seen - onset.samples;
        let now = (self.total - onset.total) / samples as f64;
        let before = self.level + offset;
        let shift = (now - before) / deviation * sign;
        let wider = self.sums.best() == WIDER && self.is_wider();
        self.sums.clear();
        if shift < -NO_SHIFT && !wider {
            // Values that shift the good way lie far from the usual level too.
            return Step::Quiet;
        }
        self.open = Some(Open {
            since_h: hours(at),
            shift: if wider { 0.0 } else { shift as f32 },
            sum: 0.0,
            squares: 0.0,
            count: 0,
            calm: 0,
        });
        Step::Began(Change { since: onset.at, before, now, samples, learned: self.weight as u64 })
    }

    /// The usual value, without what the hour of the day adds.
    pub const fn usual(&self) -> f64 {
        self.level
    }

    /// The usual deviation from it.
    pub const fn deviation(&self) -> f64 {
        self.deviation
    }

    /// Values seen.
    pub const fn seen(&self) -> u64 {
        self.seen
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

    /// The shift that is no change now, in deviations: what the configuration tolerates, what the
    /// level was seen to wander, and what is not known about it yet.
    pub fn borne(&self, config: &LevelConfig) -> f64 {
        let uncertain = config.uncertainty / f64::from(self.weight.max(1.0)).sqrt();
        let wander = f64::from(self.wander.max(0.0)).sqrt();
        // Before a day was seen, the level is supposed to have one: it moves with the age of what
        // it is believed from.
        let unseen = config.daily && self.day.seen < 36;
        let day = if unseen { (HOURLY * f64::from(self.block_h)).min(0.6) } else { 0.0 };
        config.tolerance + config.bears * wander + uncertain + day
    }

    fn test(
        &mut self,
        residual: f64,
        value: f64,
        at: Timestamp,
        weight: f64,
        config: &LevelConfig,
    ) -> Option<Onset> {
        let here = Onset { at, samples: self.seen - 1, total: self.total };
        self.total += value;
        let borne = self.borne(config);
        let shifted = bin(residual - borne);
        // A shift by so much widens the distribution about the usual level by this.
        let narrowed = bin(residual / (1.0 + borne * borne).sqrt());
        let weights: &Weights = if config.slides { &SLIDES } else { &STEPS };
        if self.seen < 256 || self.seen.is_multiple_of(64) {
            self.expect(weights);
        }
        let ratios: [f64; ALTERNATIVES] = std::array::from_fn(|which| {
            let at = if SPREADS[which] { narrowed } else { shifted };
            weights[which][at] / f64::from(self.expected[which])
        });
        if self.seen > config.warm_up {
            self.sums.open_each(weight, if config.slides { &SLIDES_SHARE } else { &STEPS_SHARE });
        }
        if self.sums.evidence(WIDER) <= 1.0 {
            self.spread = (0.0, 0.0);
        }
        let cut = residual.clamp(-5.0, 5.0) as f32;
        self.spread = (self.spread.0 + cut, self.spread.1 + cut * cut);
        let total = self.sums.multiply(&ratios, here);
        (total >= 1.0).then(|| self.sums.onset())
    }

    /// Whether values since a wider distribution would have begun vary more about their own mean, and
    /// not only about the usual level.
    fn is_wider(&self) -> bool {
        let count = (self.seen - self.sums.onset_of(WIDER).samples) as f32;
        let mean = self.spread.0 / count;
        self.spread.1 / count - mean * mean > WIDER_THAN
    }

    /// Averages the weights over the bins as they are expected. It is done anew every 64 samples:
    /// what is expected hardly changes with one more of hundreds, and the sums are most of the cost.
    fn expect(&mut self, weights: &Weights) {
        let expected: [f64; BINS] =
            std::array::from_fn(|at| f64::from(self.counts[at]) + PRIOR[at]);
        let all: f64 = expected.iter().sum();
        self.expected = std::array::from_fn(|which| {
            let products = weights[which].iter().zip(&expected).map(|(a, b)| a * b);
            (products.sum::<f64>() / all) as f32
        });
    }

    fn learn(&mut self, residual: f64, raw: f64, offset: f64, config: &LevelConfig) {
        self.counts[bin(residual)] += 1.0;
        if self.seen.is_multiple_of(1024) && self.counts.iter().sum::<f32>() > MEMORY {
            self.counts.iter_mut().for_each(|count| *count *= 0.5);
        }
        let seen = self.seen as f64;
        let deviation = self.deviation.max(config.least_deviation);
        let cut = residual.clamp(-3.0, 3.0);
        // Young levels are quick, and their deviation is not known from one value.
        let rate = (1.0 / seen).max(1.0 / 4096.0);
        let variance = self.deviation * self.deviation;
        let square = (cut * deviation).powi(2);
        self.deviation = (variance + (square - variance) * rate.min(0.25)).max(0.0).sqrt();
        if usize::from(self.queued) < LAG {
            self.weight += 1.0;
            let step = (raw - offset).clamp(-3.0 * deviation, 3.0 * deviation);
            self.level += step / f64::from(self.weight);
        }
        self.block.count += 1;
        self.block.sum += step_of(raw, deviation) as f32;
        self.block.residuals += cut as f32;
    }

    /// A block that is long enough joins the queue; the one at its other end, the usual level.
    fn end_block(&mut self, at: Timestamp, config: &LevelConfig) {
        let Block { since, count, .. } = self.block;
        if count < 64 || at.since(since).as_secs_f64() < config.block_s {
            return;
        }
        let length = count as f32;
        let mean = self.level as f32 + self.block.sum / length;
        let residual = self.block.residuals / length;
        let excess = (residual * residual - 1.0 / length).min(1.0);
        if usize::from(self.queued) < LAG {
            self.queued += 1;
        } else {
            let Waiting { mean, excess } = self.waiting[0];
            let share = 1.0 / config.memory_blocks;
            self.level += (f64::from(mean) - self.level) * share;
            self.wander += (excess - self.wander) * 0.04;
            let most = config.memory_blocks as f32 * length;
            self.weight = (self.weight + length).min(most);
        }
        self.block_h = at.since(since).as_secs_f32() / 3600.0;
        self.waiting.rotate_left(1);
        self.waiting[LAG - 1] = Waiting { mean, excess };
        self.block = Block { since: at, ..Block::default() };
    }

    fn watch_end(&mut self, residual: f64, at: Timestamp, mut open: Open) -> Step {
        let cut = residual.clamp(-5.0, 5.0) as f32;
        open.sum += cut;
        open.squares += cut * cut;
        open.count += 1;
        if open.count == WINDOW {
            let (mean, square) = (open.sum / f32::from(WINDOW), open.squares / f32::from(WINDOW));
            let calm = if f64::from(open.shift) < NO_SHIFT {
                square < 1.6
            } else {
                mean < open.shift.min(4.0) / 2.0
            };
            open.calm = if calm { open.calm + 1 } else { 0 };
            (open.sum, open.squares, open.count) = (0.0, 0.0, 0);
        }
        if hours(at).saturating_sub(open.since_h) >= ADOPT_DAYS * 24 {
            *self = Self::default();
            return Step::Ended;
        }
        self.open = (open.calm < CALM).then_some(open);
        if self.open.is_some() {
            return Step::Quiet;
        }
        self.block = Block { since: at, ..Block::default() };
        Step::Ended
    }
}

impl Day {
    /// What the time of day adds: between the middles of two hours, something between.
    fn offset(&self, at: Timestamp) -> f64 {
        let hours = at.as_millis().rem_euclid(86_400_000) as f64 / 3_600_000.0 - 0.5;
        let (before, part) = (hours.floor(), hours - hours.floor());
        let of = |hour: f64| f64::from(self.offsets[(hour as i64).rem_euclid(24) as usize]);
        (of(before) * (1.0 - part) + of(before + 1.0) * part) / 1000.0
    }

    fn add(&mut self, at: Timestamp, raw: f64) {
        let hour = at.as_millis().div_euclid(3_600_000).rem_euclid(24) as u8;
        if hour != self.hour {
            if self.count >= 4 {
                let count = self.count as f32;
                let days = (self.seen / 24 + 1) as f32;
                let share = (1.0 / days).max(0.2) * count / (count + 8.0);
                let place = &mut self.offsets[usize::from(self.hour)];
                let mean = self.sum / count * 1000.0;
                let next = f32::from(*place) + (mean - f32::from(*place)) * share;
                *place = next.clamp(-30_000.0, 30_000.0) as i16;
            }
            self.seen = self.seen.saturating_add(1);
            (self.hour, self.sum, self.count) = (hour, 0.0, 0);
        }
        self.sum += raw as f32;
        self.count += 1;
    }
}

fn hours(at: Timestamp) -> u32 {
    u32::try_from(at.as_millis() / 3_600_000).unwrap_or(0)
}

fn step_of(raw: f64, deviation: f64) -> f64 {
    raw.clamp(-4.0 * deviation, 4.0 * deviation)
}

fn bin(residual: f64) -> usize {
    EDGES.iter().filter(|edge| residual > **edge).count()
}

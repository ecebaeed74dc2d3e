use crate::cold::Cold;
use crate::config::{BackPressure, CollectorConfig};
use crate::record::Record;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use telemetry_models::Event;

/// The attribute that says with what probability a plain success was kept; each such event stands
/// for one divided by that many.
pub(crate) const PROBABILITY: &str = "sampling.probability";

/// A threshold that keeps everything.
const ALL: u64 = 1 << 32;
/// Under the highest pressure one plain success in 256 is kept.
const LEVELS: u8 = 8;

/// Decides which plain successes are left out. Everything else is always recorded.
#[derive(Debug)]
pub(crate) struct Sampling {
    /// The configured share of 2³².
    fixed: u64,
    adaptive: bool,
    /// How often the share is halved because of the queue's filling.
    level: AtomicU8,
    /// The probability of each level, as text.
    probabilities: Vec<Arc<str>>,
}

/// What a plain success meets.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Odds {
    threshold: u64,
    /// What the record remembers; 0 is left for "not sampled".
    pub(crate) mark: u8,
}

impl Sampling {
    pub(crate) fn new(config: &CollectorConfig) -> Self {
        let share = config.sample_successes;
        Self {
            fixed: ((share * ALL as f64) as u64).clamp(1, ALL),
            adaptive: config.back_pressure == BackPressure::Adaptive,
            level: AtomicU8::new(0),
            probabilities: (0..=LEVELS)
                .map(|level| (share / f64::from(1_u32 << level)).to_string().into())
                .collect(),
        }
    }

    /// The odds of a plain success now; `None` when all are kept. Costs one relaxed load.
    #[inline]
    pub(crate) fn odds(&self) -> Option<Odds> {
        let level = self.level.load(Ordering::Relaxed);
        if level == 0 && self.fixed == ALL {
            return None;
        }
        Some(Odds { threshold: (self.fixed >> level).max(1), mark: level + 1 })
    }

    /// Adjusts to the queue: up to half full nothing changes, from there the share is halved for
    /// each further sixteenth.
    pub(crate) fn adapt(&self, waiting: usize, capacity: usize) {
        if !self.adaptive {
            return;
        }
        let above = (2 * waiting).saturating_sub(capacity);
        let level = (above * usize::from(LEVELS)).div_ceil(capacity.max(1));
        let level = u8::try_from(level).unwrap_or(LEVELS).min(LEVELS);
        if self.level.load(Ordering::Relaxed) != level {
            self.level.store(level, Ordering::Relaxed);
        }
    }

    /// The probability behind a record's mark; `None` for what was not sampled.
    pub(crate) fn probability(&self, mark: u8) -> Option<Arc<str>> {
        self.probabilities.get(usize::from(mark.checked_sub(1)?)).cloned()
    }
}

/// Whether an operation succeeded at the first try and reported nothing out of the ordinary.
pub(crate) fn is_plain(record: &Record, cold: Option<&Cold>) -> bool {
    record.is_plain_success()
        && cold.is_none_or(|cold| {
            cold.error.is_none() && cold.attempts.is_empty() && cold.facts.are_ordinary()
        })
}

/// The same of an event that arrived whole.
pub(crate) fn is_plain_event(event: &Event) -> bool {
    event.outcome.is_success()
        && event.error.is_none()
        && event.attempts.len() <= 1
        && event.quality.validation_passed != Some(false)
}

/// Marsaglia's xorshift64 (2003, "Xorshift RNGs") with the triple 13, 7, 17: three shifts a draw.
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    /// A stream of its own for each pair of seed and number.
    pub(crate) fn new(seed: u64, number: u64) -> Self {
        // The finaliser of SplitMix64 (Steele, Lea, Flood 2014), so that near seeds differ in all
        // bits; the state must not be 0.
        let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Self((z ^ (z >> 31)).max(1))
    }

    #[inline]
    pub(crate) fn keeps(&mut self, odds: Odds) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 32 < odds.threshold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_falls_as_the_queue_fills() {
        let config =
            CollectorConfig { back_pressure: BackPressure::Adaptive, ..CollectorConfig::default() };
        let sampling = Sampling::new(&config);
        let mut shares = Vec::new();
        for waiting in [0, 50, 51, 60, 75, 90, 100] {
            sampling.adapt(waiting, 100);
            let mark = sampling.odds().map_or(0, |odds| odds.mark);
            shares.push(sampling.probability(mark).map_or("1".into(), |it| it.to_string()));
        }
        assert_eq!(shares, ["1", "1", "0.5", "0.25", "0.0625", "0.0078125", "0.00390625"]);
    }

    #[test]
    fn draws_keep_the_share() {
        for share in [0.5, 0.1, 0.01] {
            let config = CollectorConfig { sample_successes: share, ..CollectorConfig::default() };
            let odds = Sampling::new(&config).odds().unwrap();
            let mut draws = Draws::new(7, 3);
            let n = 1_000_000;
            let kept = (0..n).filter(|_| draws.keeps(odds)).count() as f64;
            let deviation = (f64::from(n) * share * (1.0 - share)).sqrt();
            assert!((kept - f64::from(n) * share).abs() < 5.0 * deviation, "{share}: {kept}");
        }
    }
}

use std::time::Duration;
use telemetry_interfaces::AttemptRecord;
use telemetry_models::{AttemptOutcome, Confidence, OperationKind, Outcome};

/// Attempts that fit into a record; further ones take the cold path.
pub(crate) const INLINE_ATTEMPTS: usize = 4;

const ABSENT: u32 = u32::MAX;

/// Whether `ALL` lists the values in the order of their discriminants, from 0.
macro_rules! in_order {
    ($words:ty) => {{
        let mut at = 0;
        while at < <$words>::ALL.len() && <$words>::ALL[at] as usize == at {
            at += 1;
        }
        at == <$words>::ALL.len() && at <= 256
    }};
}
/// Set in an attempt's outcome byte when its duration is in microseconds instead of nanoseconds.
const MICROSECONDS: u8 = 0x80;

/// What an engine's thread writes for one operation: fixed size, no strings, no allocation.
///
/// Sixteen words, so that a record is written, published and read a word at a time: a processor
/// hands a word just stored on to a load of the same word at once, and lets a wider load wait.
///
/// | word | low to high bits |
/// |---|---|
/// | 0, 1 | clock reading at the start; at the end |
/// | 2, 3 | correlation id, 0 for none |
/// | 4 | selector 32, page 32 |
/// | 5 | confidence in millionths 32, elements 32 |
/// | 6 | whether there is a cold part 32 (0 or 1), engine 16 (0 for none), operation 8, outcome 8 |
/// | 7 | attempts 8, validation 8 (0 unknown, 1 failed, 2 passed), sampling 8 |
/// | 8 + 2n | attempt n: elapsed 32, elements 32 |
/// | 9 + 2n | attempt n: confidence 32, strategy 16, outcome 8 |
///
/// Absent values of 32 bits are all ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    words: [u64; WORDS],
}

/// What is known of an operation only when it has ended.
pub(crate) struct End {
    /// Clock reading.
    pub(crate) at: u64,
    /// Whether a cold part goes with the record.
    pub(crate) cold: bool,
    /// With what odds the operation was kept, as `Sampling` reads it; 0 means it was not sampled.
    pub(crate) sampling: u8,
}

/// Words of a record.
pub(crate) const WORDS: usize = 8 + 2 * INLINE_ATTEMPTS;

const _: () = assert!(size_of::<Record>() <= 128, "a record takes at most two cache lines");

#[inline(always)]
fn pair(low: u32, high: u32) -> u64 {
    u64::from(low) | u64::from(high) << 32
}

#[inline(always)]
fn low(word: u64) -> u32 {
    word as u32
}

#[inline(always)]
fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

impl Record {
    #[inline(always)]
    pub(crate) fn new(
        start: u64,
        engine: u16,
        selector: u32,
        page: Option<u32>,
        operation: OperationKind,
    ) -> Self {
        let mut words = [0; WORDS];
        words[0] = start;
        words[1] = start;
        words[4] = pair(selector, page.unwrap_or(ABSENT));
        words[5] = pair(ABSENT, ABSENT);
        words[6] = u64::from(engine) << 32
            | u64::from(operation as u8) << 48
            | u64::from(Outcome::Cancelled as u8) << 56;
        Self { words }
    }

    /// The words in use, for an operation that ended: those of attempts not made are left out.
    #[inline(always)]
    pub(crate) fn ended(&self, end: &End, mut put: impl FnMut(usize, u64)) {
        put(0, self.words[0]);
        put(1, end.at);
        put(2, self.words[2]);
        put(3, self.words[3]);
        put(4, self.words[4]);
        put(5, self.words[5]);
        put(6, self.words[6] | u64::from(end.cold));
        put(7, self.words[7] | u64::from(end.sampling) << 16);
        for at in 0..self.attempts_len().min(INLINE_ATTEMPTS) {
            put(8 + 2 * at, self.words[8 + 2 * at]);
            put(9 + 2 * at, self.words[9 + 2 * at]);
        }
    }

    /// A record from its words; those of attempts it does not have may be anything.
    pub(crate) fn from_words(words: impl Fn(usize) -> u64) -> Self {
        Self { words: std::array::from_fn(words) }
    }

    #[inline]
    pub(crate) fn start(&self) -> u64 {
        self.words[0]
    }

    pub(crate) fn end(&self) -> u64 {
        self.words[1]
    }

    pub(crate) fn selector(&self) -> u32 {
        low(self.words[4])
    }

    pub(crate) fn page(&self) -> Option<u32> {
        present(high(self.words[4]))
    }

    /// Whether a cold part goes with the record.
    pub(crate) fn has_cold(&self) -> bool {
        low(self.words[6]) != 0
    }

    /// Engine handle; 0 means none.
    pub(crate) fn engine(&self) -> u16 {
        (self.words[6] >> 32) as u16
    }

    /// With what odds the operation was kept, as `Sampling` reads it; 0 means it was not sampled.
    pub(crate) fn sampling(&self) -> u8 {
        (self.words[7] >> 16) as u8
    }

    #[inline]
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.words[6] = self.words[6] << 8 >> 8 | u64::from(outcome as u8) << 56;
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::ALL[(self.words[6] >> 56) as usize]
    }

    /// Whether the operation succeeded with its first strategy, as far as the record itself says.
    pub(crate) fn is_plain_success(&self) -> bool {
        let strategy = (self.words[9] >> 32) as u16;
        self.outcome() == Outcome::Success
            && match self.attempts_len() {
                0 => true,
                1 => strategy == 0,
                _ => false,
            }
            && self.validation() != Some(false)
    }

    fn attempts_len(&self) -> usize {
        usize::from(self.words[7] as u8)
    }

    pub(crate) fn operation(&self) -> OperationKind {
        OperationKind::ALL[usize::from((self.words[6] >> 48) as u8)]
    }

    #[inline]
    pub(crate) fn set_confidence(&mut self, confidence: Confidence) {
        self.words[5] = pair(confidence.millionths(), high(self.words[5]));
    }

    pub(crate) fn confidence(&self) -> Option<Confidence> {
        present(low(self.words[5])).and_then(Confidence::from_millionths)
    }

    #[inline]
    pub(crate) fn set_elements(&mut self, elements: u32) {
        self.words[5] = pair(low(self.words[5]), elements.min(ABSENT - 1));
    }

    pub(crate) fn elements(&self) -> Option<u32> {
        present(high(self.words[5]))
    }

    #[inline]
    pub(crate) fn set_validation(&mut self, passed: bool) {
        self.words[7] = self.words[7] & !0xFF00 | u64::from(1 + u8::from(passed)) << 8;
    }

    pub(crate) fn validation(&self) -> Option<bool> {
        match (self.words[7] >> 8) as u8 {
            0 => None,
            told => Some(told == 2),
        }
    }

    pub(crate) fn set_correlation(&mut self, bits: u128) {
        (self.words[2], self.words[3]) = ((bits >> 64) as u64, bits as u64);
    }

    pub(crate) fn correlation(&self) -> Option<u128> {
        let bits = u128::from(self.words[2]) << 64 | u128::from(self.words[3]);
        (bits != 0).then_some(bits)
    }

    /// Takes the attempt when it fits: a free place, and nothing that needs the cold path.
    #[inline(always)]
    pub(crate) fn push(&mut self, attempt: AttemptRecord) -> bool {
        let at = self.attempts_len();
        if attempt.shadow.is_some() {
            return false;
        }
        let mut outcome = attempt.outcome as u8;
        let elapsed = match attempt.elapsed {
            None => ABSENT,
            Some(elapsed) => match u32::try_from(elapsed.as_nanos()) {
                Ok(nanos) if nanos != ABSENT => nanos,
                _ => {
                    outcome |= MICROSECONDS;
                    u32::try_from(elapsed.as_micros()).unwrap_or(ABSENT).min(ABSENT - 1)
                }
            },
        };
        let elements = attempt.elements.map_or(ABSENT, |elements| elements.min(ABSENT - 1));
        let first = pair(elapsed, elements);
        let second = u64::from(attempt.confidence.map_or(ABSENT, Confidence::millionths))
            | u64::from(attempt.strategy) << 32
            | u64::from(outcome) << 48;
        // Each place by name: an index that is only known when running keeps the record in memory.
        match at {
            0 => (self.words[8], self.words[9]) = (first, second),
            1 => (self.words[10], self.words[11]) = (first, second),
            2 => (self.words[12], self.words[13]) = (first, second),
            3 => (self.words[14], self.words[15]) = (first, second),
            _ => return false,
        }
        self.words[7] += 1;
        true
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptRecord> {
        self.words[8..].chunks_exact(2).take(self.attempts_len()).map(|words| {
            let outcome = (words[1] >> 48) as u8;
            AttemptRecord {
                strategy: (words[1] >> 32) as u16,
                outcome: AttemptOutcome::ALL[usize::from(outcome & !MICROSECONDS)],
                elapsed: present(low(words[0])).map(|elapsed| {
                    if outcome & MICROSECONDS == 0 {
                        Duration::from_nanos(elapsed.into())
                    } else {
                        Duration::from_micros(elapsed.into())
                    }
                }),
                elements: present(high(words[0])),
                confidence: present(low(words[1])).and_then(Confidence::from_millionths),
                shadow: None,
            }
        })
    }
}

fn present(value: u32) -> Option<u32> {
    (value != ABSENT).then_some(value)
}

/// A record holds a word as its place in its vocabulary, which is the order of declaration.
const _: () = {
    assert!(in_order!(Outcome) && in_order!(AttemptOutcome) && in_order!(OperationKind));
    assert!(AttemptOutcome::ALL.len() < MICROSECONDS as usize);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_back_as_they_went_in() {
        let mut record = Record::new(7, 1, 2, Some(3), OperationKind::Execution);
        let quick = AttemptRecord {
            elapsed: Some(Duration::from_nanos(u64::from(u32::MAX) - 1)),
            elements: Some(0),
            confidence: Confidence::saturating(0.25),
            ..AttemptRecord::new(9, AttemptOutcome::LowConfidence)
        };
        let slow = AttemptRecord {
            elapsed: Some(Duration::from_secs(30)),
            ..AttemptRecord::new(1, AttemptOutcome::Skipped)
        };
        let bare = AttemptRecord::new(0, AttemptOutcome::Accepted);
        for attempt in [quick, slow, bare, bare] {
            assert!(record.push(attempt));
        }
        assert!(!record.push(bare), "the fifth takes the cold path");
        assert_eq!(record.attempts().collect::<Vec<_>>(), [quick, slow, bare, bare]);
        assert_eq!((record.operation(), record.page()), (OperationKind::Execution, Some(3)));
        assert_eq!(record.outcome(), Outcome::Cancelled);
    }
}

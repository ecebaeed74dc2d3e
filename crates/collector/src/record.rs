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
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record {
    /// Clock reading at the start.
    pub(crate) start: u64,
    /// Clock reading at the end.
    pub(crate) end: u64,
    /// Bits of the correlation id; 0 means none.
    correlation: [u64; 2],
    pub(crate) selector: u32,
    /// Page handle, or `ABSENT`.
    page: u32,
    /// Key of the cold part; 0 means none.
    pub(crate) cold: u32,
    /// Confidence in millionths, or `ABSENT`.
    confidence: u32,
    /// Elements, or `ABSENT`.
    elements: u32,
    /// Engine handle; 0 means none.
    pub(crate) engine: u16,
    operation: u8,
    outcome: u8,
    /// Attempts in `attempts`.
    attempts_len: u8,
    /// 0 unknown, 1 failed, 2 passed.
    validation: u8,
    /// With what odds the operation was kept, as `Sampling` reads it; 0 means it was not sampled.
    pub(crate) sampling: u8,
    attempts: [InlineAttempt; INLINE_ATTEMPTS],
}

const _: () = assert!(size_of::<Record>() <= 128, "a record takes at most two cache lines");

#[derive(Clone, Copy, Debug, Default)]
struct InlineAttempt {
    elapsed: u32,
    elements: u32,
    confidence: u32,
    strategy: u16,
    outcome: u8,
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
        Self {
            start,
            end: start,
            correlation: [0; 2],
            selector,
            page: page.unwrap_or(ABSENT),
            cold: 0,
            confidence: ABSENT,
            elements: ABSENT,
            engine,
            operation: operation as u8,
            outcome: Outcome::Cancelled as u8,
            attempts_len: 0,
            validation: 0,
            sampling: 0,
            attempts: [InlineAttempt::default(); INLINE_ATTEMPTS],
        }
    }

    /// The record of an operation that ended.
    #[inline]
    pub(crate) fn ended(mut self, end: u64, cold: u32, sampling: u8) -> Self {
        self.end = end;
        self.cold = cold;
        self.sampling = sampling;
        self
    }

    pub(crate) fn page(&self) -> Option<u32> {
        present(self.page)
    }

    #[inline]
    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome as u8;
    }

    pub(crate) fn outcome(&self) -> Outcome {
        Outcome::ALL[usize::from(self.outcome)]
    }

    /// Whether the operation succeeded with its first strategy, as far as the record itself says.
    pub(crate) fn is_plain_success(&self) -> bool {
        self.outcome() == Outcome::Success
            && self.attempts_len <= 1
            && self.attempts[0].strategy == 0
            && self.validation != 1
    }

    pub(crate) fn operation(&self) -> OperationKind {
        OperationKind::ALL[usize::from(self.operation)]
    }

    #[inline]
    pub(crate) fn set_confidence(&mut self, confidence: Confidence) {
        self.confidence = confidence.millionths();
    }

    pub(crate) fn confidence(&self) -> Option<Confidence> {
        present(self.confidence).and_then(Confidence::from_millionths)
    }

    #[inline]
    pub(crate) fn set_elements(&mut self, elements: u32) {
        self.elements = elements.min(ABSENT - 1);
    }

    pub(crate) fn elements(&self) -> Option<u32> {
        present(self.elements)
    }

    #[inline]
    pub(crate) fn set_validation(&mut self, passed: bool) {
        self.validation = 1 + u8::from(passed);
    }

    pub(crate) fn validation(&self) -> Option<bool> {
        (self.validation > 0).then_some(self.validation == 2)
    }

    pub(crate) fn set_correlation(&mut self, bits: u128) {
        self.correlation = [(bits >> 64) as u64, bits as u64];
    }

    pub(crate) fn correlation(&self) -> Option<u128> {
        let bits = u128::from(self.correlation[0]) << 64 | u128::from(self.correlation[1]);
        (bits != 0).then_some(bits)
    }

    /// Takes the attempt when it fits: a free place, and nothing that needs the cold path.
    #[inline(always)]
    pub(crate) fn push(&mut self, attempt: AttemptRecord) -> bool {
        let at = usize::from(self.attempts_len);
        if at == INLINE_ATTEMPTS || attempt.shadow.is_some() {
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
        self.attempts[at] = InlineAttempt {
            elapsed,
            elements: attempt.elements.map_or(ABSENT, |elements| elements.min(ABSENT - 1)),
            confidence: attempt.confidence.map_or(ABSENT, Confidence::millionths),
            strategy: attempt.strategy,
            outcome,
        };
        self.attempts_len += 1;
        true
    }

    pub(crate) fn attempts(&self) -> impl Iterator<Item = AttemptRecord> {
        self.attempts[..usize::from(self.attempts_len)].iter().map(|attempt| AttemptRecord {
            strategy: attempt.strategy,
            outcome: AttemptOutcome::ALL[usize::from(attempt.outcome & !MICROSECONDS)],
            elapsed: present(attempt.elapsed).map(|elapsed| {
                if attempt.outcome & MICROSECONDS == 0 {
                    Duration::from_nanos(elapsed.into())
                } else {
                    Duration::from_micros(elapsed.into())
                }
            }),
            elements: present(attempt.elements),
            confidence: present(attempt.confidence).and_then(Confidence::from_millionths),
            shadow: None,
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

//! Codes of the closed vocabularies in version 1: positions in these lists. Frozen: new words are
//! only ever added at an end.

use super::Fault;
use super::v1::LedgerV1;
use telemetry_interfaces::{DropReason, Ledger};
use telemetry_models::{
    AttemptOutcome, Confidence, OperationKind, Outcome, ProducerId, RunId, Timestamp,
};

const OPERATIONS: &[OperationKind] = &[
    OperationKind::Resolution,
    OperationKind::Validation,
    OperationKind::Execution,
    OperationKind::Cleanup,
];

const OUTCOMES: &[Outcome] = &[
    Outcome::Success,
    Outcome::NotFound,
    Outcome::LowConfidence,
    Outcome::Ambiguous,
    Outcome::ValidationFailed,
    Outcome::InvalidSelector,
    Outcome::Timeout,
    Outcome::NavigationFailed,
    Outcome::Blocked,
    Outcome::TargetClosed,
    Outcome::EngineError,
    Outcome::Cancelled,
    Outcome::Panicked,
    Outcome::ExpectedAbsent,
];

const ATTEMPT_OUTCOMES: &[AttemptOutcome] = &[
    AttemptOutcome::Accepted,
    AttemptOutcome::LowConfidence,
    AttemptOutcome::Empty,
    AttemptOutcome::Ambiguous,
    AttemptOutcome::ValidationFailed,
    AttemptOutcome::Timeout,
    AttemptOutcome::InvalidSelector,
    AttemptOutcome::Detached,
    AttemptOutcome::Error,
    AttemptOutcome::Skipped,
];

const DROP_REASONS: &[DropReason] = &[
    DropReason::QueueFull,
    DropReason::Displaced,
    DropReason::Sampled,
    DropReason::Invalid,
    DropReason::StoreFailed,
    DropReason::Closed,
];

fn code<T: PartialEq>(words: &[T], word: &T) -> Result<u8, Fault> {
    words
        .iter()
        .position(|it| it == word)
        .and_then(|at| u8::try_from(at).ok())
        .ok_or_else(|| "a word that format version 1 does not know".to_owned())
}

fn word<T: Copy>(words: &[T], code: u8, what: &str) -> Result<T, Fault> {
    words.get(usize::from(code)).copied().ok_or_else(|| format!("{what} code {code} is unknown"))
}

pub(super) fn operation_code(it: OperationKind) -> Result<u8, Fault> {
    code(OPERATIONS, &it)
}

pub(super) fn operation(it: u8) -> Result<OperationKind, Fault> {
    word(OPERATIONS, it, "operation")
}

pub(super) fn outcome_code(it: Outcome) -> Result<u8, Fault> {
    code(OUTCOMES, &it)
}

pub(super) fn outcome(it: u8) -> Result<Outcome, Fault> {
    word(OUTCOMES, it, "outcome")
}

/// The outcomes as bits, as in a block's description. Words unknown to this version are in no
/// block.
pub(crate) fn outcome_bits(outcomes: &[Outcome]) -> u32 {
    outcomes.iter().filter_map(|it| outcome_code(*it).ok()).fold(0, |bits, code| bits | 1 << code)
}

pub(super) fn attempt_outcome_code(it: AttemptOutcome) -> Result<u8, Fault> {
    code(ATTEMPT_OUTCOMES, &it)
}

pub(super) fn attempt_outcome(it: u8) -> Result<AttemptOutcome, Fault> {
    word(ATTEMPT_OUTCOMES, it, "attempt outcome")
}

/// Whether a code is that of an accepted attempt.
#[inline]
pub(super) fn is_accepted(code: u8) -> bool {
    ATTEMPT_OUTCOMES.get(usize::from(code)) == Some(&AttemptOutcome::Accepted)
}

pub(super) fn confidence(millionths: u32) -> Result<Confidence, Fault> {
    Confidence::from_millionths(millionths)
        .ok_or_else(|| format!("confidence {millionths} millionths is above 1"))
}

pub(super) const fn truth_code(it: Option<bool>) -> u8 {
    match it {
        None => 0,
        Some(false) => 1,
        Some(true) => 2,
    }
}

pub(super) fn truth(it: u8) -> Result<Option<bool>, Fault> {
    match it {
        0 => Ok(None),
        1 => Ok(Some(false)),
        2 => Ok(Some(true)),
        _ => Err(format!("truth value {it} is unknown")),
    }
}

impl From<&Ledger> for LedgerV1 {
    fn from(ledger: &Ledger) -> Self {
        Self {
            run: ledger.run.as_ref().map(ToString::to_string),
            producer: ledger.producer.as_ref().map(ToString::to_string),
            at: ledger.at.as_nanos(),
            recorded: ledger.recorded,
            stored: ledger.stored,
            spooled: ledger.spooled,
            in_flight: ledger.in_flight,
            dropped: ledger
                .dropped
                .iter()
                .filter_map(|(reason, count)| Some((code(DROP_REASONS, reason).ok()?, *count)))
                .collect(),
        }
    }
}

impl TryFrom<LedgerV1> for Ledger {
    type Error = Fault;

    fn try_from(ledger: LedgerV1) -> Result<Self, Fault> {
        let invalid = |error: telemetry_models::Invalid| error.to_string();
        Ok(Self {
            run: ledger.run.map(RunId::new).transpose().map_err(invalid)?,
            producer: ledger.producer.map(ProducerId::new).transpose().map_err(invalid)?,
            at: Timestamp::from_nanos(ledger.at),
            recorded: ledger.recorded,
            stored: ledger.stored,
            spooled: ledger.spooled,
            in_flight: ledger.in_flight,
            dropped: ledger
                .dropped
                .into_iter()
                .map(|(code, count)| Ok((word(DROP_REASONS, code, "drop reason")?, count)))
                .collect::<Result<_, Fault>>()?,
        })
    }
}

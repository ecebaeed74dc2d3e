use telemetry_models::{Event, Outcome, OutcomeClass, Timestamp};

/// What detectors look at of one operation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operation {
    /// When.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether nothing matched at all.
    pub matched_nothing: bool,
    /// Time of the whole operation in milliseconds, of successful ones.
    pub duration_ms: Option<f64>,
    /// Confidence in what was found, 0 to 1.
    pub confidence: Option<f64>,
    /// Whether what was found held what was expected, where that was looked at.
    pub right: Option<bool>,
    /// Elements matched, of successful ones.
    pub matches: Option<u32>,
    /// Index of the strategy that won, of successful ones.
    pub won: Option<u32>,
    /// Tells events apart, so that one that comes twice counts once; 0 when it is not known.
    pub id: u64,
    /// Tells pages apart, for operations that failed: tries on one page are not independent; 0 when
    /// it is not known.
    pub page: u64,
}

impl Operation {
    /// An operation of which only time and outcome are known.
    pub const fn new(at: Timestamp, outcome: Outcome) -> Self {
        Self {
            at,
            outcome,
            matched_nothing: matches!(outcome, Outcome::NotFound),
            duration_ms: None,
            confidence: None,
            right: None,
            matches: None,
            won: None,
            id: 0,
            page: 0,
        }
    }

    /// What an event says, at the time `at` of the clock that detectors are told.
    pub fn of(event: &Event, at: Timestamp) -> Self {
        let success = event.outcome.is_success();
        let page = event.page.as_deref().filter(|_| !success);
        Self {
            at,
            outcome: event.outcome,
            matched_nothing: event.matched_nothing(),
            duration_ms: event.duration().filter(|_| success).map(|it| it.as_secs_f64() * 1e3),
            confidence: event.confidence().map(|it| it.get()),
            right: match event.outcome {
                Outcome::ValidationFailed => Some(false),
                _ => event.quality.validation_passed.filter(|_| success),
            },
            matches: event.elements_found().filter(|_| success),
            won: event.fallback_depth().filter(|_| success),
            id: match event.id.as_u128() {
                Some(id) => (id ^ (id >> 64)) as u64,
                None => hash(event.id.to_string().as_bytes(), FNV_BASIS),
            },
            page: page.map_or(0, |page| {
                let parts = [page.url.as_deref(), page.tab.as_deref()];
                let session = page.session.as_ref().map_or("", |it| it.as_str());
                let parts = parts.into_iter().flatten().chain([session]);
                parts.fold(FNV_BASIS, |hashed, part| hash(part.as_bytes(), hashed))
            }),
        }
    }

    pub(crate) const fn is_fault(&self) -> bool {
        matches!(self.outcome.class(), OutcomeClass::SelectorFault)
    }

    pub(crate) const fn is_environment(&self) -> bool {
        matches!(self.outcome.class(), OutcomeClass::EnvironmentFault)
    }
}

const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a (Fowler, Noll, Vo).
fn hash(bytes: &[u8], from: u64) -> u64 {
    bytes
        .iter()
        .fold(from, |hashed, byte| (hashed ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

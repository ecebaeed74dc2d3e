use cascade::{Cascade, Document, Found, Listener, Selector, Try, TryOutcome, Verdict};
use telemetry_interfaces::{AttemptObserver, AttemptRecord, Resolution, SelectorEngine};
use telemetry_models::{
    AttemptOutcome, Confidence, Outcome, SelectorDefinition, SelectorName, StrategyDefinition,
    StrategyKind,
};

/// The `cascade` engine as a [`SelectorEngine`]. The engine itself knows nothing of it: it tells
/// its own `Listener` of each try, and this adapter listens.
#[derive(Debug, Default)]
pub struct CascadeEngine {
    cascade: Cascade,
}

impl CascadeEngine {
    /// Adapts an engine.
    pub fn new(cascade: Cascade) -> Self {
        Self { cascade }
    }
}

impl SelectorEngine for CascadeEngine {
    type Page = Document;
    type Selector = Selector;
    type Found = Vec<Found>;

    fn name(&self) -> &str {
        "cascade"
    }

    /// A selector without a usable name is recorded as `unnamed`: observing must not fail.
    fn definition(&self, selector: &Selector) -> SelectorDefinition {
        let name = SelectorName::new(selector.name.as_str())
            .or_else(|_| SelectorName::new("unnamed"))
            .expect("a constant that is not blank");
        let strategies = selector.strategies.iter().map(|strategy| StrategyDefinition {
            kind: StrategyKind::new(strategy.kind.name()),
            text: strategy.text.as_str().into(),
        });
        SelectorDefinition { name, version: 1, strategies: strategies.collect() }
    }

    fn is_unchanged(&self, selector: &Selector, definition: &SelectorDefinition) -> bool {
        selector.strategies.len() == definition.strategies.len()
            && selector.strategies.iter().zip(&definition.strategies).all(|(mine, known)| {
                mine.kind.name() == known.kind.as_str() && *mine.text == *known.text
            })
    }

    fn selector_name<'a>(&self, selector: &'a Selector) -> &'a str {
        &selector.name
    }

    fn resolve(
        &self,
        page: &Document,
        selector: &Selector,
        attempts: &mut dyn AttemptObserver,
    ) -> Resolution<Vec<Found>> {
        let resolution = self.cascade.resolve(page, selector, &mut Adapter(attempts));
        let outcome = match resolution.verdict {
            Verdict::Found => Outcome::Success,
            Verdict::ExpectedAbsent => Outcome::ExpectedAbsent,
            Verdict::NotFound => worst(&resolution.tries),
        };
        let winner = resolution.winner.and_then(|at| resolution.tries.get(at));
        let checked = selector.validate.is_some();
        let validation_passed = match outcome {
            Outcome::Success => checked.then_some(true),
            Outcome::ValidationFailed => Some(false),
            _ => None,
        };
        Resolution {
            outcome,
            confidence: resolution.confidence.and_then(Confidence::saturating),
            elements: match outcome {
                Outcome::Success => winner.map(|winner| count(winner.matches)),
                Outcome::NotFound | Outcome::ExpectedAbsent => Some(0),
                _ => None,
            },
            validation_passed,
            error: (outcome != Outcome::Success && outcome != Outcome::ExpectedAbsent)
                .then(|| reasons(&resolution.tries)),
            found: (outcome == Outcome::Success).then_some(resolution.elements),
        }
    }

    /// Two strategies agree when the first thing each of them finds has the same value.
    fn probe(
        &self,
        page: &Document,
        selector: &Selector,
        strategy: u16,
        found: &Vec<Found>,
    ) -> Option<AttemptRecord> {
        let (attempt, elements) =
            self.cascade.try_strategy(page, selector, usize::from(strategy))?;
        let mut record = record_of(&attempt);
        let value = |found: &[Found]| found.first().map(|it| it.value.clone());
        if record.outcome == AttemptOutcome::Accepted && value(&elements) != value(found) {
            record.outcome = AttemptOutcome::Ambiguous;
        }
        Some(record)
    }
}

fn record_of(attempt: &Try) -> AttemptRecord {
    AttemptRecord {
        strategy: u16::try_from(attempt.index).unwrap_or(u16::MAX),
        outcome: outcome_of(&attempt.outcome),
        elapsed: Some(attempt.elapsed),
        elements: match attempt.outcome {
            TryOutcome::Invalid { .. } | TryOutcome::Failed { .. } => None,
            _ => Some(count(attempt.matches)),
        },
        confidence: attempt.confidence.and_then(Confidence::saturating),
        shadow: None,
    }
}

struct Adapter<'a>(&'a mut dyn AttemptObserver);

impl Listener for Adapter<'_> {
    fn tried(&mut self, attempt: &Try) {
        self.0.attempt(record_of(attempt));
    }
}

fn outcome_of(outcome: &TryOutcome) -> AttemptOutcome {
    match outcome {
        TryOutcome::Accepted => AttemptOutcome::Accepted,
        TryOutcome::LowConfidence { .. } => AttemptOutcome::LowConfidence,
        TryOutcome::Empty => AttemptOutcome::Empty,
        TryOutcome::Ambiguous { .. } => AttemptOutcome::Ambiguous,
        TryOutcome::ValidationFailed { .. } => AttemptOutcome::ValidationFailed,
        TryOutcome::Invalid { .. } => AttemptOutcome::InvalidSelector,
        TryOutcome::Failed { .. } => AttemptOutcome::Error,
    }
}

/// The outcome of an operation in which nothing was accepted: that of the try that came closest.
fn worst(tries: &[Try]) -> Outcome {
    let any = |wanted: AttemptOutcome| tries.iter().any(|it| outcome_of(&it.outcome) == wanted);
    if any(AttemptOutcome::LowConfidence) {
        Outcome::LowConfidence
    } else if any(AttemptOutcome::ValidationFailed) {
        Outcome::ValidationFailed
    } else if any(AttemptOutcome::Ambiguous) {
        Outcome::Ambiguous
    } else if any(AttemptOutcome::Empty) {
        Outcome::NotFound
    } else if any(AttemptOutcome::InvalidSelector) {
        Outcome::InvalidSelector
    } else {
        Outcome::EngineError
    }
}

fn reasons(tries: &[Try]) -> String {
    if tries.is_empty() {
        return "the selector has no strategies".into();
    }
    let reasons: Vec<String> = tries
        .iter()
        .map(|it| {
            let reason = match &it.outcome {
                TryOutcome::Accepted => "accepted".into(),
                TryOutcome::Empty => "matched nothing".into(),
                TryOutcome::LowConfidence { score, threshold } => {
                    format!("confidence {score:.2} is below {threshold:.2}")
                }
                TryOutcome::Ambiguous { count } => format!("matched {count} elements"),
                TryOutcome::ValidationFailed { reason } => reason.clone(),
                TryOutcome::Invalid { message } | TryOutcome::Failed { message } => message.clone(),
            };
            format!("{} {:?}: {reason}", it.kind, it.text)
        })
        .collect();
    reasons.join("; ")
}

fn count(matches: usize) -> u32 {
    u32::try_from(matches).unwrap_or(u32::MAX)
}

//! Property-test strategies for model values.

use proptest::collection::{btree_map, vec};
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;
use std::sync::Arc;
use std::time::Duration;
use telemetry_models::{
    Attempt, AttemptOutcome, Confidence, CorrelationId, ErrorInfo, Event, EventId, OperationKind,
    Outcome, PageContext, ProducerId, Quality, Resources, RunId, SelectorName, SessionId,
    ShadowProbe, StrategyKind, Timestamp, Timing, Viewport,
};

/// The longest duration that [`Event::validate`] accepts outside the resolution time: 24 h.
const DAY_NS: u64 = 86_400_000_000_000;
/// The longest resolution time that [`Event::validate`] accepts: 300 s.
const RESOLUTION_NS: u64 = 300_000_000_000;

/// Any event that [`Event::validate`] accepts: every outcome, any subset of the measurements
/// absent, shadow probes and skipped attempts, ids that are UUIDs and ids that are not, texts with
/// any character, timestamps over the whole range.
pub fn arbitrary_event() -> BoxedStrategy<Event> {
    // Boxed throughout: the generators' trees are large, and test threads have 2 MiB of stack.
    let head = (
        arbitrary_event_id(),
        of(id_text().prop_map(|text| CorrelationId::new(&text).expect("never empty"))),
        arbitrary_selector_name(),
        of(any::<u32>()),
        arbitrary_timestamp(),
        select(OperationKind::ALL),
        select(Outcome::ALL),
    )
        .boxed();
    let tail = (
        of(arbitrary_page().prop_map(Arc::new)),
        of(text()),
        of(name_text().prop_map(|text| RunId::new(text).expect("never blank"))),
        of(name_text().prop_map(|text| ProducerId::new(text).expect("never blank"))),
        of(any::<u64>()),
        btree_map(text(), text(), 0..4),
    )
        .boxed();
    (
        head,
        arbitrary_tries(),
        arbitrary_timing(),
        arbitrary_resources(),
        of(arbitrary_error()),
        tail,
    )
        .prop_flat_map(|(head, tries, timing, resources, error, tail)| {
            let outcome = head.6;
            (Just((head, tries, timing, resources, error, tail)), arbitrary_quality(outcome))
        })
        .prop_map(|((head, tries, timing, resources, error, tail), quality)| {
            let (id, correlation_id, selector, selector_version, timestamp, operation, outcome) =
                head;
            let (page, engine, run, producer, sequence, attributes) = tail;
            let attempts = tries.attempts(outcome);
            Event {
                id,
                correlation_id,
                selector,
                selector_version,
                timestamp,
                operation,
                outcome,
                quality: agreeing(quality, &attempts),
                error: error.map(|error| consistent(error, outcome, &attempts)),
                attempts,
                timing,
                resources,
                page,
                engine,
                run,
                producer,
                sequence,
                attributes,
            }
        })
        .boxed()
}

/// An event id: a UUID, or any other non-empty text (upper-case UUIDs among them).
pub fn arbitrary_event_id() -> BoxedStrategy<EventId> {
    id_text().prop_map(|text| EventId::new(&text).expect("never empty")).boxed()
}

/// A selector name: dotted words mostly, any non-blank text otherwise.
pub fn arbitrary_selector_name() -> BoxedStrategy<SelectorName> {
    name_text().prop_map(|text| SelectorName::new(text).expect("never blank")).boxed()
}

/// Any instant: around now, the ends of the range, the epoch, anything between.
pub fn arbitrary_timestamp() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        4 => (1_600_000_000_000_000_000i64..2_000_000_000_000_000_000).boxed(),
        1 => select(&[i64::MIN, i64::MIN + 1, -1, 0, 1, 999_999_999, i64::MAX][..]).boxed(),
        1 => any::<i64>().boxed(),
    ]
    .prop_map(Timestamp::from_nanos)
    .boxed()
}

/// A listed strategy kind, or any other non-blank name.
pub fn arbitrary_strategy_kind() -> BoxedStrategy<StrategyKind> {
    prop_oneof![
        5 => select(StrategyKind::LISTED),
        1 => name_text().prop_map(|name| StrategyKind::new(&name)),
    ]
    .boxed()
}

/// A page of which any part may be unknown, down to all of it.
pub fn arbitrary_page() -> BoxedStrategy<PageContext> {
    let viewport =
        (any::<u32>(), any::<u32>()).prop_map(|(width, height)| Viewport { width, height });
    (
        of(name_text().prop_map(|text| SessionId::new(text).expect("never blank"))),
        of(text()),
        of(url()),
        of(select(&["/", "/product/{id}", "/liste/{größe}"][..]).prop_map(Arc::from)),
        of(text()),
        of(text()),
        of(viewport),
        of(arbitrary_timestamp()),
    )
        .prop_map(|(session, tab, url, url_template, title, user_agent, viewport, entered_at)| {
            PageContext { session, tab, url, url_template, title, user_agent, viewport, entered_at }
        })
        .boxed()
}

/// Any confidence.
pub fn arbitrary_confidence() -> BoxedStrategy<Confidence> {
    (0..=1_000_000u32)
        .prop_map(|millionths| Confidence::from_millionths(millionths).expect("within the range"))
        .boxed()
}

/// The parts attempts are made of, before the event's outcome decides which one is accepted.
#[derive(Clone, Debug)]
struct Tries {
    attempts: Vec<Attempt>,
    /// Which attempt is the accepted one, as a share of their number.
    winner: prop::sample::Index,
    /// Whether something was accepted although the operation failed later.
    failed_later: bool,
}

impl Tries {
    fn attempts(self, outcome: Outcome) -> Vec<Attempt> {
        let Self { mut attempts, winner, failed_later } = self;
        let accepts = match outcome {
            Outcome::Success => true,
            Outcome::NotFound | Outcome::ExpectedAbsent => false,
            _ => failed_later,
        };
        if accepts && !attempts.is_empty() {
            let winner = winner.index(attempts.len());
            attempts[winner].outcome = AttemptOutcome::Accepted;
            attempts[winner].shadow = None;
            attempts[winner].elements = attempts[winner].elements.map(|found| found.max(1));
        }
        attempts
    }
}

fn arbitrary_tries() -> BoxedStrategy<Tries> {
    (vec(arbitrary_loser(), 0..6), any::<prop::sample::Index>(), weighted(0.2, Just(())))
        .prop_map(|(attempts, winner, failed_later)| Tries {
            attempts,
            winner,
            failed_later: failed_later.is_some(),
        })
        .boxed()
}

/// An attempt whose match was not used: accepted only as a shadow probe.
fn arbitrary_loser() -> BoxedStrategy<Attempt> {
    (
        arbitrary_strategy_kind(),
        of(text()),
        select(AttemptOutcome::ALL),
        of(duration(DAY_NS)),
        of(prop_oneof![0..100u32, any::<u32>()]),
        of(arbitrary_confidence()),
        of(1..=1_000_000u32),
    )
        .prop_map(|(kind, text, outcome, duration, elements, confidence, shadow)| {
            let shadow = match (outcome, shadow) {
                (AttemptOutcome::Accepted, None) => Some(1_000_000),
                (_, shadow) => shadow,
            };
            Attempt {
                kind,
                text,
                outcome,
                duration,
                elements: match outcome {
                    AttemptOutcome::Empty => elements.map(|_| 0),
                    AttemptOutcome::Accepted => elements.map(|found| found.max(1)),
                    _ => elements,
                },
                confidence,
                shadow: shadow
                    .and_then(Confidence::from_millionths)
                    .map(|probability| ShadowProbe { probability }),
            }
        })
        .boxed()
}

fn arbitrary_timing() -> BoxedStrategy<Timing> {
    (of(duration(RESOLUTION_NS)), of(duration(DAY_NS)), of(duration(DAY_NS)))
        .prop_map(|(resolution, strategies, total)| Timing { resolution, strategies, total })
        .boxed()
}

fn arbitrary_resources() -> BoxedStrategy<Resources> {
    (of(0.0..=1024.0), of(0.0..=100.0), of(any::<u32>()), of(any::<u32>()))
        .prop_map(|(memory_mb, cpu_percent, network_requests, dom_operations)| Resources {
            memory_mb,
            cpu_percent,
            network_requests,
            dom_operations,
        })
        .boxed()
}

fn arbitrary_quality(outcome: Outcome) -> BoxedStrategy<Quality> {
    let least = u32::from(outcome.is_success());
    (
        of(arbitrary_confidence()),
        of(prop_oneof![least..100, least..=u32::MAX]),
        of(any::<bool>()),
        of(any::<bool>()),
    )
        .prop_map(move |(confidence, elements_found, validation, drift_detected)| Quality {
            confidence,
            elements_found,
            validation_passed: validation.map(|passed| passed || outcome.is_success()),
            drift_detected,
        })
        .boxed()
}

/// At most as many elements as the accepted attempt matched, where it says so.
fn agreeing(mut quality: Quality, attempts: &[Attempt]) -> Quality {
    let accepted = attempts.iter().find(|attempt| attempt.is_accepted());
    if let (Some(found), Some(matched)) =
        (&mut quality.elements_found, accepted.and_then(|attempt| attempt.elements))
    {
        *found = (*found).min(matched);
    }
    quality
}

/// A recovery that the outcome confirms and fallbacks that the attempts can be counted as.
fn consistent(mut error: ErrorInfo, outcome: Outcome, attempts: &[Attempt]) -> ErrorInfo {
    error.recovery_successful = error.recovery_successful.map(|_| outcome.is_success());
    if !attempts.is_empty() {
        let real = attempts.iter().filter(|attempt| attempt.is_real()).count();
        let most = u32::try_from(real.saturating_sub(1)).unwrap_or(u32::MAX);
        error.fallback_attempts = error.fallback_attempts.map(|_| most);
    }
    error
}

fn arbitrary_error() -> BoxedStrategy<ErrorInfo> {
    (name_text(), of(text()), of(text()), of(any::<u32>()), of(any::<u32>()), of(any::<bool>()))
        .prop_map(
            |(kind, message, stack, retry_attempts, fallback_attempts, recovery_successful)| {
                ErrorInfo {
                    kind,
                    message,
                    stack,
                    retry_attempts,
                    fallback_attempts,
                    recovery_successful,
                }
            },
        )
        .boxed()
}

fn duration(max_ns: u64) -> BoxedStrategy<Duration> {
    prop_oneof![4 => 0..50_000_000u64, 1 => 0..=max_ns, 1 => Just(max_ns)]
        .prop_map(Duration::from_nanos)
        .boxed()
}

/// Any text, empty and control characters included.
fn text() -> BoxedStrategy<Arc<str>> {
    prop_oneof![
        3 => "[a-z #.>\\[\\]=\"'/-]{0,24}",
        1 => vec(any::<char>(), 0..12).prop_map(String::from_iter),
        1 => select(&["", "\0", "\u{2028}", "日本語", "\"\\\n\r\t", "\u{1F600}"][..])
            .prop_map(String::from),
    ]
    .prop_map(Arc::from)
    .boxed()
}

/// A text that is not blank.
fn name_text() -> BoxedStrategy<Arc<str>> {
    prop_oneof![
        4 => "[a-z]{1,8}(\\.[a-z_]{1,8}){0,2}".prop_map(Arc::from),
        1 => text().prop_map(|text| match text.trim() {
            "" => Arc::from("ß"),
            _ => text,
        }),
    ]
    .boxed()
}

fn id_text() -> BoxedStrategy<String> {
    prop_oneof![
        3 => any::<u128>().prop_map(|bits| EventId::from_u128(bits).to_string()),
        1 => any::<u128>().prop_map(|bits| EventId::from_u128(bits).to_string().to_uppercase()),
        1 => "[ -~]{1,40}",
        1 => vec(any::<char>(), 1..8).prop_map(String::from_iter),
    ]
    .boxed()
}

fn url() -> BoxedStrategy<Arc<str>> {
    prop_oneof![
        3 => "https?://(www\\.)?[a-z]{1,8}\\.example(:8080)?(/[a-z0-9]{0,6}){0,3}".prop_map(Arc::from),
        1 => text(),
    ].boxed()
}

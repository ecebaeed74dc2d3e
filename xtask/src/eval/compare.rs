use super::witness::Executed;
use std::sync::Arc;
use std::time::Duration;
use telemetry_runtime::collector::{Redaction, url_template};
use telemetry_runtime::models::{
    Attempt, ErrorInfo, Event, EventIds, OperationKind, PageContext, ProducerId, Quality, RunId,
    SelectorName, Timing,
};

/// How far a timestamp and a duration may lie outside what the witness read from its own clock:
/// the recorder reads another one (the processor's), and the system's is corrected now and then.
const CLOCKS: Duration = Duration::from_millis(50);

/// Holds stored events against what was executed.
pub(crate) struct Comparison {
    ids: EventIds,
    run: RunId,
    producer: ProducerId,
    redaction: Redaction,
}

impl Comparison {
    pub(crate) fn new(run: &RunId, producer: &ProducerId) -> Self {
        Self {
            ids: EventIds::new(run, producer),
            run: run.clone(),
            producer: producer.clone(),
            redaction: Redaction::default(),
        }
    }

    /// How a stored event differs from what was executed, in any field; `None` when it does not.
    ///
    /// Start and duration are compared with the witness's own clock, within [`CLOCKS`]; every
    /// other field must be equal.
    pub(crate) fn difference(
        &self,
        executed: &Executed,
        event: &Event,
        sequence: u64,
    ) -> Option<String> {
        let earliest = executed.began.saturating_sub(CLOCKS);
        let latest = executed.began.saturating_add(CLOCKS);
        if !(earliest..=latest).contains(&event.timestamp) {
            let (began, stored) = (executed.began, event.timestamp);
            return Some(format!("event {sequence}, timestamp: executed {began}, stored {stored}"));
        }
        let spent: Duration = event.attempts.iter().filter_map(|attempt| attempt.duration).sum();
        let most = executed.ended.since(executed.began) + CLOCKS;
        let total = event.timing.total.unwrap_or_default();
        if total < spent || total > most {
            return Some(format!(
                "event {sequence}, total_duration: the attempts took {spent:?}, the engine at most \
                 {most:?}, stored {total:?}"
            ));
        }
        let expected = self.event(executed, event, sequence);
        (expected != *event).then(|| {
            let (expected, stored) = (format!("{expected:#?}"), format!("{event:#?}"));
            let lines = expected.lines().zip(stored.lines()).find(|(a, b)| a != b);
            let (executed, stored) = lines.unwrap_or(("another number of values", ""));
            format!("event {sequence}: executed {}, read back {}", executed.trim(), stored.trim())
        })
    }

    /// The event that what was executed must have become; start and total are taken over.
    fn event(&self, executed: &Executed, stored: &Event, sequence: u64) -> Event {
        let name = self.redaction.text(executed.definition.name.as_str()).into_owned();
        let mut event = Event::new(
            self.ids.id(sequence),
            SelectorName::new(name).expect("redaction leaves something"),
            stored.timestamp,
            OperationKind::Resolution,
            executed.outcome,
        );
        event.selector_version = Some(executed.definition.version);
        event.attempts = executed
            .attempts
            .iter()
            .map(|seen| {
                let strategy = &executed.definition.strategies[usize::from(seen.strategy)];
                Attempt {
                    kind: strategy.kind.clone(),
                    text: Some(self.redaction.text(&strategy.text).into()),
                    outcome: seen.outcome,
                    duration: seen.elapsed.map(as_recorded),
                    elements: seen.elements,
                    confidence: seen.confidence,
                    shadow: seen.shadow,
                }
            })
            .collect();
        event.timing = Timing {
            resolution: stored.timing.total,
            strategies: (!event.attempts.is_empty())
                .then(|| event.attempts.iter().map(|attempt| attempt.duration).sum())
                .flatten(),
            total: stored.timing.total,
        };
        event.quality = Quality {
            confidence: executed.confidence,
            elements_found: executed.elements,
            validation_passed: executed.validation_passed,
            drift_detected: None,
        };
        event.error = executed.error.as_ref().map(|message| ErrorInfo {
            kind: executed.outcome.as_str().into(),
            message: Some(self.redaction.text(message).into()),
            ..ErrorInfo::default()
        });
        let url = executed.page.url.as_deref();
        event.page = Some(Arc::new(PageContext {
            url: url.map(|url| self.redaction.url(url).into()),
            url_template: url.and_then(url_template).map(Into::into),
            ..executed.page.clone()
        }));
        event.engine = Some("cascade".into());
        event.run = Some(self.run.clone());
        event.producer = Some(self.producer.clone());
        event.sequence = Some(sequence);
        event
    }
}

/// A record keeps nanoseconds up to 4.29 s and microseconds beyond.
fn as_recorded(elapsed: Duration) -> Duration {
    if elapsed.as_nanos() < u128::from(u32::MAX) {
        elapsed
    } else {
        Duration::from_micros(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_runtime::interfaces::AttemptRecord;
    use telemetry_runtime::models::{
        AttemptOutcome, Outcome, SelectorDefinition, StrategyDefinition, StrategyKind, Timestamp,
    };

    fn executed() -> Executed {
        let began = Timestamp::from_millis(1_700_000_000_000);
        Executed {
            definition: SelectorDefinition {
                name: "a.b".parse().unwrap(),
                version: 1,
                strategies: vec![StrategyDefinition { kind: StrategyKind::Css, text: "b".into() }],
            },
            page: PageContext::at("https://u:p@shop.test/p/7?k=1"),
            began,
            ended: began.saturating_add(Duration::from_millis(2)),
            outcome: Outcome::NotFound,
            attempts: vec![AttemptRecord {
                elapsed: Some(Duration::from_millis(1)),
                ..AttemptRecord::new(0, AttemptOutcome::Empty)
            }],
            confidence: None,
            elements: Some(0),
            validation_passed: None,
            error: Some("nothing".into()),
        }
    }

    #[test]
    fn every_field_is_compared() {
        let comparison = Comparison::new(&"run".parse().unwrap(), &"main".parse().unwrap());
        let executed = executed();
        let mut template = Event::new(
            "x".parse().unwrap(),
            "x".parse().unwrap(),
            executed.began,
            OperationKind::Resolution,
            Outcome::Success,
        );
        template.timing.total = Some(Duration::from_millis(2));
        let equal = comparison.event(&executed, &template, 5);
        assert_eq!(comparison.difference(&executed, &equal, 5), None);
        type Change = fn(&mut Event);
        let changes: [Change; 18] = [
            |event| event.id = "other".parse().unwrap(),
            |event| event.correlation_id = Some("c".parse().unwrap()),
            |event| event.selector = "other".parse().unwrap(),
            |event| event.selector_version = Some(2),
            |event| event.timestamp = event.timestamp.saturating_add(Duration::from_secs(3600)),
            |event| event.outcome = Outcome::Success,
            |event| event.attempts[0].text = None,
            |event| event.attempts[0].duration = None,
            |event| event.timing.resolution = Some(Duration::from_nanos(1)),
            |event| event.timing.strategies = None,
            |event| event.timing.total = Some(Duration::from_secs(9)),
            |event| event.resources.memory_mb = Some(1.0),
            |event| event.quality.elements_found = Some(1),
            |event| event.error.as_mut().unwrap().kind = "timeout".into(),
            |event| event.page = None,
            |event| event.engine = None,
            |event| event.run = Some("other".parse().unwrap()),
            |event| drop(event.attributes.insert("k".into(), "v".into())),
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = equal.clone();
            change(&mut changed);
            assert!(comparison.difference(&executed, &changed, 5).is_some(), "change {at}");
        }
    }
}

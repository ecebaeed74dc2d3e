use crate::AlertMatcher;
use crate::book::rows;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;
use telemetry_interfaces::{Code, Error, ErrorKind, Result, StateChange, StateStore};
use telemetry_models::Timestamp;

/// Collection of silences, by id.
pub(crate) const SILENCES: &str = "silences";
/// A silence that nobody remembers hides what matters.
const LONGEST: Duration = Duration::from_secs(90 * 86_400);

/// Alerts that nobody is told of until a set time. They are kept and listed as ever; those still
/// open at the end are announced then. That something told before is over is announced all the same.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Identifies it.
    pub id: String,
    /// Which alerts.
    #[serde(rename = "match")]
    pub matcher: AlertMatcher,
    /// From when.
    pub starts_at: Timestamp,
    /// Until when, not included.
    pub ends_at: Timestamp,
    /// Who asked for it.
    pub created_by: String,
    /// Why.
    pub comment: String,
}

impl Silence {
    /// Whether it is in force at a moment.
    pub fn is_active(&self, at: Timestamp) -> bool {
        (self.starts_at..self.ends_at).contains(&at)
    }
}

/// The silences of a state store. A running monitor sees a change within two seconds, also one made
/// by another process.
pub struct SilenceBook {
    state: Arc<dyn StateStore>,
}

impl SilenceBook {
    /// Those of this state store.
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self { state }
    }

    /// Every silence that is kept, past ones too, in order of their end.
    ///
    /// # Errors
    /// When the state cannot be read or a row is no silence.
    pub fn list(&self) -> Result<Vec<Silence>> {
        let mut silences: Vec<Silence> =
            rows(&*self.state, SILENCES)?.into_iter().collect::<Result<_>>()?;
        silences.sort_by(|a, b| (a.ends_at, &a.id).cmp(&(b.ends_at, &b.id)));
        Ok(silences)
    }

    /// Adds one, or replaces that of the same id.
    ///
    /// # Errors
    /// TEL-004 when it covers every alert, ends before it starts, or lasts longer than 90 days;
    /// otherwise when the state cannot be written.
    pub fn add(&self, silence: &Silence) -> Result<()> {
        let invalid = |field: &str, found: String, expected: &str| {
            let message = format!("a silence is wrong: found {found}, expected {expected}");
            Err(Error::new(ErrorKind::Invalid, Code::Configuration, message).with("field", field))
        };
        if silence.matcher.is_empty() {
            let expected = "at least one condition; selector=* covers every alert";
            return invalid("match", "none".into(), expected);
        }
        let lasts = silence.ends_at.since(silence.starts_at);
        if silence.ends_at <= silence.starts_at || lasts > LONGEST {
            let expected = "an end after the start, at most 90 days later";
            return invalid("ends_at", silence.ends_at.to_string(), expected);
        }
        if silence.created_by.trim().is_empty() {
            return invalid("created_by", "nobody".into(), "the name of who asks for it");
        }
        let json = serde_json::to_string(silence).map_err(|error| {
            Error::new(ErrorKind::Internal, Code::Processing, "a silence is not JSON").source(error)
        })?;
        self.state.commit(&[StateChange::put(SILENCES, &*silence.id, json)])
    }

    /// Ends one now. Whether there was one that had not ended.
    ///
    /// # Errors
    /// When the state cannot be read or written.
    pub fn end(&self, id: &str, now: Timestamp) -> Result<bool> {
        let Some(mut silence) = self.list()?.into_iter().find(|it| it.id == id) else {
            return Ok(false);
        };
        if silence.ends_at <= now {
            return Ok(false);
        }
        if silence.starts_at >= now {
            self.state.commit(&[StateChange::remove(SILENCES, id)])?;
            return Ok(true);
        }
        silence.ends_at = now;
        self.add(&silence).map(|()| true)
    }
}

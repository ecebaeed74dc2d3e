use crate::book::{read, rows_with_keys};
use crate::outbox::{ALERTS, CLOSED, DEAD_LETTERS, Intent};
use crate::silence::{SILENCES, Silence};
use std::time::Duration;
use telemetry_interfaces::{Result, StateChange, StateStore};
use telemetry_models::{Alert, AlertState, Timestamp};

/// What is over is looked for so often.
const EVERY: Duration = Duration::from_secs(3600);
/// Closed alerts that go at once, so that no commit takes long; more go in the next.
const AT_ONCE: usize = 1000;
/// Between two lots of them.
const SOON: Duration = Duration::from_secs(1);

/// Decides what is removed from the state: alerts that were closed for long, silences that ended
/// and notifications that were given up as long ago.
#[derive(Debug)]
pub(crate) struct Retention {
    keep: Duration,
    /// By the monotonic clock.
    next: Option<Duration>,
}

impl Retention {
    pub(crate) fn new(keep: Duration) -> Self {
        Self { keep, next: None }
    }

    /// Collections and keys of what goes now. `utc` is the time by the calendar, `monotonic` one
    /// that never goes back.
    ///
    /// # Errors
    /// When the state cannot be read; asked again in an hour.
    pub(crate) fn over(
        &mut self,
        state: &dyn StateStore,
        utc: Timestamp,
        monotonic: Duration,
    ) -> Result<Vec<(&'static str, String)>> {
        if self.next.is_some_and(|next| monotonic < next) {
            return Ok(Vec::new());
        }
        self.next = Some(monotonic.saturating_add(EVERY));
        let limit = utc.saturating_sub(self.keep);
        let closed = state.keys_before(CLOSED, &key(limit, ""), AT_ONCE)?;
        if closed.len() == AT_ONCE {
            self.next = Some(monotonic.saturating_add(SOON));
        }
        let mut over = Vec::new();
        for key in closed {
            let Some((_, id)) = key.split_once('/') else { continue };
            // One that was made to fire again stays, and has another row once it is closed anew.
            if is_over(state, id, limit)? {
                over.push((ALERTS, id.to_owned()));
            }
            over.push((CLOSED, key));
        }
        for (key, row) in rows_with_keys::<Silence>(state, SILENCES)? {
            over.extend(row.is_ok_and(|it| it.ends_at < limit).then_some((SILENCES, key)));
        }
        for (key, row) in rows_with_keys::<Intent>(state, DEAD_LETTERS)? {
            let old = row.is_ok_and(|it| it.notification.at < limit);
            over.extend(old.then_some((DEAD_LETTERS, key)));
        }
        Ok(over)
    }
}

fn is_over(state: &dyn StateStore, id: &str, limit: Timestamp) -> Result<bool> {
    let Some(json) = state.load(ALERTS, id)? else { return Ok(false) };
    // What cannot be read is left for somebody to look at.
    let alert = read::<Alert>(ALERTS, id, &json);
    Ok(alert.is_ok_and(|it| it.state == AlertState::Closed && it.updated_at < limit))
}

/// The key of the row that says when an alert was closed: in the order of that time.
pub(crate) fn closed_key(alert: &Alert) -> String {
    key(alert.updated_at, alert.id.as_str())
}

fn key(at: Timestamp, id: &str) -> String {
    format!("{:020}/{id}", at.as_nanos().max(0))
}

/// Rows for closed alerts that an earlier version kept without.
///
/// # Errors
/// When the state cannot be read.
pub(crate) fn missing(state: &dyn StateStore, alerts: &[Alert]) -> Result<Vec<StateChange>> {
    let closed: Vec<String> =
        alerts.iter().filter(|it| it.state == AlertState::Closed).map(closed_key).collect();
    if closed.is_empty() {
        return Ok(Vec::new());
    }
    let known: std::collections::HashSet<String> =
        state.list(CLOSED)?.into_iter().map(|(key, _)| key).collect();
    let missing = closed.into_iter().filter(|key| !known.contains(key));
    Ok(missing.map(|key| StateChange::put(CLOSED, key, "null")).collect())
}

use crate::outbox::{ALERTS, CHANNELS, ChannelRecord, DEAD_LETTERS, Intent, OUTBOX};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use telemetry_interfaces::{Code, Error, ErrorKind, Result, SelectorPattern, StateStore};
use telemetry_models::{Alert, AlertId, AlertState, Severity};

/// Which alerts. Every condition that is set must hold; the default covers all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertFilter {
    /// State is one of these; empty means any.
    pub states: Vec<AlertState>,
    /// Selectors, by name.
    pub selector: Option<SelectorPattern>,
    /// This severity or a higher one.
    pub min_severity: Option<Severity>,
}

impl AlertFilter {
    /// Firing and recovering ones.
    pub fn open() -> Self {
        Self { states: vec![AlertState::Firing, AlertState::Recovering], ..Self::default() }
    }

    /// Whether an alert meets every condition.
    pub fn matches(&self, alert: &Alert) -> bool {
        (self.states.is_empty() || self.states.contains(&alert.state))
            && self.selector.as_ref().is_none_or(|it| it.matches(alert.selector.as_str()))
            && self.min_severity.is_none_or(|min| alert.severity >= min)
    }
}

/// Reads the alerts that an [`AlertMonitor`](crate::AlertMonitor) keeps, also from another process.
pub struct AlertBook {
    state: Arc<dyn StateStore>,
}

impl AlertBook {
    /// Reads from this state store.
    pub fn new(state: Arc<dyn StateStore>) -> Self {
        Self { state }
    }

    /// The alerts that meet the filter: open ones first, then the most severe, then the newest.
    ///
    /// # Errors
    /// When the state cannot be read, or a row is not an alert; names the row.
    pub fn list(&self, filter: &AlertFilter) -> Result<Vec<Alert>> {
        let mut alerts: Vec<Alert> =
            rows(&*self.state, ALERTS)?.into_iter().collect::<Result<_>>()?;
        alerts.retain(|alert| filter.matches(alert));
        alerts.sort_by(|a, b| {
            let order = |it: &Alert| (it.state.is_open(), it.severity, it.since);
            order(b).cmp(&order(a)).then_with(|| a.id.cmp(&b.id))
        });
        Ok(alerts)
    }

    /// One alert.
    ///
    /// # Errors
    /// When the state cannot be read, or the row is not an alert.
    pub fn alert(&self, id: &AlertId) -> Result<Option<Alert>> {
        self.state
            .load(ALERTS, id.as_str())?
            .map(|json| read(ALERTS, id.as_str(), &json))
            .transpose()
    }

    /// Notifications that no channel has accepted yet.
    ///
    /// # Errors
    /// When the state cannot be read, or a row is not a notification.
    pub fn outbox(&self) -> Result<Vec<Intent>> {
        rows(&*self.state, OUTBOX)?.into_iter().collect()
    }

    /// Notifications that were given up, with the reason.
    ///
    /// # Errors
    /// When the state cannot be read, or a row is not a notification.
    pub fn dead_letters(&self) -> Result<Vec<Intent>> {
        rows(&*self.state, DEAD_LETTERS)?.into_iter().collect()
    }

    /// What a channel accepted last.
    ///
    /// # Errors
    /// When the state cannot be read, or the row is not a channel's record.
    pub fn channel(&self, name: &str) -> Result<Option<ChannelRecord>> {
        self.state.load(CHANNELS, name)?.map(|json| read(CHANNELS, name, &json)).transpose()
    }
}

/// The rows of a collection, each read or with its error.
pub(crate) fn rows<T: DeserializeOwned>(
    state: &dyn StateStore,
    collection: &'static str,
) -> Result<Vec<Result<T>>> {
    let rows = state.list(collection)?;
    Ok(rows.into_iter().map(|(key, json)| read(collection, &key, &json)).collect())
}

fn read<T: DeserializeOwned>(collection: &'static str, key: &str, json: &str) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        Error::new(ErrorKind::Corrupt, Code::Corruption, "a row of the alert state is not readable")
            .with("collection", collection)
            .with("key", key)
            .source(error)
            .cure("restore the state from a backup, or remove the row")
    })
}

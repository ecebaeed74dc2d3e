use crate::outbox::{ALERTS, CHANNELS, ChannelRecord, DEAD_LETTERS, Intent, OUTBOX, REQUESTS};
use serde::de::DeserializeOwned;
use std::sync::Arc;
use telemetry_interfaces::{
    Code, Error, ErrorKind, Result, SelectorPattern, StateChange, StateStore,
};
use telemetry_models::{Alert, AlertId, AlertRequest, AlertState, Severity};

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

/// The alerts that an [`AlertMonitor`](crate::AlertMonitor) keeps: to be read, and to have something
/// done with them, also from another process.
pub struct AlertBook {
    state: Arc<dyn StateStore>,
}

impl AlertBook {
    /// The alerts in this state store.
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
        let requests = self.requests()?;
        if !requests.is_empty() {
            alerts.iter_mut().for_each(|alert| anticipate(alert, &requests));
        }
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
        let Some(json) = self.state.load(ALERTS, id.as_str())? else { return Ok(None) };
        let mut alert = read(ALERTS, id.as_str(), &json)?;
        anticipate(&mut alert, &self.requests()?);
        Ok(Some(alert))
    }

    /// Asks for something to be done with an alert, and gives the alert as it is then. A program
    /// that is recording does it within a second, any other the next time it starts; whoever reads
    /// the alerts sees it at once.
    ///
    /// # Errors
    /// `NotFound` when there is no such alert, TEL-003 when the request does not fit it; when the
    /// state cannot be read or written. Nothing was changed then.
    pub fn request(&self, request: &AlertRequest) -> Result<Alert> {
        let Some(mut alert) = self.alert(&request.alert)? else {
            let message = format!("there is no alert {}", request.alert);
            return Err(Error::new(ErrorKind::NotFound, Code::InvalidEvent, message)
                .cure("`telemetry alerts list --state all` lists every alert that is kept"));
        };
        alert.apply(request).map_err(|invalid| {
            let doing = request.action.as_str();
            let message = format!("cannot {doing} alert {}: {invalid}", request.alert);
            Error::new(ErrorKind::Invalid, Code::InvalidEvent, message)
        })?;
        let order = request.at.as_nanos();
        let key = format!("{order:020}-{}-{}", request.alert, request.action.as_str());
        let json = serde_json::to_string(request).map_err(|error| {
            Error::new(ErrorKind::Internal, Code::Processing, "a request is not JSON").source(error)
        })?;
        self.state.commit(&[StateChange::put(REQUESTS, key, json)])?;
        Ok(alert)
    }

    /// What was asked for and is not done yet, in order.
    ///
    /// # Errors
    /// When the state cannot be read, or a row is not a request.
    pub fn requests(&self) -> Result<Vec<AlertRequest>> {
        rows(&*self.state, REQUESTS)?.into_iter().collect()
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

/// Shows what was asked for and is not done yet as done.
fn anticipate(alert: &mut Alert, requests: &[AlertRequest]) {
    for request in requests {
        if request.alert == alert.id {
            // One that does not fit any more will be refused.
            let _ = alert.apply(request);
        }
    }
}

/// The rows of a collection, each read or with its error.
pub(crate) fn rows<T: DeserializeOwned>(
    state: &dyn StateStore,
    collection: &'static str,
) -> Result<Vec<Result<T>>> {
    Ok(rows_with_keys(state, collection)?.into_iter().map(|(_, row)| row).collect())
}

/// The rows of a collection with their keys, each read or with its error.
pub(crate) fn rows_with_keys<T: DeserializeOwned>(
    state: &dyn StateStore,
    collection: &'static str,
) -> Result<Vec<(String, Result<T>)>> {
    let rows = state.list(collection)?;
    let read = |(key, json): (String, String)| {
        let row = read(collection, &key, &json);
        (key, row)
    };
    Ok(rows.into_iter().map(read).collect())
}

pub(crate) fn read<T: DeserializeOwned>(
    collection: &'static str,
    key: &str,
    json: &str,
) -> Result<T> {
    serde_json::from_str(json).map_err(|error| {
        Error::new(ErrorKind::Corrupt, Code::Corruption, "a row of the alert state is not readable")
            .with("collection", collection)
            .with("key", key)
            .source(error)
            .cure("restore the state from a backup, or remove the row")
    })
}

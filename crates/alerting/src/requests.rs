//! What people ask for, on its way from the state store to the engines and back.
//!
//! Anybody who can write to the state store may ask, from another process too: a request is a row
//! of a collection. It is taken out in the same commit that keeps what came of it.

use crate::book::{read, rows_with_keys};
use crate::outbox::{ALERTS, REQUESTS};
use std::collections::BTreeSet;
use std::sync::{Arc, mpsc};
use std::time::Duration;
use telemetry_interfaces::StateStore;
use telemetry_models::{Alert, AlertRequest, AlertState, AlertTransition, ChangeCause};

/// The collection is looked at so often.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What the engines' thread is handed.
pub(crate) enum Asked {
    /// Somebody asks for something; the row's key comes first.
    Request(String, Box<AlertRequest>),
    /// An alert that fires again though no engine had it.
    Adopt(Box<Alert>),
}

/// What the engines' thread answers.
#[derive(Debug)]
pub(crate) struct Requested {
    /// The request's row.
    pub(crate) key: String,
    /// What changed.
    pub(crate) changes: Vec<AlertTransition>,
    /// The request, when no engine has the alert: it is over, and only kept.
    pub(crate) unclaimed: Option<AlertRequest>,
}

/// The way from the state store to the engines.
#[derive(Clone)]
pub(crate) struct Requests {
    pub(crate) state: Arc<dyn StateStore>,
    pub(crate) to: mpsc::Sender<Asked>,
}

impl Requests {
    /// Hands over what is asked for until the engines' thread is gone.
    pub(crate) async fn watch(self) {
        let mut seen = BTreeSet::new();
        loop {
            match rows_with_keys::<AlertRequest>(&*self.state, REQUESTS) {
                Ok(rows) => {
                    let there: BTreeSet<_> = rows.iter().map(|(key, _)| key.clone()).collect();
                    for (key, request) in rows {
                        if seen.contains(&key) {
                            continue;
                        }
                        match request {
                            Ok(request) => {
                                let asked = Asked::Request(key, Box::new(request));
                                if self.to.send(asked).is_err() {
                                    return;
                                }
                            }
                            Err(error) => tracing::warn!(%error, "request left alone"),
                        }
                    }
                    seen = there;
                }
                Err(error) => tracing::warn!(%error, "requests cannot be read; asked again soon"),
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Does what is asked for with an alert that is kept and that no engine has.
    pub(crate) fn on_kept(&self, request: &AlertRequest) -> Option<AlertTransition> {
        let id = request.alert.as_str();
        let refused = |reason: &dyn std::fmt::Display| {
            tracing::warn!(alert = id, action = request.action.as_str(), %reason, "not done");
        };
        let kept = match self.state.load(ALERTS, id) {
            Ok(Some(json)) => read::<Alert>(ALERTS, id, &json),
            Ok(None) => {
                refused(&"there is no such alert");
                return None;
            }
            Err(error) => Err(error),
        };
        let mut alert = kept.inspect_err(|error| refused(error)).ok()?;
        let from = alert.state;
        let cause = alert.apply(request).inspect_err(|error| refused(error)).ok()?;
        if cause == ChangeCause::State && alert.state == AlertState::Firing {
            // An engine that is gone shows in health.
            let _ = self.to.send(Asked::Adopt(Box::new(alert.clone())));
        }
        Some(AlertTransition { from, at: request.at, cause, alert })
    }
}
